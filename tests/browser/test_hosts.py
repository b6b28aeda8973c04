"""The same explorer in the app and in a file behaves the same: drag, keys, dead latents, modes, two on a page.

test_notebooks.py asks the same of the notebooks, which the default tests do not install.
"""

import pytest
from components_kit import frames, pixels

from dvae_core import runs
from dvae_core.analysis.latents import latent_table
from dvae_core.live.handout import run_handout
from tests.helpers import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]
RUN, MEMBER = "digits-beta-vae", 3  # the largest beta: some latents are dead


@pytest.fixture(params=["app", "file"])
def page(request, chromium, tmp_path):
    """The run in one of the hosts, with its explorer drawn; afterwards nothing may have been complained of."""
    if request.param == "file":
        run_handout(runs.find(RUN), MEMBER).write(tmp_path / "file.html")
        address = (tmp_path / "file.html").as_uri()
    else:
        address = f"{request.getfixturevalue('server')}/traverse?run={RUN}&member={MEMBER}"
    context = chromium.new_context(viewport={"width": 1280, "height": 1000})
    page, errors = context.new_page(), []
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    page.locator(".explorer[data-frames]").wait_for()
    yield page
    context.close()
    assert errors == []


def test_an_explorer_behaves_the_same_in_every_host(page):
    picture = page.get_by_role("img", name="Picture decoded from").first
    table = latent_table(runs.find(RUN), MEMBER)
    slider = page.get_by_role("slider", name=table[0]["label"], exact=True).first
    # dead latents are marked, and only those
    assert page.locator(".controls .row.dead").count() == sum(latent["dead"] for latent in table) > 0
    # keys
    before = pixels(picture)
    slider.press("End")
    until(lambda: pixels(picture) != before, 20)
    # the browser keeps 15 digits of what it is given
    assert float(slider.input_value()) == pytest.approx(float(slider.get_attribute("max")), rel=1e-9)
    # drag: the picture follows while the mouse is down
    box, drawn, before = slider.bounding_box(), frames(page), pixels(picture)
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.9, y)
    page.mouse.down()
    for step in range(10):
        page.mouse.move(box["x"] + box["width"] * (0.9 - 0.08 * step), y)
        page.wait_for_timeout(16)
    until(lambda: frames(page) > drawn + 2 and pixels(picture) != before, 20)
    page.mouse.up()
    # modes, with the sliders where they were
    page.get_by_text("Rotated twin", exact=True).first.click(force=True)  # the radio lies over its text
    page.get_by_role("slider", name="Angle,").wait_for()
    page.get_by_text("Pad", exact=True).first.click(force=True)  # the radio lies over its text
    page.locator(".pad canvas").wait_for()
    page.get_by_text("Sliders", exact=True).first.click(force=True)  # the radio lies over its text
    slider.wait_for()
    # another part on the page does not follow
    other = page.locator(".rotor, .sheet").first.locator("canvas").first
    other.scroll_into_view_if_needed()
    before = pixels(other)
    slider.press("Home")
    assert pixels(other) == before
