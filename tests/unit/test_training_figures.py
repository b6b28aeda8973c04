"""Training curves and bars show every member, and what they say follows from the rows."""

import numpy as np
import plotly.graph_objects as go
import pytest

from dvae_core import figures
from dvae_core.metrics import DEAD_NATS
from tests.unit.test_figures import finding, history


def lines_of(fig: go.Figure) -> list[go.Scatter]:
    return [t for t in fig.data if t.mode == "lines" and t.x[0] is not None]


def test_curves_held_out_solid_train_dotted_best_thick() -> None:
    fig = figures.training_curves(history(3))
    curves = lines_of(fig)
    assert [c.line.dash for c in curves] == ["dot", "solid"] * 3
    assert [c.line.width for c in curves if c.line.dash == "solid"] == [1.2, 1.2, 3]  # the last has the best ELBO
    assert finding(fig) == "ELBO −2.98 ± 0.01 over 3 seeds"
    assert fig.layout.title.subtitle.text.startswith("held-out, nats per example")
    assert "thick: seed 42" in {t.name for t in fig.data}
    assert fig.layout.yaxis.title.text == "ELBO (nats)"


def test_the_start_does_not_flatten_the_curves() -> None:
    fig = figures.training_curves(history(2))
    low, high = fig.layout.yaxis.range
    assert low > -20  # the first point is at -101
    assert high > -2.9
    assert "cuts off the first steps" in fig.layout.title.subtitle.text


def test_failed_members_are_crossed_and_named_not_dropped() -> None:
    fig = figures.training_curves(history(3, broken=1))
    (cross,) = [t for t in fig.data if t.marker.symbol == "x"]
    assert cross.text[0].strip() == "seed 41 failed"
    assert cross.x[0] == 90
    assert finding(fig).endswith("over 2 seeds; seed 41 failed")
    assert len([c for c in lines_of(fig) if c.line.color == figures.COLOURS["bad"]]) == 2
    named = figures.training_curves(history(3), failed=(0, 1, 2), metric="kl_1")
    assert finding(named) == "KL of z1: no member has a finite value"
    assert len([t for t in named.data if t.marker.symbol == "x"]) == 3


def test_stuck_members_are_marked_and_named_and_in_no_mean() -> None:
    rows = history(4)
    rows.loc[rows["member"] == 3, ["elbo", "recon", "kl"]] -= 9.0
    fig = figures.training_curves(rows, stuck=(3,))
    assert finding(fig) == finding(figures.training_curves(history(3))) + "; seed 43 is stuck"
    (circle,) = [t for t in fig.data if t.marker.symbol == "circle-open"]
    assert circle.text[0].strip() == "seed 43 stuck"
    assert len(lines_of(fig)) == 8  # shown like the others
    split = figures.training_split(rows, stuck=(3,))
    assert finding(split) == finding(figures.training_split(history(3)))
    both = figures.training_curves(history(4, broken=1), stuck=(1, 3))
    assert finding(both).endswith("over 2 seeds; seed 41 failed; seed 43 is stuck")


def test_members_with_other_betas_have_other_colours() -> None:
    fig = figures.training_curves(history(3, betas=(0.5, 1, 4)))
    assert len({c.line.color for c in lines_of(fig)}) == 3
    assert {"β = 0.5", "β = 1", "β = 4", "held-out", "train"} == {t.name for t in fig.data if t.name}
    split = figures.training_split(history(3, betas=(0.5, 1, 4)))
    assert finding(split) == "KL 3.99 nats at β = 0.5, 0.50 nats at β = 4"


def test_members_with_other_learning_rates_are_distinguished_and_not_averaged() -> None:
    rows = history(4).assign(lr=lambda rows: rows["member"].map({0: 1e-3, 1: 1e-3, 2: 0.01, 3: 0.01}))
    fig = figures.training_curves(rows)
    assert {"lr = 0.001", "lr = 0.01", "held-out", "train"} == {t.name for t in fig.data if t.name}
    assert finding(fig).endswith("over 4 members")
    assert any("lr = 0.01, seed 42" in (t.hovertemplate or "") for t in fig.data)
    both = figures.training_split(rows.assign(beta=rows["member"] % 2 + 1.0))
    assert "nats at β = 1, lr = 0.001" in finding(both)
    assert "nats at β = 2, lr = 0.01" in finding(both)


def test_split_shows_both_parts_over_the_same_steps() -> None:
    fig = figures.training_split(history(3), steps=5000)
    assert finding(fig) == "ELBO = −0.99 (reconstruction) − 1.99 (KL)"
    assert list(fig.layout.xaxis.range) == list(fig.layout.xaxis2.range) == [0, 5050]
    lost = figures.training_split(history(1, broken=0))
    assert finding(lost) == "No member has a finite bound"


def test_steps_fix_the_axis_while_training() -> None:
    early, late = (figures.training_curves(history(2, k), steps=1000) for k in (3, 30))
    assert list(early.layout.xaxis.range) == list(late.layout.xaxis.range)


def test_kl_bars_are_ordered_and_dead_ones_hatched() -> None:
    kl = np.array([[0.001, 2.0, 1.0], [3.0, np.nan, 0.02]])
    fig = figures.kl_bars(kl, labels=["seed 1", "seed 2"])
    alive, dead = fig.data
    assert [about[0] for about in alive.customdata] == ["z2", "z3", "z1", "z3"]
    assert list(alive.y) == [2.0, 1.0, 3.0, 0.02]
    assert [about[0] for about in dead.customdata] == ["z1", "z2"]
    assert dead.marker.pattern.shape == "/"
    assert dead.marker.color == figures.COLOURS["reference"]
    assert dead.base == pytest.approx(-dead.y[0])  # below the axis: its height means nothing
    assert fig.layout.shapes[0].y0 == DEAD_NATS
    assert finding(fig) == "The 2 members use 2 of 3 latents each"
    assert list(fig.layout.xaxis.ticktext) == ["seed 1", "seed 2"]


def test_kl_bars_of_a_whole_diverged_member() -> None:
    fig = figures.kl_bars(np.array([[np.nan, np.inf]]))
    assert finding(fig) == "The member uses 0 of 2 latents"
