"""Checks of the theorem's conditions on a run: functions from arrays to lights, each with its number. No torch.

Theorem 1 (Khemakhem et al. 2020) needs (1) additive noise, independent of z, (2) an injective generator, (3) linearly
independent statistics T, and (4) n k + 1 values of u for which L = (lambda(u^1) - lambda(u^0), ...) is invertible.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from dvae_core.axes import evenly, means_by_code
from dvae_core.config import Config, Data, GaussianLikelihood, LearnedPrior, NeuronsData, SourcesData
from dvae_core.data.worlds import sources
from dvae_core.identify.effect import LEVEL, RANK_LEVEL, Effect

State = Literal["met", "unsure", "broken"]

SAME_LATENTS = 0.95  # MCC between two seeds; a random rotation of two latents has .90, theorem 2 in its limit 1
ILL_CONDITIONED = 100.0  # condition of L: u changes one direction a hundredth as much as another
KINKED = ("relu", "leaky")  # activations without a derivative everywhere
FLAT = 1e-3  # ratio of a Jacobian's smallest singular value to its largest
KINKS = "f has kinks, where it has no derivative: theorems 2 and 3 do not apply as stated; theorem 1 does."
FAR, CLOSE = 1.0, 1.0  # pairs: far in z (standard deviations of the latents), close in x (those of the noise)
REPEATS_U = 0.99  # share of a latent's variance that u explains
FEW_POINTS = 30  # per value of u; with fewer, its two moments are imprecise (std known to 13 %)


@dataclass(frozen=True)
class Light:
    """One condition: its state, the number that decides it, and a sentence."""

    name: str
    state: State
    number: str
    why: str


@dataclass(frozen=True)
class TheoremMatrix:
    """L and the numbers that decide whether it is invertible.

    Attributes:
        L: The best-conditioned L found, [n k, n k], a column for each chosen u; None if the rank is too small.
        chosen: Rows of lambda from which it is built, u^0 first.
        singular: Singular values of all differences lambda(u) - lambda(u^0), largest first, in lambda's units.
        rank: Number of singular values that count as non-zero.
        needed: n k.
        condition: Condition number of L; infinite if there is no L.
    """

    L: Float[np.ndarray, "nk nk"] | None
    chosen: tuple[int, ...]
    singular: Float[np.ndarray, " s"]
    rank: int
    needed: int
    condition: float


def theorem_matrix(
    lam: Float[np.ndarray, "m d k"], *, spread: Float[np.ndarray, "d k"] | None = None, floor: float | int = 0.0
) -> TheoremMatrix:
    """L = (lambda(u^1) - lambda(u^0), ..., lambda(u^nk) - lambda(u^0)) of the available values of u.

    Some nk + 1 of them give an invertible L if and only if all m span nk dimensions. In that case, a pivoted QR chooses
    nk of them for each u^0, and the best-conditioned L is kept (the choice is greedy: a better one may exist).

    Args:
        lam: lambda_ij(u), a row for each distinct u.
        spread: Standard deviation of each T_ij over the latents. Rows of L are multiplied by it, so that a singular
            value is a difference of log p(z|u) in nats; None leaves lambda as it is.
        floor: Singular values up to this count as 0, as do those below rounding error.

    Raises:
        ValueError: If lambda is not finite.

    Example:
        >>> theorem_matrix(np.array([[[0.0]], [[1.0]]])).rank
        1
    """
    from scipy.linalg import qr

    if not np.isfinite(lam).all():
        raise ValueError("lambda(u) has values that are not finite: the member diverged; pick another one.")
    m, needed = len(lam), lam.shape[1] * lam.shape[2]
    points = (lam if spread is None else lam * spread).reshape(m, needed).astype(float)
    # Centred points span the same space as their differences from any u^0.
    singular = np.linalg.svd(points - points.mean(0), compute_uv=False) if m else np.zeros(0)
    smallest = max(float(floor), max(points.shape) * np.finfo(float).eps * float(np.abs(points).max(initial=0.0)))
    rank = int((singular > smallest).sum())
    if rank < needed:
        return TheoremMatrix(None, (), singular, rank, needed, float("inf"))
    best: tuple[float, tuple[int, ...], np.ndarray] | None = None
    for first in evenly(m, 40):
        others = np.delete(np.arange(m), first)
        differences = (points[others] - points[first]).T
        _, _, order = qr(differences, pivoting=True)  # type: ignore[misc]
        columns = order[:needed]
        condition = float(np.linalg.cond(differences[:, columns]))
        if best is None or condition < best[0]:
            best = condition, (int(first), *(int(others[c]) for c in columns)), differences[:, columns]
    assert best is not None  # m > needed >= 1: a rank of nk takes nk + 1 points
    return TheoremMatrix(best[2], best[1], singular, rank, needed, best[0])


def statistics_rank(T: Float[np.ndarray, "n d k"]) -> tuple[Float[np.ndarray, "d k"], Int[np.ndarray, " d"]]:
    """Eigenvalues of each latent's centred, scaled Gram matrix of T_i1 .. T_ik (their correlations), and its rank.

    The matrix is centred because a constant would count as a statistic (Z absorbs it). A constant T_ij has no
    correlation, so its row is 0. This is blind to T in regions without latents.
    """
    centred = T - T.mean(0)
    std = centred.std(0)
    varies = std > 1e-9 * np.abs(T).max(0, initial=1e-300)
    scaled = np.where(varies, centred / np.where(varies, std, 1.0), 0.0)
    gram = np.einsum("nij,nik->ijk", scaled, scaled) / len(T)
    values = np.linalg.eigvalsh(gram)[:, ::-1]
    return values, (values > 1e-6).sum(1)


def twins(
    x_hat: Float[np.ndarray, "n d_x"], z: Float[np.ndarray, "n d_z"]
) -> tuple[int, int, float, tuple[int, int] | None]:
    """Count pairs of distant latents with indistinguishable data, which tests global injectivity.

    Args:
        x_hat: f(z) in units of the noise's standard deviation.
        z: Latents.

    Returns:
        The number of far pairs (more than 1 standard deviation of the latents apart), the number of those close in x
        (less than 1 of the noise), the smallest distance in x among far pairs, and the pair that has it.
    """
    scaled = (z - z.mean(0)) / np.maximum(z.std(0), 1e-12)
    far = _distances(scaled) > FAR
    np.fill_diagonal(far, False)
    far &= np.triu(np.ones_like(far))
    if not far.any():
        return 0, 0, float("inf"), None
    apart = np.where(far, _distances(x_hat), np.inf)
    i, j = np.unravel_index(int(apart.argmin()), apart.shape)
    return int(far.sum()), int((apart < CLOSE).sum()), float(apart.min()), (int(i), int(j))


def _distances(a: np.ndarray) -> np.ndarray:
    squares = (a**2).sum(1)
    return np.sqrt(np.maximum(squares[:, None] + squares - 2 * a @ a.T, 0))


def explained_by_u(z: Float[np.ndarray, "n d"], u: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, " d"]:
    """Var(E[z|u]) / Var(z) of each column: 1 for a code that only repeats u, 0 if u changes no mean.

    For labels it is adjusted for their number, so that one label per row explains nothing. For numbers it uses the 15
    nearest neighbours in standardised u without the row itself, so it is a lower bound. It is at least 0, and 0 for a
    constant column.
    """
    total = z.astype(float).var(0)
    alive = total > 1e-12 * np.maximum((z.astype(float) ** 2).mean(0), 1e-300)
    if u.ndim == 1 and u.dtype.kind in "iub":
        _, codes, counts = np.unique(u, return_inverse=True, return_counts=True)
        left = ((z - means_by_code(z, codes)[codes]) ** 2).mean(0)
        factor = (len(z) - 1) / max(len(z) - len(counts), 1)
    else:
        from sklearn.neighbors import NearestNeighbors

        columns = u.reshape(len(z), -1).astype(float)
        columns = (columns - columns.mean(0)) / np.maximum(columns.std(0), 1e-12)
        k = min(15, len(z) - 1)
        near = NearestNeighbors(n_neighbors=k).fit(columns).kneighbors(return_distance=False)
        left, factor = ((z - z[near].mean(1)) ** 2).mean(0) * k / (k + 1), 1.0  # a mean of k has 1/k of the variance
    return np.where(alive, np.clip(1 - factor * left / np.where(alive, total, 1.0), 0, 1), 0.0)


def true_lambda(data: Data, u: Shaped[np.ndarray, " m"]) -> tuple[Float[np.ndarray, "m d k"] | None, str]:
    """True lambda(u) of the generator of the data, or None and the reason if unknown or not an exponential family.

    Args:
        data: Where the data comes from.
        u: Codes of the segments, or numbers.
    """
    if not isinstance(data, SourcesData | NeuronsData):
        return None, "The true factors of this data have no known distribution."
    d, segments, seed = data.n_latents, data.segments, data.seed
    if isinstance(data, NeuronsData):
        noise, modulate = "gaussian", "both"
        mean, scale = sources.moments(u, n_latents=d, segments=segments, seed=seed)
    else:
        noise, modulate = data.noise, data.modulate
        mean, scale = sources.moments(
            u, n_latents=d, segments=segments, seed=seed, modulate=modulate, strength=data.strength,
            continuous_u=data.continuous_u,
        )  # fmt: skip
    if noise == "gaussian":
        first, second = mean / scale**2, -0.5 / scale**2
        parts = {"mean": [first], "variance": [second], "both": [first, second]}[modulate]
        return np.stack(parts, -1), f"Gaussian factors, k = {len(parts)}."
    if noise == "laplace" and modulate == "variance":
        return -np.sqrt(2) / scale[..., None], "Laplace factors about a fixed centre: T = |z|, k = 1."
    if noise == "laplace":
        return None, "The true factors are Laplace with a centre that moves with u: no exponential family."
    return None, f"The true factors' distribution ({noise}) is not an exponential family with a fixed k."


# --- the checklist ---


def noise_light(config: Config, std: float | None) -> Light:
    """Condition 1. `std`: std of the learned noise, in units of preprocessed x, or None if there is none."""
    likelihood, name = config.model.likelihood, "Noise"
    if isinstance(likelihood, GaussianLikelihood):
        if likelihood.noise == "network":
            return Light(name, "unsure", "Σₓ(z)", "The noise's size depends on z: outside the theorem as stated.")
        why = (
            "Met by the model: additive Gaussian noise of constant Σ, independent of z. σ is the model's, in units of "
            "preprocessed x; with as many columns as latents it does not estimate the noise in the data."
        )
        return Light(name, "met", f"σ = {std:.2g}", why)
    family = likelihood.kind.replace("-", " ").capitalize()
    what = f"{family} {'counts' if likelihood.is_count else 'pixels'}"
    return Light(name, "unsure", family, f"{what} are not additive noise: outside the theorem.")


def injective_light(
    d_x: int, d_z: int, singular: Float[np.ndarray, "n s"], pairs: tuple[int, int, float], activation: str
) -> Light:
    """Condition 2. `singular`: singular values of the Jacobian at samples. `pairs`: far, close ones, least distance."""
    name = "Injective generator"
    if d_x < d_z:
        why = "x has fewer dimensions than z: f cannot be injective."
        return Light(name, "broken", f"{d_x} < {d_z}", why)
    flat = float((singular[:, -1] < FLAT * singular[:, 0]).mean())
    far, close, smallest = pairs
    share = close / far if far else 0.0
    number = f"{flat:.1%} flat, {share:.2%} twins"
    where = (
        f"Local and only necessary: the Jacobian's smallest singular value is {np.median(singular[:, -1]):.2g} of the "
        f"noise's σ per σ of a latent (median), below {FLAT:g} of the largest at {flat:.1%} of samples. Global: of "
        f"{far:,} pairs far apart in z, {close:,} are closer in x than the noise (nearest: {smallest:.2g} σ)."
    )
    state: State = "broken" if flat > 0.05 or share > 0.05 else "unsure" if flat > 0 or share > 1e-3 else "met"
    if state == "met" and activation in KINKED:
        state, number = "unsure", f"{activation}: kinks"
        where = f"{KINKS} {where}"
    return Light(name, state, number, where)


def statistics_light(values: Float[np.ndarray, "d k"], rank: Int[np.ndarray, " d"]) -> Light:
    """Condition 3."""
    d, k = values.shape
    name, number = "Independent statistics T", f"rank {rank.min()} of k = {k}"
    if rank.min() < k:
        return Light(name, "broken", number, "For a latent, one T is a linear combination of the others (or constant).")
    smallest = float(values.min())
    why = f"Smallest eigenvalue of the centred Gram matrix, in correlations: {smallest:.2g} (over {d} latents)."
    return Light(name, "unsure" if smallest < 0.01 else "met", number, why)


def variability_light(
    values_of_u: int,
    is_continuous: bool,
    learned: TheoremMatrix,
    effect: Effect | None,
    seeds: Float[np.ndarray, " others"],
) -> Light:
    """Condition 4: met only if L's rank and the effect of u exceed the level of noise, and the seeds agree.

    The learned L alone cannot tell. Where u moves only the means of the factors, a model whose z is a bent image of
    them has variances that move with u, and fits nearly as well. Its seeds then find different latents.

    Args:
        values_of_u: Number of distinct u in the data.
        is_continuous: Whether u is numeric.
        learned: The learned lambda's matrix, scaled to nats.
        effect: The effect of u on the held-out latents, or None if too few rows share a u.
        seeds: MCC of this member's held-out latents with those of every other good seed of the same beta.
    """
    name, needed = "Enough u: L invertible", learned.needed
    seen = "continuous u" if is_continuous else f"{values_of_u} values of u"
    if values_of_u < needed + 1:
        return Light(name, "broken", f"{seen}, {needed + 1} needed", f"L needs n k + 1 = {needed + 1} values of u.")
    if effect is None or effect.values < needed + 1:
        enough = 0 if effect is None else effect.values
        why = f"{seen}, and only {enough} of the {needed + 1} needed have enough held-out rows to test λ."
        return Light(name, "unsure", f"{enough} values testable", why)
    above = int((learned.singular[: len(effect.chance)] > effect.chance).sum())
    number = f"{above} of {needed} directions"
    numbers = (
        f"{seen}, {effect.rows:,} held-out rows. Directions of the learned λ above what u in random order gives: "
        f"{above} of {needed} (smallest: {learned.singular[-1]:.2g}, by chance {effect.chance[-1]:.2g} nats). "
        f"That L is singular: p = {effect.p_singular:.2g}."
    )
    if not np.isnan(effect.second):
        numbers += f" k = 2 over means alone: {effect.second:+.3f} ± {effect.second_error:.3f} nats."
    if not effect.exists:
        return Light(
            name, "broken", f"0 of {needed} directions", f"The effect of u cannot be distinguished from none. {numbers}"
        )
    if effect.is_outside:
        why = f"u moves a moment that this prior leaves alone ({effect.beyond:+.3f} ± {effect.beyond_error:.3f} nats)."
        return Light(name, "unsure", number, f"{why} {numbers}")
    if above < needed or not effect.moves_second or not effect.p_singular < RANK_LEVEL:
        part = _lesser_family(effect)
        state: State = "unsure" if part else "broken"
        why = f"Only the {part} can be seen to move. " if part else "L cannot be distinguished from a singular matrix. "
        return Light(name, state, f"{part} only" if part else number, why + numbers)
    if not len(seeds):
        why = "No other good seed of this run has the same beta, so whether another finds the same latents is unknown."
        return Light(name, "unsure", "no other seed", f"{why} {numbers}")
    if seeds.min() < SAME_LATENTS:
        why = (
            f"The seeds disagree (MCC {seeds.min():.2f} between this one and another). A bent image of the factors can "
            "have variances that move with u where theirs do not."
        )
        return Light(name, "unsure", "the seeds disagree", f"{why} {numbers}")
    agree = f"The seeds agree (MCC {seeds.min():.2f} or more)."
    why = f"{numbers} Condition number of the learned L: {learned.condition:.1f}. {agree}"
    return Light(name, "unsure" if learned.condition > ILL_CONDITIONED else "met", number, why)


def _lesser_family(effect: Effect) -> Literal["means", "variances"] | None:
    """Return the moment that u demonstrably changes in all directions, if both together do not pass the test."""
    if effect.p_means < LEVEL:
        return "means"
    return "variances" if effect.p_variances < LEVEL else None


def without_u(name: str) -> Light:
    """Conditions 3 and 4 for a prior that does not depend on u."""
    return Light(name, "broken", "no u", "The prior is N(0, I): without u there is no λ(u), and nothing to vary.")


OTHER_PRIORS = {  # what is known about priors that the theorems about u do not cover
    "time": "A prior over time fixes axes where the memories of the factors differ, or their innovations are peaked.",
    "mixture": "A mixture of diagonal Gaussians fixes axes in the limit, if f is piecewise affine (Kivva et al. 2022).",
    "custom": "This prior is not part of the library, so nothing is known about it here.",
}


def what_follows(
    config: Config, lights: Sequence[Light], monotonic: Bool[np.ndarray, " d"] | None, effect: Effect | None
) -> str:
    """Describe the size of the effect of u and, if the lights allow a theorem, its consequences for this run.

    No light can tell whether the data came from a model of this family, or whether training found p(x|u). The sentence
    is conditional on both. With an amber light no theorem is named, except in two cases that theorem 1 alone still
    covers: a generator with kinks, and u that changes only means.

    Args:
        config: The run's config.
        lights: The four, in the theorem's order.
        monotonic: Whether T of a k = 1 prior is monotonic.
        effect: The effect of u on the held-out latents.
    """
    other = OTHER_PRIORS.get(config.prior.kind)
    if other is not None:
        return f"The theorems are about priors p(z|u). {other}"
    if not config.is_conditional:
        return "Nothing is promised: a rotation of z explains the data as well (see Rotate)."
    if effect is None:
        size = "How large the effect of u is cannot be measured: too few held-out rows share a value."
    else:
        size = f"u changes log p(z|u) by {effect.gain:.3f} ± {effect.gain_error:.3f} nats a held-out row."
    first, second, third, fourth = lights
    broken = [light.name for light in lights if light.state == "broken"]
    if broken:
        return f"{size} A condition is broken ({broken[0]}), so the theorems promise nothing for this run."
    kinked = config.model.net.activation in KINKED and KINKS in second.why
    means_only = fourth.state == "unsure" and effect is not None and _is_means_only(fourth, effect)
    doubts = [first, third, *([] if kinked else [second]), *([] if means_only else [fourth])]
    unsure = [light.name for light in doubts if light.state == "unsure"]
    if unsure:
        return f"{size} An amber light ({unsure[0]}) leaves it open whether a theorem applies, so none is named."
    k = config.prior.k
    premise = "If the data came from a model of this family, and training had found p(x|u) exactly,"
    if means_only:
        says = "theorem 1 alone would apply, with T = z: the latents are the factors up to an invertible affine map."
    elif k == 1 and monotonic is not None and monotonic.any():
        says = "theorem 1 alone would apply, since T is monotonic: the latents are the factors up to an affine map."
    elif kinked:
        says = "theorem 1 alone would apply: the statistics of the latents are an affine map of those of the factors."
    else:
        number = 2 if k >= 2 else 3
        up_to = "order, sign, scale and offset" if k >= 2 else "order, sign and scale"
        up_to = "order and a map of its own" if isinstance(config.prior, LearnedPrior) else up_to
        says = f"theorem {number} would say: each latent is one factor, up to {up_to}."
    return f"{size} {premise} {says}"


def _is_means_only(light: Light, effect: Effect) -> bool:
    return light.number.startswith("means") and _lesser_family(effect) == "means"


def warnings_before(u: Shaped[np.ndarray, "n ..."] | None, latents: int, k: int) -> list[str]:
    """Return warnings before training about a u that has too few values, or few points for each.

    Args:
        u: Labels `[n]` (integers) or numbers of the data set.
        latents: Those of the model to be trained, n; the theorem's matrix L needs n k + 1 values of u.
        k: Number of statistics of each latent.
    """
    if u is None:
        return []
    is_labels = u.ndim == 1 and u.dtype.kind in "iub"
    counts = np.unique(u, axis=0, return_counts=True)[1]
    needed, warnings = latents * k + 1, []
    if len(counts) < needed:
        most = (len(counts) - 1) // k
        can = f"at most {most} latent{'s' * (most != 1)}" if most else "no latent"
        fewer = f"Choose {most} latent{'s' * (most != 1)}, or data" if most else "Choose data"
        warnings.append(
            f"With {len(counts)} condition{'s' * (len(counts) != 1)} {can} can be identified; {latents} "
            f"latent{'s' * (latents != 1)} need {needed}. {fewer} with more conditions."
        )
    if is_labels and counts.min() < FEW_POINTS:
        few = int((counts < FEW_POINTS).sum())
        warnings.append(
            f"{few} of {len(counts)} values of u have fewer than {FEW_POINTS} points (the rarest {counts.min()}); the "
            "prior can memorise their points. Merge rare values."
        )
    return warnings
