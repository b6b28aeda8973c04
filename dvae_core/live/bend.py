"""The bend as an interactive figure: turn the axes, and each idea's curve shows how many nats of log p that costs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from dvae_core.live import arrays


@dataclass(frozen=True, eq=False, kw_only=True)
class Slider:
    """A dial of an idea.

    Attributes:
        name: Its name.
        value: Where it starts.
        low: Lowest value.
        high: Highest value.
        step: Distance of neighbouring values.
        stops: The only values that it can have; empty for all between `low` and `high`.
        labels: The text written in place of each stop.
    """

    name: str
    value: float | int
    low: float | int = 0.0
    high: float | int = 1.0
    step: float | int = 0.05
    stops: Sequence[float | int] = ()
    labels: Sequence[str] = ()

    def data(self) -> dict[str, Any]:
        """Return what bend.js takes.

        Raises:
            ValueError: If the value is out of range, or is no stop, or there is not one label per stop.
        """
        known = self.value in self.stops if self.stops else self.low <= self.value <= self.high
        if not known or len(self.labels) not in (0, len(self.stops)):
            raise ValueError(f"{self.name}: {self.value:g} is not one of its values, or it has not one label per stop.")
        return {
            "name": self.name, "min": self.low, "max": self.high, "step": self.step, "value": float(self.value),
            "stops": [float(stop) for stop in self.stops], "labels": arrays.texts(self.labels),
        }  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class Idea:
    """One curve: an assumption that may determine the axes.

    Attributes:
        name: In the list.
        says: What it claims; shown only while the curve bends.
        kind: "pairs" (two sliders, the coefficients) and "segments" (one slider, the strength of u) are closed forms,
            as in `dvae_core.identify.bend`; "grid" has one curve for each combination of its sliders' stops.
        role: Its colour.
        dash: Lengths of dashes and gaps in pixels; empty for a full line.
        sliders: Its dials.
        mean: For "segments": the means of the factors, a row for each u.
        std: Their deviations.
        angles: For "grid": degrees.
        nats: One curve for each combination of stops; the last slider varies fastest.
        error: Standard errors, like nats; None for a closed form.
    """

    name: str
    says: str
    kind: Literal["pairs", "segments", "grid"]
    role: str
    dash: Sequence[float | int] = ()
    sliders: Sequence[Slider] = ()
    mean: Any = None
    std: Any = None
    angles: Any = ()
    nats: Any = None
    error: Any = None

    def data(self) -> dict[str, Any]:
        """Return what bend.js takes.

        Raises:
            ValueError: If the sliders or arrays do not fit the kind.
        """
        shared = {
            "name": self.name, "says": self.says, "kind": self.kind, "role": self.role,
            "dash": [float(d) for d in self.dash], "sliders": [slider.data() for slider in self.sliders],
        }  # fmt: skip
        if self.kind == "grid":
            combinations = int(np.prod([len(slider.stops) for slider in self.sliders], dtype=int))
            shape = (combinations, len(self.angles))
            nats = _table("nats", self.nats, shape)
            error = None if self.error is None else _table("error", self.error, shape)
            return shared | {"angles": [float(a) for a in self.angles], "nats": nats, "error": error}
        needed = 2 if self.kind == "pairs" else 1
        if len(self.sliders) != needed:
            raise ValueError(f"{self.name}: {self.kind} needs {needed} sliders; it has {len(self.sliders)}.")
        if self.kind == "pairs":
            return shared
        shape = np.shape(self.mean)
        return shared | {"mean": _table("mean", self.mean, shape), "std": _table("std", self.std, shape)}


@dataclass(frozen=True, eq=False, kw_only=True)
class BendState:
    """The content of the component.

    Attributes:
        ideas: The curves, in the order of the list.
        angle: Degrees, where it starts.
        autoplay: Let the axes turn slowly until someone touches them (never with reduced motion).
    """

    ideas: Sequence[Idea] = field(default=())
    angle: float | int = 0.0
    autoplay: bool = True

    def dials(self) -> list[float]:
        """Return the angle and the values of all sliders, in order."""
        return [float(self.angle), *(float(slider.value) for idea in self.ideas for slider in idea.sliders)]

    def data(self) -> dict[str, Any]:
        """Return what bend.js takes: JSON.

        Raises:
            ValueError: If an idea is not complete.
        """
        ideas = [idea.data() for idea in self.ideas]
        return {"ideas": ideas, "dials": self.dials(), "rev": 1, "autoplay": self.autoplay}


def _table(name: str, values: Any, shape: tuple[int, ...]) -> list[list[float]]:
    table = np.asarray(values, float).reshape(shape) if np.size(values) == np.prod(shape) else np.empty(0)
    if table.ndim != 2 or not np.isfinite(table).all():
        raise ValueError(f"{name} must be {' times '.join(map(str, shape))} finite numbers; got {np.shape(values)}.")
    rows: Any = table.tolist()
    return rows
