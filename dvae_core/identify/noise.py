"""Condition 1 of the theorem: frequencies at which the characteristic function of the noise is 0 are lost from x.

x = v + noise with v = f(z), so the characteristic functions multiply: that of x is that of v times phi, the noise's.
If phi is 0 only at single points, as for uniform noise, p(x) still determines p(v). If phi is 0 on an interval, two
densities of v that differ in those frequencies alone give the same p(x), and no amount of data can distinguish them.

Such a pair in closed form: A and B = (1 - cos v) / (pi v^2) * (1 +- cos 3v), which differ in frequencies 2 to 4 alone.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

Noise = Literal["gaussian", "uniform", "gap"]

BUMP = 3.0  # the frequency around which the two densities differ
LOW, HIGH = BUMP - 1, BUMP + 1  # where their difference begins and ends

AXIS = np.linspace(-8, 8, 321)  # where the densities are drawn

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)  # exact to rounding for |v| up to 20: cos(tv) on pieces of 1


def characteristic(noise: Noise, width: float | int, t: Float[np.ndarray, " t"]) -> Float[np.ndarray, " t"]:
    """Return the characteristic function of the noise at the frequencies t.

    Args:
        noise: "gaussian" and "uniform" of standard deviation `width`; "gap" with the density
            (1 - cos(v / width)) width / (pi v^2), whose characteristic function is 0 from 1 / width on.
        width: 0 means no noise.
        t: Frequencies.
    """
    if noise == "gaussian":
        return np.exp(-0.5 * (width * t) ** 2)
    if noise == "uniform":
        return np.sinc(np.sqrt(3) * width * t / np.pi)
    return np.maximum(0.0, 1 - width * np.abs(t))


def pair(v: Float[np.ndarray, " v"]) -> Float[np.ndarray, "2 v"]:
    """Return the two densities of v = f(z), before the noise."""
    envelope = np.sinc(v / (2 * np.pi)) ** 2 / (2 * np.pi)  # (1 - cos v) / (pi v^2), also at 0
    return np.stack([envelope * (1 + np.cos(BUMP * v)), envelope * (1 - np.cos(BUMP * v))])


def after(noise: Noise, width: float | int, v: Float[np.ndarray, " v"]) -> Float[np.ndarray, "2 v"]:
    """Return the two densities of x = v + noise, by the inverse Fourier integral over the frequencies 0 to `HIGH`.

    Beyond, both characteristic functions are 0. The integral is split where an integrand has a kink.
    """
    kinks = {0.0, 1.0, LOW, BUMP, HIGH} | ({1 / width} if width * HIGH > 1 else set())
    edges = np.array(sorted(kinks))
    half = np.diff(edges)[:, None] / 2
    t = (edges[:-1, None] + half + half * _NODES).ravel()
    weights = (half * _WEIGHTS).ravel() * characteristic(noise, width, t) / np.pi
    waves = np.cos(np.outer(v, t))
    shared = waves @ (weights * np.maximum(0, 1 - t))
    apart = waves @ (weights * 0.5 * np.maximum(0, 1 - np.abs(t - BUMP)))
    return np.stack([shared + apart, shared - apart])


def what_is_left(noise: Noise, widths: Sequence[float | int]) -> Float[np.ndarray, "k v"]:
    """Return A - B along `AXIS` after noise of each width."""
    return np.stack([np.subtract(*after(noise, width, AXIS)) for width in widths])
