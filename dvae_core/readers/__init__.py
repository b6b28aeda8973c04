"""Files to Datasets: `read` by suffix, `inspect` for what can be chosen.

Every reader keeps the same promises: no pickle is ever opened, nothing is loaded that would exceed the memory budget,
and whatever is wrong with a file becomes a DataError of one sentence.
"""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from dvae_core.data import DataError, Dataset
from dvae_core.readers import arrays, mat
from dvae_core.readers.arrays import Variable

__all__ = ["SUFFIXES", "DataError", "Variable", "inspect", "read"]

SUFFIXES = (".npz", ".npy", ".csv", ".tsv", ".txt", ".parquet", ".mat")
GIB = 2**30

_PICKLES = (".pkl", ".pickle", ".joblib", ".jl", ".pt", ".pth", ".rds")
_MAGIC = {".npz": (b"PK\x03\x04", b"PK\x05\x06"), ".npy": (b"\x93NUMPY",), ".parquet": (b"PAR1",)}


def read(
    path: str | Path,
    *,
    x: str | Sequence[str] | None = None,
    u: str | Sequence[str] | None = None,
    z: str | Sequence[str] | None = None,
    budget_bytes: int = 2 * GIB,
    rate_hz: float | None = None,
    x_shape: tuple[int, ...] | None = None,
) -> Dataset:
    """Read a data file; rows are examples.

    Variables (.npz, .npy, .mat) or columns (.csv, .tsv, .txt, .parquet) are chosen by name; several names are put side
    by side. Without names, each format has a default, and `meta["notes"]` says what it took.

    Args:
        path: The file; its suffix decides the reader.
        x: Names for the data.
        u: Names for the auxiliary variable. One column of whole numbers or text is labels.
        z: Names for the true factors.
        budget_bytes: Memory that the arrays may take; checked before they are read.
        rate_hz: Sampling rate, which also says that rows are in time order.
        x_shape: (H, W) or (H, W, 3) where rows of x are flattened pictures.

    Returns:
        The data, with the file's name as source.

    Raises:
        DataError: If the file is missing, damaged, of another kind than its name says, unsafe (pickles), too large, or
            does not hold what was asked for.

    Example:
        >>> read("s1_data.mat", x="spikes", u="vel")  # doctest: +SKIP
    """
    path = Path(path)
    chosen = {"x": _names(x), "u": _names(u), "z": _names(z)}
    return _reader(path).read(path, **chosen, budget_bytes=budget_bytes, rate_hz=rate_hz, x_shape=x_shape)


def inspect(path: str | Path) -> list[Variable]:
    """List the variables or columns that can be chosen, from headers and a first look only; DataErrors as in `read`."""
    path = Path(path)
    return _reader(path).inspect(path)


def _names(given: str | Sequence[str] | None) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given or ())


def _reader(path: Path) -> ModuleType:
    """Return the module for this file, once its first bytes look like what its name says."""
    suffix = path.suffix.lower()
    if path.is_dir():
        raise DataError(f"{path.name} is a folder; give one data file ({', '.join(SUFFIXES)}).")
    try:
        with open(path, "rb") as file:
            start = file.read(1024)
    except OSError as error:
        raise DataError(f"{path.name} cannot be opened ({error.strerror}); check the path.") from error
    if not start:
        raise DataError(f"{path.name} is empty; copy or download it again.")
    if start.lstrip().lower().startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")):
        raise DataError(f"{path.name} is a web page, not data (often a failed download); fetch the file itself.")
    if suffix in _PICKLES or (start[0] == 0x80 and start[1] in range(2, 6)):
        raise DataError(
            f"{path.name} is in a format that can run code when opened, so it is refused; in the program that made it, "
            "save plain arrays with numpy.savez(file, x=x, u=u)."
        )
    if suffix not in SUFFIXES:
        raise DataError(f"{path.name} has a suffix that no reader knows; save it as one of {', '.join(SUFFIXES)}.")
    if not start.startswith(_MAGIC.get(suffix, b"")):
        raise DataError(f"{path.name} does not hold what {suffix} files hold; check what it is and rename it.")
    if suffix in (".npz", ".npy"):
        return arrays
    if suffix == ".mat":
        return mat
    from dvae_core.readers import tables  # not at the top: pandas and pyarrow take their time to import

    return tables
