"""Posterior means of any rows of a data set under a run's encoder, a part at a time."""

import numpy as np
import torch

from dvae_core.config import Config
from dvae_core.data.dataset import DataError, Dataset
from dvae_core.model.vae import Vae
from dvae_core.rng import generator
from dvae_core.runs import Run
from dvae_core.training.checkpoint import load_vae

SCORED_ROWS = 20_000  # held-out rows that scores look at, at most


@torch.no_grad()
def encode(vae: Vae, dataset: Dataset, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return means of the posterior and of the encoder alone [p, n, d_z], and mean (recon, kl, kl_1..) [p, 2 + d_z]."""
    u = dataset.u_features() if vae.sizes.d_u else None
    mu, own, parts, size = [], [], [], max(1, 4_000_000 // (dataset.d_x * vae.p))
    for start in range(0, len(rows), size):
        chosen = rows[start : start + size]
        x = torch.from_numpy(dataset.x_float(chosen)).expand(vae.p, -1, -1)
        ub = None if u is None else torch.from_numpy(u[chosen]).expand(vae.p, -1, -1)
        eps = torch.stack([
            torch.randn(len(chosen), vae.config.model.latents, generator=generator(s, "score", start))
            for s in vae.config.train.seeds
        ])  # fmt: skip
        bound = vae.elbo(x, ub, eps)
        mu.append(vae.encode(x, ub).mu)
        own.append(vae.amortised(x, ub))
        parts.append(torch.cat([bound.recon[..., None], bound.kl[..., None], bound.kl_latent], -1))
    return torch.cat(mu, 1).numpy(), torch.cat(own, 1).numpy(), torch.cat(parts, 1).double().mean(1).numpy()


def encode_only(run: Run, dataset: Dataset) -> dict[str, np.ndarray]:
    """Return mu_z and std_z [p, n, d_z] of a data set's rows under a run's encoder.

    A gauss-newton posterior is refined with the data's u where the prior is conditional.

    Raises:
        DataError: If the data has other columns than the run was trained on, or lacks the u its posterior needs.
    """
    vae = load_vae(run)
    if dataset.d_x != vae.sizes.d_x:
        raise DataError(
            f"The run reads {vae.sizes.d_x} columns of x and this data has {dataset.d_x}; choose the same ones."
        )
    u = None
    if needs_u(run.config):
        features = dataset.u_features()
        if features is None or features.shape[1] != vae.sizes.d_u:
            raise DataError(f"This run's posterior needs u with {vae.sizes.d_u} values; the data does not have it.")
        u = torch.from_numpy(features)
    mu, std = [], []
    with torch.no_grad():
        for rows in np.array_split(np.arange(dataset.n), max(1, dataset.n * dataset.d_x * vae.p // 4_000_000)):
            x = torch.from_numpy(dataset.x_float(rows)).expand(vae.p, -1, -1)
            q = vae.encode(x, None if u is None else u[rows].expand(vae.p, -1, -1))
            mu.append(q.mu)
            std.append(q.var.sqrt())
    return {"mu_z": torch.cat(mu, 1).numpy(), "std_z": torch.cat(std, 1).numpy()}


def needs_u(config: Config) -> bool:
    """Whether the posterior of x cannot be found without u."""
    refined = config.model.posterior == "gauss-newton" and config.is_conditional
    return config.model.encoder == "xu" or refined


def describe_codes(config: Config) -> str:
    """Return what the scored codes are, and what the encoder and the refinement have seen."""
    seen = "x and u" if config.model.encoder == "xu" else "x"
    if config.model.posterior == "gauss-newton":
        by = "x and u" if config.is_conditional else "x"
        return f"posterior means, refined with {by}; the encoder alone sees {seen}"
    return f"posterior means, the encoder sees {seen}"
