"""The Darmois construction on any two columns: two independent variables, yet the sources are still mixed."""

from typing import Any

import streamlit as st

from dvae_core import figures
from dvae_core.config import Data
from dvae_core.data.dataset import Dataset
from dvae_core.identify.darmois import Darmois, darmois
from pages.ui import controls
from pages.ui import page as ui


def section() -> None:
    """Show the construction on data that the visitor chooses."""
    st.markdown(
        "**Darmois: independence alone is cheap.** y₁ = F(x₁) and y₂ = F(x₂|x₁) are independent and uniform, whatever "
        "x was mixed from."
    )
    known = _sources()
    cells = st.columns([3, 2, 2], vertical_alignment="top")
    with cells[0]:
        label = ui.choice(st.selectbox, "Data", list(known), param="darmois")
    dataset = controls.dataset_of(known[label])
    if dataset.d_x < 2:
        st.info("This data has one column; the construction needs two.", icon=":material/info:")
        return
    names = list(dataset.x_names) or [f"x{k + 1}" for k in range(dataset.d_x)]
    columns = []
    for cell, name, k in zip(cells[1:], ("x₁", "x₂"), (0, 1), strict=True):
        with cell:
            columns.append(
                ui.choice(
                    st.selectbox, name, list(range(dataset.d_x)), param=f"x{k + 1}", show=names.__getitem__,
                    disabled=dataset.d_x == 2,
                )
            )  # fmt: skip
    try:
        found = _darmois(dataset.fingerprint, columns[0], columns[1], dataset)
    except ValueError as error:  # a constant column, the same column twice, too few rows
        ui.problem(error)
        return
    _show(dataset, found, [names[c] for c in columns], columns)


def _sources() -> dict[str, Data]:
    """Return the data of the Data page and of every run, by label."""
    chosen = controls.chosen_data()
    found: dict[str, Data] = {f"{controls.data_label(chosen)} (Data page)": chosen}
    for run in ui.decodable_runs():
        found.setdefault(f"data of {run.title}", run.config.data)
    return found


@st.cache_data(max_entries=8, show_spinner="Estimating F(x₂|x₁) ...")
def _darmois(fingerprint: str, first: int, second: int, _dataset: Dataset) -> Darmois:
    if first == second:
        raise ValueError("Choose two different columns.")
    factors = _dataset.z
    return darmois(_dataset.x_float()[:, [first, second]].astype(float), factors)


def _show(dataset: Dataset, found: Darmois, names: list[str], columns: list[int]) -> None:
    rows = found.rows
    x = dataset.x_float(rows)[:, columns]
    has_truth = dataset.z is not None and dataset.z.shape[1] >= 2
    start: Any = dataset.z[rows] if has_truth and dataset.z is not None else x
    panels = [(x, "Data x", names), (found.y, "y: independent", ["y1", "y2"])]
    if has_truth:
        panels.insert(0, (start, "True factors", ["s1", "s2"]))
    *cells, text = st.columns([1] * len(panels) + [4 - len(panels) + 0.5], gap="small")
    for cell, (points, title, axis) in zip(cells, panels, strict=True):
        with cell:
            ui.plot(figures.stage(points, start, title=title, axis=axis), key=f"any_prior.darmois.{title}")
    with text:
        before, after = found.independence_before.p_value, found.independence.p_value
        passed = (
            "no dependence found at the 5 % level"
            if after > 0.05
            else "dependence left: this estimate of F is too rough"
        )
        st.markdown(
            f"Independence test (HSIC, held-out rows): p = {before:.3f} for x, **{after:.2f}** for y, {passed}."
        )
        if found.mcc is None:
            st.markdown("The true factors are unknown here; nothing about y says whether it found them.")
        else:
            st.markdown(
                f"MCC of the true factors and y: **{found.mcc.value:.2f}**. One colour is one quarter of the "
                "factors' plane: in y the quarters are still bent and mixed."
            )
        st.caption(f"F: {found.method}.")
