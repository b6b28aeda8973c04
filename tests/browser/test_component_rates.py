"""Neurons in the explorer: the raster, the strips beside it, and tuning curves."""

import re

import pytest
from components_kit import drag, is_blank, pixels, settled

pytestmark = pytest.mark.browser


def chips(page) -> list[str]:
    return [chip.inner_text().strip() for chip in page.locator(".chips button").all()]


@pytest.mark.slow
def test_raster_and_tuning_curves_follow_the_pointer_without_notifying_python(visit):
    page = visit("rates-sliders")
    raster = page.get_by_role("application", name=re.compile("Raster of 60 neurons decoded from z1 = 0.00"))
    curves = page.get_by_role("img", name=re.compile("Tuning curves of neuron .* along z1"))
    assert len(chips(page)) == 4
    before = pixels(raster), pixels(curves)
    strip = page.locator(".film canvas").first
    assert not is_blank(strip)

    def places() -> list:
        box = page.get_by_role("slider", name="z1").bounding_box()
        y = box["y"] + box["height"] / 2
        return [(box["x"] + box["width"] * (0.5 + step / 40), y) for step in range(13)]

    sent, pauses, drawn = drag(page, places)
    assert sent <= pauses
    assert drawn >= (10 if pauses == 0 else 1)
    assert pixels(page.locator("canvas.raster")) != before[0]
    assert pixels(page.locator("canvas.tuning")) != before[1]
    page.mouse.up()
    page.get_by_text(re.compile(r"z = \[1\.[89]")).wait_for()
    page.get_by_role("slider", name="z2").press("ArrowRight")  # now along z2
    page.get_by_role("img", name=re.compile("Tuning curves of neuron .* along z2")).wait_for()


@pytest.mark.slow
def test_units_are_chosen_by_click_and_by_keys_and_say_their_rate(visit):
    page = visit("rates-sliders")
    raster = page.get_by_role("application", name=re.compile("Raster of 60"))
    first = chips(page)
    page.get_by_role("button", name=f"{first[0]}: remove its curve").click()
    assert chips(page) == first[1:]
    raster.focus()
    raster.press("Home")
    readout = page.get_by_text(re.compile(r"neuron \d+: [\d.]+ counts per bin at z, \d+ in this example"))
    readout.wait_for()
    unit = readout.inner_text().split(":")[0]
    had = unit in first[1:]
    raster.press("Enter")
    assert (unit in chips(page)) != had
    box = raster.bounding_box()
    raster.click(position={"x": box["width"] * 0.4, "y": box["height"] * 0.6})
    settled(page)
    assert len(chips(page)) in (3, 4)
    assert page.get_by_text("counts per bin at z").count() == 1
    curves = page.locator("canvas.tuning")
    before = pixels(curves)
    page.locator(".chips button").first.click()
    settled(page)
    assert pixels(curves) != before
