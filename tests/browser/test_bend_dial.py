"""What bends the curve, in a real browser: the angle needs no server, and a strength of 0 puts every claim out."""

import pytest
from playwright.sync_api import expect

from pages.ui import bend_views

pytestmark = pytest.mark.browser
IDEAS = ["N(0, I), as in chapter 2", "Time: pairs of rows", "u seen", "u hidden: a mixture", "Straight world"]
HEADLINE = "What bends the curve?"


def idea(page, name):
    return page.get_by_role("region", name=name, exact=True)


@pytest.mark.slow
def test_the_dial_moves_all_numbers_and_the_network_is_not_needed(server, visitor):
    page = visitor.page
    visitor.open(f"{server}/bend?dials=30,0.95,0.6,1,1,5,0,1", HEADLINE)
    dial = page.get_by_role("slider", name="Angle of the axes")
    expect(idea(page, "Time: pairs of rows").locator(".nats")).to_have_text("0.386")
    page.context.set_offline(True)  # what follows the pointer is computed in the browser
    dial.fill("45")
    expect(idea(page, "Time: pairs of rows").locator(".nats")).to_have_text("0.469")
    expect(idea(page, "u seen").locator(".nats")).to_have_text("0.056")
    expect(idea(page, "N(0, I), as in chapter 2").locator(".nats")).to_have_text("0.000")
    memory = page.get_by_role("slider", name="memory a₂, Time: pairs of rows")
    memory.fill("0.95")
    expect(idea(page, "Time: pairs of rows").locator(".light")).to_have_text("flat")
    page.context.set_offline(False)


@pytest.mark.slow
def test_every_light_claim_and_sentence_goes_out_where_nothing_is_assumed(server, visitor):
    page = visitor.page
    visitor.open(f"{server}/bend?dials=30,0.95,0.6,1,1,5,0,1", HEADLINE)
    expect(page.locator(".dv .verdict")).to_contain_text("What bends the curve: Time: pairs of rows; u seen; Straight")
    expect(page.locator(".dv .says:visible")).to_have_count(4)
    page.goto(f"{server}/bend?dials=30,0,0,0,0,5,0,0")
    for name in IDEAS:
        expect(idea(page, name).locator(".light")).to_have_text("flat")
    expect(page.locator(".dv .verdict")).to_be_empty()
    expect(page.locator(".dv .says:visible")).to_have_count(0)
    text = page.locator('[data-testid="stMain"]').inner_text()
    assert not [claim for claim in bend_views.SAYS.values() if claim in text]


@pytest.mark.slow
def test_the_values_of_the_dials_are_in_the_link(server, visitor):
    page = visitor.page
    visitor.open(f"{server}/bend", HEADLINE)
    page.get_by_role("slider", name="strength of u, u seen").fill("0")
    expect(idea(page, "u seen").locator(".light")).to_have_text("flat")
    page.wait_for_url(lambda url: "dials=" in url and url.split("dials=")[1].split("&")[0].split("%2C")[3] == "0")
