"""The findings about a run, as sentences that are exported together with its latents. No torch."""

import dataclasses

from dvae_core.analysis.agreement.record import Agreement, file_name
from dvae_core.analysis.common import best_member, good_members, stuck_members
from dvae_core.analysis.conditions.record import Conditions
from dvae_core.analysis.conditions.record import file_name as conditions_name
from dvae_core.analysis.recording.record import Recording
from dvae_core.analysis.score.record import Scores
from dvae_core.identify.conditions import what_follows
from dvae_core.metrics import FLOORS, typical_rung
from dvae_core.metrics.agreement import Rung
from dvae_core.runs import Run

UP_TO = {
    "identity": "as they are", "permutation": "up to order, sign, scale and offset",
    "monotone": "up to order and a monotone curve each", "orthogonal": "up to a rotation",
    "affine": "up to a linear map",
}  # fmt: skip
STATES = {"met": "met", "unsure": "not sure", "broken": "broken"}


def verdicts(run: Run) -> list[str]:
    """Return what is known about a run as sentences.

    First its members (good, diverged or stuck) and its split, then scores with their reference lines. Where they have
    been computed, the agreement of its seeds, the report on a recording and the theorem's conditions follow.
    """
    lines = [f"{run.title}: {run.config.model_name}, {run.config.members} members.", *_members(run)]
    split = (run.about.get("reading") or {}).get("split", {}).get("words")
    lines += [split] if split else []
    lines += _scores(run)
    lines += [f"{rung}."] if (rung := agreed(run)) else []
    recording = Recording.load(run, "recording")
    if recording is not None:
        lines += [f"Recording: {recording.verdict}.", recording.statement]
    scores = Scores.of(run)
    return lines + _conditions(run) + (scores.notes if scores else [])


def beats_floors(run: Run) -> bool:
    """Whether the worst good seed lies above every reference line, so that its latents may be called factors."""
    scores = Scores.of(run)
    if scores is None:
        return False
    good = set(good_members(run))
    values = [m.mcc_pearson for m in scores.members if m.member in good and m.mcc_pearson is not None]
    return bool(values) and bool(scores.lines) and min(values) > max(scores.lines.values())


def against_floors(run: Run) -> str:
    """State whether every seed beats every reference line; "" if there is none, or the run is not scored."""
    scores = Scores.of(run)
    if scores is None or not scores.lines:
        return ""
    if beats_floors(run):
        return "Every seed lies above every reference line."
    return "Not every seed lies above every reference line, so the latents are not shown to be the ground truth."


def common_rung(run: Run) -> tuple[Rung | None, int, int] | None:
    """Return the rung that most pairs of seeds reach, how many do, and of how many; None if they were not compared."""
    found = Agreement.load(run, file_name())
    if found is None or len(found.pairs()) == 0:
        return None
    pairs = found.pairs()
    return typical_rung({rung: r2[pairs[:, 0], pairs[:, 1]] for rung, r2 in found.r2.items()})


def agreed(run: Run) -> str:
    """State up to what map most pairs of seeds agree; "" if they were not compared."""
    found = common_rung(run)
    if found is None:
        return ""
    rung, reached, count = found
    if rung is None:
        return "Seeds do not agree, not even up to a linear map"
    return f"Seeds agree {UP_TO[rung]} in {reached} of {count} ordered pairs"


def _members(run: Run) -> list[str]:
    seeds, failed, stuck = run.config.train.seeds, run.status().failed_members, stuck_members(run)
    good = good_members(run)
    lines = [f"Member {m} (seed {seeds[m]}) diverged and enters no mean." for m in failed]
    lines += [f"Member {m} (seed {seeds[m]}) is stuck and enters no mean: {why}." for m, why in stuck.items()]
    return [f"{len(good)} of {len(seeds)} members are good: {', '.join(map(str, good)) or 'none'}.", *lines]


def _scores(run: Run) -> list[str]:
    scores = Scores.of(run)
    if scores is None:
        return ["Not scored yet."]
    mean, std = dataclasses.asdict(scores.mean), dataclasses.asdict(scores.std)
    over = "mean and standard deviation over the good members, held-out rows"
    means = {name: value for name, value in mean.items() if value is not None}
    lines = [f"{name}: {value:.4g} +- {std[name]:.2g} ({over})" for name, value in means.items()]
    lines += [f"reference line, {FLOORS[k]}: {v:.4g}" for k, v in scores.lines.items()]
    return lines + [verdict for verdict in (against_floors(run),) if verdict]


def _conditions(run: Run) -> list[str]:
    member = best_member(run)
    found = None if run.kind == "latents" else Conditions.load(run, conditions_name(member))
    if found is None or found.is_outdated:
        return []
    lights, _ = found.lights(run.config, is_continuous=not run.about.get("has_labels"))
    lines = [f"Condition of the theorem, {one.name}: {STATES[one.state]} ({one.number})." for one in lights]
    return [*lines, what_follows(run.config, lights, found.monotonic, found.effect)]
