"""Rotate: the maps before the dial, the four views under it, and what it says of runs it does not suit."""

import dataclasses
import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dvae_core import runs
from dvae_core.analysis.rotation.record import Rotation
from pages.ui import rotate_views
from tests.helpers import check, page_text


def button(at: AppTest, label: str):
    return next(b for b in at.button if b.label == label)


def test_the_full_curve_has_the_diagonal_elbo_and_its_closed_form(store, visit):
    run = runs.find("vae")
    found = dict(run.analysis("rotation-0-0-1"))
    n = len(found["angle"])
    full = {"elbo_full": np.zeros(n), "elbo_diagonal": -np.arange(n) / 10, "gap_closed_form": np.arange(n) / 10}
    run.write_npz("analysis/rotation-0-0-1.npz", {**found, **full, "notes": np.array(["A note."])})
    at = visit("rotate", run="vae", member="0")
    check(at)
    (chart,) = at.get("plotly_chart")
    names = [trace.get("name") for trace in json.loads(chart.proto.spec)["data"]]
    assert [name for name in names if name and name != "MCC"] == [
        "log p(x)", "ELBO (full q)", "ELBO (diagonal q)", "its closed form",
    ]  # fmt: skip
    assert "A note." in page_text(at)


ANGLE = np.arange(0.0, 91.0, 15.0)
FLAT, HUMP = np.zeros(7), -(np.sin(np.deg2rad(2 * ANGLE)) ** 2)  # nats; the hump costs 1 nat at 45 degrees


def curve(**arrays):
    errors = {f"{name}_error": np.full(7, 0.002) for name in arrays}
    return Rotation(**{"angle": ANGLE, "log_px": FLAT, "log_px_error": FLAT, "elbo": FLAT, **arrays, **errors})


def test_the_findings_on_a_plain_vae_follow_its_curves():
    flat = rotate_views.findings(curve(log_px=FLAT, elbo_diagonal=HUMP), conditional=False)
    assert "The likelihood does not notice" in flat
    assert "prefer some angles, by up to 1.00 nats" in flat
    no_preference = rotate_views.findings(curve(log_px=FLAT, elbo_diagonal=FLAT), conditional=False)
    assert "prefer some angles" not in no_preference
    assert "not even the bound of a diagonal q" in no_preference
    assert "diagonal" not in rotate_views.findings(curve(log_px=FLAT), conditional=False)
    moved = rotate_views.findings(curve(log_px=0.04 * HUMP), conditional=False)
    assert "not to be trusted" in moved
    assert "does not notice" not in moved
    noisy = dataclasses.replace(curve(log_px=0.04 * HUMP), log_px_error=np.full(7, 0.02))
    assert "does not notice" in rotate_views.findings(noisy, conditional=False)  # within its error


def test_the_findings_on_an_ivae_report_that_the_angle_matters_only_where_it_does():
    bent = rotate_views.findings(curve(log_pxu_refitted=HUMP, log_pxu_fixed=HUMP), conditional=True)
    assert "Here the angle matters" in bent
    assert "up to 1.00 nats (at 45°)" in bent
    flat = rotate_views.findings(curve(log_pxu_refitted=0.0004 * HUMP, log_pxu_fixed=9 * HUMP), conditional=True)
    assert "the angle matters" not in flat
    assert "Here the angle does not matter" in flat
    scaled = curve(log_pxu_refitted=HUMP, log_pxu_refitted_whitened=FLAT)
    assert "free up to an affine map" in rotate_views.findings(scaled, conditional=True)
    assert "affine" not in rotate_views.findings(
        curve(log_pxu_refitted=HUMP, log_pxu_refitted_whitened=HUMP), conditional=True
    )
    only_fixed = rotate_views.findings(curve(log_px=HUMP), conditional=True)
    assert "matters" not in only_fixed
    assert "cannot tell" in only_fixed


@pytest.mark.slow
def test_maps_before_the_dial_are_kept_in_the_link_and_undone(store, visit):
    at = visit("rotate", run="vae", angle="30")
    button(at, "Reflect z1").click().run()
    button(at, "Random M").click().run()
    button(at, "Keep this turn").click().run()
    check(at)
    assert at.query_params["before"] == "reflect 0|random 1|turn 0 1 30"
    assert at.query_params["angle"] == "0"
    button(at, "Undo the last").click().run()
    assert at.query_params["before"] == "reflect 0|random 1"
    button(at, "Remove all").click().run()
    check(at)
    assert "before" not in at.query_params


def test_a_pasted_matrix_is_used_or_refused_with_its_defect(store, visit):
    at = visit("rotate", run="vae")
    at.text_area(key="before.text").set_value("1 2\n3 4").run()
    button(at, "Use it").click().run()
    assert "||M^T M - I|| =" in at.error[0].value
    assert "before" not in at.query_params
    at.text_area(key="before.text").set_value("0.6 -0.8\n0.8 0.6").run()
    button(at, "Use it").click().run()
    check(at)
    assert at.query_params["before"] == "paste 0.6 -0.8;0.8 0.6"


@pytest.mark.slow
@pytest.mark.parametrize("before", ["nonsense", "reflect 9", "paste 1 2;3 4", "turn 0 0 30", "random", "reflect x"])
def test_an_invalid_map_in_the_link_is_refused_with_a_message(before, store, visit):
    at = visit("rotate", run="vae", before=before)
    check(at)
    assert "left out" in at.warning[0].value


def test_the_two_sample_test_collects_p_values_and_says_what_they_are(store, visit):
    at = visit("rotate", run="vae", view="test", angle="45")
    assert "p-value is uniform" in page_text(at)
    button(at, "Draw and test").click().run()
    button(at, "Draw and test").click().run()
    check(at)
    listed = next(c.value for c in at.caption if c.value.startswith("p-values so far"))
    assert listed.split(" (")[0].count(",") == 1


@pytest.mark.parametrize(("member", "answer"), [("0", "A is the true one"), ("1", "Nobody can tell")])
def test_which_is_true_asks_before_it_shows_the_answer(member, answer, store, visit):
    at = visit("rotate", run="vae", view="guess", member=member, angle="45")
    check(at)
    assert "came out of training" not in page_text(at)
    assert "nats" in page_text(at)
    button(at, answer).click().run()
    check(at)
    assert "came out of training" in page_text(at)
    assert ("With the true factors at hand" in page_text(at)) == (member == "0")  # where the curve is computed
    button(at, "Ask again").click().run()
    assert "came out of training" not in page_text(at)


def test_a_conditional_prior_says_what_turning_means(store, visit):
    assert "not N(0, I)" in page_text(visit("rotate", run="ivae"))
    assert "about the prior N(0, I)" in page_text(visit("rotate", run="ivae", view="guess"))
    assert "the prior of a plain VAE" in page_text(visit("rotate", run="ivae", view="test"))


def test_the_exact_model_is_flat_and_bent_in_closed_form(store, visit):
    at = visit("rotate", run="vae", view="exact")
    check(at)
    assert "0.85 nats" in page_text(at)  # the golden 0.854 at 45 degrees
    at.toggle(key="exact.u").set_value(True).run()
    check(at)
    assert "log p(x|u), prior refitted by" in page_text(at)


def test_a_diverged_member_and_dead_latents_are_reported(store, visit):
    run = runs.find("vae")
    latents = dict(run.latents())
    latents["kl_latent"] = np.zeros_like(latents["kl_latent"])
    run.write_npz("latents.npz", latents)
    at = visit("rotate", run="vae", member="0")
    check(at)
    assert "Both latents of this plane are dead" in page_text(at)
    run.set_status(failed_members=[0])
    assert "diverged" in visit("rotate", run="vae", member="0").error[0].value


def test_listeners_questions_are_answered(store, visit):
    labels = [e.label for e in visit("rotate", run="vae").expander]
    assert [label for label in labels if label.startswith("“")] == [
        "“But VAEs do give nice axes!”", "“So use a non-Gaussian prior?”", "“So more data?”", "“So what helps?”",
    ]  # fmt: skip
