"""An encoder that sees a window of rows, input dropout, and a student e(x) that never sees u."""

import dataclasses

import numpy as np
import pytest
import torch

from dvae_core import recipes, runs
from dvae_core.analysis.encode import encode, encode_only, encoder_means
from dvae_core.config import Config, ConfigError, FileData, GaussianPrior, MlpNet, ModelConfig, TrainConfig
from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.load import dataset_of
from dvae_core.data.split import split
from dvae_core.data.windows import around, stretches
from dvae_core.model.nets import Sizes
from dvae_core.model.start import initialise
from dvae_core.model.vae import Vae
from dvae_core.training.checkpoint import load_vae
from dvae_core.training.train import train

N, D_X = 400, 6


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Counts of six units that follow two slow signals; u is the first signal."""
    rng = np.random.default_rng(0)
    slow = np.array([np.convolve(rng.standard_normal(N + 19), np.ones(20) / 20**0.5, "valid") for _ in range(2)]).T
    x = rng.poisson(np.exp(0.3 * slow @ rng.standard_normal((2, D_X)))).astype(np.uint8)
    path = tmp_path_factory.mktemp("recording") / "a.npz"
    np.savez(path, x=x, u=slow[:, :1].astype(np.float32))
    return FileData(path=str(path), x=("x",), u=("u",), rate_hz=10.0)


def config_of(data: FileData, seeds=(0, 1), *, epochs: int = 3, optimiser: str = "adam", **model) -> Config:
    settings = {
        "latents": 2, "net": MlpNet(hidden=8), "preprocess": "standardise", "window": (2, 1), "dropout": 0.3,
        "encoder": "xu", "student": True, "start": "random",
    }  # fmt: skip
    of_u = TrainConfig(seeds=seeds, betas=(1.0,) * len(seeds), epochs=epochs, batch=16, optimiser=optimiser)
    likelihood = Config.from_json('{"model": {"likelihood": {"kind": "poisson"}}}').model.likelihood
    return Config(
        data=data, model=ModelConfig(likelihood=likelihood, **(settings | model)), prior=GaussianPrior(), train=of_u
    )


def finished(path, config) -> runs.Run:
    run = runs.create(path, config)
    for _ in train(run):
        pass
    return run


@pytest.fixture(scope="module")
def run(recording, tmp_path_factory):
    return finished(tmp_path_factory.mktemp("runs") / "both", config_of(recording, (0, 7)))


# --- windows ----------------------------------------------------------------------------------------------------------


def test_a_window_repeats_the_ends_of_its_stretch():
    stretch = np.array([0, 0, 0, 1, 1, 1, 1])
    assert around(stretch, np.array([0, 2, 3, 5]), (1, 2)).tolist() == [
        [0, 0, 1, 2], [1, 2, 2, 2], [3, 3, 4, 5], [4, 5, 6, 6],
    ]  # fmt: skip


def test_stretches_end_at_gaps_trials_sessions_and_split_borders():
    x = np.random.default_rng(0).standard_normal((40, 2))
    plain = Dataset("a", x, rate_hz=10.0)
    assert stretches(plain).max() == 0
    times = np.arange(40) / 10.0
    times[25:] += 0.3
    assert np.flatnonzero(np.diff(stretches(dataclasses.replace(plain, index=times)))).tolist() == [24]
    rows = np.r_[np.arange(10), np.arange(12, 42)]
    assert np.flatnonzero(np.diff(stretches(dataclasses.replace(plain, index=rows)))).tolist() == [9]
    trial = np.repeat(np.arange(4), 10)
    assert np.flatnonzero(np.diff(stretches(dataclasses.replace(plain, trial=trial)))).tolist() == [9, 19, 29]
    session = np.repeat([0, 1], 20)
    assert np.flatnonzero(np.diff(stretches(dataclasses.replace(plain, session=session)))).tolist() == [19]
    for gap in (0, 1):
        parts = split(plain, "blocks", gap=gap)
        stretch = stretches(plain, parts)
        assert np.isin(around(stretch, parts.train, (5, 4)), parts.train).all()
        assert np.isin(around(stretch, parts.held_out, (5, 4)), parts.held_out).all()


def test_rows_without_an_order_have_no_window(recording):
    x = np.random.default_rng(0).standard_normal((40, 2))
    with pytest.raises(DataError, match="states no sampling rate"):
        stretches(Dataset("a", x))
    ordered = Dataset("a", x, rate_hz=1.0)
    with pytest.raises(DataError, match="split in blocks or by trials"):
        stretches(ordered, split(ordered, "random"))


# --- the model --------------------------------------------------------------------------------------------------------


def test_the_decoder_describes_the_own_row_of_a_window():
    config = config_of(FileData(path="none"))
    vae = Vae(config, Sizes(D_X, 1)).double()
    x = torch.arange(4.0 * D_X).expand(2, 1, -1).double()
    assert torch.equal(vae.row(x), x[..., 2 * D_X : 3 * D_X])
    assert torch.equal(vae.row(vae.row(x)), vae.row(x))
    initialise(vae, x[0].expand(5, -1) + torch.rand(5, 1), torch.rand(5, 1))
    u, eps = torch.zeros(2, 1, 1).double(), torch.zeros(2, 1, 2).double()
    other = x.clone()
    other[..., : 2 * D_X] += 3  # earlier rows change what the encoder sees, not what the decoder describes
    z = vae.encoder(x, u).sample(eps)
    assert not torch.equal(vae.encoder(other, u).mu, vae.encoder(x, u).mu)
    torch.testing.assert_close(
        vae.elbo(x, u, eps).recon, vae.decoder(z).log_prob(x[..., 2 * D_X : 3 * D_X]), rtol=1e-12, atol=0
    )


def test_the_student_never_sees_u(run):
    vae, dataset = load_vae(run), dataset_of(run.config.data)
    rows = np.arange(50)
    for u in (dataset.u, np.zeros_like(dataset.u)):
        other = dataclasses.replace(dataset, u=u)
        np.testing.assert_array_equal(encoder_means(vae, other, rows), encode(vae, dataset, rows)[0])
    x = torch.zeros(2, 1, 4 * D_X)
    teacher = [vae.encoder(x, torch.full((2, 1, 1), value)).mu for value in (0.0, 1.0)]
    assert not torch.equal(*teacher)


@pytest.mark.slow
def test_the_student_approaches_its_teacher(recording, tmp_path):
    """After training, e(x) explains most of the teacher's mean; it could not if it were not trained."""
    trained = finished(tmp_path / "a", config_of(recording, epochs=40, dropout=0.0))
    vae, dataset = load_vae(trained), dataset_of(recording)
    from dvae_core.analysis.encode import inputs

    with torch.no_grad():
        x, u = inputs(vae, dataset, np.arange(N))
        mu, guess = vae.encoder(x, u).mu, vae.amortised(x, u)
    assert ((guess - mu).square().sum(1) / (mu - mu.mean(1, keepdim=True)).square().sum(1)).max() < 0.5


def test_latents_and_exports_are_those_of_the_student(run):
    latents, dataset, vae = run.latents(), dataset_of(run.config.data), load_vae(run)
    np.testing.assert_allclose(latents["mu_z"], encoder_means(vae, dataset, latents["index"]), atol=1e-6)
    exported = encode_only(run, dataset)
    assert set(exported) == {"mu_z"}
    inside = np.arange(4, 10)  # far from the border of a block, the window is the same
    np.testing.assert_allclose(exported["mu_z"][:, inside], encoder_means(vae, dataset, inside), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder": "x", "student": True}, "learns from a teacher that sees u"),
        ({"net": {"kind": "conv"}, "dropout": 0.5}, "need the MLP"),
        ({"window": [2, -1]}, r"config.model.window\[1\] must be between 0 and 200; got -1"),
    ],
)
def test_settings_that_do_not_fit(settings, message):
    import json

    with pytest.raises(ConfigError, match=message):
        Config.from_json(json.dumps({"model": settings}))


# --- training ---------------------------------------------------------------------------------------------------------


def test_member_seven_is_the_same_alone(run, recording, tmp_path):
    """Masks, order and noise belong to the seed: equal parameters but for the kernels, which differ with p (1e-5)."""
    lone = finished(tmp_path / "lone", config_of(recording, (7,)))
    assert lone.status().step >= 50
    theirs = run.weights()
    for name, weight in lone.weights().items():
        expected = theirs[name] if weight.shape == theirs[name].shape else theirs[name][1:2]
        np.testing.assert_allclose(weight, expected, atol=1e-5, err_msg=name)


@pytest.mark.slow
def test_a_stopped_run_resumes_bit_for_bit(run, recording, tmp_path):
    again = runs.create(tmp_path / "again", run.config)
    training = train(again)
    for _ in range(4):
        next(training)
    training.close()
    assert again.status().state == "stopped"
    for _ in train(again):
        pass
    for name, weight in run.weights().items():
        np.testing.assert_array_equal(again.weights()[name], weight, err_msg=name)


@pytest.mark.slow
def test_dropout_hides_its_share_of_the_inputs_and_keeps_their_mean(recording):
    from dvae_core.training.engine import Batches

    config, dataset = config_of(recording), dataset_of(recording)
    parts = split(dataset, "blocks")
    vae = Vae(config, Sizes(D_X, 1))
    batches = Batches(dataset, parts.train, vae, torch.device("cpu"), stretches(dataset, parts))
    keep = torch.stack([batches.dropped(step) for step in range(200)])
    assert keep.shape == (200, 2, 16, 4 * D_X)
    # 150,000 draws of a coin of .3: a standard error of .0012
    assert (keep == 0).float().mean().item() == pytest.approx(0.3, abs=0.006)
    assert keep.mean().item() == pytest.approx(1, abs=0.01)
    assert not torch.equal(keep[0], keep[1])
    assert not torch.equal(keep[:, 0], keep[:, 1])


# --- independent starts -----------------------------------------------------------------------------------------------


def started(start: str, recording, seeds) -> Vae:
    config, dataset = config_of(recording, seeds, window=(0, 0), start=start), dataset_of(recording)
    vae = Vae(config, Sizes(D_X, 1))
    initialise(vae, torch.from_numpy(dataset.x_float()), torch.tensor(dataset.u_features()))
    return vae


def test_random_starts_share_nothing_and_have_both_orientations(recording):
    seeds = tuple(range(12))
    vae = started("random", recording, seeds)
    A = vae.encoder_net.skip.weight.detach().double()
    h = vae.scaling(torch.from_numpy(dataset_of(recording).x_float())).double()
    z = (h - h.mean(0)) @ A
    covariance = z.mT @ z / (N - 1)
    # white latents; float32 weights
    torch.testing.assert_close(covariance, torch.eye(2).double().expand(12, -1, -1), atol=1e-4, rtol=0)
    span = torch.linalg.qr(A)[0]
    overlap = torch.linalg.svdvals(span[0].T @ span[1])
    assert overlap.min() < 0.9  # members of the other start have the span of the components in common: 1
    common = torch.linalg.qr(started("components", recording, seeds).encoder_net.skip.weight.detach().double())[0]
    assert torch.linalg.svdvals(common[0].T @ common[1]).min() > 0.999
    maps = torch.linalg.lstsq(A[:1].expand(12, -1, -1), A).solution
    signs = torch.linalg.det(maps).sign().tolist()
    assert set(signs[1:]) == {1.0, -1.0}  # 11 fair coins all alike: one time in 1,000


def test_log_rates_start_without_a_linear_path_and_preprocessed_x_at_its_regression(recording):
    assert started("random", recording, (0,)).decoder_net.skip.weight.abs().max() == 0
    x = torch.randn(300, 4, generator=torch.Generator().manual_seed(0)) @ torch.diag(torch.tensor([3.0, 1, 1, 1]))
    vae = Vae(Config(model=ModelConfig(start="random"), train=TrainConfig(seeds=(0,), betas=(1.0,))), Sizes(4))
    initialise(vae, x)
    h = vae.scaling(x).double()
    z = (h - h.mean(0)) @ vae.encoder_net.skip.weight[0].detach().double()
    expected = torch.linalg.lstsq(z, h - h.mean(0)).solution
    torch.testing.assert_close(vae.decoder_net.skip.weight[0].detach().double(), expected, atol=1e-4, rtol=0)


# --- the two goals ----------------------------------------------------------------------------------------------------


def test_each_goal_is_a_whole_recipe(recording):
    dataset = dataset_of(recording)
    axes, reading = (recipes.for_dataset(recording, dataset, goal=goal, members=6) for goal in ("axes", "reading"))
    assert (axes.prior, reading.prior) == (GaussianPrior(modulate="variance"), GaussianPrior(modulate="both"))
    for config in (axes, reading):
        model = config.model
        assert (model.window, model.student, model.encoder, model.start) == ((5, 4), True, "xu", "random")
        assert model.dropout == 0.5  # 400 rows for 60 inputs: fewer than 20 rows an input
        assert config.members == 6
    chosen = recipes.for_dataset(recording, dataset, goal="axes", latents=3, dropout=0.1, epochs=7)
    assert (chosen.model.latents, chosen.model.dropout, chosen.train.epochs) == (3, 0.1, 7)


def test_a_goal_needs_u_and_time(recording):
    dataset = dataset_of(recording)
    with pytest.raises(ConfigError, match="must be one of axes, reading; got 'truth'"):
        recipes.for_dataset(recording, dataset, goal="truth")
    with pytest.raises(ConfigError, match="about what u does"):
        recipes.for_dataset(recording, dataset, "vae", goal="axes")
    with pytest.raises(ConfigError, match="states no sampling rate"):
        recipes.for_dataset(recording, dataclasses.replace(dataset, rate_hz=None), goal="axes")


def test_a_goal_and_a_prior_exclude_each_other(recording, tmp_path, capsys):
    from dvae_core.cli import main

    command = ["train", "--data", recording.path, "--x", "x", "--u", "u", "--rate", "10", "--for", "axes"]
    assert main([*command, "--modulate", "mean", "--out", str(tmp_path / "a")]) == 2
    assert "--for axes decides the prior" in capsys.readouterr().err
