// node tests/js/playground_save.js OUT.safetensors < {"world", "settings", "seeds", "steps", "workers"}
// Trains, saves what as many workers would send, and prints e(x) of the held-out rows and the bounds.
import { readFileSync, writeFileSync } from "node:fs";
import { createPopulation } from "../../dvae_core/live/playground/population.js";
import { fileOf, joinedTensors, tensorsOf } from "../../dvae_core/live/playground/save.js";

const { world, settings, seeds, steps, workers } = JSON.parse(readFileSync(0, "utf8"));
const given = { ...world, x: Float32Array.from(world.x), u: world.u && Int32Array.from(world.u), z: Float32Array.from(world.z) };
const half = Math.ceil(seeds.length / workers);
const parts = Array.from({ length: workers }, (_, i) =>
  createPopulation({ ...given, settings, seeds: seeds.slice(i * half, (i + 1) * half) }),
);
for (const part of parts) part.step(steps);
const file = fileOf(joinedTensors(parts.map(tensorsOf)), given, parts[0].settings, seeds, steps);
writeFileSync(process.argv[2], file);
const { heldOut } = parts[0].parts;
const { n, dz } = world;
const latents = parts.flatMap((part) => {
  const all = part.latents();
  return part.seeds.map((_, m) => Array.from(heldOut, (row) => [...all.subarray((m * n + row) * dz, (m * n + row + 1) * dz)]));
});
process.stdout.write(JSON.stringify({ latents, bound: parts.flatMap((part) => [...part.bound().mean]) }));
