"""Points that can be clicked, chosen by keys, or dragged: the sliders go there."""

import json

import numpy as np
import pytest
from components_kit import blue_spot, settled

pytestmark = pytest.mark.browser


def numbers(page, name: str) -> list[float]:
    return json.loads(page.get_by_text(f"{name} = [").first.inner_text().split("=")[-1])


def picked(page) -> np.ndarray:
    """z of the data point that was reported."""
    page.get_by_text("row = None").wait_for(state="detached")
    settled(page)
    row = int(page.get_by_text("row = ").inner_text().split("=")[1].split(",")[0])
    d = len(numbers(page, "z"))
    return np.random.default_rng(0).normal(size=(40, d))[row]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mode-sliders", "rates-twin"])
def test_a_click_in_the_map_of_latents_moves_all_sliders_there(visit, name):
    page = visit(name)
    where = page.get_by_role("application", name="Map of the latents: z1 across, z2 up.")
    where.click(position=blue_spot(where))
    wanted = picked(page)
    np.testing.assert_allclose(numbers(page, "z"), wanted, atol=1e-3)
    for i, v in enumerate(wanted):
        assert float(page.get_by_role("slider", name=f"z{i + 1}", exact=True).input_value()) == pytest.approx(
            v, abs=1e-3
        )
    if name == "rates-twin":
        assert page.locator(".map .legend").inner_text().split() == ["odd", "even"]


def test_arrow_keys_go_from_point_to_point_and_enter_moves_the_sliders(visit):
    page = visit("bars-sliders")
    where = page.get_by_role("application", name="Map of the latents")
    where.focus()
    places = []
    for key in ("ArrowRight", "ArrowRight", "ArrowUp"):
        where.press(key)
        places.append(where.get_attribute("aria-description"))
    assert len(set(places)) == 3
    assert numbers(page, "z") == [0.0, 0.0, 0.0]
    where.press("Enter")
    wanted = picked(page)
    np.testing.assert_allclose(numbers(page, "z"), wanted, atol=1e-3)
    shown = [float(v.replace("\u2212", "-")) for v in places[-1].removeprefix("at ").split(", ")[:2]]
    np.testing.assert_allclose(shown, wanted[:2], atol=0.006)


@pytest.mark.slow
def test_a_click_on_a_data_point_in_the_plane_goes_to_where_it_is_encoded(visit):
    page = visit("plane-sliders")
    plane = page.get_by_role("img", name="Point in the plane")
    plane.click(position=blue_spot(plane))
    wanted = picked(page)
    np.testing.assert_allclose(numbers(page, "z"), wanted, atol=1e-3)


@pytest.mark.slow
def test_examples_of_a_sheet_are_clicked_chosen_by_keys_or_dropped_on_the_sliders(visit):
    page = visit("picks")
    at = np.random.default_rng(0).normal(size=(6, 3))
    given = page.get_by_role("application", name="held-out x, 1 to 6")
    width = given.bounding_box()["width"]
    given.click(position={"x": width * 2.5 / 6, "y": 10})
    page.get_by_text("picked = 0").wait_for()
    settled(page)
    np.testing.assert_allclose(numbers(page, "z"), at[2], atol=1e-3)
    samples = page.get_by_role("application", name="samples, 1 to 6")
    samples.focus()
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        samples.press(key)
    page.get_by_text("picked = 1").wait_for()
    settled(page)
    np.testing.assert_allclose(numbers(page, "z"), -at[1], atol=1e-3)
    given.drag_to(page.get_by_role("img", name="Picture decoded from"), source_position={"x": width * 4.5 / 6, "y": 10})
    settled(page)
    np.testing.assert_allclose(numbers(page, "z"), at[4], atol=1e-3)
    points = page.get_by_role("application", name="samples: 50 points in the plane")
    before = numbers(page, "w")
    points.focus()
    for key in ("ArrowRight", "ArrowLeft", "Enter"):
        points.press(key)
    settled(page)
    assert numbers(page, "w") != before
