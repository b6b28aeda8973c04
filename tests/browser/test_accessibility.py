"""axe-core (Deque) in the real browser: no serious or critical finding on any page or slide of the talk."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from pages.ui.page import ORDER
from pages.ui.talk.slides import SLIDES

pytestmark = pytest.mark.browser


def findings(page):
    """Serious and critical findings as "rule: what it is about"."""
    found = Axe().run(page).response["violations"]
    serious = [v for v in found if v["impact"] in ("serious", "critical")]
    return sorted({f"{v['id']}: {node['html'][:160]}" for v in serious for node in v["nodes"]})


def look(visitor, address):
    visitor.page.goto(address)
    visitor.drawn()
    return findings(visitor.page)


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name", [p.name if p.name == "rotate" else pytest.param(p.name, marks=pytest.mark.slow) for p in ORDER]
)
def test_a_page_has_no_serious_finding(name, scheme, server, visitor):
    visitor.page.emulate_media(color_scheme=scheme)
    assert look(visitor, f"{server}/{'' if name == 'start' else name}") == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_talk_has_no_serious_finding(scheme, server, visitor):
    visitor.page.emulate_media(color_scheme=scheme)
    for slide in SLIDES:
        assert look(visitor, f"{server}/talk?stop={slide.name}") == [], slide.name
        if slide.question:
            visitor.page.get_by_role("button", name="Just show it").click()
            visitor.page.get_by_role("heading", name=slide.title).wait_for()
            visitor.drawn()
            assert findings(visitor.page) == [], slide.name
