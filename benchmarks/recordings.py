"""Do a recording's latents come back in every seed, and can they be read? One table, with CEBRA beside it.

For each recording and goal (`train --for`): the report of `analyse RUN recording` with its control, and the CPU seconds
of training a seed. Members start independently, and the held-out rows lie in blocks of time, with gaps of at least the
data's memory beside them. A recording that is not there is skipped.

    python benchmarks/recordings.py [--data FOLDER] [--store FOLDER] [--only NAME] [--goal axes] [--seeds 6]
    python benchmarks/recordings.py --cebra cebra-env/bin/python    # as recordings_cebra.py describes
    python benchmarks/recordings.py --worlds 40   # u moves nothing: how often the verdict is "same axes"
    python benchmarks/recordings.py --counts                        # a negative binomial against Poisson
    python benchmarks/recordings.py --factors                       # synthetic neurons: MCC to the truth

Runs and CEBRA's embeddings are kept in the store, so that the pieces can be made one by one and an interrupted one
repeated; the app opens the runs with DVAE_RUNS=FOLDER. About 6 minutes of one core; CEBRA takes 4 to 8 a seed.

What it does not show: that any latent is a true factor. There are no true factors here. CEBRA has a line for each
learning rate, so that its best can be picked with the scores in hand; its embedding of 3 dimensions lies on a sphere.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import arff, loadmat

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that a script runs from any folder

from dvae_core import recipes, runs
from dvae_core.analysis.recording.compute import (
    AGREEMENT_ROWS,
    agreement_of,
    decoding_of,
    recording,
    seeds_of,
    shuffled,
)
from dvae_core.analysis.recording.record import SAME_AXES, Recording, verdict_of
from dvae_core.axes import evenly
from dvae_core.config import FileData, MlpNet
from dvae_core.data.dataset import Dataset
from dvae_core.data.load import dataset_of
from dvae_core.data.split import Split, split
from dvae_core.metrics import mcc, rotation_mcc
from dvae_core.metrics.canonical import RULES, canonical_axes
from dvae_core.training.train import train

SEEDS = 6
GOALS = ("axes", "reading")
RATES = (3e-4, 1e-3, 3e-3)


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
    kept = {"x": counts[running].astype(np.uint8), "u": place[running]}
    data = _saved(store / "hippocampus.npz", 10.0, **kept)
    # what ships as dvae_core/examples/rat-track.npz, to a tenth of a pixel, with the times between which it ran
    np.savez_compressed(
        store / "rat-track.npz", x=kept["x"], u=kept["u"].round(1).astype(np.float32), time=middle[running]
    )
    return data


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


RECORDINGS: dict[str, Callable[[Path, Path], FileData]] = {
    "hippocampus-linear": hippocampus,
    "s1-reach": s1_reach,
    "eeg-eye-state": eeg,  # chose no setting
}


def report(name: str, goal: str, data: FileData, store: Path, seeds: int) -> tuple[Recording, float]:
    """Return the report of a run and the CPU seconds of a seed; train it if it is not in the store."""
    run = runs.Run(store / f"{name}-{goal}")
    times = run.path / "analysis" / "cpu.json"
    if not times.is_file():
        config = recipes.for_dataset(data, dataset_of(data), goal=goal, members=seeds, split="blocks")
        run = runs.create(run.path, config, title=f"{name}, {goal}")
        began = time.process_time()
        for _ in train(run):
            pass
        run.write_json("analysis/cpu.json", {"seconds": (time.process_time() - began) / seeds})
    if Recording.load(run, "recording") is None:
        for _ in recording(run, control="yes"):
            pass
    found = Recording.load(run, "recording")
    assert found is not None
    return found, json.loads(times.read_text())["seconds"]


def line(name: str, found: dict[str, Any], seconds: float) -> str:
    """Return a row of the table."""
    own, linear, rule = found["own_axes_mcc"], found["linear_r2"], found["rule_axes_mcc"][found["rule"]]
    read = [found["decoding"][reader]["latents"]["mean"] for reader in ("linear", "neighbours")]
    window = [found["decoding"][reader]["window"]["mean"] for reader in ("linear", "neighbours")]
    control = found["shuffled_u"]
    halves = found["consensus"]
    return (
        f"{name:30s} d{found['latents']} {own['mean']:.3f} ({own['min']:.3f}) {found['same_pairs']:4.0%} "
        f"{linear['mean']:.3f} ({linear['min']:.3f}) {rule['mean']:.3f} ({rule['min']:.3f}) "
        + (f"{halves['linear_r2']:.3f}/{halves['axes_mcc']:.3f} " if halves else "    -       ")
        + f"{read[0]:.3f}/{read[1]:.3f} {window[0]:.3f}/{window[1]:.3f} "
        + (f"{control['own_axes_mcc']['mean']:.3f} {control['same_pairs']:4.0%} " if control else "   -     -  ")
        + f"{found['rotation_floor']:.3f} {seconds:6.1f}  {found.get('verdict', '')}"
    )


HEAD = (
    f"{'':30s} {'':2s} {'own axes MCC':13s} {'same':4s} {'linear R2':13s} {'rule axes MCC':13s} {'halves':11s} "
    f"{'u from z':11s} {'u from x':11s} {'shuffled u':10s} {'floor':5s} CPU s"
)


def cebra(
    name: str, data: FileData, store: Path, rate: float, options: argparse.Namespace
) -> tuple[dict[str, Any], float]:
    """Return the same numbers for CEBRA's embeddings, of which each seed is one member."""
    dataset = dataset_of(data)
    u = dataset.u_features()
    assert u is not None
    config = recipes.for_dataset(data, dataset, goal="reading", split="blocks")
    parts = split(dataset, config.split, gap=config.gap)
    out = store / f"{name}-cebra-{options.iterations}-{rate:g}.npz"
    if not out.is_file():
        x = dataset.x_float()
        x = np.sqrt(x) if dataset.is_counts else x
        spread = x[parts.train].std(0)
        x = (x - x[parts.train].mean(0)) / np.where(spread > 0.01, spread, 1.0)
        given = store / f"{name}-cebra-in.npz"
        np.savez(given, x=x.astype(np.float32), u=u, train=parts.train)
        script = Path(__file__).with_name("recordings_cebra.py")
        settings = {"--iterations": options.iterations, "--seeds": options.cebra_seeds, "--rate": rate}
        arguments = [str(word) for pair in settings.items() for word in pair]
        subprocess.run([options.cebra, str(script), str(given), str(out), *arguments], check=True)
    with np.load(out) as found:
        z, seconds = found["z"].astype(float), float(found["seconds"].mean())
    return scored(dataset, parts, z, config.model.window), seconds


def scored(dataset: Dataset, parts: Split, z: np.ndarray, window: tuple[int, int]) -> dict[str, Any]:
    """Return the agreement and decoding of latents [p, n, d] of all rows."""
    from dvae_core.data.windows import stretches

    e_train, e_test = z[:, parts.train], z[:, parts.held_out]
    near = e_test[:, evenly(len(parts.held_out), AGREEMENT_ROWS)]
    alive = np.ones((len(z), z.shape[2]), bool)
    found = agreement_of(near, alive)
    assert dataset.u is not None
    u = dataset.u[parts.train]
    turned = [canonical_axes(own, "u", u=u).of(at) for own, at in zip(e_train, near, strict=True)]
    found |= {"rule": "u", "rule_axes_mcc": {"u": agreement_of(np.array(turned), alive)["own_axes_mcc"]}}
    decoding = decoding_of(dataset, parts, e_train, e_test, window, stretches(dataset, parts))
    more = {"latents": z.shape[2], "consensus": None, "shuffled_u": None, "rotation_floor": rotation_mcc(z.shape[2])}
    return found | {"decoding": decoding} | more


def worlds(count: int, store: Path) -> None:
    """Count the verdicts, with goal axes, on worlds in which u moves nothing: 12 Poisson units follow two signals."""
    verdicts: dict[str, int] = {}
    for seed in range(count):
        rng = np.random.default_rng(seed)
        n = 1500
        walks = [np.convolve(rng.standard_normal(n + 39), np.ones(40) / 40**0.5, "valid") for _ in range(4)]
        x = rng.poisson(np.exp(0.7 * np.array(walks[:2]).T @ rng.standard_normal((2, 12)))).astype(np.uint8)
        path = store / f"world-{seed}.npz"
        np.savez(path, x=x, u=np.array(walks[2:]).T.astype(np.float32))
        data = FileData(path=str(path), x=("x",), u=("u",), rate_hz=10.0)
        dataset = dataset_of(data)
        config = recipes.for_dataset(data, dataset, goal="axes", members=3, net=MlpNet(hidden=16), split="blocks")
        config = dataclasses.replace(config, train=dataclasses.replace(config.train, epochs=60))
        parts = split(dataset, config.split, gap=config.gap)
        found = []
        for used in (dataset, shuffled(dataset, parts)):
            with tempfile.TemporaryDirectory() as scratch:
                run = runs.create(Path(scratch) / "run", config)
                for _ in train(run, used):
                    pass
                latents = run.latents()
            assert latents is not None
            found.append(agreement_of(latents["mu_z"].astype(float), latents["kl_latent"] >= 0.01))
        pairs, control = (f["same_pairs"] for f in found)
        verdict = verdict_of(found[0]["linear_r2"], pairs, control, latents=2)
        verdicts[verdict] = verdicts.get(verdict, 0) + 1
    print(f"u moves nothing, {count} worlds: " + ", ".join(f"{k}: {v}" for k, v in sorted(verdicts.items())))
    print(f"  same axes in {verdicts.get(SAME_AXES, 0) / count:.0%} (bar: at most 5 %)")


def counts(name: str, run: runs.Run) -> None:
    """Print what a negative binomial likelihood gains over Poisson, held-out."""
    for _ in recording(run, control="no", counts=True):
        pass
    found = Recording.load(run, "recording")
    assert found is not None
    of = found.negative_binomial
    assert of is not None
    print(
        f"{name:30s} Poisson {of['poisson']:.3f}, negative binomial {of['elbo']:.3f}: {of['gain']:+.3f} +- "
        f"{of['error']:.3f} nats a row",
        flush=True,
    )


FACTOR_ROWS, FACTOR_UNITS = 6000, 50


def factors(store: Path, seeds: int) -> None:
    """Train on synthetic neurons with three known factors, two of whose means u moves; print MCC to the truth."""
    print(f"{'MCC to the truth, mean (least) over seeds':44s} {'u':13s} {'slow':13s} {'as trained':13s} between seeds")
    for kind, times in (("time constants 25, 8, 3 bins", (25, 8, 3)), ("all 8 bins", (8, 8, 8))):
        rng = np.random.default_rng(0)
        own, u = _walks(rng, times), _walks(rng, (12, 12))
        z = np.column_stack([0.8 * u + 0.6 * own[:, :2], own[:, 2]])
        x = rng.poisson(np.exp(0.6 * z @ rng.standard_normal((3, FACTOR_UNITS)) - 0.5)).astype(np.uint8)
        path = store / f"factors-{times[0]}.npz"
        np.savez(path, x=x, u=u.astype(np.float32))
        data = FileData(path=str(path), x=("x",), u=("u",), rate_hz=20.0)
        dataset = dataset_of(data)
        for goal in GOALS:
            config = recipes.for_dataset(data, dataset, goal=goal, members=seeds, latents=3, split="blocks")
            run = runs.create(store / f"factors-{times[0]}-{goal}", config)
            for _ in train(run):
                pass
            found = seeds_of(run)
            rows, scores = found.parts.held_out, {}
            for rule in RULES:
                turned = [found.axes(e, rule).of(at) for e, at in zip(found.e_train, found.e_test, strict=True)]
                scores[rule] = [mcc(z[rows], own).value for own in turned]
            text = " ".join(f"{np.mean(scores[r]):.3f} ({np.min(scores[r]):.3f})" for r in RULES)
            pairs = agreement_of(found.e_near, found.alive)["own_axes_mcc"]["mean"]
            print(f"{f'{kind}, {goal}':44s} {text} {pairs:.3f}", flush=True)


def _walks(rng: np.random.Generator, times: tuple[int, ...]) -> np.ndarray:
    """Return series of variance 1, each with a time constant in bins."""
    out = np.empty((FACTOR_ROWS, len(times)))
    for k, time_ in enumerate(times):
        keep, noise = np.exp(-1 / time_), rng.standard_normal(FACTOR_ROWS)
        out[0, k] = noise[0]
        for t in range(1, FACTOR_ROWS):
            out[t, k] = keep * out[t - 1, k] + np.sqrt(1 - keep**2) * noise[t]
    return out


def main() -> int:
    """Train what is not there yet, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--data", default=str(Path(__file__).parents[2] / "shared" / "data"))
    parser.add_argument("--store", default=str(Path(tempfile.gettempdir()) / "recordings"))
    parser.add_argument("--only", choices=list(RECORDINGS))
    parser.add_argument("--goal", choices=GOALS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--cebra", metavar="PYTHON", help="the python of an environment that has CEBRA")
    parser.add_argument("--iterations", type=int, default=10_000, help="of CEBRA, whose default this is")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES, help="learning rates of CEBRA")
    parser.add_argument("--cebra-seeds", type=int, default=2)
    parser.add_argument("--worlds", type=int, help="only count verdicts on this many worlds in which u moves nothing")
    parser.add_argument("--counts", action="store_true", help="only compare a negative binomial with Poisson")
    parser.add_argument("--factors", action="store_true", help="only train on synthetic neurons with known factors")
    options = parser.parse_args()
    store = Path(options.store)
    store.mkdir(parents=True, exist_ok=True)
    if options.worlds:
        worlds(options.worlds, store)
        return 0
    if options.factors:
        factors(store, options.seeds)
        return 0
    print(HEAD)
    for name, prepare in RECORDINGS.items():
        folder = Path(options.data) / name
        if options.only not in (None, name):
            continue
        if not folder.is_dir():
            print(f"{name}: not in {options.data}, skipped")
            continue
        data = prepare(folder, store)
        for goal in GOALS:
            if options.goal in (None, goal):
                found, seconds = report(name, goal, data, store, options.seeds)
                print(line(f"{name} {goal}", dataclasses.asdict(found), seconds), flush=True)
                if options.counts and dataset_of(data).is_counts:
                    counts(f"{name} {goal}", runs.Run(store / f"{name}-{goal}"))
        if options.cebra and name != "eeg-eye-state":
            for rate in options.rates:
                found, seconds = cebra(name, data, store, rate, options)
                print(line(f"{name} CEBRA rate {rate:g}", found, seconds), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
