// node tests/js/playground_cli.js < {"world", "settings", "seeds", "parameters", "heldOut", "rows", "eps", "double", "steps"}
// Prints the population's preprocessing, and for the given rows and noise [steps, p, b], either the gradient of every
// parameter ("steps" is 0) or the mean ELBO of each step's batch, [steps, p].
import { readFileSync } from "node:fs";
import { Population } from "../../dvae_core/live/playground/population.js";

const asked = JSON.parse(readFileSync(0, "utf8"));
const { world, settings, seeds, parameters, heldOut, rows, eps, steps } = asked;
const Type = asked.double ? Float64Array : Float32Array;
const population = new Population({
  ...world,
  x: Float64Array.from(world.x),
  u: world.u && Int32Array.from(world.u),
  settings,
  seeds,
  start: { parameters, heldOut },
  Type,
});
const { scaling, layout } = population;
const answer = { scaling: { mean: [...scaling.mean], forward: [...scaling.forward], logDet: scaling.logDet } };
const move = (step, m, act) => act(m, Int32Array.from(rows[step][m]), Float64Array.from(eps[step][m]));
if (steps === 0) {
  const gradient = new Type(population.parameters.length);
  answer.bounds = [
    seeds.map((_, m) => {
      const bound = move(0, m, (...batch) => population.gradient(...batch));
      gradient.set(population.G, m * layout.size);
      return bound;
    }),
  ];
  answer.gradient = Object.fromEntries(Object.entries(population.named(gradient)).map(([name, values]) => [name, [...values]]));
} else {
  answer.bounds = [];
  for (let step = 0; step < steps; step++) {
    answer.bounds.push(seeds.map((_, m) => move(step, m, (...batch) => population.move(...batch))));
    population.stepNumber += 1;
  }
}
process.stdout.write(JSON.stringify(answer));
