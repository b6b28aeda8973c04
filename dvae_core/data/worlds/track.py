"""A real recording that ships with the software: place cells of a rat on a linear track."""

from pathlib import Path
from typing import Literal

import numpy as np

import dvae_core
from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.worlds.world import World
from dvae_core.settings import settings

FILE = Path(dvae_core.__file__).parent / "examples" / "rat-track.npz"  # beside its licence, ATTRIBUTION.md


@settings
class TrackData:
    """31 units of rat CA1 on a linear track: spike counts in 1,953 bins of 100 ms while it runs; u is the position."""

    kind: Literal["track"] = "track"


def track() -> Dataset:
    """Return the recording; `benchmarks/recordings.py` (`hippocampus`) made its file from the published one.

    Raises:
        DataError: If the file is missing.
    """
    if not FILE.is_file():
        raise DataError("The recording of the track is missing from the installation; install the software again.")
    with np.load(FILE, allow_pickle=False) as stored:
        x, u, time = stored["x"], stored["u"], stored["time"]
    return Dataset(
        name="Rat on a track",
        x=x,
        u=u,
        x_names=tuple(f"unit {i + 1}" for i in range(x.shape[1])),
        u_names=("position x", "position y"),
        rate_hz=10.0,
        index=time,  # seconds: no window crosses a rest
        meta={
            "source": "nelpy example data, linear-track: github.com/nelpy/example-data",
            "licence": "MIT, copyright (c) 2017 nelpy",
            "subset": "bins of 100 ms with at least one spike, in which the rat moves faster than 50 pixels a second",
        },
    )


WORLD = World(
    "track",
    TrackData,
    lambda data: track(),
    lambda data: "rat on a track",
    "A real recording: 31 units of rat CA1 on a linear track, spike counts in 1,953 bins of 100 ms while it runs. "
    "u is the position, in pixels of the camera. The true factors are unknown.",
)
