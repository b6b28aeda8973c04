"""The page of a figure for print: its title and legend, and margins in which every label has room."""

import math
import textwrap

import numpy as np

from dvae_core.figures.paper_drawing import Drawing
from dvae_core.figures.paper_style import SIZE, SMALL, plain


def arrange(drawing: Drawing) -> None:
    """Write the title and legend, then widen the margins until nothing leaves the page."""
    width, height = drawing.canvas.get_size_inches()
    title, subtitle = drawing.figure.layout.title.text or "", drawing.figure.layout.title.subtitle.text or ""
    top, tall = 1.0, SIZE * 1.25 / 72 / height
    letters = int(width * 72 / (SIZE * 0.56))
    for text, size, weight in ((title, SIZE, "bold"), (subtitle, SMALL, "normal")):
        lines = [w for part in plain(text).split("\n") for w in textwrap.wrap(part, letters)] if text else []
        if text:
            lines = textwrap.wrap(" ".join(lines), int(letters * SIZE / size * (0.92 if weight == "bold" else 1)))
        for line in lines:
            drawing.canvas.text(0.01, top - 0.15 * tall, line, fontsize=size, fontweight=weight, va="top", ha="left")
            top -= tall
    bottom = 0.0
    if len(drawing.handles) > 1 or (drawing.handles and drawing.figure.layout.showlegend):
        longest = max(len(name) for name in drawing.handles)
        columns = max(1, min(len(drawing.handles), int(letters / (longest + 6))))
        legend = drawing.canvas.legend(
            list(drawing.handles.values()), list(drawing.handles), loc="lower left", bbox_to_anchor=(0.0, 0.0),
            ncols=columns, frameon=False, fontsize=SMALL, handlelength=1.2, columnspacing=1.0, borderaxespad=0.2,
        )  # fmt: skip
        for handle in legend.legend_handles:
            if hasattr(handle, "set_sizes"):
                handle.set_sizes([14.0])
        bottom = math.ceil(len(drawing.handles) / columns) * SMALL * 1.45 / 72 / height
    for ax, (image, bar) in drawing.images.items():
        colours = drawing.canvas.colorbar(image, ax=ax, fraction=0.05, pad=0.03, aspect=30)
        colours.outline.set_linewidth(0.4)
        colours.ax.tick_params(labelsize=SMALL, length=2)
        bar_title = bar.title.text if bar is not None and bar.title is not None else None
        if bar_title:
            colours.set_label(plain(bar_title), fontsize=SMALL)
        drawing.domains[colours.ax] = drawing.domains[ax]
    _fit(drawing, left=0.02, right=0.98, low=bottom + 0.02, high=top - 0.02)


def _fit(drawing: Drawing, *, left: float, right: float, low: float, high: float) -> None:
    bars = {ax: next((b.ax for b in [getattr(image, "colorbar", None)] if b is not None), None)
            for ax, (image, _) in drawing.images.items()}  # fmt: skip
    owned = {bar for bar in bars.values() if bar is not None}
    frame = [left, right, low, high]
    for _ in range(4):
        for ax, (x0, x1, y0, y1) in drawing.domains.items():
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
            drawing.canvas.canvas.draw()
            for ax, bar in bars.items():  # a square panel is narrower than its place
                if bar is not None:
                    box = ax.get_position()
                    bar.set_position((box.x1 + 0.01, box.y0, 0.018, box.height))
        over = _over(drawing, left, right, low, high)
        if max(over) < 1e-3:
            break
        frame = [frame[0] + over[0], frame[1] - over[1], frame[2] + over[2], frame[3] - over[3]]
        frame[1], frame[3] = max(frame[1], frame[0] + 0.15), max(frame[3], frame[2] + 0.15)


def _over(drawing: Drawing, left: float, right: float, low: float, high: float) -> tuple[float, float, float, float]:
    """Return by how much the panels with their labels leave each side of the frame, as shares of the page."""
    renderer = drawing.canvas.canvas.get_renderer()
    boxes = [ax.get_tightbbox(renderer) for ax in drawing.domains]
    boxes = [box.transformed(drawing.canvas.transFigure.inverted()) for box in boxes if box is not None]
    boxes = [box for box in boxes if np.isfinite(box.extents).all() and box.width < 5 and box.height < 5]
    if not boxes:
        return 0.0, 0.0, 0.0, 0.0
    sides = (
        max(left - box.x0 for box in boxes), max(box.x1 - right for box in boxes),
        max(low - box.y0 for box in boxes), max(box.y1 - high for box in boxes),
    )  # fmt: skip
    return tuple(max(0.0, float(side)) for side in sides)  # type: ignore[return-value]
