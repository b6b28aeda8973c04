"""Cartoon faces in colour whose factors the talk introduces: skin, age, hair, smile, gaze, saturation.

Faces are painted back to front. Each part has a signed distance d: where d < 0 the part covers, with an edge one pixel
wide. Coordinates run from -1 to 1, y downwards. Parts that no factor moves (head, neck, shirt) are fixed masks, each in
its own window, and only their colour is computed for each face.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8

from dvae_core.data.dataset import Dataset
from dvae_core.data.worlds.factors import uniform_factors
from dvae_core.data.worlds.world import World, arguments
from dvae_core.settings import setting, settings

FACTORS = ("skin", "age", "hair", "smile", "gaze", "saturation")
AGES = ("young", "middle-aged", "old")

_CHUNK = 64  # faces painted at the same time
_SKIN = np.array([[255, 226, 201], [240, 190, 150], [204, 142, 98], [144, 90, 58], [98, 60, 42]]) / 255  # light to dark
_HAIR, _GREY = np.array([62, 36, 24]) / 255, np.array([222, 222, 226]) / 255
_SKY, _SHIRT = np.array([[122, 190, 244], [206, 232, 250]]) / 255, np.array([38, 140, 140]) / 255
_WHITE, _IRIS, _PUPIL = np.array([250, 250, 248]) / 255, np.array([52, 104, 168]) / 255, np.array([22, 20, 24]) / 255
_LIP, _INSIDE, _BLUSH = np.array([200, 52, 64]) / 255, np.array([92, 20, 28]) / 255, np.array([235, 96, 86]) / 255
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)


@settings
class FacesData:
    """Cartoon faces in colour: skin, age, hair, smile, gaze and saturation are known."""

    kind: Literal["faces"] = "faces"
    n: int = setting(5000, "Pictures", min=10, max=100_000)
    side: int = setting(64, "Side in pixels", "32 trains four times as fast and loses the wrinkles", min=16, max=128)
    u: Literal["age", "none"] = setting("none", "u", "Thirds of age as a label, or no auxiliary variable")
    correlation: float = setting(0.0, "Correlation of factors", "Of every pair", min=-0.19, max=0.95)
    seed: int = setting(0, "Data seed", min=0)


def faces(
    *,
    n: int = 5000,
    side: int = 64,
    u: Literal["age", "none"] = "none",
    correlation: float | int = 0.0,
    seed: int = 0,
) -> Dataset:
    """Draw cartoon faces in colour with their six factors, each uniform on [0, 1].

    skin: light to dark. age: wrinkles, grey hair, a higher hairline, narrower eyes. hair: cropped to below the
    shoulders. smile: down-turned to laughing. gaze: left to right. saturation: grey to vivid, of the whole picture.

    Args:
        n: Number of faces.
        side: Pixels; 64 shows every factor, 32 loses the wrinkles.
        u: The auxiliary variable: thirds of age as labels, or none.
        correlation: Correlation of every pair of factors (see `uniform_factors`).
        seed: Determines everything.

    Returns:
        x as uint8 RGB, factors z, u.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> faces(n=10).x_shape
        (64, 64, 3)
    """
    if side < 16 or u not in ("age", "none"):
        raise ValueError(f"side must be at least 16 and u age or none; got {side} and {u!r}.")
    z = uniform_factors(n, 6, correlation=correlation, seed=seed).astype(np.float32)
    third = np.minimum((z[:, 1] * 3).astype(np.int64), 2)
    has_u = u == "age" and len(np.unique(third)) == 3
    return Dataset(
        name=f"Faces, {n:,} of {side} x {side} pixels",
        x=draw_faces(z, side=side).reshape(n, -1),
        z=z,
        z_names=FACTORS,
        u=third if has_u else None,
        u_names=("age",) if has_u else (),
        u_labels=AGES if has_u else (),
        x_shape=(side, side, 3),
        x_scale=1 / 255,
        meta={
            "source": "drawn by this library",
            "licence": "free of conditions",
            "notes": f"six factors, uniform on 0..1, correlation {correlation:g}, seed {seed}",
        },
    )


def draw_faces(factors: Float[np.ndarray, "n 6"], *, side: int = 64) -> UInt8[np.ndarray, "n side side 3"]:
    """Draw faces from factors in [0, 1]: skin, age, hair, smile, gaze, saturation.

    Raises:
        ValueError: If a factor is outside [0, 1].
    """
    if len(factors) and not (factors.min() >= 0 and factors.max() <= 1):
        raise ValueError(f"Factors of faces lie in [0, 1]; got {factors.min():g} to {factors.max():g}.")
    out = np.empty((len(factors), side, side, 3), np.uint8)
    canvas = _Canvas(side)
    for start in range(0, len(factors), _CHUNK):
        out[start : start + _CHUNK] = canvas.paint(factors[start : start + _CHUNK].astype(np.float32))
    return out


_Part = tuple[slice, slice, np.ndarray]  # rows, columns, and the covered share of each pixel


class _Canvas:
    """The fixed masks for one picture size, and the code that paints a few faces."""

    def __init__(self, side: int) -> None:
        at = ((np.arange(side) + 0.5) * 2 / side - 1).astype(np.float32)
        self.side, self.at, self.pixel = side, at, 2 / side
        x, y = at[None, :], at[:, None]
        self.sky = (_SKY[0] + (y[..., None] + 1) / 2 * (_SKY[1] - _SKY[0]) + 0 * x[..., None]).astype(np.float32)
        self.shirt = self.part(_ellipse(x, y, 0, 1.2, 0.86, 0.46))
        neck = self.cover(np.maximum(np.abs(x) - 0.18, np.maximum(y - 0.82, 0.2 - y)))
        shade = neck * self.cover(_ellipse(x, y, 0, 0.06, 0.47, 0.66))
        self.neck, self.neck_shade = _trimmed(neck), _trimmed(shade)
        self.ears = self.part(np.minimum(_ellipse(x, y, -0.5, 0.04, 0.1, 0.15), _ellipse(x, y, 0.5, 0.04, 0.1, 0.15)))
        head = self.cover(_ellipse(x / (1 - 0.16 * np.maximum(y, 0)), y, 0, 0, 0.5, 0.63))
        self.head = _trimmed(head)
        blush = sum(np.exp(-((x - s * 0.3) ** 2 + (y - 0.2) ** 2) / 0.016) for s in (-1, 1))
        self.blush = _trimmed((0.34 * blush * head * (blush > 0.02)).astype(np.float32))
        nose = self.cover(_ellipse(x, y, 0.0, 0.16, 0.07, 0.045)) * 0.8
        self.nose = _trimmed(np.maximum(nose, 0.5 * self.cover(_stroke(x, y, 0.055, 0.045, 0.06, 0.12, 0.02))))
        lines = [_stroke(x, y, -0.17, -0.36, 0.17, -0.36, 0.017), _stroke(x, y, -0.14, -0.43, 0.14, -0.43, 0.017)]
        for s in (-1, 1):  # beside the mouth, under the eyes, outside the eyes
            lines += [
                _stroke(x, y, s * 0.2, 0.18, s * 0.32, 0.32, 0.022),
                _stroke(x, y, s * 0.13, 0.14, s * 0.29, 0.13, 0.015),
            ]
            lines += [
                _stroke(x, y, s * 0.41, -0.07, s * 0.46, -0.12, 0.012),
                _stroke(x, y, s * 0.41, -0.01, s * 0.46, 0.01, 0.012),
            ]
        self.wrinkles = _trimmed(np.max([self.cover(d) for d in lines], 0))
        self.eyes = [self.window(s * 0.21 - 0.2, s * 0.21 + 0.2, -0.38, 0.13) for s in (-1, 1)]
        self.mouth = self.window(-0.4, 0.4, 0.16, 0.66)

    def cover(self, distance: np.ndarray) -> np.ndarray:
        """Return the share of each pixel that a part covers."""
        return np.clip(0.5 - distance / self.pixel, 0, 1).astype(np.float32)

    def part(self, distance: np.ndarray) -> _Part:
        """Return the pixels that a fixed part covers, and its window."""
        return _trimmed(self.cover(distance))

    def fixed(self, out: np.ndarray, part: _Part, colour: np.ndarray, strength: np.ndarray | float = 1.0) -> None:
        """Paint a fixed part in its own window."""
        rows, columns, cover = part
        _over(out[:, rows, columns], cover * strength, colour)

    def window(self, left: float, right: float, top: float, bottom: float) -> tuple[slice, slice]:
        """Return the rows and columns of a box."""
        a, b, c, d = np.searchsorted(self.at, [top, bottom, left, right])
        return slice(a, b), slice(c, d)

    def paint(self, factors: np.ndarray) -> np.ndarray:
        """Paint faces, [k, side, side, 3] uint8."""
        skin, age, hair, smile, gaze, saturation = (factors[:, i] for i in range(6))
        tone = np.stack([np.interp(skin, np.linspace(0, 1, len(_SKIN)), _SKIN[:, c]) for c in range(3)], -1)
        tone = tone.astype(np.float32)
        old = _rise(age, 0.15, 0.95)[:, None]
        hair_colour = ((1 - old) * _HAIR + old * _GREY).astype(np.float32)
        x, y = self.at[None, None, :], self.at[None, :, None]
        out = np.repeat(self.sky[None], len(factors), 0)
        back, front = self.hair(x, y, hair, age)
        _over(out, back, 0.78 * hair_colour)
        self.fixed(out, self.shirt, _SHIRT)
        self.fixed(out, self.neck, tone)
        self.fixed(out, self.neck_shade, 0.8 * tone)
        self.fixed(out, self.ears, 0.9 * tone)
        self.fixed(out, self.head, tone)
        self.fixed(out, self.blush, 0.5 * tone + 0.5 * _BLUSH)
        self.fixed(out, self.nose, 0.8 * tone)
        self.fixed(out, self.wrinkles, 0.62 * tone, 0.85 * _rise(age, 0.3, 1.0)[:, None, None])
        for eye, s in zip(self.eyes, (-1, 1), strict=True):
            self.eye(out[:, eye[0], eye[1]], x[..., eye[1]] - s * 0.21, y[:, eye[0]] + 0.06, age, gaze, hair_colour)
        self.smile(out[:, self.mouth[0], self.mouth[1]], x[..., self.mouth[1]], y[:, self.mouth[0]], smile, tone)
        _over(out, front, hair_colour)
        vivid = (0.05 + 1.3 * saturation)[:, None, None, None]
        out *= 255 * vivid
        out += (out @ _LUMINANCE)[..., None] * ((1 - vivid) / vivid) + np.float32(0.5)
        return np.clip(out, 0, 255, out=out).astype(np.uint8)

    def hair(self, x: np.ndarray, y: np.ndarray, hair: np.ndarray, age: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the masks of the hair behind and in front of the head."""
        length, age = hair[:, None, None], age[:, None, None]
        volume = 0.03 + 0.11 * length
        scalp = _ellipse(x, y, 0, -0.08, 0.5 + volume, 0.58 + volume)
        end = -0.15 + 0.95 * length
        side, below = np.abs(x) - (0.5 + volume - 0.03 * np.square(y)), y - end
        round_ = 0.08
        corner = np.hypot(np.maximum(side + round_, 0), np.maximum(below + round_, 0)) - round_
        curtain = np.maximum(np.where((side > -round_) & (below > -round_), corner, np.maximum(side, below)), -0.1 - y)
        back = np.minimum(np.maximum(scalp, y - np.maximum(end, 0.05)), curtain)
        line = -0.44 - 0.1 * age + 0.9 * np.square(x - 0.08) + 0.05 * length  # hairline, parted right of the middle
        locks = np.maximum(0.45 - np.abs(x), curtain)
        front = np.minimum(np.maximum(scalp, y - line), locks)
        return self.cover(back), self.cover(front)

    def eye(
        self, out: np.ndarray, x: np.ndarray, y: np.ndarray, age: np.ndarray, gaze: np.ndarray, hair: np.ndarray
    ) -> None:
        """Paint one eye and its brow; x and y are relative to its centre."""
        height = (0.155 - 0.04 * age)[:, None, None]
        white = self.cover(_ellipse(x, y, 0, 0, 0.175, height))
        _over(out, white, _WHITE)
        at = (0.22 * (gaze - 0.5))[:, None, None]
        iris = np.hypot(x - at, y)
        _over(out, white * self.cover(iris - 0.105), _IRIS)
        _over(out, white * self.cover(iris - 0.055), _PUPIL)
        _over(out, white * self.cover(np.hypot(x - at + 0.03, y + 0.04) - 0.022), _WHITE)
        lid = np.abs(y + height * np.sqrt(np.clip(1 - np.square(x / 0.185), 0, 1))) - 0.014
        _over(out, self.cover(np.maximum(lid, np.abs(x) - 0.175)), _PUPIL)
        brow = np.maximum(np.abs(y + 0.25 - 1.6 * np.square(x)) - 0.026, np.abs(x) - 0.15)
        _over(out, self.cover(brow), 0.72 * hair)

    def smile(self, out: np.ndarray, x: np.ndarray, y: np.ndarray, smile: np.ndarray, tone: np.ndarray) -> None:
        """Paint the mouth: its corners rise, and from a fifth of the range on it opens on a row of teeth."""
        smile = smile[:, None, None]
        width = 0.2 + 0.15 * smile
        along = np.square(x / width)
        upper = 0.3 + 0.34 * (smile - 0.35) * (0.6 - along)
        opening = 0.25 * np.clip((smile - 0.15) / 0.85, 0, 1) * np.clip(1 - along, 0, 1)
        inside = np.maximum(np.maximum(upper - y, y - upper - opening), np.abs(x) - width)
        lips = (0.85 * _LIP + 0.15 * tone).astype(np.float32)
        _over(out, self.cover(inside - 0.042), lips)
        mouth = self.cover(inside) * (opening > 0)
        _over(out, mouth, _INSIDE)
        _over(out, mouth * self.cover(y - upper - 0.5 * opening), _WHITE)


def _trimmed(cover: np.ndarray) -> _Part:
    """Return the smallest window that contains all covered pixels, and the mask in it."""
    rows, columns = np.flatnonzero(cover.any(1)), np.flatnonzero(cover.any(0))
    if not len(rows):  # too small for this many pixels
        return slice(0, 0), slice(0, 0), cover[:0, :0]
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return *window, cover[window].astype(np.float32)


def _over(out: np.ndarray, cover: np.ndarray, colour: np.ndarray) -> None:
    """Paint a colour ([3], or one per face) over pictures [k, h, w, 3], in place."""
    colour = colour.astype(np.float32)
    colour = colour[:, None, None, :] if colour.ndim == 2 else colour
    out += cover[..., None] * (colour - out)


def _ellipse(
    x: np.ndarray, y: np.ndarray, cx: float | int, cy: float | int, rx: float | np.ndarray, ry: float | np.ndarray
) -> np.ndarray:
    """Return the distance to an ellipse to first order; it is exact on the edge, where precision matters."""
    a, b = (x - cx) / rx, (y - cy) / ry
    level = np.sqrt(a * a + b * b)
    return level * (level - 1) / np.maximum(np.hypot(a / rx, b / ry), 1e-6)


def _stroke(x: np.ndarray, y: np.ndarray, ax: float, ay: float, bx: float, by: float, radius: float) -> np.ndarray:
    """Return the distance to a line of this half width from a to b, with round ends."""
    dx, dy = bx - ax, by - ay
    t = np.clip(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy), 0, 1)
    return np.hypot(x - ax - t * dx, y - ay - t * dy) - radius


def _rise(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return a smooth step from 0 at `low` to 1 at `high`."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


WORLD = World(
    "faces",
    FacesData,
    lambda data: faces(**arguments(data)),
    lambda data: f"{data.n:,} faces",
    "Cartoon faces with six true factors: skin, age, hair, smile, gaze and saturation.",
    ("n", "side", "u", "correlation", "seed"),
)
