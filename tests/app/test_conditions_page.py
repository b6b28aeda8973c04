"""The Conditions page: four lights, what follows from them, what the seeds agree up to, and the study's buttons."""

import json

import pytest

from dvae_core import runs
from dvae_core.analysis.agreement.compute import agreement
from dvae_core.analysis.conditions.compute import conditions
from dvae_core.work import jobs
from pages.ui import conditions_noise
from tests.helpers import check, page_text


def test_without_a_result_it_offers_the_computation(store, visit):
    at = check(visit("conditions", run="ivae"))
    assert "Check the conditions" in [b.label for b in at.button]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ivae", "vae", "digits", "neurons", "unknown-truth", "one-latent"])
def test_every_kind_of_run_has_its_lights(store, visit, kind):
    run = runs.Run(store / kind)
    for _ in conditions(run, member_index=0):
        pass
    at = check(visit("conditions", run=kind, member="0"))
    text = page_text(at)
    for name in ("1. Noise", "2. Injective generator", "3. Independent statistics T", "4. Enough u"):
        assert name in text
    if kind == "ivae":  # 3 segments for n k + 1 = 5
        assert "3 values of u, 5 needed" in text
        assert "True λ: rank 2 of 4" in text
        assert "promise nothing" in text
    if not run.config.is_conditional:
        assert "no u" in text
        assert "Nothing is promised" in text
    if kind == "neurons":
        assert "Poisson counts are not additive noise" in text
    if kind == "unknown-truth":
        assert "continuous u" in text
    assert not at.error


def test_the_measured_agreement_stands_beside_the_theorem_once_it_is_computed(store, visit):
    run = runs.Run(store / "ivae")
    for _ in conditions(run, member_index=0):
        pass
    run.remove("analysis/agreement.npz")
    assert "Measured." not in page_text(visit("conditions", run="ivae", member="0"))
    for _ in agreement(run):
        pass
    assert "**Measured.** **Seeds of iVAE" in page_text(check(visit("conditions", run="ivae", member="0")))


def test_a_continuous_u_is_named_by_all_of_its_columns(store, visit):
    run = runs.Run(store / "unknown-truth")
    for _ in conditions(run, member_index=0):
        pass
    charts = check(visit("conditions", run="unknown-truth", member="0")).get("plotly_chart")
    names = {trace.get("name") for c in charts for trace in json.loads(c.proto.spec)["data"]}
    columns = run.about["u_names"]
    assert any(f"{columns[0]} = " in str(name) and f", {columns[1]} = " in str(name) for name in names)


def test_the_kinds_of_u_show_what_is_there_and_can_be_begun(store, visit, monkeypatch):
    asked = []
    monkeypatch.setattr(jobs, "analyse", lambda run, name, **more: asked.append((run.path.name, name)))
    at = check(visit("conditions", run="ivae"))
    at.button(key="kinds_of_u.start").click().run()
    assert asked == [("what-must-u-be-like", "kinds_of_u")]
    rows = {
        f"{mode}-{n}-1-w0": {
            "name": f"{mode}-{n}-1-w0", "key": "", "world": 0, "mcc": [0.8, 0.9], "mcc_within_u": [0.7, None],
            "elbo": [0, 0], "u_only": 0.5, "condition": 3.0, "rank": 4, "segments": n, "strength": 1.0,
            "modulate": mode,
        }
        for mode in ("none", "both") for n in (1, 5)
    }  # fmt: skip
    path = store / "studies" / "what-must-u-be-like" / "analysis" / "study.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(rows))
    at = check(visit("conditions", run="ivae"))
    assert "Resume" in [b.label for b in at.button]
    titles = [json.loads(c.proto.spec)["layout"]["title"]["text"] for c in at.get("plotly_chart")]
    assert any("0.85" in title for title in titles)
    assert any("0.35 are not distinguishable" in title.replace("<br>", " ") for title in titles)


def test_the_noise_that_breaks_condition_1_leaves_nothing_and_the_other_two_something(no_runs, visit):
    at = check(visit("conditions", conditions_view="noise"))
    assert "Finite data cannot refute a gap" in page_text(at)
    _, gaussian, gap, uniform = ([str(title) for title in panel.title] for panel in conditions_noise.panels())
    closed = [k for k, width in enumerate(conditions_noise.WIDTHS) if width >= 0.5]
    assert [k for k, title in enumerate(gap) if title.endswith("nothing is left")] == closed
    assert not [title for title in (*gaussian, *uniform) if not title.endswith(" % is left")]
    assert {titles[0].split(": ")[1] for titles in (gaussian, uniform, gap)} == {"100 % is left"}  # no noise
