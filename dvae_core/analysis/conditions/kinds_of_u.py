"""Which u is enough? Small populations are trained on one world after another and scored.

Every kind of u is tried on several worlds (data seeds: other factors, moved by u in other ways, and another mixing), so
that error bars run over worlds. The seeds are not chosen.

This is not a study (`work.study`): the populations are trained one after the other in this process and then discarded.
Only their records are kept, in analysis/study.json of a folder that is not a run of the store.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core import runs
from dvae_core.analysis.common import Computation, good_members
from dvae_core.analysis.conditions import record
from dvae_core.analysis.conditions.compute import conditions
from dvae_core.analysis.score.compute import score
from dvae_core.config import Config, GaussianPrior, MlpNet, ModelConfig, SourcesData, TrainConfig
from dvae_core.runs.files import write_atomically
from dvae_core.training.train import train

ROWS = 2000  # of each world, however many segments share them
SEGMENTS = (1, 2, 3, 5, 10, 40)
STRENGTHS = (0.1, 0.3, 1.0)
STRENGTH_SEGMENTS = 10
MODES = ("none", "mean", "variance", "both")


def configs(*, members: int = 2, steps: int = 400, worlds: int = record.WORLDS, seed: int = 0) -> dict[str, Config]:
    """Return the Configs by name, "both-10-1-w3" for mode, segments, strength and data seed.

    Each has 2 factors, 2-D x and 2,000 rows. 400 refined steps of a small network reach an MCC of 0.9 where u is
    enough. The world's u moves the same moments as the prior's u; "none" is a plain VAE on the world in which u moves
    both. The data seeds are `seed`, `seed` + 1, ...; all kinds of u of one world come before those of the next.
    """
    cells = [(mode, n, 1.0) for n in SEGMENTS for mode in MODES]
    cells += [(mode, STRENGTH_SEGMENTS, s) for s in STRENGTHS if s != 1 for mode in MODES]
    return {
        f"{mode}-{n}-{s:g}-w{world}": _config(mode, n, s, members, steps, world)
        for world in range(seed, seed + worlds) for mode, n, s in cells
    }  # fmt: skip


def _config(mode: str, segments: int, strength: float, members: int, steps: int, seed: int) -> Config:
    data = SourcesData(
        segments=segments, per_segment=ROWS // segments, layers=3, seed=seed, strength=strength,
        modulate="both" if mode == "none" else mode,  # type: ignore[arg-type]
    )  # fmt: skip
    plain = Config()
    return Config(
        data=data,
        model=ModelConfig(latents=2, net=MlpNet(hidden=16), posterior="gauss-newton"),
        prior=plain.prior if mode == "none" else GaussianPrior(modulate=mode),  # type: ignore[arg-type]
        train=TrainConfig(
            seeds=tuple(range(members)), betas=(1.0,) * members, epochs=max(1, steps * 128 // (ROWS * 4 // 5)),
            batch=128, lr=1e-2, device="cpu",
        ),
    )  # fmt: skip


def train_all(configs: Mapping[str, Config], folder: Path) -> Iterator[float]:
    """Train and score every Config that analysis/study.json in `folder` does not hold yet, adding one record each.

    A record has: name, key (of the Config), mcc, mcc_within_u, elbo [p] (None for failed and stuck members) and u_only.
    For the median of the good members it has the rank (directions of the learned lambda above chance) and the condition
    of L (None unless light 4 is green). For sources it has world (the data seed), segments, strength and modulate
    ("none" for a plain VAE).

    Yields:
        The fraction done. A STOP file in the folder ends the training after the current population.
    """
    path = folder / "analysis" / "study.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    done = {name: known[name] for name, c in configs.items() if name in known and known[name]["key"] == c.key()}
    for name, config in configs.items():
        if name in done:
            continue
        if (folder / "STOP").exists():
            return
        with tempfile.TemporaryDirectory() as scratch:
            run = runs.create(Path(scratch) / "run", config)
            for _ in train(run):
                pass
            done[name] = {"name": name, "key": config.key(), **_record(run)}
        write_atomically(path, json.dumps(done, indent=1))
        yield len(done) / len(configs)
    yield 1.0


def _record(run: runs.Run) -> dict[str, Any]:
    scored, config = score(run), run.config
    good = good_members(run)
    found: dict[str, Any] = {
        k: [getattr(m, v) if m.member in good else None for m in scored.members]
        for k, v in (("mcc", "mcc_pearson"), ("mcc_within_u", "mcc_within_u"), ("elbo", "elbo"))
    }
    found |= {"u_only": scored.floors["u_only"], "condition": None, "rank": None}
    if isinstance(config.data, SourcesData):
        found |= {"world": config.data.seed, "segments": config.data.segments, "strength": config.data.strength}
        found["modulate"] = config.data.modulate if config.is_conditional else "none"
    if config.is_conditional and good:
        directions = sorted((_directions(run, m) for m in good), key=lambda d: (-d[0], d[1]))
        rank, condition = directions[len(directions) // 2]
        found |= {"condition": None if np.isinf(condition) else condition, "rank": rank}
    return found


def _directions(run: runs.Run, m: int) -> tuple[int, float]:
    """Return how many directions of the learned lambda exceed chance, and L's condition number if light 4 is green."""
    for _ in conditions(run, member_index=m):
        pass
    found = record.Conditions.load(run, record.file_name(m))
    assert found is not None
    lights, learned = found.lights(run.config, is_continuous=False)
    effect = found.effect
    if learned is None or effect is None:
        return 0, float("inf")
    n = min(len(learned.singular), len(effect.chance))  # with few values of u there are fewer singular values than n k
    rank = int((learned.singular[:n] > effect.chance[:n]).sum()) if effect.exists else 0
    return rank, learned.condition if lights[3].state == "met" else float("inf")


def kinds_of_u(run: runs.Run, *, worlds: int = record.WORLDS, seed: int = 0) -> Computation:
    """Train small populations on worlds that differ in u; write analysis/study.json.

    See `configs` and `train_all`; existing records are not trained again.
    """
    yield from train_all(configs(worlds=worlds, seed=seed), run.path)
    return {"populations": record.kinds_of_u(run.path)}
