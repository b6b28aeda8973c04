"""What bends the curve: dials in the link, and a page that leaves all claims to its component."""

import json

import numpy as np

from dvae_core.identify import bend
from pages.ui import bend_views
from pages.ui.page import ORDER
from tests.helpers import check, page_text

OFF = "30,0.8,0.8,0,0,10,0,0"  # equal memories, no u, one cluster, Gaussian factors
START = [30, 0.95, 0.6, 1, 1, 5, 0, 1]


def component(at):
    """The data of the component on the page."""
    found = [node for node in at.main if getattr(node, "type", "") == "bidi_component"]
    return json.loads(found[0].proto.json)[0]


def test_the_page_opens_with_every_idea_and_its_dials(visit):
    data = component(check(visit("bend")))
    assert data["dials"] == START
    assert [idea["kind"] for idea in data["ideas"]] == ["grid", "pairs", "segments", "grid", "grid"]
    assert sum(len(idea["sliders"]) for idea in data["ideas"]) == len(START) - 1


def test_a_link_places_the_dials_and_a_damaged_one_is_the_start(visit):
    assert component(check(visit("bend", dials=OFF)))["dials"] == [float(part) for part in OFF.split(",")]
    for wrong in ("", "30", "a,b", "30,1.5,0.6,1,1,5,0,1", "nan,0.9,0.6,1,1,5,0,1"):
        assert component(check(visit("bend", dials=wrong)))["dials"] == START, wrong

    assert component(check(visit("bend", dials="30,0.9,0.6,1,0.9,4,0,1")))["dials"][4:6] == [1, 5]  # nearest stops


def test_the_page_itself_makes_no_claim_that_a_strength_of_0_would_falsify(visit):
    """Claims stand in the component alone, beside the curve that bears them out; their lights are tested in node."""
    on, off = (page_text(check(visit("bend", dials=dials))) for dials in (",".join(map(str, START)), OFF))
    assert on == off
    assert not [says for says in bend_views.SAYS.values() if says in on]


def test_every_strength_of_0_is_flat_whatever_the_other_sliders_say():
    found = bend_views.shipped()
    hidden, straight = found["hidden"], found["straight"]
    off = hidden["separation"].index(0)
    for nats, error in zip(hidden["nats"][off], hidden["error"][off], strict=True):
        assert bend.Bend(np.array(hidden["angles"]), np.array(nats), np.array(error)).state == "flat"
    for kind in bend_views.KINDS:
        assert max(straight["nats"][kind][straight["strength"].index(0)]) < bend.FLAT
    assert bend.segments(*bend.world(found["data_seed"]), strength=0).state == "flat"
    assert {bend.pairs((a, a)).state for a in (0, 0.4, 0.98)} == {"flat"}


def test_the_navigation_has_the_page_between_the_rescue_and_the_workbench():
    names = [page.name for page in ORDER]
    assert names.index("conditions") < names.index("bend") < names.index("study")
