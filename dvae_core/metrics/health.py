"""Stuck members of a population: those that trained without failing but did not reach a good solution."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

DEAD_NATS = 0.01  # a latent whose KL is below this carries no information
ROBUST_DEVIATIONS, NATS_A_LATENT, FEWEST = 6.0, 0.15, 4


def stuck(
    elbo: Float[np.ndarray, " p"], kl_latent: Float[np.ndarray, "p d_z"], betas: Sequence[float]
) -> dict[int, str]:
    """Return the stuck members, each with the reason.

    A member is stuck if every latent is dead (KL below 0.01 nats) though its beta is at most 1 (a larger beta
    may kill latents legitimately), or if its bound is below the median of the members with its beta by more than

        6 * 1.4826 * median |bound - median|   and   0.15 nats per latent       (with at least four members)

    Outliers affect neither median, so one stuck member of four is found as reliably as one of forty. This is blind to
    members that are wrong *and* fit well, because a bound says nothing about axes. It also fails if most members are
    stuck, because the median is then theirs.

    Args:
        elbo: Held-out bounds, nats per example; members with a non-finite bound have failed, and are skipped.
        kl_latent: Each latent's KL, nats per example.
        betas: Each member's beta. Bounds are only compared between members with the same beta.
    """
    found: dict[int, str] = {}
    finite = np.isfinite(elbo)
    for m in np.nonzero(finite)[0].tolist():
        if betas[m] <= 1 and (kl_latent[m] < DEAD_NATS).all():
            found[m] = "none of its latents carries any information"
    for beta in sorted(set(betas)):
        peers = np.nonzero(finite & (np.asarray(betas) == beta))[0]
        if len(peers) < FEWEST:
            continue
        middle = np.median(elbo[peers])
        spread = 1.4826 * np.median(np.abs(elbo[peers] - middle))
        limit = max(ROBUST_DEVIATIONS * spread, NATS_A_LATENT * kl_latent.shape[1])
        for m in peers:
            gap = middle - elbo[m]
            if gap > limit:
                found.setdefault(int(m), f"its bound is {gap:.2g} nats below its population's median")
    return found
