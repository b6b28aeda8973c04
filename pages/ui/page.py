"""Functions that all pages share: their list, the start and foot of a page, choices kept in the link, and links."""

import copy
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dvae_core import runs
from dvae_core.analysis.common import best_member, rivals, stuck_members
from dvae_core.analysis.tables import member_names as member_names  # pages find it here, beside pick_member
from dvae_core.export.plan import Plan, decoder_plan
from dvae_core.runs import Run, RunError
from dvae_core.work import jobs
from pages.ui import links

CARRIED = ("run", "member", "data")  # choices that are carried from page to page


@dataclass(frozen=True)
class Page:
    """One entry of the navigation."""

    name: str
    title: str
    icon: str
    about: str

    @property
    def file(self) -> str:
        """The script, relative to app.py."""
        return f"pages/{self.name}.py"


CHAPTERS: dict[str, list[Page]] = {
    "": [
        Page("start", "Start", ":material/home:", "A trained model to drag, and the chapters."),
        Page("playground", "Playground", ":material/experiment:", "Eight seeds learn on one screen: do they agree?"),
        Page("talk", "Give the talk", ":material/co_present:", "Four chapters, one idea a screen, arrow keys."),
    ],
    "1 · Just do it": [
        Page("data", "Data", ":material/scatter_plot:", "Draw data with known factors, or bring your own file."),
        Page("train", "Train", ":material/model_training:", "Train VAE, beta-VAE or iVAE, many seeds at once."),
        Page("traverse", "Traverse", ":material/tune:", "Drag the latents; the data follows."),
    ],
    "2 · Bad news": [
        Page("rotate", "Rotate", ":material/rotate_right:", "Turn the Gaussian prior: other latents, the same data."),
        Page(
            "any_prior",
            "Any prior",
            ":material/all_inclusive:",
            "Another prior does not help: it can be turned as well.",
        ),
    ],
    "3 · Rescue": [
        Page("recover", "Recover", ":material/target:", "Recovered latents against the true factors."),
        Page("agree", "Agree", ":material/handshake:", "Do the seeds agree? For data without true factors."),
        Page(
            "conditions",
            "Conditions",
            ":material/checklist:",
            "Does the theorem apply to this run? What must u be like?",
        ),
    ],
    "4 · Without u": [
        Page(
            "bend", "What bends the curve?", ":material/ssid_chart:", "What else fixes the axes, and by how many nats."
        ),
    ],
    "Workbench": [
        Page("study", "Study", ":material/grid_view:", "Many models at once: is it the model, β, or luck?"),
        Page("runs", "Runs", ":material/folder_open:", "Open, rename, download or delete trained runs."),
    ],
}
# The bar appears under the pointer, with one button: it saves what is on the screen as a vector file, in the browser.
CAMERA = {
    "modeBarButtons": [["toImage"]],
    "displaylogo": False,
    "toImageButtonOptions": {"format": "svg", "filename": "figure"},
}
BACK_ROW = 20  # pixels of type: from this size on, the page is on a projector (`make talk` has 22)
ORDER = [page for pages in CHAPTERS.values() for page in pages]


def start(name: str, headline: str, lead: str = "", *, maths: str = "") -> None:
    """Begin a page: route a cold deep link, keep the choices of the last page, show the headline."""
    context = get_script_run_ctx()
    if not st.session_state.get("routed") and context is not None and Path(context.main_script_path).name == "app.py":
        # On a server without earlier visitors, pages/<name>.py runs without app.py; switch to it and keep the link's
        # parameters.
        st.switch_page("app.py", query_params={**st.query_params.to_dict(), "to": name})
    if name != "start":
        # Import pandas fully before drawing a figure: plotly may pick it up half imported by another visitor's thread.
        importlib.import_module("pandas")
    st.session_state["figures"] = {}  # figures drawn on this page, by key: the foot offers them as a file
    st.session_state["canvases"] = {}  # what draws the page's canvases as figures, for print, by key
    if name in ("data", "train", "study", "runs"):
        jobs.warm()  # ready by the time of the Start button
    for key in CARRIED:
        if key in st.query_params:
            st.session_state[f"carried.{key}"] = st.query_params[key]
        elif f"carried.{key}" in st.session_state:
            st.query_params[key] = st.session_state[f"carried.{key}"]
    if (
        st.context.theme.type == "dark"
    ):  # Streamlit writes white on primary buttons and tags: 2.3 to 1 on this theme's light blue
        st.html(
            '<style>[data-testid="stBaseButton-primary"] *, [data-testid="stMultiSelect"] span[title] '
            "{ color: #0E1117; }</style>"
        )
    if not headline:  # the page has its own headline
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(headline, anchor=False, width="stretch")
        if maths:
            with st.popover("Maths", icon=":material/function:", width="content"):
                st.markdown(maths)
    if lead:
        st.markdown(lead)


def remember(key: str, value: str | None) -> None:
    """Put a choice into the link (None takes it out); `links` lists what a link can hold."""
    if key not in links.BY_NAME:
        raise KeyError(f"{key!r} is not in the list of links.py")
    if value is None:
        st.query_params.pop(key, None)
        st.session_state.pop(f"carried.{key}", None)
    else:
        st.query_params[key] = value
        if key in CARRIED:
            st.session_state[f"carried.{key}"] = value


def choice(
    widget: Callable[..., Any],
    label: str,
    options: Sequence[Any],
    *,
    param: str,
    default: Any = None,
    show: Callable[[Any], str] = str,
    **more: Any,
) -> Any:
    """Show a select widget whose value lives in the link: the link takes precedence, and a choice rewrites it.

    Values are distinguished by `str`, so options may be numbers, names or run ids.
    """
    by_text = {str(option): option for option in options}
    fallback = default if default in options else options[0]
    now = by_text.get(links.value(param), fallback)
    key = f"choice.{param}"
    st.session_state[key] = now  # always: after a change of page, the same key belongs to a new widget without a value

    def moved() -> None:
        value = st.session_state[key]
        remember(param, str(now if value is None else value))  # clicking a segmented control's choice again empties it

    if widget is st.segmented_control:
        more.setdefault("wrap", True)  # in a column, Streamlit would scroll sideways instead
    value = widget(label, options, format_func=show, key=key, on_change=moved, **more)
    return now if value is None else value


def all_runs() -> list[Run]:
    """Return the shipped runs, followed by the user's, newest first."""
    return [*runs.examples(), *runs.list_runs(runs.default_store())]


def usable_runs() -> list[Run]:
    """Return the runs that can be drawn: readable, with latents, trained here or imported."""
    return [run for run in all_runs() if is_usable(run)]


def decodable_runs() -> list[Run]:
    """Return the usable runs that have a decoder: imported latents have none."""
    return [run for run in usable_runs() if run.kind == "model"]


def is_usable(run: Run) -> bool:
    """Whether a run can be drawn: readable, with latents, and with weights unless the latents were imported."""
    try:
        result = "given.npz" if run.config.is_given else "weights.safetensors"
        return all((run.path / name).is_file() for name in (result, "latents.npz"))
    except RunError:
        return False


def run_label(run: Run) -> str:
    """Return a run's name in a menu: its title, and whether it is shipped with the software."""
    return f"{run.title} · shipped" if run.is_shipped else run.title


def pick_run(
    *, prefer: Callable[[Run], bool] = lambda run: True, label: str = "Run", needs_decoder: bool = False
) -> Run:
    """Show a menu of the usable runs; if there are none, say so and stop the page.

    On a page that needs a decoder, imported latents are not in the menu, and a link to them is answered in one line.
    """
    known = decodable_runs() if needs_decoder else usable_runs()
    wanted = st.query_params.get("run")
    if not known:
        st.info("Nothing is trained yet. Train a model first; it takes about a minute.", icon=":material/info:")
        link("train", "Train a model")
        st.stop()
    ids = [run.id for run in known]
    by_id = dict(zip(ids, known, strict=True))
    if wanted is not None and wanted not in by_id:
        _explain_missing(wanted)
    default = next((run.id for run in known if prefer(run)), ids[0])
    chosen = by_id[choice(st.selectbox, label, ids, param="run", default=default, show=lambda i: run_label(by_id[i]))]
    pca = (chosen.about.get("reading") or {}).get("pca")
    if pca:
        st.caption(
            f"x of this run is {pca['components']:,} principal components of {pca['columns']:,} columns: PC1, PC2, ... "
            "are components, not columns of the file."
        )
    return chosen


def _explain_missing(run_id: str) -> None:
    try:
        run = runs.find(run_id)
        if run.kind == "latents" and is_usable(run):
            st.info(
                f"{run.title} holds latents computed elsewhere and no decoder, which this page needs; here is another "
                "run.", icon=":material/info:",
            )  # fmt: skip
            return
        if run.config:  # a damaged one reports its fault itself
            st.info(
                f"{run.title} has nothing to show yet ({run.status().state}); here is another.", icon=":material/info:"
            )
    except RunError as error:
        st.warning(f"{error} Here is another.", icon=":material/link_off:")
    remember("run", None)


def pick_member(run: Run) -> int:
    """Show a menu of the members, named by seed and, if they differ, by beta and learning rate."""
    failed, names = run.status().failed_members, member_names(run)
    what = dict.fromkeys(stuck_members(run), " (stuck)") | dict.fromkeys(failed, " (diverged)")

    def show(member: int) -> str:
        return names[member] + what.get(member, "")

    best = best_member(run)
    return choice(
        st.selectbox, "Member", list(range(len(names))), param="member", default=best, show=show,
        help=f"{names[best]}: {by_bound(run)}." if len(names) > 1 else None,
    )  # fmt: skip


def by_bound(run: Run) -> str:
    """State how the member that is shown first stands among the others: "best" only if its bound stands out."""
    latents, among = run.latents(), f"of {run.config.members} members"
    if latents is not None and "elbo" not in latents:
        return f"the first {among}, as no bound came with these latents"
    others = len(rivals(run)) - 1
    if others:
        return f"highest bound {among}, not distinguishable from {others} other{'s' * (others > 1)}"
    is_tested = latents is not None and "elbo_rows" in latents  # version 0.1 kept no bound for each row
    return f"{'best' if is_tested else 'highest'} bound {among}"


def link(
    name: str, label: str | None = None, *, icon: str | None = None, keep: Sequence[str] = CARRIED, **params: str
) -> None:
    """Show a link to another page that keeps the choices of this one."""
    page = next(p for p in ORDER if p.name == name)
    kept = {key: st.query_params[key] for key in keep if key in st.query_params} | params
    if st.session_state.get("routed"):
        st.page_link(page.file, label=label or page.title, icon=icon or page.icon, query_params=kept)
    else:  # a page that runs alone, without the router, has no link target
        st.caption(f"{label or page.title} (open app.py for the other pages)")


def go(name: str, **params: str) -> None:
    """Go to another page with the choices of this one; a page that runs alone, without the router, stays."""
    page = next(p for p in ORDER if p.name == name)
    kept = {key: st.query_params[key] for key in CARRIED if key in st.query_params} | params
    if st.session_state.get("routed"):
        st.switch_page(page.file, query_params=kept)


def foot(name: str) -> None:
    """End a page: links to the previous and the next page, and the page's figures as a file."""
    pages = [p for p in ORDER if p.name != "talk"]  # the talk has its own buttons
    at = next(i for i, p in enumerate(pages) if p.name == name)
    st.space("small")
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        if at > 0:
            link(pages[at - 1].name, f"Back: {pages[at - 1].title}")
        drawn = st.session_state["figures"]
        if drawn or st.session_state["canvases"]:
            _for_print(name)
        if drawn:
            st.download_button(
                "Figures of this page (HTML)", lambda: _html([*drawn.values()], pages[at].title),
                f"{name}.html", "text/html", on_click="ignore", icon=":material/download:", type="tertiary",
                help="One file that needs no network: zoom, hover, save as PNG. A figure's own camera saves SVG.",
            )  # fmt: skip
        if at + 1 < len(pages):
            link(pages[at + 1].name, f"Next: {pages[at + 1].title}")


def _for_print(name: str) -> None:
    """Offer every figure of the page as PDF and SVG of a journal's width, with its source data and the run's card."""
    with st.popover("For print", icon=":material/print:", type="tertiary"):
        width = st.segmented_control(
            "Width (mm)", [89, 120, 183], default=89, key=f"print.{name}", help="One column, one and a half, two"
        )
        st.download_button(
            "PDF, SVG and source data (zip)", lambda: _pack(name, float(width or 89)), f"{name}-print.zip",
            "application/zip", on_click="ignore", icon=":material/download:",
            help="Fonts are embedded. With the methods paragraph and the card of the run that is shown.",
        )  # fmt: skip


def _pack(name: str, width: float) -> bytes:
    from dvae_core.export import card
    from dvae_core.figures import paper

    drawn = dict(st.session_state["figures"]) | {k: draw() for k, draw in st.session_state.get("canvases", {}).items()}
    texts = {}
    wanted = st.query_params.get("run")
    if wanted:
        run = runs.find(wanted)
        texts = {"methods.txt": card.methods(run), "card.md": card.card(run)}
    return paper.pack(drawn, width, texts)


def _html(drawn: Sequence[Any], title: str) -> str:
    from dvae_core import figures  # not at the top: Start draws none, and loads no plotly

    return figures.page_of(drawn, title)


def plan_of(run: Run) -> Plan:
    """Return the run's decoder for the browser, read once per version of its weights."""
    return _plan(str(run.path), (run.path / "weights.safetensors").stat().st_mtime_ns)


@st.cache_resource(max_entries=8, show_spinner=False)
def _plan(path: str, version: int) -> Plan:
    return decoder_plan(Run(Path(path)))


def plot(figure: Any, *, key: str | None = None, alt: str = "", heading: bool = False) -> None:
    """Show a plotly figure as on all pages: with its title as alternative text, and a camera that saves an SVG.

    Lines are thicker in projector size.

    Args:
        figure: A plotly figure.
        key: Identifies it on the page.
        alt: Alternative text; "" takes the title.
        heading: Write the title above the figure, where its lines break with the window; print keeps it in the figure.
    """
    alternative = alt or " ".join(
        text for text in (figure.layout.title.text, figure.layout.title.subtitle.text) if text
    )
    alternative = alternative.replace("<br>", " ")
    if (st.get_option("theme.baseFontSize") or 0) >= BACK_ROW:  # None without the app's settings
        for trace in figure.data:
            line = getattr(trace, "line", None)
            if line is not None and line.width:
                line.width *= 1.6
    st.session_state.setdefault("figures", {})[key or alternative] = figure
    if heading:
        figure = _titled_above(figure)
    st.plotly_chart(figure, key=key, config=CAMERA, alt=alternative or "Figure without a title")


def _titled_above(figure: Any) -> Any:
    """Write a figure's title and subtitle as text, and return a copy without them."""
    layout, figure = figure.layout, copy.deepcopy(figure)
    st.markdown(f"**{layout.title.text.replace('<br>', ' ')}**")
    if layout.title.subtitle.text:
        st.caption(layout.title.subtitle.text.replace("<br>", " "))
    above = 44 if any(note.yanchor == "bottom" for note in layout.annotations) else 16  # titles of panels
    figure.update_layout(title={"text": "", "subtitle": {"text": ""}}, margin_t=above)
    return figure.update_layout(height=layout.height - layout.margin.t + above)


def problem(error: Exception) -> None:
    """Show an error of the library, whose message is one sentence."""
    st.error(str(error), icon=":material/error:")


def number(param: str, low: float, high: float, default: float | None = None) -> float:
    """Read a number from the link. If it is missing or out of bounds, return the default, or else that of `links`."""
    usual = float(links.BY_NAME[param].default) if default is None else default
    try:
        value = float(links.value(param, str(usual)))
    except ValueError:
        return usual
    return value if low <= value <= high else usual
