"""A prior over pairs of neighbouring rows: its density in closed form, its pairs, and what it does to a rotation."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch.distributions import Laplace, MultivariateNormal, Normal, kl_divergence

from dvae_core import metrics, recipes, runs
from dvae_core.analysis.rotation.compute import rotation
from dvae_core.analysis.rotation.record import Rotation, file_name
from dvae_core.analysis.rotation.twin import twin
from dvae_core.analysis.score.record import Scores
from dvae_core.cli import main
from dvae_core.config import (
    Config,
    GaussianLikelihood,
    MemoriesData,
    MlpNet,
    ModelConfig,
    StandardPrior,
    TimePrior,
    TrainConfig,
)
from dvae_core.data.dataset import DataError, Dataset
from dvae_core.data.load import dataset_of
from dvae_core.data.split import split
from dvae_core.data.windows import neighbours, paired, stretches
from dvae_core.data.worlds.memories import memories
from dvae_core.identify.rotation import rotate, rotation_matrix
from dvae_core.model.nets import Sizes
from dvae_core.model.posterior import Posterior
from dvae_core.model.start import initialise
from dvae_core.model.time_prior import GivenPairs, OverTime
from dvae_core.model.vae import Vae, log_weights
from dvae_core.runs import RunError
from dvae_core.training.checkpoint import load_vae
from dvae_core.training.engine import Batches
from dvae_core.training.train import train
from tests.helpers import finish, trained_run

P, N, D_Z = 2, 8, 3
DATA = MemoriesData(memory=(0.9, 0.3), n=400)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pairs(*, laplace: bool = False, shuffle: bool = False) -> GivenPairs:
    memory = torch.tensor([[0.9, 0.2, -0.4], [0.0, 0.5, 0.7]], dtype=torch.float64)[:, None]
    scale = torch.tensor([[-0.3, 0.2, 0.0], [-1.0, 0.1, 0.5]], dtype=torch.float64)[:, None] if laplace else None
    return GivenPairs(memory, scale, shuffle)


def population(prior, *, posterior: str = "gauss-newton", like: Vae | None = None) -> Vae:
    """Untrained members in float64 on six columns, with the weights of `like` where it is given."""
    model = ModelConfig(latents=D_Z, net=MlpNet(hidden=8), posterior=posterior, likelihood=GaussianLikelihood(std=0.5))
    vae = Vae(Config(model=model, prior=prior, train=TrainConfig(seeds=(0, 1), betas=(1.0, 1.0))), Sizes(6, 0, False))
    initialise(vae, noise(40, 6).float())
    if like is not None:
        vae.load_state_dict(like.state_dict(), strict=False)
    return vae.double()


# --- the density ------------------------------------------------------------------------------------------------------


def test_a_pair_is_a_gaussian_with_covariance_i_a_a_i():
    given, z = pairs(), noise(P, N, D_Z)
    found = given.log_prob(z).sum(-1).unflatten(1, (-1, 2)).sum(-1)
    for m in range(P):
        A, eye = torch.diag(given.memory[m, 0]), torch.eye(D_Z, dtype=torch.float64)
        cov = torch.cat([torch.cat([eye, A], 1), torch.cat([A, eye], 1)])
        both = torch.cat([z[m, 0::2], z[m, 1::2]], 1)
        expected = MultivariateNormal(torch.zeros(2 * D_Z, dtype=torch.float64), cov).log_prob(both)
        torch.testing.assert_close(found[m], expected, rtol=1e-10, atol=1e-10)  # a Cholesky factor's rounding


def test_laplace_innovations_have_their_scale():
    given, z = pairs(laplace=True), noise(P, N, D_Z)
    found = given.log_prob(z)
    torch.testing.assert_close(found[:, 0::2], Normal(0, 1).log_prob(z[:, 0::2]))
    step = Laplace(given.memory * z[:, 0::2], torch.exp(given.log_scale)).log_prob(z[:, 1::2])
    torch.testing.assert_close(found[:, 1::2], step)


def test_the_kl_of_a_pair_is_that_of_gaussians():
    """Full q: both rows' marginals and dependence together are the KL of the block-diagonal q from the pair."""
    given = pairs()
    factor = torch.tril(0.3 * noise(P, N, D_Z, D_Z, seed=1)) + 0.5 * torch.eye(D_Z, dtype=torch.float64)
    q = Posterior(noise(P, N, D_Z), factor, torch.log(torch.diagonal(factor, dim1=-2, dim2=-1).abs()).sum(-1))
    found = (given.kl_from(q, q.mu).sum(-1) + q.dependence).unflatten(1, (-1, 2)).sum(-1)
    S = factor @ factor.mT
    for m in range(P):
        A, eye = torch.diag(given.memory[m, 0]), torch.eye(D_Z, dtype=torch.float64)
        cov = torch.cat([torch.cat([eye, A], 1), torch.cat([A, eye], 1)])
        for k in range(N // 2):
            block = torch.block_diag(S[m, 2 * k], S[m, 2 * k + 1])
            mine = MultivariateNormal(q.mu[m, 2 * k : 2 * k + 2].flatten(), block)
            expected = kl_divergence(mine, MultivariateNormal(torch.zeros(2 * D_Z, dtype=torch.float64), cov))
            torch.testing.assert_close(found[m, k], expected, rtol=1e-9, atol=1e-9)


def test_the_kl_with_laplace_innovations_is_its_integral():
    given = pairs(laplace=True)
    q = Posterior(noise(P, N, D_Z), 0.2 + noise(P, N, D_Z, seed=1).abs(), torch.zeros(P, N))
    found = given.kl_from(q, q.mu)[:, 1::2]
    mean = q.mu[:, 1::2] - given.memory * q.mu[:, 0::2]
    sd = (q.var[:, 1::2] + given.memory.square() * q.var[:, 0::2]).sqrt()
    t = torch.linspace(-8, 8, 8001, dtype=torch.float64)
    log_p = Laplace(0.0, torch.exp(given.log_scale)).log_prob(
        mean[..., None].movedim(-1, 0) + sd * t[:, None, None, None]
    )
    expected = torch.trapezoid(log_p * torch.exp(Normal(0, 1).log_prob(t))[:, None, None, None], t, dim=0)
    # steps of 0.002 leave 1e-6 at the kink
    torch.testing.assert_close(found, -q.entropy[:, 1::2] - expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("laplace", [False, True])
def test_newton_is_the_slope_and_curvature_of_a_rows_own_prior(laplace):
    z = noise(P, N, D_Z).requires_grad_()
    slope, precision = pairs(laplace=laplace).newton(z)
    (expected,) = torch.autograd.grad(Normal(0, 1).log_prob(z).sum(), z)
    torch.testing.assert_close(slope, expected)
    assert (precision == 1).all()


@pytest.mark.parametrize("laplace", [False, True])
def test_samples_have_the_memories(laplace):
    given = pairs(laplace=laplace)
    v = torch.rand(P, 40_000, D_Z, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    z = given.sample(v)
    before, after = z[:, 0::2], z[:, 1::2]
    slope = (before * after).mean(1) / before.square().mean(1)
    # 20,000 pairs: the slope's standard error is below .01 for innovations of std 1.5
    torch.testing.assert_close(slope, given.memory[:, 0], rtol=0, atol=0.05)
    if not laplace:
        torch.testing.assert_close(after.var(1), torch.ones(P, D_Z, dtype=torch.float64), rtol=0, atol=0.05)


def test_shuffled_pairs_are_those_of_other_rows():
    z = noise(P, N, D_Z)
    given, control = pairs(), pairs(shuffle=True)
    moved = torch.stack([z[:, 0::2].roll(N // 4, 1), z[:, 1::2]], 2).flatten(1, 2)
    torch.testing.assert_close(control.log_prob(z).sum(1), given.log_prob(moved).sum(1))
    v = torch.special.ndtr(z)
    drawn = control.sample(v)
    torch.testing.assert_close(drawn[:, 0::2], z[:, 0::2])
    step = (1 - given.memory.square()).sqrt() * z[:, 1::2]
    torch.testing.assert_close(drawn[:, 1::2], given.memory * z[:, 0::2].roll(N // 4, 1) + step)


def test_rows_must_come_in_pairs():
    with pytest.raises(ValueError, match="rows in pairs of neighbours; got 7 rows"):
        pairs().log_prob(noise(P, 7, D_Z))


# --- the bound --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("posterior", ["diagonal", "full", "gauss-newton"])
def test_without_memory_it_is_the_plain_vae(posterior):
    over_time = population(TimePrior(), posterior=posterior)
    with torch.no_grad():
        over_time.prior.raw.zero_()
    plain = population(StandardPrior(), posterior=posterior, like=over_time)
    x, eps = noise(P, N, 6, seed=2), noise(P, N, D_Z, seed=3)
    ours, theirs = over_time.elbo(x, None, eps), plain.elbo(x, None, eps)
    torch.testing.assert_close(ours.elbo, theirs.elbo, rtol=1e-12, atol=1e-12)  # the same sums in another order
    torch.testing.assert_close(ours.kl_latent, theirs.kl_latent, rtol=1e-12, atol=1e-12)


@torch.no_grad()
def test_the_bound_is_the_mean_over_the_samples_of_a_pair():
    """E_q[log p(x, x') + log p(z, z') - log q q'], by 20,000 samples, against the bound with its closed-form KL."""
    vae = population(TimePrior(innovations="laplace"), posterior="full")
    x = noise(1, 2, 6, seed=2).expand(P, -1, -1).repeat(1, 20_000, 1)
    eps = noise(P, 40_000, D_Z, seed=3)
    log_w = log_weights(vae, x, None, eps[None], vae.encoder(x))[0].unflatten(1, (-1, 2)).sum(-1)
    bound = vae.elbo(x, None, eps).elbo.unflatten(1, (-1, 2)).sum(-1)
    error = (log_w - bound).std(1) / math.sqrt(20_000)
    assert ((log_w - bound).mean(1).abs() < 4 * error).all()
    assert (error < 0.05).all()


@torch.no_grad()
def test_a_rotation_costs_nats_unless_memories_are_equal():
    vae = population(TimePrior(), posterior="full")
    x, eps = noise(P, 200, 6, seed=2), noise(P, 200, D_Z, seed=3)
    quarter = rotation_matrix(D_Z, 30.0, (0, 1))
    vae.prior.raw.copy_(torch.atanh(torch.tensor([0.9, 0.2, 0.5])).expand(P, -1))
    cost = vae.elbo(x, None, eps).elbo - rotate(vae, quarter).elbo(x, None, eps).elbo
    assert cost.mean(1).abs().min() > 0.01
    vae.prior.raw.copy_(torch.atanh(torch.tensor([0.6, 0.6, 0.1])).expand(P, -1))
    same = vae.elbo(x, None, eps).elbo - rotate(vae, quarter).elbo(x, None, eps).elbo
    # each pair's bound stays: M A M^T = A in this plane; single rows of it need not
    assert same.unflatten(1, (-1, 2)).sum(-1).abs().max() < 1e-5  # the twin's rotation is stored in single precision


# --- pairs of rows ----------------------------------------------------------------------------------------------------


def test_pairs_leave_no_stretch():
    stretch = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 2])
    rows = np.array([0, 1, 2, 3, 4, 5, 7, 8, 9])
    assert neighbours(stretch, rows).tolist() == [0, 1, 3, 6, 7]
    assert paired(stretch, rows).tolist() == [0, 1, 3, 4, 7, 8]
    with pytest.raises(DataError, match="No two rows"):
        neighbours(stretch, np.array([0, 2, 5, 7, 9]))


def test_training_pairs_are_neighbours_in_the_training_rows_of_one_trial(tmp_path):
    rng = np.random.default_rng(0)
    index = np.arange(300) + 5 * (np.arange(300) >= 140)  # five rows are missing
    trial = np.repeat(np.arange(10), 30)
    data = Dataset("trials", rng.standard_normal((300, 3)).astype(np.float32), rate_hz=10.0, index=index, trial=trial)
    parts = split(data, "trials")
    config = recipes.for_dataset(DATA, data, "vae", prior="time", batch=32, split="trials")
    vae = Vae(config, Sizes(3, 0, False))
    batches = Batches(data, parts.train, vae, torch.device("cpu"), stretches(data, parts))
    drawn = np.concatenate([batches.drawn(step)[0].numpy() for step in range(batches.steps_per_epoch)], 1)
    before, after = parts.train[drawn[:, 0::2]], parts.train[drawn[:, 1::2]]
    assert (after == before + 1).all()
    assert (trial[before] == trial[after]).all()
    assert not (before == 139).any()
    assert np.isin(before, parts.train).all()
    assert np.isin(after, parts.train).all()
    per_trial = 8 * 29 - 1 + int(139 not in parts.train)  # 8 of 10 trials; one pair lies over the gap
    assert batches.examples == per_trial
    assert drawn.shape[1] == batches.steps_per_epoch * 64


# --- runs -------------------------------------------------------------------------------------------------------------


def small(prior=None, **settings) -> Config:
    config = recipes.over_time(DATA, prior, members=2)
    changed = {"epochs": 4, "batch": 32} | settings
    return dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, net=MlpNet(hidden=6)),
        train=dataclasses.replace(config.train, **changed),
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> runs.Run:
    return trained_run(tmp_path_factory.mktemp("time") / "run", small(), score=True)


def test_a_run_holds_its_memories_and_its_bound(run):
    latents, scored = run.latents(), Scores.of(run)
    assert run.config.model_name == "VAE over time"
    assert latents["memory"].shape == (2, 2)
    assert (np.abs(latents["memory"]) < 1).all()
    pairs_of = latents["index"].reshape(-1, 2)
    assert (pairs_of[:, 1] == pairs_of[:, 0] + 1).all()
    assert (np.diff(latents["index"]) > 0).all()
    for record, bound in zip(scored.members, latents["elbo"], strict=True):
        # other noise and, of long data, other rows: eight samples a row leave a few hundredths
        assert record.elbo == pytest.approx(bound, abs=0.1)
    history = run.history()
    assert set(history["split"]) == {"train", "held_out"}


@pytest.mark.slow
def test_a_stopped_run_resumes_bit_for_bit(run, tmp_path):
    other = runs.create(tmp_path / "other", run.config)
    training = train(other)
    for progress in training:
        if progress.step >= progress.steps // 2:
            break
    training.close()
    finish(other)
    ours, theirs = other.weights(), run.weights()
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


def test_a_loaded_run_decodes_as_it_did(run):
    vae = load_vae(run)
    assert isinstance(vae.prior, OverTime)
    np.testing.assert_allclose(vae.prior.memory.detach().numpy(), run.latents()["memory"], rtol=1e-6)


@pytest.mark.slow
def test_the_curve_against_the_angle_bends_and_a_twin_is_refused(run):
    for _ in rotation(run, step=45.0):
        pass
    found = Rotation.load(run, file_name(0, (0, 1)))
    assert found.elbo_diagonal is None
    assert np.isfinite([found.log_px, found.elbo]).all()
    # importance sampling raises the bound; their difference has the noise of 16 samples a row
    assert (found.log_px > found.elbo - 0.1).all()
    with pytest.raises(RunError, match="not rotation-invariant"):
        list(twin(run))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--data", "sources,segments=2,per_segment=20", "--prior", "time"],
            "A prior over time needs rows in time order",
        ),
        (["--data", "memories,n=200", "--prior", "time", "--split", "random"], "neighbouring rows on the same side"),
        (["--data", "memories,n=200", "--prior", "time", "--model", "ivae"], "--prior time needs no u"),
        (
            ["--data", "memories,n=200", "--prior", "time", "--samples", "3"],
            "set the objective to elbo and samples to 1",
        ),
        (["--data", "memories,n=200", "--shuffle-time", "--model", "vae"], "--shuffle-time is about the time prior"),
        (["--data", "memories,memory=[0.5,1.5]"], "memory[1] must be between 0 and 0.999; got 1.5"),
    ],
)
def test_bad_settings_get_one_sentence(tmp_path, capsys, options, message):
    assert main(["train", *options, "--epochs", "1", "--out", str(tmp_path / "run")]) == 2
    output = capsys.readouterr().err
    assert message in output
    assert output.strip().count("\n") == 0


def test_the_command_line_trains_over_time(tmp_path):
    options = ["--prior", "time", "--shuffle-time", "--innovations", "laplace", "--epochs", "1", "--members", "1"]
    assert main(["train", "--data", "memories,n=200", *options, "--out", str(tmp_path / "run")]) == 0
    assert runs.Run(tmp_path / "run").config.prior == TimePrior(innovations="laplace", shuffle=True)


def test_series_have_the_requested_memories():
    z = memories(memory=(0.9, 0.5, 0.0), n=20_000, seed=1).z
    lagged = [np.corrcoef(z[:-1, i], z[1:, i])[0, 1] for i in range(3)]
    # four standard errors: sqrt((1 - a^2) / n) of a memory is at most .007, that of the std of a = .9 about .015
    np.testing.assert_allclose(lagged, [0.9, 0.5, 0.0], atol=0.03)
    np.testing.assert_allclose(z.std(0), 1.0, atol=0.06)
    again = memories(memory=(0.9, 0.5, 0.0), n=20_000, seed=1)
    assert np.array_equal(z, again.z)
    with pytest.raises(ValueError, match="at least 0 and below 1"):
        memories(memory=(1.0,))


@pytest.mark.slow
def test_linear_mixtures_of_gaussians_are_undone_by_their_memories(tmp_path):
    """Nothing else could: x is Gaussian and white, so PCA and FastICA have no axes to find."""
    data = MemoriesData(memory=(0.9, 0.0), n=2000, layers=1, seed=3)
    model = {"net": MlpNet(hidden=6, depth=1), "likelihood": GaussianLikelihood(std=0.3), "posterior": "full"}
    how = {"members": 2, "batch": 64, "epochs": 10, "lr": 2e-2, "optimiser": "adam"}
    found = {}
    for name, prior in (("time", TimePrior()), ("shuffled", TimePrior(shuffle=True))):
        config = recipes.for_dataset(data, dataset_of(data), "vae", prior=prior, **model, **how)
        latents = trained_run(tmp_path / name, config).latents()
        found[name] = [metrics.mcc(latents["z_true"].astype(float), mu.astype(float)).value for mu in latents["mu_z"]]
        if name == "time":
            memory = np.sort(latents["memory"], 1)
            assert (memory[:, 0] < 0.2).all()  # measured .01 and -.01, .78 and .81 after 230 steps
            assert (memory[:, 1] > 0.6).all()
    assert min(found["time"]) > 0.95  # measured .99 and 1.00
    assert np.mean(found["shuffled"]) < 0.93  # measured .83 and .94; a random rotation scores .90 on average


@pytest.mark.slow
def test_time_finds_the_axes_and_shuffled_time_does_not(tmp_path):
    data = MemoriesData(seed=1)
    found = {}
    for name, prior in (("time", TimePrior()), ("shuffled", TimePrior(shuffle=True))):
        latents = trained_run(tmp_path / name, recipes.over_time(data, prior, members=4)).latents()
        found[name] = [metrics.mcc(latents["z_true"].astype(float), mu.astype(float)).value for mu in latents["mu_z"]]
        if name == "time":
            assert np.ptp(np.sort(latents["memory"], 1), axis=0).max() < 0.05  # every seed finds the same memories
    assert min(found["time"]) > 0.97  # measured .98 to .99
    assert np.mean(found["shuffled"]) < 0.96  # a random rotation of two factors scores .90 on average
    assert np.std(found["shuffled"]) > 3 * np.std(found["time"])
