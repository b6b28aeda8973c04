"""How much faster is one population of p members than p lone models trained one after another, as people write it?

The other side: plain torch.nn modules of the same sizes and loss, a DataLoader, one Adam each. Same data, batch and
epochs, one thread, CPU seconds of this process. Prints one ratio for each p.

    python benchmarks/population.py
"""

import time

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from dvae_core import recipes
from dvae_core.config import SourcesData
from dvae_core.models import Vae, initialise
from dvae_core.train import Batches, Flat, Sums, sizes_of

DATA = SourcesData(segments=5, per_segment=1000)
HIDDEN, BATCH, EPOCHS = 64, 64, 2


class Plain(nn.Module):
    """A VAE as in a tutorial: the same layers, diagonal posterior, learned noise."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(d, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 2 * d)
        )
        self.decoder = nn.Sequential(
            nn.Linear(d, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, d)
        )
        self.log_std = nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The negative ELBO of a batch."""
        mu, log_std = self.encoder(x).chunk(2, -1)
        z = mu + torch.exp(log_std) * torch.randn_like(mu)
        recon = (
            torch.distributions.Normal(self.decoder(z), torch.exp(self.log_std), validate_args=False)
            .log_prob(x)
            .sum(-1)
        )
        kl = 0.5 * (torch.exp(2 * log_std) + mu.square() - 1 - 2 * log_std).sum(-1)
        return -(recon - kl).mean()


def plain_seconds(x: torch.Tensor, members: int) -> float:
    """CPU seconds to train `members` plain models one after another."""
    start = time.process_time()
    for seed in range(members):
        torch.manual_seed(seed)
        model = Plain(x.shape[1])
        optimiser = torch.optim.Adam(model.parameters(), fused=True)
        for _ in range(EPOCHS):
            for (batch,) in DataLoader(TensorDataset(x), batch_size=BATCH, shuffle=True, drop_last=True):
                optimiser.zero_grad()
                model(batch).backward()
                optimiser.step()
    return time.process_time() - start


def population_seconds(members: int) -> float:
    """CPU seconds to train the same members as one population."""
    dataset = recipes.dataset_of(DATA)
    config = recipes.for_dataset(
        DATA, dataset, "vae", members=members, posterior="diagonal", batch=BATCH, epochs=EPOCHS
    )
    start = time.process_time()
    vae = Vae(config, sizes_of(dataset))
    initialise(vae, torch.from_numpy(dataset.x_float()))
    batches = Batches(dataset, np.arange(dataset.n), config, torch.device("cpu"))
    flat, norm = Flat(vae), torch.zeros(members)
    optimiser, sums = torch.optim.Adam([flat.tensor], fused=True), Sums(members, 2, torch.device("cpu"))
    for step in range(EPOCHS * batches.steps_per_epoch):
        x, u, eps = batches.at(step)
        bound = vae.elbo(x, u, eps)
        flat.backward(-(bound.recon - bound.kl).mean(1).sum())
        flat.clip_each_member(norm)
        optimiser.step()
        sums.add(bound)
    return time.process_time() - start


def main() -> None:
    """Print the ratios."""
    torch.set_num_threads(1)
    x = torch.from_numpy(recipes.dataset_of(DATA).x_float())
    plain_seconds(x, 1), population_seconds(1)  # imports and caches
    lone = plain_seconds(x, 8) / 8
    for members in (1, 8, 32):
        ours = population_seconds(members)
        print(
            f"p = {members:2d}: {members * lone:6.2f} s one after another, {ours:6.2f} s as a population: "
            f"{members * lone / ours:.1f}x"
        )


if __name__ == "__main__":
    main()
