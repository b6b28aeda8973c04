"""Figures as SVG: what is drawn lies where its numbers say, texts are escaped, and what cannot be drawn is refused."""

import re

import numpy as np
import plotly.graph_objects as go
import pytest

from dvae_core import figures
from dvae_core.figures import svg


def test_a_line_lies_where_its_numbers_say():
    fig = go.Figure(go.Scatter(x=[0, 5, 10], y=[0.0, 1.0, np.nan], mode="lines", line={"color": "#123456"}))
    fig.update_layout(xaxis={"range": [0, 10]}, yaxis={"range": [0, 1], "title": "height"}, title="A rise")
    text = svg.chart(fig)
    (x0, y0), (x1, y1) = (map(float, p) for p in re.findall(r"([\d.]+),([\d.]+)", re.search(r'"(M[^"]*)" fill="none" '
                          r'stroke="#123456"', text)[1]))  # fmt: skip
    assert (y0, y1) == (svg.FLAT - svg.BOTTOM, svg.TOP)
    assert x1 == pytest.approx((x0 + svg.WIDTH - svg.RIGHT) / 2, abs=0.1)  # half way along the axis
    assert "<b>A rise</b>" in text
    assert ">height<" in text


def test_bars_and_heat_maps_are_drawn():
    fig = go.Figure(go.Bar(x=["a", "b"], y=[1.0, -2.0], marker={"color": "#111111"}))
    heights = [
        float(h) for h in re.findall(r'<rect x="[^"]*" y="[^"]*" width="[^"]*" height="([^"]*)"/>', svg.chart(fig))
    ]
    assert heights[-1] == pytest.approx(2 * heights[-2], abs=0.2)
    assert "data:image/png;base64," in svg.chart(go.Figure(go.Heatmap(z=[[0, 1], [1, 0]], colorscale="Cividis")))


def test_rows_that_are_not_chosen_fade_and_every_point_is_drawn():
    points = np.random.default_rng(0).normal(size=(40, 2))
    figure = figures.seed_panels(np.stack([points, -points]), np.arange(40) % 2, ("a", "b"), titles=["s", "t"],
                                 selected=list(range(0, 40, 2)))  # fmt: skip
    text = svg.chart(figure)
    assert text.count("h0") == 80
    assert f'stroke-opacity="{svg.FADED}"' in text
    assert text.count('<svg viewBox="0 0 480') == 2
    assert ">s<" in text


def test_texts_are_escaped_and_other_figures_refused():
    hostile = "<script>alert(1)</script>"
    fig = go.Figure([go.Scatter(x=[0, 1], y=[0, 1], name=hostile), go.Scatter(x=[0, 1], y=[1, 0], name="b")])
    fig.update_layout(title=hostile, xaxis_title=hostile)
    assert "<script" not in svg.chart(fig)
    with pytest.raises(ValueError, match="type 'pie' cannot be drawn"):
        svg.chart(go.Figure(go.Pie(values=[1, 2])))


def test_lines_that_do_not_vary_and_empty_figures_are_drawn():
    assert "<svg" in svg.chart(go.Figure(go.Scatter(x=[1.0, 1.0], y=[2.0, 2.0])))
    assert "Nothing yet" in svg.chart(figures.sentence("Nothing yet"))
