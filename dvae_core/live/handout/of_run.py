"""The hand-out of one run: its latents to drag, the dial, what was recovered, its scores, and where it comes from."""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

import dvae_core
from dvae_core import figures
from dvae_core.analysis.common import best_member, good_members, stuck_members
from dvae_core.analysis.latents import examples, held_out, latent_table, slider_range
from dvae_core.analysis.recovery.record import recovery
from dvae_core.analysis.rotation.record import file_name
from dvae_core.analysis.score.record import Scores
from dvae_core.analysis.tables import member_names, member_table
from dvae_core.axes import evenly
from dvae_core.export.plan import Plan, decoder_plan
from dvae_core.figures.svg import chart
from dvae_core.live import sheet, views
from dvae_core.live.handout.document import Chart, Decoder, Facts, Handout, Live, Part, Rows, Section, decoder
from dvae_core.live.modes import MODES, modes_of, population
from dvae_core.live.sheet import Cells
from dvae_core.metrics import FLOORS
from dvae_core.runs import Run, RunError, files

MOST_BYTES = 1_000_000  # of the decoders of all members; of a larger population, one member goes into the file
PLACES = 24  # latents of each member at which float16 is compared with float32
# Licences under which rows of the data may be handed on; of any other that is stated, none are.
OPEN = re.compile(r"\b(MIT|BSD|Apache|CC0|CC BY|ODC|PDDL|public domain|free of conditions)\b", re.IGNORECASE)
CLOSED = re.compile(r"\b(NC|ND|non-?commercial|research|no redistribution)\b", re.IGNORECASE)
SCORES = {
    "mcc_pearson": "MCC (Pearson)",
    "mcc_spearman": "MCC (Spearman)",
    "mcc_within_u": "MCC within u",
    "mcc_encoder_only": "MCC of the encoder alone",
    "elbo": "ELBO (nats)",
    "kl": "KL (nats)",
    "active_latents": "Latents in use",
}


def run_handout(run: Run, member: int | None = None, *, with_examples: bool = False) -> Handout:
    """Return the hand-out of a run.

    Args:
        run: A run with weights and latents.
        member: The member that is shown (0-based); None is the best one by its bound.
        with_examples: Put rows of the data into the file as well. They are left out, with a sentence that says so, if
            the licence of the data does not allow them to be handed on.

    Raises:
        RunError: If the run has no decoder or no latents, the member diverged, or a newer version wrote it.
        ValueError: If there is no such member.
    """
    plan, latents = drawable(run), held_out(run)
    names = member_names(run)
    shown = best_member(run) if member is None else member
    if not 0 <= shown < len(names):
        raise ValueError(f"Run {run.id} has the members 0 to {len(names) - 1}; got {shown}.")
    refuse_diverged(run, shown, plan)
    notes, lead = [], [f"**{run.config.model_name}** on {run.about.get('dataset', 'data')}, {names[shown]}."]
    has_all = sum(tensor.nbytes for tensor in plan.tensors.values()) <= MOST_BYTES and not run.status().failed_members
    if not has_all and len(names) > 1:
        notes.append(f"only {names[shown]} of {len(names)} members is in the file")
    packed, at = (all_members(run, plan), shown) if has_all else (one_member(run, plan, shown), 0)
    notes.append(precision(packed))
    allowed, sentence = examples_allowed(run, with_examples)
    lead.append(sentence)
    sections = [
        _drag(run, packed.plan, shown, at, allowed),
        *_turn(run, packed.plan, shown, at),
        *(_recovered(run, shown) if allowed else []),
        *_curve(run, shown),
        *scores(run),
        provenance(run, notes),
    ]
    if allowed:
        sections.insert(1, _examples(run, packed.plan, shown, at))
    if len(latents["mu_z"]) != len(names):
        raise RunError(f"latents.npz of run {run.id} does not fit its config.json; restore the files.")
    return Handout(run.title, lead, sections, [packed], [*notes, sentence])


# --- decoders


def drawable(run: Run) -> Plan:
    """Return the decoder of a run.

    Raises:
        RunError: If it has none, or a newer version wrote it.
    """
    _ = run.config  # refuses a newer format, which may name its weights otherwise
    try:
        return decoder_plan(run)
    except KeyError as error:
        raise RunError(f"Run {run.id} has no decoder that a browser can run: {error} is missing.") from error


def refuse_diverged(run: Run, member: int, plan: Plan) -> None:
    """Raise a RunError if this member cannot be drawn."""
    own = [tensor[member] if len(tensor) == plan.tree["members"] else tensor for tensor in plan.tensors.values()]
    is_finite = all(np.isfinite(tensor).all() for tensor in own) and np.isfinite(held_out(run)["mu_z"][member]).all()
    if member in run.status().failed_members or not is_finite:
        raise RunError(
            f"{member_names(run)[member]} of run {run.id} diverged and cannot be drawn; name another member."
        )


def all_members(run: Run, plan: Plan) -> Decoder:
    """Return the decoder of the whole population."""
    return decoder(plan, [_places(run, m) for m in range(plan.tree["members"])])


def one_member(run: Run, plan: Plan, member: int) -> Decoder:
    """Return the decoder of one member alone, which is then member 0 of its plan."""
    shared = {
        op[field]
        for op in plan.tree["ops"]
        for field in ("weight", "bias", "scale", "shift")
        if op.get(field) and op.get("shared", op["op"] == "affine")
    }
    tensors = {name: t if name in shared else t[member : member + 1] for name, t in plan.tensors.items()}
    tree = {**plan.tree, "members": 1, "id": f"{plan.tree['id']}-{member}"}
    return decoder(Plan(tree, tensors), [_places(run, member)])


def _places(run: Run, member: int) -> np.ndarray:
    """Return latents at which a decoder is drawn: held-out examples, and the ends of the sliders."""
    mu = held_out(run)["mu_z"][member]
    lo, hi = slider_range(run, member, "posterior")
    return np.vstack([mu[evenly(len(mu), PLACES)], lo, hi]).astype(np.float32)


def precision(packed: Decoder) -> str:
    """State in what precision the weights are in the file, and how far that changes a picture."""
    if packed.dtype == "float16" and packed.difference == 0:
        return "weights in float16, which changes no E[x|z] of this run"
    if packed.dtype == "float16":
        return f"weights in float16: E[x|z] changes by at most {packed.difference:.1e} of the range of x"
    return "weights in float32, as in the run"


def examples_allowed(run: Run, wanted: bool) -> tuple[bool, str]:
    """Return whether rows of the data may go into the file, and the sentence that says so."""
    licence = (run.about.get("meta") or {}).get("licence")
    if not wanted:
        return False, "No row of the data is in this file."
    if licence is None:
        return True, "Rows of the data are in this file; their licence is not stated."
    if OPEN.search(str(licence)) and not CLOSED.search(str(licence)):
        return True, f"Rows of the data are in this file (licence: {licence})."
    return False, f"The licence of the data ({licence}) does not allow examples to be handed on: they are left out."


# --- sections


def _drag(run: Run, plan: Plan, shown: int, at: int, with_examples: bool) -> Section:
    x, mu = examples(run, shown, 2)
    order = [latent["index"] for latent in latent_table(run, shown)]
    states: dict[str, dict[str, Any]] = {}
    for mode in modes_of(run):
        if (mode == "between" and not with_examples) or (mode in ("members", "betas") and plan.tree["members"] < 2):
            continue
        more: dict[str, Any] = {}
        if mode == "between":
            more["ends"] = [(mu[k], x[k]) for k in (0, -1)]
        if mode in ("members", "betas"):
            more["members"] = population(run, member_names(run), 0)
        if mode == "twin":
            more["plane"] = tuple(order[:2])
        if with_examples and plan.tree["d_x"] == 2:
            more["background"] = held_out(run)["x"]
        states[mode] = views.explorer_data(run, plan.tree, shown, at, mode, **more)
    first = states["sliders"]
    variants = [
        (MODES[mode], {key: value for key, value in data.items() if value != first[key] or key == "mode"})
        for mode, data in states.items()
    ]
    intro = "Move one latent and watch what changes. Does one latent mean one thing? Drawn is E[x|z]."
    live = Live("explorer", first, variants, "Move")
    return Section("Drag the latents", [intro, live, "Latents are sorted by their KL to the prior. Below 0.01 "
                   "nats a latent carries no information about x: it is dead."])  # fmt: skip


def _examples(run: Run, plan: Plan, shown: int, at: int) -> Section:
    x, mu = examples(run, shown, 500 if plan.tree["d_x"] == 2 else 16)
    rows = [Cells("data x", x=x, at=mu), Cells("reconstruction", z=mu)]
    data = sheet.data(plan.tree, rows, member=at, x_names=run.about.get("x_names", ()))
    return Section("Does it know the data?", ["Held-out data, and their reconstructions from z.", Live("sheet", data)])


def _turn(run: Run, plan: Plan, shown: int, at: int) -> list[Section]:
    if run.config.model.latents < 2:
        return []
    intro = "Turn the dial: the latents change, the density N(0, I) does not, and **neither does the data**."
    if run.config.is_conditional:
        intro = (
            "Turn the dial: with the generator turned as well, the data stay. The prior p(z|u) does not: here u can "
            "tell the angles apart."
        )
    elif run.config.prior.kind != "standard":
        intro = (
            "Turn the dial: with the generator turned as well, the data stay. This run's prior is not N(0, I), and may "
            "distinguish the angles."
        )
    return [
        Section("Rotate the latents", [intro, Live("rotor", views.rotor_data(run, plan.tree, shown, at, strips=False))])
    ]


def _recovered(run: Run, shown: int) -> list[Section]:
    if recovery(run, shown) is None:
        return []
    data = views.recovery_data(run, shown)
    intro = "Which of the latents are the true factors, up to order, sign and scale? Brush some points."
    return [Section("Recovered and true", [intro, Live("linked", data)])]


def _curve(run: Run, shown: int) -> list[Section]:
    found = run.analysis(file_name(shown, (0, 1)))
    if found is None:
        return []
    figure = figures.rotation_story(found, conditional=run.config.is_conditional)
    return [Section("The curve against the angle", [Chart(chart(figure))])]


def scores(run: Run) -> list[Section]:
    """Return the scores of a run beside their reference lines; nothing if it is not scored."""
    found = Scores.of(run)
    if found is None:
        return []
    mean, std = dataclasses.asdict(found.mean), dataclasses.asdict(found.std)
    rows = [(label, f"{mean[k]:.3f} ± {std[k]:.3f}") for k, label in SCORES.items() if mean[k] is not None]
    parts: list[Part] = []
    if len(set(run.config.train.betas)) == 1:  # a mean over several betas is of no model
        parts.append(Rows(f"Held-out rows, mean ± std of {len(good_members(run))} members", ("Score", ""), rows))
    lines = [(label, f"{found.lines[k]:.3f}") for k, label in FLOORS.items() if k in found.lines]
    if lines:
        note = "Reference lines for the MCC, which need no model: a score below them says nothing"
        parts.append(Rows(note, ("Reference", "MCC"), lines))
    table, names = member_table(run), member_names(run)
    known = table.dropna(axis="columns", how="all").columns
    columns = [k for k in ("mcc_pearson", "elbo", "kl") if k in known]
    stuck = stuck_members(run)
    each = [
        (names[int(row["member"])], *(_number(row[k]) for k in columns), _state(row, stuck))
        for row in table.to_dict("records")
    ]
    parts.append(Rows("Every member", ("Member", *(SCORES[k] for k in columns), ""), each))
    return [Section("Scores", parts)]


def _number(value: float | int | None) -> str:
    return "–" if value is None or not np.isfinite(value) else f"{value:.3f}"


def _state(row: Mapping[str, Any], stuck: Mapping[int, str]) -> str:
    return "diverged" if row["failed"] else f"stuck: {stuck[row['member']]}" if row["member"] in stuck else ""


def provenance(run: Run, notes: Sequence[str]) -> Section:
    """Return where a run comes from: data, settings, seeds, versions, digests."""
    return Section("Where this comes from", [Facts(provenance_facts(run, notes), settings(run))])


def settings(run: Run) -> tuple[str, str]:
    """Return all settings of a run as a text to open."""
    return "All settings", json.dumps(json.loads(run.config.to_json()), indent=1)


def provenance_facts(run: Run, notes: Sequence[str]) -> list[tuple[str, str]]:
    """Return what is known of a run's origin."""
    about, config, status = run.about, run.config, files.parsed(run.path / "status.json", files.json_from)
    meta = about.get("meta") or {}
    stopped = "" if status.get("state") == "finished" else f", {status.get('state')}"
    facts = [
        ("Run", f"{run.id}, made {_day(about.get('created'))}{stopped}"),
        ("Data", ": ".join(filter(None, (about.get("dataset"), meta.get("source")))) or "not stated"),
        ("Licence", str(meta.get("licence", "not stated"))),
        ("Notes", str(meta.get("notes", ""))),
        ("Digest of the data", str(about.get("fingerprint", ""))),
        ("Rows", f"{about.get('n_train', 0):,} for training, {about.get('n_held_out', 0):,} held out "
                 f"({about.get('split', '')})"),
        ("Model", f"{config.model_name}, {config.model.latents} latents, {config.model.likelihood.kind} likelihood, "
                  f"{config.model.posterior} posterior, prior {config.prior.kind}"),
        ("Seeds", ", ".join(map(str, dict.fromkeys(config.train.seeds)))),
        ("Training", f"{status.get('step', 0):,} steps of {config.train.batch} rows, {config.train.optimiser}, "
                     f"{status.get('device', '')}, {status.get('dtype', '')}"),
        ("Versions", f"dvae_core {dvae_core.__version__}, torch {status.get('torch', 'not recorded')}"),
        ("Digest of the weights", run.sums().get("weights.safetensors", "not listed")),
        ("In this file", "; ".join(notes)),
        ("Written", datetime.now(UTC).strftime("%d %B %Y")),
    ]  # fmt: skip
    return [(name, value) for name, value in facts if value]


def _day(seconds: float | int | None) -> str:
    return "on an unknown day" if not seconds else datetime.fromtimestamp(seconds, UTC).strftime("%d %B %Y")
