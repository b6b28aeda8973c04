"""Do the seeds of a run agree, with each other and with those of another run? From latents.npz alone, no torch."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from dvae_core import metrics, runs
from dvae_core.analysis.agreement.record import Agreement, file_name
from dvae_core.analysis.common import Computation, alive_latents, good_members
from dvae_core.axes import evenly, means_by_code
from dvae_core.config import MlpNet
from dvae_core.metrics.agreement import RUNGS
from dvae_core.metrics.matching import assign
from dvae_core.metrics.signature import FEWEST_ROWS, Signature, common_cells, likeness, signature
from dvae_core.runs import Run, RunError

ROWS = 2000  # compared at most, evenly spaced
MEMBERS = 16  # of each run: the first ones
UDR_ROWS = 1000
CELLS = 60  # numbers in u are cut into at most this many cells if two data sets share only u
FEW_CELLS = 20  # below this, a correlation over cells means little


def agreement(run: Run, *, other: str = "") -> Computation:
    """Compare all members with each other, and with those of another run; write analysis/agreement[-<other>].npz.

    Members that failed, are stuck or have only dead latents are left out, as are latents with a KL below 0.01 nats.
    `record.Agreement` documents the content of the file.

    Runs of the same data and split are compared on their common held-out rows. Runs of different data that share u are
    compared by what u does to their latents: means and log deviations given u, for each label, or each of at most 60
    cells of u (`metrics.signature`). The ladder of maps, which needs rows, is fitted on the means alone, and only where
    u moves them.

    Args:
        run: A run with latents.
        other: Id of another run; "" for none.

    Yields:
        The fraction done.

    Raises:
        RunError: If fewer than two members can be compared, or the two runs share neither rows nor u.
    """
    second = runs.find(other, None if run.is_shipped else run.path.parent) if other else None
    sides = [_side(run)] + ([_side(second)] if second is not None else [])
    if sum(len(side["z"]) for side in sides) < 2:
        raise RunError(
            "Agreement needs at least two members that are neither failed nor stuck and have a latent alive; "
            "train more seeds."
        )
    both = _compared(run, second, sides)
    P, widest, n = len(both.z), both.widest, len(both.z[0])
    notes = list(both.notes)
    out = {
        "mcc": np.eye(P),
        "mcc_within": np.full((P, P), np.nan),
        "ladder": np.full((P, P, len(RUNGS)), np.nan),
        "strength": np.full((P, P, widest), np.nan),
        "udr": np.full(P, np.nan),  # stays so unless rows and the number of latents are the same
    }
    for i in range(P):
        for j in range(P):
            _compare(both, i, j, out)
        yield (i + 1) / (P + 1)
    if all(m.shape[1] == widest for m in both.z) and both.same_rows:
        out["udr"] = _udr(both.z, both.alive, _run_of(sides))
    kl = np.full((P, widest), np.nan)
    for i, k in enumerate(k for side in sides for k in side["kl"]):
        kl[i, : len(k)] = k
    if _share_a_start(run):
        notes.append(
            "All members started in one subspace, the leading principal components, and may have inherited some of "
            "their agreement from it; --start random makes them independent."
        )
    written = Agreement(
        member=np.concatenate([side["member"] for side in sides]), run=_run_of(sides), kl=kl, rows=n,
        chance=metrics.independent_mcc(widest, max(n, 3)), rotation=metrics.rotation_mcc(widest), notes=tuple(notes),
        **out,
    ).save(run, file_name(other))  # fmt: skip
    yield 1.0
    return written


class _Compared(NamedTuple):
    """The data to compare: the latents of all members, on common rows or given a common u."""

    z: list[np.ndarray]  # [n, d] of each member: rows, or means given u
    alive: list[np.ndarray]  # [d] bool of each member
    residual: list[np.ndarray] | None  # z without its means given u, if u is a label of the rows
    signatures: list[Signature]  # of each member, if only u is common
    has_ladder: bool  # whether there are rows enough for the ladder of maps
    notes: list[str]

    @property
    def same_rows(self) -> bool:
        return not self.signatures

    @property
    def widest(self) -> int:
        return max(m.shape[1] for m in self.z)


def _compared(run: Run, second: Run | None, sides: list[dict]) -> _Compared:
    """Bring the members of both sides to common rows, or to what a common u does to them."""
    alive = [a for side in sides for a in side["alive"]]
    notes: list[str] = []
    signatures: list[Signature] = []
    codes = None
    if second is None or _on_common_rows(run, second, sides):
        every = len(sides[0]["index"]) // ROWS + 1
        z = [m[::every].astype(float) for side in sides for m in side["z"]]
        codes = sides[0]["u"][::every] if run.about.get("has_labels") else None
    else:
        z, signatures, note = _given_u(run, second, sides)
        notes.append(note)
    n, fewest = len(z[0]), 2 * (max(m.shape[1] for m in z) + 2)
    has_means = not any((of.sign_is_free[a]).any() for of, a in zip(signatures, alive, strict=False))
    if n < fewest and has_means:
        notes.append(f"{n} values of u are too few for the ladder; at least {fewest} are needed.")
    residual = None if codes is None else [m - means_by_code(m, codes)[codes] for m in z]
    return _Compared(z, alive, residual, signatures, n >= fewest and has_means, notes)


def _compare(both: _Compared, i: int, j: int, out: dict[str, np.ndarray]) -> None:
    """Compare two members and enter the result; the MCC is symmetric, and the rest depends on the order."""
    a, b = both.z[i][:, both.alive[i]], both.z[j][:, both.alive[j]]
    if i < j:
        value = metrics.pair_mcc(a, b).value if both.same_rows else _alike(both.signatures, both.alive, i, j).mcc
        out["mcc"][i, j] = out["mcc"][j, i] = value
        if both.residual is not None:
            pair = both.residual[i][:, both.alive[i]], both.residual[j][:, both.alive[j]]
            out["mcc_within"][i, j] = out["mcc_within"][j, i] = metrics.pair_mcc(*pair).value
    if i != j and both.has_ladder:
        r2 = metrics.ladder(a, b, same_axes=np.array_equal(both.alive[i], both.alive[j])).r2
        out["ladder"][i, j] = [r2[rung] for rung in RUNGS]
    strength = metrics.strengths(a, b) if both.same_rows else _alike(both.signatures, both.alive, i, j).strongest
    out["strength"][i, j, np.flatnonzero(both.alive[i])] = strength


def _udr(
    z: list[Float[np.ndarray, "n d"]], alive: list[Bool[np.ndarray, " d"]], run_of: Int[np.ndarray, " P"]
) -> Float[np.ndarray, " P"]:
    """Return each member's UDR among the members of its run; NaN if there is no other."""
    scores = np.full(len(z), np.nan)
    some = evenly(len(z[0]), UDR_ROWS)
    for run in np.unique(run_of):
        mine = np.flatnonzero(run_of == run)
        if len(mine) > 1:
            known = np.where(np.stack([alive[i] for i in mine]), np.inf, 0.0)
            scores[mine] = metrics.udr(np.stack([z[i][some] for i in mine]), known)
    return scores


def _share_a_start(run: Run) -> bool:
    """Whether all members started in the same subspace of x; with as many latents as columns it is all of x."""
    model = run.config.model
    is_part = model.latents < (run.about.get("d_x") or 0)
    return not run.config.is_given and isinstance(model.net, MlpNet) and model.start == "components" and is_part


def _on_common_rows(run: Run, other: Run, sides: list[dict]) -> bool:
    """Keep the held-out rows that two runs of the same data share, if there are enough; return whether there are."""
    known = run.about.get("fingerprint")
    if known is None or known != other.about.get("fingerprint"):
        return False
    _, *at = np.intersect1d(sides[0]["index"], sides[1]["index"], return_indices=True)
    if len(at[0]) < FEW_CELLS:
        return False
    for side, rows in zip(sides, at, strict=True):
        if not np.array_equal(rows, np.arange(len(side["index"]))):
            side |= {"index": side["index"][rows], "u": None if side["u"] is None else side["u"][rows]}
            side["z"] = [z[rows] for z in side["z"]]
    return True


def _side(run: Run) -> dict:
    """Return the index, u, and the good members' latents [n, d], KL [d] (NaN if unknown), live latents and numbers."""
    latents = run.latents()
    if latents is None:
        raise RunError(f"{run.title} has no latents yet; let it train for a moment.")
    mu, alive = latents["mu_z"], alive_latents(latents)
    kl = latents.get("kl_latent", np.full(alive.shape, np.nan))
    good = [m for m in good_members(run) if alive[m].any()][:MEMBERS]
    return {
        "index": latents["index"], "u": latents.get("u"), "member": np.array(good, int),
        "z": [mu[m] for m in good], "kl": [kl[m] for m in good], "alive": [alive[m] for m in good],
    }  # fmt: skip


def _run_of(sides: list[dict]) -> np.ndarray:
    return np.concatenate([np.full(len(side["member"]), r) for r, side in enumerate(sides)])


class _Alike(NamedTuple):
    """The likeness of two members of different data: the MCC of their signatures, and each latent's best match."""

    mcc: float
    strongest: np.ndarray


def _alike(signatures: list[Signature], alive: list[np.ndarray], i: int, j: int) -> _Alike:
    strength = likeness(signatures[i], signatures[j])[np.ix_(alive[i], alive[j])].clip(0.0)
    return _Alike(float(assign(strength)[1].sum() / max(strength.shape)), strength.max(1))


def _given_u(run: Run, other: Run, sides: list[dict]) -> tuple[list[np.ndarray], list[Signature], str]:
    """Return each member's mean latents given u, a row for each label or cell that both data have, and signatures."""
    one, two = run.about, other.about
    u = [side["u"] for side in sides]
    named = (one.get("u_names"), one.get("u_labels")) == (two.get("u_names"), two.get("u_labels"))
    if u[0] is None or u[1] is None or not named:
        raise RunError(
            f"{run.title} and {other.title} share neither their held-out rows nor their u, so their latents cannot be "
            "compared; choose runs of the same data, or of data with the same u."
        )
    codes = cells_of(np.asarray(u[0]), np.asarray(u[1]))
    common = common_cells(*codes)
    if len(common) < 3:
        raise RunError(
            f"The two data sets share fewer than three values of u with {FEWEST_ROWS} held-out rows each, too few to "
            "compare; choose other runs."
        )
    tables, signatures = [], []
    for side, code in zip(sides, codes, strict=True):
        for z in side["z"]:
            tables.append(np.array([z[code == cell].astype(float).mean(0) for cell in common]))
            signatures.append(signature(z, code, common))
    what = "labels" if one.get("has_labels") else "cells"
    note = (
        f"Other data, the same u: the comparison is of what u does to the latents, their means and log deviations over "
        f"{len(common)} {what} both have."
    )
    if len(common) < FEW_CELLS:
        note += f" With fewer than {FEW_CELLS} {what} high correlations arise by chance; compare with the chance line."
    return tables, signatures, note + _free_signs(sides, signatures)


def _free_signs(sides: list[dict], signatures: list[Signature]) -> str:
    """State how many latents have a sign that nothing fixes, if there are any."""
    alive = [a for side in sides for a in side["alive"]]
    free = sum(int(of.sign_is_free[a].sum()) for of, a in zip(signatures, alive, strict=True))
    total = sum(int(a.sum()) for a in alive)
    if not free:
        return ""
    return (
        f" Of {total} latents, all members together, u moves the spread of {free} and not the mean: their sign stays "
        "free, and no map of means is fitted."
    )


def cells_of(one: Shaped[np.ndarray, "n ..."], two: Shaped[np.ndarray, "m ..."]) -> list[np.ndarray]:
    """Return the cell of u of each row of two data sets: the label, or one of at most 60 cells.

    The cells lie between quantiles of both data sets together.
    """
    if one.ndim == 1:
        return [one, two]
    columns = min(2, one.shape[1])
    side = CELLS if columns == 1 else int(np.sqrt(CELLS))
    out = [np.zeros(len(one), int), np.zeros(len(two), int)]
    for c in range(columns):
        edges = np.quantile(np.r_[one[:, c], two[:, c]], np.linspace(0, 1, side + 1)[1:-1])
        for k, u in enumerate((one, two)):
            out[k] = out[k] * side + np.searchsorted(edges, u[:, c])
    return out
