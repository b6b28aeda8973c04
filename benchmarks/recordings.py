"""Do seeds agree on real recordings, and does what they found carry u? iVAE and VAE, 8 seeds each, three recordings.

For each recording and model it prints: pairwise MCC over seeds (mean, smallest, largest), the lowest rung of the
indeterminacy ladder that the pairs reach (both branches), the median R^2 of every rung, and how well u is decoded,
held-out, from posterior means of an encoder that does not see u, beside x itself, PCA, FastICA and chance, with 95 %
intervals (blocks of time resampled). Splits are blocks of time. A recording that is not there is skipped.

    python benchmarks/recordings.py [--data FOLDER] [--store FOLDER] [--only NAME] [--seeds 8] [--epochs N]

About 10 minutes of one core (Nov 2026). Runs are kept in the store; the app opens them with DVAE_RUNS=FOLDER.

What it does not show: that any latent is a true factor. There are no true factors here. Agreement over seeds says that
the method chooses the same latents again; decoding says that they carry u. An iVAE is given u in training, through
its prior, so it is built to carry u in its latents: finding u there is no discovery. The VAE is not given u.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.io import arff, loadmat

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that a script runs from any folder

from dvae_core import recipes, runs
from dvae_core.analysis.score.compute import score
from dvae_core.analysis.table import ANALYSES
from dvae_core.config import FileData
from dvae_core.data.load import dataset_of
from dvae_core.metrics.agreement import LINEAR, POINTWISE, RUNGS, lowest
from dvae_core.training.train import train

SEEDS = 8


def s1_reach(folder: Path, store: Path) -> FileData:
    """Monkey somatosensory cortex while reaching: 52 units, spike counts in 50 ms bins; u = hand velocity."""
    return FileData(path=str(folder / "s1_data.mat"), x=("spikes",), u=("vel",), rate_hz=20.0)


def hippocampus(folder: Path, store: Path) -> FileData:
    """Rat CA1 on a linear track: spike counts in 100 ms bins while running; u = position (pixels)."""
    rows = (folder / "trajectory.videoPositionTracking").read_bytes()
    rows = rows[rows.index(b"<End settings>\n") + len(b"<End settings>\n") :]
    camera = np.frombuffer(
        rows[: len(rows) // 12 * 12], np.dtype([("time", "<u4"), ("at", "<u2", 2), ("second", "<u2", 2)])
    )
    clock, at = camera["time"] / 30_000, camera["at"].astype(float)
    units = [times for times in _spike_trains(loadmat(folder / "spikes.mat")["spikes"]) if len(times)]
    begin, end = max(clock[0], min(u.min() for u in units)), min(clock[-1], max(u.max() for u in units))
    edges = np.arange(begin, end, 0.1)
    counts = np.column_stack([np.histogram(times, edges)[0] for times in units])
    middle = (edges[1:] + edges[:-1]) / 2
    place = np.column_stack([np.interp(middle, clock, at[:, c]) for c in (0, 1)])
    smooth = np.column_stack([np.convolve(place[:, c], np.ones(5) / 5, "same") for c in (0, 1)])
    speed = np.linalg.norm(np.gradient(smooth, 0.1, axis=0), axis=1)
    running = (speed > 50) & (counts.sum(1) > 0)  # pixels a second: the rat crosses the track in a few seconds
    return _saved(store / "hippocampus.npz", 10.0, x=counts[running].astype(np.uint8), u=place[running])


def _spike_trains(cell: np.ndarray) -> list[np.ndarray]:
    if cell.dtype.names:
        return [np.asarray(entry["time"], float).ravel() for entry in cell.ravel()]
    return [times for inner in cell.ravel() for times in _spike_trains(inner)] if cell.dtype == object else []


def eeg(folder: Path, store: Path) -> FileData:
    """14 EEG channels at 128 Hz; u = eyes open or closed. Four rows of gross artefacts are dropped."""
    table, _ = arff.loadarff(folder / "eeg_eye_state.arff")
    names = table.dtype.names
    x = np.column_stack([table[name] for name in names[:-1]])
    off = np.abs(x - np.median(x, 0)) / (1.4826 * np.median(np.abs(x - np.median(x, 0)), 0))
    good = (off < 25).all(1)
    closed = table[names[-1]][good].astype(int)
    return _saved(store / "eeg.npz", 128.0, x=x[good], u=closed)


def _saved(path: Path, rate_hz: float, **arrays: np.ndarray) -> FileData:
    np.savez_compressed(path, allow_pickle=False, **arrays)
    return FileData(path=str(path), x=("x",), u=("u",), rate_hz=rate_hz)


RECORDINGS: dict[str, tuple[Callable[[Path, Path], FileData], int]] = {
    "s1-reach": (s1_reach, 4),
    "hippocampus-linear": (hippocampus, 2),
    "eeg-eye-state": (eeg, 4),
}


def trained(name: str, data: FileData, model: str, latents: int, options: argparse.Namespace) -> runs.Run:
    """Return the run of this name in the store, trained now unless it is there already."""
    path = Path(options.store) / f"{name}-{model}"
    if not (path / "analysis" / "score.json").is_file():
        config = recipes.for_dataset(
            data, dataset_of(data), model, latents=latents, members=options.seeds, posterior="full",
            epochs=options.epochs, split="blocks",
        )  # fmt: skip
        run = runs.create(path, config, title=f"{name}, {config.model_name}")
        for _ in train(run):
            pass
        score(run)
    return runs.Run(path)


def report(run: runs.Run) -> None:
    """Print agreement and decoding of one run."""
    found = run.analysis("agreement")
    mean = run.score()["mean"]
    print(
        f"  {run.config.model_name}: held-out ELBO {mean['elbo']:.2f} nats, {mean['active_latents']:.1f} latents alive"
    )
    if found is not None:
        upper, off = np.triu_indices(len(found["mcc"]), 1), ~np.eye(len(found["mcc"]), dtype=bool)
        mcc, r2 = found["mcc"][upper], found["ladder"][off]
        print(f"    pairwise MCC {mcc.mean():.2f} ({mcc.min():.2f} to {mcc.max():.2f})", end="")
        within = found["mcc_within"][upper]
        print(f", within u {within.mean():.2f}" if np.isfinite(within).all() else "")
        rungs = [dict(zip(RUNGS, row, strict=True)) for row in r2]
        for branch, words in ((POINTWISE, "pointwise"), (LINEAR, "linear")):
            share = Counter(lowest(pair, branch) or "none" for pair in rungs)
            print(f"    {words:9s} branch: " + ", ".join(f"{k} {v}/{len(rungs)}" for k, v in share.most_common()))
        middle = np.nanmedian(r2, axis=0)
        print("    median R2: " + ", ".join(f"{rung} {value:.2f}" for rung, value in zip(RUNGS, middle, strict=True)))
    for reader in ("linear", "neighbours"):
        if run.analysis(f"downstream-u-{reader}") is None:
            for _ in ANALYSES["downstream"](run, target="u", reader=reader):
                pass
        read = run.analysis(f"downstream-u-{reader}")
        scores = zip(read["names"], read["value"], read["low"], read["high"], strict=True)
        words = ", ".join(f"{name} {value:.2f} [{low:.2f}, {high:.2f}]" for name, value, low, high in scores)
        print(f"    u ({read['target']}) by {reader}, {read['measure']}: {words}")
        seeds = read["members"][0][np.isfinite(read["members"][0])]
        print(f"      over seeds {seeds.min():.2f} to {seeds.max():.2f}")


def main() -> int:
    """Train what is not there yet, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", default=str(Path(__file__).parents[2] / "shared" / "data"))
    parser.add_argument("--store", default=str(Path(tempfile.gettempdir()) / "recordings"))
    parser.add_argument("--only", choices=list(RECORDINGS))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--epochs", type=int)
    options = parser.parse_args()
    Path(options.store).mkdir(parents=True, exist_ok=True)
    for name, (prepare, latents) in RECORDINGS.items():
        folder = Path(options.data) / name
        if options.only not in (None, name):
            continue
        if not folder.is_dir():
            print(f"{name}: not in {options.data}, skipped")
            continue
        data = prepare(folder, Path(options.store))
        dataset = dataset_of(data)
        print(f"{name}: {dataset.n:,} rows, {dataset.d_x} columns, u = {', '.join(dataset.u_names)}, {latents} latents")
        for model in ("ivae", "vae"):
            report(trained(name, data, model, latents, options))
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
