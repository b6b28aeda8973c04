"""Does every seed find the same latents of a recording, up to which map, and what can be decoded from them?"""

import dataclasses
import itertools
import tempfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass
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
from dvae_core.config import GaussianPrior, NegativeBinomialLikelihood, PoissonLikelihood
from dvae_core.data.dataset import Dataset
from dvae_core.data.split import Split, split
from dvae_core.metrics.agreement import REACHED
from dvae_core.metrics.canonical import RULES, Axes, Consensus, canonical_axes, consensus, given_u, linear_r2
from dvae_core.metrics.memory import autocorrelation_time, mean_error, resampled_rows
from dvae_core.model.vae import Vae
from dvae_core.runs import Run, RunError
from dvae_core.runs.data import data_of
from dvae_core.training.checkpoint import load_vae
from dvae_core.training.record import windowed
from dvae_core.training.train import train

AGREEMENT_ROWS = 3000  # held-out, at most, evenly spaced
FITTED_ROWS = 10_000  # training rows behind each predictor, at most, evenly spaced
CHEAP_SECONDS = 300.0  # of training: for a run that took no longer, the control is trained automatically
CONTROL_MEMBERS = 4
JACOBIAN_ROWS = 300
DRAWS = 400  # of the bootstrap of tuning strengths
MANY_ROWS, MANY_NEIGHBOURS, NEIGHBOURS = 5000, 50, 15  # for decoding by neighbours: more of them if rows are many


@dataclass(frozen=True, eq=False)
class Seeds:
    """The seeds of a run that count, and e(x) of each at the training rows and the held-out rows.

    Attributes:
        good: Their members.
        vae: All members of the run.
        dataset: The run's data.
        parts: Its split.
        stretch: The stretch of each row, if the encoder has a window.
        e_train: e(x) at the training rows.
        e_test: e(x) at the held-out rows.
        near: The held-out rows behind the agreement.
        e_near: e(x) there.
        alive: Latents that are not dead.
    """

    good: list[int]
    vae: Vae
    dataset: Dataset
    parts: Split
    stretch: Shaped[np.ndarray, " rows"] | None
    e_train: Float[np.ndarray, "p n d"]
    e_test: Float[np.ndarray, "p m d"]
    near: Shaped[np.ndarray, " k"]
    e_near: Float[np.ndarray, "p k d"]
    alive: Shaped[np.ndarray, "p d"]

    def u_at(self, rows: Shaped[np.ndarray, " k"]) -> np.ndarray:
        """Return u at some rows."""
        assert self.dataset.u is not None
        return self.dataset.u[rows]

    def axes(self, e: Float[np.ndarray, "n d"], rule: str) -> Axes:
        """Return the axes by a rule, from e(x) at the training rows."""
        at = None if self.stretch is None else self.stretch[self.parts.train]
        return canonical_axes(e, rule, u=self.u_at(self.parts.train), stretch=at)


def recording(run: Run, *, rule: str = "auto", control: str = "auto", counts: bool = False) -> Computation:
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
        counts: Whether to train a population with a negative binomial likelihood, to compare its bound with Poisson's.

    Yields:
        The fraction done.

    Raises:
        RunError: If fewer than two seeds can be compared, the latents have seen u, the run has no u, or a setting is
            not one of those above.
    """
    if rule not in ("auto", *RULES) or control not in ("auto", "yes", "no"):
        raise RunError(f"The rule must be auto, {', '.join(RULES)}, and the control auto, yes or no.")
    seeds, config = seeds_of(run), run.config
    is_axes = isinstance(config.prior, GaussianPrior) and config.prior.modulate == "variance"
    chosen = rule if rule != "auto" else "as trained" if is_axes else "u" if config.is_conditional else "slow"
    yield 0.1
    axes, tree = compared(seeds, chosen)
    yield 0.3
    tree["consensus"] = _agreed(run, seeds, axes, chosen)
    yield 0.4
    window = config.model.window
    tree["decoding"] = decoding_of(seeds.dataset, seeds.parts, seeds.e_train, seeds.e_test, window, seeds.stretch)
    yield 0.5
    wanted = control == "yes" or (control == "auto" and run.status().seconds <= CHEAP_SECONDS)
    tree["shuffled_u"] = None
    if config.is_conditional and (wanted or run.analysis("shuffled_u") is not None):
        tree["shuffled_u"] = yield from _control(run, seeds.dataset, seeds.parts, seeds.stretch)
    stored = run.record("recording") or {}
    tree["negative_binomial"] = stored.get("negative_binomial")
    if counts:
        tree["negative_binomial"] = yield from _negative_binomial(run, seeds)
    tree |= _settings_of(run, seeds) | {"goal": "axes" if is_axes else "reading", "rule": chosen}
    tree["notes"] = sorted({a.note for a in axes if a.note}) + _notes(run, seeds.good, tree["shuffled_u"])
    pairs = None if tree["shuffled_u"] is None else tree["shuffled_u"]["same_pairs"]
    tree["verdict"] = verdict_of(tree["linear_r2"], tree["same_pairs"], pairs, latents=config.model.latents)
    tree["statement"] = statement_of(tree)
    record = Recording(**tree).save(run, "recording")
    yield 1.0
    return record


def seeds_of(run: Run) -> Seeds:
    """Return e(x) of every seed that counts.

    Raises:
        RunError: If fewer than two seeds can be compared, the latents have seen u, or the run has no u.
    """
    if encoder_sees_u(run.config):
        raise RunError("This run's encoder sees u, so its seeds agree on u at least; train it with a student.")
    dataset, good = data_of(run), good_members(run)
    if dataset.u is None:
        raise RunError(f"{dataset.name} has no u, and this report is about what u does; use the agreement analysis.")
    if len(good) < 2:
        raise RunError("At least two seeds that neither failed nor are stuck are needed; train more seeds.")
    vae, parts = load_vae(run), split(dataset, run.config.split, gap=run.config.gap)
    e_train, e_test = (encoder_means(vae, dataset, r)[good].astype(float) for r in (parts.train, parts.held_out))
    some, latents = evenly(len(parts.held_out), AGREEMENT_ROWS), run.latents()
    assert latents is not None
    alive = latents["kl_latent"][good] >= metrics.DEAD_NATS
    stretch = stretches_of(vae, dataset)
    return Seeds(
        good, vae, dataset, parts, stretch, e_train, e_test, parts.held_out[some], e_test[:, some], alive
    )  # fmt: skip


def compared(seeds: Seeds, rule: str) -> tuple[list[Axes], dict[str, Any]]:
    """Return each seed's axes by a rule, and how well seeds agree: as trained, linearly, by each rule, within u."""
    u_near, pairs = seeds.u_at(seeds.near), _pairs(len(seeds.good))
    by_rule = {r: [seeds.axes(own, r) for own in seeds.e_train] for r in RULES}
    residual = np.array([own - given_u(own, u_near) for own in seeds.e_near])
    found = agreement_of(seeds.e_near, seeds.alive)
    found["rule_axes_mcc"] = {
        r: _spread([metrics.pair_mcc(*(axes[i].of(seeds.e_near[i]) for i in pair)).value for pair in pairs])
        for r, axes in by_rule.items()
    }
    within = agreement_of(residual, seeds.alive, pairs=False)
    turned = [own @ axes.A.T for own, axes in zip(residual, by_rule[rule], strict=True)]
    within["rule_axes_mcc"] = _spread([metrics.pair_mcc(turned[i], turned[j]).value for i, j in pairs])
    shares = [given_u(own, u_near).var(0) / own.var(0) for own in seeds.e_near]
    return by_rule[rule], {**found, "within_u": within, "u_share": float(np.mean(shares))}


def _agreed(run: Run, seeds: Seeds, axes: list[Axes], rule: str) -> dict[str, float] | None:
    """Write axes.npz with the consensus of the seeds; return how well that of one half agrees with the other's."""
    free = "order" if rule == "as trained" else "rotation"

    def agreed(members: list[int]) -> Consensus:
        """Return the consensus of these members in the rule's axes."""
        both = consensus(seeds.e_train[members], free=free)
        final = seeds.axes(both.of(seeds.e_train[members]), rule)
        return Consensus(final.A @ both.maps, both.b)

    whole = agreed(list(range(len(seeds.good))))
    RecordingAxes(
        rule=rule, member=np.array(seeds.good), A=np.array([a.A for a in axes]), b=np.array([a.b for a in axes]),
        eigenvalue=np.array([a.eigenvalue for a in axes]), low=np.array([a.low for a in axes]),
        high=np.array([a.high for a in axes]), plane=np.array([a.plane for a in axes]), consensus_maps=whole.maps,
        consensus_b=whole.b, index=seeds.parts.held_out, consensus_z=whole.of(seeds.e_test),
        **effects_of(seeds.vae, seeds.good, seeds.e_near, whole),
    ).save(run, "axes")  # fmt: skip
    if len(seeds.good) < 4:
        return None
    one, two = (
        agreed(side).of(seeds.e_near[side])
        for side in (list(range(start, len(seeds.good), 2)) for start in (0, 1))
    )  # fmt: skip
    both_ways = [linear_r2(one, two), linear_r2(two, one)]
    return {"linear_r2": float(np.mean(both_ways)), "axes_mcc": metrics.pair_mcc(one, two).value}


def _settings_of(run: Run, seeds: Seeds) -> dict[str, Any]:
    """Return what the report says about the run itself, and the score of random rotations."""
    config, latents = run.config, run.latents()
    assert latents is not None
    logvar = latents["prior_logvar"][seeds.good].astype(float) if config.is_conditional else None
    return {
        "latents": config.model.latents,
        "seeds": [config.train.seeds[m] for m in seeds.good],
        "rows": len(seeds.near),
        "rotation_floor": metrics.rotation_mcc(config.model.latents),
        "log_var_sd": None if logvar is None else float(logvar.std(1).mean()),
        "share_start": config.model.start == "components",
    }


def _notes(run: Run, good: list[int], shuffled: Mapping[str, Any] | None) -> list[str]:
    """Return sentences about what is missing, and why the agreement may be less than it seems."""
    config, notes = run.config, []
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
    return notes


@torch.no_grad()
def effects_of(
    vae: Vae, members: list[int], e: Float[np.ndarray, "p n d"], axes: Consensus
) -> dict[str, Float[np.ndarray, "..."]]:
    """Return the mean over rows of d f / d z: f the decoder's output, z the axes of the consensus, with an interval.

    With z = M (e - b), d f / d z = M^-T d f / d e. The rows are at most 300 of the given ones. The interval is that of
    the mean over members: members are drawn again, and rows in blocks of three autocorrelation times.

    Returns:
        `effect` [p d d_x], and `effect_low` and `effect_high` [d d_x] unless the rows are too few for an interval.
    """
    some = e[:, evenly(e.shape[1], JACOBIAN_ROWS)]
    z = torch.zeros(vae.p, *some.shape[1:])
    z[members] = torch.from_numpy(some).float()
    of_latents = vae.decoder_with_jacobian(z)[1][members].double().numpy()
    turns = np.linalg.inv(axes.maps).transpose(0, 2, 1)
    found, of_axes = {"effect": turns @ of_latents.mean(1)}, turns[:, None] @ of_latents
    rng, p = np.random.default_rng(0), len(members)
    time = max(autocorrelation_time(own) for own in some)
    rows = resampled_rows(some.shape[1], time, DRAWS, rng)
    if rows is None:
        return found
    seeds = rng.integers(0, p, (DRAWS, p))
    draws = np.array([of_axes[s].mean(0)[r].mean(0) for s, r in zip(seeds, rows, strict=True)])
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    return found | {"effect_low": low, "effect_high": high}


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


def _negative_binomial(run: Run, seeds: Seeds) -> Generator[float, None, dict[str, float]]:
    """Train the same population with a negative binomial likelihood; return what it gains over Poisson, held-out."""
    model = run.config.model
    if not isinstance(model.likelihood, PoissonLikelihood):
        raise RunError("A negative binomial is compared with Poisson, and this run has another likelihood.")
    config = dataclasses.replace(run.config, model=dataclasses.replace(model, likelihood=NegativeBinomialLikelihood()))
    with tempfile.TemporaryDirectory() as scratch:
        other = runs.create(Path(scratch) / "run", config)
        for progress in train(other, seeds.dataset):
            yield 0.9 + 0.09 * progress.step / progress.steps
        good, latents, own = good_members(other), other.latents(), run.latents()
    assert latents is not None
    assert own is not None
    if not good:
        raise RunError("Every seed with a negative binomial failed or is stuck; no comparison can be made.")
    theirs, ours = latents["elbo_rows"][good].mean(0), own["elbo_rows"][seeds.good].mean(0)
    gain = (theirs - ours).astype(float)
    return {"elbo": float(theirs.mean()), "poisson": float(ours.mean()), "gain": float(gain.mean()),
            "error": mean_error(gain)}  # fmt: skip


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
