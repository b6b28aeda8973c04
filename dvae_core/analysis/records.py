"""Records: frozen dataclasses, each the schema of a file in a run's analysis/. No torch."""

import dataclasses
from dataclasses import dataclass, fields
from typing import Any, TypeVar, get_origin

import numpy as np

from dvae_core.runs import Run, RunError

T = TypeVar("T")


@dataclass(frozen=True)
class ArrayRecord:
    """An npz file with one array per field. A field that is None is not in the file."""

    def save(self, run: Run, name: str) -> dict[str, np.ndarray]:
        """Write analysis/<name>.npz, and return its content."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        arrays = {
            key: np.array(value, dtype=str) if isinstance(value, tuple) else np.asarray(value)
            for key, value in values.items() if value is not None
        }  # fmt: skip
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
    """A JSON file with one entry per field."""

    def save(self, run: Run, name: str) -> dict[str, Any]:
        """Write analysis/<name>.json, and return its content."""
        tree = {f.name: getattr(self, f.name) for f in fields(self)}
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


def _known(cls: type, found: dict[str, Any], file: str) -> dict[str, Any]:
    """Return the entries that are fields, as the fields' types; entries that a newer version added are left out."""
    known = fields(cls)
    missing = [f.name for f in known if f.name not in found and f.default is dataclasses.MISSING]
    if missing:
        raise RunError(f"{file} lacks {', '.join(missing)}; delete the file and compute it again.")
    return {f.name: _as(f.type, found[f.name]) for f in known if f.name in found}


def _as(kind: Any, value: Any) -> Any:
    if get_origin(kind) is tuple:
        return tuple(value.tolist() if isinstance(value, np.ndarray) else value)
    return value.item() if kind in (int, float, str, bool) and isinstance(value, np.ndarray) else value
