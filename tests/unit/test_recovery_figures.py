"""Figures of recovery print the scores of the arrays that they draw."""

import numpy as np

from dvae_core import figures
from tests.unit.test_figures import ANGLES, finding, points, recovery


def test_recovery_frames_the_diagonal_and_prints_correlations() -> None:
    fig = recovery(300)
    widths = [fig.layout[f"xaxis{k}"].linewidth for k in ("", 2, 3, 4)]
    assert widths == [3, 1, 1, 3]
    texts = [note.text for note in fig.layout.annotations]
    assert sum(text.startswith("<b>r = 0.9") for text in texts) == 2
    assert fig.layout.yaxis.title.text == "latent −z2"
    assert fig.layout.xaxis3.title.text == "factor s1"
    assert finding(fig).startswith("MCC 0.9")
    fits = [t for t in fig.data if t.mode == "lines"]
    assert len(fits) == 2
    dots = next(t for t in fig.data if t.mode == "markers")
    # The curve is drawn through the points as drawn: signed latent up, factor across.
    assert np.corrcoef(np.interp(dots.y, fits[0].y, fits[0].x), dots.x)[0, 1] > 0.99


def test_recovery_with_too_few_latents_and_too_many_factors() -> None:
    fig = recovery(300, 2, 1)
    assert "no latent left" in {note.text for note in fig.layout.annotations}
    assert "0.00" in finding(fig)
    large = recovery(3000, 7, 7)
    assert len({(t.xaxis, t.yaxis) for t in large.data}) == 25
    assert "the first 5 of 7 factors" in large.layout.title.subtitle.text
    assert len(large.to_json()) < 600_000


def test_recovery_of_a_diverged_member_is_a_sentence() -> None:
    fig = figures.recovery_scatter(points(9), np.full((9, 2), np.nan), (0, 1), (1, 1))
    assert "diverged" in fig.layout.annotations[0].text


def test_correlations_after_matching_are_positive_on_the_diagonal() -> None:
    matrix = np.array([[0.1, -0.9, 0.0], [0.8, 0.2, -0.3]])
    fig = figures.correlation_matrices(matrix, (1, 0), (-1, 1))
    before, after = fig.data
    np.testing.assert_array_equal(before.z, matrix)
    np.testing.assert_array_equal(after.z, [[0.9, 0.1, 0.0], [-0.2, 0.8, -0.3]])
    assert list(after.x) == ["−z2", "z1", "z3"]
    assert finding(fig) == "MCC 0.85: matched correlations 0.80 to 0.90"
    missing = figures.correlation_matrices(matrix[:, :1], (-1, 0), (0, 1))
    assert "0.00 to 0.80" in finding(missing)


def test_mcc_lines_show_each_seed_the_mean_and_the_references() -> None:
    fig = figures.mcc_lines({"iVAE": [0.95, 0.9, None], "VAE": [0.7]}, {"raw x": 0.86, "u only": None})
    assert finding(fig) == "iVAE (0.93) beats every reference"
    assert [shape.line.dash for shape in fig.layout.shapes] == ["dash"]
    assert list(fig.layout.yaxis.ticktext) == ["raw x", "VAE", "iVAE (1 failed)"]
    looks = {t.hovertemplate.split(":")[0]: (t.marker.color, t.marker.symbol) for t in fig.data if t.mode == "markers"}
    assert len({colour for colour, _ in looks.values()}) == len({symbol for _, symbol in looks.values()}) == 2
    assert fig.layout.annotations[0].text == "0.93 ± 0.02"
    sober = figures.mcc_lines({"VAE": [0.7]}, {"raw x": 0.86})
    assert finding(sober) == "VAE (0.70) does not beat raw x (0.86)"
    lost = figures.mcc_lines({"VAE": [None, float("nan")]}, {"raw x": 0.86})
    assert lost.layout.annotations[0].text == "no finite score"
    assert finding(figures.mcc_lines({"VAE": [0.7]}, {})) == "VAE reaches MCC 0.70"
    assert list(fig.layout.xaxis.range) == [0.5, 1.01]
    low = figures.mcc_lines({"VAE": [0.7], "VAE, within u": [0.12]}, {})
    assert list(low.layout.xaxis.range) == [0, 1.01]  # every dot is inside


def test_references_are_not_drawn_across_scores_they_do_not_apply_to() -> None:
    scores = {"iVAE": [0.8], "iVAE, within u": [0.95], "VAE": [0.7], "VAE, within u": [0.3]}
    fig = figures.mcc_lines(scores, {"raw x": 0.86, "PCA": 0.5})
    labels = ["VAE, within u", "iVAE, within u", "raw x", "PCA", "VAE", "iVAE"]
    assert list(fig.layout.yaxis.ticktext) == labels
    assert [(shape.y0, shape.y1) for shape in fig.layout.shapes] == [(2, 5.5), (3, 5.5)]  # from each diamond up
    heights = {trace.hovertemplate.split(":")[0]: trace.y[0] for trace in fig.data if trace.mode != "lines"}
    assert [heights[label] for label in labels] == list(range(6))
    assert finding(fig) == "iVAE (0.80) does not beat raw x (0.86)"  # nor is 0.95 within u compared with raw x
    assert "no reference is computed within u" in fig.layout.title.subtitle.text.replace("<br>", " ")
    fig = figures.mcc_lines(scores, {"raw x": 0.86, "raw x, within u": 0.59})
    rows = ["raw x, within u", "VAE, within u", "iVAE, within u", "raw x", "VAE", "iVAE"]
    assert list(fig.layout.yaxis.ticktext) == rows
    assert [(line.x0, line.y0, line.y1) for line in fig.layout.shapes] == [(0.59, 0, 2.5), (0.86, 3, 5.5)]
    assert finding(fig) == "iVAE (0.80) does not beat raw x (0.86)"
    assert "no reference" not in fig.layout.title.subtitle.text
    alone = figures.mcc_lines({"iVAE, within u": [0.95]}, {"raw x": 0.86})
    assert finding(alone) == "iVAE, within u reaches MCC 0.95"


def test_rotation_curve_says_what_is_flat_and_what_bends() -> None:
    flat = (np.full(7, -2.0) + 0.01 * np.cos(ANGLES), np.full(7, 0.02))
    bent = (-2 - np.sin(np.radians(2 * ANGLES)) ** 2, None)
    fig = figures.rotation_curve(ANGLES, {"log p(x)": flat}, at=30.0, mcc=np.abs(np.cos(np.radians(ANGLES))))
    assert finding(fig) == "Turning leaves log p(x) unchanged (to 0.02 nats)"
    assert "MCC 1.00 at 0°, 0.00 at 90°" in fig.layout.title.subtitle.text
    assert fig.layout.yaxis.range[1] >= 0.5  # Monte Carlo noise is not magnified
    assert {shape.x0 for shape in fig.layout.shapes} == {30.0}
    both = figures.rotation_curve(ANGLES, {"log p(x)": flat, "log p(x|u)": bent})
    assert finding(both) == (
        "Turning leaves log p(x) unchanged (to 0.02 nats); turning changes log p(x|u) by 1.00 nats"
    )
    only = figures.rotation_curve(ANGLES, {"log p(x|u)": bent})
    assert finding(only) == "Turning changes log p(x|u) by 1.00 nats"
    assert only.layout.title.subtitle.text == ""
    noisy = (bent[0], np.full(7, 0.5))  # the same curve, known too badly to say that it bends
    assert "unchanged (to 1 nats)" in finding(figures.rotation_curve(ANGLES, {"log p(x)": noisy}))
    lost = figures.rotation_curve(ANGLES, {"ELBO": (np.full(7, np.nan), None)})
    assert "diverged" in lost.layout.annotations[0].text
