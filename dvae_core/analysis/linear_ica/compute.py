"""Disentanglement is nonlinear ICA: linear ICA solves x = A z and fails on x = f(z). Data and FastICA are real."""

import warnings

import numpy as np
from sklearn.decomposition import PCA, FastICA
from sklearn.exceptions import ConvergenceWarning

from dvae_core import metrics
from dvae_core.analysis.common import Computation
from dvae_core.analysis.linear_ica.record import LinearIca
from dvae_core.data.worlds.sources import sources
from dvae_core.runs import Run

LAYERS = (1, 2, 3, 4)  # of the mixing; one layer is linear
SEEDS = 8  # data sets for each number of layers
ROWS = 4000
SHOWN = 600  # points of the first data set kept for drawing


def linear_ica(run: Run, *, factors: int = 4) -> Computation:
    """Score PCA and FastICA on independent Laplace factors, mixed by 1 (linear) to 4 layers; write linear_ica.npz.

    Independent, non-Gaussian factors of equal variance are what linear ICA requires (and PCA cannot use); u plays no
    part. The analysis uses nothing of the run; only the result lies in its folder.

    `record.LinearIca` documents the content of the file.

    Yields:
        The fraction done.
    """
    shape = (len(LAYERS), SEEDS)
    fastica, pca, converged = np.full(shape, np.nan), np.full(shape, np.nan), np.ones(shape, bool)
    drawn: dict[str, list[np.ndarray]] = {"x": [], "found": []}
    z = np.zeros((0, factors))
    for i, layers in enumerate(LAYERS):
        for seed in range(SEEDS):
            data = sources(n_latents=factors, segments=1, per_segment=ROWS, modulate="variance", noise="laplace",
                           scale_range=(1.0, 1.0), layers=layers, seed=seed)  # fmt: skip
            z_true, x = np.asarray(data.z, float), data.x_float().astype(float)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", ConvergenceWarning)
                codes = np.asarray(FastICA(whiten="unit-variance", random_state=0, max_iter=1000).fit_transform(x))
            converged[i, seed] = not caught
            fastica[i, seed] = metrics.mcc(z_true, codes).value
            pca[i, seed] = metrics.mcc(z_true, PCA(factors, random_state=0).fit_transform(x)).value
            if seed == 0:
                z = z_true[:SHOWN]
                drawn["x"].append(x[:SHOWN])
                drawn["found"].append(metrics.align(z_true, codes)[:SHOWN])
            yield (i * SEEDS + seed + 1) / (len(LAYERS) * SEEDS)
    record = LinearIca(
        layers=np.array(LAYERS), fastica=fastica, pca=pca, converged=converged, z=z, x=np.stack(drawn["x"]),
        found=np.stack(drawn["found"]), chance=metrics.rotation_mcc(factors),
    )  # fmt: skip
    return record.save(run, "linear_ica")
