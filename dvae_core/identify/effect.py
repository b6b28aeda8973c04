"""The effect of u on latents of held-out rows, by a new fit of lambda with its error. Uses arrays only, no torch.

A learned lambda(u) always differs between values of u. If u has no effect, these differences are pure noise, which is
alike in all directions and so has the best possible condition number. So every number here is reported together with
the value that noise alone would give.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from dvae_core.axes import means_by_code

LEVEL = 0.05  # significance level of every test but the rank test
RANK_LEVEL = 0.1  # level of the rank test, which is rarely wrong if L lacks more than one direction
ONE_SIDED = 1.645  # standard errors that a gain must exceed, at the same level
FEWEST_ROWS = 8  # per value of u, for two moments and their errors
CELL_ROWS = 40  # at least, per cell of continuous u
PERMUTATIONS = 200
FOLDS = 5  # for the gains: lambda is fitted to four fifths of each value's rows and scored on the other fifth
AT_ONCE = 20_000  # values of lambda for which Newton's method solves at once
OUTSIDE = 0.25  # if a wider family adds this share of u's effect, the data count as outside the prior's


# Families for a single latent (each latent has its own): log p(z) = log Q(z) + T(z) lambda - log Z(lambda). Each class
# has `statistics` (T), `natural` (the lambda with E T = mean, and its derivative in the mean), `log_norm` (log Z) and
# `base` (log Q). The last two are up to a constant that the Gaussian ones share.


@dataclass(frozen=True)
class Gaussian:
    """T = (z, z^2): u changes means and variances."""

    k: int = 2

    def statistics(self, z: np.ndarray) -> np.ndarray:
        """Return z and z^2."""
        return np.stack([z, z**2], -1)

    def natural(self, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lambda = (m / v, -1 / (2 v)), v = E z^2 - m^2."""
        m, v = mean[..., 0], np.maximum(mean[..., 1] - mean[..., 0] ** 2, 1e-9)
        lam = np.stack([m / v, -0.5 / v], -1)
        slope = np.stack(
            [np.stack([1 / v + 2 * m**2 / v**2, -m / v**2], -1), np.stack([-m / v**2, 0.5 / v**2], -1)], -2
        )
        return lam, slope

    def log_norm(self, lam: np.ndarray) -> np.ndarray:
        """Return m^2 / (2 v) + log(v) / 2."""
        return -(lam[..., 0] ** 2) / (4 * lam[..., 1]) - 0.5 * np.log(-2 * lam[..., 1])

    def base(self, z: np.ndarray) -> float:
        """Q is flat."""
        return 0.0


@dataclass(frozen=True)
class Means:
    """T = z, with a variance that does not depend on u: the pooled variance within u."""

    variance: Float[np.ndarray, " d"]
    k: int = 1

    def statistics(self, z: np.ndarray) -> np.ndarray:
        """Return z."""
        return z[..., None]

    def natural(self, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lambda = m / v."""
        v = self.variance[:, None]
        return mean / v, np.broadcast_to(1 / v[..., None], (*mean.shape, 1))

    def log_norm(self, lam: np.ndarray) -> np.ndarray:
        """Return m^2 / (2 v)."""
        return 0.5 * lam[..., 0] ** 2 * self.variance

    def base(self, z: np.ndarray) -> np.ndarray:
        """Log N(z; 0, v)."""
        return -0.5 * z**2 / self.variance - 0.5 * np.log(self.variance)


@dataclass(frozen=True)
class Power:
    """T = |z - c|^power about a centre independent of u: a Gaussian's variance (2), or a Laplace's scale (1)."""

    centre: Float[np.ndarray, " d"]
    power: int
    k: int = 1

    def statistics(self, z: np.ndarray) -> np.ndarray:
        """Return |z - c|^power."""
        return (np.abs(z - self.centre) ** self.power)[..., None]

    def natural(self, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lambda = -1 / (power E T), of the density exp(lambda T) / Z."""
        mean = np.maximum(mean, 1e-9)
        return -1 / (self.power * mean), (1 / (self.power * mean**2))[..., None]

    def log_norm(self, lam: np.ndarray) -> np.ndarray:
        """Z is the scale of z: (-lambda)^(-1 / power)."""
        return -np.log(-self.power * lam[..., 0]) / self.power

    def base(self, z: np.ndarray) -> float:
        """Q is flat."""
        return 0.0


@dataclass(frozen=True)
class OnGrid:
    """Any T that is known on a grid, with lambda found by Newton's method.

    Attributes:
        of: T as a function of z.
        nodes: T at the grid's nodes, [g, d, k].
        log_weight: Log of Q's mass at each node, [g, d].
        start: The initial lambda, [d, k].
    """

    of: Callable[[np.ndarray], np.ndarray]
    nodes: Float[np.ndarray, "g d k"]
    log_weight: Float[np.ndarray, "g d"]
    start: Float[np.ndarray, "d k"]

    @property
    def k(self) -> int:
        """Number of statistics per latent."""
        return self.nodes.shape[-1]

    def statistics(self, z: np.ndarray) -> np.ndarray:
        """T(z)."""
        return self.of(z)

    def _moments(self, lam: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return log Z, E T and Cov T."""
        tilted = self.log_weight + np.einsum("gdk,...dk->...gd", self.nodes, lam)
        top = tilted.max(-2, keepdims=True)
        mass = np.exp(tilted - top)
        total = mass.sum(-2, keepdims=True)
        mass = mass / total
        mean = np.einsum("...gd,gdk->...dk", mass, self.nodes)
        second = np.einsum("...gd,gdk,gdl->...dkl", mass, self.nodes, self.nodes)
        return (np.log(total) + top)[..., 0, :], mean, second - mean[..., :, None] * mean[..., None, :]

    def natural(self, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Maximise lambda E T - log Z(lambda), which is concave, by Newton steps that are halved until it increases."""
        lam = np.broadcast_to(self.start, mean.shape).copy()
        ridge = 1e-9 * np.eye(self.k)
        log_z, now, cov = self._moments(lam)
        value = (lam * mean).sum(-1) - log_z
        for _ in range(30):
            step = np.linalg.solve(cov + ridge, (mean - now)[..., None])[..., 0]
            size = np.ones(value.shape)
            for _ in range(12):
                log_z, now, cov = self._moments(lam + size[..., None] * step)
                trial = ((lam + size[..., None] * step) * mean).sum(-1) - log_z
                worse = ~(trial >= value - 1e-12)
                if not worse.any():
                    break
                size = np.where(worse, size / 2, size)
            size = np.where(worse, 0.0, size)
            lam = lam + size[..., None] * step
            value = np.where(worse, value, trial)
            if (np.abs(step) * size[..., None]).max() < 1e-6:
                break
        return lam, np.linalg.inv(self._moments(lam)[2] + ridge)

    def log_norm(self, lam: np.ndarray) -> np.ndarray:
        """Log Z, as a sum over the grid."""
        return self._moments(lam)[0]

    def base(self, z: np.ndarray) -> float:
        """Q is the same for all u."""
        return 0.0


Family = Gaussian | Means | Power | OnGrid


@dataclass(frozen=True)
class Effect:
    """The effect of u on latents that were computed without it.

    Attributes:
        gain: Gain of p(z|u) over one prior for all u, in nats per row. It is cross-fitted: each row is scored by a fit
            to other rows (see FOLDS). Below 0 if u has no effect.
        gain_error: Its standard error.
        second: The gain of k = 2 over means alone (T = z); NaN for other families.
        second_error: Its standard error.
        beyond: The gain of a Gaussian with both moments over a prior that varies one of them; NaN for other families.
        beyond_error: Its standard error.
        singular: Singular values of the fitted lambda's differences in nats, largest first.
        chance: Each singular value under noise alone: the 95 % quantile over permutations of u.
        p_singular: The p value of "L is singular": the probability that sampling error gives a smallest direction at
            least this large (NaN with fewer than nk + 2 values of u, which are too few for a test).
        p_means, p_variances: The same for T = z and for -1 / (2 var) alone, of a family with both; NaN otherwise.
        rows, step, values: Number of rows used; the spacing of these among the held-out rows (time series are thinned
            to one row in two autocorrelation times); number of distinct u with enough rows, or cells of continuous u.
    """

    gain: float
    gain_error: float
    second: float
    second_error: float
    beyond: float
    beyond_error: float
    singular: Float[np.ndarray, " nk"]
    chance: Float[np.ndarray, " nk"]
    p_singular: float
    p_means: float
    p_variances: float
    rows: int
    step: int
    values: int

    @property
    def exists(self) -> bool:
        """Whether the gain exceeds its error."""
        return bool(self.gain > ONE_SIDED * self.gain_error)

    @property
    def moves_second(self) -> bool:
        """Whether k = 2 gains over means alone; True if this does not apply."""
        return bool(np.isnan(self.second) or self.second > ONE_SIDED * self.second_error)

    @property
    def is_outside(self) -> bool:
        """Whether u changes a moment that this prior keeps fixed, by at least a quarter of its effect on the other."""
        return bool(self.beyond > max(ONE_SIDED * self.beyond_error, OUTSIDE * self.gain))


class Fit(NamedTuple):
    """Lambda [m, d, k] for each value of u, and its covariance [m, dk, dk]."""

    lam: np.ndarray
    cov: np.ndarray


def effect_of(
    z: Float[np.ndarray, "n d"],
    u: Shaped[np.ndarray, "n ..."],
    family: Callable[[np.ndarray, np.ndarray], Family],
    *,
    step: int = 1,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Effect | None:
    """Measure the effect of u on latents, and for each number the value that noise alone would give.

    Lambda is fitted to the latents of each value of u by maximum likelihood. *Is L invertible?* is decided by a rank
    test (Cragg & Donald 1997). Its statistic is the smallest weighted sum of squares of (lambda(u) - mean) v over all
    directions v, where each lambda has its own sampling covariance. If L is singular, the statistic is chi-square with
    m - nk degrees of freedom, and smaller if L lacks more than one dimension. The test assumes that rows are
    independent given u (see `step`) and that latents were computed without u: a q(z|x,u) pulls latents towards what the
    prior learned, including its noise. It is blind to whether the latents are the factors, and to posterior noise that
    changes with z (variances then seem to change although only means do).

    Args:
        z: Latents from x alone, in the prior's units.
        u: Labels `[n]` (integers) or numbers `[n, d_u]`. Numbers are cut into cells of equal size, and the slope of the
            latents on u within a cell is removed.
        family: Function from the standardised latents and the codes of u to the prior's family.
        step: The thinning already applied: one row in `step`. It is only recorded.
        permutations: Number of permutations of u for `chance`.
        seed: Seed for the permutations.

    Returns:
        The effect, or None if fewer than two values of u have 8 rows.

    References:
        Cragg & Donald 1997, Inferring the rank of a matrix. Journal of Econometrics 76.
    """
    z, codes = _grouped(np.asarray(z, float), np.asarray(u), 6 * z.shape[1] + 1)
    m = int(codes.max(initial=-1)) + 1
    if m < 2:
        return None
    kind = family(z, codes)
    d = z.shape[1]
    rng = np.random.default_rng(seed)
    T = kind.statistics(z)
    spread = T.std(0)
    fit = _fitted(kind, T, codes, m)
    singular = _singular(fit.lam * spread)
    chance = _by_chance(kind, T, np.bincount(codes, minlength=m), permutations, rng)
    is_gaussian = isinstance(kind, Means) or (isinstance(kind, Power) and kind.power == 2)
    gain, gain_error = _gain(z, codes, kind, Gaussian() if is_gaussian else kind, rng, shared=True)
    second = second_error = beyond = beyond_error = p_means = p_variances = float("nan")
    if is_gaussian:
        beyond, beyond_error = _gain(z, codes, Gaussian(), kind, rng, shared=False)
    if isinstance(kind, Gaussian):
        means_only = Means(_within_variance(z, codes))
        second, second_error = _gain(z, codes, kind, means_only, rng, shared=False)
        p_means = p_singular(_fitted(means_only, means_only.statistics(z), codes, m), np.ones((d, 1)))
        variances = np.arange(d) * 2 + 1
        p_variances = p_singular(Fit(fit.lam[..., 1:], fit.cov[:, variances[:, None], variances]), spread[:, 1:])
    return Effect(
        gain, gain_error, second, second_error, beyond, beyond_error, singular, np.quantile(chance, 1 - LEVEL, axis=0),
        p_singular(fit, spread), p_means, p_variances, len(z), step, m,
    )  # fmt: skip


def _by_chance(
    kind: Family, T: np.ndarray, counts: np.ndarray, permutations: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Return the singular values of L for random permutations of u, whose values have `counts` rows."""
    spread = T.std(0)
    starts = np.r_[0, np.cumsum(counts)[:-1]]
    drawn: list[np.ndarray] = []
    while len(drawn) < permutations:
        some = range(min(permutations - len(drawn), max(1, AT_ONCE // (len(counts) * T.shape[1]))))
        means = np.stack([np.add.reduceat(T[rng.permutation(len(T))], starts) for _ in some])
        drawn += [_singular(lam * spread) for lam in kind.natural(means / counts[:, None, None])[0]]
    return drawn


def p_singular(fit: Fit, spread: Float[np.ndarray, "d k"]) -> float:
    """P value of "the nk columns of lambda's differences are linearly dependent"; NaN with no more than nk values.

    It is asymptotic: it compares the smallest of `effect_of`'s sums of squares with chi-square of m - nk degrees of
    freedom.
    """
    from scipy.optimize import minimize
    from scipy.stats import chi2

    m, nk = len(fit.lam), spread.size
    if m <= nk:
        return float("nan")
    points = (fit.lam * spread).reshape(m, nk)
    cov = fit.cov * spread.reshape(-1, 1) * spread.reshape(-1)
    # In coordinates where the average error is isotropic, the search is well scaled.
    values, axes = np.linalg.eigh(cov.mean(0))
    white = axes / np.sqrt(np.maximum(values, 1e-12 * values.max()))
    points, cov = points @ white, np.einsum("ia,mij,jb->mab", white, cov, white)

    def misfit(v: np.ndarray) -> tuple[float, np.ndarray]:
        along, spread_v = points @ v, cov @ v
        variance = np.maximum(spread_v @ v, 1e-300)
        error = along - (along / variance).sum() / (1 / variance).sum()
        slope = 2 * (error / variance) @ points - 2 * (error**2 / variance**2) @ spread_v
        return float((error**2 / variance).sum()), slope

    rng = np.random.default_rng(0)
    begin = np.vstack([np.linalg.svd(points - points.mean(0))[2], rng.standard_normal((6, nk))])
    least = min(minimize(misfit, v / np.linalg.norm(v), jac=True, method="BFGS").fun for v in begin)
    return float(chi2.sf(least, m - nk))


def gaussian_family(modulate: str) -> Callable[[np.ndarray, np.ndarray], Family]:
    """Return a function of latents and codes that gives a Gaussian prior's family ("mean", "variance" or "both")."""

    def family(z: np.ndarray, codes: np.ndarray) -> Family:
        if modulate == "mean":
            return Means(_within_variance(z, codes))
        return Power(z.mean(0), 2) if modulate == "variance" else Gaussian()

    return family


def laplace_family(z: Float[np.ndarray, "n d"], codes: Int[np.ndarray, " n"]) -> Family:
    """Return the family of a Laplace prior for these latents: scales about a common centre."""
    return Power(np.median(z, axis=0), 1)


def _singular(lam: np.ndarray) -> np.ndarray:
    points = lam.reshape(len(lam), -1)
    out = np.zeros(points.shape[1])
    found = np.linalg.svd(points - points.mean(0), compute_uv=False)
    out[: len(found)] = found
    return out


def _grouped(z: np.ndarray, u: np.ndarray, most_needed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return latents and codes 0..m-1 of the values of u (cells of continuous u) that have enough rows."""
    if u.ndim == 1 and u.dtype.kind in "iub":
        _, codes = np.unique(u, return_inverse=True)
    else:
        columns = u.reshape(len(z), -1).astype(float)
        scale = columns.std(0)
        columns = (columns - columns.mean(0)) / np.where(scale > 0, scale, 1.0)
        codes, z = _cells(columns, most_needed), z.copy()
        for c in range(codes.max() + 1):
            rows = codes == c
            slope = columns[rows] - columns[rows].mean(0)
            z[rows] -= slope @ np.linalg.lstsq(slope, z[rows] - z[rows].mean(0), rcond=None)[0]
    keep = np.bincount(codes)[codes] >= FEWEST_ROWS
    return z[keep], np.unique(codes[keep], return_inverse=True)[1]


def _cells(columns: np.ndarray, wanted: int) -> np.ndarray:
    """Split the rows at the median of their widest column until there are enough cells, or few rows in each."""
    cells = [np.arange(len(columns))]
    while len(cells) < wanted and len(columns) // (2 * len(cells)) >= CELL_ROWS:
        halves = []
        for rows in cells:
            order = rows[np.argsort(columns[rows, np.ptp(columns[rows], axis=0).argmax()], kind="stable")]
            halves += [order[: len(order) // 2], order[len(order) // 2 :]]
        cells = halves
    codes = np.zeros(len(columns), int)
    for c, rows in enumerate(cells):
        codes[rows] = c
    return codes


def _within_variance(z: np.ndarray, codes: np.ndarray) -> np.ndarray:
    return np.maximum(((z - means_by_code(z, codes)[codes]) ** 2).mean(0), 1e-12)


def _fitted(kind: Family, T: np.ndarray, codes: np.ndarray, m: int) -> Fit:
    """Fit lambda to each value of u. Its covariance, joint over latents, follows from that of T by the delta method."""
    d, k = T.shape[1:]
    groups = [T[codes == c] for c in range(m)]
    lam, slope = kind.natural(np.stack([group.mean(0) for group in groups]))
    cov = np.empty((m, d * k, d * k))
    for c, group in enumerate(groups):
        influence = np.einsum("dkl,ndl->ndk", slope[c], group - group.mean(0)).reshape(len(group), -1)
        cov[c] = influence.T @ influence / len(group) / (len(group) - 1)
    return Fit(lam, cov)


def _gain(
    z: np.ndarray, codes: np.ndarray, kind: Family, rival: Family, rng: np.random.Generator, *, shared: bool
) -> tuple[float, float]:
    """Return mean and standard error, over rows, of log p(z|u) minus a rival's, with a fit to the other folds.

    `shared`: whether the rival has one lambda for all u.
    """
    fold = np.empty(len(codes), int)
    for c in range(codes.max() + 1):
        rows = np.flatnonzero(codes == c)
        fold[rows] = (rng.permutation(len(rows)) + rng.integers(FOLDS)) % FOLDS
    found = np.empty(len(z))
    for f in range(FOLDS):
        ours = _log_prob(kind, z, codes, fold, f, shared=False)
        found[fold == f] = ours - _log_prob(rival, z, codes, fold, f, shared=shared)
    return float(found.mean()), float(found.std() / np.sqrt(len(found)))


def _log_prob(kind: Family, z: np.ndarray, codes: np.ndarray, fold: np.ndarray, f: int, *, shared: bool) -> np.ndarray:
    """Return log p(z|u) of fold f, up to the shared Gaussian constant, under lambda fitted to the other folds."""
    T, m, test = kind.statistics(z), int(codes.max()) + 1, fold == f
    if shared:
        means, at = T[~test].mean(0)[None], np.zeros(int(test.sum()), int)
    else:
        means, at = np.stack([T[~test & (codes == c)].mean(0) for c in range(m)]), codes[test]
    lam = kind.natural(means)[0]
    return (kind.base(z[test]) + (T[test] * lam[at]).sum(-1) - kind.log_norm(lam)[at]).sum(1)
