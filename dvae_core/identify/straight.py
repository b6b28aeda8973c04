"""A straight world: x = A s with independent factors, unmixed by PCA and FastICA, and what makes that fail.

Linear ICA (Comon 1994) needs both of its assumptions. With Gaussian factors the prior is as round as in chapter 2; with
a nonlinear f the turned model is not in the class of linear maps.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from dvae_core.data.worlds.sources import sources
from dvae_core.metrics import align, mcc

ROWS = 4000
PATIENCE = 200  # iterations of FastICA, its default; on Gaussian factors there is no solution to converge to


@dataclass(frozen=True, eq=False)
class Unmixed:
    """The results of PCA and FastICA on several data sets of one kind.

    Attributes:
        z: Factors of the first data set.
        x: Its data.
        pca: Its principal components, matched to the factors.
        ica: FastICA's components, matched.
        mcc_pca: MCC of PCA, a number for each data set.
        mcc_ica: MCC of FastICA.
        converged: Whether FastICA converged.
    """

    z: Float[np.ndarray, "n d"]
    x: Float[np.ndarray, "n d"]
    pca: Float[np.ndarray, "n d"]
    ica: Float[np.ndarray, "n d"]
    mcc_pca: Float[np.ndarray, " sets"]
    mcc_ica: Float[np.ndarray, " sets"]
    converged: Bool[np.ndarray, " sets"]


def unmix(
    noise: Literal["laplace", "gaussian"], layers: int, *, factors: int = 2, seeds: Sequence[int] = range(8)
) -> Unmixed:
    """Draw data sets of independent factors of equal variance, and unmix them without seeing the factors.

    Args:
        noise: Distribution of the factors.
        layers: Of the mixing; one layer is linear.
        factors: How many.
        seeds: Of the data sets; the first is kept for drawing.
    """
    from sklearn.decomposition import PCA, FastICA  # loads slowly
    from sklearn.exceptions import ConvergenceWarning

    scores: list[tuple[float, float, bool]] = []
    kept: list[np.ndarray] = []
    for seed in seeds:
        data = sources(
            n_latents=factors, segments=1, per_segment=ROWS, modulate="variance", noise=noise, scale_range=(1.0, 1.0),
            layers=layers, seed=seed,
        )  # fmt: skip
        z, x = np.asarray(data.z, float), data.x_float().astype(float)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            ica = np.asarray(FastICA(whiten="unit-variance", random_state=0, max_iter=PATIENCE).fit_transform(x))
        pca = PCA(factors, random_state=0).fit_transform(x)
        scores.append((mcc(z, pca).value, mcc(z, ica).value, not caught))
        kept = kept or [z, x, align(z, pca), align(z, ica)]
    mcc_pca, mcc_ica, converged = (np.array(column) for column in zip(*scores, strict=True))
    return Unmixed(kept[0], kept[1], kept[2], kept[3], mcc_pca, mcc_ica, converged)
