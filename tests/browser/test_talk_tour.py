"""The whole talk in a real browser, on a cold server, by keyboard, in projector size: every slide fits, none fails."""

import pytest
from playwright.sync_api import expect

from pages.ui.talk.slides import NAMES, SLIDES

pytestmark = pytest.mark.browser
# The lowest edge of what a slide shows, in pixels from the top of the page, which may be scrolled.
BOTTOM = """() => document.querySelector('[data-testid=stMain]').scrollTop + Math.max(...[...document.querySelectorAll(
  '[data-testid=stMainBlockContainer] [data-testid=stElementContainer]')].map(e => e.getBoundingClientRect().bottom))"""


def shown(visitor, slide):
    """Wait until the slide asks or shows; answer, and wait for the picture."""
    page = visitor.page
    if slide.question:
        page.get_by_text(slide.question).wait_for()
        page.get_by_role("button", name=f"{len(slide.options)} · {slide.options[-1]}", exact=True).click()
    page.get_by_role("heading", name=slide.title).wait_for()
    visitor.drawn()
    if slide.votes:  # beside the picture
        page.keyboard.press(str(len(slide.votes)))
        page.get_by_text(f"Your answer: “{slide.votes[-1]}”.").wait_for()
        visitor.drawn()


@pytest.mark.slow
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
    assert not too_low, f"these slides need scrolling: {too_low}"


def listening(visitor, url, text):
    """Open a slide and wait until the talk listens to keys."""
    visitor.open(url, text)
    visitor.page.locator("html[data-lectern]").wait_for(state="attached")


@pytest.mark.slow
def test_the_next_key_shows_first_and_moves_second_and_digits_answer(server, visitor):
    page = visitor.page
    k, slide = next((k, s) for k, s in enumerate(SLIDES) if s.question)
    listening(visitor, f"{server}/talk?stop={slide.name}", slide.question)
    page.keyboard.press("PageDown")
    page.get_by_text(f"Answer: {slide.right}.").wait_for()
    page.keyboard.press("Space")
    page.get_by_role("heading", name=SLIDES[k + 1].title).wait_for()
    asks = next(i for i in range(k + 1, len(SLIDES)) if SLIDES[i].question)
    listening(visitor, f"{server}/talk?stop={NAMES[asks]}", SLIDES[asks].question)
    page.keyboard.press("2")
    page.get_by_text(f"Your answer: “{SLIDES[asks].options[1]}”.").wait_for()
    page.keyboard.press("PageUp")
    page.get_by_role("button", name=f"{asks} / {len(SLIDES)}").wait_for()


@pytest.mark.slow
def test_after_a_drag_the_arrow_moves_the_talk_and_two_windows_stay_in_step(server, visitor):
    page = visitor.page
    slide = SLIDES[NAMES.index("generate")]
    listening(visitor, f"{server}/talk?stop={slide.name}", slide.title)
    notes = page.context.new_page()
    notes.goto(f"{server}/talk?stop={slide.name}&talk_view=presenter")
    notes.get_by_text(slide.notes).wait_for(timeout=60_000)
    notes.locator("html[data-lectern]").wait_for(state="attached")
    page.bring_to_front()  # a window behind another one is not drawn
    slider = page.get_by_role("slider").first
    box = slider.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    before = slider.input_value()
    page.keyboard.press("ArrowRight")
    following = SLIDES[NAMES.index("generate") + 1]
    page.get_by_role("heading", name=following.title).wait_for()
    assert float(before) > 0
    notes.get_by_role("heading", name=following.title).wait_for()


@pytest.mark.slow
def test_arrow_keys_on_a_latents_slider_move_the_slider_not_the_talk(server, visitor):
    page = visitor.page
    k = NAMES.index("generate")
    visitor.open(f"{server}/talk?stop=generate", SLIDES[k].title)
    slider = page.get_by_role("slider").first
    slider.focus()
    before = slider.input_value()
    slider.press("ArrowRight")
    slider.press("ArrowRight")
    expect(slider).not_to_have_value(before)
    page.wait_for_timeout(800)  # the talk would have moved by now
    page.get_by_role("button", name=f"{k + 1} / {len(SLIDES)}").wait_for()


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
