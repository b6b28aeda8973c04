"""Results from a study's table: its scores, the components of their variance, and what can be known without truth."""

import re
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


def with_worlds(table: Table) -> Table:
    """Return a study's table with the data set's seed in a column of its own, `world`, and taken out of `data`.

    Drawn data of the same settings and another seed are another world: other factors and another mixing. Data without a
    seed, such as a file, are world 0.

    Example:
        >>> import pandas as pd
        >>> with_worlds(pd.DataFrame({"data": ["sources,seed=3", "digits"]})).to_numpy().tolist()
        [['sources', 3], ['digits', 0]]
    """
    names = [str(text) for text in table["data"]]
    seeds = [re.search(r",seed=(\d+)", name) for name in names]
    return table.assign(
        data=[re.sub(r",seed=\d+", "", name) for name in names], world=[int(s[1]) if s else 0 for s in seeds]
    )


def _each_world(table: Table) -> list[Table]:
    """Return the rows of every world; the whole table if it does not name them."""
    return [rows for _, rows in table.groupby("world")] if "world" in table else [table]


def column(table: Table, name: str) -> np.ndarray:
    """Return one column of a table as numbers."""
    return np.asarray(table[name], float)


def scores_of(table: Table) -> dict[str, str]:
    """Return the scores for which the table has numbers, as names by column; scores against the truth come first."""
    return {c: name for c, name in NAMES.items() if np.isfinite(column(table, c)).sum() >= 2}


def variance(table: Table, scores: Sequence[str]) -> dict[str, Shares | None]:
    """Split each score's variance within a world into model, beta, both and seed; see `metrics.variance_shares`.

    Shares are means over worlds. Stuck members are left out, as from every mean.
    """
    out: dict[str, Shares | None] = {}
    for score in scores:
        found = [shares for rows in _each_world(table) if (shares := _variance(rows, score)) is not None]
        out[NAMES[score]] = _mean_shares(found) if found else None
    return out


def _variance(table: Table, score: str) -> Shares | None:
    arrived = ~np.asarray(table["stuck"], bool)
    _, method = np.unique(np.asarray(table["model"], str)[arrived], return_inverse=True)
    return variance_shares(column(table, score)[arrived], method, column(table, "beta")[arrived])


def _mean_shares(found: Sequence[Shares]) -> Shares:
    method, strength, both, seed = np.mean([shares[:4] for shares in found], 0).tolist()
    luck = np.mean([shares.luck for shares in found], 0).tolist()
    return Shares(method, strength, both, seed, (luck[0], luck[1], luck[2]), sum(shares.n for shares in found))


def rank_correlations(table: Table) -> dict[str, dict[str, float]]:
    """Return Spearman's rho of scores without (rows) and with truth (columns), by world, averaged.

    NaN for fewer than five models, or if one side does not vary.
    """
    known = scores_of(table)
    return {
        name: {WITH_TRUTH[c]: rank_correlation(table, row, c) for c in WITH_TRUTH if c in known}
        for row, name in WITHOUT_TRUTH.items()
        if row in known
    }


def rank_correlation(table: Table, one: str, other: str) -> float:
    """Return Spearman's rho of two scores over the models of a world that have both, averaged over worlds.

    Stuck members are left out, as from every mean. NaN if no world has enough of them.
    """
    each = [_rank_correlation(rows, one, other) for rows in _each_world(table)]
    known = [rho for rho in each if np.isfinite(rho)]
    return float(np.mean(known)) if known else float("nan")


def _rank_correlation(table: Table, one: str, other: str) -> float:
    both = np.column_stack([column(table, one), column(table, other)])
    both = both[np.isfinite(both).all(1) & ~np.asarray(table["stuck"], bool)]
    if len(both) < FEW_MODELS or not np.ptp(both, axis=0).all():
        return float("nan")
    return float(np.corrcoef(ranks(both).T)[0, 1])
