"""Rules that choose the settings that a recipe leaves open, each with the measurement behind it."""

import numpy as np

from dvae_core.axes import evenly
from dvae_core.config import ConvNet, GaussianLikelihood, MlpNet, ModelConfig, Prior, StandardPrior
from dvae_core.data.dataset import Dataset

HAVE_RULES = ("gap", "latents", "likelihood", "posterior", "net", "preprocess", "epochs", "batch", "lr", "optimiser")


def is_binary(dataset: Dataset) -> bool:
    """Whether the first 1,000 rows of x contain only 0 and 1."""
    values = dataset.x_float(np.arange(min(1000, dataset.n)))
    return bool(((values == 0) | (values == 1)).all())


def default_latents(dataset: Dataset) -> int:
    """As many as known factors; otherwise as many as x has components above chance, 2 to 10; 10 for pictures.

    Measured (`components_above_chance`): 2 for two factors in ten noisy columns, where the default was 10; 5 for five
    factors in 50 dimensions, with and without noise; 8 for 52 neurons of S1. Up to five columns may each be a factor
    that no other shows, so x with so few gets as many latents as columns. Pixels share hundreds of components.
    """
    if dataset.z is not None:
        return dataset.z.shape[1]
    if dataset.x_shape is not None or dataset.d_x <= 5:
        return min(10, dataset.d_x)
    return min(max(dataset.components, 2), 10)


def default_likelihood(dataset: Dataset) -> str:
    """Counts are Poisson, black-and-white pictures Bernoulli, all other data Gaussian.

    Grey pictures are not Bernoulli: that pseudo-likelihood is so flat on them that beta = 4 kills every latent of the
    digits.
    """
    if dataset.is_counts:
        return "poisson"
    return "bernoulli" if dataset.x_shape is not None and is_binary(dataset) else "gaussian"


def default_noise(dataset: Dataset, model: ModelConfig) -> GaussianLikelihood:
    """Noise is learned: a single number, or with gauss-newton one number per dimension of whitened x.

    One number per dimension scores MCC .989 instead of .985 on five factors without noise, and .857 instead of .821
    with noise of a tenth of x's standard deviation. For pictures the noise is fixed at 0.2 of the grey scale, so that
    the weight of the KL against the squared error is always beta * 2 * 0.2^2: learned noise would change with beta.
    """
    if dataset.x_shape is not None:
        return GaussianLikelihood(noise="fixed", std=0.2)
    whitened = model.posterior == "gauss-newton" and not is_lifted(dataset, model)
    return GaussianLikelihood(noise="dimension" if whitened else "scalar")


def default_posterior(dataset: Dataset, prior: Prior | None = None) -> str:
    """A diagonal posterior for pictures; gauss-newton for data with u or a prior over time; a full one for other data.

    On seven worlds that were not used for tuning, gauss-newton scores an average MCC of .91 and full scores .84.
    Gauss-newton is better on six of them (docs/recovery.md) but takes four to ten times as long. Beyond 500 columns its
    Jacobians are large, so the posterior stays full. With a prior over time, two factors score .99 and .93.
    """
    if dataset.x_shape is not None:
        return "diagonal"
    breaks = dataset.u is not None or not isinstance(prior, StandardPrior | None)
    return "gauss-newton" if breaks and dataset.d_x <= 500 else "full"


def default_net(dataset: Dataset, model: ModelConfig) -> MlpNet | ConvNet:
    """Pictures get relu nets, convolutional from 32 x 32 pixels on; other data gets xtanh nets.

    With gauss-newton the encoder is twice as wide as the decoder. That costs little compared with the Jacobians, and
    raises the MCC of the encoder's own e(x) by .007.
    """
    refined = model.posterior == "gauss-newton"
    if dataset.x_shape is None:
        return MlpNet(hidden=48, encoder_hidden=96) if refined else MlpNet()
    sides = dataset.x_shape[:2]
    halves = dataset.d_x >= 32 * 32 and len(sides) == 2 and all(side % 16 == 0 for side in sides)
    return ConvNet() if halves and not refined else MlpNet(hidden=128, activation="relu")


def default_preprocess(dataset: Dataset, model: ModelConfig) -> str:
    """Pictures are centred, lifted data is standardised, other Gaussian data of up to 500 dimensions is whitened.

    Pixels share a unit, so scaling border pixels up would amplify noise. Whitening lifted data scales thin directions,
    which hold noise and curvature, up to 1: five factors in 10 dimensions then scored MCC .61 instead of .97.
    """
    if dataset.x_shape is not None and not model.likelihood.is_count:
        return "centre"
    whiten = isinstance(model.likelihood, GaussianLikelihood) and dataset.d_x <= 500 and not is_lifted(dataset, model)
    return "whiten" if whiten else "standardise"


def default_steps(dataset: Dataset, model: ModelConfig) -> float | int:
    """3,000 steps. With gauss-newton 750 per latent, a quarter more for lifted data, 2.5 times if u changes means of x.

    If u changes the means, five factors score MCC .99, and .89 with half the steps. Five factors lifted to 50
    dimensions score .954 with the extra quarter and its learning rate, and .904 without.
    """
    if model.posterior != "gauss-newton":
        return 3000
    factor = 2.5 if u_moves_means(dataset) else 1.25 if is_lifted(dataset, model) else 1
    return 750 * model.latents * factor


def default_epochs(dataset: Dataset, model: ModelConfig, batch: int) -> int:
    """The number of epochs that gives the default number of steps, at least 10 and at most 400."""
    return int(min(max(default_steps(dataset, model) * batch // dataset.n, 10), 400))


def default_batch(dataset: Dataset, model: ModelConfig) -> int:
    """256 rows, or 128 with gauss-newton. For small data a tenth of the rows, but at least 16."""
    return min(128 if model.posterior == "gauss-newton" else 256, max(16, dataset.n // 10))


def default_lr(dataset: Dataset, model: ModelConfig) -> float:
    """2e-3 for pictures; 5e-3 for other data; with gauss-newton 1e-2, and 1.5e-2 for lifted data (`default_steps`)."""
    if dataset.x_shape is not None:
        return 2e-3
    if model.posterior != "gauss-newton":
        return 5e-3
    return 1.5e-2 if is_lifted(dataset, model) else 1e-2


def default_optimiser(dataset: Dataset, model: ModelConfig) -> str:
    """Muon with gauss-newton, where it halves the remaining error. Adam for everything else and for pictures."""
    return "muon" if model.posterior == "gauss-newton" and dataset.x_shape is None else "adam"


def is_lifted(dataset: Dataset, model: ModelConfig) -> bool:
    """Whether a gauss-newton model has fewer latents than x has dimensions."""
    return model.posterior == "gauss-newton" and dataset.d_x > model.latents


def u_moves_means(dataset: Dataset) -> bool:
    """Whether a linear map of u explains more than a tenth of the variance of x.

    The share is .001 if u changes only the variances of five factors, and .6 if it also changes their means. In the
    second case an iVAE needs several times as many steps to find its axes.
    """
    u = dataset.u_features()
    if u is None:
        return False
    rows = evenly(dataset.n, 20_000)
    x, u = dataset.x_float(rows).astype(float), u[rows].astype(float)
    x, u = x - x.mean(0), u - u.mean(0)
    rest = x - u @ np.linalg.lstsq(u, x, rcond=None)[0]
    return bool(rest.var(0).sum() < 0.9 * x.var(0).sum())
