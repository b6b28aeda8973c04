"""Figures for print: PDF and SVG of an exact width with embedded fonts, and their source data as CSV.

The pages' figures are plotly's. Their own vector export needs a browser, so this module draws the same traces, shapes
and annotations with matplotlib (`pip install "dvae-core[paper]"`), which writes exact sizes and embeds its fonts
offline. It draws what `dvae_core.figures` uses: scatter, bar, histogram and heatmap on any number of panels.
"""

import csv
import io
import math
import re
import textwrap
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

Kind = Literal["pdf", "svg"]
WIDTHS = (89.0, 120.0, 183.0)  # mm: one column, one and a half, two
MM = 25.4
POINT = 0.75  # points in a pixel of the screen
SIZE, SMALL, LINE = 7.0, 6.0, 0.75  # of text in points; of lines relative to the screen
ONE_PANEL, PANELS = 640.0, 1100.0  # pixels of width at which the pages' figures have their heights
SHAPES = (0.35, 1.5)  # of height to width
DASHES = {"dash": (0, (4, 2)), "dot": (0, (1, 1.5)), "dashdot": (0, (4, 1.5, 1, 1.5)), "solid": "-"}
SYMBOLS = {
    "circle": "o", "square": "s", "diamond": "D", "cross": "P", "x": "X", "triangle-up": "^", "triangle-down": "v",
    "star": "*", "pentagon": "p", "hexagon": "h", "triangle-left": "<", "triangle-right": ">", "line-ns": "|",
    "line-ew": "_", "circle-open": "o", "square-open": "s", "diamond-open": "D",
}  # fmt: skip


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
        _Drawing(figure, canvas).draw()
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
            z = _numbers(trace.z)
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
    panels = len({_domain(axis) for axis in _axes(figure, "xaxis").values()})
    shape = float(figure.layout.height or 360) / (PANELS if panels > 1 else ONE_PANEL)
    if width_mm < 150 and panels > 1:  # several panels in a narrow column need more height
        shape *= 1.3
    return round(width_mm * min(max(shape, SHAPES[0]), SHAPES[1]), 1)


def _axes(figure: Any, kind: str) -> dict[str, Any]:
    """Return the axes of a layout by the short names that traces use: x, x2, ..."""
    letter = kind[0]
    found = {key: figure.layout[key] for key in figure.layout if re.fullmatch(rf"{kind}\d*", key)}
    return {f"{letter}{key.removeprefix(kind)}": axis for key, axis in found.items()} or {letter: figure.layout[kind]}


def _domain(axis: Any) -> tuple[float, float]:
    low, high = axis.domain or (0.0, 1.0)
    return float(low), float(high)


class _Drawing:
    """One plotly figure on one matplotlib canvas."""

    def __init__(self, figure: Any, canvas: Any) -> None:
        self.figure, self.canvas = figure, canvas
        self.x, self.y = _axes(figure, "xaxis"), _axes(figure, "yaxis")
        self.panels: dict[tuple[str, str], Any] = {}
        self.domains: dict[Any, tuple[float, float, float, float]] = {}
        self.handles: dict[str, Any] = {}
        self.categories: dict[str, list[str]] = {}
        self.images: dict[Any, tuple[Any, Any]] = {}
        self.stacked: dict[Any, dict[float, float]] = {}

    def draw(self) -> None:
        for trace in self.figure.data:
            at = (getattr(trace, "xaxis", None) or "x", getattr(trace, "yaxis", None) or "y")
            getattr(self, f"_{trace.type.removesuffix('gl')}")(trace, self._panel(*at), at)
        if not self.panels:
            self._panel("x", "y")
        for (x, y), ax in self.panels.items():
            self._dress(ax, self.x[x], self.y.get(y, self.figure.layout.yaxis), (x, y))
        for shape in self.figure.layout.shapes or ():
            self._shape(shape)
        for note in self.figure.layout.annotations or ():
            self._annotation(note)
        self._arrange()

    def _panel(self, x: str, y: str) -> Any:
        if (x, y) not in self.panels:
            self.panels[x, y] = ax = self.canvas.add_axes((0.1, 0.1, 0.8, 0.8))
            fallback = self.figure.layout.xaxis
            self.domains[ax] = (*_domain(self.x.get(x, fallback)), *_domain(self.y.get(y, self.figure.layout.yaxis)))
        return self.panels[x, y]

    def _values(self, values: Any, axis: str) -> np.ndarray:
        """Return positions on an axis; text becomes categories in the order of their first appearance."""
        array = np.asarray([] if values is None else list(values), dtype=object)
        of = self.x if axis[0] == "x" else self.y
        is_category = axis in of and of[axis].type == "category"
        if not is_category and all(isinstance(v, int | float | np.number | type(None)) for v in array):
            return np.array([np.nan if v is None else float(v) for v in array])
        known = self.categories.setdefault(axis, [])
        for v in map(str, array):
            if v not in known:
                known.append(v)
        return np.array([known.index(str(v)) for v in array], float)

    def _scatter(self, trace: Any, ax: Any, at: tuple[str, str]) -> None:
        x, y = self._values(trace.x, at[0]), self._values(trace.y, at[1])
        x = np.arange(len(y), dtype=float) if not len(x) else x
        n = min(len(x), len(y))
        x, y = x[:n], y[:n]
        mode, opacity = trace.mode or "lines", 1.0 if trace.opacity is None else float(trace.opacity)
        line, marker = trace.line, trace.marker
        colour = _colour(line.color) or _colour(marker.color if isinstance(marker.color, str) else None) or "0.4"
        handle = None
        if trace.fill in ("toself", "tozeroy"):
            ax.fill(x, y, color=_colour(trace.fillcolor) or colour, linewidth=0)
        if "lines" in mode and (line.width is None or line.width > 0):
            width = LINE * float(line.width or 2) * POINT
            (handle,) = ax.plot(x, y, color=colour, linewidth=width, linestyle=DASHES.get(line.dash or "solid", "-"),
                                alpha=opacity, solid_capstyle="butt", zorder=2)  # fmt: skip
        if "markers" in mode:
            handle = self._markers(trace, ax, x, y, opacity)
        if trace.error_y is not None and trace.error_y.array is not None:
            ax.errorbar(x, y, yerr=np.asarray(trace.error_y.array, float)[:n], fmt="none", ecolor=colour,
                        elinewidth=0.6, capsize=1.5, capthick=0.6, zorder=2)  # fmt: skip
        if "text" in mode and trace.text is not None:
            texts = [trace.text] * n if isinstance(trace.text, str) else list(trace.text)
            where = trace.textposition if isinstance(trace.textposition, str) else "middle center"
            for a, b, text in zip(x, y, texts, strict=False):
                self._text(ax, a, b, str(text), ha=_opposite(where, "left", "right"),
                           va=_opposite(where, "bottom", "top"))  # fmt: skip
        self._legend_entry(trace, handle)

    def _markers(self, trace: Any, ax: Any, x: np.ndarray, y: np.ndarray, opacity: float) -> Any:
        marker = trace.marker
        size = 6.0 if marker.size is None else np.asarray(marker.size, float)
        area = np.broadcast_to((size * POINT * LINE) ** 2, x.shape)
        alpha = opacity * float(marker.opacity if isinstance(marker.opacity, int | float) else 1.0)
        edge = _colour(marker.line.color if isinstance(marker.line.color, str) else None) or "none"
        width = LINE * float(marker.line.width or 0) * POINT
        symbols = [marker.symbol or "circle"] * len(x) if not isinstance(marker.symbol, list | tuple | np.ndarray) \
            else [str(s) for s in marker.symbol]  # fmt: skip
        colours, scale = self._colours(marker, len(x), getattr(trace, "line", None))
        handle = None
        for symbol in dict.fromkeys(symbols):
            rows = np.array([s == symbol for s in symbols])
            shape, is_open = SYMBOLS.get(symbol, "o"), symbol.endswith("-open") or symbol.startswith("line-")
            shown = colours[rows] if len(colours) == len(x) else colours
            style: dict[str, Any] = {"s": area[rows], "marker": shape, "alpha": alpha, "zorder": 3}
            if is_open:
                own = edge if edge != "none" else shown
                face = {} if symbol.startswith("line-") else {"facecolors": "none"}
                key = "c" if symbol.startswith("line-") else "edgecolors"
                style |= {key: own, "linewidths": max(width, 0.7), **face}
            else:
                style |= {"c": shown, "edgecolors": edge, "linewidths": width}
            handle = ax.scatter(x[rows], y[rows], **style)
        if scale is not None:
            self.images[ax] = (scale, marker.colorbar)
        return handle

    def _colours(self, marker: Any, n: int, line: Any) -> tuple[np.ndarray, Any]:
        """Return RGBA colours, one or one for each point, and what a colour bar shows (None for none)."""
        from matplotlib.colors import to_rgba

        colour = marker.color
        if colour is None or isinstance(colour, str):
            own = _colour(colour) or (_colour(line.color) if line is not None else None) or "0.4"
            return np.array([to_rgba(own)]), None
        values = list(colour)
        if values and isinstance(values[0], str):
            return np.array([to_rgba(_colour(c) or "0.4") for c in values]), None
        numbers = np.array([np.nan if v is None else float(v) for v in values])
        mapping = _mapping(marker.colorscale, marker.cmin, marker.cmax, numbers)
        return mapping.to_rgba(numbers), mapping if marker.showscale else None

    def _bar(self, trace: Any, ax: Any, at: tuple[str, str]) -> None:
        is_flat = trace.orientation == "h"
        along, length = (trace.y, trace.x) if is_flat else (trace.x, trace.y)
        axis = at[1] if is_flat else at[0]
        length = self._values(length, at[0] if is_flat else at[1])
        along = np.arange(len(length), dtype=float) if along is None else self._values(along, axis)
        bars = [t for t in self.figure.data if t.type == "bar" and (getattr(t, "xaxis", None) or "x") == at[0]
                and (getattr(t, "yaxis", None) or "y") == at[1]]  # fmt: skip
        k = next(i for i, t in enumerate(bars) if t is trace)
        gap = 1 - float(self.figure.layout.bargap or 0.2)
        is_grouped = (self.figure.layout.barmode or "group") == "group" and len(bars) > 1 and trace.width is None
        width = np.broadcast_to(np.asarray(trace.width if trace.width is not None else gap, float), length.shape)
        if is_grouped:
            width = width / len(bars)
            along = along + (k - (len(bars) - 1) / 2) * width
        base = (
            np.zeros(len(length))
            if trace.base is None
            else np.broadcast_to(np.asarray(trace.base, float), length.shape)
        )
        if self.figure.layout.barmode == "stack":
            before = getattr(ax, "stacked", {})
            base = np.array([before.get(round(float(a), 6), 0.0) for a in along])
            ax.stacked = before | {round(float(a), 6): b + v for a, b, v in zip(along, base, length, strict=True)}
        colours, _ = self._colours(trace.marker, len(length), None)
        pattern = trace.marker.pattern.shape
        hatch = {"/": "////", "x": "xxxx", "\\": "\\\\\\\\", ".": "...."}.get(
            pattern if isinstance(pattern, str) else ""
        )
        more: dict[str, Any] = {
            "color": colours,
            "hatch": hatch,
            "edgecolor": "0.3" if hatch else "none",
            "linewidth": 0.3,
        }
        if trace.error_y is not None and trace.error_y.array is not None:
            more["yerr"] = np.asarray(trace.error_y.array, float)
            more["error_kw"] = {"elinewidth": 0.6, "capsize": 1.5}
        draw = ax.barh if is_flat else ax.bar
        sizes = {"height": width, "left": base} if is_flat else {"width": width, "bottom": base}
        handle = draw(along, length, **sizes, **more)
        self._legend_entry(trace, handle)

    def _histogram(self, trace: Any, ax: Any, at: tuple[str, str]) -> None:
        values = self._values(trace.x, at[0])
        values = values[np.isfinite(values)]
        bins = trace.xbins
        edges: Any = min(int(trace.nbinsx or 40), 200)
        if bins is not None and bins.size and bins.start is not None and bins.end is not None:
            edges = np.arange(bins.start, bins.end + bins.size, bins.size)
        colours, _ = self._colours(trace.marker, 1, None)
        weights = None
        if trace.histnorm in ("probability", "percent") and len(values):
            weights = np.full(len(values), (100.0 if trace.histnorm == "percent" else 1.0) / len(values))
        opacity = 1.0 if trace.opacity is None else float(trace.opacity)
        *_, handle = ax.hist(values, bins=edges, color=colours[0], alpha=opacity, weights=weights,
                             density=trace.histnorm == "probability density")  # fmt: skip
        self._legend_entry(trace, handle)

    def _heatmap(self, trace: Any, ax: Any, at: tuple[str, str]) -> None:
        z = _numbers(trace.z)
        rows, columns = z.shape
        x = np.arange(columns) if trace.x is None else self._values(trace.x, at[0])
        y = np.arange(rows) if trace.y is None else self._values(trace.y, at[1])
        shared = self.figure.layout.coloraxis if trace.coloraxis else None
        scale = shared.colorscale if shared is not None else trace.colorscale
        low, high = (shared.cmin, shared.cmax) if shared is not None else (trace.zmin, trace.zmax)
        mapping = _mapping(scale, low, high, z, reverse=bool(trace.reversescale))
        gap = 0.3 if trace.xgap else 0.0
        mesh = ax.pcolormesh(
            _edges(x), _edges(y), np.ma.masked_invalid(z), cmap=mapping.cmap, norm=mapping.norm,
            edgecolors="white" if gap else "none", linewidth=gap, rasterized=z.size > 20_000,
        )  # fmt: skip
        if trace.texttemplate:
            self._cells(trace, ax, x, y, z, mapping)
        if shared is not None:  # panels with one scale have one bar, beside the last of them
            self.images = {a: v for a, v in self.images.items() if v[1] is not shared.colorbar}
        if trace.showscale is not False:
            self.images[ax] = (mesh, shared.colorbar if shared is not None else trace.colorbar)

    def _cells(self, trace: Any, ax: Any, x: np.ndarray, y: np.ndarray, z: np.ndarray, mapping: Any) -> None:
        digits = re.search(r"\.(\d)f", trace.texttemplate)
        texts = None if trace.text is None else np.asarray(trace.text, dtype=object)
        size = max(3.5, min(SMALL, 42.0 / max(z.shape)))
        for i, b in enumerate(y):
            for j, a in enumerate(x):
                if np.isfinite(z[i, j]):
                    own = str(texts[i][j]) if texts is not None and "text" in trace.texttemplate else ""
                    text = own or f"{z[i, j]:.{digits[1] if digits else 2}f}"
                    red, green, blue, _ = mapping.to_rgba(z[i, j])
                    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
                    ax.text(a, b, text, ha="center", va="center", fontsize=size, color="white" if dark else "black")

    def _legend_entry(self, trace: Any, handle: Any) -> None:
        if (
            handle is not None
            and trace.name
            and trace.showlegend is not False
            and self.figure.layout.showlegend is not False
        ):
            self.handles.setdefault(_plain(trace.name), handle)

    def _dress(self, ax: Any, x: Any, y: Any, at: tuple[str, str]) -> None:
        """Set limits, ticks, labels and grid as plotly's axes have them."""
        ax.set_facecolor("none")
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
        for axis, name, which in ((x, at[0], "x"), (y, at[1], "y")):
            target = getattr(ax, f"{which}axis")
            if axis.type == "log":
                getattr(ax, f"set_{which}scale")("log")
            if axis.visible is False:
                target.set_visible(False)
                ax.spines["bottom" if which == "x" else "left"].set_visible(False)
            ticks, texts = axis.tickvals, axis.ticktext
            if name in self.categories:
                ticks, texts = list(range(len(self.categories[name]))), self.categories[name]
            if ticks is not None:
                target.set_ticks([float(t) for t in ticks], None if texts is None else [_plain(t) for t in texts])
            elif axis.dtick and axis.type != "log":
                from matplotlib.ticker import MultipleLocator

                target.set_major_locator(MultipleLocator(float(axis.dtick)))
            if axis.showticklabels is False:
                ax.tick_params(axis=which, labelbottom=False, labelleft=False)
            if axis.tickangle and which == "x":
                ax.tick_params(axis="x", rotation=-float(axis.tickangle))
            if axis.title.text:
                getattr(ax, f"set_{which}label")(_plain(axis.title.text), fontsize=SIZE, labelpad=2)
            if axis.showgrid is not False and not ax.collections[:0]:
                ax.grid(axis=which, color="0.9", linewidth=0.4, zorder=0)
            self._limits(ax, axis, which)
        ax.set_axisbelow(True)
        ax.tick_params(length=2, pad=1.5)
        if (x.scaleanchor or y.scaleanchor) and not (x.scaleanchor or y.scaleanchor).endswith("domain"):
            ax.set_aspect("equal", adjustable="box")

    def _limits(self, ax: Any, axis: Any, which: str) -> None:
        low, high = getattr(ax, f"get_{which}lim")()
        if axis.range is not None and None not in axis.range:
            low, high = (10.0 ** float(v) if axis.type == "log" else float(v) for v in axis.range)
        elif axis.rangemode == "tozero":
            low, high = min(low, 0.0), max(high, 0.0)
        if axis.autorange == "reversed" and low < high:
            low, high = high, low
        getattr(ax, f"set_{which}lim")(low, high)

    def _place(self, ref: str | None, other: str | None) -> tuple[Any, Any]:
        """Return the panel of a pair of references, and the transform of the pair (data, panel or whole figure)."""
        from matplotlib.transforms import blended_transform_factory

        x, y = (ref or "x").removesuffix(" domain"), (other or "y").removesuffix(" domain")
        ax = self.panels.get((x, y)) or next((a for (p, q), a in self.panels.items() if p == x or q == y), None)
        ax = ax or next(iter(self.panels.values()))
        parts = [
            self.frame if r == "paper" else ax.transAxes if (r or "").endswith("domain") else ax.transData
            for r in (ref, other)
        ]
        return ax, blended_transform_factory(*parts)

    @property
    def frame(self) -> Any:
        """The transform of plotly's paper coordinates: 0 to 1 over all panels together."""
        return next(iter(self.panels.values())).transAxes if len(self.panels) == 1 else self._whole().transAxes

    def _whole(self) -> Any:
        if not hasattr(self, "whole"):
            self.whole = self.canvas.add_axes((0.1, 0.1, 0.8, 0.8))
            self.whole.axis("off")
            self.whole.set_zorder(-1)
            self.domains[self.whole] = (0.0, 1.0, 0.0, 1.0)
        return self.whole

    def _shape(self, shape: Any) -> None:
        ax, transform = self._place(shape.xref, shape.yref)
        line = {"color": _colour(shape.line.color) or "0.4", "linewidth": LINE * float(shape.line.width or 1) * POINT}
        x, y = (self._one(v, r) for v, r in (((shape.x0, shape.x1), shape.xref), ((shape.y0, shape.y1), shape.yref)))
        if shape.type == "rect":
            face = _colour(shape.fillcolor) or "none"
            ax.fill([x[0], x[1], x[1], x[0]], [y[0], y[0], y[1], y[1]], transform=transform, facecolor=face,
                    edgecolor=line["color"], linewidth=line["linewidth"], zorder=1)  # fmt: skip
            return
        style = DASHES.get(shape.line.dash or "solid", "-")
        limits = [ax.get_xlim(), ax.get_ylim()]
        for k, (ends, ref, axes) in enumerate(((x, shape.xref, self.x), (y, shape.yref, self.y))):
            if (ref or "") in axes and axes[ref].range is None and limits[k][0] < limits[k][1]:
                room = 0.03 * (limits[k][1] - limits[k][0])  # a line outside the points widens the axis
                limits[k] = min(limits[k][0], min(ends) - room), max(limits[k][1], max(ends) + room)
        ax.plot(x, y, transform=transform, **line, linestyle=style, zorder=1.5, clip_on=False)
        ax.set_xlim(limits[0])
        ax.set_ylim(limits[1])

    def _one(self, values: Sequence[Any], ref: str | None) -> list[float]:
        known = self.categories.get((ref or "x").split(" ")[0], [])
        return [float(known.index(v)) if isinstance(v, str) and v in known else float(v) for v in values]

    def _annotation(self, note: Any) -> None:
        if note.text is None or note.visible is False:
            return
        ax, transform = self._place(note.xref, note.yref)
        x, y = self._one((note.x,), note.xref)[0], self._one((note.y,), note.yref)[0]
        across = {"left": "left", "right": "right", "center": "center"}.get(note.xanchor or "center", "center")
        up = {"top": "top", "bottom": "bottom", "middle": "center"}.get(note.yanchor or "middle", "center")
        shift = float(note.xshift or 0) * POINT / 2, float(note.yshift or 0) * POINT / 2
        ax.annotate(_plain(note.text), (x, y), xycoords=transform, xytext=shift, textcoords="offset points", ha=across,
                    va=up, fontsize=SMALL, rotation=-float(note.textangle or 0), annotation_clip=False)  # fmt: skip

    def _text(self, ax: Any, x: float, y: float, text: str, **more: Any) -> None:
        ax.text(x, y, _plain(text), fontsize=SMALL, zorder=4, **more)

    def _arrange(self) -> None:
        """Write the title and legend, then widen the margins until nothing leaves the page."""
        width, height = self.canvas.get_size_inches()
        title, subtitle = self.figure.layout.title.text or "", self.figure.layout.title.subtitle.text or ""
        top, tall = 1.0, SIZE * 1.25 / 72 / height
        letters = int(width * 72 / (SIZE * 0.56))
        for text, size, weight in ((title, SIZE, "bold"), (subtitle, SMALL, "normal")):
            lines = [w for part in _plain(text).split("\n") for w in textwrap.wrap(part, letters)] if text else []
            if text:
                lines = textwrap.wrap(" ".join(lines), int(letters * SIZE / size * (0.92 if weight == "bold" else 1)))
            for line in lines:
                self.canvas.text(0.01, top - 0.15 * tall, line, fontsize=size, fontweight=weight, va="top", ha="left")
                top -= tall
        bottom = 0.0
        if len(self.handles) > 1 or (self.handles and self.figure.layout.showlegend):
            longest = max(len(name) for name in self.handles)
            columns = max(1, min(len(self.handles), int(letters / (longest + 6))))
            legend = self.canvas.legend(
                list(self.handles.values()), list(self.handles), loc="lower left", bbox_to_anchor=(0.0, 0.0),
                ncols=columns, frameon=False, fontsize=SMALL, handlelength=1.2, columnspacing=1.0, borderaxespad=0.2,
            )  # fmt: skip
            for handle in legend.legend_handles:
                if hasattr(handle, "set_sizes"):
                    handle.set_sizes([14.0])
            bottom = math.ceil(len(self.handles) / columns) * SMALL * 1.45 / 72 / height
        for ax, (image, bar) in self.images.items():
            colours = self.canvas.colorbar(image, ax=ax, fraction=0.05, pad=0.03, aspect=30)
            colours.outline.set_linewidth(0.4)
            colours.ax.tick_params(labelsize=SMALL, length=2)
            words = bar.title.text if bar is not None and bar.title is not None else None
            if words:
                colours.set_label(_plain(words), fontsize=SMALL)
            self.domains[colours.ax] = self.domains[ax]
        self._fit(left=0.02, right=0.98, low=bottom + 0.02, high=top - 0.02)

    def _fit(self, *, left: float, right: float, low: float, high: float) -> None:
        bars = {ax: next((b.ax for b in [getattr(image, "colorbar", None)] if b is not None), None)
                for ax, (image, _) in self.images.items()}  # fmt: skip
        owned = {bar for bar in bars.values() if bar is not None}
        frame = [left, right, low, high]
        for _ in range(4):
            for ax, (x0, x1, y0, y1) in self.domains.items():
                if ax in owned:
                    continue
                wide, tall = frame[1] - frame[0], frame[3] - frame[2]
                place = [frame[0] + x0 * wide, frame[2] + y0 * tall, (x1 - x0) * wide, (y1 - y0) * tall]
                bar = bars.get(ax)
                if bar is not None:
                    share = 0.06 * place[2]
                    bar.set_position((place[0] + place[2] - 0.45 * share, place[1], 0.45 * share, place[3]))
                    place[2] -= share
                ax.set_position(place)
            if bars:
                self.canvas.canvas.draw()
                for ax, bar in bars.items():  # a square panel is narrower than its place
                    if bar is not None:
                        box = ax.get_position()
                        bar.set_position((box.x1 + 0.01, box.y0, 0.018, box.height))
            over = self._over(left, right, low, high)
            if max(over) < 1e-3:
                break
            frame = [frame[0] + over[0], frame[1] - over[1], frame[2] + over[2], frame[3] - over[3]]
            frame[1], frame[3] = max(frame[1], frame[0] + 0.15), max(frame[3], frame[2] + 0.15)

    def _over(self, left: float, right: float, low: float, high: float) -> tuple[float, float, float, float]:
        """Return by how much the panels with their labels leave each side of the frame, as shares of the page."""
        renderer = self.canvas.canvas.get_renderer()
        boxes = [ax.get_tightbbox(renderer) for ax in self.domains]
        boxes = [box.transformed(self.canvas.transFigure.inverted()) for box in boxes if box is not None]
        boxes = [box for box in boxes if np.isfinite(box.extents).all() and box.width < 5 and box.height < 5]
        if not boxes:
            return 0.0, 0.0, 0.0, 0.0
        sides = (
            max(left - box.x0 for box in boxes), max(box.x1 - right for box in boxes),
            max(low - box.y0 for box in boxes), max(box.y1 - high for box in boxes),
        )  # fmt: skip
        return tuple(max(0.0, float(side)) for side in sides)  # type: ignore[return-value]


def _mapping(scale: Any, low: Any, high: Any, values: np.ndarray, *, reverse: bool = False) -> Any:
    """Return matplotlib's mapping from numbers to the colours of a plotly scale."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize
    from plotly.colors import get_colorscale

    stops = get_colorscale(scale) if isinstance(scale, str) else scale or get_colorscale("Cividis")
    pairs = [(float(at), _colour(colour) or "0.4") for at, colour in stops]
    pairs = [(1 - at, colour) for at, colour in reversed(pairs)] if reverse else pairs
    finite = values[np.isfinite(values)]
    ends = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    norm = Normalize(ends[0] if low is None else float(low), ends[1] if high is None else float(high))
    mapping = ScalarMappable(norm, LinearSegmentedColormap.from_list("plotly", pairs))
    mapping.set_array(values)
    return mapping


def _colour(text: Any) -> Any:
    """Return a colour of plotly (a name, #hex, rgb(...) or rgba(...)) as matplotlib reads it; None if it has none."""
    if not isinstance(text, str):
        return None
    found = re.fullmatch(r"rgba?\(([^)]*)\)", text.replace(" ", ""))
    if found is None:
        return text
    parts = [float(part) for part in found[1].split(",")]
    return (*(min(part / 255, 1.0) for part in parts[:3]), *parts[3:4])


def _plain(text: Any) -> str:
    """Return plotly's markup as plain lines."""
    lines = re.sub(r"<br\s*/?>", "\n", str(text))
    plain = re.sub(r"<[^>]+>", "", lines)
    for entity, sign in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        plain = plain.replace(entity, sign)
    return plain.replace("$", r"\$")


def _opposite(where: str, one: str, other: str) -> str:
    """Return matplotlib's alignment for plotly's position of a text relative to its point."""
    if one in where:
        return other
    return one if other in where else "center"


def _numbers(z: Any) -> np.ndarray:
    return np.array([[np.nan if v is None else float(v) for v in row] for row in z])


def _labels(values: Any, n: int) -> list[Any]:
    return list(range(n)) if values is None else list(values)


def _edges(at: np.ndarray) -> np.ndarray:
    if len(at) == 1:
        return np.array([at[0] - 0.5, at[0] + 0.5])
    middle = (at[1:] + at[:-1]) / 2
    return np.r_[at[0] - (middle[0] - at[0]), middle, at[-1] + (at[-1] - middle[-1])]


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float | np.floating) and not np.isfinite(value)):
        return ""
    return repr(float(value)) if isinstance(value, float | np.floating) else value
