"""The rotated twin of one member, as a separate run."""

import torch

from dvae_core import runs
from dvae_core.analysis.common import Computation
from dvae_core.analysis.score.compute import score
from dvae_core.data.split import split
from dvae_core.identify.rotation import rotate, rotation_matrix
from dvae_core.model.vae import member
from dvae_core.runs import Run, RunError
from dvae_core.runs.data import data_of
from dvae_core.runs.run import LATENT_ROWS
from dvae_core.training.checkpoint import load_vae, write_weights
from dvae_core.training.record import HeldOut, write_latents


def twin(
    run: Run, *, member_index: int = 0, i: int = 0, j: int = 1, degrees: float = 45.0, title: str = ""
) -> Computation:
    """Save the rotated twin of one member as a separate, finished run in the store, scored like any other.

    Raises:
        RunError: If the run's prior is conditional: the twin would then be a different model of the data.
    """
    if run.config.prior.kind != "standard":
        raise RunError("This run's prior is not rotation-invariant, so its rotated copy would be another model.")
    original = member(load_vae(run), member_index)
    rotated = rotate(original, rotation_matrix(original.config.model.latents, degrees, (i, j)))
    yield 0.2
    name = title or f"{run.title}, member {member_index}, rotated by {degrees:g} degrees"
    new = runs.create(runs.new_path(runs.default_store(), name), rotated.config, title=name)
    new.write_json("about.json", {**run.about, **{k: new.about[k] for k in ("title", "created")}})
    dataset = data_of(run)
    if dataset.reduced_by is not None:
        new.write_npz("components.npz", dataset.reduced_by.as_arrays())
    parts = split(dataset, run.config.split, gap=run.config.gap)
    write_weights(new, rotated)
    write_latents(new, rotated, HeldOut(dataset, parts.held_out, rotated, torch.device("cpu")), rows=LATENT_ROWS)
    history = run.history().query("member == @member_index").assign(member=0)
    new.write("history.csv", history.to_csv(index=False))
    yield 0.6
    score(new)
    status = run.status()
    new.set_status(state="finished", step=status.step, steps=status.steps, seconds=status.seconds, device=status.device)
    yield 1.0
    return {"run": new.id, "path": str(new.path)}
