"""Files too large to be read while somebody waits: the first rows at once, and all rows examined by a worker."""

import dataclasses
import hashlib
from pathlib import Path

import streamlit as st

from dvae_core import figures, recipes, runs
from dvae_core.analysis.examine.record import Examined, ExaminedOverview
from dvae_core.config import Config, ConfigError, Data, FileData
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
    """Return the folder in which the worker keeps its findings, one for each version of the file and its settings."""
    when = Path(data.path).stat().st_mtime_ns
    name = hashlib.sha256(f"{controls.data_to_text(data)} {when}".encode()).hexdigest()[:12]
    return Run(controls.data_folder() / "looks" / name)


def examined(data: FileData) -> Examined | None:
    """Return what the worker found, or None if it has not looked yet."""
    run = _run_of(data)
    found = Examined.load(run, "examine") if (run.path / "config.json").is_file() else None
    return found if found is not None and found.configs else None  # earlier versions suggested no settings


def without_cures(data: FileData) -> FileData:
    """Return the settings that read a file as it is."""
    return dataclasses.replace(data, clip=None, constant="keep", duplicates="keep")


def offer(data: FileData, first: Dataset) -> Examined | None:
    """Return what the worker found in all rows; None, and a button that asks it to look, if it has not looked yet."""
    run, plain = _run_of(without_cures(data)), without_cures(data)
    if not (run.path / "config.json").is_file():
        whole = dataclasses.replace(plain, pca=None)  # no component is fitted on the first rows
        config = recipes.for_dataset(whole, first, "vae", members=1, latents=2)
        runs.create(run.path, dataclasses.replace(config, data=plain, split="auto", gap=0), title=first.name)
    found = examined(plain)
    if found is None:
        run_panel.ask(run, "examine", "Examine all rows", "Reading and examining all rows", can_stop=True)
    return found


def suggested(data: FileData, found: Examined, model: str, goal: str | None) -> Config:
    """Return the settings that suit all rows of a large file.

    Raises:
        ConfigError: If the data has no u and the model needs one.
    """
    config = found.config(model, goal)
    if config is None:
        raise ConfigError(f"An iVAE needs an auxiliary variable u, and {Path(data.path).name} has none; choose one.")
    return dataclasses.replace(config, data=data)


def show(data: FileData, first: Dataset) -> None:
    """Draw the first rows, and offer to examine all; then draw the findings over all rows.

    Args:
        data: The settings of the file.
        first: Its first rows.
    """
    run, size = _run_of(without_cures(data)), Path(data.path).stat().st_size
    found = examined(without_cures(data))
    with st.container(horizontal=True, gap="medium"):
        st.metric("Examples", "first 500" if found is None else f"{found.n:,}", width="content")
        st.metric("Dimensions of x", f"{first.d_x:,}", width="content")
        st.metric("On disk", f"{size / 1e9:.2g} GB", width="content")
    st.caption(
        f"This file is large. Training reads all of it into the worker's memory, about {3 * size / 1e9:.2g} GB. Fewer "
        "columns of x (NAME[:500]), fewer rows or principal components need less."
    )
    if found is None:
        _look(first)
        offer(data, first)
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
