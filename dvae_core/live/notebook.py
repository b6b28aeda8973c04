"""Live parts in a notebook: each function returns a widget, whose values come back as traits.

They need anywidget (`pip install 'dvae-core[notebook]'`) and work where it does: JupyterLab, Jupyter Notebook, marimo,
VS Code and Colab. Tested are JupyterLab and marimo.
"""

from pathlib import Path
from typing import Any

import traitlets
from anywidget import AnyWidget

from dvae_core import runs
from dvae_core.analysis.common import best_member
from dvae_core.analysis.latents import latent_table
from dvae_core.analysis.tables import member_names
from dvae_core.export.plan import Plan, decoder_plan
from dvae_core.live import modules, views
from dvae_core.live.decoder import pack
from dvae_core.live.modes import modes_of, population
from dvae_core.runs import Run


class LiveWidget(AnyWidget):
    """A component in a notebook."""

    _esm = modules.bundle((modules.HERE / "notebook.js").read_text(encoding="utf-8"))
    _component = traitlets.Unicode().tag(sync=True)
    _style = traitlets.Unicode().tag(sync=True)
    _data = traitlets.Dict().tag(sync=True)
    _decoder = traitlets.Bytes(None, allow_none=True).tag(sync=True)

    def __init__(self, component: str, data: dict[str, Any], plan: Plan | None = None, **values: Any) -> None:
        packed = None if plan is None else pack(plan.tree, plan.tensors)
        style = modules.style(component)
        super().__init__(_component=component, _style=style, _data=data, _decoder=packed, **values)


class Explorer(LiveWidget):
    """Sliders over the latents of a run.

    Attributes:
        z: Where the sliders are, one number per latent; assign it to move them.
        side: What is moved beside z: t (the way from A to B), angle (degrees) and beta.
        picked: The row of the map that was clicked last, or None.
        failed: Why the browser cannot decode this run, or None.
    """

    z = traitlets.List(traitlets.Float()).tag(sync=True)
    side = traitlets.Dict().tag(sync=True)
    picked = traitlets.Dict(None, allow_none=True).tag(sync=True)
    failed = traitlets.Dict(None, allow_none=True).tag(sync=True)

    @traitlets.validate("z")
    def _fits(self, proposal: Any) -> list[float]:
        wanted = self._data["d_z"]
        if len(proposal["value"]) != wanted:
            raise traitlets.TraitError(f"z must have {wanted} numbers; it has {len(proposal['value'])}.")
        return proposal["value"]


class Rotor(LiveWidget):
    """A dial that rotates the latents of a run.

    Attributes:
        angle: Degrees; assign it to turn the dial.
    """

    angle = traitlets.Float(0.0).tag(sync=True)


class Linked(LiveWidget):
    """Planes of the same examples: brush some in one, and they light up in all."""


class Playground(LiveWidget):
    """Eight seeds that learn in the browser.

    Attributes:
        link: The settings, as the address of the app's page holds them; assign it to change them.
    """

    link = traitlets.Unicode("").tag(sync=True)


def explore(run: Run | str, *, member: int | None = None, mode: str = "sliders", **more: Any) -> Explorer:
    """Return sliders over the latents of a run, with E[x|z] decoded in the browser.

    Args:
        run: A run, its folder, or the id of a shipped one.
        member: The member that decodes (0-based); None is the one with the best bound.
        mode: "sliders", "pad", "members", "twin" or "betas", as far as the run has it.
        more: Further settings of ExplorerState, such as z0.

    Raises:
        ValueError: If the run has no such mode or member.

    Example:
        >>> widget = explore("talk-vae")  # doctest: +SKIP
        >>> widget.z = [1.0, -0.5]  # doctest: +SKIP
    """
    run, plan, member = _opened(run, member)
    known = [name for name in modes_of(run) if name != "between" or "ends" in more]
    if mode not in known:
        raise ValueError(f"This run has the modes {', '.join(known)}; got {mode!r}.")
    if mode in ("members", "betas"):
        more.setdefault("members", population(run, member_names(run), 0))
    if mode == "twin":
        first, second, *_ = (latent["index"] for latent in latent_table(run, member))
        more.setdefault("plane", (first, second))
    data = views.explorer_data(run, plan.tree, member, member, mode, **more)
    return Explorer("explorer", data, plan, z=data["z"])


def rotate(run: Run | str, *, member: int | None = None, plane: tuple[int, int] | None = None, **more: Any) -> Rotor:
    """Return a dial that turns two latents of a run: the prior stays, the data stay, what a latent means does not.

    Args:
        run: A run, its folder, or the id of a shipped one.
        member: The member that decodes (0-based); None is the one with the best bound.
        plane: The two latents (0-based) that turn; None takes the two with the largest KL.
        more: Further settings of RotorState, such as angle.

    Raises:
        RunError: If the run has one latent only.
    """
    run, plan, member = _opened(run, member)
    data = views.rotor_data(run, plan.tree, member, member, plane, **more)
    return Rotor("rotor", data, plan, angle=data["angle"])


def recover(run: Run | str, *, beside: Run | str | None = None, member: int | None = None) -> Linked:
    """Return linked planes: true factors, data, and the latents of a run that were matched to the factors.

    Args:
        run: A run, its folder, or the id of a shipped one; of data with known factors.
        beside: Another run of the same data.
        member: The member (0-based); None is the one with the best bound.

    Raises:
        RunError: If the factors are unknown, or `beside` has held out other rows.
    """
    run, _, member = _opened(run, member)
    others = []
    if beside is not None:
        other, _, its_best = _opened(beside, None)
        others.append((other, its_best))
    return Linked("linked", views.recovery_data(run, member, *others))


def playground(link: str = "") -> Playground:
    """Return one screen on which eight seeds of a small VAE learn, while the world, u and the bound are changed.

    Args:
        link: The settings it opens with, as the address of the app's page holds them; "" for the first experiment.
    """
    return Playground("playground", {"link": link, "rev": 1}, link=link)


def _opened(run: Run | str, member: int | None) -> tuple[Run, Plan, int]:
    if isinstance(run, str):
        run = Run(Path(run).absolute()) if Path(run).is_dir() else runs.find(run)
    chosen = best_member(run) if member is None else member
    if not 0 <= chosen < run.config.members:
        raise ValueError(f"Run {run.id} has the members 0 to {run.config.members - 1}; got {chosen}.")
    return run, decoder_plan(run), chosen
