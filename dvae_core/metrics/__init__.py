"""How well latents match true factors: functions of arrays that return a `Score` with its blind spots and baselines.

A high mean correlation coefficient (MCC) is easy to get: a random rotation of the truth scores 0.73 in five dimensions,
and an encoder that only copies u can reach 0.9. So every score here comes with the scores of such shortcuts.
"""

from dvae_core.metrics.agreement import Ladder, class_scores, ladder, pair_mcc, strengths, typical_rung, udr
from dvae_core.metrics.angles import circular_error, latent_axes, mean_direction
from dvae_core.metrics.health import DEAD_NATS, stuck
from dvae_core.metrics.infomec import InfoMec, infomec
from dvae_core.metrics.interventional import beta_vae, factor_vae, irs
from dvae_core.metrics.literature import (
    Dci,
    dci,
    disentanglement,
    explicitness,
    mig,
    modularity,
    sap,
)
from dvae_core.metrics.matching import independent_mcc, rotation_mcc
from dvae_core.metrics.memory import autocorrelation_time, independent_step, resampled_rows, too_few
from dvae_core.metrics.recovery import (
    Curve,
    Interval,
    align,
    mcc,
    mcc_interval,
    mcc_within_u,
    monotone_fit,
    r2_affine,
)
from dvae_core.metrics.score import Method, Score
from dvae_core.metrics.shortcuts import FLOORS, floors, floors_within_u, rotation_score, u_only
from dvae_core.metrics.variance import Shares, variance_shares

__all__ = [
    "DEAD_NATS",
    "FLOORS",
    "Curve",
    "Dci",
    "InfoMec",
    "Interval",
    "Ladder",
    "Method",
    "Score",
    "Shares",
    "align",
    "autocorrelation_time",
    "beta_vae",
    "circular_error",
    "class_scores",
    "dci",
    "disentanglement",
    "explicitness",
    "factor_vae",
    "floors",
    "floors_within_u",
    "independent_mcc",
    "independent_step",
    "infomec",
    "irs",
    "ladder",
    "latent_axes",
    "mcc",
    "mcc_interval",
    "mcc_within_u",
    "mean_direction",
    "mig",
    "modularity",
    "monotone_fit",
    "pair_mcc",
    "r2_affine",
    "resampled_rows",
    "rotation_mcc",
    "rotation_score",
    "sap",
    "strengths",
    "stuck",
    "too_few",
    "typical_rung",
    "u_only",
    "udr",
    "variance_shares",
]
