"""The table of built-in data sets: complete, in step with the Config, and drawn as the settings say."""

import dataclasses
from typing import get_args

import numpy as np
import pytest

from dvae_core.config import Config, ConfigError, DigitsData, data_from_text
from dvae_core.data.load import dataset_of
from dvae_core.data.worlds import WORLDS, Drawn

SMALL = {
    "sources": {"segments": 2, "per_segment": 10},
    "memories": {"memory": [0.9, 0.2], "n": 10},
    "neurons": {"segments": 2, "per_segment": 10, "n_neurons": 5},
    "sprites": {"n": 10, "side": 16},
    "faces": {"n": 10, "side": 16},
    "digits": {},
    "track": {},
}


def test_the_table_holds_every_kind_of_drawn_data():
    assert {world.settings for world in WORLDS.values()} == set(get_args(Drawn))
    assert all(world.settings().kind == name == world.name for name, world in WORLDS.items())
    assert SMALL.keys() == WORLDS.keys(), "add the new data set here"


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_every_dial_is_a_titled_setting(world):
    titles = {f.name: f.metadata.get("title") for f in dataclasses.fields(world.settings)}
    assert set(world.dials + world.more) | {"kind"} == set(titles)
    assert all(titles[name] for name in world.dials + world.more)


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
def test_a_world_is_drawn_from_its_settings(world):
    settings = world.settings(**SMALL[world.name])
    dataset = dataset_of(settings)
    fixed = {"digits": 1797, "track": 1953}
    assert dataset.n == fixed.get(world.name, 20 if "segments" in SMALL[world.name] else 10)
    assert Config.from_json(Config(data=settings).to_json()).data == settings
    text = ",".join([world.name, *(f"{name}={value}" for name, value in SMALL[world.name].items())])
    assert data_from_text(text) == (settings, "auto")
    assert world.label(settings)
    assert world.words.endswith(".")


@pytest.mark.slow
def test_the_large_digits_are_bytes_of_their_source_and_every_digit_is_there():
    dataset = dataset_of(DigitsData(size="28x28"))
    assert (dataset.n, dataset.x_shape, str(dataset.meta["licence"])) == (3000, (28, 28), "CC BY-SA 3.0")
    x = dataset.x_float(np.arange(3000))
    assert np.allclose(x * 255, np.round(x * 255), atol=1e-4)  # float32 of k / 255
    assert (x.min(), x.max()) == (0.0, 1.0)
    assert (np.bincount(dataset.u) > 200).all()  # about 300 of each
    with pytest.raises(ConfigError, match="size must be one of"):
        DigitsData(size="16x16")
