"""Pictures drawn here: the geometry of the true dSprites, factors kept, correlated on request."""

from pathlib import Path

import numpy as np
import pytest

from dvae_core.data.worlds.faces import draw_faces, faces
from dvae_core.data.worlds.factors import uniform_factors
from dvae_core.data.worlds.sprites import DSPRITES_SIZES, SHAPES, draw_sprites, sprites

FACTORS = ("skin", "age", "hair", "smile", "gaze", "saturation")
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


def test_pictures_that_cannot_be_drawn_are_refused_with_a_message():
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


MIDDLE = np.array([0.3, 0.2, 0.35, 0.6, 0.5, 0.75], np.float32)


def moved(factor: int, low: float, high: float) -> np.ndarray:
    """Pictures of one face with a factor at two values, as floats in 0..1."""
    both = np.stack([MIDDLE, MIDDLE])
    both[:, factor] = low, high
    return draw_faces(both) / 255


def test_every_factor_of_a_face_changes_its_own_part():
    changed = {name: np.abs(np.diff(moved(i, 0.1, 0.9), axis=0)[0]).max(-1) > 0.08 for i, name in enumerate(FACTORS)}
    assert all(c.sum() > 20 for c in changed.values())
    rows = {name: np.flatnonzero(c.any(1)) for name, c in changed.items()}
    assert rows["smile"].min() > 36  # the mouth is in the lower half
    assert (rows["gaze"].min(), rows["gaze"].max()) > (22, 0)
    assert rows["gaze"].max() < 36  # the eyes are not
    assert changed["saturation"].mean() > 0.5
    assert not (changed["smile"] & changed["gaze"]).any()


def test_steps_of_a_factor_are_smooth_and_never_idle():
    """A tenth of a factor's range always moves the picture, and never by much: edges are antialiased."""
    for i in range(6):
        path = np.repeat(MIDDLE[None], 11, 0)
        path[:, i] = np.linspace(0, 1, 11)
        step = np.abs(np.diff(draw_faces(path).astype(float) / 255, axis=0)).mean((1, 2, 3))
        assert step.min() > 1e-4, FACTORS[i]
        assert step.max() < 0.06, FACTORS[i]


def test_saturation_nought_is_nearly_grey_and_skin_darkens():
    grey, vivid = moved(5, 0.0, 1.0)
    assert np.ptp(grey, axis=-1).max() < 0.05 < 0.3 < np.ptp(vivid, axis=-1).mean()
    light, dark = moved(0, 0.0, 1.0)
    assert light[32, 32].mean() > dark[32, 32].mean() + 0.3


def test_faces_keep_their_factors():
    data = faces(n=60, u="age", seed=2)
    assert (draw_faces(data.z).reshape(60, -1) == data.x).all()
    assert data.z_names == FACTORS
    assert (data.x_shape, data.d_x, data.x.dtype) == ((64, 64, 3), 12_288, np.uint8)
    assert (data.u == np.minimum(data.z[:, 1] * 3, 2).astype(int)).all()
    assert faces(n=20, side=32).x_shape == (32, 32, 3)
    assert faces(n=20).u is None
    with pytest.raises(ValueError, match="Factors of faces lie in"):
        draw_faces(np.full((1, 6), 1.5, np.float32))
    with pytest.raises(ValueError, match="side must be at least 16"):
        faces(n=20, side=8)
