"""What breaks the symmetry without u: recovery under each assumption, beside the control that takes it away.

    python benchmarks/without_u.py                      # every part
    python benchmarks/without_u.py time straight        # some
    python benchmarks/without_u.py time --worlds 2      # fewer data seeds
    python benchmarks/without_u.py --keep LOG           # the mixture's rows of a printed table, for the bend page

Each row is a condition: MCC of held-out posterior means, the mean over data seeds and members, the range of the data
seeds' means, and the largest standard deviation over members within a data seed. Nothing was tuned on these data seeds.
"""

import argparse
import dataclasses
import itertools
import json
import re
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import FastICA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # so that a script runs from any folder

from dvae_core import metrics, recipes, runs
from dvae_core.analysis.common import good_members
from dvae_core.config import (
    Config,
    FileData,
    GaussianLikelihood,
    MemoriesData,
    MixturePrior,
    MlpNet,
    StandardPrior,
    TimePrior,
)
from dvae_core.data.load import dataset_of
from dvae_core.data.worlds.sources import sources
from dvae_core.training.train import train

MEMBERS = 6
DATA = ROOT.parent / "shared" / "data"  # recordings, where they are
UNEQUAL, EQUAL, THREE = (0.95, 0.6), (0.8, 0.8), (0.95, 0.8, 0.5)


def trained(config: Config) -> tuple[dict[str, np.ndarray], list[int], float]:
    """Train and return the held-out latents, the good members and the CPU seconds."""
    with tempfile.TemporaryDirectory() as folder:
        run = runs.create(Path(folder) / "run", config)
        began = time.process_time()
        for _ in train(run):
            pass
        seconds = time.process_time() - began
        latents, good = run.latents(), good_members(run)
    assert latents is not None
    return latents, good, seconds


def scored(config: Config) -> dict[str, Any]:
    """Train and return each good member's MCC, the R^2 of the factors from an affine map of the latents, and a."""
    latents, good, seconds = trained(config)
    z = latents["z_true"].astype(float)
    codes = [latents["mu_z"][m].astype(float) for m in good]
    return {
        "mcc": [metrics.mcc(z, code).value for code in codes],
        "affine": [metrics.r2_affine(z, code).value for code in codes],
        "memory": latents["memory"][good] if "memory" in latents else None,
        "elbo": latents["elbo"][good],
        "lost": config.members - len(good),
        "seconds": seconds,
    }


def row(what: str, bar: str, found: list[dict[str, Any]]) -> None:
    """Print a condition's row over its data seeds."""
    means = [float(np.mean(each["mcc"])) for each in found]
    spread = max(float(np.std(each["mcc"])) for each in found)
    lost = sum(each["lost"] for each in found)
    affine = np.mean([r2 for each in found for r2 in each["affine"]])
    print(
        f"{what:44s} {bar:24s} MCC {np.mean(means):.3f} ({min(means):.3f} to {max(means):.3f}), sd within a data seed "
        f"up to {spread:.3f}, affine R2 {affine:.3f}, {len(found)} data seeds, "
        f"{sum(len(each['mcc']) for each in found)} members, {lost} failed or stuck, "
        f"{np.mean([each['seconds'] for each in found]):.0f} CPU s a population",
        flush=True,
    )


def of_time(worlds: int, only: str) -> None:
    """Print the table of priors over time."""
    conditions = [
        ("time, a = (.95, .6)", ">= .98, sd <= .005", UNEQUAL, "gaussian", TimePrior()),
        ("control: time shuffled", ".90 +- .03", UNEQUAL, "gaussian", TimePrior(shuffle=True)),
        ("control: a = (.8, .8)", ".90 +- .03", EQUAL, "gaussian", TimePrior()),
        ("Laplace, a = (.8, .8)", ">= .97", EQUAL, "laplace", TimePrior(innovations="laplace")),
        ("the same, Gaussian transition", "chance", EQUAL, "laplace", TimePrior()),
        ("time, a = (.95, .8, .5)", ">= .97", THREE, "gaussian", TimePrior()),
        ("control: the same, shuffled", f"chance {metrics.rotation_mcc(3):.3f}", THREE, "gaussian",
         TimePrior(shuffle=True)),
    ]  # fmt: skip
    print(f"A random rotation scores {metrics.rotation_mcc(2):.3f} in 2-D, {metrics.rotation_mcc(3):.3f} in 3-D.")
    for what, bar, memory, innovations, prior in conditions:
        if only not in what:
            continue
        found = []
        for seed in range(worlds if len(memory) == 2 else min(worlds, 2)):
            data = MemoriesData(memory=memory, innovations=innovations, seed=seed)
            found.append(scored(recipes.over_time(data, prior, members=MEMBERS)))
        row(what, bar, found)
        a = np.sort(np.concatenate([each["memory"] for each in found]), axis=1)[:, ::-1]
        learned = ", ".join(f"{mean:.2f} +- {std:.2f}" for mean, std in zip(a.mean(0), a.std(0), strict=True))
        print(f"    learned a, sorted: {learned}   (true {', '.join(f'{m:g}' for m in memory)})", flush=True)


def of_straight(worlds: int, only: str) -> None:
    """Print FastICA's table: linear or not, Gaussian or not."""
    for d in (2, 3):
        for noise in ("laplace", "bimodal", "gaussian"):
            for layers in (1, 3):
                scores = []
                for seed in range(2 * worlds):
                    data = sources(n_latents=d, segments=1, per_segment=4000, modulate="variance", noise=noise,
                                   scale_range=(1.0, 1.0), layers=layers, seed=seed)  # fmt: skip
                    x, z = data.x_float().astype(float), np.asarray(data.z, float)
                    with warnings.catch_warnings():  # on Gaussian factors it does not converge, which is the point
                        warnings.simplefilter("ignore", ConvergenceWarning)
                        ica = FastICA(whiten="unit-variance", random_state=0, max_iter=1000)
                        codes = np.asarray(ica.fit(x[::2]).transform(x[1::2]))
                    scores.append(metrics.mcc(z[1::2], codes).value)
                what = f"FastICA, {d}-D, {noise}, {'linear f' if layers == 1 else f'{layers} layers'}"
                bar = "1.00" if layers == 1 and noise != "gaussian" else "below .95"
                print(
                    f"{what:44s} {bar:24s} MCC {np.mean(scores):.3f} +- {np.std(scores):.3f}, {len(scores)} data seeds",
                    flush=True,
                )


# what is trained, the bar, the world beside the talk's, and the prior (None: u is seen)
MIXTURE: list[tuple[str, str, dict[str, Any], Any]] = [
    ("talk's world, u seen (iVAE)", "about .94", {}, None),
    ("talk's world, VAE", "", {}, StandardPrior()),
    ("talk's world, mixture K = 5", "no better than a VAE", {}, MixturePrior(components=5)),
    ("talk's world, mixture K = 10", "no better than a VAE", {}, MixturePrior(components=10)),
    ("four times the rows, mixture K = 5", "a curve", {"per_segment": 4000}, MixturePrior(components=5)),
    ("clusters twice as far, u seen (iVAE)", "a curve", {"strength": 2.0}, None),
    ("clusters twice as far, mixture K = 5", "a curve", {"strength": 2.0}, MixturePrior(components=5)),
    ("control: one component, VAE", "", {"segments": 1, "per_segment": 5000}, StandardPrior()),
    ("control: one component, mixture K = 5", "below the VAE", {"segments": 1, "per_segment": 5000},
     MixturePrior(components=5)),
]  # fmt: skip


def of_mixture(worlds: int, only: str) -> None:
    """Print what a mixture finds if u is not observed: on the talk's world, with more rows, and further apart."""
    for what, bar, world, prior in MIXTURE:
        if only not in what:
            continue
        found = []
        for seed in (45, *range(worlds - 1)):
            data = dataclasses.replace(recipes.TALK_DATA, seed=seed, **world)
            config = recipes.for_dataset(
                data, dataset_of(data), "ivae" if prior is None else "vae", prior=prior, members=MEMBERS,
                posterior="gauss-newton", epochs=25, batch=128, lr=1.5e-2, net=MlpNet(hidden=20),
                likelihood=GaussianLikelihood(),
            )  # fmt: skip
            found.append(scored(config))
        row(what, bar, found)
        best = [each["mcc"][int(np.argmax(each["elbo"]))] for each in found]
        print(f"    best by bound: {', '.join(f'{value:.3f}' for value in best)}", flush=True)


def kept(logs: list[str]) -> None:
    """Write the mixture's rows of printed tables to dvae_core/examples/without_u.json, which the bend page draws."""
    text = "\n".join(Path(log).read_text(encoding="utf-8") for log in logs)
    found = []
    for what, _, world, prior in MIXTURE:
        numbers = re.search(re.escape(what) + r" .*MCC ([.\d]+) \(([.\d]+) to ([.\d]+)\).* (\d+) data seeds", text)
        if numbers is None:
            print(f"not in the logs: {what}")
            continue
        data = dataclasses.replace(recipes.TALK_DATA, **world)
        mcc, low, high = (float(v) for v in numbers.groups()[:3])
        found.append({
            "model": {"mixture": f"mixture K = {getattr(prior, 'components', 0)}", "standard": "VAE"}[prior.kind]
            if prior else "u seen",
            "rows": data.segments * data.per_segment, "separation": data.strength if data.segments > 1 else 0,
            "mcc": mcc, "low": low, "high": high, "data_seeds": int(numbers[4]),
        })  # fmt: skip
    path = runs.examples_folder() / "without_u.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"mixture": found}) + "\n", "utf-8")
    print(f"{path}: {len(found)} conditions")


def of_recording(worlds: int, only: str) -> None:
    """Print whether seeds agree on axes of a recording, trained over time and over shuffled time."""
    path = DATA / "s1-reach" / "s1_data.mat"
    if not path.exists():
        print(f"{path} is not there; skipped.")
        return
    data = FileData(path=str(path), x=("spikes",), u=("vel",), rate_hz=20.0)
    dataset = dataset_of(data)
    for what, prior in (("s1-reach, time", TimePrior()), ("s1-reach, control: time shuffled", TimePrior(shuffle=True))):
        if only not in what:
            continue
        config = recipes.for_dataset(
            data, dataset, "vae", prior=prior, members=3, latents=3, window=(5, 4), dropout=0.3, start="random",
            posterior="full", net=MlpNet(), preprocess="standardise", batch=128, epochs=4, lr=5e-3, optimiser="adam",
        )  # fmt: skip
        latents, good, seconds = trained(config)
        codes = [latents["mu_z"][m].astype(float) for m in good]
        pairs = list(itertools.permutations(codes, 2))
        own = [metrics.mcc(a, b).value for a, b in pairs]
        linear = [metrics.r2_affine(a, b).value for a, b in pairs]
        half = len(latents["u"]) // 2
        reads = [
            float(np.mean([r2_score(latents["u"][half:, k], LinearRegression().fit(code[:half], latents["u"][:half, k])
                                    .predict(code[half:])) for k in range(2)])) for code in codes
        ]  # fmt: skip
        print(
            f"{what:44s} {'same axes: above .95':24s} MCC between seeds {np.mean(own):.3f} ({min(own):.3f} to "
            f"{max(own):.3f}; a random rotation {metrics.rotation_mcc(3):.3f}), linear R2 between seeds "
            f"{np.mean(linear):.3f}, velocity linearly read {np.mean(reads):.3f}, bound "
            f"{latents['elbo'][good].mean():.3f}, {seconds:.0f} CPU s",
            flush=True,
        )
        print(f"    learned a: {np.sort(latents['memory'][good], 1)[:, ::-1].round(2).tolist()}", flush=True)


PARTS = {"time": of_time, "straight": of_straight, "mixture": of_mixture, "recording": of_recording}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--only", default="", metavar="TEXT", help="only the conditions whose name contains this")
    parser.add_argument("--worlds", type=int, default=5, help="data seeds")
    parser.add_argument("--keep", nargs="+", metavar="LOG", help="only write the mixture's rows of what was printed")
    options = parser.parse_args()
    if options.keep:
        kept(options.keep)
        return
    for part in options.parts or PARTS:
        print(f"== {part}", flush=True)
        PARTS[part](options.worlds, options.only)


if __name__ == "__main__":
    main()
