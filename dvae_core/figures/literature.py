"""The information of each latent about each factor: the matrix behind MIG and related scores."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Real

from dvae_core.figures.style import NUMBERS, filled, finish, join

NOTHING = 0.03  # of a factor's entropy


def factor_map(
    share: Real[np.ndarray, "d_z d_hat"],
    factors: Sequence[str] = (),
    *,
    latents: Sequence[str] = (),
    height: int | None = None,
) -> go.Figure:
    """Draw how much of each factor's entropy each latent holds, and write the number into the cell.

    Args:
        share: I(latent; factor) / H(factor), 0 to 1.
        factors: Names of the rows.
        latents: Names of the columns.
        height: In pixels; None for 34 per factor.
    """
    d_z, d_hat = share.shape
    factors, latents = filled(factors, d_z, "s"), filled(latents, d_hat, "z")
    fig = go.Figure(
        go.Heatmap(
            z=100 * share, x=latents, y=factors, colorscale=NUMBERS, zmin=0, zmax=max(50.0, 100 * float(share.max())),
            texttemplate="%{z:.0f}", colorbar={"title": "%", "thickness": 12},
            hovertemplate="%{x} holds %{z:.1f} % of %{y}<extra></extra>",
        )
    )  # fmt: skip
    fig.update_xaxes(title="latent", showgrid=False)
    fig.update_yaxes(autorange="reversed", showgrid=False)
    ordered = np.sort(share, axis=1)[:, ::-1]
    second = ordered[:, 1] if d_hat > 1 else np.zeros(d_z)
    clear = [f for f, a, b in zip(factors, ordered[:, 0], second, strict=True) if a > 0.1 and a > 2 * b]
    found = f"One latent stands out for {', '.join(clear)}" if clear else "No factor has a latent of its own"
    # shares are biased upwards by a few hundredths, alike in every cell: a value not above the least cell means nothing
    lost = [f for f, a in zip(factors, ordered[:, 0], strict=True) if a < share.min() + NOTHING]
    found += f"; none holds {', '.join(lost)}" if lost else ""
    return finish(
        fig, found, join("% of a factor's entropy that each latent holds", "a row with one bright cell is MIG's ideal"),
        height=height or 130 + 34 * d_z, line=84,
    )  # fmt: skip
