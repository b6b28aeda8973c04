"""Do the latents of other sessions come out in the same order, if they are trained against one prior p(z|u)?

Synthetic truth: three factors whose means and spreads follow 20 values of u in the same way in four sessions, each with
its own Poisson neurons and its own rows. The first session trains the prior, the others their encoder and decoder
against it, from mirrored starts (`train --prior-of`). Beside it: every session with a prior of its own, its latents
matched to the first session's afterwards by what u does to them; the same with u shuffled in the later sessions; and a
later session that does not share p(z|u), whose price of sharing should show it.

    python benchmarks/sessions.py [--sessions 4] [--members 2] [--seed 0 1 2] [--units 40] [--first reading]

The first session is trained in two ways: as a recording for reading, and with the settings of any data that has a u
(the gauss-newton posterior); `--first` picks one. The sessions
that are matched afterwards are trained for reading from mirrored starts, or as the first one with gauss-newton. The
ceiling in the table is computed from the true model: no estimate from a row of x has a greater correlation with the
factors than E[z|x], and none from x and u than E[z|x,u].

Three minutes of one core a seed. What it does not show: recordings have no true factors, and their p(z|u) need not be
shared; there, the price is what can be seen.
"""

import argparse
import dataclasses
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that a script runs from any folder

from dvae_core import recipes, runs
from dvae_core.analysis.agreement.compute import cells_of
from dvae_core.analysis.common import best_member
from dvae_core.analysis.encode import encode, encoder_means
from dvae_core.analysis.session.compute import session
from dvae_core.analysis.session.record import prior_to_share
from dvae_core.config import Config, FileData, MlpNet
from dvae_core.data.load import dataset_of
from dvae_core.metrics import mcc
from dvae_core.metrics.matching import assign
from dvae_core.metrics.score import correlations
from dvae_core.metrics.signature import common_cells, likeness, order_of, signature
from dvae_core.training.checkpoint import load_vae
from dvae_core.training.train import train

VALUES, FACTORS, BLOCKS, ROWS = 20, 3, 150, 30
DRAWS = 800  # of z at each value of u, for the ceiling; 2,000 gave the same within .001
READING, REFINED = FIRST = ("reading", "gauss-newton")
SETTINGS = {"window": (0, 0), "net": MlpNet(hidden=32), "split": "random", "latents": FACTORS}


def world(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return means and standard deviations of the factors at every value of u."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((VALUES, FACTORS)), np.exp(rng.uniform(-1.2, 0.4, (VALUES, FACTORS)))


@dataclasses.dataclass(frozen=True)
class Made:
    """A session: where it lies, its factors, and the greatest correlation that its rows allow."""

    data: FileData
    z: np.ndarray
    ceiling: float
    ceiling_u: float


def written(path: Path, of: tuple[np.ndarray, np.ndarray], seed: int, units: int, *, shuffled: bool = False) -> Made:
    """Write a session; with `shuffled` its u says nothing about the factors."""
    rng = np.random.default_rng(seed)
    u = np.repeat(rng.integers(0, VALUES, BLOCKS), ROWS)
    z = of[0][u] + of[1][u] * rng.standard_normal((len(u), FACTORS))
    weights = rng.standard_normal((FACTORS, units)) / FACTORS**0.5 / z.std(0)[:, None]
    x = rng.poisson(np.exp(log_rates(z, weights))).astype(np.uint8)
    shown = np.repeat(rng.permutation(u[::ROWS]), ROWS) if shuffled else u
    np.savez(path, x=x, u=np.array([f"{k:02d}" for k in range(VALUES)])[shown])
    data = FileData(path=str(path), x=("x",), u=("u",), rate_hz=20.0)
    return Made(data, z, *ceilings(x, u, z, of, weights))


def log_rates(z: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the neurons' log rates."""
    return 0.7 + 0.8 * np.tanh(z @ weights)


def ceilings(
    x: np.ndarray, u: np.ndarray, z: np.ndarray, of: tuple[np.ndarray, np.ndarray], weights: np.ndarray
) -> tuple[float, float]:
    """Return the mean correlation of the factors with their true posterior means E[z|x] and E[z|x,u].

    Both are averages over draws from p(z|u), weighted by p(x|z); E[z|x] takes the draws of every u.
    """
    noise = np.random.default_rng(0).standard_normal((VALUES, DRAWS, FACTORS))
    evidence, means = np.empty((len(x), VALUES)), np.empty((len(x), VALUES, FACTORS))
    for value in range(VALUES):
        draws = of[0][value] + of[1][value] * noise[value]
        rates = log_rates(draws, weights)
        log_p = x @ rates.T - np.exp(rates).sum(1)
        most = log_p.max(1)
        p = np.exp(log_p - most[:, None])
        evidence[:, value] = most + np.log(p.mean(1))
        means[:, value] = p @ draws / p.sum(1, keepdims=True)
    of_u = np.exp(evidence - evidence.max(1, keepdims=True))
    given_x = (of_u[..., None] * means).sum(1) / of_u.sum(1, keepdims=True)
    given_xu = means[np.arange(len(x)), u]
    in_order = tuple(range(FACTORS))
    return aligned(z, given_x, in_order), aligned(z, given_xu, in_order)


def first_session(path: Path, data: FileData, how: str, members: int) -> runs.Run:
    """Train the session whose prior is shared. For reading takes a third of the time, so it gets twice the members."""
    if how == READING:
        config = recipes.for_dataset(data, dataset_of(data), goal="reading", members=2 * members, **SETTINGS)
    else:
        config = recipes.for_dataset(data, dataset_of(data), members=members, epochs=30, **SETTINGS)
    return trained(path, config)


def trained(path: Path, config: Config) -> runs.Run:
    """Train a session."""
    run = runs.create(path, config, title=path.name)
    for _ in train(run):
        pass
    return run


def latents(run: runs.Run) -> np.ndarray:
    """Return e(x), which does not see u, of the member with the best bound, at all rows."""
    data = dataset_of(run.config.data)
    return encoder_means(load_vae(run), data, np.arange(data.n))[best_member(run)].astype(float)


def aligned(z: np.ndarray, found: np.ndarray, order: tuple[int, ...]) -> float:
    """Return the mean |correlation| of the factors with the latents in the first session's order."""
    strength = np.abs(correlations(z, found, "pearson")[0])
    return float(strength[np.arange(FACTORS), list(order)].mean())


def main() -> int:
    """Train the sessions and print a line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--sessions", type=int, default=4)
    parser.add_argument("--members", type=int, default=2)
    parser.add_argument("--seed", type=int, nargs="+", default=[0])
    parser.add_argument("--units", type=int, default=40)
    parser.add_argument("--first", choices=FIRST, nargs="+", default=FIRST, help="how the first session is trained")
    options = parser.parse_args()
    for seed in options.seed:
        with tempfile.TemporaryDirectory() as scratch:
            one_seed(Path(scratch), options, seed)
    return 0


def one_seed(folder: Path, options: argparse.Namespace, seed: int) -> None:
    """Train the sessions of one draw of p(z|u), against the prior of each way to train the first."""
    law, other_law = world(seed), world(seed + 100)
    kinds = [(f"session {k}", law, False) for k in range(2, options.sessions + 1)]
    kinds += [("u shuffled", law, True), ("another p(z|u)", other_law, False)]
    first = written(folder / "first.npz", law, seed + 1, options.units)
    later = {
        name: written(folder / f"{name}.npz", of, seed + k, options.units, shuffled=shuffled)
        for k, (name, of, shuffled) in enumerate(kinds, 2)
    }
    for how in options.first:
        start = time.process_time()
        run = first_session(folder / f"first {how}", first.data, how, options.members)
        found, q = latents(run), encode(load_vae(run), dataset_of(first.data), np.arange(len(first.z)))[0]
        order = tuple(assign(np.abs(correlations(first.z, found, "pearson")[0]))[0].tolist())
        print(
            f"seed {seed}, first session {how}: MCC of e(x) {mcc(first.z, found).value:.3f} (ceiling "
            f"{first.ceiling:.3f}), of what the run shows {mcc(first.z, q[best_member(run)]).value:.3f} "
            f"(ceiling with u {first.ceiling_u:.3f}), order {order}, {time.process_time() - start:.0f} CPU s"
        )
        print(f"{'':16s} aligned ceiling matched afterwards  price            in order (next)  CPU s", flush=True)
        for name, made in later.items():
            own = None
            if how == REFINED and name.startswith("session"):
                own = latents(first_session(folder / f"{name} own", made.data, how, options.members))
            print(f"{name:16s} {row(run, name, made, order, options.members, own)}", flush=True)


def row(
    first: runs.Run, name: str, made: Made, order: tuple[int, ...], members: int, matched: np.ndarray | None
) -> str:
    """Train a later session against the first one's prior, and return its line of the table.

    `matched` are the latents that are matched afterwards; those of the report if None.
    """
    start = time.process_time()
    prior = prior_to_share(first)
    config = recipes.for_session(made.data, dataset_of(made.data), prior, members=members, **SETTINGS)
    run = trained(first.path.parent / f"{name} after {first.path.name}", config)
    spent = time.process_time() - start
    kept = first.path.parent / f"{name} own.npz"  # the report's prior of its own does not depend on the first session
    if kept.exists():
        run.write_npz("analysis/own_prior.npz", dict(np.load(kept)))
    for _ in session(run):
        pass
    report, own = run.record("session"), run.analysis("own_prior")
    assert report is not None
    assert own is not None
    np.savez(kept, **own)
    alone = own["mu_z"] if matched is None else matched
    afterwards = matched_afterwards(first, made.data, alone, order)
    return (
        f"{aligned(made.z, latents(run), order):7.3f} {made.ceiling:7.3f} "
        f"{aligned(made.z, alone, afterwards):7.3f} of {mcc(made.z, alone).value:.3f}    "
        f"{report['price']:+6.3f} +- {report['price_error']:.3f}  "
        f"{'yes' if report['best'] == list(range(FACTORS)) else 'no':3s} {report['in_order']:.2f} "
        f"({report['next']:.2f})  {spent:5.0f}"
    )


def matched_afterwards(first: runs.Run, data: FileData, z: np.ndarray, order: tuple[int, ...]) -> tuple[int, ...]:
    """Return the first session's order carried over by matching what u does to the latents of both."""
    one, two = dataset_of(first.config.data), dataset_of(data)
    assert one.u is not None
    assert two.u is not None
    cells = cells_of(one.u, two.u)
    kept = common_cells(*cells)
    partner = order_of(likeness(signature(latents(first), cells[0], kept), signature(z, cells[1], kept))).best
    return tuple(partner[k] for k in order)


if __name__ == "__main__":
    sys.exit(main())
