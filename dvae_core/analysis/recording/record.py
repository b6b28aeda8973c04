"""The report on a recording's latents: its numbers, its verdict and its sentences. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from dvae_core.analysis.latents import held_out
from dvae_core.analysis.records import ArrayRecord, TreeRecord
from dvae_core.runs import Run, RunError

Verdict = Literal["same axes", "same space, axes by convention", "seeds do not agree: nothing to interpret"]
SAME_AXES: Verdict = "same axes"
SAME_SPACE: Verdict = "same space, axes by convention"
NOTHING: Verdict = "seeds do not agree: nothing to interpret"

LINEAR_MEAN, LINEAR_MIN = 0.95, 0.85  # R^2 between seeds, mean and smallest pair, from which they share one space
PAIRS_SAME = 0.9  # share of ordered pairs that agree up to order, sign and scale, from which axes are the same
PAIRS_CONTROL = 0.5  # share of such pairs with u shuffled from which u cannot have chosen the axes


@dataclass(frozen=True)
class Recording(TreeRecord):
    """analysis/recording.json. A "spread" is a mapping with mean, min and max over pairs of seeds or over seeds.

    Attributes:
        goal: "axes" if u changes only the variances of the prior, otherwise "reading".
        latents: Number of latents.
        seeds: Seeds that are compared: those that neither failed nor are stuck.
        rows: Held-out rows behind the agreement.
        own_axes_mcc: Spread of the MCC of pairs of seeds, in the axes as trained.
        rotation_floor: The MCC to expect of two sets of as many latents that differ by a random rotation.
        same_pairs: Share of the ordered pairs that agree up to order, sign and scale (held-out R^2 >= 0.95).
        linear_r2: Spread of the R^2 of a linear map from one seed to another (the consistency that CEBRA reports).
        rule: The rule that the axes follow by default, see `metrics.canonical`.
        rule_axes_mcc: Spread of the MCC in the axes of each rule.
        within_u: The same three among rows with nearly the same u: own_axes_mcc, linear_r2 and rule_axes_mcc.
        u_share: Mean share of the variance of the latents that u explains.
        consensus: Agreement of the consensus of one half of the seeds with that of the other: linear_r2 and axes_mcc.
            None with fewer than four seeds.
        decoding: Held-out scores of u decoded linearly and by nearest neighbours: from the latents (a spread over
            seeds), from the whole window and from as many principal components of it. `measure` names the score.
        shuffled_u: own_axes_mcc, linear_r2, same_pairs and decoding of a population trained with u shuffled; None if
            it was not trained.
        log_var_sd: Standard deviation over u of log var(u) of the prior, mean over latents and seeds; None for a prior
            without variances.
        share_start: Whether the seeds started in a common subspace, so that their agreement may be inherited.
        verdict: See `verdict_of`.
        statement: The conclusions that the numbers allow, in full sentences.
        notes: Sentences about this computation.
        negative_binomial: Held-out bound of a population with this likelihood, of the run (poisson), and the gain with
            its standard error, nats a row; None unless it was requested.
    """

    goal: str
    latents: int
    seeds: list
    rows: int
    own_axes_mcc: dict
    rotation_floor: float
    same_pairs: float
    linear_r2: dict
    rule: str
    rule_axes_mcc: dict
    within_u: dict
    u_share: float
    consensus: dict | None
    decoding: dict
    shuffled_u: dict | None
    log_var_sd: float | None
    share_start: bool
    verdict: str
    statement: str
    notes: list
    negative_binomial: dict | None = None


@dataclass(frozen=True)
class RecordingAxes(ArrayRecord):
    """analysis/axes.npz: the linear map to the default rule's axes, z = A (e(x) - b), for each seed that counts.

    A point z of these axes is decoded as f(A^-1 z + b), so pictures and bounds are those of the run.

    Attributes:
        rule: The rule.
        member: Members of the run, in the order of the arrays.
        A: The maps.
        b: The centres.
        eigenvalue: See `metrics.canonical.Axes`, like the next three.
        low: Lower end of its interval.
        high: Upper end of its interval.
        plane: Axes with the same number are fixed only up to the plane that they span.
        consensus_maps: z = mean over members of maps[m] (e_m(x) - b[m]), already in the rule's axes.
        consensus_b: The centres of the consensus.
        index: Rows of the data set of `consensus_z`, all held-out.
        consensus_z: The consensus at these rows.
        effect: For each member, the change of the decoder's output (log rates for counts) in every column of x per
            standard deviation of each axis of the consensus: its Jacobian, averaged over held-out rows. None in files
            of earlier versions.
        effect_low: Lower end of the 95 % interval of its mean over members, from drawing members and blocks of rows
            again; None in files of earlier versions, or with too few independent stretches of rows.
        effect_high: Its upper end.
    """

    rule: str
    member: Int[np.ndarray, " p"]
    A: Float[np.ndarray, "p d d"]
    b: Float[np.ndarray, "p d"]
    eigenvalue: Float[np.ndarray, "p d"]
    low: Float[np.ndarray, "p d"]
    high: Float[np.ndarray, "p d"]
    plane: Int[np.ndarray, "p d"]
    consensus_maps: Float[np.ndarray, "p d d"]
    consensus_b: Float[np.ndarray, "p d"]
    index: Int[np.ndarray, " n"]
    consensus_z: Float[np.ndarray, "n d"]
    effect: Float[np.ndarray, "p d d_x"] | None = None
    effect_low: Float[np.ndarray, "d d_x"] | None = None
    effect_high: Float[np.ndarray, "d d_x"] | None = None

    def strongest(self, latent: int) -> list[int]:
        """Return the columns of x by how much they change along an axis, the strongest first."""
        assert self.effect is not None
        return np.argsort(-np.abs(self.effect[:, latent].mean(0)), kind="stable").tolist()

    def consensus(self, mu_z: Float[np.ndarray, "p n d"]) -> Float[np.ndarray, "n d"]:
        """Return the consensus at any rows, from e(x) of every member of the run there."""
        centred = mu_z[self.member].astype(float) - self.consensus_b[:, None]
        return (centred @ self.consensus_maps.transpose(0, 2, 1)).mean(0)


def along(
    run: Run, axes: RecordingAxes, latent: int
) -> tuple[list[int], Float[np.ndarray, "n d_x"], Float[np.ndarray, "n 1"]]:
    """Return the columns of x from the one that rises most along an axis to the one that falls most.

    With them come held-out x in this order, and the consensus at the same rows.
    """
    assert axes.effect is not None
    latents = held_out(run)
    rows = latents["x_rows"]
    order = np.argsort(-axes.effect[:, latent].mean(0), kind="stable")
    at = np.searchsorted(axes.index, latents["index"][rows])
    return order.tolist(), latents["x"][:, order], axes.consensus_z[at, latent : latent + 1]


def consensus_of(run: Run, mu_z: Float[np.ndarray, "p n d"]) -> Float[np.ndarray, "n d"]:
    """Return the consensus of the seeds, in the axes that the analysis `recording` chose, from every member's e(x).

    Raises:
        RunError: If that analysis has not been computed.
    """
    axes = RecordingAxes.load(run, "axes")
    if axes is None:
        raise RunError(
            f"{run.title} has no consensus yet; compute it first: python -m dvae_core analyse {run.path} recording"
        )
    return axes.consensus(mu_z)


def verdict_of(linear: Mapping[str, float], same_pairs: float, control_pairs: float | None, *, latents: int) -> Verdict:
    """Return the verdict that the agreement of the seeds allows.

    "same axes" needs three things: one space, nine of ten pairs that agree up to order, sign and scale, and a control
    trained with u shuffled of which fewer than half the pairs do. Without the control it is not given, because seeds
    may agree on axes that u did not choose. With a single latent there are no axes to choose.

    Args:
        linear: Spread of the linear R^2 between seeds.
        same_pairs: Share of ordered pairs that agree up to order, sign and scale.
        control_pairs: The same for the population with u shuffled; None if there is none.
        latents: Number of latents.
    """
    if not (linear["mean"] >= LINEAR_MEAN and linear["min"] >= LINEAR_MIN):
        return NOTHING
    is_same = same_pairs >= PAIRS_SAME and latents > 1
    return SAME_AXES if is_same and control_pairs is not None and control_pairs < PAIRS_CONTROL else SAME_SPACE


def statement_of(record: Mapping[str, Any]) -> str:
    """Return the sentences that these numbers allow, for a page or a paper."""
    linear, own, rule = record["linear_r2"], record["own_axes_mcc"], record["rule_axes_mcc"][record["rule"]]
    seeds, control = len(record["seeds"]), record["shuffled_u"]
    if record["verdict"] == NOTHING:
        return (
            f"Trained again from another start, the model finds another space: a linear map between two of {seeds} "
            f"seeds explains {linear['mean']:.2f} of the held-out variance on average, {linear['min']:.2f} at worst. "
            "Nothing about these latents should be interpreted. Fewer latents, more rows or another u may help."
        )
    within = record["within_u"]["linear_r2"]["mean"]
    best = record["decoding"]["linear"]["latents"]["mean"], record["decoding"]["neighbours"]["latents"]["mean"]
    window = record["decoding"]["linear"]["window"]["mean"], record["decoding"]["neighbours"]["window"]["mean"]
    read = (
        f"From the latents of x alone, u is decoded at {best[0]:.2f} (linear) and {best[1]:.2f} (nearest neighbours); "
        f"from the whole window at {window[0]:.2f} and {window[1]:.2f}. That u can be decoded is what training asked "
        "for, and no discovery."
    )
    if record["verdict"] == SAME_AXES:
        return (
            f"{_prior(record)} {seeds} independent seeds find the same latents one by one (MCC {own['mean']:.2f}, at "
            f"least {own['min']:.2f}; random rotations give {record['rotation_floor']:.2f}), and no longer if u is "
            f"shuffled ({control['own_axes_mcc']['mean']:.2f}): u chose them. The latents are a reproducible "
            "description under the assumption that latents are independent given u with moments that follow u. They "
            f"are not thereby the brain's factors. {read}"
        )
    missing = (
        " The seeds also agree axis by axis, but no population with u shuffled was trained, so it is open whether u "
        "chose these axes."
        if control is None and record["same_pairs"] >= PAIRS_SAME and record["latents"] > 1
        else ""
    )
    named = {"u": "most tied to u first", "slow": "slowest first", "as trained": "as trained"}[record["rule"]]
    return (
        f"Trained again from another start, the model finds the same space (a linear map between seeds explains "
        f"{linear['mean']:.2f} of the held-out variance, at least {linear['min']:.2f}; {within:.2f} among moments with "
        f"nearly the same u). Its axes are not determined: as trained they agree at MCC {own['mean']:.2f}, and random "
        f"rotations give {record['rotation_floor']:.2f}. The axes shown follow a rule ({named}), which gives the same "
        f"axes in every seed at MCC {rule['mean']:.2f} (at least {rule['min']:.2f}); another rule gives others."
        f"{missing} {read} Agreement says that the method repeats itself, and it does so with shuffled u too."
    )


def _prior(record: Mapping[str, Any]) -> str:
    if record["goal"] == "axes":
        return "If u may change only how widely each latent varies,"
    return "If u may change the mean and the spread of each latent,"
