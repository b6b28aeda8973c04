"""Principal components of x: how many hold more than chance (the default number of latents), and x reduced to them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dvae_core.axes import Features, evenly

ROWS, COLUMNS = 1000, 200  # evenly spaced, so that data of any size takes a fraction of a second
SHIFTS = 20  # random shifts; the threshold is the largest value of 20, about the 95 % quantile
FIT_NUMBERS = 2**24  # of x, to fit principal axes; larger data is thinned evenly
FAR = 10.0  # robust standard deviations at which values are clipped: one artefact is not structure


def components_above_chance(x: np.ndarray, seed: int = 0) -> int:
    """Return how many principal components of x are larger than those of unrelated columns (parallel analysis).

    Each column is shifted along the rows by a random number, with wrap-around: its values and its own memory stay, and
    what columns share is gone. The k-th component counts if its variance exceeds that of the k-th component of every
    shifted copy, and all before it do. Columns are standardised. The number is that of shared linear directions: a
    curved map of 2 factors to 100 neurons has about 5, five factors lifted to 50 dimensions have 5. It is blind to
    factors that no two columns share, as when x has as many columns as factors.

    Args:
        x: Data `[n d]` of any real type, or packed bits.
        seed: Seed of the shifts.

    References:
        Horn 1965, A rationale and test for the number of factors in factor analysis.
    """
    part = np.asarray(x[evenly(x.shape[0], ROWS)], np.float64)[:, evenly(x.shape[1], COLUMNS)]
    part = part[:, part.std(0) > 0]
    if part.shape[1] < 2:
        return part.shape[1]
    centre = np.median(part, axis=0)
    spread = 1.4826 * np.median(np.abs(part - centre), axis=0)
    part = ((part - centre) / np.where(spread > 0, spread, part.std(0))).clip(-FAR, FAR)
    part = (part - part.mean(0)) / part.std(0)
    rng, rows = np.random.default_rng(seed), np.arange(len(part))[:, None]
    given, most = _variances(part), np.zeros(part.shape[1])
    for _ in range(SHIFTS):
        shifted = np.take_along_axis(part, (rows + rng.integers(0, len(part), part.shape[1])) % len(part), axis=0)
        most = np.maximum(most, _variances(shifted))
    above = given > most
    return int(len(above) if above.all() else above.argmin())


def _variances(part: np.ndarray) -> np.ndarray:
    return np.linalg.eigvalsh(part.T @ part)[::-1]


@dataclass(frozen=True, eq=False)
class PrincipalAxes:
    """The leading principal axes of x and all that is needed to reduce other data to them.

    Attributes:
        names: The columns that are reduced.
        mean: Their means over the fitted rows `[d]`.
        std: Their standard deviations over the fitted rows `[d]`.
        axes: Orthonormal rows `[k d]`, the largest variance first.
        offset: The offset that had been subtracted from each column `[d]`; zero for most data.
        share: The part of the variance that the k axes hold on the fitted rows.
        rows: Number of fitted rows.
        fingerprint: That of the data before it was reduced.
    """

    names: tuple[str, ...]
    mean: Float[np.ndarray, " d"]
    std: Float[np.ndarray, " d"]
    axes: Float[np.ndarray, "k d"]
    offset: Float[np.ndarray, " d"]
    share: float
    rows: int
    fingerprint: str

    def __post_init__(self) -> None:
        d = len(self.names)
        if self.axes.ndim != 2 or {self.axes.shape[1:], self.mean.shape, self.std.shape, self.offset.shape} != {(d,)}:
            raise ValueError(f"principal axes of {d} columns do not have {d} numbers each")

    def components(self, x: Features) -> Float[np.ndarray, "n k"]:
        """Return the components of rows of x in the model's units."""
        return ((x - self.mean) @ self.axes.T).astype(np.float32)

    def as_arrays(self) -> dict[str, np.ndarray]:
        """Return everything as arrays, for an npz file."""
        return {name: np.array(value) for name, value in vars(self).items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "PrincipalAxes":
        """Read what `as_arrays` returned."""
        numbers = {name: arrays[name] for name in ("mean", "std", "axes", "offset")}
        return cls(
            tuple(arrays["names"].tolist()), share=float(arrays["share"]), rows=int(arrays["rows"]),
            fingerprint=str(arrays["fingerprint"]), **numbers,
        )  # fmt: skip


def leading_axes(x: Features, count: int) -> tuple[Float[np.ndarray, "k d"], float]:
    """Return the `count` leading principal axes of centred rows, and their share of the variance; exact or randomised.

    Columns are not scaled: those that vary more count more.
    """
    from sklearn.decomposition import PCA

    found = PCA(count, random_state=0).fit(
        x.astype(np.float64)
    )  # a full SVD of small data, a randomised one of large data
    return np.asarray(found.components_), float(found.explained_variance_ratio_.sum())
