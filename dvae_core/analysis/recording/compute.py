"""Do a recording's latents come back in every seed, up to what, and what can be read from them?"""

import dataclasses
import itertools
import tempfile
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped

from dvae_core import metrics, runs
from dvae_core.analysis.common import Computation, good_members
from dvae_core.analysis.downstream.decode import decode
from dvae_core.analysis.encode import encoder_means, encoder_sees_u, stretches_of
from dvae_core.analysis.recording.record import Recording, RecordingAxes, statement_of, verdict_of
from dvae_core.axes import evenly
from dvae_core.config import GaussianPrior
from dvae_core.data.dataset import Dataset
from dvae_core.data.split import Split, split
from dvae_core.metrics.agreement import REACHED
from dvae_core.metrics.canonical import RULES, Consensus, canonical_axes, consensus, given_u, linear_r2
from dvae_core.model.vae import Vae
from dvae_core.runs import Run, RunError
from dvae_core.runs.data import data_of
from dvae_core.training.checkpoint import load_vae
from dvae_core.training.record import windowed
from dvae_core.training.train import train

AGREEMENT_ROWS = 3000  # held-out, at most, evenly spaced
FITTED_ROWS = 10_000  # training rows behind each predictor, at most, evenly spaced
CHEAP_SECONDS = 300.0  # of training: a run that took no longer gets its control without being asked
CONTROL_MEMBERS = 4
JACOBIAN_ROWS = 300
MANY_ROWS, MANY_NEIGHBOURS, NEIGHBOURS = 5000, 50, 15  # for decoding by neighbours: more of them if rows are many


def recording(run: Run, *, rule: str = "auto", control: str = "auto") -> Computation:
    """Compare the seeds of a recording's run, and decode u; write analysis/recording.json and analysis/axes.npz.

    The latents are the means of e(x), which never saw u. `record.Recording` documents the content. The control is a
    population with the same settings trained on the same rows, each with the u of another row drawn at random. It is
    kept in analysis/shuffled_u.npz.

    Args:
        run: A finished run of at least two seeds.
        rule: The rule of the axes in axes.npz: "u", "slow", "as trained", or "auto": as trained if u changes only the
            variances of the prior, otherwise by u, or by slowness without a u.
        control: Whether to train the population with u shuffled: "yes", "no", or "auto": if the run took less than
            five minutes.

    Yields:
        The fraction done.

    Raises:
        RunError: If fewer than two seeds can be compared, the latents have seen u, the run has no u, or a setting is
            not one of those above.
    """
    config = run.config
    if rule not in ("auto", *RULES) or control not in ("auto", "yes", "no"):
        raise RunError(f"The rule must be auto, {', '.join(RULES)}, and the control auto, yes or no.")
    if encoder_sees_u(config):
        raise RunError("This run's encoder sees u, so its seeds agree on u at least; train it with a student.")
    dataset, good = data_of(run), good_members(run)
    if dataset.u is None:
        raise RunError(f"{dataset.name} has no u, and this report is about what u does; use the agreement analysis.")
    if len(good) < 2:
        raise RunError("At least two seeds that neither failed nor are stuck are needed; train more seeds.")
    prior = config.prior
    is_axes = isinstance(prior, GaussianPrior) and prior.modulate == "variance"
    chosen = rule if rule != "auto" else "as trained" if is_axes else "u" if config.is_conditional else "slow"
    vae, parts = load_vae(run), split(dataset, config.split, gap=config.gap)
    stretch = stretches_of(vae, dataset)
    e_train, e_test = (encoder_means(vae, dataset, r)[good].astype(float) for r in (parts.train, parts.held_out))
    yield 0.1

    near = parts.held_out[evenly(len(parts.held_out), AGREEMENT_ROWS)]
    e_near = e_test[:, evenly(len(parts.held_out), AGREEMENT_ROWS)]
    latents = run.latents()
    assert latents is not None
    alive = latents["kl_latent"][good] >= metrics.DEAD_NATS
    u_train, u_near = dataset.u[parts.train], dataset.u[near]
    at = None if stretch is None else stretch[parts.train]
    by_rule = {r: [canonical_axes(own, r, u=u_train, stretch=at) for own in e_train] for r in RULES}
    residual = np.array([own - given_u(own, u_near) for own in e_near])
    found: dict[str, Any] = agreement_of(e_near, alive)
    within = agreement_of(residual, alive, pairs=False)
    found["rule_axes_mcc"] = {
        r: _spread([metrics.pair_mcc(*(axes[i].of(e_near[i]) for i in pair)).value for pair in _pairs(len(good))])
        for r, axes in by_rule.items()
    }
    axes = by_rule[chosen]
    turned = [own @ found_axes.A.T for own, found_axes in zip(residual, axes, strict=True)]
    within["rule_axes_mcc"] = _spread([metrics.pair_mcc(turned[i], turned[j]).value for i, j in _pairs(len(good))])
    yield 0.3

    free = "order" if chosen == "as trained" else "rotation"

    def agreed(members: list[int]) -> Consensus:
        """Return the consensus of these members in the rule's axes."""
        both = consensus(e_train[members], free=free)
        final = canonical_axes(both.of(e_train[members]), chosen, u=u_train, stretch=at)
        return Consensus(final.A @ both.maps, both.b)

    whole = agreed(list(range(len(good))))
    halves = None
    if len(good) >= 4:
        sides = [list(range(start, len(good), 2)) for start in (0, 1)]
        one, two = (agreed(side).of(e_near[side]) for side in sides)
        both_ways = [linear_r2(one, two), linear_r2(two, one)]
        halves = {"linear_r2": float(np.mean(both_ways)), "axes_mcc": metrics.pair_mcc(one, two).value}
    RecordingAxes(
        rule=chosen, member=np.array(good), A=np.array([a.A for a in axes]), b=np.array([a.b for a in axes]),
        eigenvalue=np.array([a.eigenvalue for a in axes]), low=np.array([a.low for a in axes]),
        high=np.array([a.high for a in axes]), plane=np.array([a.plane for a in axes]), consensus_maps=whole.maps,
        consensus_b=whole.b, index=parts.held_out, consensus_z=whole.of(e_test),
        effect=effects_of(vae, good, e_near, whole),
    ).save(run, "axes")  # fmt: skip
    yield 0.4

    decoding = decoding_of(dataset, parts, e_train, e_test, config.model.window, stretch)
    yield 0.5
    wanted = control == "yes" or (control == "auto" and run.status().seconds <= CHEAP_SECONDS)
    shuffled = None
    if config.is_conditional and (wanted or run.analysis("shuffled_u") is not None):
        shuffled = yield from _control(run, dataset, parts, stretch)
    notes = sorted({a.note for a in axes if a.note})
    if not config.is_conditional:
        notes.append("This model has no prior p(z|u), so nothing that u does can have chosen its axes.")
    elif shuffled is None:
        notes.append(
            "No population with u shuffled was trained (control=yes trains it), so no axes are called the same."
        )
    if config.model.start == "components":
        notes.append(
            "The seeds started in a common subspace, the leading principal components, and may have inherited their "
            "agreement from it; only --start random makes them independent."
        )
    left_out = [config.train.seeds[m] for m in range(config.members) if m not in good]
    if left_out:
        notes.append(f"Failed or stuck, and left out: seeds {', '.join(map(str, left_out))}.")
    logvar = latents["prior_logvar"][good].astype(float) if config.is_conditional else None
    tree: dict[str, Any] = {
        "goal": "axes" if is_axes else "reading",
        "latents": config.model.latents,
        "seeds": [config.train.seeds[m] for m in good],
        "rows": len(near),
        "rotation_floor": metrics.rotation_mcc(config.model.latents),
        "rule": chosen,
        **found,
        "within_u": within,
        "u_share": float(np.mean([given_u(own, u_near).var(0) / own.var(0) for own in e_near])),
        "consensus": halves,
        "decoding": decoding,
        "shuffled_u": shuffled,
        "log_var_sd": None if logvar is None else float(logvar.std(1).mean()),
        "share_start": config.model.start == "components",
        "notes": notes,
    }
    pairs = None if shuffled is None else shuffled["same_pairs"]
    tree["verdict"] = verdict_of(tree["linear_r2"], tree["same_pairs"], pairs, latents=config.model.latents)
    tree["statement"] = statement_of(tree)
    record = Recording(**tree).save(run, "recording")
    yield 1.0
    return record


@torch.no_grad()
def effects_of(
    vae: Vae, members: list[int], e: Float[np.ndarray, "p n d"], axes: Consensus
) -> Float[np.ndarray, "p d d_x"]:
    """Return d f / d z of these members, averaged over rows: f the decoder's output, z the axes of the consensus.

    With z = M (e - b), d f / d z = M^-T d f / d e. The rows are at most 300 of the given ones.
    """
    some = e[:, evenly(e.shape[1], JACOBIAN_ROWS)]
    z = torch.zeros(vae.p, *some.shape[1:])
    z[members] = torch.from_numpy(some).float()
    of_latents = vae.decoder_with_jacobian(z)[1][members].double().mean(1).numpy()
    return np.linalg.inv(axes.maps).transpose(0, 2, 1) @ of_latents


def agreement_of(
    z: Float[np.ndarray, "p n d"], alive: Shaped[np.ndarray, "p d"], *, pairs: bool = True
) -> dict[str, Any]:
    """Return own_axes_mcc and linear_r2 over pairs of members and, if `pairs`, the share that has the same axes."""
    kept = [own[:, a] for own, a in zip(z, alive, strict=True)]
    if not all(own.shape[1] for own in kept):
        raise RunError("A seed has no latent alive; train more seeds, or with fewer latents.")
    ordered = list(itertools.permutations(range(len(z)), 2))
    out: dict[str, Any] = {
        "own_axes_mcc": _spread([metrics.pair_mcc(kept[i], kept[j]).value for i, j in _pairs(len(z))]),
        "linear_r2": _spread([linear_r2(kept[i], kept[j]) for i, j in ordered]),
    }
    if pairs:
        r2 = [metrics.ladder(kept[i], kept[j]).r2["permutation"] for i, j in ordered]
        out["same_pairs"] = float(np.mean([v >= REACHED for v in r2]))
    return out


def decoding_of(
    dataset: Dataset,
    parts: Split,
    e_train: Float[np.ndarray, "p n d"],
    e_test: Float[np.ndarray, "p m d"],
    window: tuple[int, int],
    stretch: np.ndarray | None,
    *,
    baselines: bool = True,
) -> dict[str, Any]:
    """Decode u, held-out, from every member's latents and, if `baselines`, from what the encoder sees."""
    from sklearn.decomposition import PCA

    assert dataset.u is not None
    some = evenly(len(parts.train), FITTED_ROWS)
    rows = parts.train[some]
    of_u = dataset.u if dataset.has_labels else dataset.features_of(dataset.u)
    features: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {
        "latents": [(a[some], b) for a, b in zip(e_train, e_test, strict=True)]
    }
    if baselines:
        seen = [windowed(dataset, r, window, stretch) for r in (rows, parts.held_out)]
        seen = [np.sqrt(s) if dataset.is_counts else s for s in seen]
        pca = PCA(min(e_train.shape[2], seen[0].shape[1]), random_state=0).fit(seen[0])
        features |= {"window": [(seen[0], seen[1])], "pca": [(pca.transform(seen[0]), pca.transform(seen[1]))]}
    k = MANY_NEIGHBOURS if len(rows) >= MANY_ROWS else NEIGHBOURS
    out: dict[str, Any] = {"measure": "accuracy" if dataset.has_labels else "R2", "neighbours_used": k}
    for reader in ("linear", "neighbours"):
        scores = decode(features, of_u[rows], of_u[parts.held_out], reader=reader, neighbours=k)
        out[reader] = {name: _spread(list(score.members)) for name, score in scores.items()}
    return out


def _control(
    run: Run, dataset: Dataset, parts: Split, stretch: np.ndarray | None
) -> Generator[float, None, dict[str, Any]]:
    """Return the agreement and decoding of a population trained with u shuffled; train it unless that was done."""
    stored = run.analysis("shuffled_u")
    if stored is None:
        config = run.config
        seeds = config.train.seeds[:CONTROL_MEMBERS]
        own = {"seeds": seeds, "betas": config.train.betas[: len(seeds)], "lrs": config.train.lrs[: len(seeds)]}
        config = dataclasses.replace(config, train=dataclasses.replace(config.train, **own))
        with tempfile.TemporaryDirectory() as scratch:
            other = runs.create(Path(scratch) / "run", config)
            for progress in train(other, shuffled(dataset, parts)):
                yield 0.5 + 0.4 * progress.step / progress.steps
            good, vae = good_members(other), load_vae(other)
            latents = other.latents()
        assert latents is not None
        stored = {
            "z_train": encoder_means(vae, dataset, parts.train)[good],
            "z_test": encoder_means(vae, dataset, parts.held_out)[good],
            "alive": latents["kl_latent"][good] >= metrics.DEAD_NATS,
        }
        run.write_npz("analysis/shuffled_u.npz", stored)
    yield 0.9
    z_train, z_test = (stored[key].astype(float) for key in ("z_train", "z_test"))
    some = evenly(z_test.shape[1], AGREEMENT_ROWS)
    decoding = decoding_of(dataset, parts, z_train, z_test, run.config.model.window, stretch, baselines=False)
    return {**agreement_of(z_test[:, some], stored["alive"]), "decoding": decoding, "seeds": len(z_test)}


def shuffled(dataset: Dataset, parts: Split) -> Dataset:
    """Return the data with the u of each part's rows permuted at random, so that u says nothing about x."""
    assert dataset.u is not None
    u, rng = np.array(dataset.u), np.random.default_rng(0)
    for rows in (parts.train, parts.held_out):
        u[rows] = u[rng.permutation(rows)]
    return dataclasses.replace(dataset, u=u)


def _pairs(p: int) -> list[tuple[int, int]]:
    return list(itertools.combinations(range(p), 2))


def _spread(values: list[float]) -> Mapping[str, float]:
    return {"mean": float(np.mean(values)), "min": float(np.min(values)), "max": float(np.max(values))}
