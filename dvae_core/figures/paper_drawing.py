"""The traces, axes, shapes and annotations of a plotly figure, drawn with matplotlib."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from dvae_core.figures.paper_style import (
    DASHES,
    LINE,
    POINT,
    SIZE,
    SMALL,
    SYMBOLS,
    axes_of,
    bar_lengths,
    colour_of,
    domain_of,
    edges_of,
    mapping_of,
    numbers_of,
    opposite,
    plain,
)


class Drawing:
    """One plotly figure on one matplotlib canvas."""

    def __init__(self, figure: Any, canvas: Any) -> None:
        self.figure, self.canvas = figure, canvas
        self.x, self.y = axes_of(figure, "xaxis"), axes_of(figure, "yaxis")
        self.panels: dict[tuple[str, str], Any] = {}
        self.domains: dict[Any, tuple[float, float, float, float]] = {}
        self.handles: dict[str, Any] = {}
        self.categories: dict[str, list[str]] = {}
        self.images: dict[Any, tuple[Any, Any]] = {}

    def draw(self) -> None:
        """Draw every trace, then the axes, shapes and annotations; `paper_layout.arrange` places them on the page."""
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

    def _panel(self, x: str, y: str) -> Any:
        if (x, y) not in self.panels:
            self.panels[x, y] = ax = self.canvas.add_axes((0.1, 0.1, 0.8, 0.8))
            fallback = self.figure.layout.xaxis
            self.domains[ax] = (
                *domain_of(self.x.get(x, fallback)),
                *domain_of(self.y.get(y, self.figure.layout.yaxis)),
            )
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
        colour = colour_of(line.color) or colour_of(marker.color if isinstance(marker.color, str) else None) or "0.4"
        handle = None
        if trace.fill in ("toself", "tozeroy"):
            ax.fill(x, y, color=colour_of(trace.fillcolor) or colour, linewidth=0)
        if "lines" in mode and (line.width is None or line.width > 0):
            width = LINE * float(line.width or 2) * POINT
            (handle,) = ax.plot(x, y, color=colour, linewidth=width, linestyle=DASHES.get(line.dash or "solid", "-"),
                                alpha=opacity, solid_capstyle="butt", zorder=2)  # fmt: skip
        if "markers" in mode:
            handle = self._markers(trace, ax, x, y, opacity)
        if trace.error_y is not None and trace.error_y.array is not None:
            ax.errorbar(x, y, yerr=bar_lengths(trace.error_y)[:, :n], fmt="none", ecolor=colour,
                        elinewidth=0.6, capsize=1.5, capthick=0.6, zorder=2)  # fmt: skip
        if "text" in mode and trace.text is not None:
            texts = [trace.text] * n if isinstance(trace.text, str) else list(trace.text)
            where = trace.textposition if isinstance(trace.textposition, str) else "middle center"
            for a, b, text in zip(x, y, texts, strict=False):
                self._text(ax, a, b, str(text), ha=opposite(where, "left", "right"),
                           va=opposite(where, "bottom", "top"))  # fmt: skip
        self._legend_entry(trace, handle)

    def _markers(self, trace: Any, ax: Any, x: np.ndarray, y: np.ndarray, opacity: float) -> Any:
        marker = trace.marker
        size = 6.0 if marker.size is None else np.asarray(marker.size, float)
        area = np.broadcast_to((size * POINT * LINE) ** 2, x.shape)
        alpha = opacity * float(marker.opacity if isinstance(marker.opacity, int | float) else 1.0)
        edge = colour_of(marker.line.color if isinstance(marker.line.color, str) else None) or "none"
        width = LINE * float(marker.line.width or 0) * POINT
        symbols = [marker.symbol or "circle"] * len(x) if not isinstance(marker.symbol, list | tuple | np.ndarray) \
            else [str(s) for s in marker.symbol]  # fmt: skip
        colours, scale = self._colours(marker, getattr(trace, "line", None))
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

    def _colours(self, marker: Any, line: Any = None) -> tuple[np.ndarray, Any]:
        """Return RGBA colours, one or one for each point, and what a colour bar shows (None for none)."""
        from matplotlib.colors import to_rgba

        colour = marker.color
        if colour is None or isinstance(colour, str):
            own = colour_of(colour) or (colour_of(line.color) if line is not None else None) or "0.4"
            return np.array([to_rgba(own)]), None
        values = list(colour)
        if values and isinstance(values[0], str):
            return np.array([to_rgba(colour_of(c) or "0.4") for c in values]), None
        numbers = np.array([np.nan if v is None else float(v) for v in values])
        mapping = mapping_of(marker.colorscale, marker.cmin, marker.cmax, numbers)
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
        colours, _ = self._colours(trace.marker)
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
            more["yerr"] = bar_lengths(trace.error_y)
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
        colours, _ = self._colours(trace.marker)
        weights = None
        if trace.histnorm in ("probability", "percent") and len(values):
            weights = np.full(len(values), (100.0 if trace.histnorm == "percent" else 1.0) / len(values))
        opacity = 1.0 if trace.opacity is None else float(trace.opacity)
        *_, handle = ax.hist(values, bins=edges, color=colours[0], alpha=opacity, weights=weights,
                             density=trace.histnorm == "probability density")  # fmt: skip
        self._legend_entry(trace, handle)

    def _heatmap(self, trace: Any, ax: Any, at: tuple[str, str]) -> None:
        z = numbers_of(trace.z)
        rows, columns = z.shape
        x = np.arange(columns) if trace.x is None else self._values(trace.x, at[0])
        y = np.arange(rows) if trace.y is None else self._values(trace.y, at[1])
        shared = self.figure.layout.coloraxis if trace.coloraxis else None
        scale = shared.colorscale if shared is not None else trace.colorscale
        low, high = (shared.cmin, shared.cmax) if shared is not None else (trace.zmin, trace.zmax)
        mapping = mapping_of(scale, low, high, z, reverse=bool(trace.reversescale))
        gap = 0.3 if trace.xgap else 0.0
        mesh = ax.pcolormesh(
            edges_of(x), edges_of(y), np.ma.masked_invalid(z), cmap=mapping.cmap, norm=mapping.norm,
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
            self.handles.setdefault(plain(trace.name), handle)

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
                target.set_ticks([float(t) for t in ticks], None if texts is None else [plain(t) for t in texts])
            elif axis.dtick and axis.type != "log":
                from matplotlib.ticker import MultipleLocator

                target.set_major_locator(MultipleLocator(float(axis.dtick)))
            if axis.showticklabels is False:
                ax.tick_params(axis=which, labelbottom=False, labelleft=False)
            if axis.tickangle and which == "x":
                ax.tick_params(axis="x", rotation=-float(axis.tickangle))
            if axis.title.text:
                getattr(ax, f"set_{which}label")(plain(axis.title.text), fontsize=SIZE, labelpad=2)
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
        line = {"color": colour_of(shape.line.color) or "0.4", "linewidth": LINE * float(shape.line.width or 1) * POINT}
        x, y = (self._one(v, r) for v, r in (((shape.x0, shape.x1), shape.xref), ((shape.y0, shape.y1), shape.yref)))
        if shape.type == "rect":
            face = colour_of(shape.fillcolor) or "none"
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
        ax.annotate(plain(note.text), (x, y), xycoords=transform, xytext=shift, textcoords="offset points", ha=across,
                    va=up, fontsize=SMALL, rotation=-float(note.textangle or 0), annotation_clip=False)  # fmt: skip

    def _text(self, ax: Any, x: float, y: float, text: str, **more: Any) -> None:
        ax.text(x, y, plain(text), fontsize=SMALL, zorder=4, **more)
