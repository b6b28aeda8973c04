"""The data as numbers and figures, before anything is trained."""

import hashlib

import streamlit as st

from dvae_core import figures, recipes, runs
from dvae_core.analysis.difficulty.record import Difficulty
from dvae_core.config import Config, Data, FileData, Split
from dvae_core.data import care, held_out
from dvae_core.data.dataset import Dataset
from dvae_core.data.split import split as split_rows
from dvae_core.metrics import FLOORS
from dvae_core.runs import Run, RunError
from pages.ui import controls, run_panel
from pages.ui import page as ui

VIEWS = {
    "look": "Look",
    "split": "Over time",
    "columns": "Columns",
    "tuning": "Against u",
    "shape": "Structure",
    "hard": "How hard?",
}
MANY_COLUMNS = (
    10  # from this many columns on, rows are drawn in order, whether or not they are known to be in time order
)


def facts(dataset: Dataset) -> None:
    """Show the sizes of the data in one line of numbers."""
    u = (
        "none" if dataset.u is None
        else f"{dataset.n_labels} labels" if dataset.has_labels
        else dataset.u_names[0] if len(dataset.u_names) == 1
        else f"{len(dataset.u_names)} numbers"
    )  # fmt: skip
    factors = "unknown" if dataset.z is None else str(dataset.z.shape[1])
    x = f"{dataset.d_x:,}" if dataset.x_shape is None else " × ".join(map(str, dataset.x_shape))
    numbers = {"Examples": f"{dataset.n:,}", "Dimensions of x": x, "u": u, "True factors": factors}
    _numbers(numbers)
    if dataset.reduced_by is not None:
        st.caption(f"{dataset.reading['notes'][-1]}.")
    details = {**dataset.meta} | ({"rate": f"{dataset.rate_hz:g} Hz"} if dataset.rate_hz else {})
    hidden = [f"{v['name']} {v['reason']}" for v in dataset.reading.get("variables", ()) if not v["readable"]]
    details |= {"not read": "; ".join(hidden[:20])} if hidden else {}
    with st.expander("About this data", icon=":material/info:"):
        st.text("\n".join(f"{key}: {text}" for key, text in details.items() if text))


def _numbers(numbers: dict[str, str]) -> None:
    """Show numbers side by side, wrapped into several rows on a narrow screen."""
    with st.container(horizontal=True, gap="medium"):
        for label, value in numbers.items():
            st.metric(label, value, width="content")


def show(data: Data, dataset: Dataset, method: Split) -> None:
    """Show one view of the data, chosen with a row of buttons."""
    views = [v for v in VIEWS if _fits(v, dataset)]
    view = ui.choice(st.segmented_control, "View", views, param="data_view", show=VIEWS.__getitem__)
    if view == "look":
        preview(dataset)
    elif view == "split":
        over_time(data, dataset, method)
    elif view == "columns":
        ui.plot(figures.column_histograms(dataset.x_float(), names=dataset.x_names), key="data.histograms")
    elif view == "tuning":
        _tuning(dataset)
    elif view == "shape":
        ui.plot(
            figures.variance_spectrum(_spectrum(controls.data_to_text(data), dataset.fingerprint, dataset)),
            key="data.pca",
        )
    else:
        difficulty(data, dataset)


def over_time(data: Data, dataset: Dataset, method: Split) -> None:
    """Draw what a model will be trained on: x over all rows, u and the split beneath, and what was left out."""
    drawn = not isinstance(data, FileData)
    plan = held_out.planned(dataset, method, drawn=drawn)
    parts = split_rows(dataset, plan.how, gap=plan.gap)
    found, seen = held_out.record(dataset, parts, drawn=drawn), held_out.overview(dataset, parts)
    if found["how"] == "random":
        title = f"{found['held_out']:,} of {dataset.n:,} rows are held out, drawn at random"
    else:
        gaps = f", {found['neither']:,} rows beside them in neither part" if found["neither"] else ""
        title = f"{found['held_out']:,} of {dataset.n:,} rows are held out{gaps}"
    few = len(seen.columns) < dataset.d_x
    ui.plot(
        figures.split_over_time(
            seen.x, seen.rows, seen.stretches, seen.u, rate_hz=dataset.rate_hz, labels=dataset.u_labels, title=title,
            name=dataset.u_names[0] if dataset.u_names else "u",
            note=f"{len(seen.columns)} of {dataset.d_x:,} columns, evenly spaced" if few else "",
        ),
        key="data.split",
    )  # fmt: skip
    warns = found["how"] == "random" and found["resembles"]
    (st.warning if warns else st.caption)(found["words"])
    left = dataset.reading.get("left_out", ())
    if left:
        st.markdown("**Left out when the file was read**")
        st.text("\n".join(f"{entry['rows']:,} {entry['what']}: {entry['why']}" for entry in left))


def _fits(view: str, dataset: Dataset) -> bool:
    if view == "split":
        return dataset.x_shape is None
    if view in ("columns", "tuning"):
        return dataset.x_shape is None and (view == "columns" or dataset.u is not None)
    return view != "hard" or dataset.z is not None


def _hue(dataset: Dataset) -> tuple:
    if dataset.u is None or dataset.has_labels:
        return dataset.u, dataset.u_labels
    return dataset.u[:, 0], dataset.u_names[:1]


def preview(dataset: Dataset) -> None:
    """Draw the data in its own form: pictures, a recording over time, or points, with the factors beside them."""
    hue, names = _hue(dataset)
    if dataset.x_shape is not None:
        pictures = care.pictures(dataset, 40)
        gap = 0 if min(dataset.x_shape[:2]) < 16 else 1
        sheet = figures.picture_sheet(pictures, columns=8, gap=gap)
        st.image(sheet, output_format="PNG", alt=f"{len(pictures)} of the pictures", width="stretch")
        return
    x = dataset.x_float()
    if dataset.is_counts or dataset.rate_hz or dataset.d_x >= MANY_COLUMNS:
        unit = "spikes a bin" if dataset.is_counts else "value"
        more: dict = {"u_names": dataset.u_names, "u_labels": dataset.u_labels} if dataset.u is not None else {}
        ui.plot(
            figures.recording(x, dataset.u, rate_hz=dataset.rate_hz, names=dataset.x_names, unit=unit, **more),
            key="data.raster",
        )
    cells = [st.container()] if dataset.z is None else st.columns(2)
    with cells[0]:
        ui.plot(
            figures.data_scatter(x, hue, names, names=dataset.x_names, title="What the model sees", height=380),
            key="data.scatter",
        )
    if dataset.z is not None:
        with cells[1]:
            title = "What it never sees: the true factors"
            factors = figures.data_scatter(
                dataset.z, hue, names, names=dataset.z_names, role="factor", title=title, height=380
            )
            ui.plot(factors, key="data.factors")


def _tuning(dataset: Dataset) -> None:
    """Draw the effect of u on the columns of x."""
    u, labels = dataset.u, dataset.u_labels
    name, period = dataset.u_names[0], 0.0
    if not dataset.has_labels:
        name = ui.choice(st.segmented_control, "Against", list(dataset.u_names[:6]), param="against")
        column = dataset.u_names.index(name)
        u = dataset.u[:, column]  # type: ignore[index]
        period = dataset.u_period[column] if dataset.u_period else 0.0
    unit = "count" if dataset.is_counts else "value"
    assert u is not None  # the view is offered only with u
    ui.plot(
        figures.tuning_curves(
            dataset.x_float(), u, name=name, labels=labels, names=dataset.x_names, unit=unit, period=period
        ),
        key="data.tuning",
    )


@st.cache_data(max_entries=8, show_spinner=False)
def _spectrum(text: str, fingerprint: str, _dataset: Dataset):
    return care.spectrum(_dataset.x)


def difficulty(data: Data, dataset: Dataset) -> None:
    """Show the scores that need no model, on data with known factors; a worker computes them once."""
    plain = Config(data=data).to_json()
    name = hashlib.sha256((plain + dataset.fingerprint).encode()).hexdigest()[:12]
    run = Run(controls.data_folder() / "looks" / name)
    try:
        if not (run.path / "config.json").is_file():
            runs.create(run.path, recipes.for_dataset(data, dataset, "vae", members=1), title=dataset.name)
        found = Difficulty.load(run, "difficulty")
    except RunError as error:
        ui.problem(error)
        return
    if found is None:
        st.markdown("How far do x itself, PCA, FastICA and copying u get? A model has to beat them.")
        run_panel.ask(run, "difficulty", "Compute", "Fitting PCA and FastICA")
        return
    scores = {FLOORS[k]: v for k, v in found.scores.items() if v is not None}
    _numbers({label: f"{value:.2f}" for label, value in scores.items()})
    best = max((v, k) for k, v in scores.items() if k != "random rotation")
    st.markdown(
        f"MCC with the true factors on {found.rows:,} held-out rows, without any model. The best line is {best[1]} "
        f"with **{best[0]:.2f}**: "
        + ("this data is easy, and a high MCC will say little." if best[0] > 0.9 else "a model has to beat it.")
    )
    if found.notes:
        st.caption(" ".join(found.notes))


def advice(data: Data, dataset: Dataset) -> tuple[str, str]:
    """Return the model that suits the data, with the reason."""
    if dataset.x_shape is not None:
        return "beta-vae", "Pictures: a beta-VAE, whose latents can be dragged."
    if dataset.u is not None:
        return (
            "ivae",
            f"With u ({', '.join(dataset.u_names[:3])}): an iVAE can find the axes, if u moves the latents enough.",
        )
    return "vae", "Without u, a VAE. Its axes are not identified: see Bad news."
