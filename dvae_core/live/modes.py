"""The modes of the explorer for a run, the members that they compare, and the points of its map."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from dvae_core.analysis.latents import factor_colours, held_out
from dvae_core.analysis.tables import member_table
from dvae_core.live.explorer import Cloud
from dvae_core.runs import Run

MODES = {
    "sliders": "Sliders",
    "pad": "Pad",
    "between": "Between two examples",
    "members": "All members",
    "twin": "Rotated twin",
    "betas": "All β",
}


def modes_of(run: Run) -> list[str]:
    """Return the modes that this run has: a pad needs two latents, a twin also p(z) = N(0, I)."""
    config = run.config
    two = config.model.latents > 1
    missing = {
        "pad": not two,
        "members": config.members < 2,
        "twin": not two or config.prior.kind != "standard",
        "betas": len(set(config.train.betas)) < 2,
    }
    return [mode for mode in MODES if not missing.get(mode)]


def population(run: Run, names: Sequence[str], row: int) -> list[dict[str, Any]]:
    """Return the explorer's `members`: name, beta, reconstruction, KL, and how each encodes one held-out row of x."""
    latents, table = held_out(run), member_table(run).reindex(columns=["beta", "recon", "kl"])
    row = latents["x_rows"][row]
    return [
        about | {"label": name, "kl_latent": kl, "mu": mu[row]}
        for about, name, kl, mu in zip(
            table.to_dict("records"), names, latents.get("kl_latent", [None] * len(names)), latents["mu_z"], strict=True
        )
    ]


def cloud(run: Run, member: int) -> Cloud:
    """Return the held-out rows of x as a member encodes them, coloured by their label of u or by fifths of a number."""
    latents = held_out(run)
    rows = latents["x_rows"]
    z = latents["mu_z"][member][rows]
    hue, names = factor_colours(run)
    if hue is None:
        return Cloud(z=z)
    hue = hue[rows]
    if run.about.get("has_labels"):
        return Cloud(z=z, hues=hue, labels=names)
    edges = np.unique(np.quantile(hue, (0.2, 0.4, 0.6, 0.8)))
    ends = [float(hue.min()), *edges.tolist(), float(hue.max())]
    labels = [f"{names[0]} {a:.3g} to {b:.3g}" for a, b in pairwise(ends)]
    return Cloud(z=z, hues=np.searchsorted(edges, hue), labels=labels, is_ordered=True)


def nearest(run: Run, member: int, z: Sequence[float]) -> int:
    """Return the held-out example (by its number among x) whose posterior mean is nearest to z."""
    latents = held_out(run)
    far = np.square(latents["mu_z"][member][latents["x_rows"]] - np.asarray(z, np.float32)).sum(1)
    return int(far.argmin())
