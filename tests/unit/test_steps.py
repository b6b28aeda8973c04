"""The slider through precomputed steps: what is sent to the browser, and what is refused."""

import base64

import numpy as np
import pytest

from dvae_core.live.steps import Cloud, Curves, Line, StepsState

LABELS = ("0", "1", "2")


def state(*panels):
    return StepsState(name="step", labels=LABELS, panels=panels).data()


def numbers(packed):
    return np.frombuffer(base64.b64decode(packed["f32"]), "<f4")


def test_points_and_lines_arrive_as_they_are():
    points = np.random.default_rng(0).normal(size=(3, 5, 2)).astype(np.float32)
    moving = np.arange(12.0).reshape(3, 4)
    data = state(
        Cloud(title=["a", "b", "c"], points=points, hues=np.arange(5), hue_labels=list("vwxyz")),
        Curves(title="t", x=np.arange(4.0), moving=moving, pile=moving[:2], spans=((0, 1), (0, 2), (0, 0))),
    )
    cloud, curves = data["panels"]
    assert (numbers(cloud["points"]) == points.ravel()).all()
    assert cloud["hues"] == [0, 1, 2, 3, 4]
    assert cloud["range"]["x"][1] >= np.abs(points).max()  # no point is cut off at any step
    assert (numbers(curves["moving"]) == moving.ravel()).all()
    assert curves["spans"] == [[0, 1], [0, 2], [0, 0]]


@pytest.mark.parametrize(
    ("panel", "message"),
    [
        (Cloud(title=["a", "b"], points=np.zeros((3, 1, 2))), "one for each step; it is 2"),
        (Cloud(title="t", points=np.zeros((2, 1, 2))), "points must be 3 times n times 2"),
        (Cloud(title="t", points=np.full((3, 1, 2), np.nan)), "finite numbers"),
        (Cloud(title="t", points=np.zeros((3, 2, 2)), hues=[0.5, 1.5]), "integer codes"),
        (
            Curves(title="t", x=np.arange(4.0), lines=[Line(y=np.zeros(4))], marked=True),
            "needs one x for each of the 3",
        ),
        (Curves(title="t", x=np.arange(4.0), lines=[Line(y=np.zeros(5))]), "y must be 4 finite numbers"),
        (Curves(title="t", x=np.arange(4.0), pile=np.zeros((2, 4))), "spans must be 3 pairs"),
    ],
)
def test_a_panel_without_a_value_for_every_step_is_refused(panel, message):
    with pytest.raises(ValueError, match=message):
        state(panel)
