"""What all figures share: colours that mean one thing, titles that fit, thinning, and how numbers are printed."""

import json
import textwrap
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Shaped
from plotly.colors import sample_colorscale

# What is drawn in the browser reads the same file.
_PALETTE = json.loads(Path(__file__).with_name("colours.json").read_text(encoding="utf-8"))
COLOURS: dict[str, str] = _PALETTE["roles"]
HUES: tuple[str, ...] = tuple(_PALETTE["hues"])
SYMBOLS: tuple[str, ...] = tuple(_PALETTE["symbols"])
NUMBERS = "Cividis"  # perceptually uniform, the same to colour-blind eyes
DIVERGING = "RdBu_r"
OUTLINE = {"width": 0.5, "color": "rgba(128,128,128,0.5)"}  # keeps yellow visible on white, dark blue on black
FAINT = "rgba(128,128,128,0.2)"
_CLEAR = "rgba(0,0,0,0)"
LINE = 42  # characters of a title that fit half a column (420 pixels) at the projector's 22 pixels, 9.2 each (measured)
FULL_LINE = 84  # of a figure that needs the whole width anyway

Hue = Shaped[np.ndarray, " n"] | None


def hue_colours(hue: Shaped[np.ndarray, " n"]) -> list[str]:
    """Return one colour a row: the categorical list for integer codes (repeating after 10), cividis for numbers."""
    if hue.dtype.kind in "iub":
        return [HUES[c % len(HUES)] for c in hue.tolist()]
    low, span = span_of(hue)
    return [str(c) for c in sample_colorscale(NUMBERS, np.nan_to_num((hue - low) / span).clip(0, 1).tolist())]


def sentence(text: str, *, height: int = 220) -> go.Figure:
    """Return a figure that is one sentence: what a page shows while there is nothing to draw."""
    fig = go.Figure()
    fig.add_annotation(text=_wrapped(text, LINE), x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False)
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
    """Set what all figures share. Font sizes and text colours stay the theme's.

    Titles break after `line` characters at most. The second line and later ones add to the margin and to the height, by
    what they take at the projector's font size, so that the plot keeps its room.
    """
    title, subtitle = _wrapped(title, line), _wrapped(subtitle, line * 10 // 7)  # plotly's subtitles have 0.7 the size
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
    fig.for_each_annotation(lambda note: note.update(font=None))  # make_subplots sizes panel titles
    fig.update_xaxes(automargin=True, gridcolor=FAINT, zeroline=False)
    fig.update_yaxes(automargin=True, gridcolor=FAINT, zeroline=False)
    return fig


def _wrapped(text: str, line: int) -> str:
    """Break into as few lines as `line` allows, as even as they come; "β = 4" and "1 ± 2" stay whole."""
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
    """Return the names, or the letter and a number each where there are not as many as needed."""
    return list(names) if len(names) == count else [f"{letter}{k + 1}" for k in range(count)]


def number(value: float) -> str:
    """Return a number as titles print it."""
    text = f"{value:,.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return "0.00" if text == "-0.00" else text.replace("-", "−")


def join(*notes: str) -> str:
    """Return the notes that say something as one."""
    return "; ".join(note for note in notes if note)


def span_of(values: np.ndarray) -> tuple[float, float]:
    """Return the smallest value and the range (1 where there is none), of finite values only."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    return (low, high - low) if high > low else (low - 0.5, 1.0)


def thinned(n: int, rows: np.ndarray) -> str:
    """Return a note where not all rows are drawn."""
    return f"{len(rows):,} of {n:,} rows, evenly spaced" if len(rows) < n else ""


def standard(values: np.ndarray) -> np.ndarray:
    """Return columns of mean 0 and standard deviation 1, constant ones 0; blind to NaN."""
    values = values.astype(float)
    known = np.isfinite(values).any(0)  # a factor without a latent is a column of NaN, and stays one
    std, mean = np.ones(values.shape[1]), np.zeros(values.shape[1])
    std[known], mean[known] = np.nanstd(values[:, known], 0), np.nanmean(values[:, known], 0)
    return (values - mean) / np.where(std > 0, std, 1.0)


def pearson(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the correlation of every column of a with every column of b."""
    return np.clip(standard(a).T @ standard(b) / len(a), -1, 1)


def page_of(figures: Sequence[go.Figure], title: str) -> str:
    """Return one HTML page with these figures, to zoom and hover without a server or a network; its camera saves PNG.

    Plotly's own script is inside: 4.5 MB.
    """
    parts = [fig.to_html(full_html=False, include_plotlyjs=i == 0) for i, fig in enumerate(figures)]
    head = f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title></head>'
    return f"{head}<body><h1>{escape(title)}</h1>{''.join(parts)}</body></html>"
