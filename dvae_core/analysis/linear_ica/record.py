"""Linear ICA on linear and nonlinear mixtures, as a page draws it. No torch."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from dvae_core.analysis.records import ArrayRecord


@dataclass(frozen=True)
class LinearIca(ArrayRecord):
    """MCCs by the number of mixing layers (1 is linear), and the first data set of each number for drawing.

    Attributes:
        layers: Numbers of layers of the mixing.
        fastica: MCC of FastICA on each data set.
        pca: MCC of PCA.
        converged: Whether FastICA converged.
        z: The factors that are drawn.
        x: Data of these factors, by layers.
        found: FastICA's components, matched to z.
        chance: The score of a random rotation of the factors.
        gaussian: MCC of FastICA on Gaussian factors, the control; None in runs of version 0.2.
    """

    layers: Int[np.ndarray, " layers"]
    fastica: Float[np.ndarray, "layers sets"]
    pca: Float[np.ndarray, "layers sets"]
    converged: Bool[np.ndarray, "layers sets"]
    z: Float[np.ndarray, "k d"]
    x: Float[np.ndarray, "layers k d"]
    found: Float[np.ndarray, "layers k d"]
    chance: float
    gaussian: Float[np.ndarray, "layers sets"] | None = None
