"""The whole talk in a real browser, on a cold server, by keyboard, in projector size: every slide fits, none fails."""

import pytest

from pages.ui.talk.slides import NAMES, SLIDES

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]
# The lowest edge of what a slide shows, in the page's pixels.
BOTTOM = """() => Math.max(...[...document.querySelectorAll(
  '[data-testid=stMainBlockContainer] [data-testid=stElementContainer]')].map(e => e.getBoundingClientRect().bottom))"""


def shown(visitor, slide):
    """Wait until the slide asks or shows; answer, and wait for the picture."""
    page = visitor.page
    if slide.question:
        page.get_by_text(slide.question).wait_for()
        page.get_by_role("button", name=slide.options[-1], exact=True).click()
    page.get_by_role("heading", name=slide.title).wait_for()
    visitor.drawn()


def test_the_whole_talk_by_keyboard_at_projector_size(new_server, visitor, monkeypatch):
    monkeypatch.setenv("STREAMLIT_THEME_BASE_FONT_SIZE", "22")
    page = visitor.page
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{new_server()}/talk")
    too_low = {}
    for number, slide in enumerate(SLIDES, 1):
        page.get_by_role("button", name=f"{number} / {len(SLIDES)}").wait_for(timeout=60_000)
        shown(visitor, slide)
        visitor.shot(f"talk-{number:02}-{slide.name}")
        if (bottom := page.evaluate(BOTTOM)) > 720:
            too_low[slide.name] = bottom
        page.keyboard.press("ArrowRight")
    assert not too_low, "these slides need scrolling"


def test_arrow_keys_on_a_latents_slider_move_the_slider_not_the_talk(server, visitor):
    page = visitor.page
    visitor.open(f"{server}/talk?stop={NAMES[0]}", SLIDES[0].title)
    slider = page.get_by_role("slider").first
    slider.focus()
    before = slider.input_value()
    slider.press("ArrowRight")
    slider.press("ArrowRight")
    page.wait_for_timeout(800)
    assert slider.input_value() != before
    page.get_by_role("button", name=f"1 / {len(SLIDES)}").wait_for()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_slide_opens_cold_in_both_themes_and_at_1080p(scheme, server, visitor):
    visitor.page.emulate_media(color_scheme=scheme)
    visitor.page.set_viewport_size({"width": 1920, "height": 1080})
    for slide in SLIDES:
        visitor.page.goto(f"{server}/talk?stop={slide.name}")
        shown(visitor, slide)
        visitor.shot(f"talk-{scheme}-{slide.name}")
        assert visitor.page.evaluate(BOTTOM) <= 1080
