"""Folders of Suite2p: F.npy, Fneu.npy and spks.npy (regions x frames) of every plane; iscell.npy marks the cells.

ops.npy and stat.npy are pickles and stay closed. The frame rate is in ops.npy, so the user has to state it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.data.dataset import DataError
from dvae_core.data.readers.arrays import header_of
from dvae_core.data.readers.common import ReadOptions, check_budget, reading
from dvae_core.data.readers.model import Part, Recording, Variable, labels_of

TRACES = {"spks": "deconvolved", "F": "fluorescence", "Fneu": "neuropil"}
MAX_PLANES = 100


@dataclass(frozen=True)
class _Plane:
    folder: Path
    cells: np.ndarray  # mask of its regions
    frames: int

    def trace(self, name: str, every: bool, frames: int) -> np.ndarray:
        """Return traces [regions, frames] of its cells, or of every region."""
        file = self.folder / f"{name}.npy"
        with reading(file):
            traces = np.load(file, allow_pickle=False, mmap_mode="r")[:, :frames]
            return np.array(traces if every else traces[self.cells], np.float32)


def planes_of(path: Path) -> list[Path]:
    """Return the plane folders in order: this folder if it is one, or all of plane0 .. planeN in it or its suite2p."""
    if _is_plane(path):
        return [path]
    for place in (path, path / "suite2p"):
        if place.is_dir():
            named = [(int(m[1]), f) for f in place.iterdir() if (m := re.fullmatch(r"plane(\d{1,4})", f.name))]
            planes = [folder for _, folder in sorted(named) if _is_plane(folder)]
            if planes:
                return planes[:MAX_PLANES]
    return []


def _is_plane(folder: Path) -> bool:
    return (folder / "iscell.npy").is_file() and any((folder / f"{name}.npy").is_file() for name in TRACES)


def recording(path: Path, options: ReadOptions) -> Recording:
    """Return the traces of all planes side by side: rows are frames, columns the regions marked as cells.

    By default x is spks. NAME of all has every region. With several planes, columns are called plane/region, and
    `plane` can choose among them (--area plane0).
    """
    folders = planes_of(path)
    if not folders:
        raise DataError(f"{path.name} has no iscell.npy with F.npy or spks.npy; give the plane0 folder of Suite2p.")
    names = [name for name in TRACES if all((folder / f"{name}.npy").is_file() for folder in folders)]
    if not names:
        raise DataError(f"The planes of {path.name} have no kind of trace in common; give one plane folder.")
    planes = [_plane(path, folder, names) for folder in folders]
    frames = min(plane.frames for plane in planes)
    cells, regions = sum(int(p.cells.sum()) for p in planes), sum(len(p.cells) for p in planes)
    if not cells:
        raise DataError(f"iscell.npy of {path.name} marks no region as a cell; choose 'F of all'.")
    where = f" of {len(planes)} planes" if len(planes) > 1 else ""
    variables = []
    for name in names:
        note = f"{TRACES[name]}, {cells:,} cells{where} by frames"
        variables.append(Variable(name, (cells, frames), "float32", "matrix", note, ("unit", "time")))
        note = "also regions that are not cells"
        variables.append(Variable(f"{name} of all", (regions, frames), "float32", "matrix", note, ("unit", "time")))
    columns: dict[str, tuple[str, ...]] = {}
    if len(planes) > 1:
        for v in variables:
            columns[v.name] = _titles(planes, every=v.name.endswith(" of all"))
        variables.append(Variable("plane", (cells,), "str", "label", "of each cell", ("unit",), role="unit"))

    def load(parts: Mapping[str, Part]) -> dict[str, Any]:
        check_budget(
            path, 4 * frames * sum(regions if n.endswith("all") else cells for n in parts), options.budget_bytes
        )
        arrays: dict[str, Any] = {}
        for name, part in parts.items():
            if name == "plane":
                arrays[name] = labels_of([p.folder.name for p in planes for _ in range(int(p.cells.sum()))])
                continue
            every = name.endswith(" of all")
            traces = np.concatenate([p.trace(name.removesuffix(" of all"), every, frames) for p in planes])
            arrays[name] = traces if part.kept is None else traces.take(part.kept, part.axis)
        return arrays

    return Recording(
        path, variables, load, x=(names[0],), axes={v.name: 1 for v in variables if v.name != "plane"},
        columns=columns, notes=_notes(planes, frames),
        meta={"format": "Suite2p", "cells": f"{cells:,} of {regions:,} regions{where}, by iscell.npy",
              "axes": "regions by frames in the file, turned so that rows are frames"},
    )  # fmt: skip


def _plane(path: Path, folder: Path, names: Sequence[str]) -> _Plane:
    shapes = {name: header_of(folder / f"{name}.npy").shape for name in [*names, "iscell"]}
    if len(shapes["iscell"]) != 2 or {len(shape) for shape in shapes.values()} != {2} or not shapes["iscell"][1]:
        raise DataError(f"The arrays of {path.name} do not all have regions and frames; save them again.")
    regions = shapes["iscell"][0]
    if len({shapes[name] for name in names}) > 1 or any(shapes[name][0] != regions for name in names):
        raise DataError(f"iscell.npy of {path.name} has {regions:,} regions, but the traces have others.")
    with reading(folder / "iscell.npy"):
        cells = np.asarray(np.load(folder / "iscell.npy", allow_pickle=False)[:, 0]) == 1
    return _Plane(folder, cells, shapes[names[0]][1])


def _titles(planes: Sequence[_Plane], *, every: bool) -> tuple[str, ...]:
    return tuple(
        f"{p.folder.name}/{region}"
        for p in planes
        for region in (range(len(p.cells)) if every else p.cells.nonzero()[0])
    )


def _notes(planes: Sequence[_Plane], frames: int) -> tuple[str, ...]:
    if len(planes) == 1:
        return ()
    longer = [f"{p.folder.name} has {p.frames:,}" for p in planes if p.frames > frames]
    cut = f"planes cut to the {frames:,} frames that all have ({', '.join(longer[:4])})" if longer else ""
    lag = "planes are imaged one after the other, so cells of one row are up to a frame apart in time"
    return (cut, lag) if cut else (lag,)
