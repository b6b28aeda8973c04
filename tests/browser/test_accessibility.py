"""axe-core (Deque) in the real browser: no serious or critical finding on any page or slide of the talk."""

import pytest

from pages.ui.page import ORDER
from pages.ui.talk.slides import SLIDES

pytestmark = [pytest.mark.browser, pytest.mark.slow]  # by default, test_main_job.py looks at Traverse


def look(visitor, address):
    visitor.page.goto(address)
    visitor.drawn()
    return visitor.accessibility_findings()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", [page.name for page in ORDER])
def test_a_page_has_no_serious_finding(name, scheme, server, visitor):
    visitor.page.emulate_media(color_scheme=scheme)
    assert look(visitor, f"{server}/{'' if name == 'start' else name}") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_talk_has_no_serious_finding(scheme, server, visitor):
    visitor.page.emulate_media(color_scheme=scheme)
    for slide in SLIDES:
        assert look(visitor, f"{server}/talk?stop={slide.name}") == [], slide.name
        if slide.question:
            visitor.page.get_by_role("button", name="Just show it").click()
            visitor.page.get_by_role("heading", name=slide.title).wait_for()
            visitor.drawn()
            assert visitor.accessibility_findings() == [], slide.name
