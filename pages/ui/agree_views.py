"""The views of the Agree page: which seeds agree, up to which map, which latents recur, and what remains open."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from dvae_core import figures, metrics
from dvae_core.analysis.agreement.record import Agreement
from dvae_core.analysis.common import best_member
from dvae_core.analysis.verdicts import agreed, common_rung
from dvae_core.config import GaussianPrior
from dvae_core.identify import linear_gaussian
from dvae_core.identify.conditions import explained_by_u
from dvae_core.runs import Run
from pages.ui import page as ui

AGREE = {
    "identity": "are identical", "permutation": "agree up to order, sign and scale",
    "monotone": "agree up to order and a monotone curve each", "orthogonal": "agree only up to a rotation",
    "affine": "agree only up to a linear map", None: "do not agree, not even up to a linear map",
}  # fmt: skip


def findings(found: Agreement, names: Sequence[str]) -> list[str]:
    """State for each model up to what most pairs of its seeds agree, and how many do; last, across both models."""
    lines = []
    for name, r2 in ladders(found, names).items():
        rung, reached, pairs = metrics.typical_rung(r2)
        who = f"{names[0]} and {names[1]}" if name == "across" else f"Seeds of {name}"
        if not found.has_ladder:
            mean = found.mean_mcc(*{names[0]: (0, 0), names[-1]: (1, 1), "across": (0, 1)}[name])
            lines.append(
                f"**{who}: what u does to their latents is alike at {mean:.2f}** (MCC, {pairs} ordered pairs)."
            )
            continue
        counted = f"{reached} of {pairs} ordered pairs" if rung else f"fewer than half of {pairs} ordered pairs do"
        lines.append(f"**{who} {AGREE[rung]}** ({counted}).")
    return lines


def ladders(found: Agreement, names: Sequence[str]) -> dict:
    """Collect the R^2 of every pair by rung, for each model and across models."""
    groups = {names[0]: found.pairs(0, 0)}
    if len(names) > 1:
        groups |= {names[1]: found.pairs(1, 1), "across": found.pairs(0, 1)}
    return {
        name: {rung: r2[pairs[:, 0], pairs[:, 1]] for rung, r2 in found.r2.items()}
        for name, pairs in groups.items() if len(pairs)
    }  # fmt: skip


def show(run: Run, other: Run | None, found: Agreement) -> None:
    """The heat map, the ladder, and each latent's stability."""
    names = [run.config.model_name] + ([other.config.model_name] if other else [])
    if len(set(names)) < len(names):
        names = [run.title, other.title] if other else names
    st.markdown("\n".join(f"- {line}" for line in findings(found, names)))
    if run.config.is_conditional:
        ui.link("conditions", "What does the theorem say of this run?", run=run.id)
    d = found.strength.shape[2]
    labels = found.labels(ui.member_names(run), ui.member_names(other) if other else ())
    left, right = st.columns([2, 3], gap="large")
    with left:
        within = found.within is not None and st.toggle("Within u", help="After subtracting each label's mean")
        values = found.within if within and found.within is not None else found.mcc
        measure = "MCC within u" if within else "pairwise MCC"
        ui.plot(
            figures.agreement_map(values, labels, found.run, names, measure=measure, turned=found.rotation),
            key="agree.map",
        )
    with right:
        ui.plot(figures.ladder_chart(ladders(found, names), height=420), key="agree.ladder")
    st.caption(
        " ".join(
            (
                f"Over {found.rows:,} held-out rows; dead latents are left out. Curves: R² of normal scores.",
                *found.notes,
            )
        )
    )
    left, right = st.columns([3, 2], gap="large")
    with left:
        at = ui.choice(
            st.selectbox, "Follow the latents of", list(range(len(labels))), param="follow",
            show=lambda i: f"{names[found.run[i]]}, {labels[i]}",
        )  # fmt: skip
        mine = [j for j in range(len(labels)) if j != at and found.run[j] == found.run[at]]
        latents = [f"z{k + 1}" for k in range(d)]
        ui.plot(
            figures.stability(found.strength[at][mine], latents, independent=found.chance, turned=found.rotation),
            key="agree.stability",
        )
    with right:
        ranked = sorted((i for i in range(len(labels)) if found.udr[i] == found.udr[i]), key=lambda i: -found.udr[i])
        if ranked:
            st.markdown("**Ranked without truth (UDR)**")
            lines = [f"| {names[found.run[i]]}, {labels[i]} | {found.udr[i]:.2f} |" for i in ranked[:8]]
            st.markdown("\n".join(["| member | UDR |", "|---|---|", *lines]))
            more = f"The best 8 of {len(ranked)}. " if len(ranked) > 8 else ""
            st.caption(f"{more}How much a member's latents come back in the others, one to one (Duan et al. 2020).")


TRY = {
    "axes": "Each latent may be studied on its own. Agreement cannot show that it is a factor of the world.",
    "space": "Interpret the space, not its axes: decode from all latents together, and align runs before comparing "
    "their latents.",
    "nothing": "Interpret nothing yet. Try fewer latents, more epochs or more data, and look at the members' bounds.",
}


def report(run: Run) -> None:
    """Show the sentence to report of a run's seeds, what follows from it, what to try, and its latents over time."""
    found = common_rung(run)
    if found is None:
        return
    st.subheader("What to report", anchor=False, divider="gray")
    kind = "nothing" if found[0] is None else "space" if found[0] in ("orthogonal", "affine") else "axes"
    st.markdown(f"> {agreed(run)} (R² of 0.95 for the median pair, held-out rows).\n\n{TRY[kind]} {_to_try(run, kind)}")
    _over_time(run)


def _to_try(run: Run, kind: str) -> str:
    """Return what may give reproducible axes, for seeds that share only a space."""
    if kind != "space":
        return ""
    if not run.about.get("u_names"):
        return "For reproducible axes, the model needs an auxiliary variable u: choose one on Data, and train an iVAE."
    if not run.config.is_conditional:
        return "For reproducible axes, train an iVAE: this data has a u."
    prior = run.config.prior
    if isinstance(prior, GaussianPrior) and prior.modulate != "variance":
        return "For reproducible axes, let u change only the variances of the prior, or take fewer latents."
    return "For reproducible axes, take fewer latents, or a u with more values."


@st.cache_data(max_entries=16, show_spinner=False)
def _shares(path: str, version: float, member: int) -> list[float]:
    """Return the share of each latent's variance that u explains."""
    latents = Run(Path(path)).latents() or {}
    return explained_by_u(latents["mu_z"][member].astype(float), latents["u"]).tolist()


def _over_time(run: Run) -> None:
    """Draw the latents of the shown member over time, with u, if rows are in time order."""
    latents, about = run.latents(), run.about
    if latents is None or about.get("split") != "blocks":
        return
    member, u, title, more = best_member(run), latents.get("u"), "Latents over time", {}
    if u is not None:
        shares = _shares(str(run.path), (run.path / "latents.npz").stat().st_mtime, member)
        most = shares.index(max(shares))
        title = f"u explains most of z{most + 1}: {shares[most]:.0%} of its variance"
        more = {"u": u if u.ndim == 1 else u[:, 0], "name": about["u_names"][0], "labels": about.get("u_labels") or ()}
    ui.plot(
        figures.latents_over_time(
            latents["mu_z"][member], latents["index"], rate_hz=about.get("rate_hz"), title=title, **more
        ),
        key="agree.time",
    )  # fmt: skip
    st.caption(f"{ui.member_names(run)[member]}, held-out rows.")


def caution() -> None:
    """Show seeds that agree and are wrong, computed on the page in closed form."""
    st.subheader("Agreement is not correctness", anchor=False, divider="gray")
    st.markdown(
        "Here 8 seeds of a VAE with a *diagonal* q climb their ELBO on x = W z + noise. Every rotation of z explains x "
        "equally well. The bound still prefers some axes, those of its own posterior, and the true axes lie elsewhere."
    )
    truth = st.slider("True axes, degrees from those that the bound prefers", 0, 90, 35, 5, key="agree.truth")
    found = linear_gaussian.diagonal_seeds((0.3, 0.02), truth)
    right = float(found.with_truth.mean())
    title = f"Seeds agree (MCC {found.pairs.min():.2f}) on axes that are not the true ones (MCC {right:.2f})"
    if truth % 90 == 0:
        title = f"By chance the axes that the bound prefers are the true ones (MCC {right:.2f})"
    ui.plot(
        figures.wrong_axes(
            found.angle, found.elbo, found.starts, found.ends, found.at_starts, found.at_ends, truth, title=title
        ), key="agree.caution",
    )  # fmt: skip
    st.caption(
        f"Closed form, nothing sampled. Pairwise MCC of the seeds {found.pairs.min():.3f} to {found.pairs.max():.3f}, "
        f"MCC with the true factors {right:.3f}; along the true axes it would be {found.at_truth:.3f} (noise keeps it "
        "below 1). 0 and 90 degrees are the same axes in another order."
    )
