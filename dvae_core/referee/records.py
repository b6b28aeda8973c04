"""The records that judging returns, and the functions that make them: `score`, `agreement`, `ladder`, `downstream`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from dvae_core import metrics
from dvae_core.analysis.comparison.pairs import RUNG_NAMES, Pairs, alternating, pairs_of
from dvae_core.analysis.downstream.decode import baselines, decode
from dvae_core.data.given import auxiliary, table, together
from dvae_core.identify.conditions import REPEATS_U, explained_by_u
from dvae_core.metrics.agreement import RUNGS

UP_TO = {
    "identity": "as they are", "order-sign-scale": "up to order, sign and scale",
    "monotone": "up to order and a monotone curve each", "rotation": "up to a rotation", "affine": "up to a linear map",
    "none": "not even up to a linear map",
}  # fmt: skip
GROUPS = 10  # of rows, each left out in turn, behind the interval of a ladder
LEVEL_95 = 1.96


@dataclass(frozen=True, eq=False, kw_only=True)
class Record:
    """A number with what is needed to judge it.

    Attributes:
        value: The number.
        interval: 95 % interval over these rows (low, high), NaN where none can be trusted; not over other seeds.
        lines: Reference lines by name: what can be reached without what the number is taken to show.
        blind_to: Changes that would not affect the number.
        notes: Sentences about this computation.
    """

    value: float
    interval: tuple[float, float]
    lines: Mapping[str, float]
    blind_to: str
    notes: tuple[str, ...] = ()

    def sentence(self) -> str:
        """Return the finding as one sentence."""
        raise NotImplementedError

    def figure(self) -> Any:
        """Return the finding as a plotly figure."""
        raise NotImplementedError

    def __str__(self) -> str:
        low, high = self.interval
        interval = f" (95 % interval over these rows {low:.3f} to {high:.3f})" if np.isfinite(low) else ""
        lines = "; ".join(f"{name} {value:.3f}" for name, value in self.lines.items())
        parts = [f"{self.sentence()}{interval}", f"reference lines: {lines}" if lines else "no reference line"]
        return "\n".join([*parts, f"blind to: {self.blind_to}", *(f"note: {note}" for note in self.notes)])


@dataclass(frozen=True, eq=False, kw_only=True)
class Scored(Record):
    """Latents against true factors; `value` is the mean MCC over seeds.

    Attributes:
        seeds: Each seed's MCC; NaN for one that is not finite.
        within_u: Each seed's MCC of what labels of u leave over; empty without labels.
        linear_r2: Mean R^2 of the best linear map from latents to factors.
        matrix: Signed correlations of the seed nearest to the mean, factors by latents.
        matching: That seed's latent for each factor, -1 for none.
        beats: Whether the interval lies above every reference line.
    """

    seeds: tuple[float, ...]
    within_u: tuple[float, ...]
    linear_r2: float
    matrix: Float[np.ndarray, "d_z d_hat"]
    matching: tuple[int, ...]

    @property
    def beats(self) -> bool:
        """Whether the lower end of the interval (the value, if there is none) lies above every reference line."""
        low = self.interval[0] if np.isfinite(self.interval[0]) else self.value
        return all(low > line for line in self.lines.values())

    def sentence(self) -> str:
        """Return the MCC, and whether it exceeds the reference lines."""
        best = max(self.lines, key=lambda name: self.lines[name])
        verdict = "above every reference line" if self.beats else f"not above {best} ({self.lines[best]:.2f})"
        return f"MCC {self.value:.3f} with the true factors, {verdict}"

    def figure(self) -> Any:
        """Return each seed's MCC beside the reference lines."""
        from dvae_core import figures

        shown = {"latents": list(self.seeds)} | ({"latents, within u": list(self.within_u)} if self.within_u else {})
        return figures.mcc_lines(shown, self.lines)


@dataclass(frozen=True, eq=False, kw_only=True)
class Agreement(Record):
    """Whether seeds agree; `value` is the mean MCC over pairs.

    Attributes:
        rung: The lowest rung that the median pair reaches: identity, order-sign-scale, monotone, rotation, affine or
            none.
        pairs: Every pair.
    """

    rung: str
    pairs: Pairs

    @property
    def pairwise_mcc(self) -> float:
        """Mean MCC over unordered pairs."""
        return self.value

    @property
    def rotation_floor(self) -> float:
        """MCC of latents with a random rotation of themselves."""
        return self.lines["random rotation"]

    @property
    def linear_r2(self) -> float:
        """Mean R^2 of the linear map, over ordered pairs, held-out; NaN with too few rows."""
        return self.pairs.linear_r2

    def sentence(self) -> str:
        """Return up to which map the seeds agree."""
        reached, count = self.pairs.reached
        many = f" ({reached} of {count} ordered pairs)" if reached else ""
        return f"The seeds agree {UP_TO[self.rung]}{many}; pairwise MCC {self.value:.3f}"

    def figure(self) -> Any:
        """Return the ladder of all pairs."""
        from dvae_core import figures

        return figures.ladder_chart({"seeds": {str(rung): r2 for rung, r2 in self.pairs.ladder.items()}})


@dataclass(frozen=True, eq=False, kw_only=True)
class Ladder(Record):
    """How well one set of latents is predicted from another; `value` is the R^2 of the best linear map.

    Attributes:
        rung: The lowest rung reached, by the names of `Agreement.rung`.
        r2: Held-out R^2 by rung.
    """

    rung: str
    r2: Mapping[str, float]

    def sentence(self) -> str:
        """Return up to which map the two sides are the same."""
        return f"The two sides agree {UP_TO[self.rung]}; R² of a linear map {self.value:.3f}"

    def figure(self) -> Any:
        """Return R^2 by rung."""
        from dvae_core import figures

        r2 = {rung: [self.r2[RUNG_NAMES[rung]]] for rung in RUNGS}
        return figures.ladder_chart({"latents": r2}, what="one side from the other")


@dataclass(frozen=True, eq=False, kw_only=True)
class Downstream(Record):
    """How well a target is predicted from latents, held-out; `value` is the mean over seeds.

    Attributes:
        measure: "accuracy" for labels, "R²" for numbers.
        seeds: Each seed's score.
        intervals: The interval of each reference line (low, high).
    """

    measure: str
    seeds: tuple[float, ...]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def sentence(self) -> str:
        """Return the score, and the best line beside it."""
        best = max(self.lines, key=lambda name: self.lines[name])
        return f"{self.measure} {self.value:.3f} from the latents; {best} reaches {self.lines[best]:.3f}"

    def figure(self) -> Any:
        """Return the score and its lines with their intervals."""
        from dvae_core import figures

        ends = [self.interval, *(self.intervals[name] for name in self.lines)]
        return figures.decoding(
            ["latents", *self.lines], [self.value, *self.lines.values()], [low for low, _ in ends],
            [high for _, high in ends], [list(self.seeds), *([value] for value in self.lines.values())],
            target="the target", measure=self.measure,
        )  # fmt: skip


def score(
    z_true: Any, z_hat: Any, u: Any = None, *, x: Any = None, method: Literal["pearson", "spearman"] = "pearson"
) -> Scored:
    """Score latents against true factors, with every reference line that can be computed.

        MCC = max over assignments of mean_i |corr(z_true_i, z_hat_pi(i))|

    Args:
        z_true: True factors [n, d_z].
        z_hat: Latents [n, d], or several seeds as [p, n, d] or a list.
        u: Labels or numbers of the same rows; gives the line of a copy of u, and the MCC within labels.
        x: Data of the same rows; gives the lines of x itself, PCA and FastICA.
        method: "pearson" (linear) or "spearman" (monotone).

    Returns:
        The mean MCC over seeds, in [0, 1]. Lines that are fitted are fitted on half of the rows, in 20 contiguous
        stretches, and scored on the other half, both ways.

    Raises:
        ValueError: If rows differ or are too few, factors are constant, or every seed has values that are not finite.
    """
    members = _seeds(z_hat)
    names = [f"seed {i + 1}" for i in range(len(members))]
    parts = {"z_true": table(z_true, "z_true"), **dict(zip(names, members, strict=True))}
    parts |= {name: table(v, name) for name, v in (("u", u), ("x", x)) if v is not None}
    found = together(parts)
    truth = _matrix(found["z_true"], "z_true")
    hats = [_matrix(found[name], name) for name in names]
    codes, _ = auxiliary(found.get("u"), len(truth))
    usable, notes = _usable(hats)
    scores = {m: metrics.mcc(truth, hats[m], method=method) for m in usable}
    seeds = tuple(scores[m].value if m in scores else float("nan") for m in range(len(hats)))
    value = float(np.mean([scores[m].value for m in usable]))
    nearest = min(usable, key=lambda m: abs(seeds[m] - value))
    is_labels = codes is not None and codes.ndim == 1
    memory = metrics.autocorrelation_time(np.hstack([truth, hats[nearest]]), codes if is_labels else None)
    found_interval = metrics.mcc_interval(truth, hats[nearest], method=method, memory=memory)
    within: tuple[float, ...] = ()
    if is_labels and codes is not None:
        try:
            within = tuple(metrics.mcc_within_u(truth, hats[m], codes, method=method).value for m in usable)
        except ValueError as error:
            notes.append(f"Within u: {error}")
    notes += list(scores[nearest].notes) + ([found_interval.note] if found_interval.note else [])
    notes += _copies(hats, usable, codes)
    enough = len(truth) >= 2 * (hats[nearest].shape[1] + 2)
    linear = float(np.mean([metrics.r2_affine(truth, hats[m]).value for m in usable])) if enough else float("nan")
    if len(usable) > 1:
        notes.append(f"The interval is that of seed {nearest + 1}, whose MCC is nearest to the mean.")
    return Scored(
        value=value, interval=(found_interval.low, found_interval.high),
        lines=_lines(truth, found.get("x"), codes, method), blind_to=scores[nearest].blind_to, notes=tuple(notes),
        seeds=seeds, within_u=within, linear_r2=linear, matrix=scores[nearest].matrix,
        matching=scores[nearest].matching,
    )  # fmt: skip


def agreement(z: Any, u: Any = None) -> Agreement:
    """Compare the latents of several seeds or models with each other; no true factors are needed.

    Args:
        z: A list of latents [n, d], or an array [p, n, d].
        u: Labels or numbers of the same rows; gives the agreement within u, and the line of what u alone gives: the
            MCC after the rows of one side are shuffled within each value of u.

    Returns:
        The mean MCC over pairs, and the lowest rung of the ladder that the median pair reaches.

    Raises:
        ValueError: If there are fewer than two usable seeds, or rows differ or are too few.
    """
    members = _seeds(z)
    names = [f"seed {i + 1}" for i in range(len(members))]
    parts = dict(zip(names, members, strict=True)) | ({} if u is None else {"u": table(u, "u")})
    found = together(parts)
    hats = [_matrix(found[name], name) for name in names]
    usable, notes = _usable(hats)
    hats = [h[:, np.ptp(h, axis=0) > 0] for h in (hats[m] for m in usable)]
    if len(hats) < 2:
        raise ValueError("Agreement needs at least two seeds with finite, varying latents; train more seeds.")
    codes, _ = auxiliary(found.get("u"), len(hats[0]))
    pairs = pairs_of(hats, codes)
    value = float(pairs.mcc.mean())
    i, j = np.triu_indices(len(hats), 1)
    k = int(np.abs(pairs.mcc - value).argmin())
    a, b = sorted((hats[i[k]], hats[j[k]]), key=lambda m: -m.shape[1])
    is_labels = codes is not None and codes.ndim == 1
    memory = metrics.autocorrelation_time(np.hstack([a, b]), codes if is_labels else None)
    interval = metrics.mcc_interval(a, b, memory=memory)
    widest = max(h.shape[1] for h in hats)
    lines = {"random rotation": metrics.rotation_mcc(widest)}
    lines |= {"independent latents": metrics.independent_mcc(widest, len(a))}
    if codes is not None:
        lines["u alone"] = float(pairs.shuffled.mean())
        notes.append(f"Within u the seeds agree with MCC {pairs.within.mean():.3f}.")
    notes += _copies(hats, list(range(len(hats))), codes) + ([interval.note] if interval.note else [])
    if not pairs.ladder:
        notes.append(f"{len(a)} rows are too few for the ladder; at least {2 * (widest + 2)} are needed.")
    return Agreement(
        value=value, interval=(interval.low, interval.high), lines=lines,
        blind_to="whether the latents are the true ones: seeds can agree on wrong axes", notes=tuple(notes),
        rung=RUNG_NAMES[pairs.rung], pairs=pairs,
    )  # fmt: skip


def ladder(z_from: Any, z_to: Any) -> Ladder:
    """Return up to which map one set of latents is another: the indeterminacy ladder of `metrics.ladder`.

    Args:
        z_from: Latents [n, d] of one model.
        z_to: Latents of another, or true factors, on the same rows.

    Returns:
        R^2 of the best linear map, held-out, with an interval from leaving out each tenth of the rows in turn.

    Raises:
        ValueError: If rows differ or are too few, or one side is constant.
    """
    found = together({"z_from": table(z_from, "z_from"), "z_to": table(z_to, "z_to")})
    a, b = (_matrix(found[name], name) for name in ("z_from", "z_to"))
    whole = metrics.ladder(a, b, same_axes=a.shape[1] == b.shape[1])
    group = np.arange(len(a)) * GROUPS // len(a)
    value, interval = whole.r2["affine"], (float("nan"), float("nan"))
    if len(a) * (GROUPS - 1) // GROUPS >= 2 * (a.shape[1] + 2):
        varying = b[:, (np.ptp(b, axis=0) > 0)]
        left = np.array([metrics.r2_affine(varying[group != g], a[group != g]).value for g in range(GROUPS)])
        error = float(np.sqrt((GROUPS - 1) / GROUPS * ((left - left.mean()) ** 2).sum()))
        interval = (value - LEVEL_95 * error, value + LEVEL_95 * error)
    rung, _, _ = metrics.typical_rung({name: [r2] for name, r2 in whole.r2.items()})
    return Ladder(
        value=value, interval=interval, lines={"latents that know nothing": 0.0},
        blind_to="whether either side is right; the mean over latents can hide one that fails", notes=whole.notes,
        rung=RUNG_NAMES[rung], r2={RUNG_NAMES[r]: v for r, v in whole.r2.items()},
    )  # fmt: skip


def downstream(
    z: Any, target: Any, *, x: Any = None, held_out: Any = None, reader: Literal["linear", "neighbours"] = "linear"
) -> Downstream:
    """Predict a target from latents by a plain classifier or regression, held-out.

    Args:
        z: Latents [n, d], or several seeds. For decoding u, give latents that have not seen u.
        target: Labels (text or whole numbers that repeat) [n], or numbers [n, k].
        x: Data of the same rows; gives the lines of x itself, PCA and FastICA.
        held_out: Which rows are scored [n]; the others are fitted on. By default every other one of 20 stretches.
        reader: "linear" (logistic or ridge regression) or "neighbours" (15).

    Returns:
        Accuracy or R^2. The line "shuffled target" is what the same reader reaches once the target's rows are shuffled.

    Raises:
        ValueError: If rows differ or are too few, or every seed has values that are not finite.
    """
    members = _seeds(z)
    names = [f"seed {i + 1}" for i in range(len(members))]
    parts = {**dict(zip(names, members, strict=True)), "target": table(target, "target")}
    parts |= {name: table(v, name) for name, v in (("x", x), ("held_out", held_out)) if v is not None}
    found = together(parts)
    hats = [_matrix(found[name], name) for name in names]
    usable, notes = _usable(hats)
    y, _ = auxiliary(found["target"], len(hats[0]))
    assert y is not None  # there is a target
    test = found["held_out"].astype(bool) if held_out is not None else alternating(len(y), y if y.ndim == 1 else None)
    train = ~test
    if not (train.any() and test.any()):
        raise ValueError("Some rows must be held out and some not; mark both in held_out.")
    features = {"latents": [(hats[m][train], hats[m][test]) for m in usable]}
    if x is not None:
        plain, more = baselines(found["x"][train].astype(float), found["x"][test].astype(float), hats[0].shape[1])
        features |= plain
        notes += list(more)
    memory = metrics.autocorrelation_time(np.hstack([hats[m][test] for m in usable]), y[test] if y.ndim == 1 else None)
    decoded = decode(features, y[train], y[test], reader=reader, memory=memory)
    mixed = np.random.default_rng(0).permutation(int(train.sum()))
    control = decode({"latents": features["latents"]}, y[train][mixed], y[test], reader=reader, memory=memory)
    own = decoded.pop("latents")
    decoded["shuffled target"] = control["latents"]
    if np.isnan(own.low):
        notes.append(metrics.too_few(int(test.sum()), memory))
    return Downstream(
        value=own.value, interval=(own.low, own.high), lines={name: d.value for name, d in decoded.items()},
        blind_to="any invertible map of the latents that the reader can undo, rotation included: useful is not "
        "identified", notes=tuple(notes), measure="accuracy" if y.ndim == 1 else "R²", seeds=own.members,
        intervals={name: (d.low, d.high) for name, d in decoded.items()},
    )  # fmt: skip


def _seeds(z: Any) -> list[Any]:
    """Return one Table per seed."""
    if isinstance(z, list | tuple) and len(z) and not np.isscalar(z[0]) and np.ndim(z[0]) == 2:
        return [table(member, f"seed {i + 1}") for i, member in enumerate(z)]
    whole = table(z, "latents")
    if whole.values.ndim == 3:
        return [table(member, f"seed {i + 1}") for i, member in enumerate(whole.values)]
    return [whole]


def _matrix(values: np.ndarray, what: str) -> np.ndarray:
    if values.dtype.kind in "US":
        raise ValueError(f"{what} must be numbers; got text. Give labels as u or as the target.")
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or not values.shape[1]:
        raise ValueError(f"{what} must have rows and at least one column; got shape {values.shape}.")
    return values.astype(float)


def _usable(members: list[np.ndarray]) -> tuple[list[int], list[str]]:
    """Return the seeds with finite latents, and a note on the others."""
    usable = [m for m, z in enumerate(members) if np.isfinite(z).all()]
    if not usable:
        raise ValueError("Every seed has latents that are not finite; remove those rows, or compute them again.")
    lost = [str(m + 1) for m in range(len(members)) if m not in usable]
    return usable, [f"Not finite, and in no mean: seed {', '.join(lost)}."] if lost else []


def _copies(members: list[np.ndarray], usable: list[int], u: np.ndarray | None) -> list[str]:
    """Return a warning for each seed with latents that only repeat u."""
    notes = []
    for m in usable if u is not None else ():
        share = explained_by_u(members[m], u)  # type: ignore[arg-type]
        copies = np.flatnonzero(share > REPEATS_U)
        if len(copies):
            named = ", ".join(f"z{k + 1}" for k in copies)
            notes.append(f"Seed {m + 1}: u explains {share[copies].min():.1%} or more of {named}, which repeats u.")
    return notes


def _lines(truth: np.ndarray, x: np.ndarray | None, u: np.ndarray | None, method: Any) -> dict[str, float]:
    """Return the reference lines; those that are fitted are fitted on one half and scored on the other, both ways."""
    d = truth.shape[1]
    lines = {metrics.FLOORS["random_rotation"]: metrics.rotation_mcc(d)}
    first = alternating(len(truth), u if u is not None and u.ndim == 1 else None)
    halves = [(~first, first), (first, ~first)]
    varies = all((np.ptp(truth[test], axis=0) > 0).all() for _, test in halves)
    if not varies or min(first.sum(), (~first).sum()) < 2 * (d + 2):
        return lines | {"independent latents": metrics.independent_mcc(d, len(truth))}
    found: dict[str, list[float]] = {}
    for fit, test in halves:
        if x is not None:
            data = _matrix(x, "x")
            scores = metrics.floors(
                data[fit], data[test], truth[fit], truth[test], None if u is None else u[fit],
                None if u is None else u[test], method=method,
            )  # fmt: skip
        elif u is not None:
            scores = {"u_only": metrics.u_only(truth[fit], u[fit], truth[test], u[test], method=method)}
        else:
            scores = {}
        for key, value in scores.items():
            if value is not None and key != "random_rotation":
                found.setdefault(metrics.FLOORS[key], []).append(value.value)
    return lines | {name: float(np.mean(values)) for name, values in found.items()}
