"""The list of analyses, by the name that the command line and the app call them. Imported by the worker alone."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from dvae_core.analysis.agreement.compute import agreement
from dvae_core.analysis.conditions.compute import conditions
from dvae_core.analysis.conditions.worlds import study
from dvae_core.analysis.difficulty.compute import difficulty
from dvae_core.analysis.disentanglement.compute import disentanglement
from dvae_core.analysis.downstream.compute import downstream
from dvae_core.analysis.linear_ica.compute import linear_ica
from dvae_core.analysis.members.compute import member_scores
from dvae_core.analysis.rotation.compute import rotation
from dvae_core.analysis.rotation.twin import twin

ANALYSES: dict[str, Callable[..., Iterator[float]]] = {
    "rotation": rotation,
    "twin": twin,
    "disentanglement": disentanglement,
    "difficulty": difficulty,
    "agreement": agreement,
    "downstream": downstream,
    "linear_ica": linear_ica,
    "conditions": conditions,
    "study": study,
    "members": member_scores,
}


def settings_of(analysis: Callable[..., Iterator[float]], given: dict[str, str]) -> dict[str, Any]:
    """Turn `--set key=value` texts into the analysis's own types, refusing unknown ones in words."""
    parameters = inspect.signature(analysis).parameters.values()
    known = {p.name: type(p.default) for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
    unknown = [k for k in given if k not in known]
    if unknown:
        raise ValueError(f"This analysis has no setting {unknown[0]!r}; known are {', '.join(known)}.")
    return {k: v.lower() in ("1", "true", "yes") if known[k] is bool else known[k](v) for k, v in given.items()}
