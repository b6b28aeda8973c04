"""A methods paragraph and a model card, written from a run's own files: every number is the one that the pages show."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from dvae_core.analysis.common import good_members, stuck_members
from dvae_core.analysis.score.record import Scores
from dvae_core.analysis.verdicts import against_floors, agreed, beats_floors
from dvae_core.config import Config, FileData, GaussianPrior, LearnedPrior, data_to_text
from dvae_core.identify.conditions import OTHER_PRIORS
from dvae_core.metrics import FLOORS
from dvae_core.runs import Run

SCORES = {"mcc_pearson": "MCC (Pearson)", "mcc_spearman": "MCC (Spearman)", "mcc_within_u": "MCC within u",
          "mcc_encoder_only": "MCC, latents that have not seen u", "elbo": "ELBO (nats per example)",
          "active_latents": "latents alive"}  # fmt: skip


def methods(run: Run) -> str:
    """Return a paragraph for a methods section. It says "factor" only where every reference line is beaten."""
    config, about = run.config, run.about
    truth = _truth(run)
    parts = [_data_sentence(run)]
    seeds = f"{config.members} seed{'s' * (config.members != 1)}"
    if config.is_given:
        parts.append(
            f"The latents ({config.model.latents} per row, {seeds}) were computed with {config.given.method} and "
            f"imported; rows were matched {(about.get('given') or {}).get('matched', 'by the order of one source')}."
        )
    else:
        parts += _training(run)
    held = about.get("n_held_out")
    if held:
        parts.append(f"{held:,} of {about['n']:,} rows were held out ({about.get('split')} split) and scored.")
    scores = Scores.of(run)
    if scores is not None and scores.mean.mcc_pearson is not None:
        lines = "; ".join(f"{FLOORS[k]} {v:.3f}" for k, v in scores.lines.items())
        parts.append(
            f"The mean correlation coefficient between latents and {truth} was {scores.mean.mcc_pearson:.3f} ± "
            f"{scores.std.mcc_pearson:.3f} (mean and "
            f"standard deviation over {len(good_members(run))} seeds; reference lines: {lines})."
        )
    if rung := agreed(run):
        parts.append(f"{rung} (R² of 0.95 for the median ordered pair).")
    parts.append(f"Software: {', '.join(_versions(run))}.")
    return " ".join(parts)


def card(run: Run) -> str:
    """Return a model card in Markdown. It says "factor" only where every reference line is beaten."""
    config, about, status = run.config, run.about, run.status()
    scores = Scores.of(run)
    truth = _truth(run)
    lines = [f"# {_plain(run.title, run)}", "", "Written from the run's files; held-out rows only.", "", "## Data", ""]
    lines += _rows({
        "data": _plain(str(about.get("dataset", "unknown")), run),
        "digest": about.get("fingerprint") or "none: rows are not identified",
        "rows": f"{about.get('n', 0):,}, {about.get('n_train', 0):,} to fit, {about.get('n_held_out', 0):,} held out",
        "split": _split(about), "x": f"{about.get('d_x') or 'not given'}",
        "u": ", ".join(about.get("u_names") or ()) or "none", "settings": _data_text(config),
    })  # fmt: skip
    reading = about.get("reading") or {}
    for left in reading.get("left_out", ()):
        lines.append(_plain(f"- left out: {left['rows']:,} {left['what']}, {left['why']}", run))
    lines += [_plain(f"- note: {note}", run) for note in reading.get("notes", ())]
    lines += ["", "## Model", ""]
    lines += _rows(_model(run))
    lines += ["", "## Scores", ""]
    if scores is None:
        lines.append("Not scored yet.")
    else:
        lines += ["| | mean ± sd over seeds |", "|---|---|"]
        mean, std = dataclasses.asdict(scores.mean), dataclasses.asdict(scores.std)
        known = {key: name for key, name in SCORES.items() if mean[key] is not None}
        lines += [f"| {name} | {mean[key]:.3f} ± {std[key]:.3f} |" for key, name in known.items()]
        lines += [f"| reference line: {FLOORS[k]} | {v:.3f} |" for k, v in scores.lines.items()]
        if verdict := against_floors(run):
            lines += ["", verdict]
        lines += ["", f"Scored: {scores.codes}; {scores.held_out_rows:,} rows."]
    failed, stuck = status.failed_members, stuck_members(run)
    left_out = [f"seed {config.train.seeds[m]} failed" for m in failed]
    left_out += [f"seed {config.train.seeds[m]} is stuck ({why})" for m, why in stuck.items()]
    lines += ["", f"In no mean: {', '.join(left_out) or 'none'}."]
    lines += ["", "## Indeterminacy", "", f"{agreed(run) or 'Seeds were not compared'}.", "", _claim(config, truth)]
    lines += ["", "## What is not shown", "", *(f"- {line}" for line in _not_shown(run, truth))]
    lines += ["", "## Versions", "", ", ".join(_versions(run)) + f"; run {run.id}, settings {config.key()}.", ""]
    return "\n".join(lines)


def _truth(run: Run) -> str:
    return "true factors" if beats_floors(run) else "ground truth"


def _plain(text: str, run: Run) -> str:
    """Return text of the user or the data, without the word that only beaten reference lines allow."""
    return text if beats_floors(run) else text.replace("factors", "sources").replace("Factors", "Sources") \
        .replace("factor", "source").replace("Factor", "Source")  # fmt: skip


def _data_sentence(run: Run) -> str:
    about = run.about
    name = _plain(str(about.get("dataset", "Data")), run)
    kind = "labels" if about.get("has_labels") else "numbers"
    u = f", with u ({', '.join(about['u_names'])}, {kind})" if about.get("u_names") else ", without u"
    digest = f" (digest {about['fingerprint']})" if about.get("fingerprint") else ""
    return f"Data: {name}{digest}, {about.get('n', 0):,} rows of {about.get('d_x', 0):,} columns{u}."


def _training(run: Run) -> list[str]:
    config = run.config
    model, train = config.model, config.train
    prior = {"standard": "N(0, I)", "conditional": "a Gaussian p(z|u)", "laplace": "a Laplace p(z|u)",
             "learned": "a p(z|u) of learned statistics",
             "time": "over pairs of neighbouring rows", "mixture": "a mixture of Gaussians without u",
             "custom": "of a class that is not part of the library"}[config.prior.kind]  # fmt: skip
    betas = ", ".join(f"{b:g}" for b in dict.fromkeys(train.betas))
    return [
        f"A population of {config.members} {config.model_name} ({model.latents} latents, prior {prior}, "
        f"{model.posterior} posterior, {model.likelihood.kind} likelihood, {model.net.kind} networks, beta {betas}) "
        f"was trained for {train.epochs} epochs with batches of {train.batch}, {train.optimiser} at a peak learning "
        f"rate of {', '.join(f'{rate:g}' for rate in dict.fromkeys(train.rates))}, seeds "
        f"{', '.join(str(s) for s in dict.fromkeys(train.seeds))}."
    ]


def _model(run: Run) -> dict[str, str]:
    config = run.config
    seeds = ", ".join(str(seed) for seed in config.train.seeds)
    if config.is_given:
        given = run.about.get("given") or {}
        seconds = given.get("seconds")
        return {
            "method": config.given.method, "file": given.get("source") or "arrays", "digest": given.get("digest", ""),
            "latents": str(config.model.latents), "seeds": seeds, "rows matched": given.get("matched", ""),
            "cost": "unknown" if seconds is None else f"{seconds:,.1f} s",
        }  # fmt: skip
    status = run.written_status()
    listed = run.sums()
    return {
        "model": config.model_name, "latents": str(config.model.latents), "seeds": seeds,
        "betas": ", ".join(f"{b:g}" for b in config.train.betas), "prior": config.prior.kind,
        "posterior": config.model.posterior, "encoder sees": config.model.encoder,
        "likelihood": config.model.likelihood.kind, "network": config.model.net.kind,
        "objective": config.train.objective, "epochs": str(config.train.epochs), "batch": str(config.train.batch),
        "cost": f"{status.seconds:,.1f} s on {status.device or 'an unknown device'}",
        "weights": listed.get("weights.safetensors", "not listed")[:16],
    }  # fmt: skip


def _rows(values: Mapping[str, Any]) -> list[str]:
    cells = [(key, str(value).replace("|", "\\|").replace("\n", " ")) for key, value in values.items()]
    return ["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in cells)]


def _split(about: Mapping[str, Any]) -> str:
    found = (about.get("reading") or {}).get("split") or {}
    return str(found.get("words") or about.get("split", "unknown"))


def _data_text(config: Config) -> str:
    data = config.data
    if isinstance(data, FileData):
        return f"file {data.path.replace(chr(92), '/').rpartition('/')[2]}"  # the name alone: no path of this machine
    return data_to_text(data)


def _claim(config: Config, truth: str) -> str:
    if config.is_given:
        return f"What theory says about {config.given.method} is not known here; only the agreement above was measured."
    if config.prior.kind in OTHER_PRIORS:
        return f"{OTHER_PRIORS[config.prior.kind]} None of this compares with the {truth}."
    if not config.is_conditional:
        return (
            "A prior N(0, I) without u leaves the latents unidentified up to any rotation (and, for nonlinear models, "
            "more): agreement of seeds would not make them the ground truth."
        )
    prior = config.prior
    if isinstance(prior, GaussianPrior) and prior.modulate == "mean":
        number, what = 1, "a linear map of the latents"
    elif isinstance(prior, LearnedPrior):
        number, what = (2, "order and a map of each latent") if prior.k >= 2 else (1, "a linear map of the statistics")
    else:
        number = 2 if prior.k >= 2 else 3
        what = "order, sign, scale and offset" if prior.k >= 2 else "order, sign and scale"
    return (
        f"If the data come from a model of this family and p(x|u) is known exactly, theorem {number} of Khemakhem et "
        f"al. (2020) leaves {what} free. The page Conditions says how far its conditions are met; none of this "
        f"compares with the {truth}."
    )


def _not_shown(run: Run, truth: str) -> list[str]:
    lines = []
    scores, about = Scores.of(run), run.about
    if scores is None or scores.mean.mcc_pearson is None:
        lines.append("The ground truth is unknown: agreement of seeds is not correctness.")
    lines.append("Intervals describe these rows and seeds, not other data sets.")
    if (about.get("given") or {}).get("notes"):
        lines += list(about["given"]["notes"])
    if scores is not None and scores.mean.mcc_within_u is None and about.get("u_names"):
        lines.append("MCC within u is not known: u is numbers, or leaves nothing over.")
    if not about.get("u_names"):
        lines.append("There is no u, so nothing is known about a shuffled-u control.")
    return lines


def _versions(run: Run) -> list[str]:
    from importlib import metadata

    import numpy as np

    raw = run._json("status.json") or {}
    scores = Scores.of(run)
    try:
        own = metadata.version("dvae-core")
    except metadata.PackageNotFoundError:
        own = "from source"
    found = {"dvae-core": own, "torch": raw.get("torch"), "scikit-learn": scores and scores.scikit_learn,
             "numpy": np.__version__}  # fmt: skip
    return [f"{name} {version}" for name, version in found.items() if version]
