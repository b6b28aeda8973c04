"""The interfaces of a prior and of a likelihood, and how a config names a class that is not part of the library.

A config names a class by its path, `package.module:Name`. It is imported only if the environment variable DVAE_PLUGINS
lists that path (several are separated by commas), because importing a module runs it. `dvae_core.testing` checks a
class against these contracts. Axes: p members, n examples; every parameter has a leading member axis.
"""

import importlib
import os
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from dvae_core.config import ConfigError
from dvae_core.model.posterior import Posterior

ALLOWED = "DVAE_PLUGINS"


@runtime_checkable
class Given(Protocol):
    """A prior at given u (or for every u): a distribution of z [p, n, d_z]."""

    def log_prob(self, z: Tensor) -> Tensor:
        """Log p(z_i|u) [p, n, d_z] in nats, with every constant: the sum over latents is log p(z|u)."""
        ...

    def kl_from(self, q: Posterior, z: Tensor) -> Tensor:
        """KL of each marginal of q from this, [p, n, d_z], exact or estimated at z ~ q: -q.entropy - log_prob(z)."""
        ...

    def newton(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Gradient of log p(z|u), and a positive precision: its negative second derivative, or a stand-in."""
        ...

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean and log variance, [p, n, d_z], or of any shape that broadcasts to it."""
        ...

    def sample(self, v: Tensor) -> Tensor:
        """Draws of z from v [p, n, d_z], independent and uniform on (0, 1)."""
        ...


@runtime_checkable
class Prior(Protocol):
    """A module made as `Name(p, d_z, d_u)`. Its parameters are its state, each with a leading member axis."""

    def __call__(self, u: Tensor | None) -> Given:
        """Return the distribution at u [p, n, d_u]: labels one-hot, numbers in the data's units; None without u."""
        ...

    def draw(self, member: int, generator: Any) -> None:
        """Draw one member's initial parameters from this generator alone."""
        ...


@runtime_checkable
class Likelihood(Protocol):
    """A module made as `Name(p, d_x)`. f [p, n, d_x] is the decoder's output; `second` is None unless outputs is 2."""

    outputs: int
    is_scaled: bool

    def log_prob(self, x: Tensor, f: Tensor, second: Tensor | None) -> Tensor:
        """Log p(x|z) [p, n] in nats, with every constant."""
        ...

    def mean(self, f: Tensor) -> Tensor:
        """E[x|z]."""
        ...

    def fisher(self, x: Tensor, f: Tensor, second: Tensor | None) -> tuple[Tensor, Tensor]:
        """The gradient of log p(x|z) in f, and the Fisher information of f, each [p, n, d_x]."""
        ...

    def in_noise_units(self, f: Tensor, second: Tensor | None) -> tuple[Tensor, float | None]:
        """A transform of f whose noise has a standard deviation of 1, and the mean noise std if x has one."""
        ...

    def start(self, x: Tensor) -> Tensor | None:
        """The initial f for training data x [n, d_x]; None means 0. Raises a ValueError if it cannot describe x."""
        ...


def named(path: str) -> Any:
    """Return the class that a config names by its path.

    Raises:
        ConfigError: If DVAE_PLUGINS does not list the path, or nothing is found there.
    """
    allowed = [part.strip() for part in os.environ.get(ALLOWED, "").split(",")]
    if path not in allowed:
        raise ConfigError(
            f"{path} is code that this computer is not allowed to run; if you trust it, set {ALLOWED}={path} and start "
            "again."
        )
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"{path} cannot be imported ({error}); write package.module:Name.") from error
