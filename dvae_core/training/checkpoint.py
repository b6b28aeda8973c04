"""The files of a run that hold its population: portable weights, and the checkpoint that training resumes from."""

import hashlib

import numpy as np
import torch

from dvae_core.data.dataset import Dataset
from dvae_core.model.nets import Sizes
from dvae_core.model.vae import Vae
from dvae_core.runs import Run, RunError


def load_vae(run: Run) -> Vae:
    """Return the run's trained population, on the CPU, in float32.

    Raises:
        RunError: If there are no weights, or they do not fit the config.
    """
    about = run.about
    shape = about.get("x_shape")
    n_u = len(about["u_labels"]) if about.get("has_labels") else about.get("d_u", 0)
    vae = Vae(run.config, Sizes(about["d_x"], n_u, bool(about.get("has_labels")), tuple(shape) if shape else None))
    try:
        vae.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in run.weights().items()})
    except RuntimeError as error:
        raise RunError(
            f"The weights of run {run.id} do not fit its config.json; one of the two was changed."
        ) from error
    return vae.eval()


def write_weights(run: Run, vae: Vae) -> None:
    """Write every parameter and buffer by name, with its leading member axis."""
    run.write_tensors("weights.safetensors", {k: v.detach().cpu().numpy() for k, v in vae.state_dict().items()})


def restore_scaling(run: Run, vae: Vae) -> None:
    """Scale x and u as the run's stored weights do: an older version may have fitted axes of x with other signs."""
    prefix = "scaling."
    stored = {k.removeprefix(prefix): v for k, v in run.weights().items() if k.startswith(prefix)}
    vae.scaling.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in stored.items()})


def sizes_of(dataset: Dataset) -> Sizes:
    """Return the facts about the data that a model needs."""
    u = dataset.u_features()
    return Sizes(dataset.d_x, 0 if u is None else u.shape[1], dataset.has_labels, dataset.x_shape)


def read_checkpoint(run: Run) -> dict[str, np.ndarray] | None:
    """Return the last checkpoint, or None if no valid one exists. Training then starts again, with the same result."""
    try:
        tensors = run.tensors("resume.safetensors")
        if tensors is None or int(tensors["step"]) == 0:
            return None
        size, *digest = tensors["history"].tolist()
        written = (run.path / "history.csv").read_bytes()[:size]
        key = int(tensors["key"])
        _ = tensors["parameters"]  # missing if it was written with an older layout of the parameters
        run.weights()  # a checkpoint continues with the scaling stored there
    except (RunError, KeyError, FileNotFoundError):
        return None
    if key != int(run.config.key(), 16):
        raise RunError(f"The settings of run {run.id} have changed since it began; start a new run with them.")
    return tensors if list(hashlib.sha256(written).digest()) == digest else None
