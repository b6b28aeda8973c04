"""The held-out scores of a run's members. No torch."""

from dataclasses import dataclass

from dvae_core.analysis.records import TreeRecord
from dvae_core.runs import Run

FILE = "score"


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """Scores of one member, or their mean or standard deviation over members; None if unknown.

    Attributes:
        mcc_pearson: MCC of posterior means, which a gauss-newton posterior refines with x and u.
        mcc_spearman: The same of ranks.
        mcc_within_u: The same of residuals within each label; None if u is numeric or determines a factor.
        mcc_encoder_only: MCC of the encoder's own mean; for posteriors that are not refined the same as mcc_pearson.
        mcc_wrong_u: MCC of posterior means computed with the u of another row, drawn at random among those with another
            label: the loss is u's share in the codes. None if the posterior does not see u.
        elbo: Nats per example, as are recon and kl.
        active_latents: Number of latents that carry anything.
    """

    mcc_pearson: float | None = None
    mcc_spearman: float | None = None
    mcc_within_u: float | None = None
    mcc_encoder_only: float | None = None
    mcc_wrong_u: float | None = None
    elbo: float | None = None
    recon: float | None = None
    kl: float | None = None
    active_latents: int | float | None = None


@dataclass(frozen=True, kw_only=True)
class MemberScores(Numbers):
    """Scores of one member. `elbo_error` is the ELBO's standard error on these rows, from the samples of z."""

    member: int
    seed: int
    beta: float
    failed: bool
    stuck: bool = False
    elbo_error: float | None = None


@dataclass(frozen=True, kw_only=True)
class Scores(TreeRecord):
    """analysis/score.json: every member's scores on the held-out rows. Without true factors all MCCs are None.

    Attributes:
        members: One for each member, good or not.
        mean: Over the good members (`common.good_members`; `notes` names the others); None if none is left.
        std: Likewise.
        members_failed: Number of failed members.
        members_stuck: Number of stuck members.
        floors: Reference lines for the MCC, fitted on the training rows, by the keys of `metrics.FLOORS`.
        floors_within_u: Those of mcc_within_u; empty where that does not exist.
        notes: Sentences about this computation.
        held_out_rows: Number of rows that were scored.
        split: How they were held out.
        codes: A description of what was scored.
        scikit_learn: The version that computed the reference lines.
    """

    members: list[MemberScores]
    mean: Numbers
    std: Numbers
    members_failed: int
    floors: dict[str, float | None]
    notes: list[str]
    held_out_rows: int
    split: str
    codes: str
    scikit_learn: str | None = None
    members_stuck: int = 0
    floors_within_u: dict[str, float] | None = None

    @classmethod
    def of(cls, run: Run) -> "Scores | None":
        """Return the scores of a run, or None if they are not computed yet."""
        return cls.load(run, FILE)

    @property
    def lines(self) -> dict[str, float]:
        """The reference lines that exist for this data."""
        return {key: value for key, value in self.floors.items() if value is not None}
