"""Runs and their members as tables. No torch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from dvae_core import runs
from dvae_core.analysis.common import stuck_members
from dvae_core.analysis.score.record import Scores
from dvae_core.analysis.study_table import NAMES
from dvae_core.axes import Table
from dvae_core.runs import Run, RunError


def member_table(run: Run) -> Table:
    """Return one row per member: member, seed, beta, failed, stuck, elbo, recon, kl, and mcc_* if there is truth.

    The ELBO and its parts are held-out, in nats per example; a column is missing until there is something to show.
    """
    import pandas as pd

    config, failed = run.config, set(run.status().failed_members)
    table = pd.DataFrame({"member": range(config.members), "seed": config.train.seeds, "beta": config.train.betas})
    table["failed"] = table["member"].isin(list(failed))
    table["stuck"] = table["member"].isin(list(stuck_members(run)))
    scores = Scores.of(run)
    if scores is not None:
        scored = pd.DataFrame(scores.members).drop(columns=["seed", "beta", "failed", "stuck"])
        return table.merge(scored, on="member", how="left")
    history = run.history()
    if len(history):
        rows = history[history["split"] == "held_out"]
        last = rows.loc[rows["step"] == rows["step"].max(), ["member", "elbo", "recon", "kl"]]
        table = table.merge(last, on="member", how="left")
    return table


def member_names(run: Run) -> list[str]:
    """Name the members by what distinguishes them: beta, learning rate and seed, each if it differs."""
    train = run.config.train
    betas, rates, seeds = (len(set(values)) > 1 for values in (train.betas, train.rates, train.seeds))
    names = []
    for seed, beta, rate in zip(train.seeds, train.betas, train.rates, strict=True):
        parts = [f"β = {beta:g}"] * betas + [f"lr {rate:g}"] * rates
        parts += [f"seed {seed}"] * (seeds or not parts)
        names.append(", ".join(parts))
    return names


def run_table(runs: Sequence[Run]) -> Table:
    """Return one row per run for lists: id, title, model, data, members, state, mcc, elbo. Broken runs state why."""
    import pandas as pd

    return pd.DataFrame([_run_row(run) for run in runs])


def _run_row(run: Run) -> dict[str, Any]:
    row: dict[str, Any] = {"id": run.id, "shipped": run.is_shipped}
    try:
        config, about, status, scores = run.config, run.about, run.status(), Scores.of(run)
        return row | {
            "title": str(about.get("title") or run.id),
            "model": config.model_name,
            "data": about.get("dataset", config.data.kind),
            "members": config.members,
            "latents": config.model.latents,
            "state": status.state,
            "mcc": scores and scores.mean.mcc_pearson,
            "elbo": scores and scores.mean.elbo,
            "created": about.get("created"),
            "problem": "",
        }
    except RunError as error:
        return row | {"title": run.id, "state": "broken", "problem": str(error)}


def rank_test(one: Float[np.ndarray, " n"], other: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """Return Spearman's rank correlation of two columns, and its p-value against no relation."""
    from scipy.stats import spearmanr  # takes half a second to import, which most pages need not wait for

    found: Any = spearmanr(one, other)
    return float(found.statistic), float(found.pvalue)


def many_seeds() -> Table:
    """Return bound and score of the many seeds of the talk's VAE that came with the software: one row each.

    Raises:
        RunError: If the file is missing or damaged.
    """
    import pandas as pd

    return pd.DataFrame(runs.shipped("many_seeds.json", "python -m dvae_core examples talk-vae"))


def shipped_study() -> Table:
    """Return the table of the study that came with the software (`Study.table`): one row per model.

    Raises:
        RunError: If the file is missing or damaged.
    """
    import pandas as pd

    table = pd.DataFrame(runs.shipped("study.json", "python -m dvae_core examples study"))
    return table.astype(dict.fromkeys(NAMES, float))
