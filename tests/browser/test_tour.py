"""A tour over all pages in a real browser, from a cold server: no exception, no console error, nothing from outside."""

import pytest

from dvae_core import runs
from tests.headlines import HEADLINES

pytestmark = pytest.mark.browser

SHIPPED = [run.id for run in runs.examples()]


def some(values: list[str], *by_default: str) -> list:
    """Try a few of the values by default and all of them under `make slow`."""
    return [v if v in by_default else pytest.param(v, marks=pytest.mark.slow) for v in values]


def path(page: str) -> str:
    """The home page answers at the root."""
    return "" if page == "start" else page


@pytest.mark.slow
def test_tour_over_all_pages_through_the_menu(new_server, visitor):
    url = new_server()
    visitor.open(url, HEADLINES["start"])
    visitor.shot("start")
    for name, headline in list(HEADLINES.items())[1:]:
        visitor.page.get_by_role("link", name="Next:").click()  # the way the talk goes
        visitor.page.get_by_role("heading", name=headline, exact=True).wait_for()
        visitor.page.wait_for_url(f"**/{name}*")
        visitor.drawn()
        visitor.shot(name)


@pytest.mark.slow
@pytest.mark.parametrize("page", some([p for p in HEADLINES if p != "start"], "rotate"))
def test_a_deep_link_works_on_a_cold_server_and_keeps_its_parameters(page, new_server, visitor):
    query = "run=talk-vae&member=1" if "talk-vae" in SHIPPED else "member=1"
    visitor.open(f"{new_server()}/{page}?{query}", HEADLINES[page])
    assert visitor.page.locator("header").get_by_text("Bad news").count()  # the router ran: the chapters are there
    assert visitor.page.url.split("?")[0].endswith(f"/{page}")
    for pair in query.split("&"):
        assert pair in visitor.page.url


@pytest.mark.slow
def test_start_as_a_link_is_the_home_page(server, visitor):
    visitor.open(f"{server}/start?run=talk-vae", HEADLINES["start"])
    visitor.page.wait_for_url(f"{server}/?run=talk-vae")
    assert visitor.page.get_by_role("dialog").count() == 0


@pytest.mark.parametrize("run", some(SHIPPED))
def test_every_shipped_run_opens_on_every_page(run, server, visitor):
    for page, headline in HEADLINES.items():
        visitor.open(f"{server}/{path(page)}?run={run}", headline)
        visitor.drawn()
        visitor.shot(f"{page}-{run}")


@pytest.mark.slow
def test_a_link_to_a_missing_run_says_so(server, visitor):
    visitor.open(f"{server}/traverse?run=no-such-run", HEADLINES["traverse"])
    visitor.page.get_by_text("There is no run called").wait_for()


@pytest.mark.parametrize("scheme", some(["light", "dark"]))
def test_no_page_is_wider_than_a_narrow_window(scheme, server, chromium, visitor):
    visitor.page.emulate_media(color_scheme=scheme)
    visitor.page.set_viewport_size({"width": 420, "height": 900})
    for page, headline in HEADLINES.items():
        visitor.open(f"{server}/{path(page)}", headline)
        visitor.drawn()
        wide = visitor.page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
        visitor.shot(f"{page}-narrow-{scheme}")
        assert wide <= 421, f"{page} is {wide} px wide"
