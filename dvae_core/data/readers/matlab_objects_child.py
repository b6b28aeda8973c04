"""A short-lived process that converts MATLAB's own objects: `python -P matlab_objects_child.py PATH BYTES NAME ...`.

Tables, timetables, strings, categoricals, datetimes and durations are stored in an undocumented part of a .mat file.
The package mat-io understands it. Its parser is compiled code, so a damaged file can crash it: here that ends this
process and not the app. The answer on stdout is a .npz of plain arrays; `index` says in JSON what each of them is.
Nothing outside the file is opened: HDF5 files with external links, external storage or virtual datasets are refused.
"""

import json
import sys
import warnings
from io import BytesIO
from typing import Any

import numpy as np

MAX_OBJECTS = 20_000
MEMORY = 3 * 2**29


def main() -> None:
    """Write the named objects of the file to stdout; end with an error code if it is refused."""
    path, budget, names = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except ImportError:  # Windows has no such limits
        pass
    with open(path, "rb") as file:
        if file.read(128)[124:128] in (b"\x00\x02IM", b"\x02\x00MI"):
            check_links(path)
    warnings.simplefilter("ignore")
    import matio

    found = matio.load_from_mat(path, variable_names=list(names))
    index, arrays = [], {}
    for name in names:
        for column, kind, values in columns_of(found.get(name)):
            index.append({"object": name, "column": column, "kind": kind})
            arrays[f"a{len(index) - 1}"] = values
    if sum(values.nbytes for values in arrays.values()) > budget:
        sys.exit(3)
    buffer = BytesIO()
    np.savez(buffer, allow_pickle=False, index=np.array(json.dumps(index)), **arrays)
    sys.stdout.buffer.write(buffer.getvalue())


def check_links(path: str) -> None:
    """Refuse an HDF5 file that would make the library open another file."""
    import h5py

    with h5py.File(path, "r", locking=False) as file:
        stack: list[Any] = [file["/"]]
        seen: set[Any] = set()
        while stack:
            group = stack.pop()
            address = h5py.h5o.get_info(group.id).addr  # pyright: ignore[reportAttributeAccessIssue]
            if address in seen:
                continue
            seen.add(address)
            for name in group:
                link = group.get(name, getlink=True)
                if not isinstance(link, h5py.HardLink) or len(seen) + len(stack) > MAX_OBJECTS:
                    sys.exit(4)
                item = group[name]
                if isinstance(item, h5py.Group):
                    stack.append(item)
                elif isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
                    sys.exit(4)


def columns_of(value: Any) -> list[tuple[str, str, np.ndarray]]:
    """Return the columns of an object as (name, kind, values): kind is numbers, texts or seconds; time for an index."""
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        found = [(str(name), *plain(value[name].to_numpy())) for name in value.columns]
        if isinstance(value.index, pd.DatetimeIndex | pd.TimedeltaIndex):
            found.insert(0, ("time", *plain(value.index.to_numpy())))
        # a column of other objects is listed as such
        return [(name, kind, np.zeros(0) if values is None else values) for name, kind, values in found]
    if isinstance(value, pd.Categorical):
        value = np.asarray(value, dtype=object)
    if isinstance(value, np.ndarray) and value.size == max(value.shape, default=0):
        kind, values = plain(value.ravel())
        return [] if values is None else [("", kind, values)]
    return []


def plain(values: np.ndarray) -> tuple[str, np.ndarray | None]:
    """Return values as plain numbers or texts; None if they are neither."""
    if values.dtype.kind in "biuf":
        return "numbers", np.asarray(values)
    if values.dtype.kind == "M":
        seconds = values.astype("datetime64[ns]").astype(np.int64) / 1e9
        return "seconds", np.where(np.isnat(values), np.nan, seconds)
    if values.dtype.kind == "m":
        if np.datetime_data(values.dtype)[0] in ("Y", "M"):
            return "", None
        seconds = values.astype("timedelta64[ns]").astype(np.int64) / 1e9
        return "seconds", np.where(np.isnat(values), np.nan, seconds)
    texts = [single(v) for v in values.tolist()]
    return ("", None) if any(text is None for text in texts) else ("texts", np.array(texts, dtype=np.str_))


def single(value: Any) -> str | None:
    """Return one text, "" for a missing one, None for anything else."""
    if isinstance(value, np.ndarray) and value.size <= 1 and value.dtype.kind in "UTO":  # a cell with one text in it
        value = value.ravel()[0] if value.size else ""
    if isinstance(value, str):
        return value
    return "" if value is None or value != value else None


if __name__ == "__main__":
    main()
