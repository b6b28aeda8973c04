"""Non-identifiability made concrete: models with other latents and the same p(x).

If p(z) = N(0, I) and M is orthogonal, z~ = M z has the same prior, and the generator f(M^T z~) gives the same p(x).
"""

import dataclasses

import numpy as np
import torch
from jaxtyping import Float

from dvae_core.models import Vae


def rotation_matrix(d: int, degrees: float | int, plane: tuple[int, int] = (0, 1)) -> Float[np.ndarray, "d d"]:
    """Return the rotation by an angle in the plane (i, j) of R^d: M[i, i] = cos, M[i, j] = -sin.

    Raises:
        ValueError: If the plane does not name two different axes of R^d.
    """
    i, j = plane
    if not (0 <= i < d and 0 <= j < d and i != j):
        raise ValueError(f"A rotation needs two different axes among 0..{d - 1}; got {i} and {j}.")
    angle = np.deg2rad(degrees)
    M = np.eye(d)
    M[i, i] = M[j, j] = np.cos(angle)
    M[i, j], M[j, i] = -np.sin(angle), np.sin(angle)
    return M


def rotate(vae: Vae, M: Float[np.ndarray, "d d"], *, tolerance: float = 1e-6) -> Vae:
    """Return the rotated twin: latents z~ = M z, generator f(M^T z~), encoder mean M mu(x), covariance M Sigma(x) M^T.

    With the prior N(0, I) the twin is the same model of x: same p(x), same ELBO (the noise carried along: the factor
    of its posterior is M F), same samples. With a conditional prior p(z|u), kept as it is, it is a *different* model:
    that is what makes the iVAE identifiable.

    Args:
        vae: A trained population; every member is rotated by the same M.
        M: Orthogonal, d_z x d_z; det may be -1.
        tolerance: Largest ||M^T M - I|| taken for orthogonal.

    Raises:
        ValueError: If M is not square of the model's size, or not orthogonal.
    """
    d = vae.config.model.latents
    if M.shape != (d, d):
        raise ValueError(f"M must be {d} x {d} for a model with {d} latents; got {M.shape[0]} x {M.shape[-1]}.")
    defect = float(np.linalg.norm(M.T @ M - np.eye(d)))
    if not defect <= tolerance:
        raise ValueError(f"M is not orthogonal: ||M^T M - I|| = {defect:.3g}; only orthogonal maps keep N(0, I).")
    total = M @ vae.rotation.double().cpu().numpy()  # of a twin: rotate on
    rows = tuple(tuple(float(v) for v in row) for row in total)
    model = dataclasses.replace(vae.config.model, rotation=rows)
    twin = Vae(dataclasses.replace(vae.config, model=model), vae.sizes)
    weights = next(vae.parameters())
    twin.to(weights.device, weights.dtype)
    twin.load_state_dict({**vae.state_dict(), "rotation": torch.tensor(total, dtype=weights.dtype)})
    return twin.train(vae.training)
