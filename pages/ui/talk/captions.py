"""The caption under each picture of the talk. Captions that contain numbers are computed from the shipped runs."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from dvae_core.analysis.agreement import record as agreement
from dvae_core.analysis.common import best_member, good_members, rivals
from dvae_core.analysis.latents import held_out
from dvae_core.analysis.natural import follows, natural_parameters
from dvae_core.analysis.posterior import record as posteriors
from dvae_core.analysis.posterior.record import Posteriors
from dvae_core.analysis.recording.record import Recording
from dvae_core.analysis.recovery.record import recovery
from dvae_core.analysis.rotation.record import Rotation, file_name
from dvae_core.analysis.score.record import Numbers, Scores
from dvae_core.analysis.tables import rank_test
from dvae_core.figures.style import number
from dvae_core.metrics import DEAD_NATS
from pages.ui import recover_views, rotate_views
from pages.ui.talk import worked
from pages.ui.talk.demos import TRUE_AXES, shipped

COUNTS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight")


def none() -> str:
    """Return no caption: the demo itself explains what to see."""
    return ""


def why() -> str:
    """State the problem."""
    return (
        "Bright: many spikes. Below: the position of the animal, which a model of the spikes alone does not see. Given "
        "x only, find the causes z, and how each x came from them."
    )


def ica() -> str:
    """State where the mutual information is lowest, and how flat it is for Gaussian factors."""
    _, laplace, _ = worked.ica_curve("laplace")
    _, gaussian, _ = worked.ica_curve("gaussian")
    return (
        f"MI: mutual information of the two parts of Wx. It varies by {laplace.max():.2f} nats for Laplace factors, by "
        f"{gaussian.max():.2f} for Gaussian ones."
    )


def integral() -> str:
    """State how far the estimates are from p(x), before and after the turn."""
    _, exact, _, moving = worked.integral_curves()
    off = abs(moving - exact).max(1) / exact.max()
    last = len(worked.COUNTS)
    return (
        f"Largest error, in units of the highest density: {off[0]:.1f} with one draw, {off[last - 1]:.2f} with "
        f"{worked.COUNTS[-1]:,}, at most {off[last:].max():.2f} after a turn."
    )


def bounds() -> str:
    """State the rank correlation of bound and score, the two best, and how many seeds are not drawn."""
    elbo, mcc, seeds = worked.bounds_and_scores()
    stuck = seeds - len(elbo)
    return bound_and_score(elbo, mcc) + (
        f" {stuck} of {seeds} seeds are stuck at a far lower bound and not drawn." if stuck else ""
    )


def bound_and_score(elbo: Any, mcc: Any) -> str:
    """State whether the bound says which model has the better latents.

    Args:
        elbo: Held-out bound of every member.
        mcc: Score of every member.
    """
    rho, p = rank_test(elbo, mcc)
    best, top = int(elbo.argmax()), int(mcc.argmax())
    rank = int((elbo > elbo[top]).sum()) + 1
    relation = (
        "no relation shows" if p > 0.05 else "the two go together" if rho > 0 else "the two go against each other"
    )
    return (
        f"The best bound has an MCC of {mcc[best]:.2f}; the best MCC, {mcc[top]:.2f}, is number {rank} of {len(elbo)} "
        f"by bound. Rank correlation {number(rho)} (p = {p:.2f}): {relation}."
    )


def downstream() -> str:
    """State how far the two accuracies move with the angle."""
    linear, tree = worked.accuracies(shipped("talk-vae"))
    return (
        f"Linear decoder: {linear[0]:.2f} at every angle (moves by {linear.max() - linear.min():.3f}). Decision tree: "
        f"{tree.min():.2f} to {tree.max():.2f}."
    )


def lambdas() -> str:
    """State how well the learned coefficients follow the true ones."""
    true, learned, _ = natural_parameters(shipped("talk-ivae"))
    return (
        "λ(u) of the factors and of the trained prior, after the map that the theorem leaves free. Correlation over u: "
        f"{', '.join(number(r) for r in follows(true, learned))}."
    )


def generate() -> str:
    """Name the model by the beta of the member that is drawn."""
    run = shipped("digits-beta-vae")
    beta = run.config.train.betas[best_member(run)]
    model = "VAE" if beta == 1 else f"beta-VAE (β = {beta:g})"
    return f"Move one latent: the picture follows. This is E[x|z] of a trained {model}, decoded in the browser."


def encode() -> str:
    """State which rows are the data."""
    return "Upper rows: data the model has never seen. Lower rows: the same digits after encoding and decoding."


def beta() -> str:
    """State how much information the latents carry at each beta."""
    run = shipped("digits-beta-vae")
    likelihood, betas = run.config.model.likelihood, run.config.train.betas
    effective = [likelihood.effective_beta(b) for b in betas] if likelihood.kind == "gaussian" else [None]
    start = "One model for each β" + (", all from one start" if len(set(run.config.train.seeds)) == 1 else "")
    return f"{fewer_nats(betas, held_out(run)['kl_latent'], [e for e in effective if e is not None])} {start}."


def fewer_nats(betas: Sequence[float], kl_latent: Any, effective: Sequence[float] = ()) -> str:
    """State what the latents carry at each beta, and how many are silent at the largest.

    Args:
        betas: One per member, ascending.
        kl_latent: Mean KL of each latent [p, d_z], nats per example.
        effective: The effective betas, 2 sigma^2 beta, where the noise is fixed.
    """
    total = ", ".join(f"{kl:.1f}" for kl in kl_latent.sum(1))
    silent = int((kl_latent[-1] < DEAD_NATS).sum())
    at = (
        f"at β = {betas[-1]:g} {COUNTS[silent]} of {COUNTS[kl_latent.shape[1]]} {'is' if silent == 1 else 'are'} silent"
    )
    weighed = f" (2σ²β = {', '.join(f'{e:.2g}' for e in effective)})" if effective else ""
    return (
        f"The latents carry {total} nats at β = {', '.join(f'{b:g}' for b in betas)}{weighed}; {at} (below 0.01 nats)."
    )


def faces() -> str:
    """State which factor each latent follows."""
    run = shipped("faces-beta-vae")
    member = best_member(run)
    found = recovery(run, member)
    if found is None:
        return ""
    seeds = f"One seed of {COUNTS[run.config.members]}." if run.config.members > 1 else ""
    return f"{latents_of_factors(found.names, found.pearson.matrix)} {seeds}".strip()


def latents_of_factors(names: Sequence[str], matrix: Any) -> str:
    """State for each factor whether one latent stands out, several share it, or none encodes it.

    Args:
        names: Names of the factors.
        matrix: Correlations [d_z, d_hat] of factors with latents.
    """
    alone, shared, missing = [], [], []
    for name, row in zip(names, abs(matrix), strict=True):
        first, second = row.argsort()[::-1][:2]
        if row[first] < 0.3:
            missing.append(name)
        elif row[first] >= 0.8 and row[second] < 0.5 * row[first]:
            alone.append(f"{name} (z{first + 1}, {row[first]:.2f})")
        else:
            shared.append(name)
    groups = (("One latent each", alone), ("Shared", shared), ("In none", missing))
    return ". ".join(f"{what}: {', '.join(factors)}" for what, factors in groups if factors) + "."


def seeds() -> str:
    """State the range of the bounds, and how many pairs of seeds agree up to which map."""
    run = shipped("talk-vae")
    latents, good = held_out(run), good_members(run)
    error = latents.get("elbo_error")
    found = agreement.Agreement.load(run, agreement.file_name())
    text = seeds_agree(latents["elbo"][good], found, None if error is None else error[good])
    lost = run.config.members - len(good)
    return text if not lost else f"{text} Left out: {COUNTS[lost]} that {'is' if lost == 1 else 'are'} stuck or failed."


def seeds_agree(elbo: Any, found: agreement.Agreement | None, error: Any = None) -> str:
    """State how far the seeds' bounds differ, and up to which map their latents agree.

    Args:
        elbo: Held-out ELBO of each seed, nats per example.
        found: The agreement of the seeds; None if it is not computed.
        error: Standard error of each ELBO; None in runs of version 0.1.
    """
    each = "" if error is None else f" (each ± {error.max():.1g})"
    bounds = (
        f"Held-out ELBO of the {COUNTS[len(elbo)]} models: {number(elbo.min())} to {number(elbo.max())} nats{each}."
    )
    if found is None:
        return bounds
    linear = found.rungs()["linear"]
    order = linear["identity"] + linear["permutation"]
    return (
        f"{bounds} Of {len(found.pairs())} ordered pairs, {order} agree up to order, sign and scale, "
        f"{linear['orthogonal']} only up to a rotation, {linear['affine'] + linear['none']} not even that."
    )


def turn() -> str:
    """State what to watch while the dial turns."""
    return "Turn the dial. z̃ moves, its circles stay, and every x = f(Mᵀz̃) stays where it was."


def flat() -> str:
    """State how far log p(x) moves with the angle."""
    return _findings("talk-vae")


def bent() -> str:
    """State how far log p(x|u) moves with the angle."""
    return _findings("talk-ivae")


def _findings(name: str) -> str:
    run = shipped(name)
    found = Rotation.load(run, file_name(best_member(run), (0, 1)))
    if found is None:
        return ""
    shown = dataclasses.replace(found, elbo_diagonal=None)  # it has its own slide
    return rotate_views.findings(shown, conditional=run.config.is_conditional)


def loss() -> str:
    """Explain the bars."""
    return "Reconstruction: Σ (x − x̂)² / 2σ² at the mean of q. KL: from q(z|x), moved to the sliders, to N(0, I)."


def widths() -> str:
    """State how much the latents depend on each other given x, and what that costs a diagonal q."""
    run = shipped("talk-vae")
    found = Posteriors.load(run, posteriors.file_name(best_member(run)))
    return "" if found is None else rotate_views.widths_found(found, "x")


def diagonal() -> str:
    """State the source of the preference."""
    return (
        "The bound of a diagonal q bends; the likelihood does not, nor does the bound of a full q. The first favours "
        f"0° and 90°, and here the true axes lie at {TRUE_AXES}°."
    )


def any_prior() -> str:
    """State what happens to the uniform prior."""
    return "A uniform prior, carried to a Gaussian, turned there and carried back: uniform again, and other latents."


def auxiliary() -> str:
    """State the effect of u on the factors."""
    return "Each colour is one value of u. Given u the factors are independent; their means and variances move with u."


def rescue() -> str:
    """State what each panel has seen, and that this world was chosen."""
    ivae, vae = Scores.of(shipped("talk-ivae")), Scores.of(shipped("talk-vae"))
    if ivae is None or vae is None:
        return ""
    means = (ivae.mean.mcc_pearson, ivae.mean.mcc_encoder_only, vae.mean.mcc_pearson)
    close = any(len(rivals(shipped(name))) > 1 for name in ("talk-ivae", "talk-vae"))
    return (
        f"(c), (d): highest of {len(ivae.members)} bounds{', others equal it within error' if close else ''}. "
        f"Mean over seeds: MCC of the iVAE {means[0]:.2f} from x and u, {means[1]:.2f} from x alone"
        f"{given_another_u(ivae.mean)}; of the VAE {means[2]:.2f}. {recover_views.chosen_world()}"
    )


def given_another_u(mean: Numbers) -> str:
    """State how much of a score remains if the posterior is given a wrong u; "" if that was not computed."""
    right, wrong = mean.mcc_pearson, mean.mcc_wrong_u
    if wrong is None or right is None:
        return ""
    verdict = (
        ", so it does not copy u" if right - wrong <= recover_views.U_CARRIES else ", so part of it is copied from u"
    )
    return f", {wrong:.2f} given another row's u{verdict}"


def reference_lines() -> str:
    """Name the reference lines."""
    return "Diamonds need no model. A score below them says nothing."


def close() -> str:
    """State what to do without true factors."""
    return (
        "A recording has no true factors. Compare seeds, check the conditions, and report up to which transformation "
        "the latents are determined."
    )


def place_cells() -> str:
    """State what may be concluded about the shipped recording's latents, each number with its reference."""
    found = Recording.load(shipped("track-ivae"), "recording")
    return "" if found is None else may_be_said(found)


def may_be_said(found: Recording) -> str:
    """State the conclusions that a report allows, in the order in which an audience asks.

    Args:
        found: The report on a recording.
    """
    read, seeds, control = found.decoding["linear"], len(found.seeds), found.shuffled_u
    scores = [read["latents"]["mean"], read["window"]["mean"]]
    shuffled = "" if control is None else f", {control['decoding']['linear']['latents']['mean']:.2f} if u is shuffled"
    return (
        f"**{found.verdict[0].upper()}{found.verdict[1:]}.** Position from z: R² {scores[0]:.2f} (from x "
        f"{scores[1]:.2f}{shuffled}), as asked for. Between {COUNTS[seeds]} seeds: space R² "
        f"{found.linear_r2['mean']:.2f}, axes MCC {found.own_axes_mcc['mean']:.2f} (random rotations "
        f"{found.rotation_floor:.2f})."
    )
