"""The families of p(z|u) from the command line, through training, to the folder that pages read."""

import numpy as np
import pytest

from dvae_core import recipes, runs
from dvae_core.analysis.latents import held_out, prior_samples
from dvae_core.analysis.score.compute import score
from dvae_core.cli import main
from dvae_core.config import GaussianPrior, LaplacePrior, LearnedPrior, SourcesData
from dvae_core.data.load import dataset_of
from tests.helpers import trained_run


@pytest.mark.slow
@pytest.mark.parametrize("prior", [LaplacePrior(), LearnedPrior(k=1, width=4), LearnedPrior(width=4)], ids=str)
@pytest.mark.parametrize("continuous", [False, True])
def test_a_run_of_any_family_generates_from_its_prior(tmp_path, prior, continuous):
    data = SourcesData(segments=3, per_segment=80, noise="laplace", modulate="variance", continuous_u=continuous)
    config = recipes.for_dataset(data, dataset_of(data), "ivae", members=2, epochs=2, prior=prior)
    run = trained_run(tmp_path / "run", config)
    assert score(run).members_failed == 0
    latents = held_out(run)
    assert latents["prior_z"].shape == latents["mu_z"].shape
    drawn = prior_samples(run, 1, 30)
    assert all(any((row == known).all() for known in latents["prior_z"][1]) for row in drawn)
    # draws follow the moments that are written beside them: 48 rows, 5 standard errors
    t = (latents["prior_z"] - latents["prior_mu"]) / np.exp(0.5 * latents["prior_logvar"])
    assert abs(t.mean()) < 5 / np.sqrt(t.size)
    assert 0.5 < t.std() < 1.7


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "prior"),
    [
        ([], GaussianPrior()),
        (["--modulate", "variance"], GaussianPrior(modulate="variance")),
        (["--turn-at", "0.5"], GaussianPrior(turn_at=0.5)),
        (["--prior", "laplace"], LaplacePrior()),
        (["--prior", "learned", "--k", "1"], LearnedPrior(k=1)),
        (["--prior", "learned"], LearnedPrior()),
    ],
)
def test_the_command_line_names_the_family(tmp_path, options, prior):
    given = ["--data", "sources,segments=2,per_segment=20", "--epochs", "1", "--members", "1", *options]
    assert main(["train", *given, "--out", str(tmp_path / "run")]) == 0
    assert runs.Run(tmp_path / "run").config.prior == prior


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "vae", "--prior", "laplace"], "about an iVAE's p(z|u)"),
        (["--prior", "laplace", "--modulate", "mean"], "leave it out with --prior laplace"),
        (["--prior", "laplace", "--turn-at", "0.3"], "leave it out with --prior laplace"),
        (["--modulate", "mean", "--turn-at", "0.3"], "set modulate to both"),
        (["--k", "2"], "use --prior learned"),
        (["--prior", "learned", "--k", "9"], "LearnedPrior.k must be between 1 and 4; got 9"),
    ],
)
def test_options_of_another_family_are_refused(tmp_path, capsys, options, message):
    given = ["--data", "sources,segments=2,per_segment=20", *options]
    assert main(["train", *given, "--out", str(tmp_path / "run")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
