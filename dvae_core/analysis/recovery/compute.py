"""The recovery of the true factors by one population, computed once for the pages: arrays in and out, no torch."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int, Shaped

from dvae_core.analysis.recovery.record import Recoveries, scorable
from dvae_core.axes import evenly
from dvae_core.config import GaussianPrior, LaplacePrior, LearnedPrior, Prior
from dvae_core.metrics import autocorrelation_time, ladder, mcc, mcc_interval, monotone_fit
from dvae_core.metrics.agreement import RUNGS
from dvae_core.runs import Run

CORNERS = 200  # corners of a monotone curve, kept for drawing
RESAMPLES = 200  # of the bootstrap, fewer for large populations

Statistics = Callable[[np.ndarray], np.ndarray]


def gaussian_statistics(modulate: str) -> Statistics:
    """Return T of the Gaussian family: (z, z^2) where u changes both moments, z for means, z^2 for variances only."""

    def T(z: np.ndarray) -> np.ndarray:
        return {"mean": z, "variance": z**2}.get(modulate, np.hstack([z, z**2]))

    return T


def statistics_of(prior: Prior) -> Statistics:
    """Return T of a run's prior. Learned T differ by member, so (z, z^2) stands in for them."""
    if isinstance(prior, LaplacePrior):
        return np.abs
    if isinstance(prior, GaussianPrior):
        return gaussian_statistics(prior.modulate)
    return gaussian_statistics("both" if isinstance(prior, LearnedPrior) else "mean")


def recover(
    z_true: Float[np.ndarray, "n d_z"],
    z_hat: Float[np.ndarray, "p n d_hat"],
    T: Statistics,
    *,
    u: Int[np.ndarray, " n"] | None = None,
) -> dict[str, Shaped[np.ndarray, "..."]]:
    """Match every member's latents to the factors, and fit what the theorem leaves free between them.

    Args:
        z_true: Factors that each vary.
        z_hat: Posterior means of every member, same rows.
        T: The statistics: all first ones side by side, then all second ones.
        u: Labels of the same rows. Rows that are sorted by label are then not treated as a time series.

    Returns:
        The arrays of `Recoveries`, by name.
    """
    p, n, d_hat = z_hat.shape
    d = z_true.shape[1]
    k = T(z_true).shape[1] // d
    n_boot = int(np.clip(2_000_000 // (p * n), 50, RESAMPLES))
    out = _not_computed(p, d, d_hat, k)
    for m in range(p):
        if not np.isfinite(z_hat[m]).all():
            continue
        out["memory"][m] = memory = autocorrelation_time(np.hstack([z_true, z_hat[m]]), u)
        for method in ("pearson", "spearman"):
            score = mcc(z_true, z_hat[m], method=method)
            out[f"matrix_{method}"][m], out[f"matching_{method}"][m] = score.matrix, score.matching
            out[f"signs_{method}"][m] = score.signs
            found = mcc_interval(z_true, z_hat[m], method=method, n_boot=n_boot, memory=memory)
            out[f"interval_{method}"][m] = found.mean, found.low, found.high
        matching = out["matching_pearson"][m]
        for i, latent in enumerate(matching):
            if latent >= 0:
                curve = monotone_fit(out["signs_pearson"][m, i] * z_hat[m][:, latent], z_true[:, i])
                at = evenly(len(curve.x), CORNERS)
                out["curve_x"][m, i, : len(at)], out["curve_y"][m, i, : len(at)] = curve.x[at], curve.y[at]
        if n >= 2 * (d_hat * k + 2) and np.ptp(z_hat[m], axis=0).any():
            rungs = ladder(z_hat[m], z_true, same_axes=False)
            out["ladder"][m] = [rungs.r2[rung] for rung in RUNGS]
            out["A"][m], out["A_condition"][m], out["A_r2"][m] = statistics_map(T(z_true), T(z_hat[m]))
            weights = out["A"][m].reshape(k, d, k, d_hat) ** 2
            for i, latent in enumerate(matching):
                if latent >= 0:
                    out["block_share"][m, i] = weights[:, i, :, latent].sum() / max(weights[:, i].sum(), 1e-300)
    return out


def _not_computed(p: int, d: int, d_hat: int, k: int) -> dict[str, np.ndarray]:
    """Return the arrays of `Recoveries` for p members, d factors, d_hat latents and k statistics, without a value."""
    out: dict[str, np.ndarray] = {
        "curve_x": np.full((p, d, CORNERS), np.nan),
        "curve_y": np.full((p, d, CORNERS), np.nan),
        "ladder": np.full((p, len(RUNGS)), np.nan),
        "A": np.full((p, d * k, d_hat * k), np.nan),
        "A_condition": np.full(p, np.nan),
        "A_r2": np.full(p, np.nan),
        "memory": np.full(p, np.nan),
        "block_share": np.full((p, d), np.nan),
    }
    for method in ("pearson", "spearman"):
        out[f"matrix_{method}"] = np.full((p, d, d_hat), np.nan)
        out[f"matching_{method}"] = np.full((p, d), -1)
        out[f"signs_{method}"] = np.zeros((p, d), int)
        out[f"interval_{method}"] = np.full((p, 3), np.nan)
    return out


def statistics_map(
    T_true: Float[np.ndarray, "n k_true"], T_hat: Float[np.ndarray, "n k_hat"]
) -> tuple[Float[np.ndarray, "k_true k_hat"], float, float]:
    """Fit theorem 1's map T(z_true) = A T(z_hat) + c on odd rows: A, its condition number, and R^2 on even rows.

    Both sides are standardised, so that A has no units. The condition number is the ratio of A's largest to its
    smallest singular value: it is large if a direction of the statistics was lost. R^2 is the mean over the true
    statistics.
    """
    fit, test = slice(0, None, 2), slice(1, None, 2)
    sides = []
    for T in (T_true, T_hat):
        std = T[fit].std(0)
        sides.append((T - T[fit].mean(0)) / np.where(std > 0, std, 1.0))
    goal, given = sides
    design = np.column_stack([given, np.ones(len(given))])
    weights = np.linalg.lstsq(design[fit], goal[fit], rcond=None)[0]
    error = goal[test] - design[test] @ weights
    r2 = 1 - (error**2).sum(0) / np.maximum((goal[test] ** 2).sum(0), np.finfo(float).tiny)
    A = weights[:-1].T
    singular = np.linalg.svd(A, compute_uv=False)
    return A, float(singular[0] / max(singular[-1], np.finfo(float).tiny)), float(r2.mean())


def recovery(run: Run) -> None:
    """Match every member's latents to the factors on the rows of latents.npz; write analysis/recovery.npz."""
    latents, about = run.latents(), run.about
    if latents is None or "z_true" not in latents:
        return
    names = about.get("z_names") or [str(i + 1) for i in range(latents["z_true"].shape[1])]
    varies, notes = scorable(latents["z_true"], names)
    if not varies.any():
        return
    T = statistics_of(run.config.prior)
    found = recover(
        latents["z_true"][:, varies].astype(float), latents["mu_z"].astype(float), T,
        u=latents["u"].astype(int) if about.get("has_labels") and "u" in latents else None,
    )  # fmt: skip
    Recoveries(**found, factors=np.flatnonzero(varies), notes=notes).save(run, "recovery")
