"""Modes of the explorer: the pad, two examples, members, the twin, betas; of pictures, planes and bars."""

import json
import re

import numpy as np
import pytest
from components_kit import is_blank, pixels, settled

from tests.helpers import until

pytestmark = pytest.mark.browser


@pytest.mark.slow
def test_the_pad_moves_two_latents_and_a_click_on_a_point_goes_there_in_all(visit):
    page = visit("mode-pad")
    pad = page.get_by_role("application")
    assert pad.get_attribute("aria-label").startswith("Pad: z1 across, z2 up.")
    picture = page.get_by_role("img", name="Picture decoded from")
    before = pixels(picture)
    pad.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Shift+ArrowDown"):
        pad.press(key)
    page.get_by_text("z = [0.2, 0.09, 0.0]").wait_for()
    assert pixels(picture) != before
    assert pad.evaluate("pad => getComputedStyle(pad).outlineStyle") == "solid"
    page.get_by_label("Latent up").select_option("z3, dead")
    pad.focus()
    pad.press("ArrowDown")
    page.get_by_text("z = [0.2, 0.09, -0.1]").wait_for()
    pad.press("Enter")  # the nearest data point, in all latents
    page.get_by_text("row = None").wait_for(state="detached")
    settled(page)
    row = int(page.get_by_text("row = ").inner_text().split("=")[1].split(",")[0])
    wanted = np.random.default_rng(0).normal(size=(40, 3))[row]
    found = json.loads(page.get_by_text("z = [").inner_text().split("=")[1])
    np.testing.assert_allclose(found, wanted, atol=1e-3)


@pytest.mark.slow
def test_a_drag_in_the_pad_is_not_a_click_on_a_point(visit):
    page = visit("mode-pad")
    box = page.get_by_role("application").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    for step in range(10):
        page.mouse.move(box["x"] + box["width"] * (0.5 + step / 40), box["y"] + box["height"] * 0.4)
    page.mouse.up()
    page.get_by_text("z = [0.0, 0.0, 0.0]").wait_for(state="detached")
    page.get_by_text("row = None").wait_for()


@pytest.mark.slow
def test_between_two_examples_one_slider_walks_the_line_and_the_way_survives_the_page(visit):
    page = visit("mode-between")
    way = page.get_by_role("slider", name="From A to B")
    change = page.get_by_role("img", name="Difference, decoded here minus decoded at A")
    assert is_blank(change)
    way.fill("0.5")
    page.get_by_text("z = [0.5, 0.5, 0.0]").wait_for()
    assert not is_blank(change)
    for name in ("Example A", "Example B"):
        assert not is_blank(page.get_by_role("img", name=name))
    toggle = page.locator("label").filter(has_text="Show")
    toggle.click()
    way.wait_for(state="detached")
    toggle.click()
    way.wait_for()
    assert way.input_value() == "0.5"
    page.get_by_text("z = [0.5, 0.5, 0.0]").wait_for()


@pytest.mark.slow
def test_one_set_of_sliders_moves_all_members_and_each_is_itself(visit):
    page = visit("mode-members")
    members = [page.get_by_role("img", name=f"seed {m}: Picture decoded from") for m in (0, 1)]
    before = [pixels(member) for member in members]
    assert before[0] != before[1]
    page.get_by_role("slider", name="z2").fill("2")
    page.get_by_text("z = [0.0, 2.0, 0.0]").wait_for()
    settled(page)
    after = [pixels(member) for member in members]
    assert after[0] != before[0]
    assert after[1] != before[1]
    page.get_by_text("z2 moves from left to right in every member").wait_for()


@pytest.mark.slow
def test_the_twin_at_0_degrees_is_the_original_and_turns_away_from_it(visit):
    page = visit("mode-twin")
    one = page.get_by_role("img", name="Original: Picture decoded from")
    twin = page.get_by_role("img", name="Rotated twin: Picture decoded from")
    page.get_by_role("slider", name="z1", exact=True).fill("1.5")
    settled(page)
    assert pixels(one) != pixels(twin)
    original, angle = pixels(one), page.get_by_role("slider", name="Angle, z1 and z2")
    angle.fill("0")
    settled(page)
    assert pixels(one) == pixels(twin) == original
    angle.press("ArrowRight")
    assert angle.get_attribute("aria-valuetext") == "1°"
    page.get_by_text("'angle': 1").wait_for()


@pytest.mark.slow
def test_the_slider_over_betas_goes_up_in_beta_and_says_what_it_costs(visit):
    page = visit("mode-betas")
    beta = page.get_by_role("slider", name="β", exact=True)
    assert beta.get_attribute("aria-valuetext") == "1"
    page.get_by_text("35.5 nats").wait_for()
    first = pixels(page.get_by_role("img", name="Picture decoded from"))
    beta.press("End")
    assert beta.get_attribute("aria-valuetext") == "4"
    page.get_by_text("30.3 nats").or_(page.get_by_text("30.2 nats")).wait_for()
    page.get_by_text("2 of 3").wait_for()
    settled(page)
    assert pixels(page.get_by_role("img", name="Picture decoded from")) != first
    for canvas in page.locator(".film canvas").all():
        assert not is_blank(canvas)


@pytest.mark.slow
def test_what_a_beta_costs_stays_on_the_page_when_the_example_changes(visit):
    page = visit("mode-betas")
    page.get_by_text("z = [1.0, 0.0, 0.0]").or_(page.get_by_text("z = [0.0, 0.0, 0.0]")).wait_for()
    before = pixels(page.get_by_role("img", name="Picture decoded from"))
    page.locator("label").filter(has_text="Other example").click()
    until(lambda: pixels(page.get_by_role("img", name="Picture decoded from")) != before)
    settled(page)
    page.get_by_text("35.5 nats").wait_for()
    page.get_by_text("2 of 3").wait_for()


@pytest.mark.parametrize(
    "mode",
    [
        "pad",
        *(pytest.param(m, marks=pytest.mark.slow) for m in ("sliders", "between", "members", "twin", "betas")),
    ],
)
def test_everything_has_a_name_and_shows_its_focus(visit, mode):
    page = visit(f"mode-{mode}")
    for canvas in page.locator(".dv canvas").all():
        assert canvas.get_attribute("aria-label")
        assert canvas.get_attribute("role") in ("img", "application")
    for control in page.locator(".dv input, .dv button, .dv [tabindex='0'], .dv select").all():
        named = control.evaluate("c => c.ariaLabel || c.textContent || c.labels?.[0]?.textContent || ''")
        assert named.strip()
        control.focus()
        page.keyboard.press("Shift")  # focus-visible follows the keyboard
        assert control.evaluate("c => getComputedStyle(c).outlineStyle") == "solid"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plane", "bars", "rates"])
def test_between_and_betas_work_on_data_that_are_not_pictures(visit, kind):
    named = {"plane": "Point in the plane", "bars": "Bars", "rates": "Raster of 60 neurons"}[kind]
    page = visit(f"{kind}-between")
    name = re.compile(f"^{named}.*decoded from")
    canvas, role = page.locator("canvas.main, canvas.raster").first, "application" if kind == "rates" else "img"
    way = page.get_by_role("slider", name="From A to B")
    at_a = pixels(canvas)
    way.fill("1")
    page.get_by_text("z = [2.0, 1.0" if kind == "plane" else "z = [2.0, 1.0, 0.0]").wait_for()
    assert page.get_by_role(role, name=name).get_attribute("aria-label").count("z1 = 2.00")
    settled(page)
    at_b = pixels(canvas)
    assert at_b != at_a
    way.press("Home")
    page.get_by_text("z = [-1.0, 0.0").wait_for()
    assert pixels(canvas) != at_b
    if kind != "plane":  # in a plane the large picture shows the line itself
        assert not is_blank(page.locator(".film canvas").first)

    page = visit(f"{kind}-betas")
    beta = page.get_by_role("slider", name="\u03b2", exact=True)
    page.get_by_text("35.5 nats").wait_for()
    canvas = page.locator("canvas.main, canvas.raster").first
    strips = page.locator(".film canvas")
    first = [pixels(canvas), pixels(strips.first)]
    beta.press("End")
    assert beta.get_attribute("aria-valuetext") == "4"
    settled(page)
    assert pixels(canvas) != first[0]
    assert pixels(strips.first) != first[1]
    assert not any(is_blank(strip) for strip in strips.all())
