"""Figures for print: PDF and SVG of an exact width with embedded fonts, and their source data as CSV.

The pages' figures are plotly's. Their own vector export needs a browser, so this module draws the same traces, shapes
and annotations with matplotlib (`pip install "dvae-core[paper]"`), which writes exact sizes and embeds its fonts
offline. It draws what `dvae_core.figures` uses: scatter, bar, histogram and heatmap on any number of panels.
"""

import csv
import io
import re
import zipfile
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from dvae_core.figures.paper_drawing import Drawing
from dvae_core.figures.paper_layout import arrange
from dvae_core.figures.paper_style import SIZE, SMALL, axes_of, domain_of, numbers_of

Kind = Literal["pdf", "svg"]
WIDTHS = (89.0, 120.0, 183.0)  # mm: one column, one and a half, two
MM = 25.4
ONE_PANEL, PANELS = 640.0, 1100.0  # pixels of width at which the pages' figures have their heights
SHAPES = (0.35, 1.5)  # of height to width


class PaperError(ValueError):
    """A figure that cannot be drawn for print; the message is one sentence."""


def vector(figure: Any, width_mm: float | int = 89, kind: Kind = "pdf") -> bytes:
    """Return a plotly figure as PDF or SVG of this width, with embedded fonts.

    In PDF the fonts are embedded as TrueType, so text stays text; in SVG letters are outlines, so no font is needed.

    Args:
        figure: A figure of `dvae_core.figures`.
        width_mm: Width; journals ask for 89, 120 or 183 mm.
        kind: "pdf" or "svg".

    Raises:
        PaperError: If matplotlib is not installed, or the width is not between 30 and 400 mm.
    """
    if not 30 <= width_mm <= 400:
        raise PaperError(f"A figure is 30 to 400 mm wide; got {width_mm:g}. Journals ask for 89, 120 or 183.")
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise PaperError('Figures for print need matplotlib; install it with pip install "dvae-core[paper]".') from None
    settings: Any = {
        "pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "dvae", "font.family": "DejaVu Sans",
        "font.size": SIZE, "axes.linewidth": 0.5, "xtick.major.width": 0.5, "ytick.major.width": 0.5,
        "xtick.labelsize": SMALL, "ytick.labelsize": SMALL, "hatch.linewidth": 0.5, "axes.unicode_minus": True,
    }  # fmt: skip
    with matplotlib.rc_context(settings):
        canvas = Figure(figsize=(width_mm / MM, _height(figure, width_mm) / MM))
        FigureCanvasAgg(canvas)
        drawing = Drawing(figure, canvas)
        drawing.draw()
        arrange(drawing)
        buffer = io.BytesIO()
        date = {"CreationDate": None} if kind == "pdf" else {"Date": None}  # the same figure gives the same file
        canvas.savefig(buffer, format=kind, metadata=date)
    return buffer.getvalue()


def source_data(figure: Any) -> str:
    """Return the numbers that a figure draws as CSV: one row per point, with the trace that it belongs to."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["panel", "trace", "kind", "x", "y", "value"])
    for k, trace in enumerate(figure.data):
        name = str(trace.name or f"trace {k + 1}")
        panel = (getattr(trace, "xaxis", None) or "x").removeprefix("x") or "1"
        if trace.type == "heatmap":
            z = numbers_of(trace.z)
            x, y = _labels(trace.x, z.shape[1]), _labels(trace.y, z.shape[0])
            rows = [[x[j], y[i], _cell(z[i, j])] for i in range(z.shape[0]) for j in range(z.shape[1])]
        else:
            x, y = (list(v) if v is not None else [] for v in (trace.x, trace.y))
            n = max(len(x), len(y))
            x, y = x or [""] * n, y or [""] * n
            rows = [[_cell(a), _cell(b), ""] for a, b in zip(x, y, strict=False)]
        writer.writerows([panel, name, trace.type, *row] for row in rows)
    return out.getvalue()


def pack(figures: Mapping[str, Any], width_mm: float | int = 89, texts: Mapping[str, str] | None = None) -> bytes:
    """Return a zip with the PDF, the SVG and the source data of every figure, and further texts by file name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, figure in figures.items():
            stem = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-") or "figure"
            for kind in ("pdf", "svg"):
                archive.writestr(f"{stem}.{kind}", vector(figure, width_mm, kind))
            archive.writestr(f"{stem}.csv", source_data(figure))
        for name, text in (texts or {}).items():
            archive.writestr(name, text)
    return buffer.getvalue()


def _height(figure: Any, width_mm: float | int) -> float:
    panels = len({domain_of(axis) for axis in axes_of(figure, "xaxis").values()})
    shape = float(figure.layout.height or 360) / (PANELS if panels > 1 else ONE_PANEL)
    if width_mm < 150 and panels > 1:  # several panels in a narrow column need more height
        shape *= 1.3
    return round(width_mm * min(max(shape, SHAPES[0]), SHAPES[1]), 1)


def _labels(values: Any, n: int) -> list[Any]:
    return list(range(n)) if values is None else list(values)


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float | np.floating) and not np.isfinite(value)):
        return ""
    return repr(float(value)) if isinstance(value, float | np.floating) else value
