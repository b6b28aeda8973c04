"""A short-lived process that opens one HDF5 file and answers questions about it: `python hdf5_child.py PATH BYTES`.

The HDF5 library is written in C. Damaged files can crash it, make it loop, or make it allocate any amount of memory.
Here that ends this process and not the app. It imports nothing from this package, so it starts in a fraction of a
second.

Questions come as lines of JSON on stdin; answers are lines of JSON on stdout, followed by the raw numbers of an array.
Nothing outside the file is ever opened: files with external links, external storage or virtual datasets are refused.
"""

import json
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any

import h5py
import numpy as np

MAX_OBJECTS = 5_000
MAX_PARTS = 5_000  # of one cell
MAX_DEPTH = 16
BLOCK = 2**22
ATTRIBUTES = ("neurodata_type", "unit", "units", "rate", "conversion", "offset", "MATLAB_class", "MATLAB_empty",
              "MATLAB_int_decode", "MATLAB_sparse", "MATLAB_object_decode", "encoding-type", "_index", "pandas_type",
              "scale_factor", "add_offset", "_FillValue", "missing_value")  # fmt: skip


class Refused(Exception):
    """The file requires something that is refused; the message says what."""


def main() -> None:
    """Answer questions until stdin ends."""
    path, memory = sys.argv[1], int(sys.argv[2])
    limit(memory)
    try:
        with h5py.File(path, "r", locking=False) as file:
            for line in sys.stdin:
                question = json.loads(line)
                try:
                    {"tree": tree, "numbers": numbers, "texts": texts}[question.pop("ask")](file, **question)
                except Refused as refusal:
                    send(refused=str(refusal))
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, MemoryError) as error:
        # any other exception ends the process without an answer, which the parent notices
        send(error=(str(error) or type(error).__name__).splitlines()[0][:200])


def limit(memory: int) -> None:
    """Limit this process to this much memory, where the system can; the parent process limits its time."""
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def send(**answer: Any) -> None:
    """Write one line of JSON."""
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
    sys.stdout.buffer.flush()


def tree(file: h5py.File, matlab: bool) -> None:
    """List what the file holds: hard links, and only those soft links that lead to a dataset of this file."""
    found: dict[str, dict[str, Any]] = {}
    soft: list[tuple[str, str]] = []
    seen, count = set(), 0
    stack: list[tuple[str, Any, int]] = [("", file, 0)]
    while stack:
        prefix, group, depth = stack.pop()
        address = h5py.h5o.get_info(group.id).addr  # pyright: ignore[reportAttributeAccessIssue]
        if address in seen:  # a group that contains itself
            continue
        seen.add(address)
        if depth > MAX_DEPTH:
            raise Refused(f"it is nested more than {MAX_DEPTH} deep")
        count += len(group)  # known before the members are inspected
        if count > MAX_OBJECTS:
            raise Refused(f"it holds more than {MAX_OBJECTS:,} objects")
        for name in group:
            if matlab and not prefix and name in ("#refs#", "#subsystem#"):  # the contents of cells and objects
                continue
            where = f"{prefix}/{name}" if prefix else name
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.SoftLink):
                soft.append((where, link.path if link.path.startswith("/") else f"{prefix}/{link.path}"))
                continue
            if not isinstance(link, h5py.HardLink):
                raise Refused("it links to another file, which is not followed")
            item = group[name]
            if isinstance(item, h5py.Group):
                attributes = attributes_of(item)
                found[where] = {"group": True, **attributes}
                stack.append((where, item, depth + 1))
            elif isinstance(item, h5py.Dataset):
                found[where] = dataset(item)
                if matlab and found[where]["dtype"] == "reference":
                    parts = list(islice(leaves(file, item, where, 0, [0]), MAX_PARTS + 1))
                    found[where]["leaves"] = parts if len(parts) <= MAX_PARTS else []
                    found[where]["too_many"] = len(parts) > MAX_PARTS
    for where, target in soft:
        if found.get(target.strip("/"), {}).get("shape") is not None:
            found[where] = {**found[target.strip("/")], "at": target}
    send(found=found)


def leaves(file: h5py.File, cell: Any, name: str, depth: int, count: list[int]) -> Iterator[dict[str, Any]]:
    """Yield the content of a MATLAB cell or struct array, with `{}` for all its elements."""
    if depth > MAX_DEPTH:
        raise Refused(f"it is nested more than {MAX_DEPTH} deep")
    name = name if name.endswith("{}") else name + "{}"
    if cell.size > MAX_PARTS:
        yield from ({} for _ in range(MAX_PARTS + 1))
        return
    for reference in cell[()].ravel():
        count[0] += 1
        if count[0] > 4 * MAX_PARTS:  # counts those that yield nothing, too
            raise Refused(f"{name} has more than {MAX_PARTS:,} parts")
        item = file[reference] if reference else None
        if isinstance(item, h5py.Group):
            for field in item:
                if not isinstance(item.get(field, getlink=True), h5py.HardLink):
                    raise Refused("it links to another file, which is not followed")
                yield from leaf(file, item[field], f"{name}.{field}", depth, count)
        elif isinstance(item, h5py.Dataset):
            yield from leaf(file, item, name, depth, count)


def leaf(file: h5py.File, item: Any, name: str, depth: int, count: list[int]) -> Iterator[dict[str, Any]]:
    """Yield a dataset, or its content if it is a cell."""
    if not isinstance(item, h5py.Dataset):
        return
    entry = dataset(item)
    if entry["dtype"] == "reference":
        yield from leaves(file, item, name, depth + 1, count)
    else:
        yield {"name": name, "at": item.name, **entry}


def dataset(item: h5py.Dataset) -> dict[str, Any]:
    """Return shape, type and attributes of a dataset, unless its numbers are stored in another file."""
    if item.external:
        raise Refused("its numbers lie in another file, which is not opened")
    if item.is_virtual:
        raise Refused("it is made of parts of other files (a virtual dataset), which are not opened")
    kind = item.dtype
    if h5py.check_ref_dtype(kind) is not None:
        name = "reference"
    elif kind.metadata and "enum" in kind.metadata:
        name = kind.name
    elif h5py.check_string_dtype(kind) is not None:
        name = "str"
    else:
        name = kind.name if kind.kind in "biuf" and kind.subdtype is None else "other"
    shape = list(item.shape) if item.shape is not None else None
    found = {"shape": shape, "dtype": name, "stored": item.id.get_storage_size(), **attributes_of(item)}
    if kind.names and kind.subdtype is None and len(kind.names) <= 1000:  # rows of a table
        found["fields"] = {
            field: [list(inner.shape), inner.base.name] for field in kind.names
            if (inner := kind[field]).base.kind in "biuf" and inner.base.names is None
        }  # fmt: skip
    return found


def attributes_of(item: Any) -> dict[str, Any]:
    """Return the attributes that readers use, if they are single numbers or texts."""
    found = {}
    for name in ATTRIBUTES:
        if name not in item.attrs:
            continue
        value = item.attrs[name]
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if isinstance(value, str):
            found[name] = value[:200]
        elif np.size(value) == 1 and np.asarray(value).dtype.kind in "biuf":
            found[name] = np.asarray(value).ravel()[0].item()
    shape = item.attrs.get("shape")  # of a sparse matrix
    if shape is not None and np.ndim(shape) == 1 and len(shape) == 2 and np.asarray(shape).dtype.kind in "iu":
        found["shape_of"] = [int(side) for side in shape]
    return found


def open_dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """Return a dataset of this file; every step to it must be a hard link."""
    item: Any = file
    for step in name.strip("/").split("/"):
        if not isinstance(item, h5py.Group) or not isinstance(item.get(step, getlink=True), h5py.HardLink):
            raise Refused(f"{name} is not a dataset of it")
        item = item[step]
    if not isinstance(item, h5py.Dataset):
        raise Refused(f"{name} is not a dataset of it")
    dataset(item)
    return item


def numbers(file: h5py.File, name: str, axis: int, kept: list[int] | None, field: str = "") -> None:
    """Send the numbers of a dataset (or of a field of its rows), or those at `kept` of an axis, a block at a time."""
    item = open_dataset(file, name)
    chosen = None if kept is None else np.asarray(kept, np.int64)
    shape = list(item.shape)
    if chosen is not None:
        shape[axis] = len(chosen)
    inner = item.dtype[field] if field else item.dtype
    shape += list(inner.shape)
    kind = inner.base.newbyteorder("<")
    send(shape=shape, dtype=kind.str)
    for block in blocks(item, axis, chosen):
        block = block[field] if field else block
        sys.stdout.buffer.write(np.ascontiguousarray(block, dtype=kind).data)
    sys.stdout.buffer.flush()


def blocks(item: h5py.Dataset, axis: int, chosen: np.ndarray | None) -> Iterator[np.ndarray]:
    """Yield the rows of a dataset in order: whole chunks, as many as fill a block, and no chunk without wanted rows."""
    if item.ndim == 0:
        yield item[()]
        return
    chunk = item.chunks[0] if item.chunks else 1
    row_bytes = int(np.prod(item.shape[1:], dtype=object)) * item.dtype.itemsize
    span = max(1, BLOCK // max(1, row_bytes * chunk)) * chunk
    starts: Any = range(0, item.shape[0], span)
    if chosen is not None and axis == 0:
        if len(chosen) * chunk * 4 < item.shape[0]:  # sparse selection: read only the chunks that contain chosen rows
            span = chunk
        starts = np.unique(chosen // span) * span
    for start in starts:
        stop = min(int(start) + span, item.shape[0])
        block = item[int(start) : stop]
        if chosen is not None:
            wanted = chosen[(chosen >= start) & (chosen < stop)] - start if axis == 0 else chosen
            block = block.take(wanted, axis)
        yield block


def texts(file: h5py.File, name: str) -> None:
    """Send the texts of a dataset."""
    item = open_dataset(file, name)
    if not item.size or item.size > 2**20:
        raise Refused(f"{name} has {item.size or 0:,} texts")
    values = np.ravel(item.asstr(errors="replace")[()])
    if sum(map(len, values)) > 2**24:
        raise Refused(f"{name} has texts of more than 16 MiB")
    send(texts=[str(value) for value in values])


if __name__ == "__main__":
    main()
