"""How often is light 4 of the Conditions page green, where it must not be and where it should be?

Latents are the factors themselves (turned at random where u leaves the turn free), so that a data set takes a fraction
of a second; on held-out rows, a fifth, as in a run. The last parts train the talk's recipe, on worlds where u does
nothing and on the talk's own, to see that this stands for real runs.

    python benchmarks/lights.py                # 4 minutes of CPU on one core
    python benchmarks/lights.py nothing talk   # some parts
    python benchmarks/lights.py --sets 40      # fewer data sets a part
"""

import argparse
import dataclasses
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # so that a script runs from any folder

import numpy as np

from dvae_core import recipes, runs
from dvae_core.analysis.conditions.compute import conditions
from dvae_core.analysis.conditions.record import Conditions, file_name
from dvae_core.config import Config, GaussianPrior
from dvae_core.data.worlds import sources
from dvae_core.identify.conditions import theorem_matrix, variability_light, what_follows
from dvae_core.identify.effect import effect_of, gaussian_family

SHAPES: tuple[dict[str, Any], ...] = (
    {"n_latents": 2, "segments": 20, "per_segment": 250},
    {"n_latents": 2, "segments": 5, "per_segment": 1000},
    {"n_latents": 2, "segments": 40, "per_segment": 100},
    {"n_latents": 5, "segments": 40, "per_segment": 200},
)
FIVE = {"n_latents": 5, "segments": 40, "per_segment": 1000}


def light_on(world: dict[str, Any], *, seed: int, turned: bool, draw: int = 0) -> tuple[str, bool]:
    """Return light 4's state on perfect latents of a world, and whether theorem 2 is named if the others are green."""
    rng = np.random.default_rng([seed, draw])
    segments, d = world["segments"], world["n_latents"]
    u = np.repeat(np.arange(segments), max(1, world["per_segment"] // 5))
    mean, scale = sources.moments(
        u, n_latents=d, segments=segments, modulate=world.get("modulate", "both"),
        strength=world.get("strength", 1.0), seed=seed,
    )  # fmt: skip
    z = mean + scale * rng.standard_normal((len(u), d))
    z = (z - z.mean(0)) / z.std(0)
    if turned:
        z = z @ np.linalg.qr(rng.standard_normal((d, d)))[0]
    effect = effect_of(z / z.std(0), u, gaussian_family("both"))
    # The learned lambda: here with as large directions as one likes, since a learned one always has them.
    learned = theorem_matrix(1e3 * rng.standard_normal((segments, d, 2)))
    light = variability_light(segments, False, learned, effect, np.ones(1))  # every seed finds the factors themselves
    green = [dataclasses.replace(light, state="met", name=str(k)) for k in range(3)]
    config = dataclasses.replace(Config(), prior=GaussianPrior())
    return light.state, "theorem 2 would" in what_follows(config, [*green, light], None, effect)


def part(name: str, worlds: list[tuple[dict[str, Any], int, int]], *, turned: bool) -> None:
    """Print how often the light has each state over the worlds."""
    found = [light_on(world, seed=seed, turned=turned, draw=draw) for world, seed, draw in worlds]
    states = [state for state, _ in found]
    counts = ", ".join(f"{state} {states.count(state)}" for state in ("met", "unsure", "broken"))
    print(
        f"{name:52s} {len(found)} data sets: {counts}; theorem 2 named {sum(named for _, named in found)}", flush=True
    )


def trained(name: str, changes: dict[str, Any], data_seeds: tuple[int, ...]) -> None:
    """Train the talk's iVAE on changed worlds; print the lights of all members."""
    states, verdicts = [], []
    for data_seed in data_seeds:
        config = recipes.talk_ivae()
        data = dataclasses.replace(config.data, seed=data_seed, **changes)
        config = dataclasses.replace(config, data=data)
        with tempfile.TemporaryDirectory() as folder:
            run = runs.create(Path(folder) / "run", config)
            from dvae_core.training.train import train

            for _ in train(run):
                pass
            for m in range(config.members):
                for _ in conditions(run, member_index=m):
                    pass
                found = Conditions.load(run, file_name(m))
                assert found is not None
                lights, _ = found.lights(config, is_continuous=False)
                states.append(lights[3].state)
                verdicts.append("theorem 2 would" in what_follows(config, lights, found.monotonic, found.effect))
    counts = ", ".join(f"{state} {states.count(state)}" for state in ("met", "unsure", "broken"))
    print(f"{name:52s} {len(states)} members: {counts}; theorem 2 named {sum(verdicts)}", flush=True)


def main() -> None:
    """Run the parts named on the command line, or all."""
    names = ("nothing", "means", "variances", "talk", "five", "trained")
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(names)} (default: all)")
    parser.add_argument("--sets", type=int, default=200, help="data sets a part (default 200; five: a quarter)")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(names):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    chosen, sets = options.parts or names, options.sets
    mixed = [(SHAPES[s % len(SHAPES)], s, 0) for s in range(sets)]
    if "nothing" in chosen:
        part("u does nothing", [({**w, "strength": 0.0}, s, d) for w, s, d in mixed], turned=True)
    if "means" in chosen:
        part("u moves means only", [({**w, "modulate": "mean"}, s, d) for w, s, d in mixed], turned=True)
    if "variances" in chosen:
        part("u moves variances only", [({**w, "modulate": "variance"}, s, d) for w, s, d in mixed], turned=False)
    if "talk" in chosen:
        part("the talk's world", [(SHAPES[1], 45, d) for d in range(sets)], turned=False)
    if "five" in chosen:
        part("five factors, 40 segments", [(FIVE, s, 0) for s in range(sets // 4)], turned=False)
    if "trained" in chosen:
        trained("trained: the talk's recipe, u does nothing", {"strength": 0.0}, (0, 45))
        longer = {"strength": 0.0, "segments": 20, "per_segment": 250}
        trained("trained: the same, 20 segments", longer, (0, 45))
        trained("trained: means only, 20 segments", {**longer, "strength": 1.0, "modulate": "mean"}, (45,))
        trained("trained: the talk's world", {}, (45,))


if __name__ == "__main__":
    main()
