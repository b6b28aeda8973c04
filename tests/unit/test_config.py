"""Settings: wrong values are refused, JSON goes both ways, the key changes with what affects results."""

import dataclasses
import json
from pathlib import Path

import pytest

from dvae_core import runs
from dvae_core.config import (
    Config,
    ConfigError,
    ConvNet,
    DigitsData,
    FileData,
    GaussianLikelihood,
    GaussianPrior,
    LaplacePrior,
    LearnedPrior,
    MlpNet,
    ModelConfig,
    PoissonLikelihood,
    SourcesData,
    SpritesData,
    TrainConfig,
    data_from_text,
    data_to_text,
)

OLD = json.loads((Path(__file__).parent / "old_configs.json").read_text(encoding="utf-8"))

CONFIGS = [
    Config(),
    Config(data=DigitsData(), model=ModelConfig(net=ConvNet(), likelihood=PoissonLikelihood())),
    Config(data=FileData(path="a.npz", x=("a", "b"), rate_hz=20.0), prior=GaussianPrior(modulate="mean")),
    Config(prior=LaplacePrior()),
    Config(data=SourcesData(noise="bimodal"), prior=LearnedPrior(k=1, width=8)),
    Config(model=ModelConfig(rotation=((0.0, 1.0), (1.0, 0.0))), train=TrainConfig(seeds=(3,), betas=(0.5,))),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_json_goes_both_ways(config):
    assert Config.from_json(config.to_json()) == config


def test_the_key_changes_with_results_not_with_the_device():
    config = Config()
    on_gpu = dataclasses.replace(config, train=dataclasses.replace(config.train, device="cuda"))
    longer = dataclasses.replace(config, train=dataclasses.replace(config.train, epochs=31))
    assert config.key() == on_gpu.key()
    assert len({c.key() for c in [config, longer, *CONFIGS[1:]]}) == 7


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ModelConfig(latents=0), "latents must be between 1 and 256; got 0"),
        (lambda: GaussianLikelihood(std=float("nan")), "std must be between"),
        (lambda: FileData(rate_hz=0.0), "FileData.rate_hz must be at least 1e-09; got 0.0"),
        (lambda: FileData(rate_hz=float("inf")), "FileData.rate_hz must be finite; got inf"),
        (lambda: ModelConfig(latents="2"), "ModelConfig.latents must be int; got '2'"),
        (lambda: ModelConfig(latent=2), "ModelConfig has no setting 'latent'; did you mean 'latents'"),
        (lambda: dataclasses.replace(Config(), prior=3), "Config.prior.kind must be one of standard, conditional"),
        (lambda: TrainConfig(seeds=(0, 1), betas=(1.0,)), "one seed and one beta per member; got 2 and 1"),
        (
            lambda: TrainConfig(seeds=(-1,), betas=(1.0,)),
            r"TrainConfig.seeds\[0\] must be between 0 and 2147483647; got -1",
        ),
    ],
)
def test_a_wrong_value_is_refused_where_it_is_made(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"modle": {}}, "config has no setting 'modle'; did you mean 'model'"),
        ({"model": {"latent": 2}}, "config.model has no setting 'latent'; did you mean 'latents'"),
        (
            {"model": {"likelihood": {"kind": "gauss"}}},
            "likelihood.kind must be one of gaussian, bernoulli, poisson, negative-binomial",
        ),
        ({"model": {"likelihood": {"kind": "poisson", "std": 1}}}, "has no setting 'std'"),
        ({"model": {"latents": "2"}}, "config.model.latents must be int; got '2'"),
        ({"model": {"latents": True}}, "config.model.latents must be int; got True"),
        ({"model": {"posterior": "banana"}}, "posterior must be one of diagonal, full, gauss-newton; got 'banana'"),
        (
            {"data": {"kind": "sources", "noise": "pink"}},
            "noise must be one of gaussian, laplace, sech, student, bimodal",
        ),
        ({"train": {"seeds": 3}}, "config.train.seeds must be a list; got 3"),
        ({"train": []}, "config.train must be an object"),
        ({"data": []}, "config.data.kind must be one of sources, neurons, .*; got None"),
        ({"model": {"latents": 0}}, "config.model.latents must be between 1 and 256; got 0"),
        ({"train": {"seeds": [1, "2"]}}, r"config.train.seeds\[1\] must be int; got '2'"),
        ({"train": {"lrs": [0.1, 7]}}, r"config.train.lrs\[1\] must be between 1e-07 and 1; got 7"),
        ({"train": {"seeds": [1]}}, "one seed and one beta per member; got 1 and 4"),
        ({"model": {"rotation": [[float("nan")]]}}, r"config.model.rotation\[0\]\[0\] must be finite; got nan"),
        ({"data": {"kind": "file", "rate_hz": "fast"}}, "config.data.rate_hz must be float; got 'fast'"),
    ],
)
def test_unreadable_json_says_where_and_what(change, message):
    with pytest.raises(ConfigError, match=message):
        Config.from_json(json.dumps(change))


def test_the_shipped_runs_keep_their_keys():
    """Settings that came later must not change what an old run is called."""
    keys = {run.id: run.config.key() for run in runs.examples()}
    assert keys == {
        "talk-ivae": "981fa9b417f4",
        "talk-vae": "52e131f8d599",
        "digits-beta-vae": "f915836ffd9c",
        "faces-beta-vae": "89066d8cbfd2",
        "track-ivae": "8ba6ed4dcfbb",
    }


@pytest.mark.parametrize("name", OLD)
def test_a_config_of_version_0_1_is_read_and_keeps_its_key(name):
    """Written by version 0.1: the shipped runs, every recipe, and every kind of data, net, likelihood and prior."""
    config = Config.from_json(json.dumps(OLD[name]["config"]))
    assert config.key() == OLD[name]["key"]
    assert Config.from_json(config.to_json()) == config


def test_a_link_says_how_its_data_is_split():
    data, split = data_from_text("sprites,split=blocks,side=32")
    assert (data, split) == (SpritesData(side=32), "blocks")
    assert data_from_text(data_to_text(data, split)) == (data, split)
    assert data_from_text("sprites,side=32") == (data, "auto")
    with pytest.raises(ConfigError, match="split must be one of auto, random, blocks, trials, sessions; got 'odd'"):
        data_from_text("sprites,split=odd")


def test_the_split_changes_the_key():
    assert len({Config(split=how).key() for how in ("auto", "random", "blocks")}) == 3


@pytest.mark.parametrize("prior", [{"kind": "laplace", "modulate": "both"}, {"kind": "conditional", "k": 2}])
def test_a_setting_of_another_family_is_refused(prior):
    with pytest.raises(ConfigError, match="prior has no setting"):
        Config.from_json(json.dumps({"prior": prior}))


def test_text_that_is_not_json_is_refused():
    with pytest.raises(ConfigError, match="not valid JSON"):
        Config.from_json("{")


def test_every_setting_has_a_title():
    for cls in (SourcesData, FileData, ModelConfig, MlpNet, ConvNet, TrainConfig, GaussianLikelihood):
        unlabelled = [
            f.name for f in dataclasses.fields(cls)
            if f.name not in ("kind", "net", "likelihood") and not f.metadata.get("title")
        ]  # fmt: skip
        assert unlabelled == [], cls.__name__
