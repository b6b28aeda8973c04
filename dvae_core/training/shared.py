"""Take the prior p(z|u) of another run: the latents of a new session then follow u as those of that run do."""

from pathlib import Path

import torch

from dvae_core.config import GaussianPrior
from dvae_core.data.dataset import Dataset
from dvae_core.model.vae import Vae
from dvae_core.runs import Run, RunError
from dvae_core.runs.data import same_u


def take_prior(vae: Vae, dataset: Dataset) -> None:
    """Set the prior of every member, and the scaling of u that it is given, to those that the settings name.

    Raises:
        RunError: If that run is missing, or its prior is of another kind, other latents or another u.
    """
    prior = vae.config.prior
    assert isinstance(prior, GaussianPrior)
    other = Run(Path(prior.shared))
    if not (other.path / "config.json").is_file():
        raise RunError(f"The run whose prior is shared is not at {other.path}; put it back, or train a prior here.")
    _check(other, vae, dataset)
    weights = other.weights()
    with torch.no_grad():
        for name, own in vae.prior.state_dict().items():
            taken = torch.from_numpy(weights[f"prior.{name}"][prior.shared_member].copy())
            own.copy_(taken.expand_as(own))
        for name in ("u_mean", "u_scale"):
            getattr(vae.scaling, name).copy_(torch.from_numpy(weights[f"scaling.{name}"].copy()))


def _check(other: Run, vae: Vae, dataset: Dataset) -> None:
    theirs, prior = other.config, vae.config.prior
    assert isinstance(prior, GaussianPrior)
    if other.kind == "latents" or not isinstance(theirs.prior, GaussianPrior):
        raise RunError(f"{other.title} has no Gaussian p(z|u) that another run could share; choose an iVAE.")
    if not prior.shared_member < theirs.members:
        raise RunError(f"{other.title} has members 0 to {theirs.members - 1}; got {prior.shared_member}.")
    ours, known = (vae.config.model.latents, prior.modulate), (theirs.model.latents, theirs.prior.modulate)
    if ours != known or (not dataset.has_labels and prior.hidden != theirs.prior.hidden):
        raise RunError(
            f"The prior of {other.title} has {known[0]} latents of which u changes {known[1]}, and this model "
            f"{ours[0]} and {ours[1]}; give both the same settings."
        )
    same_u(other, dataset)
