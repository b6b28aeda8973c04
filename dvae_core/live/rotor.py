"""A dial that rotates the latents: the prior's density stays, the data stay, what each latent means does not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dvae_core.live import arrays

MOST_POINTS = 5000


@dataclass(frozen=True, eq=False, kw_only=True)
class RotorState:
    """The content of a rotor: linked panels of z, z~ = M z and x = f(z) = f(M^T z~).

    M = R @ base with R = [[cos a, -sin a], [sin a, cos a]] in the plane (i, j), on column vectors.

    Attributes:
        points: [n, d] latents (prior samples, or posterior means); thinned evenly to 5,000 rows.
        member: The member of the population that decodes.
        hues: [n] integer codes that colour the points; None colours them by the quadrant of the plane.
        hue_labels: Names of the codes.
        x_points: [n, 2] data of the same rows, for d_x = 2; None decodes the points.
        x_names: Names of the d_x dimensions.
        angle: Degrees, where it starts. Another angle than in the run before turns it there.
        limit: Largest angle: 360 is a full circle, 90 a quarter dial.
        plane: The two latents (0-based) that turn.
        base: [d, d] orthogonal map in front of the rotation (a reflection, a permutation), or None.
        twin: Decode through the rotated twin; False shows the latents alone and needs no plan.
        strips: Traversals of the two rotated latents under the panels. False: one row beside the panels, the height of
            a projector's screen.
        reach: The strips run from -reach to reach.
        autoplay: Let the dial turn slowly until someone touches it (never with reduced motion).
    """

    points: Any
    member: int = 0
    hues: Any = None
    hue_labels: Sequence[str] = ()
    x_points: Any = None
    x_names: Sequence[str] = ()
    angle: float = 0.0
    limit: float = 360.0
    plane: tuple[int, int] = (0, 1)
    base: Any = None
    twin: bool = True
    strips: bool = True
    reach: float = 3.0
    autoplay: bool = False

    def data(self, plan: dict[str, Any] | None) -> dict[str, Any]:
        """Return what rotor.js takes: JSON, its arrays packed.

        Args:
            plan: `tree` of dvae_core.export.plan.decoder_plan; None with twin=False.

        Raises:
            ValueError: If a size does not fit the plan, a number is not finite, or base is not orthogonal.
        """
        if self.twin and plan is None:
            raise ValueError("twin=True decodes through f(M^T z~) and needs a plan; pass one, or twin=False.")
        table = np.asarray(self.points, np.float32)
        d = plan["d_z"] if plan is not None else (table.shape[1] if table.ndim == 2 else 2)
        table = arrays.rows_of("points", table, d)
        if len(table) == 0:
            raise ValueError("points is empty; give at least one latent vector.")
        i, j = self.plane
        if i == j or not (0 <= i < d and 0 <= j < d):
            raise ValueError(f"plane must be two different latents among 0 to {d - 1}; it is {tuple(self.plane)}.")
        rows = arrays.thinned(len(table), MOST_POINTS)
        none = {"plan": None, "d_z": d, "d_x": 0, "x_shape": None, "likelihood": None, "member": 0}
        return {
            **(none if plan is None else arrays.about(plan, self.member)),
            "points": arrays.packed(table[rows]),
            "hues": None if self.hues is None else _codes(self.hues, len(table))[rows].tolist(),
            "hue_labels": arrays.texts(self.hue_labels),
            "x_points": arrays.packed(self._x_points(plan, rows, len(table))),
            "x_names": arrays.texts(self.x_names),
            "angle": min(max(float(self.angle), 0.0), float(self.limit)),
            "rev": 1,
            "limit": float(self.limit),
            "plane": [int(i), int(j)],
            "base": None if self.base is None else _orthogonal(self.base, d),
            "twin": self.twin,
            "strips": self.twin and self.strips,
            "reach": float(self.reach),
            "autoplay": self.autoplay,
        }

    def _x_points(self, plan: dict[str, Any] | None, rows: np.ndarray, n: int) -> np.ndarray | None:
        is_plane = self.twin and plan is not None and plan["d_x"] == 2 and not plan["x_shape"]
        if not is_plane or self.x_points is None:
            return None
        table = arrays.rows_of("x_points", self.x_points, 2)
        if len(table) != n:
            raise ValueError(f"x_points must have the {n} rows of points; it has {len(table)}.")
        return table[rows]


def _codes(hues: Any, n: int) -> np.ndarray:
    codes = np.asarray(hues)
    if codes.shape != (n,) or not np.issubdtype(codes.dtype, np.integer) or codes.min() < 0:
        raise ValueError(
            f"hues must be {n} integer codes from 0 up; their type is {codes.dtype}, their shape {list(codes.shape)}."
        )
    return codes


def _orthogonal(base: Any, d: int) -> list[float]:
    M = np.asarray(base, np.float64)
    if M.shape != (d, d) or not np.allclose(M.T @ M, np.eye(d), atol=1e-6):
        raise ValueError(f"base must be an orthogonal {d} x {d} matrix; M^T M is not the identity.")
    return [float(v) for v in M.ravel()]
