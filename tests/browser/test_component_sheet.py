"""Sheets of examples; sizes, themes and pixels."""

import pytest
from components_kit import is_blank, pixels, settled

pytestmark = pytest.mark.browser


@pytest.mark.slow
def test_sheets_show_pictures_scatters_and_bars_and_follow_size_and_theme(visit):
    page = visit("sheets")
    canvases = page.locator(".dv canvas").all()
    assert len(canvases) >= 4 + 2 + 2 + 1
    for canvas in canvases:
        assert canvas.get_attribute("aria-label")
        assert not is_blank(canvas)
    scatter = page.get_by_role("img", name="data: 400 points")
    light = pixels(scatter)
    page.emulate_media(color_scheme="dark")
    settled(page)
    assert pixels(scatter) != light
    width = scatter.evaluate("canvas => canvas.width")
    page.set_viewport_size({"width": 700, "height": 1400})
    settled(page)
    assert scatter.evaluate("canvas => canvas.width") != width
    assert not is_blank(scatter)


@pytest.mark.slow
def test_twice_the_pixels_on_a_screen_that_has_them(visit):
    page = visit("sheets", device_scale_factor=2)
    scatter = page.get_by_role("img", name="data: 400 points")
    assert scatter.evaluate("canvas => Math.abs(canvas.width - 2 * canvas.clientWidth) <= 1")
