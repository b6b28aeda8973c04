"""Speed against pythae 0.1.2's VAE and BetaVAE: the same nets, likelihood, batch and epochs, each with its own trainer.

One ReLU layer in the encoder and one in the decoder (512 units are pythae's default; dvae_core adds linear paths),
Bernoulli pixels, batch 64, 100 epochs (pythae's default; 20 for pictures), one thread. Times are CPU seconds, measured
in alternation, and include the files, held-out bounds and checkpoints that each trainer writes. Each ratio is printed
with its upper limit: what it would be if dvae_core did nothing but the nets' matrix products, at the speed of the
product alone. It takes six minutes. pythae is not a requirement of this project: `pip install -r
benchmarks/requirements.txt`, preferably into a separate environment.

    python benchmarks/against_pythae.py
"""

import dataclasses
import functools
import logging
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["TQDM_DISABLE"] = "1"  # read when tqdm is imported, and torch does that: no side draws a bar

import numpy as np
import torch
from population import discs
from timing import in_turn, ratio

from dvae_core import recipes, runs
from dvae_core.config import DigitsData, MlpNet
from dvae_core.data.dataset import Dataset
from dvae_core.data.load import dataset_of
from dvae_core.training import train as training

try:
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, BetaVAE, BetaVAEConfig, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig
except ImportError:
    print("pythae is not installed, so nothing was compared; benchmarks/requirements.txt names what is needed.")
    raise SystemExit(0) from None

BATCH, LATENTS, BETA = 64, 10, 4.0
logging.disable(logging.INFO)
training.choose_threads = lambda *_: 1  # both sides have one


class Encoder(BaseEncoder):
    """pythae's default encoder, with any number of units."""

    def __init__(self, d: int, hidden: int) -> None:
        super().__init__()
        self.hidden = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(d, hidden), torch.nn.ReLU())
        self.embedding, self.log_var = torch.nn.Linear(hidden, LATENTS), torch.nn.Linear(hidden, LATENTS)

    def forward(self, x: torch.Tensor) -> ModelOutput:
        """Return mean and log variance."""
        h = self.hidden(x)
        return ModelOutput(embedding=self.embedding(h), log_covariance=self.log_var(h))


class Decoder(BaseDecoder):
    """pythae's default decoder, with any number of units."""

    def __init__(self, shape: tuple[int, ...], hidden: int) -> None:
        super().__init__()
        self.shape = shape
        self.net = torch.nn.Sequential(
            torch.nn.Linear(LATENTS, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, int(np.prod(shape))),
            torch.nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, z: torch.Tensor) -> ModelOutput:
        """Return the picture."""
        return ModelOutput(reconstruction=self.net(z).unflatten(1, self.shape))


def pythae_trains(x: np.ndarray, kind: str, hidden: int, epochs: int) -> None:
    """Train one of pythae's models with its trainer."""
    shared = {"input_dim": x.shape[1:], "latent_dim": LATENTS, "reconstruction_loss": "bce"}
    nets = {"encoder": Encoder(int(np.prod(x.shape[1:])), hidden), "decoder": Decoder(x.shape[1:], hidden)}
    model = VAE(VAEConfig(**shared), **nets) if kind == "vae" else BetaVAE(BetaVAEConfig(beta=BETA, **shared), **nets)
    with tempfile.TemporaryDirectory() as folder:
        config = BaseTrainerConfig(
            output_dir=folder, num_epochs=epochs, per_device_train_batch_size=BATCH, learning_rate=1e-3, no_cuda=True
        )
        rows = BaseDataset(torch.from_numpy(x), torch.ones(len(x)))
        BaseTrainer(model, train_dataset=rows, training_config=config).train()


def dvae_core_trains(dataset: Dataset, kind: str, hidden: int, epochs: int, members: int) -> None:
    """Train a population of the same models, as `train` does."""
    config = recipes.for_dataset(
        DigitsData(), dataset, "vae" if kind == "vae" else "beta-vae", beta=BETA, members=members, latents=LATENTS,
        likelihood="bernoulli", posterior="diagonal", batch=BATCH, epochs=epochs, device="cpu",
    )  # fmt: skip
    net = MlpNet(hidden=hidden, depth=1, activation="relu")
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, net=net))
    with tempfile.TemporaryDirectory() as folder:
        for _ in training.train(runs.create(Path(folder) / "run", config), dataset):
            pass


def least_seconds(d: int, hidden: int, members: int, steps: int) -> float:
    """CPU seconds of the products alone: two passes through the first layer's weights, three through the others'."""
    taken = 0.0
    for d_in, d_out, passes in ((d, hidden, 2), (hidden, 2 * LATENTS, 3), (LATENTS, hidden, 3), (hidden, d, 3)):
        h, w = torch.rand(members, BATCH, d_in), torch.rand(members, d_in, d_out)
        out = torch.empty(members, BATCH, d_out)
        times = []
        for _ in range(20):
            start = time.process_time()
            torch.bmm(h, w, out=out)
            times.append(time.process_time() - start)
        taken += passes * min(times)
    return steps * taken


def main() -> None:
    """Print the ratios."""
    torch.set_num_threads(1)
    digits, pictures = dataset_of(DigitsData()), discs(1280)
    for what, dataset, hidden, kind, epochs, repeats in (
        ("digits", digits, 512, "vae", 100, 2),
        ("digits", digits, 512, "beta-vae", 100, 1),
        ("digits", digits, 64, "vae", 100, 3),
        ("digits", digits, 64, "beta-vae", 100, 2),
        ("64 x 64 pictures", pictures, 512, "vae", 20, 1),
        ("64 x 64 pictures", pictures, 64, "vae", 20, 2),
    ):
        x = dataset.x_float().reshape(-1, 1, *(dataset.x_shape or ()))
        # the same rows per epoch on both sides: dvae_core holds out a fifth and skips a last batch that is not full
        steps = epochs * ((dataset.n - dataset.n // 5) // BATCH)
        x = x[: steps // epochs * BATCH]
        sides: dict[str, Callable[[], object]] = {
            "pythae": functools.partial(pythae_trains, x, kind, hidden, epochs),
            "1": functools.partial(dvae_core_trains, dataset, kind, hidden, epochs, 1),
            "8": functools.partial(dvae_core_trains, dataset, kind, hidden, epochs, 8),
        }
        if repeats > 1:  # imports and caches
            in_turn({k: v for k, v in sides.items() if k != "8"}, 1)
        seconds = in_turn(sides, repeats)
        took = seconds["pythae"]
        most = [p * took.min() / least_seconds(x[0].size, hidden, p, steps) for p in (1, 8)]
        print(
            f"{what}, {hidden} units, {kind}: pythae {steps * BATCH / took.min() / 1e3:.1f} k rows/s; one model "
            f"{ratio(took, seconds['1'])}, at most {most[0]:.1f}x; "
            f"eight {ratio(took, seconds['8'], 8)}, at most {most[1]:.1f}x",
            flush=True,
        )


if __name__ == "__main__":
    main()
