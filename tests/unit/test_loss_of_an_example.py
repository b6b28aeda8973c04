"""The loss of one example in the browser: its parts against the model's own densities."""

import base64
import dataclasses

import numpy as np
import pytest
import torch

from dvae_core import runs
from dvae_core.analysis.latents import held_out
from dvae_core.live.explorer import ExplorerState
from dvae_core.live.loss import loss_of
from dvae_core.model.likelihoods import LOG_STD_MIN
from dvae_core.training.checkpoint import load_vae

ROW, MEMBER = 7, 2


def test_both_bars_equal_the_models_densities():
    run = runs.find("digits-beta-vae")
    loss, vae = loss_of(run, ROW), load_vae(run).double()
    latents = held_out(run)
    x = torch.from_numpy(latents["x"][ROW]).double().expand(vae.p, 1, -1)
    with torch.no_grad():
        q = vae.encoder(x)
        at_mean = vae.decoder(q.mu)
        # -log p(x|z) less its value for a perfect picture
        recon = (at_mean.log_prob(at_mean.mean) - at_mean.log_prob(x))[:, 0].numpy()
        f, mu = at_mean.mean[:, 0].numpy(), q.mu[:, 0].numpy()
        kl = torch.distributions.kl_divergence(
            torch.distributions.Normal(q.mu, q.factor), torch.distributions.Normal(0.0, 1.0)
        ).sum(-1)[:, 0].numpy()  # fmt: skip
    squares = 0.5 * np.square((latents["x"][ROW] - f) / loss.noise).sum(1)
    np.testing.assert_allclose(squares, recon, rtol=1e-5)  # the weights are float32
    mine = 0.5 * (mu**2 + loss.std**2 - 2 * np.log(loss.std) - 1).sum(1)
    np.testing.assert_allclose(mine, kl, rtol=1e-3)  # std_z in latents.npz is float32, from float32 nets
    assert loss.betas == run.config.train.betas
    assert np.log(loss.noise.min()) > LOG_STD_MIN  # no clamp is at work


def test_a_run_whose_loss_is_not_two_bars_has_none():
    assert loss_of(runs.find("talk-vae"), 0) is None  # a Gauss-Newton q on whitened x
    assert loss_of(runs.find("talk-ivae"), 0) is None  # a conditional prior


@pytest.mark.parametrize("mode", ["sliders", "pad"])
def test_the_browser_gets_it_only_where_it_follows_the_sliders(mode):
    run = runs.find("digits-beta-vae")
    loss = loss_of(run, 0)
    plan = {"id": "a", "members": 4, "d_z": 8, "d_x": 784, "x_shape": [28, 28], "likelihood": "gaussian"}
    latents = [{"index": i, "label": f"z{i + 1}", "kl": 1.0, "dead": False} for i in range(8)]
    state = ExplorerState(latents=latents, reference=held_out(run)["x"][0], mode=mode, loss=loss)
    sent = state.data(plan)["loss"]
    if mode == "pad":
        assert sent is None
        return
    noise = np.frombuffer(base64.b64decode(sent["noise"]["f32"]), "<f4").reshape(4, 784)
    np.testing.assert_allclose(noise, loss.noise, rtol=1e-6)
    assert dataclasses.replace(state, loss=None).data(plan)["loss"] is None
