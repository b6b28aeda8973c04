"""Disentanglement is nonlinear ICA: linear ICA solves x = A z and fails on x = f(z). Data and FastICA are real."""

import numpy as np

from dvae_core import metrics
from dvae_core.analysis.common import Computation
from dvae_core.analysis.linear_ica.record import LinearIca
from dvae_core.identify.straight import unmix
from dvae_core.runs import Run

LAYERS = (1, 2, 3, 4)  # of the mixing; one layer is linear
SEEDS = 8  # data sets for each number of layers
SHOWN = 600  # points of the first data set kept for drawing


def linear_ica(run: Run, *, factors: int = 4) -> Computation:
    """Score PCA and FastICA on independent Laplace factors, mixed by 1 (linear) to 4 layers; write linear_ica.npz.

    Independent, non-Gaussian factors of equal variance are what linear ICA requires (and PCA cannot use); u is not
    used. Gaussian factors are the control: even if mixed linearly, they are recovered only up to a rotation. The
    analysis uses nothing of the run; only its result is stored in the folder.

    `record.LinearIca` documents the content of the file.

    Yields:
        The fraction done.
    """
    laplace, gaussian = [], []
    for i, layers in enumerate(LAYERS):
        laplace.append(unmix("laplace", layers, factors=factors, seeds=range(SEEDS)))
        yield (2 * i + 1) / (2 * len(LAYERS))
        gaussian.append(unmix("gaussian", layers, factors=factors, seeds=range(SEEDS)))
        yield (2 * i + 2) / (2 * len(LAYERS))
    record = LinearIca(
        layers=np.array(LAYERS), fastica=np.stack([found.mcc_ica for found in laplace]),
        pca=np.stack([found.mcc_pca for found in laplace]),
        converged=np.stack([found.converged for found in laplace]), z=laplace[0].z[:SHOWN],
        x=np.stack([found.x[:SHOWN] for found in laplace]), found=np.stack([found.ica[:SHOWN] for found in laplace]),
        chance=metrics.rotation_mcc(factors), gaussian=np.stack([found.mcc_ica for found in gaussian]),
    )  # fmt: skip
    return record.save(run, "linear_ica")
