"""Several runs side by side on the same rows, and the sentences that a reviewer could write about them. No torch."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dvae_core.analysis.records import TreeRecord

UP_TO = {
    "identity": "as they are", "order-sign-scale": "up to order, sign and scale",
    "monotone": "up to order and a monotone curve each", "rotation": "only up to a rotation",
    "affine": "only up to a linear map",
}  # fmt: skip


def file_name(others: Sequence[str], target: str) -> str:
    """Return the name of the record that compares a run with these others."""
    return f"comparison-{hashlib.sha256('|'.join([*others, target]).encode()).hexdigest()[:10]}"


@dataclass(frozen=True)
class Comparison(TreeRecord):
    """Runs and imported latents on the held-out rows that all of them have.

    Attributes:
        runs: One dict per run: id, name, seeds (number of good ones), latents, seconds and weights (None if unknown);
            rung, reached, pairs, mcc, mcc_low, mcc_high, linear_r2 (of pairs of seeds; None for a single seed);
            within_u, u_alone, u_alone_high (MCC of pairs within u, and after rows are shuffled within u; None without
            u); decoding, decoding_low, decoding_high, decoding_seeds, shuffled, shuffled_high (of the target, and of
            the same readers fitted to a shuffled target; None without a target); truth, truth_std, truth_seeds (MCC).
        rows: Number of common rows.
        rotation: MCC of latents with a random rotation of themselves.
        lines: Reference lines against the true factors by name; empty without truth.
        target: Name of what is decoded; "" for nothing.
        measure: "accuracy" or "R²".
        notes: Sentences about this computation.
    """

    runs: list[dict[str, Any]]
    rows: int
    rotation: float
    lines: dict[str, float]
    target: str
    measure: str
    notes: list[str]


def verdict(found: Comparison) -> list[str]:
    """Return the conclusions that the numbers allow, one sentence per question.

    Agreement exceeds what u alone gives if every pair of seeds agrees better than any pair whose rows are shuffled
    within u. A target is decoded if the interval lies above that of the shuffled target. The true factors are found if
    every seed lies above every reference line.
    """
    lines = []
    compared = [run for run in found.runs if run["mcc"] is not None]
    for run in compared:
        agree = (
            f"agree {UP_TO[run['rung']]} ({run['reached']} of {run['pairs']} ordered pairs)"
            if run["rung"] != "none"
            else "do not agree, not even up to a linear map"
        )
        lines.append(f"Seeds of {run['name']} {agree}.")
    for run in (run for run in found.runs if run["mcc"] is None):
        lines.append(f"{run['name']} has one seed, so nothing can be said about its agreement.")
    lines += _against(
        "the shuffled-u control in agreement", [run for run in compared if run["u_alone"] is not None],
        lambda run: run["mcc_low"] > run["u_alone_high"],
        lambda run: f"{run['mcc']:.2f} against {run['u_alone']:.2f}",
    )  # fmt: skip
    if found.target:
        lines += _against(
            f"the shuffled control in decoding {found.target}",
            [run for run in found.runs if run["decoding"] is not None],
            lambda run: run["decoding_low"] is not None and run["decoding_low"] > run["shuffled_high"],
            lambda run: f"{run['decoding']:.2f} against {run['shuffled']:.2f}",
        )  # fmt: skip
    if found.lines:
        best = max(found.lines, key=lambda name: found.lines[name])
        lines += _against(
            f"the best reference line against the true factors ({best}, {found.lines[best]:.2f})",
            [run for run in found.runs if run["truth"] is not None],
            lambda run: min(run["truth_seeds"]) > found.lines[best],
            lambda run: f"{run['truth']:.2f}",
        )  # fmt: skip
    return lines


def _against(what: str, runs: Sequence[dict], exceeds: Any, numbers: Any) -> list[str]:
    """Return one sentence: which runs exceed a control, and which do not."""
    if not runs:
        return []
    above = [run for run in runs if exceeds(run)]
    below = [run for run in runs if not exceeds(run)]

    def listed(some: Sequence[dict]) -> str:
        return _and([f"{run['name']} ({numbers(run)})" for run in some])

    if not above:
        word = f"{listed(below)} does not exceed" if len(below) == 1 else f"None of {listed(below)} exceeds"
        return [f"{word} {what}."]
    verb = "exceeds" if len(above) == 1 else "exceed"
    rest = f"; {listed(below)} {'does' if len(below) == 1 else 'do'} not" if below else ""
    return [f"{listed(above)} {verb} {what}{rest}."]


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
