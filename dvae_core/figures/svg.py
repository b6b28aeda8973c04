"""Figures of lines, points, bars and heat maps as SVG, for pages without plotly's script (4.5 MB) and for paper."""

import base64
import io
import math
import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go
from PIL import Image
from plotly.colors import get_colorscale, hex_to_rgb, label_rgb, unlabel_rgb

from dvae_core.figures.style import NUMBERS

WIDTH, FLAT, SQUARE = 480, 330, 480  # units of the picture; it is scaled to the page
LEFT, RIGHT, TOP, BOTTOM = 50, 14, 12, 46
SIZE = 13  # of the text
LETTER = 0.56 * SIZE  # mean width of a letter, for the room that names on an axis need
DASHES = {"dash": "7 4", "dot": "2 3", "dashdot": "7 3 2 3"}
FADED = 0.1
KINDS = ("scatter", "scattergl", "bar", "heatmap")


def chart(figure: go.Figure) -> str:
    """Return a figure as HTML: one SVG per panel, and its title, subtitle and legend as text.

    Text and axes take the colour of the page, and so does black. Lines, filled bands, markers with their texts, bars,
    heat maps, straight lines (shapes) and annotations are drawn; traces on a hidden axis (margins) are left out.

    Raises:
        ValueError: If a trace is of another type.
    """
    layout: Any = figure.layout
    drawn: Any = figure.data
    for trace in drawn:
        if trace.type not in (*KINDS, "histogram"):
            raise ValueError(f"A trace of type {trace.type!r} cannot be drawn as SVG; only {', '.join(KINDS)} can.")
    traces = [t for t in drawn if _axis(figure, "x", t).visible is not False]
    traces = [t for t in traces if _axis(figure, "y", t).visible is not False]
    if any(trace.type not in KINDS for trace in traces):
        raise ValueError("A histogram is drawn as SVG only in a margin, where it is left out.")
    if not traces:  # a sentence in place of a figure
        return f'<figure class="chart"><p>{" ".join(_plain(note.text) for note in layout.annotations)}</p></figure>'
    panels = list(dict.fromkeys((trace.xaxis or "x", trace.yaxis or "y") for trace in traces))
    above = [note.text for note in layout.annotations if _is_panel_title(note)]
    titles = above if len(above) == len(panels) else [""] * len(panels)
    pictures = "".join(_Panel(figure, traces, *p, title).svg() for p, title in zip(panels, titles, strict=True))
    named = [trace for trace in traces if trace.name and trace.showlegend is not False]
    legend = "".join(f"<span>{_sample(trace)}{_plain(trace.name)}</span>" for trace in named) if len(named) > 1 else ""
    title, subtitle = layout.title.text, layout.title.subtitle.text
    caption = f"<b>{_plain(title)}</b>" if title else ""
    caption += f"<span>{_plain(subtitle)}</span>" if subtitle else ""
    many = ' data-panels="many"' if len(panels) > 4 else ""
    return f'<figure class="chart"{many}>{pictures}<figcaption>{caption}{legend}</figcaption></figure>'


def _axis(figure: go.Figure, way: str, trace: Any) -> Any:
    name = (trace.xaxis if way == "x" else trace.yaxis) or way
    return figure.layout[f"{way}axis{name[1:]}"]


def _is_panel_title(note: Any) -> bool:
    return note.yanchor == "bottom" and note.yref in ("paper", None)


class _Panel:
    """One pair of axes."""

    def __init__(self, figure: Any, traces: Sequence[Any], x: str, y: str, title: str) -> None:
        self.traces = [t for t in traces if (t.xaxis or "x", t.yaxis or "y") == (x, y)]
        self.bars = [t for t in self.traces if t.type == "bar"]
        self.shapes = [s for s in figure.layout.shapes if (s.xref or "x").split()[0] == x]
        self.notes = [a for a in figure.layout.annotations if (a.yref or "paper") == y]
        self.x_axis, self.y_axis = figure.layout[f"xaxis{x[1:]}"], figure.layout[f"yaxis{y[1:]}"]
        self.title = title
        self.names = list(dict.fromkeys(str(v) for t in self.traces for v in _given(t.x) if isinstance(v, str)))
        self.x_range = self._range(self.x_axis, "x")
        self.y_range = self._range(self.y_axis, "y")
        self.height = SQUARE if self.y_axis.scaleanchor else FLAT
        self.top = TOP + 20 * bool(title)
        ticks = [text for _, text in self._ticks(self.y_axis, self.y_range)]
        self.left = max(LEFT, 34 + round(LETTER * max(map(len, ticks), default=0)))
        outside = [note.text for note in self.notes if note.xref == "paper" and (note.x or 0) >= 1]
        self.right = max(RIGHT, 10 + round(LETTER * max(map(len, outside), default=0)))

    def svg(self) -> str:
        box = (self.left, self.top, WIDTH - self.left - self.right, self.height - self.top - BOTTOM)
        clip = "box-" + "-".join(map(str, box))  # panels with the same box may share it
        x, y, w, h = box
        cut = f'<clipPath id="{clip}"><rect x="{x}" y="{y}" width="{w}" height="{h}"/></clipPath>'
        clips = [t.type == "heatmap" or t.cliponaxis is not False for t in self.traces]
        inside = "".join(self._drawn(t) for t, clipped in zip(self.traces, clips, strict=True) if clipped)
        outside = "".join(self._drawn(t) for t, clipped in zip(self.traces, clips, strict=True) if not clipped)
        title = f'<text x="{x}" y="{self.top - 8}" font-weight="600">{_plain(self.title)}</text>' if self.title else ""
        label = self.title or " against ".join(filter(None, (self.y_axis.title.text, self.x_axis.title.text)))
        return (
            f'<svg viewBox="0 0 {WIDTH} {self.height}" role="img" aria-label="{_plain(label or "Figure")}" '
            f'font-size="{SIZE}" fill="currentColor">{cut}{title}{self._axes()}'
            f'<g clip-path="url(#{clip})">{"".join(map(self._shape, self.shapes))}{inside}</g>{outside}'
            f"{''.join(map(self._note, self.notes))}</svg>"
        )

    # --- places

    def at_x(self, value: Any) -> float:
        low, high = self.x_range
        place = self.names.index(value) if isinstance(value, str) else float(value)
        return round(self.left + (place - low) / (high - low) * (WIDTH - self.left - self.right), 1)

    def at_y(self, value: Any) -> float:
        low, high = self.y_range
        return round(self.height - BOTTOM - (float(value) - low) / (high - low) * (self.height - self.top - BOTTOM), 1)

    def _range(self, axis: Any, way: str) -> tuple[float, float]:
        if axis.range:
            return float(axis.range[0]), float(axis.range[1])
        if way == "x" and self.names:
            return -0.6, len(self.names) - 0.4
        known = [float(v) for t in self.traces for v in _given(t[way]) if _is_number(v)]
        if self.bars and way == "y":
            known.append(0.0)
        low, high = min(known, default=0.0), max(known, default=1.0)
        room = 0.5 if self.bars and way == "x" else 0.05 * (high - low) or 0.5
        return low - room, high + room

    def _ticks(self, axis: Any, ends: tuple[float, float]) -> list[tuple[float, str]]:
        if axis.showticklabels is False:
            return []
        if axis.tickvals is not None:
            return [(float(v), str(text)) for v, text in zip(axis.tickvals, axis.ticktext, strict=True)]
        if axis is self.x_axis and self.names:
            return [(float(k), name) for k, name in enumerate(self.names)]
        low, high = ends
        rough = (high - low) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        step = float(axis.dtick or next(power * k for k in (1, 2, 5, 10) if power * k >= rough))
        first = math.ceil(low / step - 1e-9)
        values = [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]
        return [(v, f"{v:.10g}".replace("-", "−")) for v in values]

    def _axes(self) -> str:
        bottom, end = self.height - BOTTOM, WIDTH - self.right
        line = f"M{self.left},{self.top}V{bottom}H{end}"
        parts = [f'<path d="{line}" fill="none" stroke="currentColor" stroke-opacity=".35"/>']
        for value, text in self._ticks(self.x_axis, self.x_range):
            parts.append(f'<text x="{self.at_x(value)}" y="{bottom + 17}" text-anchor="middle">{_plain(text)}</text>')
        for value, text in self._ticks(self.y_axis, self.y_range):
            y = self.at_y(value)
            parts.append(f'<path d="M{self.left},{y}H{end}" stroke="currentColor" stroke-opacity=".12"/>')
            parts.append(f'<text x="{self.left - 7}" y="{y + 4}" text-anchor="end">{_plain(text)}</text>')
        x_title, y_title = (_plain(axis.title.text or "") for axis in (self.x_axis, self.y_axis))
        parts.append(f'<text x="{(self.left + end) / 2}" y="{self.height - 8}" text-anchor="middle">{x_title}</text>')
        middle = (self.top + bottom) / 2
        parts.append(f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">{y_title}</text>')
        return "".join(parts)

    # --- traces

    def _drawn(self, trace: Any) -> str:
        if trace.type == "bar":
            return self._bars(trace)
        return self._heat(trace) if trace.type == "heatmap" else self._points(trace)

    def _points(self, trace: Any) -> str:
        mode, parts = trace.mode or "lines", []
        kept = [i for i, pair in enumerate(zip(trace.x, trace.y, strict=True)) if _is_number(*pair)]
        points = [(self.at_x(trace.x[i]), self.at_y(trace.y[i])) for i in kept]
        line = "M" + "L".join(f"{x:g},{y:g}" for x, y in points)
        if trace.fill == "toself":
            return f'<path d="{line}Z" fill="{_colour(trace.fillcolor)}"/>'
        if "lines" in mode and len(points) > 1:
            parts.append(f'<path d="{line}" fill="none" {_stroke(trace.line)}/>')
        if "markers" in mode:
            parts.append(_markers(trace, kept, points))
        if "text" in mode:
            texts = zip(points, (trace.text[i] for i in kept), strict=True)
            parts += [f'<text x="{x + 5:g}" y="{y + 4:g}">{_plain(text)}</text>' for (x, y), text in texts]
        return "".join(parts)

    def _bars(self, trace: Any) -> str:
        unit = self.at_x(1.0) - self.at_x(0.0)
        width = 0.8 * unit / len(self.bars)
        left = self.bars.index(trace) * width - 0.4 * unit
        zero, parts = self.at_y(0.0), []
        for x, y in zip(trace.x, trace.y, strict=True):
            if _is_number(y):
                top, at = min(zero, self.at_y(y)), self.at_x(x) + left
                box = f'x="{at:g}" y="{top:g}" width="{width:g}" height="{abs(zero - self.at_y(y)):g}"'
                parts.append(f"<rect {box}/>")
        return f'<g fill="{_colour(trace.marker.color)}">{"".join(parts)}</g>'

    def _heat(self, trace: Any) -> str:
        z = np.asarray(trace.z, float)
        low = float(np.nanmin(z)) if trace.zmin is None else trace.zmin
        high = float(np.nanmax(z)) if trace.zmax is None else trace.zmax
        shade = np.nan_to_num((z - low) / ((high - low) or 1.0)).clip(0, 1)
        pixels = _shades(trace.colorscale, shade)[::-1]
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG", optimize=True)
        x, y = self.left, self.top
        box = f'x="{x}" y="{y}" width="{WIDTH - x - self.right}" height="{self.height - y - BOTTOM}"'
        data = base64.b64encode(file.getvalue()).decode("ascii")
        look = 'preserveAspectRatio="none" style="image-rendering: pixelated"'
        return f'<image {box} {look} href="data:image/png;base64,{data}"/>'

    def _shape(self, shape: Any) -> str:
        full = (shape.yref or "y").endswith("domain")
        y0, y1 = (self.top, self.height - BOTTOM) if full else (self.at_y(shape.y0), self.at_y(shape.y1))
        return f'<path d="M{self.at_x(shape.x0)},{y0}L{self.at_x(shape.x1)},{y1}" fill="none" {_stroke(shape.line)}/>'

    def _note(self, note: Any) -> str:
        x = WIDTH - self.right + 6 if note.xref == "paper" else self.at_x(note.x)
        return f'<text x="{x}" y="{self.at_y(note.y) + 4}">{_plain(note.text)}</text>'


def _markers(trace: Any, kept: Sequence[int], points: Sequence[tuple[float, float]]) -> str:
    """Return the points, one path for each colour: a line of no length with round ends is a dot."""
    look, chosen = trace.marker, None if trace.selectedpoints is None else set(trace.selectedpoints)
    several = look.color if isinstance(look.color, tuple | list | np.ndarray) else None
    if several is not None and len(several) and _is_number(several[0]):
        low, high = (look.cmin, look.cmax) if look.cmin is not None else (min(several), max(several))
        shades = (np.asarray(several, float) - low) / ((high - low) or 1.0)
        several = [label_rgb(rgb) for rgb in _shades(look.colorscale, shades.clip(0, 1)).tolist()]
    groups: dict[tuple[str, bool], list[str]] = {}
    for i, (x, y) in zip(kept, points, strict=True):
        colour = _colour((look.color if several is None else several[i]) or trace.line.color)
        groups.setdefault((colour, chosen is None or i in chosen), []).append(f"M{x:g},{y:g}h0")
    width, cap = (7 if len(points) < 60 else 5), "square" if look.symbol == "square" else "round"
    return "".join(
        f'<path d="{"".join(places)}" stroke="{colour}" stroke-width="{width}" stroke-linecap="{cap}" '
        f'stroke-opacity="{look.opacity if bright and look.opacity else 1 if bright else FADED}"/>'
        for (colour, bright), places in groups.items()
    )


def _shades(scale: Any, values: np.ndarray) -> np.ndarray:
    """Return red, green and blue, 0..255, of values in 0..1; a trace without a scale has that of all figures."""
    places, colours = zip(*(scale or get_colorscale(NUMBERS)), strict=True)
    rgb = np.array([hex_to_rgb(c) if c.startswith("#") else unlabel_rgb(c) for c in colours])
    return np.stack([np.interp(values, places, channel) for channel in rgb.T], -1).round().astype(np.uint8)


def _sample(trace: Any) -> str:
    mode, parts = trace.mode if "scatter" in trace.type else "markers", ""
    if "lines" in (mode or "lines"):
        parts += f'<path d="M0,6H32" fill="none" {_stroke(trace.line)}/>'
    if "markers" in (mode or ""):
        colour = trace.marker.color if isinstance(trace.marker.color, str) else trace.line.color
        parts += f'<circle cx="16" cy="6" r="4" fill="{_colour(colour)}"/>'
    return f'<svg viewBox="0 0 32 12" aria-hidden="true">{parts}</svg>'


def _stroke(line: Any) -> str:
    dash = f' stroke-dasharray="{DASHES[line.dash]}"' if line.dash in DASHES else ""
    width = 2 if line.width is None else line.width
    return f'stroke="{_colour(line.color)}" stroke-width="{width}"{dash}'


def _colour(colour: Any) -> str:
    return "currentColor" if colour in (None, "#000000", "black") else escape(str(colour))


def _plain(text: Any) -> str:
    """Return a text of plotly's on one line and without its tags, escaped."""
    return escape(re.sub(r"</?(?:b|i|sub|sup)>", "", str(text).replace("<br>", " ")))


def _given(values: Iterable[Any] | None) -> Iterable[Any]:
    return () if values is None else values


def _is_number(*values: Any) -> bool:
    return all(isinstance(v, int | float | np.number) and math.isfinite(v) for v in values)
