"""The held-out rows that several runs share, and their latents on them. No torch."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, Shaped

from dvae_core.analysis.common import alive_latents, good_members
from dvae_core.analysis.latents import held_out
from dvae_core.runs import Run, RunError

FEWEST = 20  # common rows; with fewer, correlations say nothing


def common_rows(runs: Sequence[Run]) -> list[Int[np.ndarray, " n"]]:
    """Return for each run the positions, in its latents.npz, of the held-out rows that all of them have.

    Raises:
        RunError: If two runs are of different data, or it is not known which rows they are, or they share too few.
    """
    known = {run.about.get("fingerprint") for run in runs}
    if len(runs) > 1 and (len(known) > 1 or None in known):
        unknown = next((run for run in runs if run.about.get("fingerprint") is None), None)
        if unknown is not None:
            raise RunError(
                f"It is unknown which rows the latents of {unknown.title} are; import them with --data, or with u or "
                "factors in their file."
            )
        other = next(run for run in runs if run.about["fingerprint"] != runs[0].about["fingerprint"])
        raise RunError(f"{runs[0].title} and {other.title} are of different data; choose runs of the same data.")
    index = [held_out(run)["index"] for run in runs]
    common = index[0]
    for other in index[1:]:
        common = np.intersect1d(common, other)
    if len(common) < FEWEST:
        raise RunError(
            f"These runs share {len(common)} held-out rows, too few to compare; use the same split for all of them."
        )
    order = [np.argsort(i, kind="stable") for i in index]
    common = np.sort(common)
    return [o[np.searchsorted(i[o], common)] for i, o in zip(index, order, strict=True)]


def members_of(run: Run, rows: Int[np.ndarray, " n"]) -> list[Float[np.ndarray, "n d"]]:
    """Return the live latents of every good member on these rows of latents.npz."""
    latents = held_out(run)
    alive = alive_latents(latents)
    return [latents["mu_z"][m][rows][:, alive[m]].astype(float) for m in good_members(run) if alive[m].any()]


def pooled(runs: Sequence[Run]) -> list[Float[np.ndarray, "n d"]]:
    """Return the live latents of all good members of several runs on their common held-out rows.

    Raises:
        RunError: If there are fewer than two such members, or as for `common_rows`.
    """
    found = [z for run, rows in zip(runs, common_rows(runs), strict=True) for z in members_of(run, rows)]
    if len(found) < 2:
        raise RunError(
            "Agreement needs at least two members that are neither failed nor stuck and have a latent alive; give "
            "more seeds or more runs."
        )
    return found


def u_of(runs: Sequence[Run]) -> Shaped[np.ndarray, "n ..."] | None:
    """Return u on the common held-out rows, as codes or numbers; None if the data has none."""
    u = held_out(runs[0]).get("u")
    return None if u is None else u[common_rows(runs)[0]]
