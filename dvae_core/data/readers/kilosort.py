"""Folders of Kilosort and Phy: spike_times.npy, spike_clusters.npy, cluster tables and the sampling rate of params.py.

params.py is Python code. It is read as text, and only its line `sample_rate = NUMBER` is used: nothing is executed.
"""

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dvae_core.data.dataset import DataError
from dvae_core.data.readers.arrays import header_of
from dvae_core.data.readers.common import ReadOptions, check_budget, reading
from dvae_core.data.readers.model import Part, Recording, Variable, labels_of

PLACES = ("", "sorter_output", "kilosort", "kilosort2", "kilosort3", "kilosort4", "phy")
MAX_TABLE = 2**24  # bytes of a cluster table or of params.py
_RATE = re.compile(r"(?m)^[ \t]*sample_rate[ \t]*=[ \t]*([0-9][0-9_]*\.?[0-9]*(?:[eE][+-]?[0-9]+)?)")
_AREAS = ("area", "brain_area", "region", "brain_region", "location", "acronym")


def folder_of(path: Path) -> Path | None:
    """Return the folder with the sorted spikes: this one, or one with a sorter's usual name in it."""
    for place in PLACES:
        folder = path / place
        if (folder / "spike_times.npy").is_file() and _clusters_file(folder) is not None:
            return folder
    return None


def _clusters_file(folder: Path) -> Path | None:
    """Return the file with the cluster of each spike; before the first use of Phy there are only templates."""
    files = (folder / "spike_clusters.npy", folder / "spike_templates.npy")
    return next((file for file in files if file.is_file()), None)


def recording(path: Path, options: ReadOptions) -> Recording:
    """Return the spikes of every cluster as event times in seconds, with quality, depth and area of each.

    The quality is the one that was set by hand (`group`), otherwise the one that Kilosort set (`KSLabel`). By default
    only units of quality "good" are used.
    """
    folder = folder_of(path)
    clusters_file = None if folder is None else _clusters_file(folder)
    if folder is None or clusters_file is None:
        raise DataError(f"{path.name} has no spike_times.npy with spike_clusters.npy; give the folder that Phy opens.")
    rate = _rate(path, folder)
    times_header, clusters_header = header_of(folder / "spike_times.npy"), header_of(clusters_file)
    n = max(times_header.shape, default=0)
    if not n or {n} != {max(h.shape, default=0) for h in (times_header, clusters_header)}:
        raise DataError(
            f"spike_times.npy of {path.name} has {n:,} spikes and {clusters_file.name} has "
            f"{max(clusters_header.shape, default=0):,}; copy the folder again."
        )
    check_budget(path, 4 * (times_header.size + clusters_header.size), options.budget_bytes)
    with reading(folder / "spike_times.npy"):
        samples = np.load(folder / "spike_times.npy", allow_pickle=False).ravel()
    with reading(clusters_file):
        clusters = np.load(clusters_file, allow_pickle=False).ravel()
    if len(samples) != len(clusters) or clusters.dtype.kind not in "iu" or (np.mod(samples, 1) != 0).any():
        raise DataError(f"Spike times and clusters of {path.name} must be whole numbers, one of each a spike.")
    ids, counts = np.unique(clusters, return_counts=True)
    facts = _facts(folder, ids)
    variables = [
        Variable("spikes", (len(ids),), "float64", "events", f"{n:,} spikes of {len(ids)} clusters", ("unit",))
    ]
    for name, values in facts.items():
        kind = "str" if values.dtype.kind == "U" else "float64"
        note = _tally(values) if name == "quality" else ""
        variables.append(
            Variable(name, (len(ids),), kind, "label" if kind == "str" else "column", note, ("unit",), role="unit")
        )

    def load(parts: Mapping[str, Part]) -> dict[str, Any]:
        arrays: dict[str, Any] = {}
        for name in parts:
            if name == "spikes":
                order = np.argsort(clusters, kind="stable")
                arrays[name] = np.split(samples[order] / rate, np.cumsum(counts)[:-1])
            else:
                arrays[name] = labels_of(facts[name]) if facts[name].dtype.kind == "U" else facts[name]
        return arrays

    return Recording(
        path, variables, load, x=("spikes",), why_x=", the sorted spikes", seconds=True,
        columns={"spikes": tuple(map(str, ids.tolist()))}, quality=("good",) if "quality" in facts else (),
        notes=() if "quality" in facts else ("no cluster table states a quality, so every cluster is used",),
        meta={"format": "Kilosort and Phy", "sample rate": f"{rate:g} Hz, by params.py"},
    )  # fmt: skip


def _rate(path: Path, folder: Path) -> float:
    file = folder / "params.py"
    cure = "add the file with a line such as sample_rate = 30000"
    if not file.is_file():
        raise DataError(f"{path.name} has no params.py, which states the sampling rate of its spike times; {cure}.")
    with reading(file), open(file, encoding="utf-8", errors="replace") as text:
        found = _RATE.findall(text.read(2**16))
    rate = float(found[-1]) if found else 0.0
    if not 0 < rate < 1e9:
        raise DataError(f"params.py of {path.name} states no sample_rate; {cure}.")
    return rate


def _facts(folder: Path, ids: np.ndarray) -> dict[str, np.ndarray]:
    """Return quality, area and depth of each cluster, as far as the cluster tables state them."""
    rows: dict[str, dict[str, str]] = {}
    files = sorted((*folder.glob("cluster_*.tsv"), *folder.glob("cluster_group*.csv")))
    for file in sorted(files, key=lambda f: f.stem != "cluster_info"):  # the files of single columns take precedence
        if file.is_symlink() or file.stat().st_size > MAX_TABLE:
            continue
        with reading(file, csv.Error), open(file, encoding="utf-8-sig", newline="") as text:
            for row in csv.DictReader(text, delimiter="\t"):
                key = str(row.get("cluster_id") or row.get("id") or "").strip()
                filled = {
                    k: v.strip() for k, v in row.items() if isinstance(k, str) and isinstance(v, str) and v.strip()
                }
                rows.setdefault(key, {}).update(filled)
    known = [rows.get(str(i), {}) for i in ids.tolist()]
    found: dict[str, np.ndarray] = {}
    quality = [_quality(row) for row in known]
    if any(quality):
        found["quality"] = np.array([q or "unsorted" for q in quality])
    area = [next((row[name] for name in _AREAS if name in row), "") for row in known]
    if any(area):
        found["area"] = np.array(area)
    if any("depth" in row for row in known):
        found["depth"] = np.array([_number(row.get("depth", "")) for row in known])
    return found


def _quality(row: Mapping[str, str]) -> str:
    by_hand = row.get("group", "")
    return (by_hand if by_hand != "unsorted" else "") or row.get("KSLabel", "") or by_hand


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _tally(values: np.ndarray) -> str:
    names, counts = np.unique(values, return_counts=True)
    return ", ".join(f"{count} {name}" for name, count in zip(names, counts, strict=True))
