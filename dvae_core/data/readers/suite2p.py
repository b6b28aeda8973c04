"""Folders of Suite2p: F.npy, Fneu.npy and spks.npy (regions x frames), and iscell.npy, which marks the cells."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.data.dataset import DataError
from dvae_core.data.readers.arrays import header_of
from dvae_core.data.readers.common import Ask, reading
from dvae_core.data.readers.model import Part, Recording, Variable

TRACES = {"spks": "deconvolved", "F": "fluorescence", "Fneu": "neuropil"}


def folder_of(path: Path) -> Path | None:
    """Return the folder with the arrays: this one, or its suite2p/plane0 or plane0."""
    for place in (path, path / "plane0", path / "suite2p" / "plane0"):
        if (place / "iscell.npy").is_file() and any((place / f"{name}.npy").is_file() for name in TRACES):
            return place
    return None


def recording(path: Path, ask: Ask) -> Recording:
    """Return traces: rows are frames, columns are the regions that iscell.npy marks as cells. By default x is spks.

    NAME of all has every region. ops.npy, which knows the rate, is a pickle and stays closed: state the rate.
    """
    folder = folder_of(path)
    if folder is None:
        raise DataError(f"{path.name} has no iscell.npy with F.npy or spks.npy; give the plane0 folder of Suite2p.")
    names = [name for name in TRACES if (folder / f"{name}.npy").is_file()]
    shapes = {name: header_of(folder / f"{name}.npy").shape for name in [*names, "iscell"]}
    if len(shapes["iscell"]) != 2 or {len(shape) for shape in shapes.values()} != {2}:
        raise DataError(f"The arrays of {path.name} do not all have regions and frames; save them again.")
    with reading(folder / "iscell.npy"):
        cells = np.asarray(np.load(folder / "iscell.npy", allow_pickle=False)[:, 0]) == 1
    regions = shapes["iscell"][0]
    if any(shapes[name][0] != regions for name in names):
        raise DataError(f"iscell.npy of {path.name} has {regions:,} regions, but the traces have others.")
    if not cells.any():
        raise DataError(f"iscell.npy of {path.name} calls no region a cell; choose 'F of all'.")
    variables = []
    for name in names:
        frames = shapes[name][1]
        note = f"{TRACES[name]}, {cells.sum():,} cells by frames"
        variables.append(Variable(name, (int(cells.sum()), frames), "float32", "matrix", note, ("unit", "time")))
        variables.append(Variable(f"{name} of all", (regions, frames), "float32", "matrix", "also what is no cell",
                                  ("unit", "time")))  # fmt: skip

    def load(parts: Mapping[str, Part]) -> dict[str, Any]:
        arrays = {}
        for name, part in parts.items():
            file = folder / f"{name.removesuffix(' of all')}.npy"
            with reading(file):
                traces = np.load(file, allow_pickle=False, mmap_mode="r")
                traces = traces if name.endswith(" of all") else traces[cells]
                arrays[name] = np.array(traces if part.kept is None else traces.take(part.kept, part.axis), np.float32)
        return arrays

    return Recording(
        path, variables, load, x=(names[0],), axes={v.name: 1 for v in variables},
        meta={"format": "Suite2p", "cells": f"{cells.sum():,} of {regions:,} regions, by iscell.npy",
              "axes": "regions by frames in the file, turned so that rows are frames"},
    )  # fmt: skip
