"""The result of training a new session against the prior of a run, and sentences about it. No torch."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dvae_core.analysis.common import best_member
from dvae_core.analysis.records import TreeRecord
from dvae_core.config import GaussianPrior
from dvae_core.data.dataset import Dataset
from dvae_core.runs import Run, RunError
from dvae_core.runs.data import same_u

ALIKE = 0.8  # mean likeness from which latents count as the same (.98 where p(z|u) is shared, .4 where it is not)
CHEAP, DEAR = 0.1, 0.3  # nats per row: below the first, sharing costs almost nothing; above the second, too much


@dataclass(frozen=True)
class Session(TreeRecord):
    """analysis/session.json. Bounds are held-out, in nats a row.

    Attributes:
        other: Title of the run whose prior is shared.
        member: The member of this run with the best bound.
        starts: For each member its seed, whether it started as a mirror image, its bound, and whether it counts.
        cells: Cells of u in which both sessions have rows enough.
        likeness: Correlation of the signatures (`metrics.signature`) of each latent of the other run with each here.
        best: For each latent of the other run, its partner in the best order.
        in_order: Mean likeness of the latents in their present order.
        matched: Mean likeness in the best order.
        next: Mean likeness in the best other order; None if there is none, or too many latents to try every order.
        own_in_order: in_order of a population that trained a prior of its own on this session.
        own_matched: matched of that population.
        sign_free: Latents (0-based) whose sign stays free, because u moves their spread and not their mean.
        elbo: Bound with the shared prior.
        own_elbo: Bound with a prior of its own.
        price: own_elbo - elbo, of the same rows.
        price_error: Its standard error over stretches of rows that do not depend on one another.
        statement: The conclusions that the numbers allow, in full sentences.
    """

    other: str
    member: int
    starts: list
    cells: int
    likeness: list
    best: list
    in_order: float
    matched: float
    next: float | None
    own_in_order: float
    own_matched: float
    sign_free: list
    elbo: float
    own_elbo: float
    price: float
    price_error: float
    statement: str


def shares_prior(run: Run) -> bool:
    """Whether a run was trained against the prior of another one."""
    return bool(getattr(run.config.prior, "shared", ""))


def prior_to_share(other: Run) -> GaussianPrior:
    """Return the settings of a prior that is that of a run's best member, and is not trained.

    Raises:
        RunError: If the run has no Gaussian p(z|u).
    """
    if other.kind == "latents" or not isinstance(other.config.prior, GaussianPrior):
        raise RunError(f"{other.title} has no Gaussian p(z|u) that another run could share; choose an iVAE.")
    return dataclasses.replace(other.config.prior, shared=str(other.path), shared_member=best_member(other))


def can_share(other: Run, dataset: Dataset) -> bool:
    """Whether other data of the same u can be trained against the prior of a run, which has a prior of its own."""
    if other.kind == "latents" or not isinstance(other.config.prior, GaussianPrior) or shares_prior(other):
        return False
    try:
        same_u(other, dataset)
    except RunError:
        return False
    return other.about.get("fingerprint") != dataset.fingerprint


def statement_of(record: Mapping[str, Any]) -> str:
    """Return the sentences that these numbers allow, for a page or a paper."""
    d, price, error = len(record["best"]), record["price"], record["price_error"]
    if record["matched"] < ALIKE:
        order = (
            f"The latents are not those of {record['other']}: what u does to them is alike at {record['matched']:.2f} "
            "even in the best order."
        )
    elif record["best"] == list(range(d)):
        other = "" if record["next"] is None else f"; in the best other order {record['next']:.2f}"
        order = (
            f"The latents come out in the order of {record['other']}: one by one, what u does to them is alike at "
            f"{record['in_order']:.2f}{other}."
        )
    else:
        order = (
            f"The latents do not come out in the order of {record['other']}: alike at {record['in_order']:.2f} one by "
            f"one, and at {record['matched']:.2f} in another order."
        )
    free = [f"z{i + 1}" for i in record["sign_free"]]
    sign = "" if not free else (
        f" The sign of {' and '.join(free)} stays free, because u moves {'its' if len(free) == 1 else 'their'} spread "
        "and not the mean."
    )  # fmt: skip
    cost = f" A prior of its own gains {price:.2f} \N{PLUS-MINUS SIGN} {error:.2f} nats a row:"
    if price > DEAR and price > 2 * error:
        end = " this session does not share p(z|u), and its latents should not be called the same."
    elif price <= CHEAP:
        end = " sharing costs next to nothing, so nothing speaks against one p(z|u) for both sessions."
    else:
        end = " whether the sessions share p(z|u) stays open."
    return order + sign + cost + end
