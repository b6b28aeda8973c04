// node tests/js/playground_train.js < {"world", "settings", "seeds", "heldOut"}
// Trains a population to its end, and prints e(x) and the refined mean of the held-out rows, [p, rows, dz], and seconds.
import { readFileSync } from "node:fs";
import { createPopulation } from "../../dvae_core/live/playground/population.js";

const { world, settings, seeds, heldOut } = JSON.parse(readFileSync(0, "utf8"));
const population = createPopulation({
  ...world,
  x: Float32Array.from(world.x),
  u: world.u && Int32Array.from(world.u),
  settings,
  seeds,
  start: { heldOut },
});
const [wall, cpu] = [performance.now(), process.cpuUsage()];
population.step(settings.steps);
const { user, system } = process.cpuUsage(cpu);
const seconds = { wall: (performance.now() - wall) / 1e3, CPU: (user + system) / 1e6 };

const { dz, n } = world;
const all = population.latents();
const guess = seeds.flatMap((_, m) => heldOut.flatMap((row) => Array.from(all.subarray((m * n + row) * dz, (m * n + row + 1) * dz))));
const CHUNK = 32; // the engine keeps the refined means of so many rows
const mean = seeds.map((_, m) => {
  const W = population.pick(m);
  const out = [];
  for (let start = 0; start < heldOut.length; start += CHUNK) {
    const rows = Int32Array.from(heldOut.slice(start, start + CHUNK));
    population.elbo.evaluate(W, rows, new Float64Array(rows.length * dz), new Float64Array(rows.length));
    out.push(...population.elbo.testing.m.subarray(0, rows.length * dz));
  }
  return out;
});
process.stdout.write(JSON.stringify({ seconds, guess, mean: mean.flat() }));
