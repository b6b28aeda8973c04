"""The views under the four panels of the Recover page, one at a time."""

import streamlit as st

from dvae_core import figures, runs
from dvae_core.analysis.common import best_member, capacity, good_members
from dvae_core.analysis.downstream.record import Downstream, file_name
from dvae_core.analysis.latents import factor_colours
from dvae_core.analysis.linear_ica.record import LinearIca
from dvae_core.analysis.recovery.record import Recovery
from dvae_core.analysis.score.record import Numbers, Scores
from dvae_core.live.linked import Panel
from dvae_core.metrics import FLOORS, Score
from dvae_core.recipes import TALK_DATA
from dvae_core.runs import Run
from pages.ui import arrow_views, run_panel
from pages.ui import page as ui
from pages.ui.components.linked import linked

VIEWS = {
    "scatter": "Matched", "matrix": "Correlations", "maps": "Up to what?", "scores": "Scores",
    "seeds": "Every seed's axes", "features": "As features", "ica": "Linear ICA",
}  # fmt: skip
U_CARRIES = 0.05  # a larger fall of the MCC under a wrong u is u's share; seeds of a good model differ by 0.01
STATISTICS = {"both": ("", "²"), "variance": ("²",), "laplace": (" (abs.)",), "learned": ("", "²")}


def show(view: str, run: Run, method: str, found: Recovery, others: list[Run]) -> None:
    """Show one of VIEWS."""
    if view == "scatter":
        scatter(run, found, method)
    elif view == "matrix":
        score = score_of(found, method)
        ui.plot(
            figures.correlation_matrices(score.matrix, score.matching, score.signs, names=found.names),
            key="recover.matrix",
        )
    elif view == "maps":
        maps(run, found)
    elif view == "scores":
        scores(run, others, method)
    elif view == "seeds":
        arrow_views.beside(run, others)
    elif view == "features":
        features(run, others)
    else:
        linear(run)


def score_of(found: Recovery, method: str) -> Score:
    """Return the score by the chosen correlation."""
    return found.pearson if method == "pearson" else found.spearman


def seen_by(run: Run) -> str:
    """Name the inputs of the latents: "x", or "x and u" if u refines them or enters the encoder; "elsewhere"."""
    config = run.config
    if config.is_given:
        return "elsewhere"
    refined = config.is_conditional and config.model.posterior == "gauss-newton"
    return "x and u" if not config.model.student and (refined or config.model.encoder == "xu") else "x"


def shown_and_mean(run: Run, member: int, value: float, method: str) -> str:
    """State the score of the member that is drawn, and the mean over all seeds, each labelled as what it is."""
    name, who = run.config.model_name, ui.member_names(run)[member]
    if run.config.members > 1 and member == best_member(run):
        who += f", {ui.by_bound(run)}"
    shown = f"**{name} {value:.2f}** ({who}"
    score = Scores.of(run)
    if score is None or run.config.members < 2:
        return f"{shown})."
    counted = len(good_members(run))
    alike = len(set(run.config.train.betas)) == len(set(run.config.train.rates)) == 1
    text = f"{shown}; mean of {counted} {'seeds' if alike else 'members'} {_spread(score, f'mcc_{method}', 2)}"
    if seen_by(run) == "x and u" and run.config.model.encoder != "xu" and method == "pearson":
        text += f", the encoder from x alone {_spread(score, 'mcc_encoder_only', 2)}"
    return f"{text}). {role_of_u(score.mean, method)}".strip()


def role_of_u(mean: Numbers, method: str = "pearson") -> str:
    """State how much of a score remains if the posterior is given a wrong u; "" if it does not see u.

    Args:
        mean: The mean scores of a run.
        method: The correlation shown; the control is computed for "pearson" only.
    """
    wrong, right = mean.mcc_wrong_u, mean.mcc_pearson  # version 0.1 did not compute the former
    if wrong is None or right is None or method != "pearson":
        return ""
    given = f"Given the u of another row, the latents score {wrong:.2f}"
    if right - wrong <= U_CARRIES:
        return f"{given}: they do not take the factors from u."
    return f"{given} instead of {right:.2f}: part of them comes from u."


def chosen_world() -> str:
    """State how the talk's data set was chosen."""
    return f"Data seed {TALK_DATA.seed}: one of 4 in 60 on which no linear method reaches 0.8."


def other_worlds(run: Run) -> None:
    """Show, for a run on the talk's data, the results of the same recipe on data seeds that were not chosen."""
    if run.config.data != TALK_DATA:
        return
    worlds = runs.shipped("other_worlds.json", "python benchmarks/recovery.py worlds")["worlds"]
    with st.expander(f"{chosen_world()} How typical is it?", icon=":material/public:"):
        ui.plot(figures.worlds_strip(worlds), key="recover.worlds")
        st.caption(
            "The talk's recipe, unchanged, on data seeds 0 to 9: other factors, moved by u in other ways, and another "
            "mixing each. These seeds were not used to choose any setting."
        )


def scatter(run: Run, found: Recovery, method: str) -> None:
    """Draw the n x n scatter, matched and signed, with the monotone curves."""
    score = score_of(found, method)
    hue, names = factor_colours(run)
    ui.plot(
        figures.recovery_scatter(
            found.z_true, found.z_hat, score.matching, score.signs, hue, names, matrix=score.matrix,
            curves=found.curves, names=found.names, method=method.capitalize(),
        ), key="recover.scatter",
    )  # fmt: skip
    for note in (*found.notes, *score.notes):
        st.caption(note)
    if found.intervals:
        _, low, high = found.intervals[method]
        known = low == low  # NaN: too few independent stretches of a time series
        interval = f"95 % interval over these held-out rows {low:.3f} to {high:.3f} (bootstrap)"
        none = "no interval: these held-out rows have too few independent stretches (fewer than 25)"
        st.caption(
            f"MCC {score.value:.3f}, {interval if known else none}. How much it varies over seeds is another question: "
            "see Scores."
        )


def maps(run: Run, found: Recovery) -> None:
    """Show which map remains between latents and factors: the ladder, and theorem 1's matrix A."""
    if found.ladder is None or found.A is None:
        st.info("The maps are fitted when training has finished.", icon=":material/hourglass_top:")
        return
    left, right = st.columns(2, gap="large")
    model = run.config.model_name
    r2 = {name: [value] for name, value in found.ladder.items()}
    with left:
        r = found.ladder
        title = f"R²: order, sign and scale {r['permutation']:.2f}, any linear map {r['affine']:.2f}"
        ui.plot(
            figures.ladder_chart({model: r2}, what="the factors from the latents", title=title), key="recover.ladder"
        )
        st.caption(
            "Each map is fitted on every other held-out row and scored on the rest, mean over factors. What a linear "
            "map gains over order, sign and scale is what is still mixed."
        )
    with right:
        latents = [f"z{i + 1}" for i in range(found.z_hat.shape[1])]
        prior = run.config.prior
        suffixes = STATISTICS.get(prior.modulate if prior.kind == "conditional" else prior.kind, ("",))
        ui.plot(
            figures.theorem_map(
                found.A, found.names, latents, found.A_condition, found.A_r2,
                statistics=suffixes if found.A.shape[0] == len(suffixes) * len(found.names) else ("",),
            ), key="recover.map",
        )  # fmt: skip
        learned = prior.kind == "learned"
        whose = "(z, z²) in place of the learned statistics" if learned else "the statistics T of this run's prior"
        share = ", ".join(
            f"{name} {value:.0%}" for name, value in zip(found.names, found.block_share, strict=True) if value == value
        )
        st.caption(
            f"Theorem 1: T(z) = A T(ẑ) + c, with {whose}. Theorem 2: A is a block "
            f"permutation; of each factor's squared weights, its own latent's block holds {share}."
        )


def scores(run: Run, others: list[Run], method: str) -> None:
    """Show every seed of every chosen run, beside the scores that need no model."""
    by_id = {r.id: r for r in others}
    chosen = st.multiselect(
        "Side by side", list(by_id), default=list(by_id)[:4], format_func=lambda i: by_id[i].title, key="recover.with"
    )
    shown, references, rows, notes = {}, {}, [], []
    for each in (run, *(by_id[i] for i in chosen)):
        score = Scores.of(each)
        if score is None:
            continue
        name = each.config.model_name
        name = name if name not in shown else f"{name} ({each.title})"
        counted = good_members(each)
        good = [m for m in score.members if m.member in counted]
        shown[name] = [getattr(m, f"mcc_{method}") for m in good]
        within = [m.mcc_within_u for m in good if m.mcc_within_u is not None]
        if within:
            shown[f"{name}, within u"] = within
        if not references:
            residuals = score.floors_within_u or {}  # version 0.1 did not compute them
            references = {label: score.floors.get(key) for key, label in FLOORS.items()}
            references |= {f"{label}, within u": residuals.get(key) for key, label in FLOORS.items()}
        notes += [note for note in score.notes if note not in notes]
        rows.append({
            "run": each.title, "model": each.config.model_name, "latents": each.config.model.latents,
            "weights": capacity(each) or "–", "seeds": len(good),
            "MCC": _spread(score, "mcc_pearson"), "Spearman": _spread(score, "mcc_spearman"),
            "within u": _spread(score, "mcc_within_u"), "encoder alone": _spread(score, "mcc_encoder_only"),
            "with a wrong u": _spread(score, "mcc_wrong_u"),
        })  # fmt: skip
    if not shown:
        st.info("The scores are computed when training has finished.", icon=":material/hourglass_top:")
        return
    ui.plot(figures.mcc_lines(shown, references, measure=f"MCC ({method.capitalize()}, held-out)"), key="recover.lines")
    _table(rows)
    weights = {row["weights"] for row in rows if row["weights"] != "–"}
    latents = {row["latents"] for row in rows}
    if len(rows) > 1:
        if not weights or any(row["weights"] == "–" for row in rows):
            st.caption("The capacity of imported models is not known, so a difference may be due to it.")
        elif len(latents) > 1 or max(weights) > 1.1 * min(weights):
            st.warning(
                f"Not of equal capacity: {min(latents)} to {max(latents)} latents, {min(weights):,} to "
                f"{max(weights):,} weights a member. Part of a difference may be that.", icon=":material/balance:",
            )  # fmt: skip
        else:
            st.caption(
                f"Equal capacity: {latents.pop()} latents, {min(weights):,} to {max(weights):,} weights a member "
                "(an iVAE's few more are its prior p(z|u))."
            )
    if method == "spearman":
        st.caption("The reference lines are Pearson correlations.")
    st.caption(" ".join(named(note) for note in notes))


def named(note: str) -> str:
    """Replace the key of a reference line at the start of a note by its name in the figure."""
    key, colon, rest = note.partition(": ")
    return f"{FLOORS[key]}: {rest}" if colon and key in FLOORS else note


def _spread(score: Scores, key: str, digits: int = 3) -> str:
    mean, std = getattr(score.mean, key), getattr(score.std, key)
    return "–" if mean is None else f"{mean:.{digits}f} ± {std:.{digits}f}"


def _table(rows: list[dict]) -> None:
    """Show rows as a table, in markdown: st.dataframe would load pandas into the server."""
    heads = list(rows[0])
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in rows:
        cells = (f"{v:,}" if isinstance(v, int) else str(v).replace("|", "\\|") for v in row.values())
        lines.append("| " + " | ".join(cells) + " |")
    st.markdown("\n".join(lines))


def features(run: Run, others: list[Run]) -> None:
    """Show latents as features of a plain classifier or regression, beside raw x, PCA and FastICA."""
    about = run.about
    targets = {"u": f"u ({', '.join(about.get('u_names') or ())})"} if about.get("d_u") else {}
    if not about.get("has_labels") and (about.get("d_u") or 0) > 1:
        targets |= {f"u:{i + 1}": f"u: {name}" for i, name in enumerate(about["u_names"])}
    targets |= {f"z:{i + 1}": f"factor {name}" for i, name in enumerate(about.get("z_names") or ())}
    if not targets:
        st.info("This data has neither u nor true factors to predict.", icon=":material/info:")
        return
    cells = st.columns([2, 2, 3], vertical_alignment="bottom")
    with cells[0]:
        target = ui.choice(st.selectbox, "Predict", list(targets), param="target", show=targets.__getitem__)
    with cells[1]:
        reader = ui.choice(st.segmented_control, "By", ["linear", "neighbours"], param="reader", show=str.capitalize)
    name = file_name(target, reader)
    parts, measure = [], ""
    for each in (run, *others[:3]):
        found = Downstream.load(each, name)
        if found is not None:
            parts.append((each, found))
            measure = found.measure
    if run.analysis(name) is None:
        run_panel.ask(
            run, "downstream", f"Predict {targets[target]} from the latents", "Encoding and fitting", target=target,
            reader=reader,
        )  # fmt: skip
    if not parts:
        st.caption("Features are the means of the encoder alone, which has not seen u. Fitted on the training rows.")
        return
    names, value, low, high, members = [], [], [], [], []
    for k, (each, found) in enumerate(parts):
        for i, label in enumerate(found.names):
            if k and i:
                continue  # the baselines are those of the first run
            label = label if label not in names else f"{label} ({each.title})"
            names.append(label)
            for column, numbers in ((value, found.value), (low, found.low), (high, found.high)):
                column.append(float(numbers[i]))
            members.append(found.members[i].tolist())
    ui.plot(
        figures.decoding(names, value, low, high, members, target=parts[0][1].target, measure=measure),
        key="recover.features",
    )
    trained_on_target = target.startswith("u") and any(each.config.is_conditional for each, _ in parts)
    st.caption(
        "Means of the encoder alone, which has not seen u, as features of scikit-learn's "
        + ("logistic or ridge regression. " if reader == "linear" else "15 nearest neighbours. ")
        + " ".join(parts[0][1].notes)
        + (" An iVAE saw u in training, through its prior." if trained_on_target else "")
        + " A linear reader scores rotated latents the same: being useful is not being identified."
    )
    for each in others[:3]:
        if each.analysis(name) is None:
            run_panel.ask(each, "downstream", f"Add {each.title}", "Encoding and fitting", target=target, reader=reader)


def linear(run: Run) -> None:
    """Show that disentanglement is nonlinear ICA: FastICA on linear and nonlinear mixtures of the same factors."""
    st.markdown(
        "**Disentanglement is, roughly, nonlinear ICA.** If x = A z, linear ICA finds the factors. If x = f(z), it "
        "does not."
    )
    found = LinearIca.load(run, "linear_ica")
    if found is None:
        run_panel.ask(run, "linear_ica", "Mix independent factors and unmix them", "32 data sets, FastICA on each")
        return
    layers = found.layers
    deep = ui.choice(st.segmented_control, "Mixing layers of the nonlinear data", layers[1:].tolist(), param="layers")
    k = layers.tolist().index(deep)
    quarter = (found.z[:, 0] > 0).astype(int) + 2 * (found.z[:, 1] > 0).astype(int)
    score = found.fastica
    with st.container():
        linked(
            [
                Panel("independent factors z", found.z, ("s1", "s2")),
                Panel(f"FastICA of A z: MCC {score[0, 0]:.2f}", found.found[0], ("for s1", "for s2")),
                Panel(f"data x = f(z), {deep} layers", found.x[k], ("x1", "x2")),
                Panel(f"FastICA of f(z): MCC {score[k, 0]:.2f}", found.found[k], ("for s1", "for s2")),
            ],
            key="recover.ica", hues=quarter, hue_labels=("− −", "+ −", "− +", "+ +"), name="signs of s1, s2",
        )  # fmt: skip
    scores = {"FastICA": found.fastica, "PCA": found.pca}
    if found.gaussian is not None:
        scores["FastICA, Gaussian factors"] = found.gaussian
    ui.plot(figures.ica_by_layers(layers, scores, found.chance), key="recover.layers")
    lost = int((~found.converged).sum())
    st.caption(
        f"{found.z.shape[1]} independent Laplace factors of equal variance, 4,000 rows, no u; two are drawn. "
        "FastICA and PCA are scored on the rows that they are fitted on; neither sees the factors. "
        "PCA does not solve even the linear case: it stops at uncorrelated axes. Gaussian factors are the control: "
        "FastICA returns some rotation of them."
        + (f" FastICA did not converge on {lost} of {found.converged.size} data sets." if lost else "")
    )
