"""The data with which the browser draws the loss of one example: reconstruction, and KL to the prior."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from dvae_core.analysis.latents import held_out
from dvae_core.config import GaussianLikelihood
from dvae_core.export.draws import noise_of
from dvae_core.live import arrays
from dvae_core.runs import Run


@dataclass(frozen=True, eq=False)
class Loss:
    """The parts of the loss that do not depend on where the sliders are, for every member.

    With z moved by hand, q(z|x) is N(z, diag(std^2)): its mean follows the sliders and its widths stay the encoder's.
    The reconstruction is taken at the mean of q, without its noise, and without the constant of the Gaussian: it is 0
    for a perfect picture.

    Attributes:
        noise: Standard deviation of x given z, in the units of x.
        std: Standard deviations of q(z|x) at the example.
        betas: Weights of the KL.
    """

    noise: Float[np.ndarray, "p d_x"]
    std: Float[np.ndarray, "p d_z"]
    betas: tuple[float, ...]

    def data(self) -> dict[str, Any]:
        """Return what loss.js takes: JSON, its arrays packed."""
        return {"noise": arrays.packed(self.noise), "std": arrays.packed(self.std), "betas": list(self.betas)}


def loss_of(run: Run, row: int) -> Loss | None:
    """Return the loss of one held-out example (by its number among x).

    It is None where two bars would not be the whole loss: unless p(x|z) is a Gaussian whose noise does not depend on z,
    x is not whitened, q is diagonal and the prior is N(0, I).
    """
    config = run.config
    model, train = config.model, config.train
    likelihood = model.likelihood
    is_simple = (
        isinstance(likelihood, GaussianLikelihood)
        and likelihood.noise != "network"
        and model.preprocess != "whiten"
        and model.posterior == "diagonal"
        and config.prior.kind == "standard"
        and train.objective == "elbo"
    )
    latents = held_out(run)
    if not is_simple or "std_z" not in latents:
        return None
    noise = noise_of(run) * run.weights()["scaling.x_inverse"]  # in units of x
    noise = np.broadcast_to(noise, (config.members, run.about["d_x"]))
    return Loss(noise, latents["std_z"][:, latents["x_rows"][row]], train.betas)
