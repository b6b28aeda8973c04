"""The playground's engine computes the library's bound, its gradient and its steps.

JavaScript works in float64 here, as torch does: the gradient is then the same to rounding, and a tolerance of 1e-5
leaves room for nothing but that. In a page the parameters are float32.
"""

import dataclasses
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from dvae_core import recipes
from dvae_core.config import GaussianLikelihood, MlpNet, SourcesData, TimePrior
from dvae_core.data.load import dataset_of
from dvae_core.data.split import split
from dvae_core.model.nets import Sizes
from dvae_core.model.objectives import loss_weights, objective
from dvae_core.model.start import initialise
from dvae_core.model.vae import Vae
from dvae_core.training.engine import Batches, Engine, one_cycle

CLI = Path(__file__).parents[1] / "js" / "playground_cli.js"
DATA = SourcesData(n_latents=2, segments=4, per_segment=60, modulate="both", seed=3)
SEEDS = (3, 8)
BETA = 1.7
POSTERIORS = ("diagonal", "full", "gauss-newton")


def config_of(posterior, prior, *, dataset=None, steps=60):
    dataset = dataset_of(DATA) if dataset is None else dataset
    config = recipes.for_dataset(
        DATA, dataset, "ivae" if prior == "u" else "vae", betas=(BETA, BETA), seeds=SEEDS, posterior=posterior,
        net=MlpNet(hidden=6), likelihood=GaussianLikelihood(), batch=32, lr=1.5e-2, preprocess="whiten",
    )  # fmt: skip
    config = dataclasses.replace(config, prior=TimePrior()) if prior == "time" else config
    return dataclasses.replace(config, train=dataclasses.replace(config.train, epochs=max(1, steps // 6)))


def asked_of(node_path, vae, dataset, parts, prior, *, rows, eps, steps):
    """The answer of the engine for this model's parameters, batches and noise."""
    config = vae.config
    settings = {
        "posterior": config.model.posterior, "prior": prior, "beta": BETA, "steps": 60, "batch": 32,
        "rate": config.train.lr, "hidden": 6, "shuffleTime": False, "optimiser": config.train.optimiser,
    }  # fmt: skip
    u = None if dataset.u is None else np.unique(dataset.u, return_inverse=True)[1].ravel()
    world = {
        "x": dataset.x.ravel().tolist(), "n": dataset.n, "dx": dataset.d_x, "dz": config.model.latents,
        "u": None if u is None else u.tolist(), "segments": 0 if u is None else int(u.max()) + 1,
    }  # fmt: skip
    given = {name: value.detach().flatten().tolist() for name, value in vae.named_parameters()}
    asked = {
        "world": world, "settings": settings, "seeds": SEEDS, "parameters": given, "double": True, "steps": steps,
        "heldOut": parts.held_out.tolist(), "rows": rows.tolist(), "eps": eps.flatten(2).tolist(),
    }  # fmt: skip
    run = subprocess.run([node_path, str(CLI)], input=json.dumps(asked), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout)


def model_of(config, dataset, parts):
    """A model whose parameters are far from their start: biases and covariances matter, Newton steps are cut."""
    x, u = torch.tensor(dataset.x), dataset.u_features()
    vae = Vae(config, Sizes(dataset.d_x, 0 if u is None else u.shape[1], labels=u is not None))
    initialise(vae, x[parts.train], None if u is None else torch.from_numpy(u)[parts.train])
    vae.double().train()
    noise = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in vae.parameters():
            value += 0.3 * torch.randn(value.shape, generator=noise, dtype=value.dtype)
    return vae


def use_scaling(vae, found):
    """Preprocess as the engine does. Whitening is free in its axes, so that it is taken over, once it is one."""
    x_forward = torch.tensor(found["forward"], dtype=torch.float64).view(vae.sizes.d_x, -1)
    ours = vae.scaling.x_forward
    assert torch.allclose(x_forward @ x_forward.T, ours @ ours.T, rtol=1e-5)  # torch fits it in float32
    assert found["logDet"] == pytest.approx(float(vae.scaling.x_log_det), abs=1e-5)
    vae.scaling.x_mean.copy_(torch.tensor(found["mean"], dtype=torch.float64))
    vae.scaling.x_forward.copy_(x_forward)
    vae.scaling.x_log_det.fill_(found["logDet"])


def gradients(node_path, posterior, prior):
    """The largest difference of each parameter's gradient, relative to its largest entry, and of the bounds."""
    dataset = dataset_of(DATA)
    parts = split(dataset, "random")
    vae = model_of(config_of(posterior, prior), dataset, parts)
    rng = np.random.default_rng(0)
    firsts = rng.integers(0, dataset.n - 1, (2, 20))
    # pairs for the prior in time; 40 rows are more than the engine takes at once
    rows = np.stack([firsts, firsts + 1], -1).reshape(2, 40)
    eps = torch.from_numpy(rng.standard_normal((2, 40, 2)))
    named = dict(vae.named_parameters())
    found = asked_of(node_path, vae, dataset, parts, prior, rows=rows[None], eps=eps[None], steps=0)
    use_scaling(vae, found["scaling"])
    x = torch.from_numpy(dataset.x.astype(float))[rows]
    u = torch.from_numpy(dataset.u_features()).double()[rows] if prior == "u" else None
    elbo, loss = objective(vae, x, u, eps, loss_weights(vae.config.train).double(), dataset.n)
    bound = elbo.elbo.mean(1)
    wanted = torch.autograd.grad(loss.sum(), list(named.values()))
    assert sorted(found["gradient"]) == sorted(named)
    worst = {
        name: float((torch.tensor(found["gradient"][name]).double() - g.flatten()).abs().max() / g.abs().max())
        for name, g in zip(named, wanted, strict=True)
    }
    return worst, np.abs(np.array(found["bounds"][0]) - bound.detach().numpy()).max()


@pytest.mark.slow
@pytest.mark.parametrize("prior", ["normal", "u", "time"])
@pytest.mark.parametrize("posterior", POSTERIORS)
def test_every_gradient_is_torchs(posterior, prior, node_path):
    worst, bound = gradients(node_path, posterior, prior)
    print(f"{posterior}, {prior}: gradients differ by at most {max(worst.values()):.1e}, bounds by {bound:.1e} nats")
    assert max(worst.values()) < 1e-5
    assert bound < 1e-9


def test_a_wrong_sign_would_be_seen(node_path, tmp_path, monkeypatch):
    """Negative control: the same comparison with the sign of one term turned in a copy of the engine."""
    live = Path(__file__).parents[2] / "dvae_core" / "live" / "playground"
    copy = tmp_path / "dvae_core" / "live" / "playground"
    copy.mkdir(parents=True)
    (tmp_path / "tests" / "js").mkdir(parents=True)
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    for path in live.glob("*.js"):
        (copy / path.name).write_bytes(path.read_bytes())
    (tmp_path / "tests" / "js" / CLI.name).write_bytes(CLI.read_bytes())
    code = (copy / "posterior.js").read_text(encoding="utf-8")
    term = "gradM[at] -= P[at] * y[i];"  # how the prior's pull on the mean changes with the mean
    assert code.count(term) == 1
    (copy / "posterior.js").write_text(code.replace(term, term.replace("-=", "+=")), encoding="utf-8")
    monkeypatch.setattr(f"{__name__}.CLI", tmp_path / "tests" / "js" / CLI.name)
    worst, bound = gradients(node_path, "gauss-newton", "u")
    assert max(worst.values()) > 1e-3
    assert bound < 1e-9  # the bound itself is untouched


@pytest.mark.slow
@pytest.mark.parametrize(("posterior", "optimiser"), [("gauss-newton", "muon"), ("full", "adam")])
def test_fifty_steps_have_the_librarys_losses(posterior, optimiser, node_path):
    """Same start, batches and noise: 50 of 60 steps, past the peak of the schedule, with clipping."""
    dataset = dataset_of(DATA)
    parts = split(dataset, "random")
    config = config_of(posterior, "u")
    config = dataclasses.replace(config, train=dataclasses.replace(config.train, optimiser=optimiser))
    vae = model_of(config, dataset, parts)
    batches = Batches(dataset, parts.train, vae, torch.device("cpu"))
    drawn = [batches.drawn(step)[:2] for step in range(50)]
    rows = np.stack([parts.train[rows.numpy()] for rows, _ in drawn])
    eps = torch.stack([eps.double() for _, eps in drawn])
    found = asked_of(node_path, vae, dataset, parts, "u", rows=rows, eps=eps, steps=50)
    use_scaling(vae, found["scaling"])
    engine = Engine(vae, batches)
    engine.weights = engine.weights.double()
    engine.running_norm = engine.running_norm.double()
    losses = []
    x, u = torch.from_numpy(dataset.x.astype(float)), torch.from_numpy(dataset.u_features()).double()
    for step in range(50):
        at = torch.from_numpy(rows[step])
        with torch.no_grad():
            losses.append(vae.elbo(x[at], u[at], eps[step]).elbo.mean(1).numpy())
        engine.move(x[at], u[at], eps[step], vae.scaling(x[at]), None, one_cycle(step, 60, config.train.lr))
    worst = np.abs(np.array(found["bounds"]) - np.array(losses)).max()
    spread = np.ptp(np.array(losses))
    print(f"{posterior}, {optimiser}: losses move by {spread:.2f} nats and differ by at most {worst:.1e}")
    assert worst < 1e-4
    assert spread > 0.3  # they do move
