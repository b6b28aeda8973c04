"""The input of the bend's component: complete ideas, one curve for every stop, and nothing else."""

import pytest

from dvae_core.live.bend import BendState, Idea, Slider
from pages.ui import bend_views

GRID = {"kind": "grid", "name": "g", "says": "", "role": "data", "angles": (0, 45, 90)}


def test_dials_are_the_angle_and_then_every_slider():
    stops = Slider(name="s", value=2.0, stops=(1.0, 2.0))
    nats = [[0, 1, 0], [0, 2, 0]]
    state = BendState(ideas=[bend_views.time((0.9, 0.1)), Idea(**GRID, nats=nats, sliders=[stops])], angle=20)
    data = state.data()
    assert data["dials"] == [20.0, 0.9, 0.1, 2.0]
    assert data["ideas"][1]["nats"] == nats
    assert data["ideas"][1]["error"] is None


@pytest.mark.parametrize(
    ("idea", "message"),
    [
        (lambda: Idea(**GRID, nats=[0, 1]), "nats must be 1 times 3 finite numbers"),
        (lambda: Idea(**GRID, nats=[0, float("nan"), 0]), "finite numbers"),
        (lambda: Idea(**GRID, nats=[0, 1, 0], sliders=[Slider(name="K", value=3, stops=(2, 4))]), "K: 3 is not one"),
        (
            lambda: Idea(kind="pairs", name="t", says="", role="latent", sliders=[Slider(name="a", value=0.5)]),
            "needs 2",
        ),
        (lambda: Idea(kind="segments", name="u", says="", role="factor", mean=[[0, 0]], std=[[1, 1]]), "needs 1"),
    ],
)
def test_an_idea_that_is_not_complete_is_refused(idea, message):
    with pytest.raises(ValueError, match=message):
        BendState(ideas=[idea()]).data()
