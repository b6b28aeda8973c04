"""Results from a study's table: its scores, the components of their variance, and what can be known without truth."""

from collections.abc import Sequence

import numpy as np

from dvae_core.axes import Table
from dvae_core.metrics.score import ranks
from dvae_core.metrics.variance import Shares, variance_shares

WITH_TRUTH = {
    "mcc": "MCC", "mcc_spearman": "MCC (Spearman)", "mcc_within_u": "MCC within u", "mig": "MIG", "sap": "SAP",
    "modularity": "modularity", "dci_disentanglement": "DCI disentanglement", "dci_completeness": "DCI completeness",
    "dci_informativeness": "DCI informativeness", "explicitness": "explicitness", "factor_vae": "FactorVAE score",
    "beta_vae": "BetaVAE score",
}  # fmt: skip
WITHOUT_TRUTH = {
    "elbo": "ELBO", "recon": "reconstruction", "kl": "KL", "active_latents": "latents alive",
    "agreement": "agreement of seeds", "udr": "UDR",
}  # fmt: skip
NAMES = WITH_TRUTH | WITHOUT_TRUTH
FEW_MODELS = 5  # with fewer, a rank correlation means nothing


def column(table: Table, name: str) -> np.ndarray:
    """Return one column of a table as numbers."""
    return np.asarray(table[name], float)


def scores_of(table: Table) -> dict[str, str]:
    """Return the scores for which the table has numbers, as names by column; scores against the truth come first."""
    return {c: name for c, name in NAMES.items() if np.isfinite(column(table, c)).sum() >= 2}


def variance(table: Table, scores: Sequence[str]) -> dict[str, Shares | None]:
    """Split each score's variance over one data set into model, beta, both and seed; see `metrics.variance_shares`.

    Stuck members are left out, as from every mean.
    """
    arrived = ~np.asarray(table["stuck"], bool)
    _, method = np.unique(np.asarray(table["model"], str)[arrived], return_inverse=True)
    beta = column(table, "beta")[arrived]
    return {NAMES[s]: variance_shares(column(table, s)[arrived], method, beta) for s in scores}


def rank_correlations(table: Table) -> dict[str, dict[str, float]]:
    """Return Spearman's rho of scores without (rows) and with truth (columns), over the models of one data set.

    NaN for fewer than five models, or if one side does not vary.
    """
    known = scores_of(table)
    return {
        name: {WITH_TRUTH[c]: rank_correlation(table, row, c) for c in WITH_TRUTH if c in known}
        for row, name in WITHOUT_TRUTH.items()
        if row in known
    }


def rank_correlation(table: Table, one: str, other: str) -> float:
    """Return Spearman's rho of two scores over the models that have both; NaN if there are too few."""
    both = np.column_stack([column(table, one), column(table, other)])
    both = both[np.isfinite(both).all(1)]
    if len(both) < FEW_MODELS or not np.ptp(both, axis=0).all():
        return float("nan")
    return float(np.corrcoef(ranks(both).T)[0, 1])
