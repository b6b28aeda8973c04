"""How many latents: the rule, in closed form; the study that asks; its figure."""

import dataclasses

import numpy as np
import pytest

from dvae_core import figures
from dvae_core.analysis.dimensions import STABLE, Dimension, chosen, sentence_of
from dvae_core.cli import main
from dvae_core.cli.options import whole_numbers
from dvae_core.config import ConfigError, TrackData
from dvae_core.work import study as studies
from dvae_core.work.populations import by_latents


def found(latents: int, bound: float, least: float, spread: float = 0.01) -> Dimension:
    return Dimension(latents, (bound - spread, bound, bound + spread), least, least, 0.9, 0, "run")


def test_stability_comes_before_the_bound():
    one, two, three = found(1, -9.0, 0.99), found(2, -8.0, 0.97), found(3, -7.0, 0.9)
    assert chosen([one, two, three]) == two  # the third raises the bound most, and a pair of seeds disagrees
    assert chosen([three, two, one]) == two  # in any order
    assert chosen([one, found(2, -8.99, 0.99), found(3, -7.0, 0.99)]) == one  # the bound has to rise at every step
    assert chosen([found(1, -9.0, 0.9), two]) is None  # nothing is built on fewer latents that are not found again
    assert chosen([]) is None
    assert chosen([one, found(2, -8.9, 0.99, spread=1.0)]) == one  # a rise within the error is none


def test_the_sentence_says_what_the_next_number_costs():
    one, two, three = found(1, -9.0, 0.99), found(2, -8.0, 0.97), found(3, -7.0, 0.9)
    assert sentence_of([one, two, three]) == (
        "2 latents: every two seeds find the same space (worst pair R² 0.97); with 3 the worst pair falls to 0.90."
    )
    assert sentence_of([one, two]).endswith("Nothing beyond was tried.")
    assert "change the held-out bound by +0.01 nats" in sentence_of([one, found(2, -8.99, 0.99)])
    assert sentence_of([three]).startswith("No number of latents is stable: with 3")


def test_the_figure_marks_what_is_stable_and_what_is_chosen():
    ordered = [found(1, -9.0, 0.99), found(2, -8.0, 0.97), found(3, -7.0, 0.9)]
    figure = figures.dimensions(
        [d.latents for d in ordered], [d.elbo for d in ordered], [d.least_r2 for d in ordered], stable=STABLE, chosen=2,
        title="Found",
    )  # fmt: skip
    pair = figure.data[-1]
    assert list(pair.y) == [0.99, 0.97, 0.9]
    assert list(pair.marker.symbol) == ["circle", "circle", "x"]
    assert sum(len(trace.y) for trace in figure.data[:3]) == 9  # every seed is a dot
    assert {shape.x0 for shape in figure.layout.shapes if shape.x0 == shape.x1} == {1}  # the second number, on both
    assert figures.dimensions([], [], [], stable=STABLE, chosen=None, title="").layout.annotations


def test_the_populations_differ_in_their_latents_alone():
    made = by_latents(TrackData(), (1, 2, 4), "reading", seeds=3)
    assert [p.config.model.latents for p in made] == [1, 2, 4]
    assert len({dataclasses.replace(p.config.model, latents=1) for p in made}) == 1
    assert all(p.config.train.seeds == (0, 1, 2) and p.config.model.student for p in made)
    with pytest.raises(ConfigError, match="states no sampling rate"):
        by_latents("sources", (1, 2), "reading")


@pytest.mark.slow
def test_a_sweep_over_latents_ends_with_the_sentence(tmp_path, capsys):
    rng = np.random.default_rng(0)
    u = np.cumsum(rng.standard_normal(300))
    x = rng.poisson(np.exp(1 + 0.3 * np.outer((u - u.mean()) / u.std(), rng.standard_normal(6)))).astype(np.uint8)
    np.savez(tmp_path / "a.npz", x=x, u=u)
    words = ["sweep", "--out", str(tmp_path / "s"), "--data", str(tmp_path / "a.npz"), "--x", "x", "--u", "u"]
    words += ["--rate", "10", "--seeds", "2", "--epochs", "1", "--split", "blocks"]
    assert main([*words, "--latents", "1,2"]) == 2
    assert "Several --latents are for --for axes" in capsys.readouterr().err
    assert main([*words, "--latents", "1-2", "--for", "reading"]) == 0
    out = capsys.readouterr().out
    assert "latents 1: bound" in out
    ordered = studies.Study(tmp_path / "s", tmp_path / "s").dimensions()
    assert [d.latents for d in ordered] == [1, 2]
    assert out.rstrip().endswith(sentence_of(ordered))


def test_whole_numbers_are_lists_and_ranges():
    assert whole_numbers("3") == (3,)
    assert whole_numbers("1,3-5") == (1, 3, 4, 5)
