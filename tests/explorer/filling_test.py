# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.explorer.filling` against known answers."""

import numpy as np

from tfp_glow.explorer import filling


def test_the_conditional_gaussian_is_that_of_the_shrunk_covariance():
    random = np.random.default_rng(0)
    values = random.standard_normal([12, 6]) @ random.standard_normal([6, 6])
    mask = np.array([0, 1, 1, 0, 0, 1], bool)
    known = random.standard_normal([1, 3])
    mean, factor = filling._conditional_gaussian(values, 0.3, known, mask)
    covariance = np.cov(values.T, bias=True)
    scale = np.trace(covariance) / 6
    covariance = 0.7 * covariance + 0.3 * scale * np.eye(6)
    across = covariance[np.ix_(mask, ~mask)]
    slope = across @ np.linalg.inv(covariance[np.ix_(~mask, ~mask)])
    center = values.mean(0)
    np.testing.assert_allclose(
        mean, center[mask] + (known - center[~mask]) @ slope.T, rtol=1e-9
    )
    np.testing.assert_allclose(
        factor @ factor.T,
        covariance[np.ix_(mask, mask)] - slope @ across.T,
        rtol=1e-9,
        atol=1e-12,
    )


def test_steps_leave_a_normal_distribution_as_it_is():
    generator = np.random.default_rng(0)
    center, scale = np.array([1.0, -2.0]), np.array([0.5, 2.0])

    def slope(x):
        z = (x - center) / scale
        return -0.5 * np.sum(z**2, axis=1), -z / scale

    particles = center + scale * generator.standard_normal([4000, 2])
    for _ in range(20):
        # Leaps this long would change the distribution if all were accepted.
        particles, share = filling._moved(slope, particles, 0.8, generator)
    assert 0.3 < share < 0.95
    # Four standard errors.
    np.testing.assert_allclose(
        (particles.mean(0) - center) / scale, 0.0, atol=4 / 4000**0.5
    )
    np.testing.assert_allclose(
        particles.std(0) / scale, 1.0, atol=4 / 8000**0.5
    )


def test_steps_from_elsewhere_reach_the_distribution():
    generator = np.random.default_rng(0)

    def slope(x):
        return -0.5 * np.sum((x - 3.0) ** 2, axis=1), 3.0 - x

    particles = np.zeros([1000, 1])
    for _ in range(30):
        particles, _ = filling._moved(slope, particles, 0.5, generator)
    assert abs(particles.mean() - 3.0) < 4 / 1000**0.5


def test_what_is_not_finite_is_not_accepted():
    generator = np.random.default_rng(0)
    start = np.zeros([5, 2])

    def slope(x):
        inside = np.all(x == 0.0, axis=1)
        return np.where(inside, 0.0, np.nan), np.ones_like(x)

    moved, share = filling._moved(slope, start, 0.1, generator)
    np.testing.assert_array_equal(moved, start)
    assert share == 0.0
