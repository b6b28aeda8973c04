"""Any prior: every marginal, a run's own, the verdict, and the Darmois construction on any data."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from dvae_core.identify import any_prior
from tests.helpers import check, page_text


def titles(at: AppTest) -> list[str]:
    return [json.loads(chart.proto.spec)["layout"]["title"]["text"] for chart in at.get("plotly_chart")]


def test_five_panels_show_the_same_points_in_the_same_hues(no_runs, visit):
    at = visit("any_prior", angle="45")
    check(at)
    assert titles(at)[:5] == [
        "1. Latents z",
        "2. F(z): uniform",
        "3. Φ⁻¹: Gaussian",
        "4. Turned by 45°",
        "5. Back: g(z)",
    ]
    panels = [json.loads(chart.proto.spec)["data"] for chart in at.get("plotly_chart")][:5]
    rows = [[trace["customdata"] for trace in panel if trace["type"].startswith("scatter")] for panel in panels]
    assert all(each == rows[0] for each in rows[1:])


@pytest.mark.slow
@pytest.mark.parametrize("name", any_prior.MARGINALS)
def test_every_marginal_has_a_verdict(name, no_runs, visit):
    at = visit("any_prior", first=name, second=name, angle="45")
    check(at)
    assert "The prior cannot tell g(z) from z" in page_text(at)
    assert "all entries of R are non-zero" in page_text(at)


@pytest.mark.parametrize("angle", ["0", "90"])
def test_a_map_that_only_relabels_is_not_evidence(angle, no_runs, visit):
    text = page_text(visit("any_prior", angle=angle))
    assert "only relabels and flips the axes" in text
    assert "R has zeros" in text


def test_the_slider_writes_the_link(no_runs, visit):
    at = visit("any_prior", first="uniform", second="uniform")
    at.slider[0].set_value(45).run()
    check(at)
    assert at.query_params["angle"] == "45"
    assert "**0.6" in page_text(at) or "**0.7" in page_text(at)  # 0.69 in expectation, from 1,500 points


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["vae", "ivae", "digits", "neurons", "one-latent", "unknown-truth"])
def test_a_runs_own_marginals_can_be_turned(kind, store, visit):
    at = visit("any_prior", run=kind, first="empirical", second="laplace")
    check(at)
    assert len(titles(at)) >= 5


def test_without_runs_there_are_no_marginals_of_a_run(no_runs, visit):
    at = visit("any_prior", first="empirical")
    check(at)
    assert "a run's own latents" not in at.selectbox(key="choice.first").options


def test_darmois_on_the_data_of_the_link_names_the_mixing(no_runs, visit):
    at = visit("any_prior", data="sources,segments=3,per_segment=200")
    check(at)
    assert titles(at)[5:] == ["True factors", "Data x", "y: independent"]
    assert "MCC of the true factors and y" in page_text(at)


def test_darmois_on_a_runs_data_of_many_columns_lets_choose_two(store, visit):
    at = visit("any_prior", darmois="data of Run unknown-truth", x1="2", x2="4")
    check(at)
    assert "The true factors are unknown here" in page_text(at)
    assert (at.selectbox(key="choice.x1").value, at.selectbox(key="choice.x2").value) == (2, 4)
    at.selectbox(key="choice.x2").select(2).run()
    assert "two different columns" in at.error[0].value


@pytest.mark.parametrize("nonsense", [{"angle": "x"}, {"first": "cauchy"}, {"darmois": "no"}, {"x1": "99"}])
def test_nonsense_in_the_link_falls_back(nonsense, no_runs, visit):
    check(visit("any_prior", **nonsense))
