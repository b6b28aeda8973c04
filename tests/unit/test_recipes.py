"""Recipes: every one is complete and trains; defaults suit the data; what ships is small, whole and reproducible."""

import dataclasses

import numpy as np
import pytest

from dvae_core import recipes, runs
from dvae_core.config import (
    ConfigError,
    ConvNet,
    DigitsData,
    FileData,
    GaussianLikelihood,
    LaplacePrior,
    MlpNet,
    ModelConfig,
    NeuronsData,
    PoissonLikelihood,
    SourcesData,
)
from dvae_core.data.dataset import Dataset
from dvae_core.data.load import dataset_of
from dvae_core.recipes import RECIPES, SHIPPED, TITLES, for_dataset, recipe, rules
from dvae_core.training.train import train
from tests.helpers import scores_of, trained_run

FILE = FileData(path="not read")


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_trains_for_five_steps(name, tmp_path, monkeypatch):
    # one thread: two wait for each other at every layer where other tests run beside (100 s instead of 2, convolutions)
    monkeypatch.setattr("dvae_core.training.train.choose_threads", lambda *_: 1)
    config = recipe(name)
    data = dataclasses.replace(config.data, n=600) if hasattr(config.data, "n") else config.data  # 5 steps need no more
    config = dataclasses.replace(config, data=data, train=dataclasses.replace(config.train, epochs=1))
    run = runs.create(tmp_path / "run", config)
    training = train(run)
    for progress in training:
        if progress.step >= 5:
            break
    training.close()
    assert progress.failed == ()
    assert np.isfinite(progress.elbo).all()
    assert name in TITLES


def test_an_unknown_recipe_is_refused():
    with pytest.raises(ConfigError, match="known are talk-ivae"):
        recipe("talk")


def pictures(side: int, values: np.ndarray) -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.choice(values, (64, side * side)).astype(np.uint8)
    return Dataset("pictures", x, x_shape=(side, side), x_scale=1 / 255)


def test_data_with_u_gets_gauss_newton_and_vae_and_ivae_differ_in_the_prior_alone():
    sources = SourcesData(segments=3, per_segment=50)
    vae, ivae = (for_dataset(sources, dataset_of(sources), model) for model in ("vae", "ivae"))
    assert ivae.model.posterior == "gauss-newton"
    assert (vae.model, vae.train) == (ivae.model, ivae.train)
    assert for_dataset(DigitsData(), dataset_of(DigitsData()), "vae").model.posterior == "diagonal"
    assert for_dataset(FILE, table(), "vae").model.posterior == "full"  # no u


def test_defaults_suit_the_data():
    sources, neurons = SourcesData(segments=3, per_segment=50), NeuronsData(segments=3, per_segment=50, n_neurons=10)
    made = for_dataset(sources, dataset_of(sources))
    assert (made.model.likelihood.kind, made.model.preprocess, made.model.latents) == ("gaussian", "whiten", 2)
    assert made.model_name == "iVAE"
    assert for_dataset(neurons, dataset_of(neurons)).model.likelihood.kind == "poisson"
    digits = for_dataset(DigitsData(), dataset_of(DigitsData()), "beta-vae")
    assert (digits.model.likelihood.kind, digits.model.likelihood.noise) == ("gaussian", "fixed")
    assert (digits.model_name, digits.train.betas) == ("beta-VAE", (4.0,) * 4)
    black_and_white = for_dataset(FILE, pictures(64, np.array([0, 255])), "vae")
    assert black_and_white.model.likelihood.kind == "bernoulli"
    assert isinstance(black_and_white.model.net, ConvNet)
    assert not isinstance(for_dataset(FILE, pictures(40, np.arange(256)), "vae").model.net, ConvNet)


def table(n: int = 1000, d_x: int = 3, **more) -> Dataset:
    return Dataset("table", np.random.default_rng(0).normal(size=(n, d_x)).astype(np.float32), **more)


REFINED = ModelConfig(latents=3, posterior="gauss-newton")  # of a table: as many latents as columns
LIFTED = ModelConfig(latents=2, posterior="gauss-newton")
PLAIN = ModelConfig(latents=2)
GREY, BLACK_AND_WHITE = np.arange(256), np.array([0, 255])


@pytest.mark.parametrize(
    ("rule", "dataset", "model", "expected"),
    [
        (rules.default_noise, table(), PLAIN, GaussianLikelihood(noise="scalar")),
        (rules.default_noise, table(), REFINED, GaussianLikelihood(noise="dimension")),
        (rules.default_noise, table(), LIFTED, GaussianLikelihood(noise="scalar")),
        (rules.default_noise, pictures(16, GREY), REFINED, GaussianLikelihood(noise="fixed", std=0.2)),
        (rules.default_net, table(), PLAIN, MlpNet()),
        (rules.default_net, table(), REFINED, MlpNet(hidden=48, encoder_hidden=96)),
        (rules.default_net, pictures(32, GREY), PLAIN, ConvNet()),
        (rules.default_net, pictures(32, GREY), REFINED, MlpNet(hidden=128, activation="relu")),
        (rules.default_net, pictures(16, GREY), PLAIN, MlpNet(hidden=128, activation="relu")),
        (rules.default_net, pictures(40, GREY), PLAIN, MlpNet(hidden=128, activation="relu")),  # 40 is no 16 x 2^k
        (rules.default_preprocess, table(), PLAIN, "whiten"),
        (rules.default_preprocess, table(), REFINED, "whiten"),
        (rules.default_preprocess, table(), LIFTED, "standardise"),
        (rules.default_preprocess, table(20, 501), PLAIN, "standardise"),
        (rules.default_preprocess, table(), ModelConfig(likelihood=PoissonLikelihood()), "standardise"),
        (rules.default_preprocess, pictures(16, GREY), PLAIN, "centre"),
        (rules.default_preprocess, pictures(16, GREY), ModelConfig(likelihood=PoissonLikelihood()), "standardise"),
        (rules.default_steps, table(), PLAIN, 3000),
        (rules.default_steps, table(), REFINED, 3 * 750),
        (rules.default_steps, table(), LIFTED, 2 * 750 * 1.25),
        (rules.default_batch, table(), PLAIN, 100),
        (rules.default_batch, table(40), PLAIN, 16),
        (rules.default_batch, table(5000), PLAIN, 256),
        (rules.default_batch, table(5000), REFINED, 128),
        (rules.default_lr, table(), PLAIN, 5e-3),
        (rules.default_lr, table(), REFINED, 1e-2),
        (rules.default_lr, table(), LIFTED, 1.5e-2),
        (rules.default_lr, pictures(16, GREY), LIFTED, 2e-3),
        (rules.default_optimiser, table(), PLAIN, "adam"),
        (rules.default_optimiser, table(), REFINED, "muon"),
        (rules.default_optimiser, pictures(16, GREY), REFINED, "adam"),
    ],
)
def test_a_rule_decides_what_is_left_open(rule, dataset, model, expected):
    assert rule(dataset, model) == expected


def test_likelihood_and_posterior_follow_the_kind_of_data():
    counts = Dataset("counts", np.random.default_rng(0).poisson(3, (50, 4)))
    kinds = {rules.default_likelihood(d): rules.default_posterior(d) for d in (table(), counts)}
    assert kinds == {"gaussian": "full", "poisson": "full"}
    assert rules.default_likelihood(pictures(16, GREY)) == "gaussian"
    assert rules.default_likelihood(pictures(16, BLACK_AND_WHITE)) == "bernoulli"
    assert rules.default_posterior(pictures(16, GREY)) == "diagonal"


def test_u_that_moves_the_means_takes_more_steps_than_lifting():
    labels = np.arange(1000) % 2
    data = table(u=labels, u_labels=("a", "b"))
    moved = Dataset("moved", (data.x + 3 * labels[:, None]).astype(np.float32), u=labels, u_labels=("a", "b"))
    assert rules.default_steps(data, REFINED) == 3 * 750
    assert rules.default_steps(moved, REFINED) == 3 * 750 * 2.5
    assert rules.default_steps(moved, LIFTED) == 2 * 750 * 2.5


@pytest.mark.parametrize(("steps", "epochs"), [({"batch": 100}, 300), ({"batch": 1}, 10), ({"batch": 1000}, 400)])
def test_epochs_hold_the_steps_within_bounds(steps, epochs):
    assert for_dataset(FILE, table(), "vae", **steps).train.epochs == epochs


def test_any_setting_can_be_chosen_and_keeps_the_rules_of_the_others():
    net = MlpNet(hidden=7)
    made = for_dataset(FILE, table(), "vae", net=net, preprocess="none", samples=5, split="blocks", optimiser="muon")
    assert (made.model.net, made.model.preprocess, made.train.samples) == (net, "none", 5)
    assert (made.split, made.train.optimiser, made.train.lr) == ("blocks", "muon", 5e-3)
    data = SourcesData(segments=3, per_segment=50)
    by_name = for_dataset(data, dataset_of(data), likelihood="bernoulli", prior="laplace")
    assert (by_name.model.likelihood.kind, by_name.prior) == ("bernoulli", LaplacePrior())
    of_each = for_dataset(FILE, table(), "vae", betas=(1.0, 4.0), lr=(0.1, 0.2), seeds=(3, 4))
    assert of_each.train.seeds == (3, 4, 3, 4)
    assert of_each.train.rates == (0.1, 0.1, 0.2, 0.2)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"latent": 3}, "A recipe has no setting 'latent'; did you mean 'latents'?"),
        ({"batch": 0}, "batch must be between 1 and 1000000; got 0"),
        ({"epochs": 0}, "epochs must be between 1 and 100000; got 0"),
        ({"latents": 0}, "latents must be between 1 and 256; got 0"),
        ({"lr": 0.0}, "lr must be between 1e-07 and 1; got 0.0"),
        ({"lr": ()}, "lr must be float; got \\(\\)"),
        ({"batch": "many"}, "batch must be int; got 'many'"),
        ({"posterior": "sharp"}, "posterior must be one of diagonal, full, gauss-newton; got 'sharp'"),
        (
            {"likelihood": "gamma"},
            "The likelihood must be one of gaussian, bernoulli, poisson, neg.*; got 'gamma'",
        ),
        ({"model": "gan"}, "A model must be one of vae, beta-vae, ivae; got 'gan'"),
    ],
)
def test_a_wrong_choice_is_one_sentence(chosen, message):
    with pytest.raises(ConfigError, match=message):
        for_dataset(FILE, table(), **({"model": "vae"} | chosen))


def test_an_impossible_recipe_gives_a_clear_message():
    data = Dataset("no u", np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32))
    with pytest.raises(ConfigError, match="needs an auxiliary variable u, and no u has none"):
        for_dataset(FILE, data, "ivae")
    with pytest.raises(ConfigError, match="at least one member"):
        for_dataset(FILE, data, "vae", members=0)


@pytest.mark.slow
def test_shipped_runs_are_small_finished_and_whole():
    shipped = {run.id: run for run in runs.examples()}
    assert set(shipped) == set(SHIPPED)
    size = sum(f.stat().st_size for run in shipped.values() for f in run.path.rglob("*") if f.is_file())
    assert size < 4_500_000
    for run in shipped.values():
        assert run.status().state == "finished"
        assert scores_of(run).members_failed == 0
        assert run.config == recipe(run.id), "train the shipped runs again: make examples"
        assert run.weights()
        assert len(run.latents()["index"]) == run.about["n_held_out"]
        assert not (run.path / "resume.safetensors").exists()


def test_the_shipped_figure_says_what_the_talk_says():
    """iVAE above VAE, over seeds and at the member that the bound chooses, and above every floor."""
    ivae, vae = (scores_of(runs.Run(runs.examples_folder() / name)) for name in ("talk-ivae", "talk-vae"))
    assert ivae.mean.mcc_pearson > vae.mean.mcc_pearson
    assert ivae.mean.mcc_within_u > vae.mean.mcc_within_u

    def chosen(score):
        return max(score.members, key=lambda m: m.elbo).mcc_pearson

    floors = [ivae.floors[name] for name in ("raw_x", "pca", "fastica", "u_only")]
    assert chosen(ivae) > max([chosen(vae), *floors]) + 0.1


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            "talk-ivae",
            marks=pytest.mark.xfail(
                strict=True,
                reason="shipped before starts were machine-independent, a favourable draw: docs/recovery.md",
            ),
        ),
        # faces-beta-vae is one seed: there is no spread over seeds to compare with
        *(name for name in SHIPPED if name not in ("talk-ivae", "faces-beta-vae")),
    ],
)
def test_retraining_reproduces_the_shipped_scores(name, tmp_path):
    """Same seeds start alike on every machine. Rounding differs and grows in training: two deviations over seeds."""
    shipped = scores_of(runs.Run(runs.examples_folder() / name))
    again = scores_of(trained_run(tmp_path / "run", recipe(name), score=True))
    for key in ("elbo", "mcc_pearson"):
        mean = getattr(shipped.mean, key)
        if mean is None:
            assert getattr(again.mean, key) is None
            continue
        spread = max(getattr(shipped.std, key), 1e-3)
        assert getattr(again.mean, key) == pytest.approx(mean, abs=2 * spread), key


def test_dataset_of_loads_what_the_config_names(tmp_path):
    data = SourcesData(n_latents=3, segments=4, per_segment=20)
    assert dataset_of(data).z.shape == (80, 3)
    assert dataset_of(dataclasses.replace(data, seed=1)).fingerprint != dataset_of(data).fingerprint
    np.savez(tmp_path / "a.npz", x=np.random.default_rng(0).normal(size=(30, 2)))
    assert dataset_of(FileData(path=str(tmp_path / "a.npz"))).d_x == 2


def test_titles_and_recipes_agree():
    assert set(recipes.TITLES) == set(RECIPES)


def test_a_refined_run_takes_more_steps_where_u_moves_the_means():
    epochs = {}
    for modulate in ("variance", "mean", "both"):
        data = SourcesData(n_latents=2, segments=5, per_segment=1000, modulate=modulate, seed=1)
        config = recipes.for_dataset(data, dataset_of(data), "vae", posterior="gauss-newton")
        epochs[modulate] = config.train.epochs
    assert epochs["mean"] == epochs["both"] > 2 * epochs["variance"]
