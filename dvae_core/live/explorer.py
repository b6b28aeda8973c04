"""Sliders over latents whose picture, plane or bars follow every move: what is shown and moved."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dvae_core.live import arrays, snippet
from dvae_core.live.loss import Loss
from dvae_core.metrics import DEAD_NATS

MOST_POINTS = 5000
MOST_ENCODED = 2000
Mode = Literal["sliders", "pad", "between", "members", "twin", "betas"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Cloud:
    """Encoded data: points in the pad, and in a map beside the sliders. A click on one goes to it in all latents.

    Attributes:
        z: [n, d_z], thinned evenly to 2,000 rows.
        hues: [n] codes 0..K-1, which colour the points.
        labels: K names of the codes.
        is_ordered: Whether the codes have an order (bins of a number): they get shades in place of hues.
    """

    z: Any
    hues: Any = None
    labels: Sequence[str] = ()
    is_ordered: bool = False

    @property
    def rows(self) -> np.ndarray:
        """The rows that are kept."""
        return arrays.thinned(len(self.z), MOST_ENCODED)


@dataclass(frozen=True, eq=False, kw_only=True)
class ExplorerState:
    """The content of an explorer.

    What is drawn depends on the plan: a picture (x_shape), a point in a plane with the curve that the latent moved last
    sweeps (d_x = 2), otherwise bars, or a raster of rates for counts. Below it is a filmstrip of all latents.

    Attributes:
        latents: What to show, in this order: {"index": 0-based, "label": "z1", "kl": nats or None, "dead": bool}.
        member: The member of the population that decodes.
        lo: Left end of the sliders, one number or d_z numbers by index.
        hi: Right end.
        z0: [d_z], where it starts and where Reset goes; None is the prior mean, 0. Another z0 than in the run before
            moves the sliders there.
        reference: x [d_x] in the model's units, drawn beside what is decoded (pictures: with the difference).
        background: [n, 2] data for the plane, thinned evenly to 5,000 rows. With as many rows as the cloud, a click
            on a point goes to where it is encoded.
        x_names: Names of the d_x dimensions.
        autoplay: Let the first latent sweep slowly until someone touches it (never with reduced motion).
        filmstrip: Show the filmstrip.
        mode: "sliders": one per latent. "pad": two latents at once. "between": the straight line between two
            examples. "members": the sliders move every member, side by side. "twin": the sliders move the original and
            its twin f(M^T z), with a slider for the angle. "betas": one slider over the members by their beta.
        cloud: Encoded data.
        ends: For "between": (z [d_z], x [d_x]) of example A and of example B.
        members: For "members" and "betas", one for each member of the plan: {"label": "seed 0"}, and for "betas" also
            "beta", "recon", "kl" (nats or None), "kl_latent" [d_z], "mu" [d_z] of the reference or None.
        plane: For "twin": the two latents (0-based) that turn.
        loss: Of the reference; two bars then follow z and beta.
        run_id: The run's id. With it the export buttons appear; "Copy as Python" makes the picture again.
    """

    latents: Sequence[Mapping[str, Any]]
    member: int = 0
    lo: Any = -3.0
    hi: Any = 3.0
    z0: Any = None
    reference: Any = None
    background: Any = None
    x_names: Sequence[str] = ()
    autoplay: bool = False
    filmstrip: bool = True
    mode: Mode = "sliders"
    cloud: Cloud | None = None
    ends: Sequence[tuple[Any, Any]] | None = None
    members: Sequence[Mapping[str, Any]] = ()
    plane: tuple[int, int] | None = None
    run_id: str | None = None
    loss: Loss | None = None

    def data(self, plan: dict[str, Any]) -> dict[str, Any]:
        """Return what explorer.js takes: JSON, its arrays packed.

        Args:
            plan: `tree` of dvae_core.export.plan.decoder_plan.

        Raises:
            ValueError: If a size does not fit the plan or a number is not finite.
        """
        d_z, d_x = plan["d_z"], plan["d_x"]
        start = arrays.latent("z0", [0.0] * d_z if self.z0 is None else self.z0, d_z)
        latents = [_latent(row, d_z) for row in self.latents]
        lo, hi = _ends("lo", self.lo, d_z), _ends("hi", self.hi, d_z)
        self._check(plan, latents, lo, hi)
        reference = None if self.reference is None else arrays.rows_of("reference", [self.reference], d_x)
        snippets = None if self.run_id is None else snippet.of(self.run_id, plan, self.mode, self.plane)
        return {
            **arrays.about(plan, self.member),
            "latents": latents,
            "lo": lo,
            "hi": hi,
            "z": start,
            "z0": start,
            "rev": 1,
            "side": {},
            "reference": arrays.packed_x(plan, reference),
            "x_names": arrays.texts(self.x_names),
            "loss": self.loss.data() if self.loss and self.mode in {"sliders", "betas"} else None,
            "autoplay": self.autoplay,
            "filmstrip": self.filmstrip,
            "mode": self.mode,
            **self._points(plan),
            "ends": [_end(plan, *end) for end in self.ends] if self.ends and self.mode == "between" else None,
            "members": [_member(row, d_z) for row in self.members] if self.mode in {"members", "betas"} else [],
            "plane": list(self.plane) if self.plane and self.mode == "twin" else None,
            "code": snippets,
            "name": self.run_id or "latents",
        }

    def _points(self, plan: dict[str, Any]) -> dict[str, Any]:
        """Return the cloud and the background: thinned alike where a point of one is a point of the other."""
        cloud = self.cloud if self.mode in {"sliders", "pad", "twin"} else None
        encoded = None if cloud is None else arrays.rows_of("cloud", cloud.z, plan["d_z"])
        background = self.background if plan["d_x"] == 2 else None
        is_paired = encoded is not None and background is not None and len(background) == len(encoded)
        if background is not None:
            background = arrays.rows_of("background", background, 2, most=None if is_paired else MOST_POINTS)
        hues: list[int] | None = None
        if cloud is not None and encoded is not None:
            encoded = encoded[cloud.rows]
            hues = None if cloud.hues is None else [int(code) for code in np.asarray(cloud.hues)[cloud.rows]]
            background = background[cloud.rows] if is_paired and background is not None else background
        return {
            "cloud": arrays.packed(encoded),
            "background": arrays.packed(background),
            "paired": is_paired,
            "hues": hues,
            "hue_labels": arrays.texts(cloud.labels if cloud else ()),
            "hues_ordered": cloud is not None and cloud.is_ordered,
        }

    def _check(self, plan: dict[str, Any], latents: list[dict[str, Any]], lo: list[float], hi: list[float]) -> None:
        if not latents:
            raise ValueError("latents is empty; list at least one latent to put on a slider.")
        for row in latents:
            i = row["index"]
            if not lo[i] < hi[i]:
                raise ValueError(f"lo must lie below hi; {row['label']} has {lo[i]} and {hi[i]}.")
        rows, plane = len(self.members), self.plane
        population = (rows == plan["members"], f"a row for each of {plan['members']} members; there are {rows}")
        has_plane = plane is not None and plane[0] != plane[1] and all(0 <= i < plan["d_z"] for i in plane)
        needs = {
            "pad": (len(latents) >= 2, f"at least 2 latents; there are {len(latents)}"),
            "between": (self.ends is not None and len(self.ends) == 2, "two ends, (z, x) of A and of B"),
            "members": population,
            "betas": population,
            "twin": (has_plane, f"a plane of two different latents among 0 to {plan['d_z'] - 1}; it is {plane}"),
        }
        is_met, need = needs.get(self.mode, (True, ""))
        if not is_met:
            raise ValueError(f"mode={self.mode!r} needs {need}.")


def _end(plan: dict[str, Any], z: Any, x: Any) -> dict[str, Any]:
    x_row = arrays.rows_of("x of an end", [x], plan["d_x"])
    return {"z": arrays.latent("z of an end", z, plan["d_z"]), "x": arrays.packed_x(plan, x_row)}


def _member(row: Mapping[str, Any], d_z: int) -> dict[str, Any]:
    mu, given = row.get("mu"), row.get("kl_latent")
    kl = [_known(value) or 0.0 for value in ([0.0] * d_z if given is None else given)]
    return {
        "label": str(row["label"]),
        "beta": float(row.get("beta", 1.0)),
        "recon": _known(row.get("recon")),
        "kl": _known(row.get("kl")),
        "kl_latent": kl,
        "dead": [given is not None and value < DEAD_NATS for value in kl],
        "mu": None if mu is None else arrays.latent("mu of a member", mu, d_z),
    }


def _known(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)  # JSON has no NaN


def _latent(row: Mapping[str, Any], d_z: int) -> dict[str, Any]:
    index = int(row["index"])
    if not 0 <= index < d_z:
        raise ValueError(f"A latent's index must be 0 to {d_z - 1}; it is {index}.")
    label = str(row.get("label", f"z{index + 1}"))
    return {"index": index, "label": label, "kl": _known(row.get("kl")), "dead": bool(row.get("dead"))}


def _ends(name: str, value: Any, d_z: int) -> list[float]:
    return arrays.latent(name, value if hasattr(value, "__len__") else [value] * d_z, d_z)
