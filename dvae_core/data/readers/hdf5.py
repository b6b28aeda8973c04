"""HDF5 files (.h5, .hdf5): any arrays, and what MATLAB 7.3 and NWB files are made of.

Files are opened by h5py in a process of their own (`hdf5_child.py`): damaged ones end that process, not the app.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.readers import grids, hdf5_child
from dvae_core.data.readers.common import Ask, Variable, check_budget, describe
from dvae_core.data.readers.recordings import Part, Recording, dataset

PATIENCE_S = 30.0  # for one answer, or one part of an array; honest files take a fraction of a second
MEMORY = 3 * 2**29  # address space of the child; the arrays of an honest file pass through it in blocks
MAX_RATIO = 2000  # HDF5's compression reaches 1,032 to 1: more is a claim, not data


class File:
    """An HDF5 file, opened in a process of its own; to be used in a `with`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._late = False

    def __enter__(self) -> "File":
        one_thread = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
        self._process = subprocess.Popen(
            [sys.executable, hdf5_child.__file__, str(self.path.absolute()), str(MEMORY)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, **one_thread},
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # what was still to be said to a process that is no more
                if pipe:
                    pipe.close()
        self._process.wait()

    def tree(self, *, matlab: bool = False) -> dict[str, dict[str, Any]]:
        """Return what the file holds, by path: shape, dtype, stored bytes and a few attributes."""
        found = self._ask(ask="tree", matlab=matlab)["found"]
        for name, item in found.items():
            shape = item.get("shape")
            item["shape"] = None if shape is None else tuple(int(side) for side in shape)
            if shape is not None and min(item["shape"], default=0) < 0:
                raise self._damaged(f"{name} has a negative shape")
        return found

    def numbers(self, name: str, shape: tuple[int, ...], dtype: str, part: Part = Part()) -> np.ndarray:  # noqa: B008
        """Return the numbers of a dataset whose shape the tree said; the caller has checked the budget."""
        kept = None if part.kept is None else part.kept.tolist()
        expected = list(shape)
        if kept is not None:
            expected[part.axis] = len(kept)
        head = self._ask(ask="numbers", name=name, axis=part.axis, kept=kept)
        try:
            kind = np.dtype(head["dtype"])
        except TypeError as error:
            raise self._damaged("a type is unknown") from error
        if head["shape"] != expected or kind.name != dtype:
            raise self._damaged(f"{name} is not what it seemed")
        out = np.empty(expected, kind)
        view = memoryview(out.reshape(-1).view(np.uint8))  # pyright: ignore[reportArgumentType]
        while len(view):
            with self._in_time():
                got = self._process.stdout.readinto(view[: 2**24])  # type: ignore[union-attr]
            if not got:
                raise self._damaged("reading it fails" if not self._late else "it takes too long to read")
            view = view[got:]
        return out

    def texts(self, name: str) -> np.ndarray:
        """Return the texts of a dataset."""
        return np.array([str(text) for text in self._ask(ask="texts", name=name)["texts"]])

    def _ask(self, **question: Any) -> dict[str, Any]:
        line = b""
        with self._in_time():
            try:
                self._process.stdin.write(json.dumps(question).encode() + b"\n")  # type: ignore[union-attr]
                self._process.stdin.flush()  # type: ignore[union-attr]
                line = self._process.stdout.readline(2**26)  # type: ignore[union-attr]
            except OSError:  # it ended without a word: so did the file's chance
                pass
        try:
            answer = json.loads(line)
        except ValueError as error:
            raise self._damaged("it takes too long" if self._late else "the HDF5 library fails on it") from error
        if "refused" in answer:
            raise DataError(f"{self.path.name} is refused: {answer['refused']}; save plain arrays in one file.")
        if "error" in answer:
            raise self._damaged(answer["error"])
        return answer

    def _in_time(self) -> "_InTime":
        return _InTime(self)

    def _damaged(self, reason: str) -> DataError:
        reason = reason.replace(". ", ": ").rstrip(".")[:160]
        return DataError(f"{self.path.name} is damaged or not an HDF5 file ({reason}); copy or save it again.")

    def end_late(self) -> None:
        """End the process because it took too long."""
        self._late = True
        self._process.kill()


class _InTime:
    """Ends the process of a file if what is done within takes longer than PATIENCE_S."""

    def __init__(self, file: File) -> None:
        self.timer = threading.Timer(PATIENCE_S, file.end_late)
        self.timer.daemon = True

    def __enter__(self) -> None:
        self.timer.start()

    def __exit__(self, *_: object) -> None:
        self.timer.cancel()


def check_claim(path: Path, name: str, item: Mapping[str, Any]) -> None:
    """Refuse a dataset that says it holds far more than the file does."""
    size = prod(item["shape"]) * max(1, np.dtype(item["dtype"]).itemsize)
    if size > 2**26 and size > MAX_RATIO * max(1, item["stored"]):
        raise DataError(
            f"{path.name} says {name} takes {size:,} bytes but holds only {item['stored']:,}; it is cut off or "
            "damaged, so copy it again."
        )


def inspect(path: Path) -> list[Variable]:
    """List the arrays of a file by their paths (group/name)."""
    with File(path) as file:
        return _recording(file).variables


def read(path: Path, ask: Ask) -> Dataset:
    """Read arrays of a file, by default x (or imgs, images), u (or label, labels) and z, else the largest as x."""
    with File(path) as file:
        return dataset(_recording(file), ask)


def _recording(file: File) -> Recording:
    found = file.tree()
    variables, opaque = [], {}
    for name, item in found.items():
        if item.get("group"):
            opaque[name] = "a group"
        elif not item["shape"] or item["dtype"] in ("other", "reference"):
            opaque[name] = f"an HDF5 dataset of {'one value' if item['shape'] == () else 'another kind'}"
        elif item["dtype"] == "str":
            variables.append(Variable(name, item["shape"], "str", "label"))
        else:
            variables.append(describe(name, item["shape"], item["dtype"]))
            if item.get("unit"):
                variables[-1] = Variable(*list(vars(variables[-1]).values())[:4], note=item["unit"])

    def load(parts: Mapping[str, Part]) -> dict[str, Any]:
        return {name: load_one(file, name, found[name], part) for name, part in parts.items()}

    shapes = {variable.name: variable.shape for variable in variables}
    for pictures, factors in (("imgs", "latents/values"), ("images", "labels")):
        names = grids.names_of(shapes.get(pictures, ()), shapes.get(factors, ()))
        if names:
            return Recording(
                file.path, variables, load, opaque=opaque, x=(pictures,), z=(factors,), columns={factors: names},
                licence=grids.LICENCES[names],
            )  # fmt: skip
    return Recording(file.path, variables, load, opaque=opaque)


def load_one(file: File, name: str, item: Mapping[str, Any], part: Part) -> np.ndarray:
    """Return one dataset of the tree, or its rows `kept`."""
    if item["dtype"] == "str":
        texts = file.texts(item.get("at", name))
        return texts if part.kept is None else texts[part.kept]
    check_claim(file.path, name, item)
    return file.numbers(item.get("at", name), item["shape"], item["dtype"], part)


__all__ = ["File", "check_budget", "check_claim", "inspect", "load_one", "read"]
