"""Recover and Agree as pages: every view of every kind of run, the verdicts, and what they refuse."""

import json
import shutil

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dvae_core import runs
from dvae_core.analysis.common import best_member
from dvae_core.analysis.downstream.compute import downstream
from dvae_core.analysis.score.record import Numbers
from pages.ui import page as ui
from pages.ui import recover_views
from pages.ui.talk import captions
from tests.helpers import page_text, scores_of

VIEWS = ("scatter", "matrix", "maps", "scores", "features", "ica")


def panels(at: AppTest) -> list[dict]:
    return json.loads(at.get("bidi_component")[0].proto.json)[0]["panels"]


@pytest.fixture
def shipped(no_runs, monkeypatch):
    """A store with copies of the two runs of the talk, analyses and all."""
    root = runs.examples_folder()
    for name in ("talk-ivae", "talk-vae"):
        shutil.copytree(root / name, no_runs / name)
    return no_runs


def test_within_u_is_printed_and_the_ivae_is_above_the_vae_in_every_seed(shipped):
    ivae, vae = (
        [m.mcc_within_u for m in scores_of(runs.find(name, shipped)).members] for name in ("talk-ivae", "talk-vae")
    )
    assert min(ivae) > max(vae)


@pytest.mark.slow
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_of_recover_works_on_the_talks_runs(view, shipped, visit):
    at = visit("recover", run="talk-ivae", view=view)
    assert not at.exception, [e.message for e in at.exception]
    assert not at.error
    talk = runs.find("talk-ivae", shipped)
    score = scores_of(talk)
    assert f"iVAE {score.members[best_member(talk)].mcc_pearson:.2f}" in page_text(at)
    assert len(at.get("plotly_chart")) == (3 if view == "maps" else 2)  # the other worlds are one


def test_the_four_panels_hold_the_same_rows(shipped, visit):
    four = panels(visit("recover", run="talk-ivae"))
    assert [panel["title"][:3] for panel in four] == ["(a)", "(b)", "(c)", "(d)"]
    assert len({len(panel["points"]["f32"]) for panel in four}) == 1
    alone = panels(visit("recover", run="talk-vae", beside="none"))
    assert alone[2]["title"].startswith("(c) VAE")
    assert alone[3]["points"] is None


def test_the_score_of_the_member_shown_and_the_mean_over_seeds_are_distinguished(shipped, visit):
    text = page_text(visit("recover", run="talk-ivae"))
    for name in ("talk-ivae", "talk-vae"):
        run = runs.find(name, shipped)
        score, best = scores_of(run), best_member(run)
        own, mean, std = (
            score.members[best].mcc_pearson,
            score.mean.mcc_pearson,
            score.std.mcc_pearson,
        )
        which = f"**{run.config.model_name} {own:.2f}** (seed {best}, {ui.by_bound(run)}; "
        shown = f"{which}mean of 8 seeds {mean:.2f} ± {std:.2f}"
        assert shown in text


def test_panel_c_states_its_inputs_and_the_score_from_x_alone(shipped, visit):
    at = visit("recover", run="talk-ivae")
    titles = [panel["title"] for panel in panels(at)]
    assert titles[2].startswith("(c) iVAE, from x and u: MCC")
    assert titles[3].startswith("(d) VAE, from x: MCC")
    assert page_text(at).count("the encoder from x alone") == 1  # the VAE's means have seen nothing else


def test_the_sentence_about_a_wrong_u_follows_the_numbers():
    def note(right: float, wrong: float | None) -> str:
        return recover_views.role_of_u(Numbers(mcc_pearson=right, mcc_wrong_u=wrong))

    assert (
        note(0.98, 0.97) == "Given the u of another row, the latents score 0.97: they do not take the factors from u."
    )
    assert "score 0.60 instead of 0.98: part of them comes from u" in note(0.98, 0.6)
    assert note(0.98, None) == ""
    assert "does not copy u" in captions.given_another_u(Numbers(mcc_pearson=0.98, mcc_wrong_u=0.97))
    assert "part of it is copied" in captions.given_another_u(Numbers(mcc_pearson=0.98, mcc_wrong_u=0.6))


def test_the_talks_world_is_called_chosen(shipped, visit):
    assert any("one of 4 in 60" in e.label for e in visit("recover", run="talk-ivae").expander)


def test_another_world_is_not_called_chosen(store, visit):
    assert not any("one of 4 in 60" in e.label for e in visit("recover", run="ivae").expander)


def test_scores_say_equal_capacity_or_warn(shipped, visit):
    at = visit("recover", run="talk-ivae", view="scores")
    assert "Equal capacity" in page_text(at)
    assert "| iVAE | 2 |" in page_text(at)


def test_views_that_need_a_scored_run_say_so(store, visit):
    runs.Run(store / "ivae").remove("analysis/recovery.npz")
    at = visit("recover", run="ivae", view="maps")
    assert "when training has finished" in page_text(at)
    at = visit("recover", run="ivae", view="scatter")
    assert len(at.get("plotly_chart")) == 1


def test_features_are_offered_and_drawn(store, visit):
    at = visit("recover", run="vae", view="features", target="z:1")
    assert any(b.label.startswith("Predict factor s1") for b in at.button)
    for _ in downstream(runs.Run(store / "vae"), target="z:1"):
        pass
    at = visit("recover", run="vae", view="features", target="z:1")
    assert len(at.get("plotly_chart")) == 1


def test_agree_gives_a_verdict_for_each_model_and_across(shipped, visit):
    at = visit("agree", run="talk-ivae")
    text = page_text(at)
    assert "Seeds of iVAE agree up to order, sign and scale" in text
    assert "Seeds of VAE agree only up to a rotation" in text
    assert "iVAE and VAE do not agree" in text
    assert "Agreement is not correctness" in [s.value for s in at.subheader]
    at.toggle[0].set_value(True).run()
    assert not at.exception


def test_agree_caution_is_computed_live(store, visit):
    at = visit("agree", run="vae")
    chart = json.loads(at.get("plotly_chart")[-1].proto.spec)
    assert "MCC 1.00) on axes that are not the true ones" in chart["layout"]["title"]["text"].replace("<br>", " ")
    at.slider[0].set_value(0).run()
    chart = json.loads(at.get("plotly_chart")[-1].proto.spec)
    assert chart["layout"]["title"]["text"].startswith("By chance")


def test_agree_offers_to_compare_two_runs_and_needs_two_members(store, visit):
    at = visit("agree", run="ivae", beside="vae")
    assert any(b.label == "Compare the two runs, seed by seed" for b in at.button)
    run = runs.Run(store / "vae")
    config = run.config.to_json().replace('"seeds": [\n   0,\n   1\n  ]', '"seeds": [\n   0\n  ]')
    config = config.replace('"betas": [\n   1.0,\n   1.0\n  ]', '"betas": [\n   1.0\n  ]')
    run.write("config.json", config)
    run.remove("analysis/agreement.npz")
    latents = run.latents()
    cut = {k: v[:1] if k in ("mu_z", "std_z", "prior_mu", "prior_logvar", "kl_latent", "elbo", "recon", "kl") else v
           for k, v in latents.items()}  # fmt: skip
    run.write_npz("latents.npz", cut)
    assert "nothing to compare it with" in page_text(visit("agree", run="vae", beside="none"))


def test_the_server_reads_recover_and_agree_without_scipy_or_pandas(shipped):
    import subprocess
    import sys

    code = (
        "import sys\nfrom pathlib import Path\nfrom dvae_core import figures, runs\n"
        "from dvae_core.analysis.agreement.record import Agreement\n"
        "from dvae_core.analysis.recovery.record import recovery\n"
        "from dvae_core.identify import linear_gaussian\n"
        f"run = runs.find('talk-ivae', Path({str(shipped)!r}))\n"
        "found = recovery(run, 0)\nAgreement.load(run, 'agreement').rungs()\n"
        "figures.recovery_scatter(found.z_true, found.z_hat, found.pearson.matching, found.pearson.signs,"
        " curves=found.curves, matrix=found.pearson.matrix)\n"
        "linear_gaussian.diagonal_seeds((0.3, 0.02), 35)\n"
        "print([m for m in ('scipy', 'pandas', 'sklearn', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert np.isfinite(runs.find("talk-ivae", shipped).analysis("recovery")["A_condition"]).all()
