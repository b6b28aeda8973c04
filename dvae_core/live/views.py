"""The data that components show about a run outside the app: for an explorer, a dial and linked panels."""

from typing import Any

from dvae_core import figures
from dvae_core.analysis.latents import factor_colours, held_out, latent_table, prior_samples, slider_range
from dvae_core.analysis.recovery.record import recovery
from dvae_core.live import linked
from dvae_core.live.explorer import ExplorerState
from dvae_core.live.linked import Panel
from dvae_core.live.modes import cloud
from dvae_core.live.rotor import RotorState
from dvae_core.runs import Run, RunError

POINTS = 800  # of the dial


def explorer_data(run: Run, plan: dict[str, Any], shown: int, at: int, mode: str, **more: Any) -> dict[str, Any]:
    """Return the data of an explorer.

    Args:
        run: The run.
        plan: `tree` of the decoder.
        shown: The member as the run counts it.
        at: The member as the plan counts it.
        mode: Of the explorer.
        more: Further settings of ExplorerState.
    """
    lo, hi = slider_range(run, shown, "posterior")
    settings = {
        "latents": latent_table(run, shown), "lo": lo, "hi": hi, "member": at, "cloud": cloud(run, shown),
        "x_names": run.about.get("x_names", ()), "mode": mode,
    }  # fmt: skip
    return ExplorerState(**(settings | more)).data(plan)


def rotor_data(
    run: Run, plan: dict[str, Any], shown: int, at: int, plane: tuple[int, int] | None = None, **more: Any
) -> dict[str, Any]:
    """Return the data of a dial on draws from the prior.

    Args:
        run: The run.
        plan: `tree` of the decoder.
        shown: The member as the run counts it.
        at: The member as the plan counts it.
        plane: The two latents (0-based) that turn; None takes the two with the largest KL.
        more: Further settings of RotorState.

    Raises:
        RunError: If the run has one latent only.
    """
    if run.config.model.latents < 2:
        raise RunError("A rotation needs at least two latents and this run has one; pick another run.")
    first, second = sorted(latent["index"] for latent in latent_table(run, shown)[:2])
    settings = {
        "points": prior_samples(run, shown, POINTS), "member": at, "plane": plane or (first, second), "limit": 90.0,
        "x_names": run.about.get("x_names", ()),
    }  # fmt: skip
    return RotorState(**(settings | more)).data(plan)


def recovery_data(run: Run, shown: int, *others: tuple[Run, int]) -> dict[str, Any]:
    """Return the data of linked panels: true factors, data, and the latents of one or more members, matched.

    Args:
        run: The run, of data with known factors.
        shown: Its member.
        others: Further runs of the same held-out rows, each with a member.

    Raises:
        RunError: If the factors are unknown, or a run has held out other rows.
    """
    latents, (hue, names) = held_out(run), factor_colours(run)
    rows = latents["x_rows"]
    x, axes, _ = figures.projected(latents["x"], run.about.get("x_names") or ())
    panels = [Panel("Data", x, axes)]
    for model, member in ((run, shown), *others):
        found = recovery(model, member)
        if found is None:
            raise RunError(f"The true factors of {model.title} are unknown: there is nothing to compare with.")
        if held_out(model)["index"].tolist() != latents["index"].tolist():
            raise RunError(f"{model.title} has held out other rows than {run.title}; compare runs of the same data.")
        if len(panels) == 1:
            panels.insert(0, Panel("True factors", found.z_true[rows], found.names))
        title = f"{model.config.model_name}, MCC {found.pearson.value:.2f}"
        axes, missing = [f"latent for {name}" for name in found.names], "diverged, or a factor has no latent"
        panels.append(Panel(title, found.aligned[rows], axes, missing))
    return linked.data(panels, hues=None if hue is None else hue[rows], hue_labels=names)
