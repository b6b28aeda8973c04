"""The user's own data: uploaded, fetched, or found in an allowed folder; the user chooses x, u and the factors."""

import dataclasses
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from dvae_core.config import FileData
from dvae_core.data import care, catalogue, readers, unpack
from dvae_core.data.dataset import DataError, MissingValues
from dvae_core.data.load import dataset_of
from pages.ui import controls, data_large
from pages.ui import page as ui

WAYS = {"drop": "Drop", "catalogue": "Catalogue", "folder": "Folder", "known": "Recent"}
QUESTIONS = 4  # about one file, asked one after the other
UNITS = ("quality", "area", "depth_from", "depth_to", "min_rate_hz", "units")  # settings that choose among units
CHIPS = 16  # with more variables than this, they are chosen from a list
POLL_SECONDS = 0.5
SECONDS = re.compile(r"[(\[_ ](s|sec|secs|seconds)\b", re.IGNORECASE)  # a unit in the name of a column


def choose() -> FileData | None:
    """Let the user provide a file and choose its parts; return None until there is one.

    Raises:
        DataError: If it cannot be read.
    """
    known = _known()
    ways = [w for w in WAYS if (w != "folder" or controls.data_root()) and (w != "known" or known)]
    now = controls.chosen_data()
    now = now if isinstance(now, FileData) else None
    place = "" if now is None else controls.data_to_text(now).partition("path=")[2].partition("/")[0]
    default = {"fetched": "catalogue", "root": "folder", "uploads": "known"}.get(place, "known" if now else "drop")
    way = ui.choice(st.segmented_control, "From", ways, param="from_where", default=default, show=WAYS.__getitem__)
    file = {"drop": _dropped, "catalogue": _fetched, "folder": _in_folder, "known": lambda: _again(known)}[way]()
    if file is None:
        return None
    if now is not None and now.path == file.path:
        file = dataclasses.replace(now, u_from=file.u_from)  # the link has more settings for it
    return _parts(file)


def _known() -> list[Path]:
    """Return the earlier files: prepared ones and uploads, as files or as folders of several."""
    folder = controls.data_folder()
    return sorted(folder.glob("*.npz")) + sorted(p for p in folder.glob("uploads/*") if not p.name.startswith("."))


def _dropped() -> FileData | None:
    files = st.file_uploader(
        "Files", _types(), accept_multiple_files=True,
        help="Kept on this machine; nothing leaves it. Several files that belong together (spikes and positions, "
        "pictures and labels) are dropped together. Pickles (.pkl, .pt, .jl) can run code and are not accepted: save "
        "their arrays with numpy.savez(file, x=x, u=u).",
    )  # fmt: skip
    if not files:
        return None
    contents = [f.getvalue() for f in files]
    digest = hashlib.sha256(b"".join(contents)).hexdigest()[:6]
    folder = controls.data_folder() / "uploads"
    if len(files) > 1:
        folder = folder / f"{_slug(files[0].name)}-and-{len(files) - 1}-more-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in zip(files, contents, strict=True):
        name = f"{_slug(file.name)}{Path(file.name).suffix.lower()}"
        path = folder / (
            re.sub(r"[^\w.-]+", "_", file.name) if len(files) > 1 else f"{Path(name).stem}-{digest}{Path(name).suffix}"
        )
        if not path.is_file():
            path.write_bytes(content)
    if len(files) > 1:
        return _whole_or_parts(folder)
    if path.suffix == ".zip" and unpack.holds_recordings(path, (*readers.SUFFIXES, *readers.COMPANIONS)):
        return _whole_or_parts(unpack.inside(unpack.unpack(path, path.with_suffix(""))))
    return FileData(path=str(path))


def _whole_or_parts(folder: Path) -> FileData | None:
    """Return a folder that one reader opens as a whole; otherwise ask which file has x, and which has u."""
    files = readers.data_files(folder)
    if len(files) < 2 or _opens(str(folder), folder.stat().st_mtime):
        return FileData(path=str(folder))
    now = controls.chosen_data()
    names, key = [f.name for f in files], f"parts.{folder.name}"
    st.caption(f"{len(files)} files, each with variables of its own. They are aligned by their clocks.")
    x = _one_file("File of x", names, folder, now.path if isinstance(now, FileData) else None, f"{key}.x")
    if x is None:
        return None
    others = [name for name in names if name != x]
    given = now.u_from if isinstance(now, FileData) else None
    u = _one_file("File of u, if u is in another one", others, folder, given, f"{key}.u")
    return FileData(path=str(folder / x), u_from=None if u is None else str(folder / u))


def _one_file(label: str, names: Sequence[str], folder: Path, now: str | None, key: str) -> str | None:
    """Let the user choose a file of a folder, starting at the link's."""
    known = Path(now).name if now and Path(now).parent == folder and Path(now).name in names else None
    start: dict = {} if key in st.session_state else {"default": known}
    return st.pills(label, names, key=key, persist_state="session", **start)


@st.cache_data(max_entries=16, show_spinner=False)
def _opens(path: str, when: float) -> bool:
    """Whether a reader knows the folder as a whole."""
    try:
        readers.inspect(path)
    except DataError:
        return False
    return True


def _types() -> list[str]:
    return [suffix.removeprefix(".") for suffix in (*readers.SUFFIXES, *readers.COMPANIONS)]


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", Path(name).stem.lower()).strip("-")[:40] or "data"


def _fetched() -> FileData | None:
    keys = [e.key for e in catalogue.CATALOGUE]
    key = ui.choice(st.selectbox, "Data set", keys, param="entry", show=lambda k: catalogue.entry(k).title)
    wanted = catalogue.entry(key)
    size = f"{wanted.size / 1e6:,.0f} MB" if wanted.size else "size unknown"
    st.caption(f"{wanted.about}. {wanted.source}. Licence: {wanted.licence}. {size}.")
    if catalogue.is_fetched(wanted):
        return FileData(path=str(catalogue.path_of(wanted)), **wanted.read)
    _fetch(wanted)
    return None


def _fetch(wanted: catalogue.Entry) -> None:
    """Offer a download; during one, show its progress and a way to cancel it."""
    job = catalogue.download_of(wanted)
    if job is not None and job.state == "running":

        @st.fragment(run_every=POLL_SECONDS)
        def watch() -> None:
            if job.state != "running":
                st.rerun()
            st.progress(job.share, f"Fetching, {100 * job.share:.0f} %")
            st.button("Cancel", icon=":material/close:", on_click=job.cancel)

        watch()
        return
    if job is not None and job.state == "failed":
        st.error(job.message, icon=":material/cloud_off:")
    asked = st.button(
        "Fetch from its public home", icon=":material/download:",
        help="The only thing here that uses the network. The file is checked against its known digest.",
    )  # fmt: skip
    if asked:
        catalogue.begin(wanted)
        st.rerun()


def _in_folder() -> FileData | None:
    root = controls.data_root()
    now, key = controls.chosen_data(), "files.path"
    inside = root is not None and isinstance(now, FileData) and Path(now.path).is_relative_to(root)
    start: dict = {"value": str(Path(now.path).relative_to(root))} if inside and key not in st.session_state else {}  # type: ignore[union-attr, arg-type]
    path = st.text_input(
        "File or folder", **start, placeholder="recordings/session1.mat", persist_state="session", key=key,
        help="Inside the data folder of this server (DVAE_DATA_ROOT)",
    )  # fmt: skip
    return FileData(path=str(readers.within(root, path))) if root and path else None


def _again(known: Sequence[Path]) -> FileData | None:
    now = controls.chosen_data()
    places = {Path(now.path), *Path(now.path).parents} if isinstance(now, FileData) else set()
    at = next((i for i, path in enumerate(known) if path in places), None)
    path = st.selectbox("File", known, index=at, format_func=lambda p: p.stem, placeholder="Choose")
    if path is None:
        return None
    return _whole_or_parts(unpack.inside(path)) if path.is_dir() else FileData(path=str(path))


def _parts(file: FileData) -> FileData | None:
    """Let the user choose x, u, factors, read options and cures."""
    variables = _variables(file.path, Path(file.path).stat().st_mtime)
    variables = [v for v in variables if v.readable]
    variables = [
        v for v in variables if max(v.shape) > 1 or v.kind == "events" or v.role == "phase"
    ] or variables  # one value is not data
    beside = _variables(file.u_from, Path(file.u_from).stat().st_mtime) if file.u_from else []
    names = [v.name for v in variables if v.role != "unit"]  # what describes units cannot describe rows
    key = f"file.{hashlib.sha256(file.path.encode()).hexdigest()[:8]}"
    with st.expander("Roles of the variables", icon=":material/category:", expanded=True):
        summary = st.empty()
        x = _pick("x: the data", names, file.x, f"{key}.x")
        behaviour = list(dict.fromkeys([*(v.name for v in beside if v.readable), *names]))
        u = _pick("u: the auxiliary variable", behaviour, file.u, f"{key}.u")
        z = _pick("True factors, if known", behaviour, file.z, f"{key}.z")
        chosen = "The rest is found" if x or u or z else "Nothing is chosen: all is found"
        summary.caption(f"{chosen} by name, or by the format. {_listing(variables)}")
    file = dataclasses.replace(file, x=x, u=u, z=z)
    file = _clock(file, variables, key)
    with st.expander("How it is read", icon=":material/tune:"):
        dials = ["rate_hz", "rows", "pca"]
        if any(v.kind == "events" for v in variables):
            dials += ["bin_s", "smooth_s", "min_speed"]
        file = controls.edit(file, dials, prefix=key)
    if any(v.kind == "events" or "unit" in v.axes for v in variables):
        with st.expander("Which units", icon=":material/filter_alt:", expanded=_units_chosen(file)):
            st.caption("Neurons or regions to train on. Empty: all, or those that the format's users use.")
            file = controls.edit(file, UNITS, prefix=key)
    return _answered(file, key)


def _units_chosen(file: FileData) -> bool:
    return any(getattr(file, name) not in ((), None) for name in UNITS)


def _clock(file: FileData, variables: Sequence[readers.Variable], key: str) -> FileData:
    """Offer columns of times, which are not data, as the clock of the rows; on if the name states seconds."""
    clocks = [v.name for v in variables if v.role == "clock"]
    if not clocks or file.rate_hz or (file.time and file.time not in clocks):
        return file
    name = file.time or clocks[0]
    start: dict = {} if f"{key}.clock" in st.session_state else {"value": bool(file.time or SECONDS.search(name))}
    on = st.toggle(
        f"{name} is the clock of the rows, in seconds", key=f"{key}.clock", persist_state="session", **start,
        help="It is left out of x. Rows are then in time order, and held out in blocks.",
    )  # fmt: skip
    return dataclasses.replace(file, time=name if on else None)


def _answered(file: FileData, key: str) -> FileData | None:
    """Ask with buttons what the file leaves open; answers become settings of the run. None until all are given."""
    for _ in range(QUESTIONS):
        try:
            return _care(file, key)
        except readers.Undecided as error:
            question = error.question
            label = f"{question.why}. Choose:"
            show = st.pills if len(question.candidates) <= CHIPS else st.selectbox
            more: dict = {"index": None} if show is st.selectbox else {}
            answer = show(
                label, question.candidates, key=f"{key}.ask.{question.about}", persist_state="session", **more
            )
            if answer is None:
                return None
            file = dataclasses.replace(file, **_settings_of(question.about, answer))
    return _care(file, key)


def _settings_of(about: str, answer: str) -> dict:
    """Return the setting that corresponds to an answer."""
    if about == "axes":
        return {"axes": tuple(answer.split(","))}
    return {"x": {"x": (answer,)}, "rows": {"rows_are": answer}, "picture": {"picture": answer}}[about]


def _listing(variables: Sequence[readers.Variable]) -> str:
    """Summarise the variables in one line: name and shape."""
    few = [f"{v.name} ({' × '.join(f'{s:,}' for s in v.shape)})" for v in variables[:8]]
    return "Found: " + ", ".join(few) + (f" and {len(variables) - 8} more." if len(variables) > 8 else ".")


@st.cache_data(max_entries=16, show_spinner=False)
def _variables(path: str, when: float) -> list[readers.Variable]:
    return readers.inspect(path)


def _pick(label: str, names: Sequence[str], now: Sequence[str], key: str) -> tuple[str, ...]:
    """Let the user choose names, as chips if there are only a few."""
    start: dict = {} if key in st.session_state else {"default": [n for n in now if n in names]}
    extra = [n for n in now if n not in names]  # NAME[:3] and the like, from a link
    if len(names) <= CHIPS:
        chosen = st.pills(label, names, selection_mode="multi", key=key, persist_state="session", **start)
    else:
        chosen = st.multiselect(label, names, key=key, persist_state="session", placeholder="found by name", **start)
    return tuple(chosen) or tuple(extra)


def _care(file: FileData, key: str) -> FileData:
    """List the faults of the data and offer cures; each chosen cure becomes a setting of the run."""
    plain = data_large.without_cures(file)
    if data_large.is_large(file):
        examined = data_large.examined(plain)
        return file if examined is None else _cures(file, key, examined.as_findings())
    try:
        found = _findings(controls.data_to_text(plain), Path(file.path).stat().st_mtime, plain)
    except MissingValues as error:
        cells, rows, columns = care.missing(error)
        state = st.empty()
        ways = {"refuse": "Nothing", "drop rows": f"{rows:,} rows", "drop columns": f"{columns:,} columns"}
        missing = st.segmented_control(
            "Drop", list(ways), format_func=ways.__getitem__, key=f"{key}.missing", default="refuse"
        )
        if missing in (None, "refuse"):
            state.warning(f"{cells:,} values are missing or infinite, in {rows:,} rows and {columns:,} columns of x.")
            raise
        state.caption(f":material/healing: {ways[missing]} with a missing or infinite value are left out.")
        return _care(dataclasses.replace(file, missing=missing), key)
    return _cures(file, key, found)


def _cures(file: FileData, key: str, found: care.Findings) -> FileData:
    """Show the faults that were found, and offer a cure for each."""
    complaints = []
    if found.outlier_cells:
        where = ", ".join(found.outlier_columns[:3]) + (" ..." if len(found.outlier_columns) > 3 else "")
        complaints.append(
            (
                "clip",
                f"{_many(found.outlier_rows, 'row has', 'rows have')} gross outliers ({where})",
                "Clip at 10 robust deviations",
            )
        )
    if found.constant:
        complaints.append(
            (
                "constant",
                f"{_many(len(found.constant), 'column never changes', 'columns never change')}",
                "Drop these columns",
            )
        )
    if found.duplicates and found.in_order:
        st.caption(
            f":material/info: {_many(found.duplicates, 'row repeats', 'rows repeat')} an earlier one. They stay: rows "
            "are in time order, and silence is data."
        )
    elif found.duplicates:
        complaints.append(
            (
                "duplicates",
                f"{_many(found.duplicates, 'row repeats', 'rows repeat')} an earlier one",
                "Drop the repeats",
            )
        )
    if not complaints:
        which = "No" if file.missing == "refuse" else "What is left has no"
        st.caption(f":material/check: {which} missing values, gross outliers, constant columns or repeated rows.")
        return file
    chosen = {}
    with st.container(border=True):
        for name, fault, cure in complaints:
            on = getattr(file, name) not in (None, "keep")
            start: dict = {} if f"{key}.{name}" in st.session_state else {"value": on}
            st.caption(f":material/healing: {fault}")
            chosen[name] = st.toggle(cure, key=f"{key}.{name}", persist_state="session", **start)
    return dataclasses.replace(
        file, clip=(file.clip or 10.0) if chosen.get("clip") else None,
        constant="drop" if chosen.get("constant") else "keep",
        duplicates="drop" if chosen.get("duplicates") else "keep",
    )  # fmt: skip


def _many(count: int, one: str, more: str) -> str:
    return f"{count:,} {one if count == 1 else more}"


@st.cache_data(max_entries=8, show_spinner="Looking at the data ...")
def _findings(text: str, when: float, _data: FileData) -> care.Findings:
    return care.findings(dataset_of(_data))
