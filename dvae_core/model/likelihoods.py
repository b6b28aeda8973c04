"""p_theta(x|z): Gaussian, Bernoulli, Poisson. Log-densities are sums over x's dimensions, in nats per example."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

LOG_STD_MIN, LOG_STD_MAX = -6.0, 3.0  # relative to standardised x: a noise std below 0.25 % is not worth modelling


def gaussian(x: Float[Tensor, "p n d"], mu: Float[Tensor, "p n d"], log_std: Tensor) -> Float[Tensor, "p n"]:
    """Log N(x; mu, diag(std^2)); `log_std` broadcasts against x."""
    residual = (x - mu) * torch.exp(-log_std)
    return -(0.5 * residual.square() + log_std + 0.5 * math.log(2 * math.pi)).sum(-1)


def bernoulli(x: Float[Tensor, "p n d"], logit: Float[Tensor, "p n d"]) -> Float[Tensor, "p n"]:
    """Sum of x log s + (1 - x) log(1 - s), s = sigmoid(logit). For grey x a pseudo-likelihood, no density."""
    return -F.binary_cross_entropy_with_logits(logit, x, reduction="none").sum(-1)


def poisson(x: Float[Tensor, "p n d"], log_rate: Float[Tensor, "p n d"]) -> Float[Tensor, "p n"]:
    """Log Poisson(x; exp(log_rate)), the factorial included, so that ELBOs are true log-probabilities."""
    return (x * log_rate - torch.exp(log_rate) - torch.lgamma(x + 1)).sum(-1)


def bounded_log_std(raw: Tensor) -> Tensor:
    """Clamp a log standard deviation to the bounds above; outside them its gradient is 0."""
    return raw.clamp(LOG_STD_MIN, LOG_STD_MAX)
