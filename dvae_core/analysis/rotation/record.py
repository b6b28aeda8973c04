"""The curves against the angle, as pages draw them. No torch."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dvae_core.analysis.records import ArrayRecord

Curve = Float[np.ndarray, " t"]


def file_name(member: int, plane: tuple[int, int]) -> str:
    """Return the name of the record of a member and plane."""
    return f"rotation-{member}-{plane[0]}-{plane[1]}"


@dataclass(frozen=True)
class Rotation(ArrayRecord):
    """The effects of rotating the latents of one member in one plane.

    Curves over the angle: means over held-out rows, in nats per example. Where there is Monte Carlo noise worth
    drawing, <name>_error is its standard error. A curve is None if it does not apply to the run, or if the version that
    wrote the file did not compute it.

    Attributes:
        angle: Degrees.
        log_px: log p(x), by importance sampling from a full-covariance proposal; the noise is rotated with the latents.
            For a prior N(0, I) it is flat, to rounding. It is a lower bound: its error is that of the noise, not of the
            bias. With a conditional prior it is log p(x|u), with that prior held fixed.
        log_px_error: Its standard error.
        elbo: ELBO of the rotated model's own q (factor M F); the noise is rotated too. Flat for N(0, I).
        elbo_error: Its standard error.
        effective: The number of importance samples on which a typical example's estimate rests; below 10, log_px is no
            estimate, and not drawn.
        elbo_full: ELBO of the best full-covariance q; the noise is rotated too. Flat. Its fit starts from whichever is
            best of the encoder's q, the refined one and the fitted diagonal ones.
        elbo_full_error: Its standard error.
        elbo_diagonal: ELBO of the best diagonal q at each angle, measured. It bends.
        elbo_diagonal_error: Its standard error.
        gap_closed_form: The mean of 1/2 [ sum log (S^-1)_ii + log det S ] over S(x), the Gauss-Newton posterior
            covariances in the rotated axes: what elbo_full - elbo_diagonal would be if these were exact.
        log_pxu_fixed: log p(x|u) with the prior held fixed and the same noise at every angle (conditional priors only).
        log_pxu_fixed_error: Its standard error.
        log_pxu_refitted: log p(x|u) with the best factorial prior in the rotated axes, N(M mu_u, diag(M V_u M^T)), at
            each u.
        log_pxu_refitted_error: Its standard error.
        log_pxu_refitted_whitened: The same, where z / sqrt(mean_u V_u) is rotated instead of z.
        log_pxu_refitted_whitened_error: Its standard error.
        mcc: MCC with the true factors, where they are known.
        rows: Number of held-out rows: at most 1,000, fewer if x has more than 100 numbers.
        samples: Number of importance samples.
        notes: What is missing, and why. None in files of the first version.
    """

    angle: Curve
    log_px: Curve
    log_px_error: Curve
    elbo: Curve
    elbo_error: Curve | None = None
    effective: Curve | None = None
    elbo_full: Curve | None = None
    elbo_full_error: Curve | None = None
    elbo_diagonal: Curve | None = None
    elbo_diagonal_error: Curve | None = None
    gap_closed_form: Curve | None = None
    log_pxu_fixed: Curve | None = None
    log_pxu_fixed_error: Curve | None = None
    log_pxu_refitted: Curve | None = None
    log_pxu_refitted_error: Curve | None = None
    log_pxu_refitted_whitened: Curve | None = None
    log_pxu_refitted_whitened_error: Curve | None = None
    mcc: Curve | None = None
    rows: int | None = None
    samples: int | None = None
    notes: tuple[str, ...] | None = None
