"""The talk: every slide opens cold by its link, asks before it shows, and needs the shipped runs alone."""

import dataclasses
import json
import subprocess
from itertools import pairwise

import numpy as np
import pytest

from dvae_core import runs
from dvae_core.analysis.agreement.record import Agreement, file_name
from dvae_core.analysis.latents import held_out
from dvae_core.analysis.natural import natural_parameters
from dvae_core.analysis.recording.record import NOTHING, SAME_SPACE, Recording
from dvae_core.identify import bend
from dvae_core.metrics.agreement import RUNGS
from pages.ui import bend_views
from pages.ui.page import ORDER
from pages.ui.talk import captions, demos, without_u, worked
from pages.ui.talk.slides import CHAPTERS, NAMES, SLIDES
from tests.helpers import ROOT, page_text, scores_of


@pytest.fixture
def shipped_only(tmp_path, monkeypatch):
    """An empty store: the talk needs nothing but what came with the software."""
    monkeypatch.setenv("DVAE_RUNS", str(tmp_path / "runs"))


@pytest.mark.parametrize("slide", SLIDES, ids=NAMES)
def test_a_slide_opens_cold_asks_first_and_then_shows(slide, shipped_only, visit):
    at = visit("talk", stop=slide.name)
    assert not at.exception, [e.message for e in at.exception]
    caption = slide.caption()
    if slide.question:
        assert slide.question in page_text(at)
        assert slide.title not in page_text(at)  # it would give the answer away
        assert caption not in page_text(at)
        at = at.button(key=f"talk.answer.{slide.name}.{slide.options[0]}").click().run(timeout=60)
        assert f"Your answer: “{slide.options[0]}”." in page_text(at)
    assert not at.exception, [e.message for e in at.exception]
    assert not at.error, [e.value for e in at.error]
    assert slide.title in page_text(at)
    assert caption in page_text(at)


def test_the_closing_stop_leads_to_the_playground_with_one_condition_broken_each(node_path):
    """The links hold what the playground knows, and each differs from its default by u and one dial."""
    script = "import {decode, DEFAULT} from './dvae_core/live/playground/settings.js';"
    script += (
        "console.log(JSON.stringify(JSON.parse(process.argv[1]).map((text) => { const {state, problem} = decode(text);"
    )
    script += "return [problem, Object.keys(DEFAULT).filter((name) => state[name] !== DEFAULT[name])]; })))"
    command = [node_path, "--input-type=module", "-e", script, json.dumps([*demos.BROKEN.values(), demos.COSTLY])]
    found = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout)
    assert [problem for problem, _ in found] == [""] * 4
    assert [set(changed) - {"prior"} for _, changed in found] == [{"folds"}, {"segments"}, {"moves"}, {"noise"}]
    assert all("prior" in changed for _, changed in found)


@pytest.mark.slow
def test_next_and_back_walk_all_slides(shipped_only, visit):
    at = visit("talk")
    for slide, following in pairwise(SLIDES):
        if slide.asks:  # the answer first
            at = press(at, "Next")
            assert at.query_params.get("stop", NAMES[0]) == slide.name
            assert (f"Answer: {slide.right}." if slide.question else "came out of training") in page_text(at)
        at = press(at, "Next")
        assert at.query_params["stop"] == following.name
    assert next(b for b in at.button if b.label == "Next").disabled
    at = press(at, "Back")
    assert at.query_params["stop"] == NAMES[-2]


def press(at, label):
    return next(b for b in at.button if b.label == label).click().run(timeout=60)


def test_the_next_key_shows_the_answer_of_a_vote_beside_the_picture_first(shipped_only, visit):
    slide, following = next(pair for pair in pairwise(SLIDES) if pair[0].votes)
    at = visit("talk", stop=slide.name)
    assert "came out of training" not in page_text(at)
    at = press(at, "Next")
    assert at.query_params["stop"] == slide.name
    assert "came out of training" in page_text(at)
    assert "Your answer" not in page_text(at)  # nobody voted
    assert press(at, "Next").query_params["stop"] == following.name


def test_a_right_answer_and_a_wrong_one_read_differently(shipped_only, visit):
    slide = next(s for s in SLIDES if s.question)
    for option in slide.options:
        at = visit("talk", stop=slide.name)
        at = at.button(key=f"talk.answer.{slide.name}.{option}").click().run(timeout=60)
        assert ("Right." in page_text(at)) == (option == slide.right)
        assert (f"Answer: {slide.right}." in page_text(at)) == (option != slide.right)


def test_the_presenters_window_shows_notes_and_the_next_slide(shipped_only, visit):
    slide, following = SLIDES[2], SLIDES[3]
    at = visit("talk", stop=slide.name, talk_view="presenter")
    assert not at.exception
    assert slide.notes in page_text(at)
    assert following.title in page_text(at)
    at = press(at, "Next")
    assert at.query_params["stop"] == following.name
    assert at.query_params["talk_view"] == "presenter"


def test_the_list_jumps_and_an_unknown_slide_is_the_first(shipped_only, visit):
    at = visit("talk", stop="no-such-slide")
    assert SLIDES[0].title in page_text(at)
    at = at.button(key=f"talk.to.{len(SLIDES) - 1}").click().run(timeout=60)
    assert SLIDES[-1].title in page_text(at)


def test_without_its_shipped_runs_it_says_so(no_runs, visit):
    at = visit("talk", stop="generate")
    assert not at.exception
    assert "make examples" in page_text(at)


def test_every_slide_is_complete():
    assert 12 <= len(SLIDES) <= 30  # 25 in three chapters; the fourth has four
    assert len(set(NAMES)) == len(NAMES)
    assert [slide.chapter for slide in SLIDES] == sorted(slide.chapter for slide in SLIDES)
    assert {slide.chapter for slide in SLIDES} == set(range(1, len(CHAPTERS) + 1))
    pages = {page.name for page in ORDER}
    for slide in SLIDES:
        assert slide.more[0] in pages
        assert bool(slide.question) == bool(slide.options) == bool(slide.right)
        assert not slide.question or slide.right in slide.options
        assert slide.notes
        assert slide.maths


def test_a_link_made_for_an_earlier_version_opens_the_same_slide(shipped_only, visit):
    for name in ("generate", "seeds", "diagonal", "rescue", "close"):
        at = visit("talk", stop=name)
        assert any(b.label.startswith(f"{NAMES.index(name) + 1}. ") and b.disabled for b in at.button)


# --- sentences that depend on numbers: where they must appear, and where they must not ---


def test_the_beta_caption_counts_what_is_silent():
    kl = np.array([[4.0, 3.0, 1.0], [2.0, 0.005, 0.005]])
    text = captions.fewer_nats((1.0, 8.0), kl)
    assert "8.0, 2.0 nats at β = 1, 8" in text
    assert "at β = 8 two of three are silent" in text
    assert "none of three are silent" in captions.fewer_nats((1.0, 8.0), kl + 0.1)


def test_a_latent_stands_out_only_where_no_second_one_follows_the_factor():
    matrix = np.array([[0.97, 0.21, 0.1], [0.3, -0.87, 0.69], [0.04, 0.05, 0.02]])
    text = captions.latents_of_factors(("skin", "hair", "gaze"), matrix)
    assert text == "One latent each: skin (z1, 0.97). Shared: hair. In none: gaze."
    assert captions.latents_of_factors(("skin",), matrix[:1]) == "One latent each: skin (z1, 0.97)."
    assert captions.latents_of_factors(("hair",), matrix[1:2]) == "Shared: hair."


def test_the_seeds_caption_counts_pairs_of_the_record(shipped_only):
    found = Agreement.load(runs.find("talk-vae"), file_name())
    assert found is not None
    elbo = np.array([-0.1, 0.05])
    same = dataclasses.replace(found, ladder=np.ones_like(found.ladder))
    pairs = len(found.pairs())
    assert f"{pairs} agree up to order, sign and scale, 0 only up to a rotation" in captions.seeds_agree(elbo, same)
    turned = np.full_like(found.ladder, 0.5)
    turned[:, :, [RUNGS.index("orthogonal"), RUNGS.index("affine")]] = 1.0
    text = captions.seeds_agree(elbo, dataclasses.replace(found, ladder=turned))
    assert f"0 agree up to order, sign and scale, {pairs} only up to a rotation, 0 not even that" in text
    assert "−0.10 to 0.05 nats" in text
    assert "pairs" not in captions.seeds_agree(elbo, None)


def test_the_bound_caption_claims_a_relation_only_where_one_shows():
    elbo = np.linspace(0, 1, 8)
    rng = np.random.default_rng(0)
    assert "the two go together" in captions.bound_and_score(elbo, 0.5 + elbo / 4)
    assert "the two go against each other" in captions.bound_and_score(elbo, 0.9 - elbo / 4)
    none = sum("no relation shows" in captions.bound_and_score(elbo, rng.random(8)) for _ in range(100))
    assert none >= 88  # at the 5 % level, with three standard errors


def test_claims_of_slides_hold_on_the_shipped_runs(shipped_only):
    """A title is a fixed sentence: the shipped runs must bear it out."""
    kl = held_out(runs.find("digits-beta-vae"))["kl_latent"].sum(1)
    assert (np.diff(kl) < 0).all()  # "Raise beta, and the latents say less."
    ivae, vae = (scores_of(runs.find(name)) for name in ("talk-ivae", "talk-vae"))
    assert ivae is not None
    assert vae is not None
    own = [[m.mcc_pearson for m in scores.members] for scores in (ivae, vae)]
    assert min(own[0]) > max(ivae.lines.values())  # "The iVAE finds the factors ..."
    assert max(own[1]) < 0.9 < min(own[0])  # "... the VAE does not"
    assert captions.flat().startswith("**The likelihood does not notice:**")
    assert captions.bent().startswith("**Here the angle matters:**")
    linear, tree = worked.accuracies(runs.find("talk-vae"))
    assert np.ptp(linear) == 0  # "exactly as good"
    assert np.ptp(tree) > 0.02  # a decoder of single latents does notice
    assert "no relation shows" in captions.bounds()  # the answer that the slide calls right
    true, learned, _ = natural_parameters(runs.find("talk-ivae"))
    for i in range(2):  # λ of z: the coefficients that the pictures show moving with u
        assert np.corrcoef(true[:, i, 0], learned[:, i, 0])[0, 1] > 0.8


def test_the_slide_of_the_recording_claims_what_its_report_and_its_control_bear_out(shipped_only):
    found = Recording.load(runs.find("track-ivae"), "recording")
    assert found is not None
    assert found.linear_r2["min"] >= 0.95  # "one space in every seed"
    assert found.own_axes_mcc["mean"] < found.rotation_floor + 0.05  # "axes by convention": those of a random rotation
    assert found.verdict == SAME_SPACE
    linear, control = found.decoding["linear"], found.shuffled_u
    assert linear["latents"]["mean"] > linear["window"]["mean"]
    assert control["decoding"]["linear"]["latents"]["mean"] < linear["latents"]["mean"] - 0.1  # the control fails
    assert control["linear_r2"]["mean"] > 0.9  # "seeds agree as well": what the notes warn of
    said = captions.place_cells()
    assert said.startswith("**Same space, axes by convention.**")
    assert f"{control['decoding']['linear']['latents']['mean']:.2f} if u is shuffled" in said
    other = captions.may_be_said(dataclasses.replace(found, verdict=NOTHING, shuffled_u=None))
    assert other.startswith("**Seeds do not agree")
    assert "shuffled" not in other


@pytest.mark.slow
def test_mutual_information_has_a_minimum_at_laplace_factors_and_is_flat_for_gaussian_ones():
    """The slide on ICA: the curve's minimum is the answer in the first world and no answer in the other two."""
    _, laplace, scores = worked.ica_curve("laplace")
    assert scores[laplace.argmin()] > 0.995
    assert laplace.max() > 5 * worked.FLAT
    _, gaussian, _ = worked.ica_curve("gaussian")
    assert gaussian.max() < worked.FLAT
    _, bent, scores = worked.ica_curve("nonlinear")
    assert bent.max() > 5 * worked.FLAT  # a minimum all the same
    assert scores[bent.argmin()] < 0.9


def test_a_straight_world_needs_both_of_its_assumptions():
    """The slide's sentence holds in numbers, and goes out where either assumption is taken away."""
    linear, gaussian, deep = (
        without_u.unmixed(noise, layers).mcc_ica for noise, layers in (("laplace", 1), ("gaussian", 1), ("laplace", 3))
    )
    assert linear.min() > 0.999
    assert gaussian.mean() < 0.95 > deep.mean()  # a random rotation of two factors has .90
    assert without_u.straight_numbers().startswith("Both assumptions: found.")
    for without in (gaussian, deep):
        words = without_u.straight_words(without, gaussian, deep, chance=0.9)
        assert words.startswith("Both assumptions: not found.")


def test_a_hidden_u_bends_hardly_and_one_cluster_not_at_all():
    curves = without_u.hidden_curves()
    most = {name: max(nats) for name, (nats, _) in curves.items()}
    assert most["hidden, K = 10"] < most["hidden, K = 5"] < 0.25 * most["u seen"]
    assert most["control: one cluster"] < 0.005
    found = bend_views.trained()["hidden"]
    assert max(found["mcc"]) < found["ivae"]
    assert f"{len(found['mcc'])} seeds" in without_u.seeds_words(found)


def test_time_bends_the_curve_and_neither_of_its_controls_does():
    said = without_u.time_numbers()
    assert "up to 0.47 nats for memories 0.95 and 0.6, 0.00 if equal, 0.00 if shuffled" in said
    words = [without_u.memory_words(a, bend.pairs((without_u.MEMORY, a))) for a in without_u.MEMORIES]
    assert words[-1] == "Memories 0.95 and 0.95: flat"  # the only place of the slider without a claim
    assert [w for w in words if w.endswith("flat")] == [words[-1]]
    found = bend_views.trained()["time"]["populations"]
    own, *controls = (its["mcc"] for its in found.values())
    assert min(own) > 0.97 > np.mean(controls[0])
    assert np.mean(controls[1]) < 0.97


def test_the_clock_determines_the_axes_only_where_its_seeds_lie_above_those_with_rows_shuffled():
    populations = bend_views.trained()["clock"]["populations"]
    own, shuffled = (its["mcc"] for its in populations.values())
    assert without_u.clock_numbers().startswith(
        "The clock determines the axes. u is the number of the stretch, 40 of 200"
    )
    assert "does not determine" in without_u.clock_words(shuffled, own, bins=40, rows=200)
    assert "does not determine" in without_u.clock_words(shuffled, shuffled, bins=40, rows=200)
    off = [np.rad2deg(np.arccos(np.array(its["axes"])[:, [0, 1], [0, 1]])) for its in populations.values()]
    assert off[0].max() < 5 < off[1].max()


def test_the_closing_line_is_shown_only_if_the_table_supports_it(monkeypatch):
    assert without_u.closing_words().startswith("**No assumption, no axes;")
    flat, bent = without_u.closing_rows()
    assert "N(0, I)" in [name for name, _, _ in flat]
    assert "u seen" in [name for name, _, _ in bent]
    monkeypatch.setattr(without_u, "closing_rows", lambda: (bent, flat))
    assert "does not separate" in without_u.closing_words()


def test_decoded_gaussians_fill_in_the_density_and_a_turn_leaves_it():
    x, exact, pile, moving = worked.integral_curves()
    assert np.trapezoid(exact, x) == pytest.approx(1, abs=1e-3)
    off = np.abs(moving - exact).max(1) / exact.max()
    assert off[0] > 1  # one Gaussian is not the density
    assert off[len(worked.COUNTS) - 1 :].max() < 0.06  # 8,192 draws: three standard errors at the modes are .05
    before, *after = pile.reshape(-1, worked.PILED, len(x))
    assert len(after) == len(worked.TURNED)
    for turned in after:  # every Gaussian that is drawn moves, and stays one of the same width
        np.testing.assert_allclose(turned.max(1), before.max(1), rtol=0.02)  # between two of 141 places: 2 %
        assert (np.abs(turned - before).max(1) > 0.01).all()
