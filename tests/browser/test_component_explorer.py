"""The explorer: what moves, what is sent, what keys and fingers do, the message when nothing can be drawn."""

import numpy as np
import pytest
from components_kit import drag, pixels, release, runs_of, settled, swipe

from tests.helpers import until

pytestmark = pytest.mark.browser


def test_dragging_a_slider_decodes_without_notifying_python_until_release(visit):
    page = visit("explore")
    picture = page.get_by_role("img", name="Picture decoded from").first
    before = pixels(picture)

    def places() -> list:
        box = page.get_by_role("slider", name="z1").first.bounding_box()
        y = box["y"] + box["height"] / 2
        return [(box["x"] + box["width"] * (0.5 + step / 40), y) for step in range(13)]

    sent, pauses, drawn = drag(page, places)
    assert sent <= pauses
    assert drawn >= (10 if pauses == 0 else 1)
    assert pixels(picture) != before
    release(page)
    page.get_by_text("one = [1.8").or_(page.get_by_text("one = [1.9")).wait_for()  # 0.8 of -3..3, and the thumb's width
    assert len(page.sent) <= 1 + pauses  # none where an earlier drag has sent the same place


def test_the_keyboard_moves_a_slider_and_two_mounts_are_independent(visit):
    page = visit("explore")
    one, two = page.get_by_role("slider", name="z2").first, page.get_by_role("slider", name="z2").nth(1)
    plane = page.get_by_role("img", name="Point in the plane")
    before = pixels(plane)
    one.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "ArrowLeft", "Shift+ArrowRight"):
        one.press(key)
    page.get_by_text("one = [0.0, 0.21, 0.0]").wait_for()
    assert pixels(plane) == before
    assert float(two.input_value()) == 0
    one.press("End")
    page.get_by_text("one = [0.0, 3.0, 0.0]").wait_for()
    two.focus()
    two.press("Home")
    page.get_by_text("two = [0.0, -3.0]").wait_for()
    assert pixels(plane) != before
    assert float(one.input_value()) == 3
    outline = one.evaluate("input => { input.focus(); return getComputedStyle(input).outlineStyle; }")
    assert outline == "solid"
    assert runs_of(page) == 1  # only the fragment ran


def test_python_moves_the_sliders_and_reset_brings_them_back_however_often(visit):
    page = visit("explore")
    z1 = page.get_by_role("slider", name="z1").first
    for _ in range(2):  # the second time, what Reset sends is what it sent before: Python must still hear it
        page.get_by_role("button", name="Preset").click()
        page.get_by_text("one = [1.25, -0.5, 0.0]").wait_for()
        assert float(z1.input_value()) == 1.25
        page.get_by_role("button", name="Reset", exact=True).first.click()
        page.get_by_text("one = [0.0, 0.0, 0.0]").wait_for()
        assert float(z1.input_value()) == 0


@pytest.mark.slow
def test_a_member_is_another_picture_of_the_same_latents(visit):
    page = visit("explore")
    page.get_by_role("slider", name="z1").first.fill("1.5")
    page.get_by_text("one = [1.5, 0.0, 0.0]").wait_for()
    picture = page.get_by_role("img", name="Picture decoded from").first
    before = pixels(picture)
    page.locator("label").filter(has_text="second").click()
    page.get_by_text("script runs: 2").wait_for()
    settled(page)
    assert pixels(picture) != before
    assert float(page.get_by_role("slider", name="z1").first.input_value()) == 1.5


@pytest.mark.slow
def test_a_page_that_passes_the_value_back_as_the_start_never_pulls_the_slider_back(visit):
    page = visit("echo")
    z1 = page.get_by_role("slider", name="z1")
    assert float(z1.input_value()) == 0.5
    for value in ("1.0", "1.5", "-2.0"):
        z1.fill(value)
        settled(page)
        assert float(z1.input_value()) == float(value)
        page.get_by_text(f"z = [{value}, 0.0, 0.0]", exact=False).wait_for()


@pytest.mark.slow
def test_dead_latents_are_called_dead_and_labels_are_text(visit):
    page = visit("sheets")
    page.get_by_text("dead, KL 0.00 nats").wait_for()
    assert page.locator(".dv i:text('e')").count() == 0  # x_names with markup stay text (on the canvas)
    page = visit("rotate-pictures")
    page.get_by_text("<b>b</b>").wait_for()


@pytest.mark.slow
def test_autoplay_moves_without_messages_and_ends_for_good_at_the_first_key(visit):
    page = visit("play")
    picture = page.get_by_role("img", name="Picture decoded from")
    page.sent.clear()
    seen = set()
    until(lambda: seen.add(pixels(picture)) or len(seen) >= 6)
    assert page.sent == []
    z2 = page.get_by_role("slider", name="z2")
    z2.focus()
    z2.press("ArrowRight")
    settled(page)
    still = pixels(picture)
    page.wait_for_timeout(400)
    assert pixels(picture) == still
    assert (
        "z = [0.0, 0.0, 0.0]" not in page.get_by_text("z = [").inner_text()
    )  # Python knows where the sweep was stopped
    assert page.get_by_text("Moving by itself").is_hidden()


@pytest.mark.slow
def test_autoplay_keeps_still_where_reduced_motion_is_asked_for(visit):
    page = visit("play", reduced_motion="reduce")
    picture = page.get_by_role("img", name="Picture decoded from")
    before = pixels(picture)
    page.wait_for_timeout(500)
    assert pixels(picture) == before


@pytest.mark.slow
def test_another_decoder_leaves_nothing_of_the_last_and_a_broken_one_says_so(visit):
    page = visit("change")
    picture = page.get_by_role("img", name="Picture decoded from")
    first = pixels(picture)

    def choose(name: str) -> None:
        page.locator("label").filter(has_text=name).click()
        settled(page)

    choose("other")
    assert pixels(picture) != first
    choose("broken")
    page.get_by_text('This page does not know the decoder step "fourier".').wait_for()
    assert page.locator(".dv canvas").first.is_hidden()
    choose("missing")
    assert page.locator(".dv canvas").first.is_hidden()
    page.get_by_text("The decoder missing has not come to this page").wait_for(timeout=12_000)
    choose("picture")
    assert pixels(picture) == first


@pytest.mark.slow
def test_a_finger_moves_the_slider_the_pad_and_the_dial(visit):
    page = visit("mode-sliders", has_touch=True)
    box = page.get_by_role("slider", name="z1").bounding_box()
    y = box["y"] + box["height"] / 2
    swipe(page, [(box["x"] + box["width"] * (0.5 + k / 30), y) for k in range(10)])
    settled(page)
    assert float(page.get_by_role("slider", name="z1").input_value()) > 1
    page.get_by_text("z = [0.0, 0.0, 0.0]").wait_for(state="detached")
    page = visit("mode-pad", has_touch=True)
    box = page.get_by_role("application").bounding_box()
    swipe(page, [(box["x"] + box["width"] * (0.5 + k / 30), box["y"] + box["height"] * 0.5) for k in range(10)])
    page.get_by_text("z = [0.0, 0.0, 0.0]").wait_for(state="detached")
    page = visit("rotate", has_touch=True)
    box = page.locator(".dial").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    swipe(page, [(x + 70 * np.cos(a), y - 70 * np.sin(a)) for a in np.radians(range(0, 61, 6))])
    page.get_by_text("angle = 60.0").wait_for()


@pytest.mark.slow
def test_a_decoder_that_the_browser_does_not_know_is_drawn_by_the_server(visit):
    page = visit("fall", wait=".message")
    page.get_by_text('This page does not know the decoder step "fourier".').wait_for()
    image = page.locator("[data-testid=stImage] img")
    image.wait_for()
    first = image.get_attribute("src")
    slider = page.get_by_role("slider", name="z1")
    slider.focus()
    slider.press("End")
    page.get_by_text("z = [3.0, 0.0, 0.0]").wait_for()
    settled(page)
    assert image.get_attribute("src") != first
