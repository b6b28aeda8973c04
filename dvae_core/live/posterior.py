"""Interactive posteriors of two latents: the exact one, and the Gaussians that approximate it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from dvae_core.analysis.posterior.record import Posteriors
from dvae_core.live import arrays

SHOWN = 0.9  # of the examples fit into the enlarged panel; the others reach beyond it
SIGMAS = 2.2  # to each side in the enlarged panel: ellipses are drawn at one and two standard deviations


@dataclass(frozen=True, eq=False, kw_only=True)
class PosteriorState:
    """The content of the component.

    Attributes:
        found: The record of a member.
        x: [n, d_x] of the record's examples. They are drawn, and can be pointed at, if d_x is 2.
        x_names: Names of x's dimensions.
        x_mean: [n, 2], mu_x(z) at the mean of each exact posterior; shown, with `x_cov`, beside x.
        x_cov: [2, 2], Sigma_x.
        q_name: The name of the run's own q.
        given: What the latents are given: "x", or "x, u".
        autoplay: Go from example to example until someone touches it (never with reduced motion).
    """

    found: Posteriors
    x: Any = None
    x_names: Sequence[str] = ()
    x_mean: Any = None
    x_cov: Any = None
    q_name: str = "q of this run"
    given: str = "x"
    autoplay: bool = True

    def data(self) -> dict[str, Any]:
        """Return what posterior.js takes: JSON, its arrays packed.

        Raises:
            ValueError: If x does not have one row for each example, or a number is not finite.
        """
        found = self.found
        n = len(found.rows)
        x = None if self.x is None else np.asarray(self.x, np.float32)
        if x is not None and len(x) != n:
            raise ValueError(f"x must have {n} rows, one for each example; it has {len(x)}.")
        drawn = {
            "mean": found.mean, "cov": _three(found.cov), "q_mean": found.q_mean, "q_cov": _three(found.q_cov),
            "var_diagonal": found.var_diagonal, "loss_q": found.loss_q, "loss_diagonal": found.loss_diagonal,
        }  # fmt: skip
        if not all(np.isfinite(values).all() for values in drawn.values()):
            raise ValueError("A posterior is not finite; compute the record again.")
        widest = np.sqrt(np.maximum(found.cov, found.q_cov).diagonal(axis1=1, axis2=2).max(1))
        return {name: arrays.packed(np.asarray(values, np.float32)) for name, values in drawn.items()} | {
            "x": arrays.packed(x) if x is not None and x.shape[1] == 2 else None,
            "x_mean": None if self.x_mean is None else arrays.packed(np.asarray(self.x_mean, np.float32)),
            "x_cov": None if self.x_cov is None else _three(np.asarray(self.x_cov)[None])[0].tolist(),
            "x_names": arrays.texts([*self.x_names, "x1", "x2"][:2] if len(self.x_names) >= 2 else ["x1", "x2"]),
            "q_name": self.q_name,
            "given": self.given,
            "reach": SIGMAS * float(np.quantile(widest, SHOWN)),
            "path": _path(found.mean),
            "autoplay": self.autoplay,
        }


def _three(cov: Float[np.ndarray, "n 2 2"]) -> Float[np.ndarray, "n 3"]:
    """Return the entries 11, 12 and 22 of symmetric matrices."""
    return np.stack([cov[:, 0, 0], cov[:, 0, 1], cov[:, 1, 1]], axis=1)


def _path(points: Float[np.ndarray, "n 2"]) -> list[int]:
    """Return an order of the points in which each is followed by the nearest one that is left."""
    left, order = set(range(1, len(points))), [0]
    while left:
        here = points[order[-1]]
        order.append(min(left, key=lambda k: float(np.square(points[k] - here).sum())))
        left.remove(order[-1])
    return order
