"""The bend: closed forms against estimates from draws, negative controls, and the browser's arithmetic."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from dvae_core import runs
from dvae_core.data.worlds.sources import _unit_noise
from dvae_core.identify import bend, unmixing
from dvae_core.identify.matrices import turned

ROOT = Path(__file__).resolve().parents[2]
AT = (0.0, 15.0, 30.0, 45.0)
SEEDS = range(6)  # repetitions, over which an estimate has its standard error


def within_three_errors(closed, estimates, bias=0.0):
    """Whether a closed form lies within three standard errors of the mean of repeated estimates."""
    mean, error = np.mean(estimates, 0), np.std(estimates, 0, ddof=1) / np.sqrt(len(estimates))
    return np.abs(closed - mean) <= 3 * error + bias


@pytest.mark.parametrize("a", [(0.95, 0.6), (0.8, 0.4), (0.8, 0.7), (0.8, 0.8), (0.0, 0.0)])
def test_the_bend_of_time_is_what_a_regression_on_drawn_pairs_loses(a):
    estimates = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        first = rng.standard_normal((20_000, 2))
        second = np.array(a) * first + np.sqrt(1 - np.array(a) ** 2) * rng.standard_normal((20_000, 2))
        lost = []
        for x, y in zip(turned(first, AT), turned(second, AT), strict=True):
            residual = y - x * (x * y).mean(0) / (x * x).mean(0)
            lost.append(0.5 * np.log((residual**2).mean(0)).sum())
        estimates.append(np.array(lost) - lost[0])
    # 1e-5: both are 0 at 0 degrees, and a fit to 20,000 pairs gains 1 / 40,000 nats more at some angles than at others
    assert within_three_errors(bend.pairs(a, AT).nats, estimates, bias=1e-4).all()


def test_the_bend_of_a_seen_u_is_what_fits_to_each_segment_lose():
    mean, std = bend.world(45)
    scale = np.sqrt((std**2).mean(0) + mean.var(0))
    estimates = []
    for seed in SEEDS:
        z = (mean[:, None] + std[:, None] * np.random.default_rng(seed).standard_normal((5, 8000, 2))) / scale
        spread = np.array([[at.std(0) for at in turned(rows, AT)] for rows in z])  # segments, angles, 2
        estimates.append(np.log(spread / spread[:, :1]).sum(2).mean(0))
    assert within_three_errors(bend.segments(mean, std, AT).nats, estimates, bias=1e-4).all()


@pytest.mark.parametrize("kind", ["laplace", "bimodal", "uniform"])
def test_the_bend_of_a_straight_world_is_linear_icas_contrast_on_draws(kind):
    estimates = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        z = rng.uniform(-(3**0.5), 3**0.5, (20_000, 2)) if kind == "uniform" else _unit_noise(rng, kind, (20_000, 2))
        total = np.array([sum(unmixing.entropy(column) for column in at.T) for at in turned(z, AT)])
        estimates.append(total - total[0])
    # .01: the bias of spacings depends a little on the shape of the density (unmixing.entropy)
    assert within_three_errors(bend.sources(kind, AT).nats, estimates, bias=0.01).all()


def test_closed_forms_of_straight_worlds():
    """Two uniform factors sum to a triangle, of entropy 1/2 + log(half its base); a Laplace factor has log(2be)."""
    triangle = 2 * (0.5 + np.log(np.sqrt(6)) - np.log(2 * np.sqrt(3)))
    assert bend.sources("uniform", (45,)).nats[0] == pytest.approx(triangle, abs=1e-3)
    # at 45 degrees the density is exp(-|y| / c) (1 + |y| / c) / 4c with c = 1/2: log 4c + 2 - E log(1 + |y| / c)
    y = np.linspace(0, 40, 400_001)
    density = 0.5 * np.exp(-y) * (1 + y)  # of |y| / c
    laplace = np.log(2.0) + 1.5 - np.trapezoid(density * np.log1p(y), y) - np.log(np.sqrt(2) * np.e)
    assert bend.sources("laplace", (45,)).nats[0] == pytest.approx(2 * laplace, abs=1e-3)


def test_clusters_far_apart_bend_as_if_u_were_seen():
    """Where every row shows its cluster, a mixture with as many components knows u."""
    far = np.array([[-300.0, 200.0], [0.0, -400.0], [300.0, 0.0]])
    std = np.array([[0.5, 3.0], [2.0, 1.0], [1.0, 4.0]])
    hidden = bend.mixture(far, std, 3, AT, rows=2000, draws=2)
    seen = bend.segments(far, std, AT)
    scale = (np.sqrt((std**2).mean(0) + far.var(0)) / std).max() > 50
    assert scale  # the clusters are small beside the distance between them
    assert (np.abs(hidden.nats - seen.nats) <= 3 * hidden.error + 0.01).all()  # .01: 15 fitted numbers on 2,000 rows


@pytest.mark.parametrize(
    "flat",
    [
        lambda: bend.pairs((0.8, 0.8)),
        lambda: bend.pairs((0.0, 0.0)),
        lambda: bend.segments(*bend.world(45), strength=0),
        lambda: bend.sources("laplace", strength=0),
        lambda: bend.sources("bimodal", strength=0),
        lambda: bend.mixture(*bend.world(45), 1, AT, strength=0, rows=1000, draws=2),
        lambda: bend.mixture(*bend.world(45), 5, AT, strength=0, rows=1000, draws=2),
    ],
)
def test_negative_controls_are_flat(flat):
    found = flat()
    assert np.abs(found.nats).max() < 0.005
    assert found.state == "flat"


def test_what_leaves_the_axes_alone_costs_nothing_and_a_quarter_turn_relabels():
    for found in (bend.pairs((0.9, 0.2)), bend.segments(*bend.world(45)), bend.sources("bimodal")):
        assert found.nats[0] == pytest.approx(0, abs=1e-9)
        assert found.nats[-1] == pytest.approx(0, abs=1e-9)
        assert found.nats.min() > -1e-9
        assert found.state == "bent"


def test_the_table_that_the_curves_are_known_by():
    """Nats at 15, 30 and 45 degrees, as first measured with this engine, to their last digit."""
    known = {
        (0.8, 0.7): (0.005, 0.016, 0.021), (0.8, 0.4): (0.042, 0.118, 0.152), (0.95, 0.6): (0.163, 0.386, 0.469),
    }  # fmt: skip
    for a, nats in known.items():
        assert bend.pairs(a, AT).nats[1:] == pytest.approx(nats, abs=6e-4)
    assert bend.segments(*bend.world(45), AT).nats[1:] == pytest.approx((0.015, 0.043, 0.056), abs=6e-4)
    assert bend.sources("laplace", AT).nats[1:] == pytest.approx((0.037, 0.081, 0.097), abs=6e-4)
    assert bend.pairs((0.8, 0.7)).state == "faint"  # training failed here, also after 2,400 steps


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bend.pairs((1.0, 0.5)), "between -1 and 1"),
        (lambda: bend.sources("laplace", strength=2), "between 0 and 1"),
        (lambda: bend.segments(*bend.world(45), strength=-1), "0 or more"),
    ],
)
def test_impossible_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.slow
def test_the_shipped_curves_are_those_that_the_library_computes():
    """One cell of the shipped grid, drawn from other rows; and the straight worlds, digit by digit."""
    shipped = json.loads((runs.examples_folder() / "bend.json").read_text(encoding="utf-8"))
    hidden = shipped["hidden"]
    s, k = hidden["separation"].index(2.0), hidden["components"].index(5)
    again = bend.mixture(*bend.world(45), 5, (0.0, 45.0), strength=2.0, rows=2000, draws=2, seed=1)
    at = hidden["angles"].index(45.0)
    error = np.hypot(again.error[1], hidden["error"][s][k][at])
    assert abs(again.nats[1] - hidden["nats"][s][k][at]) <= 3 * error + 0.005  # .005: half as many rows are fitted
    straight = shipped["straight"]
    half = straight["strength"].index(0.5)
    for kind, curves in straight["nats"].items():
        assert bend.sources(kind, straight["angles"], 0.5).nats == pytest.approx(curves[half], abs=1e-5)
    zero = np.abs(np.array(hidden["nats"][hidden["separation"].index(0.0)]))
    assert zero.max() < 0.005  # a world of one component: every mixture is flat


def test_the_browser_works_out_the_same_curves(node_path, tmp_path):
    mean, std = bend.world(45)
    script = (
        f'import {{ pairs, segments }} from "{(ROOT / "dvae_core/live/bend_curves.js").as_posix()}";\n'
        f"const [mean, std, at] = {json.dumps([mean.tolist(), std.tolist(), AT])};\n"
        "const seen = [0, 0.5, 1, 2].map((s) => at.map((angle) => segments(mean, std, s, angle)));\n"
        "console.log(JSON.stringify([at.map((angle) => pairs([0.95, 0.6], angle)), ...seen]));\n"
    )
    file = tmp_path / "curves.mjs"
    file.write_text(script, encoding="utf-8")
    answer = subprocess.run([node_path, str(file)], capture_output=True, text=True, check=True)
    found = np.array(json.loads(answer.stdout))
    expected = [bend.pairs((0.95, 0.6), AT).nats]
    expected += [bend.segments(mean, std, AT, strength).nats for strength in (0, 0.5, 1, 2)]
    assert found == pytest.approx(np.array(expected), abs=1e-12)  # float64 on both sides
