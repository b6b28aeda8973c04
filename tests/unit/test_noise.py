"""Condition 1: noise with a gap in its characteristic function hides a difference that other noise leaves."""

import numpy as np
import pytest

from dvae_core.identify.noise import AXIS, BUMP, HIGH, LOW, after, characteristic, pair, what_is_left


def left(noise, width):
    """The largest difference of the two densities after the noise."""
    return np.abs(what_is_left(noise, [width])).max()


def test_without_noise_the_two_densities_are_those_of_the_closed_form():
    assert np.abs(after("gaussian", 0, AXIS) - pair(AXIS)).max() < 1e-12  # Gauss-Legendre is exact to rounding here
    assert pair(AXIS).min() >= 0
    assert np.abs(np.subtract(*pair(AXIS))).max() > 0.3
    wide = np.linspace(-4000, 4000, 800_001)
    assert np.trapezoid(pair(wide)) * 0.01 == pytest.approx([1, 1], abs=2e-4)  # the tails beyond hold 2 / (pi 4000)


@pytest.mark.parametrize("width", [1 / LOW, 0.7, 1.0, 1.5])
def test_noise_with_a_gap_over_the_difference_leaves_none_of_it_and_other_noise_does(width):
    assert left("gap", width) <= 1e-9
    # At v = 0 what is left is 1/pi times the integral of a triangle of area 1 times phi; half of it lies below BUMP,
    # where a Gaussian phi is larger than at BUMP.
    assert left("gaussian", width) > characteristic("gaussian", width, np.array([BUMP]))[0] / (2 * np.pi) > 1e-6
    assert left("uniform", width) > 1e-3


def test_a_gap_beyond_the_difference_leaves_some_of_it():
    assert left("gap", 1 / HIGH) > 0.01
    assert left("gap", 0.9 / LOW) > 1e-5
    assert left("gap", 0) == left("gaussian", 0)


def test_a_zero_at_a_single_frequency_leaves_the_difference():
    """Uniform noise, with a zero of its characteristic function in the middle of the frequencies that differ."""
    width = np.pi / (np.sqrt(3) * BUMP)
    assert characteristic("uniform", width, np.array([BUMP])) == pytest.approx(0, abs=1e-15)
    assert left("uniform", width) > 0.01


@pytest.mark.parametrize("noise", ["gaussian", "uniform", "gap"])
def test_the_densities_after_the_noise_are_those_of_a_sum(noise):
    """The same convolution in v, with no Fourier integral."""
    width, step = 0.8, 0.01
    v = np.arange(-400, 400, step) + step / 2
    density = {
        "gaussian": np.exp(-0.5 * (v / width) ** 2) / (width * np.sqrt(2 * np.pi)),
        "uniform": np.clip((np.sqrt(3) * width - np.abs(v)) / step + 0.5, 0, 1) / (2 * np.sqrt(3) * width),
        "gap": np.sinc(v / (2 * np.pi * width)) ** 2 / (2 * np.pi * width),
    }[noise]
    at = np.array([0.0, 0.7, 2.0])
    summed = np.array([pair(x - v) @ density * step for x in at]).T
    assert np.abs(summed - after(noise, width, at)).max() < 1e-4  # the edges of a uniform density, in steps of .01
