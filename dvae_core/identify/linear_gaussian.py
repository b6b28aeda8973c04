"""The exact model x = W z + b + noise, z ~ N(0, I): every curve against the angle of rotation in closed form.

It needs no training, sampling or approximation, so it is the reference for a trained run's curves. Values are in nats
per example.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from dvae_core.identify.matrices import require_orthogonal, rotation_matrix

Angles = Float[np.ndarray, " t"] | Sequence[float | int]


@dataclass(frozen=True, eq=False)
class LinearGaussian:
    """x = W z + b + noise with z ~ N(0, I) and noise ~ N(0, diag(noise_std^2)).

    Attributes:
        W: Mixing, d_x by d_z.
        b: Offset, d_x.
        noise_std: Noise standard deviations, d_x, all positive.
    """

    W: np.ndarray
    b: np.ndarray
    noise_std: np.ndarray

    def __post_init__(self) -> None:
        if self.W.ndim != 2 or self.b.shape != (len(self.W),) or self.noise_std.shape != (len(self.W),):
            raise ValueError(
                "W must be d_x by d_z, b and noise_std of length d_x; "
                f"got {self.W.shape}, {self.b.shape} and {self.noise_std.shape}."
            )
        if not (self.noise_std > 0).all():
            raise ValueError(f"noise_std must be positive; its smallest entry is {self.noise_std.min():g}.")

    @property
    def d_z(self) -> int:
        """Number of latents."""
        return self.W.shape[1]

    @property
    def posterior_cov(self) -> Float[np.ndarray, "d d"]:
        """S = (I + W^T diag(noise_std^-2) W)^-1, the same for every x."""
        scaled = self.W / self.noise_std[:, None]
        return np.linalg.inv(np.eye(self.d_z) + scaled.T @ scaled)

    def posterior_mean(self, x: Float[np.ndarray, "n d_x"]) -> Float[np.ndarray, "n d_z"]:
        """S W^T diag(noise_std^-2) (x - b)."""
        return ((x - self.b) / self.noise_std**2) @ self.W @ self.posterior_cov

    def log_px(self, x: Float[np.ndarray, "n d_x"]) -> Float[np.ndarray, " n"]:
        """Log N(x; b, W W^T + diag(noise_std^2))."""
        return _log_normal(x - self.b, self.W @ self.W.T + np.diag(self.noise_std**2))

    def elbo(
        self, x: Float[np.ndarray, "n d_x"], mu: Float[np.ndarray, "n d_z"], cov: Float[np.ndarray, "d d"]
    ) -> Float[np.ndarray, " n"]:
        """E_q[log p(x|z)] - KL(q, N(0, I)) for q(z|x) = N(mu, cov), both terms integrated exactly."""
        scaled = self.W / self.noise_std[:, None]
        residual = (x - self.b - mu @ self.W.T) / self.noise_std
        log_norm = 0.5 * np.log(2 * np.pi * self.noise_std**2).sum()
        recon = -0.5 * (residual**2).sum(1) - 0.5 * np.trace(scaled @ cov @ scaled.T) - log_norm
        kl = 0.5 * ((mu**2).sum(1) + np.trace(cov) - self.d_z - np.linalg.slogdet(cov)[1])
        return recon - kl

    def elbo_full(self, x: Float[np.ndarray, "n d_x"]) -> Float[np.ndarray, " n"]:
        """The ELBO of the exact posterior, which equals log p(x) but is computed independently."""
        return self.elbo(x, self.posterior_mean(x), self.posterior_cov)

    def elbo_diagonal(self, x: Float[np.ndarray, "n d_x"]) -> Float[np.ndarray, " n"]:
        """The ELBO of the best diagonal q, which has the exact mean and precisions diag(S^-1)."""
        precision = np.diag(np.linalg.inv(self.posterior_cov))
        return self.elbo(x, self.posterior_mean(x), np.diag(1 / precision))

    def rotated(self, M: Float[np.ndarray, "d d"]) -> "LinearGaussian":
        """Return the twin with latents z~ = M z, x = (W M^T) z~ + b + noise: the same p(x).

        Raises:
            ValueError: If M is not orthogonal.
        """
        require_orthogonal(M, self.d_z)
        return LinearGaussian(self.W @ M.T, self.b, self.noise_std)

    def sample(self, n: int, seed: int = 0) -> tuple[Float[np.ndarray, "n d_x"], Float[np.ndarray, "n d_z"]]:
        """Draw n examples: x, and the z that generated them."""
        rng = np.random.default_rng(seed)
        z = rng.standard_normal((n, self.d_z))
        return z @ self.W.T + self.b + self.noise_std * rng.standard_normal((n, len(self.b))), z


def from_posterior(variances: Sequence[float | int] | Float[np.ndarray, " d"]) -> LinearGaussian:
    """Return a model with posterior covariance S = diag(variances): unit noise, W_ii = sqrt(1 / s_i - 1).

    Raises:
        ValueError: If a variance is not above 0 and at most 1 (the prior variance, which data can only reduce).
    """
    s = np.asarray(variances, float)
    if not (len(s) and ((s > 0) & (s <= 1)).all()):
        raise ValueError(f"Posterior variances lie above 0 and at most at 1, the prior's; got {s.tolist()}.")
    return LinearGaussian(np.diag(np.sqrt(1 / s - 1)), np.zeros(len(s)), np.ones(len(s)))


def diagonal_gap(S: Float[np.ndarray, "d d"]) -> float:
    """Loss of the best diagonal q against the posterior N(m, S): 1/2 [ sum_i log (S^-1)_ii + log det S ] nats.

    This is the KL divergence of N(m, diag(1 / (S^-1)_ii)) from N(m, S). It is at least 0, and 0 if S is diagonal.
    """
    return float(_diagonal_gaps(S))


def diagonal_gap_curve(
    S: Float[np.ndarray, "... d d"], angles: Angles, plane: tuple[int, int] = (0, 1)
) -> Float[np.ndarray, "t ..."]:
    """Return `diagonal_gap` of M S M^T at each angle (degrees). For S = diag(1, .05): 0, .378, .739, .854 nats.

    (Those are at 0, 15, 30 and 45 degrees.) This is why VAEs do not rotate at random: a diagonal encoder prefers the
    axes of S.

    References:
        Rolinek, Zietlow & Martius 2019, Variational autoencoders pursue PCA directions (by accident).
    """
    maps = [rotation_matrix(S.shape[-1], angle, plane) for angle in angles]
    return np.stack([_diagonal_gaps(M @ S @ M.T) for M in maps])


def refitted_gap(
    prior_var: Float[np.ndarray, "m d"], angles: Angles, plane: tuple[int, int] = (0, 1)
) -> Float[np.ndarray, " t"]:
    """Loss of the best factorial prior p(z~|u) in rotated axes against the one in the model's own axes.

        mean over u of 1/2 [ sum_i log (M V_u M^T)_ii - log det V_u ]

    It is in nats per example, for a Gaussian family without observation noise (means can be refitted without loss). It
    is 0 at every angle if all V_u are multiples of I. If u modulates the variances differently, it is 0 only at
    multiples of 90 degrees, which are the permutations and signs that the theorem leaves free. *Constant* but unequal
    variances also bend the curve, although such a model is free up to an affine map: in that case rotate in
    coordinates whitened within u (`log_pxu_curve`).

    Args:
        prior_var: Variances of p(z|u), a row for each u.
        angles: Degrees.
        plane: The two latents that are rotated.
    """
    squared = [rotation_matrix(prior_var.shape[1], angle, plane) ** 2 for angle in angles]
    # (M diag(v) M^T)_ii = sum_j M_ij^2 v_j
    return np.array([0.5 * (np.log(prior_var @ S.T) - np.log(prior_var)).sum(1).mean() for S in squared])


def log_pxu_curve(
    model: LinearGaussian,
    prior_mu: Float[np.ndarray, "m d"],
    prior_var: Float[np.ndarray, "m d"],
    angles: Angles,
    *,
    how: Literal["fixed", "refitted"] = "refitted",
    plane: tuple[int, int] = (0, 1),
    within_u_whitened: bool = False,
) -> Float[np.ndarray, " t"]:
    """Mean log p(x|u) of the model rotated by each angle, for data from the original with prior N(mu_u, V_u).

        E_{x|u} log N(x; W M^T m~ + b, W M^T V~ M W^T + noise),   averaged over u, in closed form

    "fixed" keeps m~ = mu_u, V~ = V_u. The curve peaks at 0 (and at 180 degrees if all means are 0), and bends even if
    nothing is identified. "refitted" uses m~ = M mu_u, V~ = diag(M V_u M^T), the best factorial prior in the rotated
    axes (exactly so without noise). The curve is flat unless u modulates the variances.

    Args:
        model: W, b and the noise.
        prior_mu: Means of p(z|u), a row for each u, all equally probable.
        prior_var: Its variances.
        angles: Degrees.
        how: Whether the prior is kept or refitted.
        plane: The two latents that are rotated.
        within_u_whitened: Rotate z / sqrt(mean_u V_u) instead of z. The curve is then flat for means-only priors with
            constant unequal variances. These are free up to an affine map, but not under rotations of z itself.

    Raises:
        ValueError: If the moments do not fit the model.
    """
    if prior_mu.shape != prior_var.shape or prior_mu.shape[1] != model.d_z:
        raise ValueError(
            f"prior_mu and prior_var need {model.d_z} columns and equal rows; got {prior_mu.shape}, {prior_var.shape}."
        )
    W = model.W
    if within_u_whitened:
        scale = np.sqrt(prior_var.mean(0))
        W, prior_mu, prior_var = W * scale, prior_mu / scale, prior_var / scale**2
    noise = np.diag(model.noise_std**2)
    curve = []
    for angle in angles:
        M = rotation_matrix(model.d_z, angle, plane)
        total = 0.0
        for mu, var in zip(prior_mu, prior_var, strict=True):
            follows = how == "refitted"
            mean, spread = (M @ mu, M**2 @ var) if follows else (mu, var)
            turned = W @ M.T
            cov = (turned * spread) @ turned.T + noise
            shift = turned @ mean - W @ mu
            true_cov = (W * var) @ W.T + noise + np.outer(shift, shift)
            log_det = np.linalg.slogdet(2 * np.pi * cov)[1]
            total += -0.5 * (log_det + np.trace(np.linalg.solve(cov, true_cov)))
        curve.append(total / len(prior_mu))
    return np.array(curve)


def curves(
    model: LinearGaussian,
    *,
    step: float | int = 5.0,
    plane: tuple[int, int] = (0, 1),
    prior_mu: Float[np.ndarray, "m d"] | None = None,
    prior_var: Float[np.ndarray, "m d"] | None = None,
    truth_deg: float | int = 0.0,
) -> dict[str, np.ndarray]:
    """Return "the curve that says it all" for 0..90 degrees, with the names used in a run's rotation analysis.

    angle, log_px, elbo, elbo_full, elbo_diagonal, gap_closed_form, mcc [t]; with prior moments also log_pxu_fixed and
    log_pxu_refitted. Expectations are over the model's own data, so E log p(x) is minus the entropy of x. `mcc` is
    that of white latents: max(|cos|, |sin|) of the angle to the true axes in the plane, and 1 elsewhere.

    Args:
        model: The exact model.
        step: Degrees between angles.
        plane: The two latents that are rotated.
        prior_mu: Means of p(z|u), a row for each u; zeros if only the variances are given.
        prior_var: Variances of p(z|u); ones if only the means are given.
        truth_deg: Angle at which the latents are the true factors. x does not depend on it.

    Raises:
        ValueError: If the model has fewer than two latents.
    """
    if model.d_z < 2:
        raise ValueError("A rotation needs at least two latents; this model has one.")
    angles = np.arange(0.0, 90.0 + 1e-9, step)
    d_x = len(model.b)
    cov = model.W @ model.W.T + np.diag(model.noise_std**2)
    flat = np.full(len(angles), -0.5 * (np.linalg.slogdet(2 * np.pi * cov)[1] + d_x))
    gap = diagonal_gap_curve(model.posterior_cov, angles, plane)
    apart = np.deg2rad(angles - truth_deg)
    turned = np.maximum(np.abs(np.cos(apart)), np.abs(np.sin(apart)))
    out = {
        "angle": angles, "log_px": flat, "elbo": flat, "elbo_full": flat, "elbo_diagonal": flat - gap,
        "gap_closed_form": gap, "mcc": (2 * turned + model.d_z - 2) / model.d_z,
    }  # fmt: skip
    if prior_mu is None and prior_var is not None:
        prior_mu = np.zeros_like(prior_var)
    if prior_mu is not None:
        mu, var = prior_mu, np.ones_like(prior_mu) if prior_var is None else prior_var
        out["log_pxu_fixed"] = log_pxu_curve(model, mu, var, angles, how="fixed", plane=plane)
        out["log_pxu_refitted"] = log_pxu_curve(model, mu, var, angles, how="refitted", plane=plane)
    return out


@dataclass(frozen=True, eq=False)
class WrongAxes:
    """Seeds that agree but are wrong: a diagonal q on the exact model, see `diagonal_seeds`.

    Attributes:
        angle: Degrees, 0..90.
        elbo: The bound of the best diagonal q with the latents' axes at each angle, minus log p(x): minus its gap.
        starts: Angle at which each seed started.
        ends: Angle at which its bound stopped rising.
        at_starts: The bound there.
        at_ends: The bound there.
        pairs: MCC of the seeds' posterior means, for every pair.
        with_truth: MCC of each seed's posterior means with the true factors.
        at_truth: The same along the true axes (noise keeps it below 1).
    """

    angle: np.ndarray
    elbo: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    at_starts: np.ndarray
    at_ends: np.ndarray
    pairs: np.ndarray
    with_truth: np.ndarray
    at_truth: float


def diagonal_seeds(
    variances: tuple[float | int, float | int], truth: float | int, *, seeds: int = 8, seed: int = 0
) -> WrongAxes:
    """Let seeds climb a diagonal q's ELBO from random axes, on data whose true factors lie along other axes.

    The model is x = W z + noise with N(0, I) factors. Every rotated model explains x equally well, so the data cannot
    choose between them. The bound can: E ELBO = E log p(x) - gap(angle) is largest along the posterior's own axes. All
    seeds end there, so the pairwise MCC shows agreement, although the true axes are at the angle `truth`.

    Args:
        variances: Variances of the posterior along its axes.
        truth: Angle of the true factors' axes, degrees.
        seeds: Number of seeds.
        seed: Seed for their random initial angles.

    Returns:
        The curve, the climbs, and both MCCs in closed form: for posterior means R(a) m with Cov(m) = Cov(m, z) = I - S.
    """
    S = np.diag(np.asarray(variances, float))
    angle = np.linspace(0, 90, 901)
    elbo = -diagonal_gap_curve(S, angle)
    at = np.random.default_rng(seed).integers(1, len(angle) - 1, seeds)
    ends = at.copy()
    for k in range(seeds):
        while True:  # step to a better neighbour, a tenth of a degree away, as long as there is one
            near = np.clip([ends[k] - 1, ends[k], ends[k] + 1], 0, len(angle) - 1)
            best = near[elbo[near].argmax()]
            if elbo[best] <= elbo[ends[k]]:
                break
            ends[k] = best
    turns = [rotation_matrix(2, float(a)) for a in angle[ends]]
    C = np.eye(2) - S
    pairs = np.array([[_plane_mcc(A @ C @ B.T, A @ C @ A.T, B @ C @ B.T) for B in turns] for A in turns])
    true = rotation_matrix(2, truth)
    with_truth = np.array([_plane_mcc(true @ C @ A.T, np.eye(2), A @ C @ A.T) for A in turns])
    at_truth = _plane_mcc(true @ C @ true.T, np.eye(2), true @ C @ true.T)
    return WrongAxes(angle, elbo, angle[at], angle[ends], elbo[at], elbo[ends], pairs, with_truth, at_truth)


def _plane_mcc(cross: np.ndarray, one: np.ndarray, other: np.ndarray) -> float:
    """Return the MCC of two pairs of variables from their covariances, for the better of the two matchings."""
    r = np.abs(cross) / np.sqrt(np.outer(np.diag(one), np.diag(other)))
    return float(max(r[0, 0] + r[1, 1], r[0, 1] + r[1, 0]) / 2)


def _diagonal_gaps(S: np.ndarray) -> np.ndarray:
    precision = np.diagonal(np.linalg.inv(S), axis1=-2, axis2=-1)
    return np.asarray(0.5 * (np.log(precision).sum(-1) + np.linalg.slogdet(S)[1]))


def _log_normal(residual: np.ndarray, cov: np.ndarray) -> np.ndarray:
    L = np.linalg.cholesky(cov)
    white = np.linalg.solve(L, residual.T)
    return -0.5 * ((white**2).sum(0) + len(cov) * np.log(2 * np.pi)) - np.log(np.diag(L)).sum()
