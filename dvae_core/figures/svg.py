"""Figures of lines and points as SVG, for pages without plotly's script (4.5 MB) and for paper."""

import math
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

WIDTH, HEIGHT = 480, 330
LEFT, RIGHT, TOP, BOTTOM = 50, 14, 12, 46
SIZE = 13  # of the text
LETTER = 0.56 * SIZE  # mean width of a letter, for the room that names on an axis need
DASHES = {"dash": "7 4", "dot": "2 3", "dashdot": "7 3 2 3"}


def chart(figure: go.Figure) -> str:
    """Return a figure of scatter traces as HTML: title and legend as text, and one SVG per panel.

    Text and axes take the colour of the page, and so does black. Lines, filled bands, markers, the text beside markers,
    straight lines (shapes) and annotations are drawn; other traces are refused.

    Raises:
        ValueError: If a trace is no scatter.
    """
    for trace in figure.data:
        if trace.type != "scatter":
            raise ValueError(f"A trace of type {trace.type!r} cannot be drawn as SVG; only scatter traces can.")
    layout = figure.layout
    panels = sorted({(trace.xaxis or "x", trace.yaxis or "y") for trace in figure.data}) or [("x", "y")]
    pictures = "".join(_Panel(figure, *panel).svg() for panel in panels)
    title, subtitle = layout.title.text or "", layout.title.subtitle.text or ""
    named = [trace for trace in figure.data if trace.name and trace.showlegend is not False]
    legend = "".join(f"<span>{_sample(trace)}{escape(trace.name)}</span>" for trace in named) if len(named) > 1 else ""
    words = f"<b>{_plain(title)}</b>" * bool(title) + f"<span>{_plain(subtitle)}</span>" * bool(subtitle)
    return f'<figure class="chart">{pictures}<figcaption>{words}{legend}</figcaption></figure>'


class _Panel:
    """One pair of axes."""

    def __init__(self, figure: go.Figure, x: str, y: str) -> None:
        self.traces = [t for t in figure.data if (t.xaxis or "x", t.yaxis or "y") == (x, y)]
        self.shapes = [s for s in figure.layout.shapes if (s.xref or "x").split()[0] == x]
        self.notes = [a for a in figure.layout.annotations if (a.yref or "y") == y]
        self.x_axis, self.y_axis = figure.layout[f"xaxis{x[1:]}"], figure.layout[f"yaxis{y[1:]}"]
        self.x_range = _range(self.x_axis, [t.x for t in self.traces])
        self.y_range = _range(self.y_axis, [t.y for t in self.traces])
        names = [text for _, text in _ticks(self.y_axis, self.y_range)]
        self.left = max(LEFT, 34 + round(LETTER * max(map(len, names), default=0)))
        outside = [note.text for note in self.notes if note.xref == "paper" and (note.x or 0) >= 1]
        self.right = max(RIGHT, 10 + round(LETTER * max(map(len, outside), default=0)))
        self.label = _plain(
            " against ".join(filter(None, (self.y_axis.title.text, self.x_axis.title.text))) or "Points"
        )

    def at_x(self, value: float | int) -> float:
        low, high = self.x_range
        return round(self.left + (float(value) - low) / (high - low) * (WIDTH - self.left - self.right), 1)

    def at_y(self, value: float | int) -> float:
        low, high = self.y_range
        return round(HEIGHT - BOTTOM - (float(value) - low) / (high - low) * (HEIGHT - TOP - BOTTOM), 1)

    def svg(self) -> str:
        inside = (
            f'<clipPath id="{self._clip}"><rect x="{self.left}" y="{TOP}" width="{WIDTH - self.left - self.right}" '
        )
        inside += f'height="{HEIGHT - TOP - BOTTOM}"/></clipPath>'
        drawn = "".join(map(self._shape, self.shapes)) + "".join(map(self._trace, self.traces))
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{self.label}" font-size="{SIZE}" '
            f'fill="currentColor">{inside}{self._axes()}{drawn}{"".join(map(self._note, self.notes))}</svg>'
        )

    @property
    def _clip(self) -> str:  # unique on a page: panels that have the same box may share it
        return f"box-{self.left}-{self.right}"

    def _axes(self) -> str:
        bottom, end = HEIGHT - BOTTOM, WIDTH - self.right
        parts = [
            f'<path d="M{self.left},{TOP}V{bottom}H{end}" fill="none" stroke="currentColor" stroke-opacity=".35"/>'
        ]
        for value, text in _ticks(self.x_axis, self.x_range):
            parts.append(f'<text x="{self.at_x(value)}" y="{bottom + 17}" text-anchor="middle">{escape(text)}</text>')
        for value, text in _ticks(self.y_axis, self.y_range):
            y = self.at_y(value)
            parts.append(f'<path d="M{self.left},{y}H{end}" stroke="currentColor" stroke-opacity=".12"/>')
            parts.append(f'<text x="{self.left - 7}" y="{y + 4}" text-anchor="end">{escape(text)}</text>')
        x_title, y_title = _plain(self.x_axis.title.text or ""), _plain(self.y_axis.title.text or "")
        parts.append(f'<text x="{(self.left + end) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{x_title}</text>')
        middle = (TOP + bottom) / 2
        parts.append(f'<text transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">{y_title}</text>')
        return "".join(parts)

    def _trace(self, trace: Any) -> str:
        mode, parts = trace.mode or "lines", []
        points = [(self.at_x(x), self.at_y(y)) for x, y in zip(trace.x, trace.y, strict=True) if _is_number(x, y)]
        clip = f' clip-path="url(#{self._clip})"' if trace.cliponaxis is not False else ""
        line = "M" + "L".join(f"{x},{y}" for x, y in points)
        if trace.fill == "toself":
            return f'<path d="{line}Z" fill="{_colour(trace.fillcolor)}"{clip}/>'
        if "lines" in mode and len(points) > 1:
            dash = f' stroke-dasharray="{DASHES[trace.line.dash]}"' if trace.line.dash in DASHES else ""
            stroke = f'stroke="{_colour(trace.line.color)}" stroke-width="{trace.line.width or 2}"{dash}'
            parts.append(f'<path d="{line}" fill="none" {stroke}{clip}/>')
        if "markers" in mode:
            shown = trace.marker
            colours = shown.color if isinstance(shown.color, tuple | list | np.ndarray) else [shown.color] * len(points)
            colours = [c or trace.line.color for c in colours]
            size = 3.2 if len(points) < 60 else 2.4
            dots = (_dot(*p, size, _colour(c), shown.symbol) for p, c in zip(points, colours, strict=True))
            parts.append(f"<g{clip}>{''.join(dots)}</g>")
        if "text" in mode:
            for (x, y), text in zip(points, trace.text, strict=True):
                parts.append(f'<text x="{x + 5}" y="{y + 4}">{_plain(text)}</text>')
        return "".join(parts)

    def _shape(self, shape: Any) -> str:
        full = (shape.yref or "y").endswith("domain")
        y0, y1 = (TOP, HEIGHT - BOTTOM) if full else (self.at_y(shape.y0), self.at_y(shape.y1))
        dash = f' stroke-dasharray="{DASHES[shape.line.dash]}"' if shape.line.dash in DASHES else ""
        ends = f'x1="{self.at_x(shape.x0)}" x2="{self.at_x(shape.x1)}" y1="{y0}" y2="{y1}"'
        return f'<line {ends} stroke="{_colour(shape.line.color)}" stroke-width="{shape.line.width or 1}"{dash}/>'

    def _note(self, note: Any) -> str:
        x = WIDTH - self.right + 6 if note.xref == "paper" else self.at_x(note.x)
        return f'<text x="{x}" y="{self.at_y(note.y) + 4}">{_plain(note.text)}</text>'


def _range(axis: Any, values: Sequence[Any]) -> tuple[float, float]:
    if axis.range:
        return float(axis.range[0]), float(axis.range[1])
    known = [float(v) for row in values for v in row if _is_number(v)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    room = 0.05 * (high - low) or 0.5
    return low - room, high + room


def _ticks(axis: Any, ends: tuple[float, float]) -> list[tuple[float, str]]:
    if axis.tickvals is not None:
        return [(float(v), _plain(str(text))) for v, text in zip(axis.tickvals, axis.ticktext, strict=True)]
    low, high = ends
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = float(axis.dtick or next(power * k for k in (1, 2, 5, 10) if power * k >= rough))
    count = int((high + 1e-9 * step) // step) - math.ceil(low / step - 1e-9)
    values = [(math.ceil(low / step - 1e-9) + k) * step for k in range(count + 1)]
    return [(v, f"{v:.10g}".replace("-", "−") if abs(v) > 1e-9 * step else "0") for v in values]


def _dot(x: float | int, y: float | int, size: float, colour: str, symbol: Any) -> str:
    if symbol == "diamond":
        s = 1.5 * size
        return f'<path d="M{x - s:g},{y}L{x},{y - s:g}L{x + s:g},{y}L{x},{y + s:g}Z" fill="{colour}"/>'
    return f'<circle cx="{x}" cy="{y}" r="{size}" fill="{colour}"/>'


def _sample(trace: Any) -> str:
    mode, parts = trace.mode or "lines", ""
    if "lines" in mode:
        dash = f' stroke-dasharray="{DASHES[trace.line.dash]}"' if trace.line.dash in DASHES else ""
        parts += (
            f'<path d="M0,6H32" stroke="{_colour(trace.line.color)}" stroke-width="{trace.line.width or 2}"{dash}/>'
        )
    if "markers" in mode:
        parts += _dot(16, 6, 3.2, _colour(trace.marker.color or trace.line.color), trace.marker.symbol)
    return f'<svg viewBox="0 0 32 12" aria-hidden="true">{parts}</svg>'


def _colour(colour: Any) -> str:
    return "currentColor" if colour in (None, "#000000", "black") else escape(str(colour))


def _plain(text: str) -> str:
    """Return a text of plotly's, escaped, on one line."""
    return escape(text.replace("<br>", " "))


def _is_number(*values: Any) -> bool:
    return all(isinstance(v, int | float | np.number) and math.isfinite(v) for v in values)
