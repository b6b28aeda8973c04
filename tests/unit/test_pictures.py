"""Pictures drawn here: the geometry of the true dSprites, factors kept, correlated on request."""

import time
from pathlib import Path

import numpy as np
import pytest

from dvae_core.pictures import DSPRITES_SIZES, SHAPES, draw_sprites, sprites, uniform_factors

FRAMES = Path(__file__).parents[3] / "shared/data/dsprites-sample/dsprites_gif_frames.npz"
TURNS = np.linspace(0, 2 * np.pi, 40)
STEPS = np.linspace(0, 1, 32)


def rows(shape: int, count: int, **moving: np.ndarray) -> np.ndarray:
    factors = {"scale": 1.0, "turn": 0.0, "x": 0.0, "y": 0.0} | moving
    return np.column_stack([np.full(count, float(shape)), *(np.broadcast_to(v, count) for v in factors.values())])


@pytest.mark.skipif(not FRAMES.exists(), reason="needs the true dSprites frames beside the repository")
@pytest.mark.parametrize(
    ("first", "factors"),
    [
        (0, rows(2, 6, scale=np.linspace(0.5, 1, 6))),
        (18, rows(2, 40, turn=TURNS)),
        (58, rows(2, 32, y=STEPS)),
        (90, rows(2, 32, x=STEPS, y=1.0)),
        (192, rows(1, 6, scale=np.linspace(0.5, 1, 6))),
        (210, rows(1, 40, turn=TURNS)),
        (256, rows(0, 6, scale=np.linspace(0.5, 1, 6))),
        (274, rows(0, 40, turn=TURNS)),
    ],
)
def test_sprites_are_dsprites_to_the_pixel(first, factors):
    """At most 4 of 4,096 pixels differ, all on an edge that passes through pixel centres."""
    true = np.load(FRAMES, allow_pickle=False)["imgs"][first : first + len(factors)]
    assert (draw_sprites(factors) != true).sum((1, 2)).max() <= 4


def test_sprites_keep_their_factors():
    data = sprites(n=500, seed=3)
    again = draw_sprites(data.z.astype(float))
    assert (again.reshape(500, -1) != data.x).sum() <= 20  # factors are kept as float32: an edge may move a pixel
    assert data.z_names == ("shape", "scale", "orientation", "x", "y")
    assert data.u_labels == SHAPES
    assert (data.u == data.z[:, 0]).all()
    assert [len(np.unique(column)) for column in sprites(n=5000).z.T] == list(DSPRITES_SIZES)


def test_moving_a_factor_moves_the_picture():
    centre = draw_sprites(rows(1, 32, x=STEPS, y=0.5)).astype(float)
    at = (centre.sum(1) * (np.arange(64) + 0.5)).sum(1) / centre.sum((1, 2))
    assert np.allclose(at, 16 + 32 * STEPS, atol=0.5)  # half a pixel: edges are not smoothed
    area = draw_sprites(rows(0, 6, scale=np.linspace(0.5, 1, 6), turn=0.3)).sum((1, 2))
    assert (np.diff(area.astype(int)) > 0).all()


@pytest.mark.parametrize("side", [32, 128])
def test_sprites_of_any_side(side):
    white = draw_sprites(rows(0, 1, x=0.5, y=0.5), side=side).sum()
    assert white == pytest.approx((0.3 * side) ** 2, rel=0.1)  # whole pixels


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(ValueError, match="Shapes are 0"):
        draw_sprites(rows(3, 2))
    with pytest.raises(ValueError, match="side must be at least 8"):
        sprites(n=10, side=4)
    with pytest.raises(ValueError, match=r"correlation of 5 factors must be above -0\.25"):
        sprites(n=10, correlation=-0.3)


def test_correlated_factors_stay_uniform():
    from scipy.stats import kstest, spearmanr

    level = uniform_factors(4000, 3, correlation=0.6, seed=1)
    ranks = spearmanr(level).statistic[np.triu_indices(3, 1)]
    assert ranks == pytest.approx(6 / np.pi * np.arcsin(0.3), abs=0.05)  # standard error 0.01
    assert min(kstest(column, "uniform").pvalue for column in level.T) > 1e-4
    assert (uniform_factors(10, 2, seed=5) == uniform_factors(10, 2, seed=5)).all()
    assert abs(spearmanr(uniform_factors(4000, 2)).statistic) < 0.07


def test_ten_thousand_sprites_take_less_than_five_seconds():
    began = time.process_time()
    sprites(n=10_000)
    assert time.process_time() - began < 5  # 0.9 s of CPU time on 2 shared cores, Nov 2026
