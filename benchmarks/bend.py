"""The bend: nats of log p lost when the axes turn by an angle and the prior is fitted anew, one row for each idea.

    python benchmarks/bend.py            print the table; about a minute of CPU
    python benchmarks/bend.py --write    write the curves of dvae_core/examples/bend.json; about 100 s of CPU

Nothing is trained: f is known. Closed forms, except for the mixtures, which EM fits to the true factors.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that a script runs from any folder

from dvae_core import runs
from dvae_core.identify import bend

SHOWN = (0.0, 15.0, 30.0, 45.0)
TALK_SEED = 45
OTHER_SEEDS = (0, 1, 2, 3, 4)
ANGLES = (0.0, 15.0, 30.0, 45.0, 60.0, 75.0, 90.0)  # of the mixtures
SEPARATIONS = (0.0, 0.5, 1.0, 1.5, 2.0)
COMPONENTS = (1, 2, 5, 10)
STRENGTHS = tuple(round(0.1 * k, 1) for k in range(11))
KINDS = ("laplace", "uniform", "bimodal")


def row(name: str, found: bend.Bend) -> None:
    """Print one row of the table, at 15, 30 and 45 degrees."""
    at = np.isin(found.angles, SHOWN[1:])
    spread = f"  +- {found.error[at].max():.3f}" if found.error.any() else ""
    print(f"{name:44s}" + "".join(f"{v:8.3f}" for v in found.nats[at]) + f"   {found.state}{spread}", flush=True)


def table() -> None:
    """Print every idea with its negative control."""
    print(f"{'nats lost at':44s}      15      30      45   degrees")
    row("N(0, I), as mixture of 1", bend.mixture(*bend.world(TALK_SEED), 1, SHOWN, strength=0))
    row("N(0, I), as mixture of 10", bend.mixture(*bend.world(TALK_SEED), 10, SHOWN, strength=0))
    for a in ((0.0, 0.0), (0.8, 0.8), (0.8, 0.7), (0.8, 0.4), (0.95, 0.6)):
        row(f"time, a = {a}", bend.pairs(a, SHOWN))
    for strength in (0.0, 1.0):
        row(f"u seen, strength {strength:g}", bend.segments(*bend.world(TALK_SEED), SHOWN, strength))
    for kind in KINDS:
        row(f"straight world, {kind}", bend.sources(kind, SHOWN))
    row("straight world, Gaussian", bend.sources("laplace", SHOWN, 0))
    for seed in (TALK_SEED, *OTHER_SEEDS):
        for components in (5, 10):
            row(f"u hidden, data seed {seed}, K = {components}", bend.mixture(*bend.world(seed), components, SHOWN))


def curves() -> dict:
    """Return the curves that the page and the talk draw, at every stop of their sliders."""
    hidden = [[bend.mixture(*bend.world(TALK_SEED), k, ANGLES, strength=s) for k in COMPONENTS] for s in SEPARATIONS]
    straight = {kind: [rounded(bend.sources(kind, strength=s).nats) for s in STRENGTHS] for kind in KINDS}
    return {
        "made by": "benchmarks/bend.py --write",
        "data_seed": TALK_SEED,
        "hidden": {
            "angles": ANGLES,
            "separation": SEPARATIONS,
            "components": COMPONENTS,
            "nats": [[rounded(found.nats) for found in line] for line in hidden],
            "error": [[rounded(found.error) for found in line] for line in hidden],
        },
        "straight": {"angles": bend.ANGLES, "strength": STRENGTHS, "nats": straight},
    }


def rounded(values: np.ndarray) -> list[float]:
    """Return numbers as the file keeps them."""
    return [round(float(v), 5) + 0.0 for v in values]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write dvae_core/examples/bend.json instead")
    options = parser.parse_args()
    began = time.process_time()
    if options.write:
        path = runs.examples_folder() / "bend.json"
        path.write_text(json.dumps(curves(), indent=None) + "\n", encoding="utf-8")
        print(f"{path}: {path.stat().st_size:,} bytes")
    else:
        table()
    print(f"{time.process_time() - began:.0f} CPU seconds")
