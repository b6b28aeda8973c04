"""From the READMEs of ../shared/data: every folder and file in it, how it is read, and the shapes it has."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

SHARED = Path(__file__).parents[2] / "shared" / "data"


def shared(name: str) -> Path:
    """Return a file of the shared data; the test is skipped on a machine without it."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"shared/data/{name} is not beside this repository")
    return path


class Stated(NamedTuple):
    """A file or folder, what it is chosen from it, and the shapes stated of x, u and the factors z."""

    kind: str
    where: str
    how: dict[str, Any]
    x: tuple[int, int]
    u: tuple[int, ...] | None = None  # (rows,) for labels
    z: tuple[int, int] | None = None
    pictures: tuple[int, ...] | None = None  # (H, W) or (H, W, 3)


TABLE = [
    Stated("npz", "pixel-faces", {}, (6144, 12288), None, (6144, 6), (64, 64, 3)),
    Stated("npz", "dsprites-sample/dsprites_gif_frames.npz", {}, (320, 4096), pictures=(64, 64)),
    Stated("gif", "dsprites-sample/dsprites.gif", {}, (320, 4096), pictures=(64, 64)),
    Stated("npy", "pynapple-nwb-suite2p/F.npy", {"rows_are": "columns"}, (2000, 219)),
    Stated("suite2p", "pynapple-nwb-suite2p", {}, (2000, 20)),  # of 219 regions 20 are cells
    Stated("nwb", "pynapple-nwb-suite2p/A8604-211122.nwb", {"bin_s": 0.1}, (10874, 3)),  # 1,087.4 s
    Stated("idx", "mnist-t10k", {}, (10000, 784), (10000,), pictures=(28, 28)),
    Stated("idx", "fashion-mnist-t10k", {}, (10000, 784), (10000,), pictures=(28, 28)),
    Stated("arff", "eeg-eye-state", {}, (14980, 14), (14980,)),
    Stated("mat", "s1-reach", {"x": "spikes", "u": "vel"}, (35129, 52), (35129, 2)),
    Stated("mat", "stringer-format", {}, (300, 40), (300, 5)),
    Stated("mat", "case-studies/spikes-1.mat", {"bin_s": 0.1}, (1777, 1), (1777, 1)),  # 177,761 samples at 1 kHz
    Stated("mat", "case-studies/08_spikes-1.mat", {"bin_s": 0.1}, (300, 2)),  # 30 s
    Stated("mat", "case-studies/10_spikes-1.mat", {"x": "train", "u": "direction"}, (50, 2000), (50,)),
    Stated("mat", "case-studies/EEG-1.mat", {"x": "EEG"}, (1000, 10)),  # 10 channels; t has 1,000 times
    Stated("tracking", "hippocampus-linear", {"bin_s": 0.1}, (19824, 31), (19824, 2)),
    Stated("tracking", "hippocampus-linear/trajectory.videoPositionTracking", {}, (118965, 2)),
    Stated("celeba", "celeba-format/celeba", {"u": "Smiling"}, (24, 12288), (24,), pictures=(64, 64, 3)),
    Stated("celeba", "celeba-format/kaggle", {"u": "Smiling"}, (24, 12288), (24,), pictures=(64, 64, 3)),
    Stated("celeba", "celeba-format/img_align_celeba.zip", {"u": "Smiling"}, (24, 12288), (24,), pictures=(64, 64, 3)),
    Stated("images", "celeba-format/celeba/img_align_celeba", {}, (24, 12288), pictures=(64, 64, 3)),
]
