"""The views under the dial: the curve, the two-sample test, the question, the exact model, and common objections."""

import random
from collections.abc import Callable
from typing import Any

import streamlit as st

from dvae_core import figures
from dvae_core.analysis.latents import factor_colours, held_out
from dvae_core.analysis.posterior import record as posteriors
from dvae_core.analysis.posterior.record import Posteriors
from dvae_core.analysis.rotation.record import Rotation, file_name
from dvae_core.config import GaussianLikelihood
from dvae_core.export.draws import noise_covariance
from dvae_core.export.plan import decode
from dvae_core.identify import linear_gaussian, matrices, two_sample
from dvae_core.live.posterior import PosteriorState
from dvae_core.runs import Run, RunError
from pages.ui import page as ui
from pages.ui import run_panel
from pages.ui.components.live_component import canvas
from pages.ui.components.posterior import posterior

VIEWS = {
    "curve": "The curve", "test": "Two-sample test", "guess": "Which is true?", "widths": "z given x",
    "exact": "Exact model",
}  # fmt: skip
Q_NAMES = {
    "diagonal": "this run's diagonal q",
    "full": "this run's full q",
    "gauss-newton": "this run's Gauss-Newton q",
}
OTHER_PRIOR = {  # by kind: what turning does to a prior that is neither N(0, I) nor p(z|u)
    "time": "This run's prior is over pairs of neighbouring rows. Turning leaves each row's density N(0, I) and "
    "changes the pair's: in its covariance [[I, A], [A, I]], A becomes M A Mᵀ. Only equal memories in this plane would "
    "keep it.",
    "mixture": "This run's prior is a mixture of Gaussians with diagonal covariances; turned, they are not diagonal.",
    "custom": "This run's prior is not N(0, I); turning may change it.",
}
CONDITIONAL = (
    "This run's prior is p(z|u), not N(0, I). Turning it asks whether another set of axes would explain x given u as "
    "well. The circles are those of N(0, I), for comparison."
)


def is_conditional(run: Run) -> bool:
    """Whether the run's prior is p(z|u)."""
    return run.config.is_conditional


def is_plain(run: Run) -> bool:
    """Whether the run's prior is N(0, I), so that a turned model is the same model of x."""
    return run.config.prior.kind == "standard"


def about_prior(run: Run) -> str:
    """Say what turning does to a prior that is not N(0, I); "" for one that is."""
    return CONDITIONAL if is_conditional(run) else OTHER_PRIOR.get(run.config.prior.kind, "")


def printed(shown: dict[str, Any], plane: tuple[int, int], M: Any, angle: float) -> Any:
    """Draw the dial's panels at this angle as a figure, for print; the decoded strips are not part of it."""
    i, j = plane
    names = (f"z{i + 1}", f"z{j + 1}"), (f"z̃{i + 1}", f"z̃{j + 1}")
    points = shown["points"]
    panels = [("z", points[:, [i, j]], names[0]), (f"z̃ = M z, {angle:g}°", (points @ M.T)[:, [i, j]], names[1])]
    if shown.get("x_points") is not None:
        panels.append(("x, unchanged", shown["x_points"], ("x1", "x2")))
    hue, labels = shown.get("hues"), shown.get("hue_labels", ())
    return figures.linked_panels(panels, hue, labels, title=f"Latents turned by {angle:g} degrees")


def show(view: str, run: Run, member: int, plane: tuple[int, int], M: Any, angle: float) -> None:
    """Show one of VIEWS at the dial's angle."""
    if view == "curve":
        curve(run, member, plane, angle)
    elif view == "test":
        test(run, M)
    elif view == "guess":
        guess(run, member, plane, angle)
    elif view == "widths":
        widths(run, member)
    else:
        exact(angle)


def curve(run: Run, member: int, plane: tuple[int, int], angle: float) -> None:
    """Draw likelihood and bounds against the angle, if they are computed, and explain them."""
    found = Rotation.load(run, file_name(member, plane))
    if found is None:
        return
    story = figures.rotation_story(found.arrays(), conditional=is_conditional(run), at=angle)
    ui.plot(story, key="rotation.curve", heading=True)
    st.markdown(findings(found, conditional=is_conditional(run), plain=is_plain(run)))
    if is_conditional(run) and run.config.members > 1:
        ui.link("agree", "Do the seeds agree on these axes?", run=run.id)
    if "before" in st.query_params:
        st.caption("The curve is that of the dial alone, without the maps before it.")
    st.caption(" ".join([*(str(note) for note in found.notes or ()), counted(found)]))


def counted(found: Rotation) -> str:
    """State on how many importance samples the estimate of log p(x) rests; "" if an earlier version did not count."""
    if found.effective is None or found.samples is None:
        return ""
    return f"Effective sample size: {found.effective.min():.0f} of {found.samples} in a typical example."


def findings(found: Rotation, *, conditional: bool, plain: bool = True) -> str:
    """Explain the measured curves.

    Args:
        found: A rotation analysis.
        conditional: Whether the run's prior is p(z|u).
        plain: Whether it is N(0, I), if it is not conditional.
    """
    if not (plain or conditional):
        most, is_flat = figures.largest_change(found.elbo, found.elbo_error)
        return (
            f"**Here the bound does not notice the angle:** it changes by at most {most:.2g} nats a row."
            if is_flat
            else f"**Here the angle matters:** with the prior held fixed, turning costs up to {most:.2f} nats a row."
        )
    if conditional and found.log_pxu_refitted is None:
        return (
            "The prior is held fixed here. That alone bends log p(x|u), so the curve cannot tell whether axes matter."
        )
    if found.log_pxu_refitted is not None:
        most, is_flat = figures.largest_change(found.log_pxu_refitted, found.log_pxu_refitted_error)
        if is_flat:
            return (
                f"**Here the angle does not matter:** with the prior refitted at every angle, log p(x|u) changes by at "
                f"most {most:.2g} nats. In this plane u does not single out these axes."
            )
        lowest = found.angle[int(found.log_pxu_refitted.argmin())]
        text = (
            f"**Here the angle matters:** even with the prior refitted at every angle, turning costs up to {most:.2f} "
            f"nats (at {lowest:g}°)."
        )
        whitened, error = found.log_pxu_refitted_whitened, found.log_pxu_refitted_whitened_error
        if whitened is not None and figures.largest_change(whitened, error)[1]:
            text += (
                " But the cost is gone once each latent is divided by its spread within u: these latents are free up "
                "to an affine map."
            )
        return text
    if not figures.is_trusted(found.effective):
        return (
            "**log p(x) is not estimated here:** too few importance samples count. With p(z) = N(0, I) the turned "
            "model still gives every x exactly the same density."
        )
    most, is_flat = figures.largest_change(found.log_px, found.log_px_error)
    if not is_flat:
        return (
            f"**This estimate of log p(x) is not to be trusted:** it moves by {most:.2f} nats, but with p(z) = N(0, I) "
            "the turned model gives every x exactly the same density: importance sampling misses part of the posterior."
        )
    text = f"**The likelihood does not notice:** log p(x) moves by at most {most:.2g} nats, within its error."
    if found.elbo_diagonal is not None:
        most, is_flat = figures.largest_change(found.elbo_diagonal, found.elbo_diagonal_error)
        text += (
            " Here not even the bound of a diagonal q prefers an angle."
            if is_flat
            else f" The bound of a diagonal q does prefer some angles, by up to {most:.2f} nats. That comes from the "
            "approximation: with a full q it is gone, and nothing ties the preferred axes to the factors."
        )
    return text


def offer(run: Run, member: int, plane: tuple[int, int]) -> None:
    """Offer to compute the curve, or those parts that an older version did not compute."""
    where: dict[str, Any] = {"member_index": member, "i": plane[0], "j": plane[1]}
    found = Rotation.load(run, file_name(member, plane))
    if found is None:
        st.markdown("**What does the likelihood say about the angle?**")
        label = "Compute log p(x) at every angle"
    elif found.notes is None:
        label = "Compute log p(x|u) both ways" if is_conditional(run) else "Add the ELBO of a diagonal q"
    else:
        return
    run_panel.ask(run, "rotation", label, "log p(x) and its bounds, 0 to 90 degrees", **where)


def widths(run: Run, member: int) -> None:
    """Show exact posteriors beside q, or offer to compute them."""
    if run.config.model.latents != 2:
        st.info("Posteriors are drawn for runs with two latents; this one has more.", icon=":material/info:")
        return
    found = Posteriors.load(run, posteriors.file_name(member))
    if found is None:
        st.markdown("**How wide is z given x, and along which axes?** A diagonal q can only be wide along z1 and z2.")
        run_panel.ask(run, "posterior", "Compute exact posteriors", "Posteriors on a grid", member_index=member)
        return
    posterior_widths(run, member, key=f"rotate.widths.{run.id}")
    st.markdown(widths_found(found, given(run)))


def given(run: Run) -> str:
    """Name the variables that a run's posterior is conditioned on."""
    return "x, u" if run.config.is_conditional else "x"


def posterior_widths(run: Run, member: int, *, key: str) -> None:
    """Draw the record of exact posteriors.

    Raises:
        RunError: If it is not computed.
    """
    found = Posteriors.load(run, posteriors.file_name(member))
    if found is None:
        raise RunError(
            f"{run.title} has no posteriors; `python -m dvae_core analyse {run.id} posterior` computes them."
        )
    likelihood = run.config.model.likelihood
    drawn = run.about["d_x"] == 2 and isinstance(likelihood, GaussianLikelihood) and likelihood.noise != "network"
    state = PosteriorState(
        x_mean=decode(ui.plan_of(run), member, found.mean) if drawn else None,
        x_cov=noise_covariance(run, member) if drawn else None,
        found=found, x=held_out(run)["x"][found.rows], x_names=run.about.get("x_names", ()),
        q_name=Q_NAMES[run.config.model.posterior], given=given(run),
    )  # fmt: skip
    posterior(state, key=key)
    canvas(key, lambda: figures.posterior_ellipses(found.mean, gaussians(found, state.q_name)))


def gaussians(found: Posteriors, q_name: str) -> dict[str, tuple[Any, Any]]:
    """Return mean and covariance of the exact posterior, of the run's own q and of the best diagonal one, by name."""
    diagonal = found.var_diagonal[:, :, None] * matrices.rotation_matrix(2, 0.0)
    return {"exact": (found.mean, found.cov), q_name: (found.q_mean, found.q_cov), "diagonal": (found.mean, diagonal)}


def widths_found(found: Posteriors, given: str) -> str:
    """State how correlated latents are given x, and what each Gaussian loses of the bound."""
    lean = abs(found.correlation).mean()
    return (
        f"Given {given}, z1 and z2 have a correlation of {lean:.2f} (mean absolute value of {len(found.rows)} held-out "
        f"examples). A diagonal q loses {found.loss_diagonal.mean():.2f} nats of the bound, a Gaussian with the exact "
        f"covariance {found.loss_full.mean():.2f}, this run's q {found.loss_q.mean():.2f}."
    )


def test(run: Run, M: Any) -> None:
    """Offer the two-sample test between z and M z'; each press draws new samples."""
    if not is_plain(run):
        st.info(
            "This run's prior is not N(0, I); the test below is about N(0, I), the prior of a plain VAE.",
            icon=":material/info:",
        )
    st.markdown("Could 500 draws of z ~ N(0, I) and 500 *other* draws, turned to M z′, come from one distribution?")
    pressed = st.session_state.setdefault("two_sample", [])
    if st.button("Draw and test", icon=":material/casino:"):
        pressed.append(two_sample.rotated_prior_test(M, seed=len(pressed)))
    if pressed:
        last = pressed[-1]
        st.markdown(
            f"**p = {last.p_value:.2f}**: that share of random relabellings of the two clouds puts them at least as "
            f"far apart (squared energy distance {last.statistic:.4f})."
        )
        st.caption(f"p-values so far: {', '.join(f'{t.p_value:.2f}' for t in pressed[-20:])} ({last.method}).")
    st.caption(two_sample.NULL_NOTE)


VOTES = ("A is the true one", "B is the true one", "Nobody can tell")


def guess(
    run: Run, member: int, plane: tuple[int, int], angle: float, *, height: int = 460, title: str | None = None,
    stacked: bool = False, key: str | None = None, plot: Callable[..., None] = ui.plot,
) -> None:  # fmt: skip
    """Ask which of two unlabelled models is the true one, then explain that no one can know.

    Args:
        run: A trained run.
        member: Whose latents are drawn.
        plane: The two latents that are turned.
        angle: Of the twin, in degrees.
        height: Of the figure, in pixels.
        title: Replaces the title.
        stacked: Puts the two below each other.
        key: Where the session keeps the answer: one of VOTES, or any other text for an audience that only wanted to see
            the answer. The talk gives it, and its answers carry the digits that are pressed for them.
        plot: Shows the figure, given a key.
    """
    if not is_plain(run):
        st.info(
            "This question is about the prior N(0, I). With another prior, see the curve. Pick a plain VAE for this "
            "question.", icon=":material/info:",
        )  # fmt: skip
        return
    angle = angle if 5 <= angle <= 85 else 40.0
    numbered = key is not None
    key = key or f"guess.{run.id}.{member}"
    round_number = st.session_state.setdefault(f"{key}.asked", 0)
    swapped = random.Random(f"{key} {round_number}").random() < 0.5
    answer = st.session_state.get(key) or None
    hue, names = factor_colours(run)
    trained, twin = ("B", "A") if swapped else ("A", "B")
    labels = {trained: "as trained", twin: f"turned by {angle:g}°"} if answer else {"A": "?", "B": "?"}
    before, after = "Two models of the same data: which one is the true one?", "No data can tell the two apart"
    figure = figures.which_is_true(
        held_out(run)["mu_z"][member], matrices.rotation_matrix(run.config.model.latents, angle, plane), hue,
        names, plane=plane, swapped=swapped, titles=(f"Model A: {labels['A']}", f"Model B: {labels['B']}"),
        title=(after if answer else before) if title is None else title, height=height, stacked=stacked,
    )  # fmt: skip
    plot(figure, key="rotation.guess")
    st.markdown(_scores(run, member, plane, angle))
    with st.container(horizontal=True):
        if answer is None:
            for i, choice in enumerate(VOTES, 1):
                label = f"{i} · {choice}" if numbered else choice
                st.button(label, key=f"{key}.{choice}", on_click=_answer, args=(key, choice))
        else:
            st.button("Ask again", icon=":material/refresh:", on_click=_answer, args=(key, None))
    if answer is not None:
        picked = f"**Your answer: “{answer}”.** " if answer in VOTES else ""
        st.markdown(
            f"{picked}{trained} came out of training; {twin} is its twin. Both give every x the same density, so "
            "no data, and no score made of x, speaks for either. “True” needs something besides x."
        )
        found = Rotation.load(run, file_name(member, plane))
        if found is not None and found.mcc is not None:
            k = int(abs(found.angle - angle).argmin())
            st.markdown(
                f"With the true factors at hand: MCC {found.mcc[0]:.2f} for {trained}, {found.mcc[k]:.2f} for "
                f"{twin} (at {found.angle[k]:g}°). Training did not use them: another seed ends at another angle."
            )


def _answer(key: str, choice: str | None) -> None:
    st.session_state[key] = choice
    if choice is None:
        st.session_state[f"{key}.asked"] += 1


def _scores(run: Run, member: int, plane: tuple[int, int], angle: float) -> str:
    """State both models' scores as measured, or the ELBO, which the twin shares exactly."""
    found = Rotation.load(run, file_name(member, plane))
    if found is None:
        latents = held_out(run)
        error = f" ± {latents['elbo_error'][member]:.3f}" if "elbo_error" in latents else ""
        bound = f"{latents['elbo'][member]:.3f}{error}"
        return f"Both models: held-out ELBO **{bound}** nats per example, equal by construction."
    k = int(abs(found.angle - angle).argmin())
    elbo, error = found.elbo, found.elbo_error
    if found.elbo_full is not None:
        elbo, error = found.elbo_full, found.elbo_full_error
    bound, other = (f"{elbo[i]:.3f}{'' if error is None else f' ± {error[i]:.3f}'}" for i in (0, k))
    bounds = f"ELBO of the two: **{bound}** and **{other}**."
    if not figures.is_trusted(found.effective):
        return f"{bounds} log p(x) is not estimated: too few importance samples count."
    a, b = (f"{found.log_px[i]:.3f} ± {found.log_px_error[i]:.3f}" for i in (0, k))
    pair = sorted([a, b])  # an order that does not reveal the answer
    return (
        f"Held-out log p(x) of the two, in no order: **{pair[0]}** and **{pair[1]}** nats (lower bounds; ± is Monte "
        f"Carlo noise). {bounds}"
    )


def exact(angle: float) -> None:
    """Draw the closed-form curves of x = W z + noise, with the posterior's variances on sliders."""
    st.markdown("x = W z + b + noise: no training, no sampling, every curve in closed form.")
    cells = st.columns([2, 2, 3], vertical_alignment="bottom")
    s1 = cells[0].slider("Posterior variance of z1", 0.01, 1.0, 1.0, 0.01, key="exact.s1")
    s2 = cells[1].slider("Posterior variance of z2", 0.01, 1.0, 0.05, 0.01, key="exact.s2")
    moved = cells[2].toggle("Observe u: it moves the variances of p(z|u)", key="exact.u")
    model = linear_gaussian.from_posterior((s1, s2))
    variances = matrices.rotation_matrix(2, 0.0) * 0.9 + 0.1 if moved else None  # (1, 0.1) and (0.1, 1)
    found = linear_gaussian.curves(model, step=5.0, prior_var=variances)
    ui.plot(figures.rotation_story(found, conditional=moved, at=angle), key="rotation.exact", heading=True)
    if moved:
        st.caption("u takes two values; the prior's variances are (1, 0.1) for one and (0.1, 1) for the other.")


def questions() -> None:
    """Answer common objections."""
    left, right = st.columns(2)
    with left.expander("“But VAEs do give nice axes!”"):
        st.markdown(
            "Because their q(z|x) is diagonal. It fits the posterior best along the posterior's own axes, those of "
            "PCA, so the **ELBO of a diagonal q** bends where log p(x) is flat (see the curve; Rolinek et al. 2019). "
            "The preference comes from the approximation: with a full q it is gone. The axes it prefers are the "
            "posterior's own, and nothing ties those to the factors."
        )
    with left.expander("“So use a non-Gaussian prior?”"):
        st.markdown("Any factorial prior can be carried to a Gaussian, turned there, and carried back.")
        ui.link("any_prior", "Turn any prior")
    with right.expander("“So more data?”"):
        st.markdown(
            "No. The model and its twin give *every* x the same density, so their log-likelihoods are equal on ten "
            "examples and on ten million. More data pins down p(x), about which the two agree."
        )
    with right.expander("“So what helps?”"):
        st.markdown(
            "Something besides x: observe u and let the prior p(z|u) change with it. If u moves the latents enough, "
            "turning costs likelihood."
        )
        ui.link("recover", "Recovered and true factors")
