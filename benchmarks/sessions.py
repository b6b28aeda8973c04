"""Do the latents of other sessions come out in the same order, if they are trained against one prior p(z|u)?

Synthetic truth: three factors whose means and spreads follow 20 values of u in the same way in four sessions, each with
its own 40 Poisson neurons and its own rows. The first session trains the prior, the others their encoder and decoder
against it, from mirrored starts (`train --prior-of`). Beside it: every session with a prior of its own, its latents
matched to the first session's afterwards by what u does to them; the same with u shuffled in the later sessions; and a
later session that does not share p(z|u), whose price of sharing should show it.

    python benchmarks/sessions.py [--sessions 4] [--members 4] [--seed 0]

About a minute a session of one core. What it does not show: recordings have no true factors, and their p(z|u) need not
be shared; there, the price is what can be seen.
"""

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that a script runs from any folder

from dvae_core import recipes, runs
from dvae_core.analysis.common import best_member
from dvae_core.analysis.encode import encode
from dvae_core.analysis.session.compute import session
from dvae_core.config import FileData, GaussianPrior, MlpNet
from dvae_core.data.load import dataset_of
from dvae_core.metrics import mcc
from dvae_core.metrics.score import correlations
from dvae_core.training.checkpoint import load_vae
from dvae_core.training.train import train

VALUES, FACTORS, UNITS, BLOCKS, ROWS = 20, 3, 40, 150, 30


def world(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return means and standard deviations of the factors at every value of u."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((VALUES, FACTORS)), np.exp(rng.uniform(-1.2, 0.4, (VALUES, FACTORS)))


def written(path: Path, of: tuple[np.ndarray, np.ndarray], seed: int, *, shuffled: bool = False) -> np.ndarray:
    """Write a session and return its factors; with `shuffled` its u says nothing about them."""
    rng = np.random.default_rng(seed)
    u = np.repeat(rng.integers(0, VALUES, BLOCKS), ROWS)
    z = of[0][u] + of[1][u] * rng.standard_normal((len(u), FACTORS))
    drive = z / z.std(0) @ rng.standard_normal((FACTORS, UNITS)) / FACTORS**0.5
    x = rng.poisson(np.exp(0.7 + 0.8 * np.tanh(drive))).astype(np.uint8)
    shown = np.repeat(rng.permutation(u[::ROWS]), ROWS) if shuffled else u
    np.savez(path, x=x, u=np.array([f"{k:02d}" for k in range(VALUES)])[shown])
    return z


def trained(path: Path, data: FileData, prior: GaussianPrior | None, members: int) -> runs.Run:
    """Train a session for reading, against a prior or with its own."""
    settings = {"window": (0, 0), "net": MlpNet(hidden=32), "epochs": 40, "split": "random", "latents": FACTORS}
    if prior is None:
        config = recipes.for_dataset(data, dataset_of(data), goal="reading", members=members, **settings)
    else:
        config = recipes.for_session(data, dataset_of(data), prior, **{**settings, "members": members})
    run = runs.create(path, config, title=path.name)
    for _ in train(run):
        pass
    return run


def latents(run: runs.Run) -> np.ndarray:
    """Return e(x) of the member with the best bound, at all rows."""
    data = dataset_of(run.config.data)
    return encode(load_vae(run), data, np.arange(data.n))[0][best_member(run)].astype(float)


def aligned(z: np.ndarray, found: np.ndarray, order: tuple[int, ...]) -> float:
    """Return the mean |correlation| of the factors with the latents in the first session's order."""
    strength = np.abs(correlations(z, found, "pearson")[0])
    return float(strength[np.arange(FACTORS), list(order)].mean())


def main() -> int:
    """Train the sessions and print a line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--sessions", type=int, default=4)
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    of, other_world = world(options.seed), world(options.seed + 100)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)

        def made(name: str, law: tuple[np.ndarray, np.ndarray], seed: int, **more: bool) -> tuple[FileData, np.ndarray]:
            z = written(folder / f"{name}.npz", law, options.seed + seed, **more)
            return FileData(path=str(folder / f"{name}.npz"), x=("x",), u=("u",), rate_hz=20.0), z

        data, z = made("first", of, 1)
        first = trained(folder / "run-first", data, None, options.members)
        found = latents(first)
        order = tuple(int(k) for k in np.abs(correlations(z, found, "pearson")[0]).argmax(1))
        print(f"first session: MCC to the truth {mcc(z, found).value:.3f}, order {order}", flush=True)
        prior = dataclasses.replace(
            first.config.prior,
            shared=str(first.path),
            shared_member=best_member(first),  # type: ignore[type-var]
        )
        print(f"{'':24s} {'aligned':7s} {'matched after':13s} {'own MCC':7s} {'price':14s} in order")
        kinds = [(f"session {k}", of, False) for k in range(2, options.sessions + 1)]
        kinds += [("u shuffled", of, True), ("another p(z|u)", other_world, False)]
        for seed, (name, law, shuffled) in enumerate(kinds, 2):
            data, z = made(name.replace(" ", "-"), law, seed, shuffled=shuffled)
            run = trained(folder / f"run-{name}", data, prior, options.members)
            for _ in session(run):
                pass
            report = run.record("session")
            assert report is not None
            own = run.analysis("own_prior")
            assert own is not None
            afterwards = matched_afterwards(first, prior.shared_member, run, own["mu_z"], order)
            print(
                f"{name:24s} {aligned(z, latents(run), order):7.3f} {aligned(z, own['mu_z'], afterwards):13.3f} "
                f"{mcc(z, own['mu_z']).value:7.3f} {report['price']:+6.3f} +- {report['price_error']:.3f} "
                f"{'yes' if report['best'] == list(range(FACTORS)) else 'no':3s} {report['in_order']:.2f} "
                f"(next {report['next']:.2f})",
                flush=True,
            )
    return 0


def matched_afterwards(
    first: runs.Run, member: int, run: runs.Run, z: np.ndarray, order: tuple[int, ...]
) -> tuple[int, ...]:
    """Return the first session's order carried over by matching what u does to the latents of both."""
    from dvae_core.analysis.agreement.compute import cells_of
    from dvae_core.metrics.signature import common_cells, likeness, order_of, signature

    one, two = dataset_of(first.config.data), dataset_of(run.config.data)
    assert one.u is not None
    assert two.u is not None
    cells = cells_of(one.u, two.u)
    kept = common_cells(*cells)
    reference = encode(load_vae(first), one, np.arange(one.n))[0][member]
    partner = order_of(likeness(signature(reference, cells[0], kept), signature(z, cells[1], kept))).best
    return tuple(partner[k] for k in order)


if __name__ == "__main__":
    sys.exit(main())
