"""Continuous marginals p(z_i), mapped to a Gaussian and back without losing precision in the tails.

`score` is Phi^-1(F(z)) and `unscore` its inverse. Both work on log F or log(1 - F), whichever is smaller, so that even
a point eight standard deviations out is recovered. With F alone, everything beyond 8.2 would become infinite.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Values = Float[np.ndarray, "*shape"]
CENTRES = 100  # in a smoothed empirical marginal: its CDF is within 1/200 of that with all points


@dataclass(frozen=True, eq=False)
class Marginal:
    """A continuous distribution of one number with a strictly increasing CDF.

    Attributes:
        name: The name shown in menus and errors.
        method: A description of the density, or of how it was estimated.
    """

    name: str
    method: str

    @property
    def middle(self) -> float:
        """The point near the median at which `score` changes from the lower tail to the upper."""
        return 0.0

    def log_pdf(self, z: Values) -> Values:
        """Log density."""
        raise NotImplementedError

    def log_cdf(self, z: Values) -> Values:
        """Log F(z), accurate in the lower tail."""
        raise NotImplementedError

    def log_sf(self, z: Values) -> Values:
        """log(1 - F(z)), accurate in the upper tail."""
        return self.log_cdf(-z)  # symmetric about 0, unless a subclass says otherwise

    def score(self, z: Values) -> Values:
        """Return Phi^-1(F(z)): standard normal if z is from this distribution.

        Raises:
            ValueError: If a value lies outside the support.
        """
        from scipy.special import ndtri_exp

        lower = z < self.middle
        log_tail = np.empty(z.shape)
        log_tail[lower], log_tail[~lower] = self.log_cdf(z[lower]), self.log_sf(z[~lower])
        return np.where(lower, 1.0, -1.0) * ndtri_exp(log_tail)

    def unscore(self, a: Values) -> Values:
        """Return F^-1(Phi(a)), the inverse of `score`."""
        from scipy.special import log_ndtr

        return np.sign(a) * -self.lower_quantile(log_ndtr(-np.abs(a)))

    def lower_quantile(self, log_p: Values) -> Values:
        """F^-1(exp(log_p)) for log_p <= log 1/2."""
        raise NotImplementedError

    def cdf(self, z: Values) -> Values:
        """F(z), computed from `score`."""
        return np.exp(self.log_cdf(z))

    def sample(self, n: int, rng: np.random.Generator) -> Float[np.ndarray, " n"]:
        """Draw n values."""
        return self.unscore(rng.standard_normal(n))


class Uniform(Marginal):
    """1 / (2 sqrt 3) on [-sqrt 3, sqrt 3]: mean 0, variance 1."""

    edge = float(np.sqrt(3))

    def log_pdf(self, z: Values) -> Values:
        """Log density; -inf outside."""
        return np.where(np.abs(z) <= self.edge, -np.log(2 * self.edge), -np.inf)

    def log_cdf(self, z: Values) -> Values:
        """Log F(z)."""
        outside = int((np.abs(z) > self.edge).sum())
        if outside:
            raise ValueError(f"The uniform marginal lives on +-{self.edge:.4f}; {outside} values lie outside.")
        inside = np.nextafter(self.edge, 0)  # the edges themselves would map to infinity
        return np.log((np.clip(z, -inside, inside) + self.edge) / (2 * self.edge))

    def lower_quantile(self, log_p: Values) -> Values:
        """F^-1."""
        return -self.edge + 2 * self.edge * np.exp(log_p)


class Laplace(Marginal):
    """exp(-sqrt 2 |z|) / sqrt 2: mean 0, variance 1."""

    scale = float(np.sqrt(0.5))

    def log_pdf(self, z: Values) -> Values:
        """Log density."""
        return -np.abs(z) / self.scale - np.log(2 * self.scale)

    def log_cdf(self, z: Values) -> Values:
        """Log F(z)."""
        tail = -np.abs(z) / self.scale - np.log(2)
        return np.where(z < 0, tail, np.log1p(-np.exp(tail)))

    def lower_quantile(self, log_p: Values) -> Values:
        """F^-1."""
        return self.scale * (log_p + np.log(2))


class Logistic(Marginal):
    """Logistic with mean 0, variance 1 (scale sqrt 3 / pi)."""

    scale = float(np.sqrt(3) / np.pi)

    def log_pdf(self, z: Values) -> Values:
        """Log density."""
        t = np.abs(z) / self.scale
        return -t - 2 * np.log1p(np.exp(-t)) - np.log(self.scale)

    def log_cdf(self, z: Values) -> Values:
        """Log F(z)."""
        return -np.logaddexp(0.0, -z / self.scale)

    def lower_quantile(self, log_p: Values) -> Values:
        """F^-1: the logit."""
        return self.scale * (log_p - np.log1p(-np.exp(log_p)))


class StudentT(Marginal):
    """Student t with 5 degrees of freedom, scaled to variance 1: tails like |z|^-6."""

    df = 5.0
    scale = float(np.sqrt(3 / 5))

    def log_pdf(self, z: Values) -> Values:
        """Log density."""
        from scipy.stats import t

        return t.logpdf(z / self.scale, self.df) - np.log(self.scale)

    def log_cdf(self, z: Values) -> Values:
        """Log F(z)."""
        from scipy.special import stdtr

        return np.log(stdtr(self.df, z / self.scale))  # power tails: no underflow before |z| of 1e60

    def lower_quantile(self, log_p: Values) -> Values:
        """F^-1, to float64 precision by Newton steps on log F."""
        from scipy.special import stdtrit

        z = self.scale * stdtrit(self.df, np.exp(log_p))
        for _ in range(2):
            log_cdf = self.log_cdf(z)
            z = z - (log_cdf - log_p) * np.exp(log_cdf - self.log_pdf(z))
        return z


class Mixture(Marginal):
    """A mixture of Gaussians of equal width, used for the bimodal marginal and the smoothed empirical ones."""

    def __init__(self, name: str, method: str, centres: Float[np.ndarray, " k"], width: float | int) -> None:
        super().__init__(name, method)
        object.__setattr__(self, "centres", np.sort(centres.astype(float)))
        object.__setattr__(self, "width", float(width))

    centres: np.ndarray
    width: float

    @property
    def middle(self) -> float:
        """The median of the centres."""
        return float(np.median(self.centres))

    def log_pdf(self, z: Values) -> Values:
        """Log density."""
        t = (z[..., None] - self.centres) / self.width
        return _log_mean_exp(-0.5 * t**2) - np.log(self.width * np.sqrt(2 * np.pi))

    def log_cdf(self, z: Values) -> Values:
        """Log F(z), a mean of Gaussian CDFs, which is strictly increasing on the whole line."""
        from scipy.special import log_ndtr

        return _log_mean_exp(log_ndtr((z[..., None] - self.centres) / self.width))

    def log_sf(self, z: Values) -> Values:
        """log(1 - F(z))."""
        from scipy.special import log_ndtr

        return _log_mean_exp(log_ndtr((self.centres - z[..., None]) / self.width))

    def unscore(self, a: Values) -> Values:
        """F^-1(Phi(a)): linear interpolation in a table of scores, then safeguarded Newton steps on the score."""
        reach = self.width * (
            2 + np.abs(a).max(initial=0.0)
        )  # beyond the outermost centre the score is steeper than this
        table = np.linspace(self.centres[0] - reach, self.centres[-1] + reach, 2048)
        scores = self.score(table)
        at = np.clip(np.searchsorted(scores, a), 1, len(table) - 1)
        low, high = table[at - 1], table[at]
        z = np.clip(np.interp(a, scores, table), low, high)
        for _ in range(60):  # Newton needs 3 or 4; a flat stretch between two modes may need bisection
            error = self.score(z) - a
            low, high = np.where(error < 0, z, low), np.where(error > 0, z, high)
            # d score / dz = p(z) / phi(score)
            slope = np.exp(self.log_pdf(z) + 0.5 * (error + a) ** 2 + 0.5 * np.log(2 * np.pi))
            moved = z - error / slope
            moved = np.where((moved >= low) & (moved <= high), moved, 0.5 * (low + high))
            done = np.abs(moved - z) <= 1e-9 * (1 + np.abs(z))  # quadratic convergence: this step leaves 1e-15
            z = moved
            if done.all():
                break
        return z


def _log_mean_exp(terms: np.ndarray) -> np.ndarray:
    top = terms.max(-1, keepdims=True)
    return top[..., 0] + np.log(np.exp(terms - top).mean(-1))


_MODE = 0.9  # modes of "bimodal" at +-0.9, width sqrt(1 - 0.9^2): mean 0, variance 1
NAMED: dict[str, Marginal] = {
    "uniform": Uniform("uniform", "density 1 / (2 √3) on ±√3"),
    "laplace": Laplace("Laplace", "density exp(-√2 |z|) / √2"),
    "logistic": Logistic("logistic", "logistic with variance 1"),
    "student_t": StudentT("Student t", "Student t with 5 degrees of freedom, scaled to variance 1"),
    "bimodal": Mixture(
        "bimodal",
        "two Gaussians of width 0.44 at ±0.9, equally likely",
        np.array([-_MODE, _MODE]),
        np.sqrt(1 - _MODE**2),
    ),
}
MARGINALS = tuple(NAMED)
LABELS = {name: marginal.name for name, marginal in NAMED.items()}


def marginal(name: str) -> Marginal:
    """Return a marginal of mean 0 and variance 1 by its key in MARGINALS.

    Raises:
        ValueError: If none has that name.
    """
    if name not in NAMED:
        raise ValueError(f"There is no marginal called {name!r}; known are {', '.join(MARGINALS)}.")
    return NAMED[name]


def empirical(values: Float[np.ndarray, " n"], name: str = "empirical") -> Marginal:
    """Return a smoothed version of a sample's distribution, with a strictly increasing CDF and a density.

        F(z) = mean_k Phi((z - c_k) / h),   c_k: 100 evenly spaced quantiles (or all values, if fewer)

    h follows Silverman's rule, 0.9 min(std, IQR / 1.34) n^(-1/5). The result is smoother than the sample: its variance
    is larger by h^2, and its tails are Gaussian.

    Args:
        values: The sample, on any scale.
        name: Its name, for example "z1 of my run".

    Raises:
        ValueError: If there are fewer than 20 values, or all are equal.
    """
    values = values[np.isfinite(values)].astype(float)
    if len(values) < 20:
        raise ValueError(f"A smoothed marginal needs at least 20 finite values; {name} has {len(values)}.")
    quartiles = np.quantile(values, (0.25, 0.75))
    spread = min(s for s in (values.std(), np.ptp(quartiles) / 1.34, np.inf) if s > 0)
    if not np.isfinite(spread):
        raise ValueError(f"{name} is constant: a marginal needs values that vary.")
    width = 0.9 * spread * len(values) ** -0.2
    k = min(CENTRES, len(values))
    centres = np.quantile(values, (np.arange(k) + 0.5) / k)
    return Mixture(
        name, f"smoothed: {k} Gaussians of width {width:.3g} at quantiles of {len(values)} values", centres, width
    )


def empirical_marginals(z: Float[np.ndarray, "n d"], name: str = "z") -> list[Marginal]:
    """Return `empirical` of every column, named name1, name2, ..."""
    return [empirical(column, f"{name}{i + 1}") for i, column in enumerate(z.T)]
