"""What the same explorer does in every host."""

import pytest
from components_kit import pixels

from dvae_core import runs
from dvae_core.analysis.latents import latent_table
from tests.helpers import until

RUN, MEMBER = "digits-beta-vae", 3  # the largest beta: some latents are dead
# Every function takes the page, on which an explorer of RUN and another component stand.


def explorer(page):
    """The explorer of RUN: the one that decodes a picture."""
    return page.locator(".explorer").filter(has=page.get_by_role("img", name="Picture decoded from")).first


def picture(page):
    return explorer(page).get_by_role("img", name="Picture decoded from").first


def slider(page):
    return explorer(page).get_by_role("slider", name=latents()[0]["label"], exact=True).first


def latents():
    return latent_table(runs.find(RUN), MEMBER)


def dead_latents_are_marked_and_only_those(page):
    assert explorer(page).locator(".controls .row.dead").count() == sum(latent["dead"] for latent in latents()) > 0


def keys_move_a_slider_and_the_picture(page):
    before = pixels(picture(page))
    slider(page).press("End")
    until(lambda: pixels(picture(page)) != before)
    # the browser keeps 15 digits of what it is given
    assert float(slider(page).input_value()) == pytest.approx(float(slider(page).get_attribute("max")), rel=1e-9)


def the_picture_follows_a_drag_while_the_mouse_is_down(page):
    slider(page).scroll_into_view_if_needed()
    box, drawn, before = slider(page).bounding_box(), frames(page), pixels(picture(page))
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.9, y)
    page.mouse.down()
    for step in range(10):
        page.mouse.move(box["x"] + box["width"] * (0.9 - 0.08 * step), y)
        page.wait_for_timeout(16)
    until(lambda: frames(page) > drawn + 2 and pixels(picture(page)) != before)
    page.mouse.up()


def modes_change_and_the_sliders_come_back(page):
    twin, pad = page.get_by_role("slider", name="Angle,").first, page.locator(".pad canvas").first
    for mode, shows in (("Rotated twin", twin), ("Pad", pad), ("Sliders", slider(page))):
        chosen = page.get_by_text(mode, exact=True)
        if chosen.count():  # a notebook has a widget for each mode instead
            chosen.first.click(force=True)  # the radio lies over its text
        shows.wait_for()


def another_component_on_the_page_does_not_follow(page):
    other = page.locator(".rotor, .sheet").first.locator("canvas").first
    other.scroll_into_view_if_needed()
    before, drawn = pixels(other), frames(page)
    slider(page).press("Home")
    until(lambda: frames(page) > drawn)
    assert pixels(other) == before


def frames(page) -> int:
    return int(explorer(page).get_attribute("data-frames"))


BEHAVIOURS = (
    dead_latents_are_marked_and_only_those,
    keys_move_a_slider_and_the_picture,
    the_picture_follows_a_drag_while_the_mouse_is_down,
    modes_change_and_the_sliders_come_back,
    another_component_on_the_page_does_not_follow,
)


def behave(page) -> None:
    """Try every behaviour. They share a page, since a page takes longer to open than all of them take."""
    picture(page).wait_for()
    until(lambda: explorer(page).get_attribute("data-frames"))
    for behaviour in BEHAVIOURS:
        behaviour(page)
