"""The hand-out in a browser: no request, no complaint; on a phone, by touch and key, in dark and on paper."""

import shutil

import pytest
from components_kit import is_blank, pixels, swipe

from dvae_core import runs
from dvae_core.live.handout import run_handout
from tests.helpers import until

pytestmark = pytest.mark.browser
HOSTILE = '</script><img src=x onerror="document.title=1"><b>bold</b>'


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A hand-out with examples, of a run whose names are HTML."""
    folder = tmp_path_factory.mktemp("handout")
    shutil.copytree(runs.find("digits-beta-vae").path, folder / "run")
    run = runs.Run(folder / "run")
    run.write_json("about.json", {**run.about, "title": HOSTILE, "u_labels": [HOSTILE, *"123456789"]})
    run_handout(run, with_examples=True).write(folder / "file.html")
    return (folder / "file.html").as_uri()


@pytest.fixture
def opened(chromium, file):
    """Open the file; afterwards nothing may have been asked for, and no complaint may be in the console."""
    contexts, complaints, requests = [], [], []

    def go(**context):
        contexts.append(chromium.new_context(**context))
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: requests.append(r.url) if not r.url.startswith(("data:", "blob:")) else None)
        page.goto(file)
        page.get_by_role("slider", name="z1", exact=True).first.wait_for()
        return page

    yield go
    for context in contexts:  # first, since a page that stays open goes on working
        context.close()
    assert complaints == []
    assert set(requests) == {file}  # a request for anything else would also be stopped by the file's own policy


def read_through(page) -> None:
    """Scroll to the end, so that everything is mounted."""
    page.evaluate("""async () => {
        for (let y = 0; y < document.documentElement.scrollHeight; y += 300) {
            scrollTo(0, y);
            await new Promise(requestAnimationFrame);
        }
    }""")
    page.wait_for_function("document.querySelectorAll('.part').length && ![...document.querySelectorAll('.part')]"
                           ".some(part => !part.childElementCount)")  # fmt: skip


@pytest.mark.slow
def test_sliders_modes_and_dial_work_by_key_from_a_file(opened):
    page = opened(viewport={"width": 1280, "height": 720})
    picture = page.get_by_role("img", name="Picture decoded from").first
    before = pixels(picture)
    page.get_by_role("slider", name="z1", exact=True).first.press("End")
    until(lambda: pixels(picture) != before, 10)
    for mode, seen in (("Pad", "Across"), ("Between two examples", "A"), ("All β", "β"), ("Sliders", "z1")):
        page.get_by_role("radio", name=mode, exact=True).check()
        page.get_by_text(seen).first.wait_for()
    dial = page.get_by_role("slider", name="Angle").first
    dial.scroll_into_view_if_needed()
    dial.press("End")
    page.get_by_text("90°").first.wait_for()
    read_through(page)
    assert page.title() == HOSTILE
    assert page.locator("main img").count() == 0
    assert page.get_by_text("bold", exact=True).count() == 0
    assert page.get_by_text("<b>bold</b>").count() > 0


@pytest.mark.slow
def test_on_a_phone_nothing_scrolls_sideways_and_a_finger_moves_a_latent(opened):
    page = opened(viewport={"width": 360, "height": 780}, has_touch=True, is_mobile=True)
    read_through(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    slider = page.get_by_role("slider", name="z1", exact=True).first
    slider.scroll_into_view_if_needed()
    before = float(slider.input_value())
    box = slider.bounding_box()
    y = box["y"] + box["height"] / 2
    swipe(page, [(box["x"] + box["width"] * share, y) for share in (0.5, 0.6, 0.7, 0.8)])
    assert float(slider.input_value()) > before


def test_it_follows_a_dark_page_and_prints_in_light(opened):
    page = opened(viewport={"width": 1280, "height": 720}, color_scheme="dark")
    map_of_latents = page.locator(".map canvas").first
    dark = pixels(map_of_latents)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 17, 23)"
    page.emulate_media(color_scheme="light")
    page.wait_for_function("getComputedStyle(document.body).backgroundColor === 'rgb(255, 255, 255)'")
    until(lambda: pixels(map_of_latents) != dark, 10)
    page.emulate_media(color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(color_scheme="dark", media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not any(is_blank(canvas) for canvas in page.locator(".part canvas:visible").all()[:6])
    assert page.pdf().startswith(b"%PDF")
