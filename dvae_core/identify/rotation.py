"""The rotated twin of a trained model, which has different latents but the same p(x).

If p(z) = N(0, I) and M is orthogonal, z~ = M z has the same prior, and the generator f(M^T z~) gives the same p(x).
"""

import dataclasses

import numpy as np
import torch
from jaxtyping import Float

from dvae_core.identify.matrices import (
    TOLERANCE,
    compose,
    orthogonality_defect,
    random_orthogonal,
    reflection,
    require_orthogonal,
    rotation_matrix,
    undo,
)
from dvae_core.model.vae import Vae

__all__ = [
    "compose",
    "orthogonality_defect",
    "random_orthogonal",
    "reflection",
    "rotate",
    "rotation_matrix",
    "undo",
]


def rotate(vae: Vae, M: Float[np.ndarray, "d d"], *, tolerance: float = TOLERANCE) -> Vae:
    """Return the rotated twin: latents z~ = M z, generator f(M^T z~), encoder mean M mu(x), covariance M Sigma(x) M^T.

    With the prior N(0, I) the twin is the same model of x: it has the same p(x), the same ELBO (even for the same
    noise, because the factor of its posterior is M F), and the same samples. With an unchanged conditional prior p(z|u)
    it is a *different* model, which is what makes the iVAE identifiable.

    Args:
        vae: A trained population; every member is rotated by the same M.
        M: Orthogonal, d_z x d_z; det may be -1.
        tolerance: Largest ||M^T M - I|| accepted as orthogonal.

    Raises:
        ValueError: If M is not square of the model's size, or not orthogonal.
    """
    require_orthogonal(M, vae.config.model.latents, tolerance)
    total = M @ vae.rotation.double().cpu().numpy()  # if vae is already a twin, add to its rotation
    rows = tuple(tuple(float(v) for v in row) for row in total)
    model = dataclasses.replace(vae.config.model, rotation=rows)
    twin = Vae(dataclasses.replace(vae.config, model=model), vae.sizes)
    weights = next(vae.parameters())
    twin.to(weights.device, weights.dtype)
    twin.load_state_dict({**vae.state_dict(), "rotation": torch.tensor(total, dtype=weights.dtype)})
    return twin.train(vae.training)
