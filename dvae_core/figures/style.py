"""Shared by all figures: colours with one meaning each, titles that fit, thinning, and number formats."""

import json
import textwrap
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Shaped
from plotly.colors import sample_colorscale

# The figures drawn in the browser read the same file.
_PALETTE = json.loads(Path(__file__).with_name("colours.json").read_text(encoding="utf-8"))
COLOURS: dict[str, str] = _PALETTE["roles"]
HUES: tuple[str, ...] = tuple(_PALETTE["hues"])
SYMBOLS: tuple[str, ...] = tuple(_PALETTE["symbols"])
NUMBERS = "Cividis"  # perceptually uniform, and the same for colour-blind readers
DIVERGING = "RdBu_r"
OUTLINE = {"width": 0.5, "color": "rgba(128,128,128,0.5)"}  # keeps yellow visible on white, and dark blue on black
FAINT = "rgba(128,128,128,0.2)"
_CLEAR = "rgba(0,0,0,0)"
LINE = 42  # characters of a title that fit half a column (420 pixels) at the projector's 22 pixels, 9.2 each (measured)
FULL_LINE = 84  # for a figure that needs the full width anyway

Hue = Shaped[np.ndarray, " n"] | None


def hue_colours(hue: Shaped[np.ndarray, " n"]) -> list[str]:
    """Return one colour per row: the categorical list for integer codes (repeating after 10), cividis for numbers."""
    if hue.dtype.kind in "iub":
        return [HUES[c % len(HUES)] for c in hue.tolist()]
    low, span = span_of(hue)
    return [str(c) for c in sample_colorscale(NUMBERS, np.nan_to_num((hue - low) / span).clip(0, 1).tolist())]


def sentence(text: str, *, height: int = 220) -> go.Figure:
    """Return a figure that shows one sentence, for pages that have nothing to draw yet."""
    fig = go.Figure()
    fig.add_annotation(text=wrapped(text, LINE), x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False)
    fig.update_xaxes(visible=False, range=[0, 1])
    fig.update_yaxes(visible=False, range=[0, 1])
    return finish(fig, "", height=height)


def finish(
    fig: go.Figure,
    title: str,
    subtitle: str = "",
    *,
    height: int,
    panels: bool = False,
    right: int = 16,
    line: int = LINE,
) -> go.Figure:
    """Apply the settings that all figures share. Font sizes and text colours stay those of the theme.

    Titles break after at most `line` characters. The second and later lines increase the margin and the height by the
    space they need at the projector's font size, so that the plot keeps its size.
    """
    title, subtitle = wrapped(title, line), wrapped(subtitle, line * 10 // 7)  # subtitles have 0.7 times the size
    more = 29 * title.count("<br>") + 20 * subtitle.count("<br>")  # 1.3 times 22 and 15 pixels
    height += more
    top = (48 if title else 16) + (26 if subtitle else 0) + (24 if panels else 0) + more
    sizing = "constant" if any(getattr(trace, "mode", None) == "markers" for trace in fig.data) else "trace"
    below = -70 / max(height - top - 110, 60)  # 70 pixels: clear of ticks and axis title at the projector's font size
    pad = 28 if "<br>" in title else 12  # plotly hangs one line by its top but sets the first of several on the edge
    at = {"x": 0, "xanchor": "left", "y": 1, "yanchor": "top", "pad": {"t": pad}}
    fig.update_layout(
        title={"text": title, "subtitle": {"text": subtitle}, **at},
        height=height, margin={"l": 8, "r": right, "t": top, "b": 8}, paper_bgcolor=_CLEAR, plot_bgcolor=_CLEAR,
        legend={"orientation": "h", "y": below, "yanchor": "top", "x": 0, "itemsizing": sizing, "bgcolor": _CLEAR},
        dragmode=False, uirevision="keep", hovermode="closest", bargap=0.1,
    )  # fmt: skip
    fig.for_each_annotation(lambda note: note.update(font=None))  # make_subplots sets the size of panel titles
    fig.update_xaxes(automargin=True, gridcolor=FAINT, zeroline=False)
    fig.update_yaxes(automargin=True, gridcolor=FAINT, zeroline=False)
    return fig


def wrapped(text: str, line: int) -> str:
    """Break into as few lines as `line` allows, of similar length; "β = 4" and "1 ± 2" stay whole."""
    for sign in "=±":
        text = text.replace(f" {sign} ", f"\N{NO-BREAK SPACE}{sign}\N{NO-BREAK SPACE}")
    versions = [textwrap.wrap(text, w, break_long_words=False, break_on_hyphens=False) for w in range(1, line + 1)]
    fewest = len(versions[-1])
    even = next(lines for lines in versions if len(lines) == fewest)
    return "<br>".join(even).replace("\N{NO-BREAK SPACE}", " ")


def name_hues(fig: go.Figure, hue: Hue) -> go.Figure:
    """Write "u:" in front of a legend of codes, and return the figure."""
    if hue is not None and hue.dtype.kind in "iub":
        fig.update_layout(legend_title={"text": "u:", "side": "left"})
    return fig


def filled(names: Sequence[str], count: int, letter: str) -> list[str]:
    """Return the names, or the letter with a number for each if there are not as many as needed."""
    return list(names) if len(names) == count else [f"{letter}{k + 1}" for k in range(count)]


def number(value: float) -> str:
    """Format a number as in titles."""
    text = f"{value:,.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return "0.00" if text == "-0.00" else text.replace("-", "−")


def join(*notes: str) -> str:
    """Return the non-empty notes as one."""
    return "; ".join(note for note in notes if note)


def span_of(values: np.ndarray) -> tuple[float, float]:
    """Return the smallest value and the range (1 if it is zero), from finite values only."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    return (low, high - low) if high > low else (low - 0.5, 1.0)


def thinned(n: int, rows: np.ndarray) -> str:
    """Return a note if not all rows are drawn."""
    return f"{len(rows):,} of {n:,} rows, evenly spaced" if len(rows) < n else ""


def standard(values: np.ndarray) -> np.ndarray:
    """Return columns scaled to mean 0 and standard deviation 1; constant ones become 0; NaN is ignored."""
    values = values.astype(float)
    known = np.isfinite(values).any(0)  # a factor without a latent is a column of NaN, and stays one
    std, mean = np.ones(values.shape[1]), np.zeros(values.shape[1])
    std[known], mean[known] = np.nanstd(values[:, known], 0), np.nanmean(values[:, known], 0)
    return (values - mean) / np.where(std > 0, std, 1.0)


def pearson(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the correlation of every column of a with every column of b."""
    return np.clip(standard(a).T @ standard(b) / len(a), -1, 1)


def page_of(figures: Sequence[go.Figure], title: str) -> str:
    """Return one HTML page with these figures, to zoom and hover without a server or network; its camera saves PNG.

    It contains Plotly's own script: 4.5 MB.
    """
    parts = [fig.to_html(full_html=False, include_plotlyjs=i == 0) for i, fig in enumerate(figures)]
    head = f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title></head>'
    return f"{head}<body><h1>{escape(title)}</h1>{''.join(parts)}</body></html>"
