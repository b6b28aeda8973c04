"""The playground in Chromium: it moves by itself, stops, follows keys, keeps its link, and says what it sees."""

import re

import pytest
from components_kit import pixels
from playwright.sync_api import expect

from dvae_core.live.handout import playground_handout
from dvae_core.training.from_browser import import_run
from tests.helpers import until

pytestmark = pytest.mark.browser
PATIENCE_S = 60  # a busy machine takes a second for what takes 50 ms; nothing here is about speed


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("playground") / "play.html"
    playground_handout().write(path)
    return path.as_uri()


@pytest.fixture
def opened(chromium, file):
    """Open the hand-out; afterwards nothing may have been asked for, and no complaint may be in the console."""
    contexts, complaints, requests = [], [], []

    def go(link="", **context):
        contexts.append(chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **context}))
        page = contexts[-1].new_page()
        page.set_default_timeout(90_000)
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: requests.append(r.url) if not r.url.startswith(("data:", "blob:")) else None)
        page.goto(f"{file}#{link}" if link else file)
        page.locator(".playground .seed canvas").first.wait_for()
        return page

    yield go
    for context in contexts:  # first, since a page that stays open goes on working
        context.close()
    assert complaints == []
    assert {url.split("#")[0] for url in requests} == {file}


def step(page) -> int:
    return int(page.locator(".playground").get_attribute("data-step"))


def pause(page) -> None:
    """Pause, and wait until no step comes any more: one may be on its way."""
    page.get_by_role("button", name="Pause", exact=True).click()
    still_at(page)


def still_at(page) -> int:
    """Return the step, once it has not changed for a second."""
    last = -1
    while step(page) != last:
        last = step(page)
        page.wait_for_timeout(1000)
    return last


def link(page) -> str:
    return page.evaluate("location.hash").removeprefix("#")


@pytest.mark.slow
def test_all_seeds_learn_by_themselves_in_a_file_and_pause_stops_them(opened):
    page = opened()
    panels = page.locator(".seed canvas").all()
    assert len(panels) == 8
    until(lambda: step(page) > 0, PATIENCE_S)
    before, at = [pixels(panel) for panel in panels], step(page)
    until(lambda: step(page) > at and all(pixels(p) != b for p, b in zip(panels, before, strict=True)), PATIENCE_S)
    pause(page)
    at, before = still_at(page), [pixels(panel) for panel in panels]
    page.get_by_role("button", name="Step", exact=True).click()
    until(lambda: step(page) == at + 1, PATIENCE_S)
    assert still_at(page) == at + 1
    page.get_by_role("button", name="Reset", exact=True).click()
    until(lambda: step(page) == 0, PATIENCE_S)
    assert still_at(page) == 0


@pytest.mark.slow
def test_the_link_stores_the_settings_and_restores_them(opened):
    page = opened()
    page.get_by_role("button", name="u that moves nothing").click()
    expect(page.get_by_role("button", name="u that moves nothing")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("slider", name="β").press("ArrowRight")
    page.get_by_role("radio", name="diagonal", exact=True).check()
    page.get_by_role("slider", name="Folds of f").press("End")
    until(lambda: "folds~2" in link(page) and "posterior~diagonal" in link(page), PATIENCE_S)
    again = opened(link(page))
    for name, value in (("β", "1.25"), ("Folds of f", "2"), ("Strength", "0")):
        assert again.get_by_role("slider", name=name, exact=True).input_value() == value
    for name in ("x and u", "diagonal", "with u"):
        assert again.get_by_role("radio", name=name, exact=True).is_checked()
    assert link(again) == link(page)


def test_a_link_that_it_does_not_understand_is_named_in_a_sentence(opened):
    page = opened("beta~900_prior~u")
    page.get_by_text("The link says beta~900, which the playground does not know").wait_for()
    assert page.get_by_role("radio", name="x and u", exact=True).is_checked()


@pytest.mark.slow
def test_keys_play_and_move_and_a_cloud_is_drawn_by_hand(opened):
    page = opened()
    until(lambda: step(page) > 0, PATIENCE_S)
    page.keyboard.press("Space")
    page.get_by_role("button", name="Play", exact=True).wait_for()
    still_at(page)
    page.get_by_role("slider", name="Strength").press("ArrowLeft")
    until(lambda: "strength~0.9" in link(page), PATIENCE_S)
    page.get_by_role("radio", name="drawn", exact=True).check()
    page.get_by_text("Drag over the factors").wait_for()
    until(lambda: "clouds~" in link(page), PATIENCE_S)
    canvas, before = page.locator("canvas.factors"), link(page)
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.8 * box["height"])
    page.mouse.down()
    for share in (0.3, 0.4, 0.5, 0.6):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.8 * box["height"])
    page.mouse.up()
    until(lambda: len(link(page)) >= len(before) + 8, PATIENCE_S)  # two letters a point
    before = link(page)
    canvas.press("ArrowRight")
    canvas.press("Enter")
    until(lambda: len(link(page)) == len(before) + 2, PATIENCE_S)
    page.get_by_role("button", name="Play", exact=True).click()
    until(lambda: step(page) > 0, PATIENCE_S)


@pytest.mark.slow
def test_the_truth_is_hidden_until_a_guess_is_made(opened):
    page = opened()
    until(lambda: step(page) > 0, PATIENCE_S)
    pause(page)
    assert page.get_by_text("you guessed").count() == 0
    page.get_by_role("slider", name="Your guess").press("Home")
    page.get_by_role("button", name="Reveal the truth").click()
    truth = page.locator(".truth")
    expect(truth).to_have_text(re.compile(r"MCC 0\.\d\d \(0\.\d\d to 0\.\d\d\); you guessed 0\.00\."))
    page.get_by_role("button", name="Reset", exact=True).click()
    page.get_by_role("button", name="Reveal the truth").wait_for()


@pytest.mark.slow
def test_on_a_phone_nothing_scrolls_sideways(opened):
    page = opened(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    until(lambda: step(page) > 0, PATIENCE_S)
    assert page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.slow
def test_the_page_keeps_its_link_fits_the_window_and_comes_back(server, visitor):
    visitor.page.set_viewport_size({"width": 1280, "height": 720})
    visitor.open(f"{server}/playground?play=prior~u", "Do eight seeds find the same latents?")
    page = visitor.page
    page.locator(".playground .seed canvas").first.wait_for()
    assert page.get_by_role("radio", name="x and u", exact=True).is_checked()
    until(lambda: step(page) > 0, PATIENCE_S)
    bottom = max(box["y"] + box["height"] for box in (each.bounding_box() for each in page.locator(".seed").all()))
    assert bottom < 720
    assert page.locator(".verdict").bounding_box()["y"] < 720
    page.get_by_role("button", name="Watch it move").click()
    page.wait_for_url("**play=kind~time_prior~time*")
    expect(page.locator(".playground")).to_have_attribute("data-step", re.compile("[1-9]"), timeout=60_000)
    page.reload()
    page.locator(".playground .seed canvas").first.wait_for()
    expect(page.get_by_role("radio", name="x in time", exact=True)).to_be_checked()
    visitor.settle()


@pytest.mark.slow
def test_what_is_saved_becomes_a_run_of_eight_seeds(opened, tmp_path):
    page = opened()
    until(lambda: step(page) > 0, PATIENCE_S)
    pause(page)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save", exact=True).click()
    path = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(path)
    run = import_run(path, tmp_path / "run", title="from the page")
    assert (run.config.members, run.config.model.latents) == (8, 2)


@pytest.mark.slow
def test_a_preset_comes_to_its_sentence(opened):
    """The whole way, once; test_playground_says.py has the sentences of the others without a browser."""
    page = opened()
    page.get_by_role("button", name="u comes to the rescue").click()
    # said from a quarter of the training on, and from then on until its end
    expect(page.locator(".verdict")).to_have_text(
        re.compile("^The seeds agree up to order, sign and scale: u has determined the axes"), timeout=500_000
    )
