"""Even worse: any factorial prior can be mapped to a Gaussian component by component, rotated there, and mapped back.

    g = F^-1 . Phi . R . Phi^-1 . F

g(z) has the density of z, so its components are independent, yet each of them depends on all of z (if R has no zeros).
The generator f(g^-1(.)) explains the data as well as f. So no continuous factorial prior p(z) can determine the axes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from dvae_core.identify.darmois import Darmois, darmois
from dvae_core.identify.independence import Independence, Ks, hsic, ks_test
from dvae_core.identify.marginals import (
    LABELS,
    MARGINALS,
    Marginal,
    empirical,
    empirical_marginals,
    marginal,
)
from dvae_core.identify.matrices import require_orthogonal, rotation_matrix
from dvae_core.metrics import Score, mcc

__all__ = [
    "LABELS",
    "MARGINALS",
    "Carried",
    "Darmois",
    "Marginal",
    "Mean",
    "Verdict",
    "by_angle",
    "carry",
    "darmois",
    "empirical",
    "empirical_marginals",
    "judge",
    "log_density",
    "marginal",
    "sample",
]


class Mean(NamedTuple):
    """A sample mean and its standard error."""

    value: float
    error: float


@dataclass(frozen=True, eq=False)
class Carried:
    """Points z at the five stages of g, with the same rows throughout, and their densities.

    Attributes:
        z: The initial points, n by d.
        uniform: F(z), in (0, 1).
        gaussian: Phi^-1(F(z)).
        rotated: R applied to that.
        back: g(z) = F^-1(Phi(rotated)).
        log_p: log p(z) of each point, in nats.
        log_p_back: log p(g(z)).
        log_det: log |det J_g(z)|, in closed form.
    """

    z: np.ndarray
    uniform: np.ndarray
    gaussian: np.ndarray
    rotated: np.ndarray
    back: np.ndarray
    log_p: np.ndarray
    log_p_back: np.ndarray
    log_det: np.ndarray

    @property
    def identity_error(self) -> float:
        """Largest |log p(z) - log p(g(z)) - log |det J_g(z)|| over the points, nats."""
        return float(np.abs(self.log_p - self.log_p_back - self.log_det).max())


def sample(marginals: Sequence[str | Marginal], n: int, seed: int = 0) -> Float[np.ndarray, "n d"]:
    """Draw n points of the factorial prior with these marginals.

    Raises:
        ValueError: If a name is unknown, or there are no marginals or no points.
    """
    if not marginals or n < 1:
        raise ValueError(f"A sample needs at least one marginal and one point; got {len(marginals)} and {n}.")
    rng = np.random.default_rng(seed)
    return np.stack([m.sample(n, rng) for m in _resolve(marginals, len(marginals))], 1)


def log_density(z: Float[np.ndarray, "n d"], marginals: Sequence[str | Marginal]) -> Float[np.ndarray, " n"]:
    """Log p(z) = sum_i log p_i(z_i), nats."""
    columns = zip(_resolve(marginals, z.shape[1]), z.T, strict=True)
    return np.sum([m.log_pdf(column) for m, column in columns], axis=0)


def carry(z: Float[np.ndarray, "n d"], R: Float[np.ndarray, "r c"], marginals: Sequence[str | Marginal]) -> Carried:
    """Apply g = F^-1 . Phi . R . Phi^-1 . F to z and keep every stage.

    With a = Phi^-1(F(z)) and b = R a, the Jacobian is diag(phi(b) / p(g(z))) R diag(p(z) / phi(a)), so

        log |det J_g(z)| = sum_i log p_i(z_i) - log phi(a_i) + log phi(b_i) - log p_i(g(z)_i)

    and since |b| = |a|, log p(z) = log p(g(z)) + log |det J_g(z)|: the density is preserved (the tests also compare
    log_det with finite differences of g). Pointwise p(z) = p(g(z)) holds only for Gaussian and uniform marginals. For
    others the mean log p is equal, within sampling error.

    Args:
        z: Points inside the marginals' supports.
        R: Orthogonal; det may be -1.
        marginals: One per column, by name (see MARGINALS) or made by `empirical`.

    Raises:
        ValueError: If there is only one column, R is not orthogonal, counts differ, or z lies outside a support.
    """
    d = z.shape[1]
    if d < 2:
        raise ValueError("A rotation needs at least two latents; z has one column.")
    if R.shape != (d, d):
        raise ValueError(f"R must be {d} x {d} for {d} latents; got {R.shape[0]} x {R.shape[-1]}.")
    require_orthogonal(R)
    if not np.isfinite(z).all():
        raise ValueError("z must be finite numbers; it has NaN or infinity.")
    resolved = _resolve(marginals, d)
    gaussian = np.stack([m.score(column) for m, column in zip(resolved, z.T, strict=True)], 1)
    rotated = gaussian @ R.T
    back = np.stack([m.unscore(column) for m, column in zip(resolved, rotated.T, strict=True)], 1)
    log_p, log_p_back = log_density(z, resolved), log_density(back, resolved)
    log_phi_ratio = 0.5 * (gaussian**2 - rotated**2).sum(1)  # sum_i log phi(b_i) - log phi(a_i)
    return Carried(
        z=z,
        uniform=np.stack([m.cdf(column) for m, column in zip(resolved, z.T, strict=True)], 1),
        gaussian=gaussian,
        rotated=rotated,
        back=back,
        log_p=log_p,
        log_p_back=log_p_back,
        log_det=log_p - log_p_back + log_phi_ratio,
    )


def by_angle(
    z: Float[np.ndarray, "n 2"], marginals: Sequence[str | Marginal], angles: Sequence[float | int]
) -> tuple[Float[np.ndarray, "k n 2"], Float[np.ndarray, "k n 2"], list[float]]:
    """Carry two latents through g at every angle.

    Args:
        z: Points inside the marginals' supports.
        marginals: See `carry`.
        angles: Of R, in degrees.

    Returns:
        The Gaussians after the turn, g(z), and the MCC of z and g(z), each with one entry for every angle.
    """
    found = [carry(z, rotation_matrix(2, angle), marginals) for angle in angles]
    turned, back = np.stack([each.rotated for each in found]), np.stack([each.back for each in found])
    return turned, back, [mcc(z, points).value for points in back]


@dataclass(frozen=True, eq=False)
class Verdict:
    """The tests that an observer of the latents could make (they find nothing), and the change that they miss.

    Attributes:
        ks: Test of each component of g(z) against its marginal. For an empirical marginal, F is the smoothed one.
        independence: Test of the components of g(z).
        independence_before: The same test of z, on the same rows.
        mcc: MCC between z and g(z), which is 1 if g only relabels, flips and scales.
        mean_log_p: Mean log p(z) and its standard error, nats.
        mean_log_p_back: Mean log p(g(z)).
        identity_error: See `Carried`.
    """

    ks: list[Ks]
    independence: Independence
    independence_before: Independence
    mcc: Score
    mean_log_p: Mean
    mean_log_p_back: Mean
    identity_error: float


def judge(carried: Carried, marginals: Sequence[str | Marginal], *, seed: int = 0, rows: int = 1000) -> Verdict:
    """Test whether g(z) has the marginals and the independence of z, and measure how much it mixes the components.

    The p-values are uniform if z was drawn from this prior: each is below 0.05 once in 20 draws. If z is a run's own
    latents, which are not drawn from the prior, the p-values also reflect how well those fit it.

    Args:
        carried: The result of `carry`.
        marginals: The marginals that were passed to `carry`.
        seed: Seed for the permutations.
        rows: Number of rows used in the test of independence.

    Raises:
        ValueError: If there are fewer than 8 points.
    """
    d = carried.z.shape[1]
    columns = zip(_resolve(marginals, d), carried.back.T, strict=True)
    return Verdict(
        ks=[ks_test(m.cdf(column)) for m, column in columns],
        independence=hsic(carried.back, seed=seed, rows=rows),
        independence_before=hsic(carried.z, seed=seed, rows=rows),
        mcc=mcc(carried.z, carried.back),
        mean_log_p=_mean(carried.log_p),
        mean_log_p_back=_mean(carried.log_p_back),
        identity_error=carried.identity_error,
    )


def _mean(values: np.ndarray) -> Mean:
    return Mean(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))


def _resolve(marginals: Sequence[str | Marginal], d: int) -> list[Marginal]:
    if len(marginals) != d:
        raise ValueError(f"One marginal per latent is needed: {d} latents, {len(marginals)} marginals.")
    return [marginal(m) if isinstance(m, str) else m for m in marginals]
