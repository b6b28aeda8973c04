"""Files too large to be read while somebody waits: the first rows at once, and all rows examined by a worker."""

import dataclasses
import hashlib
from pathlib import Path

import streamlit as st

from dvae_core import figures, recipes, runs
from dvae_core.analysis.examine.record import Examined, ExaminedOverview
from dvae_core.config import Data, FileData
from dvae_core.data.dataset import Dataset
from dvae_core.runs import Run
from pages.ui import controls, run_panel
from pages.ui import page as ui

LARGE = 200_000_000  # bytes of a file: reading more and looking through it takes longer than a page may
FIRST = 500  # rows that are shown at once


def is_large(data: Data) -> bool:
    """Whether the page shows only the first rows, unless few enough are asked for."""
    if not isinstance(data, FileData) or (data.rows is not None and data.rows <= FIRST):
        return False
    path = Path(data.path)
    return path.is_file() and path.stat().st_size > LARGE


def first_rows(data: FileData) -> FileData:
    """Return the settings that read the first rows only."""
    return dataclasses.replace(data, rows=FIRST)


def _run_of(data: FileData) -> Run:
    """Return the folder in which the worker keeps what it found, one for each version of the file and its settings."""
    when = Path(data.path).stat().st_mtime_ns
    name = hashlib.sha256(f"{controls.data_to_text(data)} {when}".encode()).hexdigest()[:12]
    return Run(controls.data_folder() / "looks" / name)


def examined(data: FileData) -> Examined | None:
    """Return what the worker found, or None if it has not looked yet."""
    run = _run_of(data)
    return Examined.load(run, "examine") if (run.path / "config.json").is_file() else None


def show(data: FileData, first: Dataset) -> None:
    """Draw the first rows, and offer to examine all; then draw what was found over all rows.

    Args:
        data: The settings of the file.
        first: Its first rows.
    """
    plain = dataclasses.replace(data, clip=None, constant="keep", duplicates="keep")
    run, size = _run_of(plain), Path(data.path).stat().st_size
    if not (run.path / "config.json").is_file():
        config = recipes.for_dataset(plain, first, "vae", members=1, latents=2)
        runs.create(run.path, config, title=first.name)
    found = Examined.load(run, "examine")
    with st.container(horizontal=True, gap="medium"):
        st.metric("Examples", "first 500" if found is None else f"{found.n:,}", width="content")
        st.metric("Dimensions of x", f"{first.d_x:,}", width="content")
        st.metric("On disk", f"{size / 1e9:.2g} GB", width="content")
    st.caption(
        f"This file is large. Training reads all of it into the worker's memory, about {3 * size / 1e9:.2g} GB, and "
        "the Train page takes as long as reading does. Fewer columns of x (NAME[:500]) or rows make it lighter."
    )
    if found is None:
        _look(first)
        run_panel.ask(run, "examine", "Examine all rows", "Reading and examining all rows", can_stop=True)
        return
    seen = ExaminedOverview.load(run, "overview")
    if seen is not None:
        over = seen.as_overview()
        gaps = f", {found.split['neither']:,} rows beside them in neither part" if found.split["neither"] else ""
        ui.plot(
            figures.split_over_time(
                over.x, over.rows, over.stretches, over.u, rate_hz=first.rate_hz, labels=first.u_labels,
                title=f"{found.split['held_out']:,} of {found.n:,} rows are held out{gaps}",
                name=first.u_names[0] if first.u_names else "u",
                note=f"{len(over.columns)} of {first.d_x:,} columns, evenly spaced",
            ),
            key="data.split",
        )  # fmt: skip
    st.caption(found.split["words"])
    st.caption(
        f"{found.components} principal components are larger than chance allows. {found.findings['rows']:,} evenly "
        "spaced rows were checked for outliers and repeats, all rows for constant columns."
    )


def _look(first: Dataset) -> None:
    more: dict = {"u_names": first.u_names, "u_labels": first.u_labels} if first.u is not None else {}
    unit = "spikes a bin" if first.is_counts else "value"
    drawing = figures.recording(
        first.x_float(), first.u, rate_hz=first.rate_hz, names=first.x_names, unit=unit, limit=FIRST, **more
    )
    ui.plot(drawing, key="data.raster")
