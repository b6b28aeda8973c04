"""The posteriors of held-out examples, as pages draw them. No torch."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from dvae_core.analysis.records import ArrayRecord


def file_name(member: int) -> str:
    """Return the name of the record of a member."""
    return f"posterior-{member}"


@dataclass(frozen=True)
class Posteriors(ArrayRecord):
    """The exact posterior p(z|x) of held-out examples, and three Gaussians q(z|x), for a member with two latents.

    Losses are KL(q(z|x) || p(z|x)): how far the bound lies below log p(x), in nats per example. With a conditional
    prior, p(z|x, u) takes the place of p(z|x).

    Attributes:
        rows: Positions of the examples among the rows of latents.npz's `x`.
        mean: Mean of the exact posterior.
        cov: Its covariance.
        q_mean: Mean of the run's own q.
        q_cov: Its covariance.
        loss_q: Loss of the run's own q.
        loss_full: Loss of N(mean, cov), which is due only to the exact posterior not being Gaussian.
        var_diagonal: 1 / (S^-1)_ii with S = `cov`: the variances of the best diagonal q, were the posterior Gaussian.
        loss_diagonal: Loss of N(mean, diag(var_diagonal)).
        edge: Share of the exact posterior at the edge of the grid that it was computed on; 0 if none is missing.
    """

    rows: Int[np.ndarray, " n"]
    mean: Float[np.ndarray, "n 2"]
    cov: Float[np.ndarray, "n 2 2"]
    q_mean: Float[np.ndarray, "n 2"]
    q_cov: Float[np.ndarray, "n 2 2"]
    loss_q: Float[np.ndarray, " n"]
    loss_full: Float[np.ndarray, " n"]
    var_diagonal: Float[np.ndarray, "n 2"]
    loss_diagonal: Float[np.ndarray, " n"]
    edge: Float[np.ndarray, " n"]

    @property
    def correlation(self) -> Float[np.ndarray, " n"]:
        """Correlation of z1 and z2 given x, in the exact posterior."""
        return self.cov[:, 0, 1] / np.sqrt(self.cov[:, 0, 0] * self.cov[:, 1, 1])
