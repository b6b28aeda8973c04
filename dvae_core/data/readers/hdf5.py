"""HDF5 files (.h5, .hdf5) with any arrays; also the basis of the MATLAB 7.3 and NWB readers.

h5py opens each file in a separate process (`hdf5_child.py`): a damaged file ends that process, not the app.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.data.dataset import DataError
from dvae_core.data.readers import grids, hdf5_child
from dvae_core.data.readers.common import ReadOptions, check_budget, kept_open, unique
from dvae_core.data.readers.model import FULL_CIRCLE, Labels, Part, Recording, Variable, describe, unreadable

PATIENCE_S = 30.0  # for one answer, or one part of an array; honest files need a fraction of a second
MEMORY = 3 * 2**29  # address space of the child; arrays of an honest file pass through it in blocks
ALL = Part()
MAX_RATIO = 2000  # HDF5's compression reaches 1,032 to 1: a file that claims more is damaged


class File:
    """An HDF5 file, opened in a separate process; use it in a `with` statement."""

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
        self.close()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # unsent output to a process that has ended
                if pipe:
                    pipe.close()
        self._process.wait()

    def tree(self, *, matlab: bool = False) -> dict[str, dict[str, Any]]:
        """Return the content of the file by path: shape, dtype, stored bytes and a few attributes."""
        found = self._ask(ask="tree", matlab=matlab)["found"]
        for name, item in found.items():
            shape = item.get("shape")
            item["shape"] = None if shape is None else tuple(int(side) for side in shape)
            if shape is not None and min(item["shape"], default=0) < 0:
                raise self._damaged(f"{name} has a negative shape")
        return found

    def numbers(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: str,
        part: Part = ALL,
        field: str = "",
    ) -> np.ndarray:
        """Return the numbers of a dataset (or a field of it), with the shape from the tree and the budget checked."""
        kept = None if part.kept is None else part.kept.tolist()
        expected = list(shape)
        if kept is not None:
            expected[part.axis] = len(kept)
        head = self._ask(ask="numbers", name=name, axis=part.axis, kept=kept, field=field)
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
            except OSError:  # the process ended without an answer: the file cannot be read
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
    """End the file's process if the body takes longer than PATIENCE_S."""

    def __init__(self, file: File) -> None:
        self.timer = threading.Timer(PATIENCE_S, file.end_late)
        self.timer.daemon = True

    def __enter__(self) -> None:
        self.timer.start()

    def __exit__(self, *_: object) -> None:
        self.timer.cancel()


def check_claim(path: Path, name: str, item: Mapping[str, Any]) -> None:
    """Refuse a dataset that claims to hold far more than the file does."""
    size = prod(item["shape"]) * max(1, np.dtype(item["dtype"]).itemsize)
    if size > 2**26 and size > MAX_RATIO * max(1, item["stored"]):
        raise DataError(
            f"{path.name} says {name} takes {size:,} bytes but holds only {item['stored']:,}; it is cut off or "
            "damaged, so copy it again."
        )


def recording(path: Path, options: ReadOptions) -> Recording:
    """Return the arrays of a file by path (group/name). By convention: x, u and z, and AnnData's and 10x's matrix.

    Data that other tools store in several pieces becomes one variable: sparse matrices (CSR, CSC), pandas data frames,
    categories, packed numbers (scale_factor, add_offset, _FillValue) and the columns of tables.
    """
    with kept_open(File(path).__enter__()) as file:
        return _recording(file, options)


def _recording(file: File, options: ReadOptions) -> Recording:
    found = file.tree()
    made = _Made(file, found, options)
    made.compound()
    for name, item in found.items():
        if item.get("group") and name not in made.used:
            made.group(name, item)
    for name, item in found.items():
        if not any(name == done or name.startswith(f"{done}/") for done in made.used):
            made.dataset(name, item)
    made.genes()
    shapes = {v.name: v.shape for v in made.variables}
    more: dict[str, Any] = {}
    for pictures, factors in (("imgs", "latents/values"), ("images", "labels")):
        names = grids.names_of(shapes.get(pictures, ()), shapes.get(factors, ()))
        if names:
            made.columns[factors] = names
            more = {"x": (pictures,), "z": (factors,), "licence": grids.LICENCES[names]}
    x = more.get("x") or made.x
    return Recording(
        file.path, made.variables, made.load, groups=made.groups, columns=made.columns, axes=made.axes,
        why_x=made.why if x == made.x else "", close=file.close, notes=tuple(made.notes), **{"x": made.x, **more},
    )  # fmt: skip


class _Made:
    """The variables of a file as they are assembled, and how each is loaded."""

    def __init__(self, file: File, found: Mapping[str, dict[str, Any]], options: ReadOptions) -> None:
        self.file, self.found, self.options = file, found, options
        self.variables: list[Variable] = []
        self.loaders: dict[str, Callable[[Part], Any]] = {}
        self.groups: dict[str, str] = {}
        self.columns: dict[str, tuple[str, ...]] = {}
        self.axes: dict[str, int] = {}
        self.used: set[str] = set()
        self.notes: list[str] = []
        self.x: tuple[str, ...] = ()
        self.why = ""

    def add(self, variable: Variable, loader: Callable[[Part], Any]) -> None:
        self.variables.append(variable)
        self.loaders[variable.name] = loader

    def load(self, parts: Mapping[str, Part]) -> dict[str, Any]:
        return {name: self.loaders[name](part) for name, part in parts.items()}

    def dataset(self, name: str, item: Mapping[str, Any]) -> None:
        """Add an array as it is."""
        if item.get("group"):
            self.groups[name] = "a group"
            return
        shape, dtype = item["shape"], item["dtype"]
        if not shape:
            self.variables.append(unreadable(name, "is one value, not a column", (), "value"))
        elif dtype in ("other", "reference"):
            what = "references to other parts of the file" if dtype == "reference" else "neither numbers nor text"
            self.variables.append(unreadable(name, f"is {what}; save plain numbers", shape, "other"))
        elif not prod(shape):
            self.variables.append(unreadable(name, "is empty", shape, "empty"))
        elif dtype == "str":
            role = "index" if name.split("/")[-1] in ("_index", "index", "barcodes") else ""
            self.add(Variable(name, shape, "str", "label", role=role), partial(load_one, self.file, name, item))
        else:
            unit = str(item.get("unit") or item.get("units") or "")
            packed = {k: item.get(k) for k in ("scale_factor", "add_offset", "_FillValue", "missing_value")}
            kind = "float64" if any(v is not None for v in packed.values()) else dtype
            more = {"unit": unit, "period": FULL_CIRCLE.get(unit.lower())}
            more |= {"note": "packed numbers, unpacked"} if kind != dtype else {}
            self.add(describe(name, shape, kind, **more), partial(self._unpacked, name, item, packed))

    def _unpacked(self, name: str, item: Mapping[str, Any], packed: Mapping[str, Any], part: Part) -> np.ndarray:
        values = load_one(self.file, name, item, part)
        if all(v is None for v in packed.values()):
            return values
        out = values.astype(np.float64)
        for fill in (packed["_FillValue"], packed["missing_value"]):
            if isinstance(fill, int | float):
                out[values == fill] = np.nan
        scale, offset = packed["scale_factor"], packed["add_offset"]
        out *= scale if isinstance(scale, int | float) else 1.0
        return out + (offset if isinstance(offset, int | float) else 0.0)

    def compound(self) -> None:
        """Add the columns of tables whose rows have fields (pandas' table format, PyTables)."""
        for name, item in self.found.items():
            if not item.get("fields") or not item["shape"] or len(item["shape"]) != 1:
                continue
            self.used.add(name)
            self.groups[name] = "a table"
            for field, (inner, dtype) in item["fields"].items():
                shape = (*item["shape"], *(int(side) for side in inner))
                role = "index" if field == "index" else ""
                variable = describe(f"{name}.{field}", shape, dtype)
                self.add(replace(variable, role=role), partial(self._field, name, shape, dtype, field))
                if len(shape) > 1:
                    self.axes[variable.name] = 0

    def _field(self, name: str, shape: tuple[int, ...], dtype: str, field: str, part: Part) -> np.ndarray:
        values = self.file.numbers(name, shape, dtype, Part(0, part.kept if part.axis == 0 else None), field)
        return values if part.axis == 0 or part.kept is None else values.take(part.kept, part.axis)

    def group(self, name: str, item: Mapping[str, Any]) -> None:
        """Add the variable that a group represents, if its pieces form one."""
        pieces = ("data", "indices", "indptr", "shape", "barcodes", "codes", "categories", "axis0", "axis1")
        inside = {k: self.found.get(f"{name}/{k}", {}) for k in pieces}
        if all(inside[k].get("shape") for k in ("data", "indices", "indptr")):
            self._sparse(name, item, inside)
        elif inside["codes"].get("shape") and inside["categories"].get("dtype") == "str":
            self.used.add(name)
            shape = inside["codes"]["shape"]
            self.add(Variable(name, shape, "str", "label", "categories"), partial(self._categories, name, inside))
        elif item.get("pandas_type") == "frame" and inside["axis0"].get("shape"):
            self._frame(name, inside)
        elif name == "X" and item.get("encoding-type") is None:
            return

    def _categories(self, name: str, inside: Mapping[str, Any], part: Part) -> Labels:
        codes = load_one(self.file, f"{name}/codes", inside["codes"], part).astype(np.int64)
        names = self.file.texts(f"{name}/categories").tolist()
        if codes.size and (codes.min() < -1 or codes.max() >= len(names)):
            raise DataError(f"{name} of {self.file.path.name} has codes without a category; save it again.")
        return Labels(codes, names)

    def _sparse(self, name: str, item: Mapping[str, Any], inside: Mapping[str, Any]) -> None:
        """Add a sparse matrix: AnnData's (CSR or CSC, rows are cells), 10x Genomics' (CSC, columns are cells)."""
        of = item.get("shape_of")
        if of is None and inside["shape"].get("shape") == (2,):
            of = self.file.numbers(f"{name}/shape", (2,), inside["shape"]["dtype"]).astype(np.int64).tolist()
        ends = inside["indptr"]["shape"][0] - 1
        if of is None or min(of) < 1 or ends not in of:
            self.used.add(name)
            self.variables.append(unreadable(name, "is a sparse matrix whose shape is missing or wrong; save it dense"))
            return
        kind = str(item.get("encoding-type", ""))
        by_column = kind == "csc_matrix" or (not kind and ends == of[1])
        tenx = not kind and inside["barcodes"].get("dtype") == "str"
        rows, width = (of[1], of[0]) if tenx else (of[0], of[1])
        self.used |= {f"{name}/{k}" for k in ("data", "indices", "indptr", "shape")}
        if tenx:
            self.used.add(name)
        note = f"sparse, {inside['data']['shape'][0]:,} entries"
        axes = ("row", "unit") if tenx or kind else ("unknown", "unknown")
        variable = Variable(name, (rows, width), inside["data"]["dtype"], "matrix", note, axes)
        self.add(variable, partial(self._dense, name, inside, (rows, width), by_column != tenx))
        if tenx or name == "X":
            self.axes[name] = 0
            self.x, self.why = (name,), ", the counts of " + ("10x Genomics, cells by features" if tenx else "AnnData")
            self.notes.append(
                f"{name} was sparse: {inside['data']['shape'][0]:,} of {rows * width:,} entries are not 0"
            )
        places = (f"{name}/features/name", f"{name}/features/id", f"{name}/gene_names") if tenx else ()
        for place in places:
            names = self.found.get(place, {})
            if names.get("dtype") == "str" and names["shape"] == (width,):
                self.columns[name] = tuple(unique(self.file.texts(place).tolist()))
                break
        kinds = f"{name}/features/feature_type"
        if tenx and self.found.get(kinds, {}).get("shape") == (width,):
            counts = Counter(self.file.texts(kinds).tolist())
            if len(counts) > 1:
                self.notes.append(f"its columns are {', '.join(f'{n:,} of {k}' for k, n in counts.items())}")

    def genes(self) -> None:
        """Name the columns of AnnData's matrices (X, layers, raw/X), dense or sparse, by the index of their genes."""
        for group in ("", "raw/"):
            at = f"{group}var/{self.found.get(f'{group}var', {}).get('_index', '_index')}"
            item = self.found.get(at, {})
            if item.get("dtype") != "str" or len(item.get("shape") or ()) != 1:
                continue
            matrices = [
                v.name for v in self.variables
                if len(v.shape) == 2 and v.shape[1] == item["shape"][0] and v.readable and v.name not in self.columns
                and (v.name == f"{group}X" or (not group and v.name.startswith("layers/")))
            ]  # fmt: skip
            if matrices:
                names = tuple(unique(self.file.texts(at).tolist()))
                self.columns |= dict.fromkeys(matrices, names)
                self.axes |= dict.fromkeys(matrices, 0)

    def _dense(
        self, name: str, inside: Mapping[str, Any], shape: tuple[int, int], by_column: bool, part: Part
    ) -> np.ndarray:
        from scipy import sparse

        rows = shape[0] if part.kept is None or part.axis else len(part.kept)
        stored = sum(prod(inside[k]["shape"]) * 8 for k in ("data", "indices", "indptr"))
        check_budget(self.file.path, stored + 8 * rows * shape[1], self.options.budget_bytes)
        data, indices, ends = (
            load_one(self.file, f"{name}/{k}", inside[k], Part()) for k in ("data", "indices", "indptr")
        )
        lines = shape[1] if by_column else shape[0]
        across = shape[0] if by_column else shape[1]
        ends, indices = ends.astype(np.int64).ravel(), indices.astype(np.int64).ravel()
        good = len(ends) == lines + 1 and len(data) == len(indices) and ends[0] == 0 and ends[-1] == len(data)
        good = good and bool((np.diff(ends) >= 0).all())
        if not good or (len(indices) and (indices.min() < 0 or indices.max() >= across)):
            raise DataError(f"{name} of {self.file.path.name} is a damaged sparse matrix; save it again.")
        matrix = (sparse.csc_matrix if by_column else sparse.csr_matrix)((data, indices, ends), shape=shape)
        if part.kept is not None:
            matrix = matrix.tocsr()[part.kept] if part.axis == 0 else matrix.tocsc()[:, part.kept]
        return matrix.toarray()

    def _frame(self, name: str, inside: Mapping[str, Any]) -> None:
        """Add a data frame in pandas' fixed format: blocks of columns of one type, with their names stored together."""
        blocks = []
        for i in range(1000):
            items, values = (self.found.get(f"{name}/block{i}_{k}") for k in ("items", "values"))
            if not items or not values or not items.get("shape") or not values.get("shape"):
                break
            blocks.append((f"{name}/block{i}", items, values))
        good = [b for b in blocks if b[2]["dtype"] not in ("other", "reference", "str") and len(b[2]["shape"]) == 2]
        self.used.add(name)
        names: list[str] = []
        for at, items, values in good:
            titles = self.file.texts(f"{at}_items").tolist() if items["dtype"] == "str" else [
                str(v) for v in self.file.numbers(f"{at}_items", items["shape"], items["dtype"]).ravel()
            ]  # fmt: skip
            if len(titles) != values["shape"][1]:
                good = []
                break
            names += titles
        if not good or len({values["shape"][0] for _, _, values in good}) > 1:
            self.variables.append(unreadable(name, "is a frame of pandas without plain numbers; save it as Parquet"))
            return
        rows = good[0][2]["shape"][0]
        hidden = [at for at, *_ in blocks if at not in {g[0] for g in good}]
        self.notes += [f"{len(hidden)} blocks of {name} are not numbers and were left out"] if hidden else []
        for (at, _, values), first in zip(
            good, np.cumsum([0, *(v["shape"][1] for *_, v in good)]).tolist(), strict=False
        ):
            for j in range(values["shape"][1]):
                column = describe(f"{name}/{names[first + j]}", (rows,), values["dtype"], axes=("row",))
                self.add(column, partial(self._block_column, f"{at}_values", values, j))
        order = names
        if (axis0 := inside["axis0"]).get("dtype") == "str" and axis0["shape"] == (len(names),):
            texts = self.file.texts(f"{name}/axis0").tolist()
            order = texts if sorted(texts) == sorted(names) else names
        dtype = "float64" if len({v["dtype"] for *_, v in good}) > 1 else good[0][2]["dtype"]
        self.add(Variable(name, (rows, len(names)), dtype, "matrix", "a frame of pandas", ("row", "unit")),
                 partial(self._frame_values, good, names, order))  # fmt: skip
        self.columns[name], self.axes[name] = tuple(order), 0

    def _block_column(self, at: str, values: Mapping[str, Any], j: int, part: Part) -> np.ndarray:
        return load_one(self.file, at, values, Part(0, part.kept))[:, j]

    def _frame_values(self, good: Sequence[Any], names: list[str], order: list[str], part: Part) -> np.ndarray:
        parts = [load_one(self.file, f"{at}_values", values, Part(0, part.kept)) for at, _, values in good]
        together = np.hstack([p.astype(np.float64) if len(parts) > 1 else p for p in parts])
        return together[:, [names.index(name) for name in order]]


def load_one(file: File, name: str, item: Mapping[str, Any], part: Part) -> np.ndarray:
    """Return one dataset of the tree, or only its rows `kept`."""
    if item["dtype"] == "str":
        texts = file.texts(item.get("at", name))
        return texts if part.kept is None else texts[part.kept]
    check_claim(file.path, name, item)
    return file.numbers(item.get("at", name), item["shape"], item["dtype"], part)
