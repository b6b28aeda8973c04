"""Shared by the benchmarks: CPU seconds measured in alternation, and a plain torch VAE to compare with."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that a script runs from any folder

from dvae_core.config import Config
from dvae_core.data.dataset import Dataset
from dvae_core.model.start import initialise
from dvae_core.model.vae import Vae
from dvae_core.training.checkpoint import sizes_of
from dvae_core.training.engine import Batches, Engine


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process (all threads) for one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def in_turn(sides: dict[str, Callable[[], object]], repeats: int) -> dict[str, np.ndarray]:
    """Return CPU seconds of every side, measured in alternation so that other load hits all alike."""
    taken = [[cpu_seconds(work) for work in sides.values()] for _ in range(repeats)]
    return dict(zip(sides, np.array(taken).T, strict=True))


def ratio(slow: np.ndarray, fast: np.ndarray, times: float = 1.0) -> str:
    """Return `times` slow / fast as text: the ratio of the quickest runs, and the median ratio over rounds."""
    return f"{times * slow.min() / fast.min():5.2f}x (median {np.median(times * slow / fast):.2f}x)"


def engine_for(config: Config, dataset: Dataset) -> Engine:
    """Return the engine that `train` uses, initialised as `train` does, on the CPU."""
    vae = Vae(config, sizes_of(dataset))
    initialise(vae, torch.from_numpy(dataset.x_float()))
    return Engine(vae, Batches(dataset, np.arange(dataset.n), vae, torch.device("cpu")))


def run_engine(config: Config, dataset: Dataset, steps: int | None = None) -> None:
    """Start a population and train it, by default for all its epochs."""
    engine = engine_for(config, dataset)
    for step in range(engine.steps if steps is None else steps):
        engine.step(step)


class TutorialVae(nn.Module):
    """A VAE as in a tutorial: an encoder, a decoder, a diagonal posterior; Gaussian x with one learned noise."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.log_std = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """The negative ELBO of a batch."""
        mu, logvar = self.encoder(x).chunk(2, -1)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        squares = (x - self.decoder(z)).square().flatten(1).sum(-1)
        recon = -0.5 * squares * torch.exp(-2 * self.log_std) - x[0].numel() * self.log_std
        kl = 0.5 * (torch.exp(logvar) + mu.square() - 1 - logvar).sum(-1)
        return (kl - recon).mean()


def run_tutorial(model: nn.Module, x: Tensor, batch: int, epochs: int, lr: float = 1e-3) -> None:
    """Train it as in a tutorial: a shuffling DataLoader, default Adam, one number recorded per epoch."""
    loader = DataLoader(TensorDataset(x), batch_size=batch, shuffle=True, drop_last=True)
    optimiser = torch.optim.Adam(model.parameters(), lr=lr)
    for _ in range(epochs):
        total = 0.0
        for (rows,) in loader:
            optimiser.zero_grad()
            loss = model(rows)
            loss.backward()
            optimiser.step()
            total += loss.detach()
        float(total / len(loader))
