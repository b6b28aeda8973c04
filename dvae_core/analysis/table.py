"""The list of analyses, by their names on the command line and in the app. Imported only by the worker."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from dvae_core.analysis.agreement.compute import agreement
from dvae_core.analysis.all_rows.compute import all_rows
from dvae_core.analysis.common import Computation
from dvae_core.analysis.comparison.compute import comparison
from dvae_core.analysis.conditions.compute import conditions
from dvae_core.analysis.conditions.kinds_of_u import kinds_of_u
from dvae_core.analysis.difficulty.compute import difficulty
from dvae_core.analysis.disentanglement.compute import disentanglement
from dvae_core.analysis.downstream.compute import downstream
from dvae_core.analysis.examine.compute import examine
from dvae_core.analysis.linear_ica.compute import linear_ica
from dvae_core.analysis.members.compute import member_scores
from dvae_core.analysis.posterior.compute import posterior
from dvae_core.analysis.recording.compute import recording
from dvae_core.analysis.rotation.compute import rotation
from dvae_core.analysis.rotation.twin import twin
from dvae_core.analysis.score.compute import score
from dvae_core.analysis.session.compute import session
from dvae_core.config import ConfigError
from dvae_core.runs import Run, RunError


def _score(run: Run) -> Computation:
    """Score every member on the held-out rows; write analysis/score.json."""
    yield 0.0
    scores = score(run)
    yield 1.0
    return dataclasses.asdict(scores)


ANALYSES: dict[str, Callable[..., Computation]] = {
    "score": _score,
    "rotation": rotation,
    "posterior": posterior,
    "twin": twin,
    "disentanglement": disentanglement,
    "difficulty": difficulty,
    "examine": examine,
    "all_rows": all_rows,
    "agreement": agreement,
    "comparison": comparison,
    "downstream": downstream,
    "recording": recording,
    "session": session,
    "linear_ica": linear_ica,
    "conditions": conditions,
    "kinds_of_u": kinds_of_u,
    "members": member_scores,
}


NEED_A_MODEL = ("rotation", "posterior", "twin")


def begin(run: Run, name: str, settings: Mapping[str, Any]) -> Computation:
    """Return the analysis with this name on a run, with its settings checked, ready to be iterated.

    The settings of an analysis are its function's keyword arguments. The app passes them typed, the command line as
    text ("5", "true").

    Raises:
        ConfigError: If there is no such analysis or setting, or a value is not of the setting's type.
    """
    if name not in ANALYSES:
        raise ConfigError(f"There is no analysis {name!r}; known are {', '.join(ANALYSES)}.")
    if name in NEED_A_MODEL and run.kind == "latents":
        raise RunError(f"The analysis {name} needs a decoder, and {run.title} holds latents computed elsewhere.")
    parameters = inspect.signature(ANALYSES[name]).parameters.values()
    types = {p.name: p.annotation for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
    chosen = {}
    for key, value in settings.items():
        if key not in types:
            known = f"known are {', '.join(types)}" if types else "it has none"
            raise ConfigError(f"The analysis {name} has no setting {key!r}; {known}.")
        try:
            chosen[key] = TypeAdapter(types[key]).validate_python(value)
        except ValidationError:
            wanted = {int: "a whole number", float: "a number", bool: "true or false"}.get(types[key], "text")
            raise ConfigError(f"The setting {key} of the analysis {name} must be {wanted}; got {value!r}.") from None
    return ANALYSES[name](run, **chosen)


def described() -> list[str]:
    """Return a line for each analysis: its name, its settings with their defaults, and what it does."""
    lines = []
    for name, analysis in ANALYSES.items():
        parameters = inspect.signature(analysis).parameters.values()
        settings = [f"{p.name}={p.default}" for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
        what = (analysis.__doc__ or "").split("\n", 1)[0]
        lines.append(f"{name:16s} {what}")
        if settings:
            lines.append(f"{'':16s} {', '.join(settings)}")
    return lines
