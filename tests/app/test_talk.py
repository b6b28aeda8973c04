"""The talk: every stop is reachable cold by its link, asks before it tells, and lives on shipped runs alone."""

import pytest

from pages.ui.page import ORDER
from pages.ui.talk import demos
from pages.ui.talk.slides import CHAPTERS, NAMES, STOPS
from tests.helpers import page_text


@pytest.fixture
def shipped_only(tmp_path, monkeypatch):
    """An empty store: the talk needs nothing but what came with the software."""
    monkeypatch.setenv("DVAE_RUNS", str(tmp_path / "runs"))


@pytest.mark.parametrize("stop", STOPS, ids=NAMES)
def test_a_stop_opens_cold_asks_first_and_then_shows(stop, shipped_only, visit):
    at = visit("talk", stop=stop.name)
    assert not at.exception, [e.message for e in at.exception]
    if stop.question:
        assert stop.question in page_text(at)
        assert stop.claim not in page_text(at)  # it would give the answer away
        assert stop.see not in page_text(at)
        at = at.button(key=f"talk.answer.{stop.name}.{stop.options[0]}").click().run(timeout=60)
        assert f"You said “{stop.options[0]}”." in page_text(at)
    assert not at.exception, [e.message for e in at.exception]
    assert not at.error, [e.value for e in at.error]
    assert stop.claim in page_text(at)
    assert stop.see in page_text(at)


def test_next_and_back_walk_all_stops(shipped_only, visit):
    at = visit("talk")
    for name in NAMES[1:]:
        at = next(b for b in at.button if b.label == "Next").click().run(timeout=60)
        assert at.query_params["stop"] == name
    assert next(b for b in at.button if b.label == "Next").disabled
    at = next(b for b in at.button if b.label == "Back").click().run(timeout=60)
    assert at.query_params["stop"] == NAMES[-2]


def test_the_list_jumps_and_an_unknown_stop_is_the_first(shipped_only, visit):
    at = visit("talk", stop="no-such-stop")
    assert STOPS[0].claim in page_text(at)
    at = at.button(key=f"talk.to.{len(STOPS) - 1}").click().run(timeout=60)
    assert STOPS[-1].claim in page_text(at)


def test_without_its_shipped_runs_it_says_so(no_runs, visit):
    at = visit("talk")
    assert not at.exception
    assert "make examples" in page_text(at)


def test_the_words_fit_their_form():
    assert 12 <= len(STOPS) <= 16
    assert len(set(NAMES)) == len(NAMES)
    assert [stop.chapter for stop in STOPS] == sorted(stop.chapter for stop in STOPS)
    assert {stop.chapter for stop in STOPS} == set(range(1, len(CHAPTERS) + 1))
    pages = {page.name for page in ORDER}
    for stop in STOPS:
        assert callable(getattr(demos, stop.scene))
        assert stop.more[0] in pages
        assert bool(stop.question) == bool(stop.options)
        assert stop.notes
        assert stop.maths
