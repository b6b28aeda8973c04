"""Encode any rows of a data set with a run's encoder, in parts so that memory stays bounded."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dvae_core.config import Config
from dvae_core.data.dataset import Dataset
from dvae_core.model.vae import Vae
from dvae_core.runs import Run
from dvae_core.runs.data import matched
from dvae_core.training.checkpoint import load_vae

SCORED_ROWS = 20_000  # held-out rows used for scores, at most
NUMBERS_AT_ONCE = 4_000_000  # values of x times members: 16 MB as float32


def inputs(
    vae: Vae, dataset: Dataset, rows: np.ndarray, *, u_rows: np.ndarray | None = None
) -> tuple[Float[Tensor, "p n d_x"], Tensor | None]:
    """Return x of some rows, and u [p, n, d_u] if the model and the data have one, in the model's precision.

    Every member gets the same. `u_rows`: the rows whose u is used instead, if given.
    """
    dtype = vae.scaling.u_mean.dtype
    x = torch.from_numpy(dataset.x_float(rows)).to(dtype).expand(vae.p, -1, -1)
    if not vae.sizes.d_u or dataset.u is None:
        return x, None
    features = torch.from_numpy(dataset.features_of(dataset.u[rows if u_rows is None else u_rows])).to(dtype)
    return x, features.expand(vae.p, -1, -1)


def in_parts(
    vae: Vae, dataset: Dataset, rows: np.ndarray, *, u_rows: np.ndarray | None = None
) -> Iterator[tuple[int, Tensor, Tensor | None]]:
    """Iterate over the rows in parts: yield the position of a part's first row, and its `inputs`."""
    size = max(1, NUMBERS_AT_ONCE // (dataset.d_x * vae.p))
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        yield start, *inputs(vae, dataset, rows[part], u_rows=None if u_rows is None else u_rows[part])


@torch.no_grad()
def encode(
    vae: Vae, dataset: Dataset, rows: np.ndarray
) -> tuple[Float[np.ndarray, "p n d_z"], Float[np.ndarray, "p n d_z"]]:
    """Return means and standard deviations of q(z|x, u), which a gauss-newton posterior refines with x and u."""
    sees_u = needs_u(vae.config)
    q = [vae.encoder(x, u if sees_u else None) for _, x, u in in_parts(vae, dataset, rows)]
    return torch.cat([part.mu for part in q], 1).numpy(), torch.cat([part.var.sqrt() for part in q], 1).numpy()


@torch.no_grad()
def encoder_means(
    vae: Vae, dataset: Dataset, rows: np.ndarray, *, u_rows: np.ndarray | None = None
) -> Float[np.ndarray, "p n d_z"]:
    """Return the encoder's own means, before any refinement: e(x), or e(x, u) if the encoder sees u.

    `u_rows`: the rows whose u such an encoder is given instead, if given.
    """
    sees_u = vae.config.model.encoder == "xu"
    parts = in_parts(vae, dataset, rows, u_rows=u_rows)
    return torch.cat([vae.amortised(x, u if sees_u else None) for _, x, u in parts], 1).numpy()


def encode_only(run: Run, dataset: Dataset) -> dict[str, Float[np.ndarray, "p n d_z"]]:
    """Return mu_z and std_z of all rows of a data set, which need not be the one that the run was trained on.

    Columns and labels are matched by name, in any order.

    Raises:
        DataError: If the data has other columns than the run was trained on, or lacks the u its posterior needs.
    """
    vae = load_vae(run)
    dataset = matched(run, dataset, needs_u=needs_u(run.config))
    mu, std = encode(vae, dataset, np.arange(dataset.n))
    return {"mu_z": mu, "std_z": std}


def needs_u(config: Config) -> bool:
    """Whether the posterior of x cannot be computed without u."""
    refined = config.model.posterior == "gauss-newton" and config.is_conditional
    return config.model.encoder == "xu" or refined


def describe_codes(config: Config) -> str:
    """Describe the scored codes, and what the encoder and the refinement have seen."""
    seen = "x and u" if config.model.encoder == "xu" else "x"
    if config.model.posterior == "gauss-newton":
        by = "x and u" if config.is_conditional else "x"
        return f"posterior means, refined with {by}; the encoder alone sees {seen}"
    return f"posterior means, the encoder sees {seen}"
