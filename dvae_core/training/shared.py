"""Take the prior p(z|u) of another run: the latents of a new session then follow u as those of that run do."""

from collections.abc import Sequence
from pathlib import Path

import torch

from dvae_core.config import GaussianPrior
from dvae_core.data.dataset import Dataset
from dvae_core.model.vae import Vae
from dvae_core.runs import Run, RunError


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
    about = other.about
    names, labels = list(dataset.u_names), list(dataset.u_labels)
    their_names, their_labels = (list(about.get(key) or ()) for key in ("u_names", "u_labels"))
    kinds = (dataset.has_labels, list(dataset.u_period)), (bool(about["has_labels"]), list(about.get("u_period") or ()))
    if (names, labels) != (their_names, their_labels) or kinds[0] != kinds[1]:
        raise RunError(
            f"{dataset.name} has u = {', '.join(names)}{_labels(labels)} and {other.title} u = {', '.join(their_names)}"
            f"{_labels(their_labels)}; a shared prior needs the same u, with the same names and labels."
        )


def _labels(names: Sequence[str]) -> str:
    return f" ({', '.join(names[:6])}{' ...' if len(names) > 6 else ''})" if names else ""
