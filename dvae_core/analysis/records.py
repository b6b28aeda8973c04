"""Records: frozen dataclasses, each the schema of a file in a run's analysis/. No torch."""

import dataclasses
from dataclasses import dataclass, fields
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin

import numpy as np

from dvae_core.runs import Run, RunError

T = TypeVar("T")


@dataclass(frozen=True)
class ArrayRecord:
    """An npz file with one array per field. A field that is None is not in the file.

    A field that is itself a dataclass is stored as one array for each of its fields, <name>_<its field>.
    """

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the content of the file: arrays by name, without the fields that are None."""
        return _arrays(self)

    def save(self, run: Run, name: str) -> dict[str, np.ndarray]:
        """Write analysis/<name>.npz, and return its content."""
        arrays = self.arrays()
        run.write_npz(f"analysis/{name}.npz", arrays)
        return arrays

    @classmethod
    def load(cls: type[T], run: Run, name: str) -> T | None:
        """Return the record, or None if it is not computed yet.

        Raises:
            RunError: If the file is damaged, or lacks a field that every version has written.
        """
        found = run.analysis(name)
        return None if found is None else cls(**_known(cls, found, f"analysis/{name}.npz of run {run.id}"))


@dataclass(frozen=True)
class TreeRecord:
    """A JSON file with one entry per field; a field may itself be a dataclass, or a list of dataclasses."""

    def save(self, run: Run, name: str) -> dict[str, Any]:
        """Write analysis/<name>.json, and return its content."""
        tree = dataclasses.asdict(self)
        run.write_json(f"analysis/{name}.json", tree)
        return tree

    @classmethod
    def load(cls: type[T], run: Run, name: str) -> T | None:
        """Return the record, or None if it is not computed yet.

        Raises:
            RunError: If the file is damaged, or lacks a field that every version has written.
        """
        found = run.record(name)
        return None if found is None else cls(**_known(cls, found, f"analysis/{name}.json of run {run.id}"))


def _arrays(record: Any) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if dataclasses.is_dataclass(value):
            arrays |= {f"{field.name}_{key}": array for key, array in _arrays(value).items()}
        elif value is not None:
            is_texts = isinstance(value, tuple) and str in get_args(_plain(field.type))
            arrays[field.name] = np.array(value, dtype=str) if is_texts else np.asarray(value)
    return arrays


def _known(cls: type, found: dict[str, Any], file: str) -> dict[str, Any]:
    """Return the entries that are fields, as the fields' types; entries that a newer version added are left out."""
    values = {}
    for field in fields(cls):
        kind = _plain(field.type)
        if dataclasses.is_dataclass(kind) and field.name not in found:
            parts = {key: found[f"{field.name}_{key}"] for key in _names(kind) if f"{field.name}_{key}" in found}
            if len(parts) == len(_names(kind)):
                values[field.name] = kind(**_known(kind, parts, file))  # type: ignore[operator]
        elif field.name in found:
            values[field.name] = _as(kind, found[field.name], file)
    missing = [f.name for f in fields(cls) if f.name not in values and f.default is dataclasses.MISSING]
    if missing:
        raise RunError(f"{file} lacks {', '.join(missing)}; delete the file and compute it again.")
    return values


def _names(kind: Any) -> list[str]:
    return [field.name for field in fields(kind)]


def _plain(kind: Any) -> Any:
    """Return the type of a field that may also be None, without the None."""
    kinds = [part for part in get_args(kind) if part is not NoneType] if get_origin(kind) is UnionType else []
    return kinds[0] if kinds else kind


def _as(kind: Any, value: Any, file: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return kind(**_known(kind, value, file))  # type: ignore[operator]
    if get_origin(kind) is list and dataclasses.is_dataclass(get_args(kind)[0]):
        return [_as(get_args(kind)[0], part, file) for part in value]
    if get_origin(kind) is tuple:
        return tuple(value.tolist() if isinstance(value, np.ndarray) else value)
    return value.item() if kind in (int, float, str, bool) and isinstance(value, np.ndarray) else value
