"""Figures build from nothing, little and much; say what their axes are; keep one colour for one meaning."""

import functools
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from dvae_core import figures
from dvae_core.metrics import align, mcc, monotone_fit

COLUMNS = ["step", "member", "seed", "beta", "split", "seconds", "elbo", "recon", "kl", "kl_dependence", "kl_1", "kl_2"]
RNG = np.random.default_rng(0)


def history(
    members: int = 3, logged: int = 30, *, betas: tuple[float, ...] | None = None, broken: int | None = None
) -> pd.DataFrame:
    """A run's history as train.History writes it."""
    rows = []
    for m in range(members):
        for k in range(logged):
            for split in ("held_out", "train")[: 1 + (k > 0)]:
                recon = -1.0 - 100 * np.exp(-k) + 0.01 * m if m != broken or k < 10 else np.nan
                kl = 2.0 * (1 - np.exp(-k / 5)) / (betas[m] if betas else 1)
                beta = betas[m] if betas else 1.0
                rows.append((k * 10, m, 40 + m, beta, split, k * 0.1, recon - kl, recon, kl, 0.0, kl, 0.0))
    return pd.DataFrame(rows, columns=COLUMNS)


def points(n: int, d: int = 2) -> np.ndarray:
    return np.random.default_rng(n).standard_normal((n, d))


def codes(n: int, labels: int = 5) -> np.ndarray:
    return np.arange(n) % labels


def finding(fig: go.Figure) -> str:
    """The title as it is read, whatever its line breaks."""
    return fig.layout.title.text.replace("<br>", " ")


ANGLES = np.arange(0.0, 91.0, 15.0)


def recovery(n: int, d: int = 2, d_hat: int = 2, **more: object) -> go.Figure:
    z = points(n, d)
    z_hat = np.column_stack([np.tanh(-z[:, ::-1]), points(n + 1, 9)[:n]])[:, :d_hat]
    if n < 3:
        return figures.recovery_scatter(z, z_hat, (-1,) * d, (0,) * d)
    score = mcc(z, z_hat)
    pairs = enumerate(zip(score.matching, score.signs, strict=True))
    curves = [None if k < 0 else monotone_fit(s * z_hat[:, k], z[:, i]) for i, (k, s) in pairs]
    return figures.recovery_scatter(z, z_hat, score.matching, score.signs, curves=curves, **more)  # type: ignore[arg-type]


def four(n: int, **more: object) -> go.Figure:
    z = points(n)
    return figures.four_panels(z, np.tanh(z), -z, z @ np.array([[0.7, -0.7], [0.7, 0.7]]), codes(n), **more)  # type: ignore[arg-type]


def story(n: int) -> dict[str, np.ndarray]:
    """A rotation analysis as pages read it."""
    gap, flat = np.sin(np.deg2rad(2 * ANGLES))[:n], np.zeros(7)[:n]
    found = {"log_px": flat, "elbo_full": flat, "elbo_diagonal": -gap, "gap_closed_form": gap, "mcc": 1 - gap / 3}
    return {"angle": ANGLES[:n], "log_px_error": flat + 0.001, **found}


def u_rows(n: int) -> list[dict[str, object]]:
    """Records of a study, some without a member's MCC, some without an invertible L."""
    return [
        {
            "modulate": ("none", "both", "mean", "variance")[i % 4], "segments": 1 + i // 8, "strength": 0.1 + i // 8,
            "world": i // 4 % 2,
            "mcc": [0.5, None, 0.7], "u_only": 0.2 if i % 3 else None, "condition": 9.0 if i % 4 and i > 8 else None,
        }
        for i in range(min(n, 24))
    ]  # fmt: skip


BUILDERS: dict[str, Callable[[int], go.Figure]] = {
    "training_curves": lambda n: figures.training_curves(history(n, 30) if n else pd.DataFrame()),
    "training_curves one point": lambda n: figures.training_curves(history(n, 1)),
    "training_split": lambda n: figures.training_split(history(n, 30) if n else history(0)),
    "kl_bars": lambda n: figures.kl_bars(np.abs(points(min(n, 64), 3))),
    "latent_scatter": lambda n: figures.latent_scatter(points(n, 3), codes(n), list("abcde"), kl=np.array([0.0, 2, 1])),
    "latent_scatter numbers": lambda n: figures.latent_scatter(points(n), points(n)[:, 0], ("time (s)",)),
    "latent_scatter one latent": lambda n: figures.latent_scatter(points(n, 1)),
    "data_scatter": lambda n: figures.data_scatter(points(n, 9), codes(n, 10)),
    "data_scatter one column": lambda n: figures.data_scatter(points(n, 1)),
    "four_panels": four,
    "column_histograms": lambda n: figures.column_histograms(points(n, 3)),
    "recovery_scatter": recovery,
    "recovery_scatter wide": lambda n: recovery(n, 3, 1, hue=codes(n)),
    "correlation_matrices": lambda n: figures.correlation_matrices(points(6, 6)[:n], range(6)[:n], [1] * min(n, 6)),
    "mcc_lines": lambda n: figures.mcc_lines({"iVAE": points(n)[:, 0].tolist()}, {"raw x": 0.5 if n else None}),
    "singular_values": lambda n: figures.singular_values(None if not n else np.arange(5.0)[:n], None, 4, np.ones(4)),
    "singular_values true": lambda n: figures.singular_values(*[np.arange(4.0) if n else None] * 2, 4, None),
    "prior_curves": lambda n: figures.prior_curves(ANGLES, np.ones((min(n, 12), 2, 7)), list("abcdefghijkl")[:n]),
    **{
        f"kinds_of_u_lines {what} {by}": lambda n, what=what, by=by: figures.kinds_of_u_lines(u_rows(n), by, what=what)
        for what in ("mcc", "gain", "condition") for by in ("segments", "strength")
    },
    "stage": lambda n: figures.stage(points(n), points(n), title="5. Back: g(z)", axis=["g1", "g2"]),
    "bend_curves": lambda n: figures.bend_curves({"time": (ANGLES, ANGLES / 90)} if n else {}, at=10.0),
    "posterior_ellipses": lambda n: figures.posterior_ellipses(
        points(n), {"exact": (points(n), np.tile(np.eye(2), (n, 1, 1)))}
    ),
    "rotation_story": lambda n: figures.rotation_story(story(n), at=10.0),
    "which_is_true": lambda n: figures.which_is_true(points(n), np.eye(2)[::-1], codes(n)),
    "rotation_curve": lambda n: figures.rotation_curve(
        ANGLES[:n], {"log p(x)": (points(7)[:n, 0], np.full(7, 0.1)[:n])}, mcc=ANGLES[:n] / 90, at=10.0
    ),
}  # fmt: skip


@functools.cache
def built(name: str, n: int) -> go.Figure:
    """A figure of n rows, built once for all tests that only look at it."""
    return BUILDERS[name](n)


def drawn_axes(fig: go.Figure) -> Iterator[tuple[str, go.layout.XAxis | go.layout.YAxis]]:
    for axis in (*fig.select_xaxes(), *fig.select_yaxes()):
        if axis.visible is not False and axis.showticklabels is not False:
            yield axis.plotly_name, axis


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("n", [0, 1, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 3)), 200])
def test_every_figure_builds_from_nothing_little_and_much(name: str, n: int) -> None:
    fig = built(name, n)
    tree = json.loads(fig.to_json())
    assert "NaN" not in json.dumps(tree["layout"])
    assert tree["layout"]["paper_bgcolor"] == tree["layout"]["plot_bgcolor"] == "rgba(0,0,0,0)"
    is_sentence = not fig.data
    if is_sentence:
        assert fig.layout.annotations[0].text.endswith((".", "few rows", "first steps"))
    else:
        assert fig.layout.title.text
        assert 48 <= fig.layout.margin.t <= 100 + 29 * fig.layout.title.text.count("<br>")
    if n == 0:
        assert is_sentence
    if n == 200:
        assert not is_sentence


@pytest.mark.parametrize("name", [n for n in BUILDERS if n not in ("mcc_lines", "recovery_scatter wide")])
def test_axes_have_titles(name: str) -> None:
    fig = built(name, 200)
    untitled = [axis for axis, a in drawn_axes(fig) if not a.title.text]
    allowed = {  # inner panels of grids read their titles off the outer ones
        "recovery_scatter": {"xaxis", "xaxis2", "yaxis2", "yaxis4"},
        "column_histograms": {"yaxis2", "yaxis3"},
        "correlation_matrices": {"yaxis2"},
    }
    assert set(untitled) <= allowed.get(name, set())
    if name == "mcc_lines":
        assert fig.layout.xaxis.title.text


@pytest.mark.parametrize("name", BUILDERS)
def test_text_has_no_size_or_colour_of_its_own(name: str) -> None:
    layout = {k: v for k, v in built(name, 200).to_plotly_json()["layout"].items() if k != "template"}
    assert '"font": {"' not in json.dumps(layout, default=str)


def test_long_titles_break_to_fit_half_a_column_and_the_plot_keeps_its_room() -> None:
    plain = figures.kl_bars(np.ones((1, 2)), title="Short")
    long = figures.kl_bars(np.ones((1, 2)), title="Turning changes log p(x|u) by 1.00 nats; the ELBO changes at β = 4")
    lines = long.layout.title.text.split("<br>")
    assert lines == ["Turning changes log p(x|u) by 1.00", "nats; the ELBO changes at β = 4"]
    extra = long.layout.margin.t - plain.layout.margin.t
    assert extra == long.layout.height - plain.layout.height == 29  # 1.3 lines of 22 pixels
    assert long.layout.title.pad.t - plain.layout.title.pad.t >= 0.7 * 22
    word = "a" * 60
    assert figures.kl_bars(np.ones((1, 2)), title=word).layout.title.text == word
    wide = four(50, title="t " * 40)
    assert "<br>" not in wide.layout.title.text
    (note,) = figures.sentence("Nothing is logged yet: the curves begin after the first steps.").layout.annotations
    assert note.text == "Nothing is logged yet: the curves<br>begin after the first steps."


@pytest.mark.slow
def test_hues_are_the_same_everywhere() -> None:
    u = codes(60, 12)
    one, other = figures.latent_scatter(points(60), u), figures.data_scatter(points(60, 5), u)
    looks = [[(t.name, t.marker.color, t.marker.symbol) for t in fig.data] for fig in (one, other)]
    assert looks[0] == looks[1]
    panels = four(60)
    for trace in panels.data:
        code = int(trace.name)
        assert trace.marker.color == figures.HUES[code]
        assert trace.marker.symbol == figures.SYMBOLS[code]
        assert figures.hue_colours(np.array([code])) == [trace.marker.color]
    assert len({(t.marker.color, t.marker.symbol) for t in one.data}) == 12  # colour repeats, the pair does not


def test_hues_keep_to_the_code_when_a_label_is_missing() -> None:
    u = np.array([0, 4, 4, 0] * 5)
    fig = figures.latent_scatter(points(20), u, list("abcde"))
    assert [(t.name, t.marker.color) for t in fig.data] == [("a", figures.HUES[0]), ("e", figures.HUES[4])]


def test_hue_colours_of_numbers_are_cividis_and_survive_constants() -> None:
    low, high = figures.hue_colours(np.array([0.0, 1.0]))
    assert low != high
    assert len(set(figures.hue_colours(np.full(3, 2.0)))) == 1
    assert len(figures.hue_colours(np.array([np.nan, 1.0, 2.0]))) == 3


def test_many_labels_are_named_on_hover_not_in_a_legend() -> None:
    fig = figures.latent_scatter(points(400), codes(400, 40))
    assert not any(t.showlegend for t in fig.data)
    assert "39<br>" in fig.data[39].hovertemplate


def test_large_inputs_are_thinned_evenly_and_say_so() -> None:
    fig = figures.data_scatter(points(20_000))
    assert sum(len(t.x) for t in fig.data) == figures.POINTS
    assert fig.layout.title.subtitle.text == "5,000 of 20,000 rows, evenly spaced"
    assert fig.to_json() == figures.data_scatter(points(20_000)).to_json()
    steps = np.diff(fig.data[0].customdata)
    assert set(steps) <= {3, 4, 5}
    assert fig.data[0].type == "scattergl"
    assert figures.data_scatter(points(4000)).data[0].type == "scatter"


def test_squares_where_rotation_matters() -> None:
    fig = figures.latent_scatter(points(50) * [1, 20])
    assert fig.layout.yaxis.scaleanchor == "x"
    spans = [np.ptp(axis.range) for axis in (fig.layout.xaxis, fig.layout.yaxis)]
    assert spans[0] == pytest.approx(spans[1])
    panels = four(50).layout
    assert [panels[f"yaxis{k}"].scaleanchor for k in ("", 2, 3, 4)] == ["x", "x2", "x3", "x4"]


# --- points -----------------------------------------------------------------------------------------------------------


def test_latent_scatter_shows_the_two_of_largest_kl_and_says_so() -> None:
    fig = figures.latent_scatter(points(30, 4), kl=np.array([0.0, 3.0, np.nan, 2.0]))
    assert fig.layout.xaxis.title.text == "z2 (posterior mean)"
    assert fig.layout.yaxis.title.text == "z4 (posterior mean)"
    assert fig.layout.title.subtitle.text == "the two latents of the largest KL"


def test_latent_scatter_of_a_diverged_member_is_a_sentence() -> None:
    fig = figures.latent_scatter(np.full((30, 2), np.nan))
    assert "diverged" in fig.layout.annotations[0].text


def test_data_scatter_states_the_projection() -> None:
    z = points(500)
    x = (z * [10, 1]) @ np.linalg.qr(points(6, 6))[0][:2]
    fig = figures.data_scatter(x)
    assert fig.layout.xaxis.title.text == "PC 1 (99 % of variance)"
    assert fig.layout.title.subtitle.text == "first two principal components of 6 columns"
    assert abs(np.corrcoef(fig.data[0].x, z[:, 0])[0, 1]) > 0.99
    assert figures.data_scatter(z, role="factor").data[0].marker.color == figures.COLOURS["factor"]


@pytest.mark.slow
def test_four_panels_share_rows_and_state_what_they_found() -> None:
    z = points(3000)
    hat = align(z, -z[:, ::-1])
    fig = figures.four_panels(z, z**3, hat, None, codes(3000), list("abcde"), selected=[0, 5])
    assert finding(fig) == "One seed each, mean correlation with the factors: iVAE 1.00"
    assert "1,500 of 3,000 rows" in fig.layout.title.subtitle.text
    a = [t for t in fig.data if t.name == "a"]
    assert len(a) == 3
    assert all((t.customdata == a[0].customdata).all() for t in a)
    assert [t.showlegend for t in a] == [True, False, False]
    assert a[0].selectedpoints == (0,)  # row 5 has been thinned away or is another code
    assert "not available" in {note.text for note in fig.layout.annotations}
    unknown = figures.four_panels(None, z, z, z)
    assert finding(unknown) == "The same rows and hues, in the data and in the latents"
    diverged = figures.four_panels(z, z, np.full_like(z, np.nan), z, titles=["1", "2", "3", "4"])
    assert {"diverged", "4"} <= {note.text for note in diverged.layout.annotations}
    short = figures.four_panels(z, z, align(z, z[:, :1]), z)  # a column of NaN where no latent is left
    assert finding(short) == "One seed each, mean correlation with the factors: iVAE 0.50, VAE 1.00"


@pytest.mark.slow
def test_histograms_count_every_row_and_name_constants() -> None:
    x = np.column_stack([np.arange(100.0), np.ones(100)])
    fig = figures.column_histograms(x, names=["speed (cm/s)", "flat"])
    assert [t.y.sum() for t in fig.data] == [100, 100]
    assert finding(fig) == "1 of 2 columns constant over 100 rows"
    assert fig.layout.xaxis.title.text == "speed (cm/s)"
    many = figures.column_histograms(points(10, 40))
    assert len(many.data) == 12
    assert many.layout.title.subtitle.text == "the first 12 of 40 columns"


@pytest.mark.parametrize("shape", [(5, 4, 4), (5, 4, 4, 3), (1, 28, 28), (7, 80, 90)])
def test_picture_sheet_holds_every_pixel(shape: tuple[int, ...]) -> None:
    images = RNG.integers(0, 256, shape).astype(np.uint8)
    sheet = figures.picture_sheet(images, columns=3, gap=2)
    k, h, w = shape[:3]
    factor = max(1, -(-64 // max(h, w)))
    columns, lines = min(3, k), -(-k // min(3, k))
    assert sheet.shape == (factor * (lines * (h + 2) + 2), factor * (columns * (w + 2) + 2), *shape[3:])
    for i, image in enumerate(images):
        top, left = (i // columns) * (h + 2) + 2, (i % columns) * (w + 2) + 2
        np.testing.assert_array_equal(sheet[::factor, ::factor][top : top + h, left : left + w], image)
    np.testing.assert_array_equal(figures.picture_sheet(images / 255.0, columns=3, gap=2), sheet)


def test_picture_sheet_of_nothing_and_of_arrays_that_are_not_pictures() -> None:
    assert figures.picture_sheet(np.zeros((0, 8, 8), np.uint8)).dtype == np.uint8
    with pytest.raises(ValueError, match=r"\[k, H, W\].*got shape \(2, 8, 8, 4\)"):
        figures.picture_sheet(np.zeros((2, 8, 8, 4), np.uint8))


@pytest.mark.slow
def test_importing_figures_stays_light() -> None:
    code = "import sys, dvae_core.figures; print([m for m in ('torch', 'sklearn', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_rotation_story_bends_only_the_diagonal_bound() -> None:
    fig = figures.rotation_story(story(7))
    assert [t.name for t in fig.data if t.name and t.name != "MCC"] == [
        "log p(x)", "ELBO (full q)", "ELBO (diagonal q)", "its closed form",
    ]  # fmt: skip
    left, changed = finding(fig).split("; ")
    assert left == "Turning leaves log p(x) and ELBO (full q) unchanged (to 0 nats)"
    assert changed == "turning changes ELBO (diagonal q) by 1.00 nats"
    assert "a diagonal q loses 0.00 nats at 0°, 1.00 at 45°" in fig.layout.title.subtitle.text.replace("<br>", " ")


def test_a_prior_held_fixed_is_thin_and_does_not_flatten_the_refitted_curve() -> None:
    bent = -np.sin(np.deg2rad(2 * ANGLES))
    found = {"angle": ANGLES, "log_px": bent, "log_pxu_refitted": 0.2 * bent, "log_pxu_fixed": 50 * bent}
    fig = figures.rotation_story(found, conditional=True)
    refitted, fixed = (t for t in fig.data if t.name)
    assert (refitted.name, fixed.name) == ("log p(x|u), prior refitted", "log p(x|u), prior held fixed")
    assert fixed.line.width < refitted.line.width
    assert fig.layout.yaxis.range[1] < 1
    assert "leaves the plot, to −50.0 nats" in fig.layout.title.subtitle.text.replace("<br>", " ")


def test_which_is_true_gives_nothing_away() -> None:
    z, M = points(100), np.array([[0.6, -0.8], [0.8, 0.6]])
    fig, other = (figures.which_is_true(z, M, swapped=s) for s in (False, True))
    assert (fig.data[0].x == other.data[1].x).all()
    assert (fig.data[1].y == other.data[0].y).all()
    assert fig.layout.xaxis.range == fig.layout.xaxis2.range
    assert fig.data[1].x == pytest.approx((z @ M.T)[:, 0], abs=1e-5)
    assert {a.text for a in fig.layout.annotations} == {"Model A", "Model B"}


def test_stages_keep_each_points_hue() -> None:
    z = points(400)
    before, after = (figures.stage(p, z, title="t", axis=["a", "b"]) for p in (z, -z))
    for one, other in zip(before.data[:4], after.data[:4], strict=True):
        assert (one.customdata == other.customdata).all()
        assert (one.marker.color, one.marker.symbol) == (other.marker.color, other.marker.symbol)
    assert {trace.name for trace in before.data[:4]} == set(figures.QUARTERS)


def test_a_page_of_figures_needs_no_network():
    page = figures.page_of([figures.sentence("Nothing <b>yet</b>."), figures.sentence("Still nothing.")], "A < B")
    assert page.count("Plotly.newPlot(") == 2
    assert "<h1>A &lt; B</h1>" in page
    assert not re.search(r"<(script|link)[^>]+(src|href)=", page)


def test_a_kind_of_u_is_named_best_only_if_it_leads_in_each_of_five_worlds() -> None:
    def figure(mean: list[float], variance: list[float]) -> go.Figure:
        rows = [
            {"modulate": mode, "segments": 5, "strength": 1.0, "world": world, "mcc": [mcc, None, mcc], "u_only": 0.5}
            for mode, values in (("mean", mean), ("variance", variance)) for world, mcc in enumerate(values)
        ]  # fmt: skip
        return figures.kinds_of_u_lines(rows, "segments")

    def title(mean: list[float], variance: list[float]) -> str:
        return str(figure(mean, variance).layout.title.text).replace("<br>", " ")

    low, high = [0.6, 0.6, 0.6, 0.6, 0.5], [0.9, 0.9, 0.7, 0.95, 0.95]
    assert title(low, high) == "MCC is highest with variance only: 0.88, then mean only 0.58, in 5 of 5 worlds"
    line = figure(low, high).data[1]
    assert (line.y[0], line.error_y.array[0]) == pytest.approx((np.mean(high), np.std(high)))  # over worlds
    one_behind = [*low[:4], 0.96]
    assert "not distinguishable (the first is ahead in 4 of 5 worlds)" in title(one_behind, high)
    assert "not distinguishable" in title(low[:4], high[:4])  # four worlds are too few


def test_the_strip_of_worlds_counts_where_the_ivae_is_above_and_leaves_the_random_rotation_out() -> None:
    worlds = [
        {"data_seed": 0, "iVAE": [0.9, 1.0], "VAE": [0.8], "references": {"raw_x": 0.7, "random_rotation": 0.9}},
        {"data_seed": 1, "iVAE": [0.7], "VAE": [0.8, 0.9], "references": {"raw_x": 0.6, "u_only": None}},
    ]
    fig = figures.worlds_strip(worlds)
    assert "2 data sets: iVAE 0.82, VAE 0.83; the iVAE is above on 1" in str(fig.layout.title.text).replace("<br>", " ")
    assert list(fig.data[2].y) == [0.7, 0.6]
