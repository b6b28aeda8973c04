"""A new session against the prior of a run: the prior stays, and the report says in which order latents come out."""

import json

import numpy as np
import pytest

from dvae_core import recipes, runs
from dvae_core.analysis.session.record import Session, statement_of
from dvae_core.analysis.table import begin
from dvae_core.cli import main
from dvae_core.config import ConfigError, FileData, GaussianPrior, MlpNet
from dvae_core.data.load import dataset_of
from dvae_core.runs import RunError
from dvae_core.training.train import train


def written(path, *, units: int, seed: int, labels: str = "abcdef") -> FileData:
    """Write a session: units that follow two latents whose means and spreads the label of u moves."""
    truth, rng = np.random.default_rng(7), np.random.default_rng(seed)
    means, sds = 1.5 * truth.standard_normal((6, 2)), np.exp(truth.uniform(-1, 0.3, (6, 2)))
    u = np.repeat(rng.integers(0, 6, 60), 20)
    z = means[u] + sds[u] * rng.standard_normal((len(u), 2))
    x = rng.poisson(np.exp(1 + 0.4 * z @ rng.standard_normal((2, units)))).astype(np.uint8)
    np.savez(path, x=x, u=np.array(list(labels))[u], rate=10.0)
    return FileData(path=str(path), x=("x",), u=("u",), rate_hz=10.0)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sessions")
    data = written(folder / "one.npz", units=12, seed=1)
    config = recipes.for_dataset(
        data, dataset_of(data), goal="reading", members=2, latents=2, epochs=4, net=MlpNet(hidden=8)
    )
    run = runs.create(folder / "first", config, title="Session one")
    for _ in train(run):
        pass
    return run


def config_for(first, data, **settings):
    prior = GaussianPrior(shared=str(first.path), shared_member=1)
    return recipes.for_session(
        data, dataset_of(data), prior, latents=2, members=2, epochs=3, net=MlpNet(hidden=8), **settings
    )


@pytest.fixture(scope="module")
def second(first):
    """Another session with other units, trained on the command line but for the size of its nets."""
    data = written(first.path.parent / "two.npz", units=9, seed=2)
    run = runs.create(first.path.parent / "second", config_for(first, data), title="Session two")
    for _ in train(run):
        pass
    return run


def test_the_prior_is_that_of_the_run_and_training_does_not_move_it(first, second):
    taken, theirs = second.weights(), first.weights()
    names = [name for name in taken if name.startswith("prior.")]
    assert names
    for name in names:
        for own in taken[name]:
            np.testing.assert_array_equal(own, theirs[name][1])
    assert np.abs(theirs[names[0]][0] - theirs[names[0]][1]).max() > 1e-3  # the other member's is another
    assert np.abs(taken["decoder_net.skip.weight"][0] - taken["decoder_net.skip.weight"][1]).max() > 1e-3


def test_the_report_has_a_price_an_order_and_both_starts(second, capsys):
    assert main(["analyse", str(second.path), "session", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["other"] == "Session one"
    assert [start["is_mirror"] for start in found["starts"]] == [False, True]
    assert found["price"] == pytest.approx(found["own_elbo"] - found["elbo"])
    assert found["price_error"] > 0
    assert sorted(found["best"]) == [0, 1]
    assert found["matched"] >= found["in_order"] - 1e-9
    assert found["statement"] == statement_of(found)
    assert Session.load(second, "session").elbo == max(s["elbo"] for s in found["starts"])
    stored = (second.path / "analysis" / "own_prior.npz").stat().st_mtime_ns
    for _ in begin(second, "session", {}):
        pass
    assert (second.path / "analysis" / "own_prior.npz").stat().st_mtime_ns == stored


def test_the_sentences_follow_the_numbers():
    tree = {
        "other": "A", "best": [0, 1], "in_order": 0.93, "matched": 0.93, "next": 0.41, "sign_free": [], "price": 0.02,
        "price_error": 0.01,
    }  # fmt: skip
    text = statement_of(tree)
    assert "come out in the order of A" in text
    assert "costs next to nothing" in text
    assert "sign" not in text
    assert "do not come out in the order" in statement_of({**tree, "best": [1, 0], "in_order": 0.4})
    strange = statement_of({**tree, "in_order": 0.38, "matched": 0.38})
    assert strange.startswith("The latents are not those of A: what u does to them is alike at 0.38")
    assert "come out in the order" not in strange
    dear = statement_of({**tree, "price": 0.6})
    assert "does not share p(z|u)" in dear
    assert "next to nothing" not in dear
    assert "stays open" in statement_of({**tree, "price": 0.6, "price_error": 0.5})
    assert "The sign of z1 and z2 stays free" in statement_of({**tree, "sign_free": [0, 1]})


def test_what_cannot_be_shared_is_refused_in_a_sentence(first, tmp_path, capsys):
    other = written(tmp_path / "b.npz", units=9, seed=3, labels="abcdeg")
    run = runs.create(tmp_path / "labels", config_for(first, other))
    with pytest.raises(RunError, match=r"needs the same u, with the same names and labels"):
        next(train(run))
    data = written(tmp_path / "c.npz", units=9, seed=3)
    with pytest.raises(ConfigError, match="even; got 3"):
        recipes.for_session(data, dataset_of(data), GaussianPrior(), latents=2, members=3)
    with pytest.raises(RunError, match="has a prior of its own"):
        next(begin(first, "session", {}))
    gone = recipes.for_session(data, dataset_of(data), GaussianPrior(shared=str(tmp_path / "gone")), latents=2)
    with pytest.raises(RunError, match="put it back, or train a prior here"):
        next(train(runs.create(tmp_path / "gone-run", gone)))
    words = ["train", "--data", str(tmp_path / "c.npz"), "--x", "x", "--u", "u", "--rate", "10", "--out"]
    assert main([*words, str(tmp_path / "d"), "--prior-of", str(first.path), "--latents", "3"]) == 2
    assert "--prior-of decides --latents; leave it out" in capsys.readouterr().err


def test_the_command_line_takes_the_prior_of_the_best_member(first, tmp_path):
    written(tmp_path / "c.npz", units=9, seed=3)
    out = tmp_path / "new"
    words = ["train", "--data", str(tmp_path / "c.npz"), "--x", "x", "--u", "u", "--rate", "10", "--epochs", "1"]
    assert main([*words, "--members", "2", "--prior-of", str(first.path), "--out", str(out)]) == 0
    prior = runs.Run(out).config.prior
    best = int(np.argmax(first.latents()["elbo"]))
    assert (prior.shared, prior.shared_member) == (str(first.path), best)
    assert runs.Run(out).config.model.start == "mirrored"
    np.testing.assert_array_equal(
        runs.Run(out).weights()["prior.net.weight"][0], first.weights()["prior.net.weight"][best]
    )
