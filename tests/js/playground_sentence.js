// node tests/js/playground_sentence.js < {"link"} or {"preset"}, with {"steps", "members"}
// Trains what a link or a preset sets, as the page does but without drawing, and prints the sentence under the seeds.
import { readFileSync } from "node:fs";
import { frameOf } from "../../dvae_core/live/playground/frame.js";
import { createPopulation } from "../../dvae_core/live/playground/population.js";
import { verdict } from "../../dvae_core/live/playground/sentences.js";
import { decode, PRESETS, SHOWN, trainingOf, worldOf } from "../../dvae_core/live/playground/settings.js";
import { drawWorld } from "../../dvae_core/live/playground/world.js";

const { link, preset, steps, members } = JSON.parse(readFileSync(0, "utf8"));
const state = preset === undefined ? decode(link).state : PRESETS.find(({ name }) => name === preset).state;
const world = { ...drawWorld(worldOf(state)), shown: SHOWN };
const seeds = Array.from({ length: members }, (_, k) => k);
const settings = { ...trainingOf(state), steps };
const population = createPopulation({ ...world, u: world.u ?? new Int32Array(world.n), settings, seeds });
population.step(steps);
const { mean, error } = population.bound();
const latents = population.latents(Math.ceil(world.n / SHOWN));
const part = { type: "part", step: steps, steps, latents, bound: mean, error, failed: population.failed, secondsPerStep: 0 };
const frame = frameOf({ world, seeds }, [part]);
process.stdout.write(JSON.stringify({ text: verdict(state, frame).text, agreement: frame.agreement.ladder, mcc: Array.from(frame.mcc) }));
