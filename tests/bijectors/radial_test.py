# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the radial Gaussianization of a Glow's priors."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tests import helpers
from tfp_glow.bijectors import radial as radial_lib


def make_radial(*log_slopes, dtype=tf.float64):
    return radial_lib.RadialGaussianization(tf.constant(log_slopes, dtype))


def of_unequal_contrast(num, shape):
    """Normal images, each multiplied by a positive number of its own."""
    contrasts = tf.exp(0.3 * helpers.normal([num, 1, 1, 1], 1))
    return contrasts * helpers.normal([num, *shape], 2)


@pytest.mark.parametrize(
    "shape, expected",
    [
        ([4, 4], [(2, 2), (4, 4)]),
        ([2, 6], [(2, 2), (2, 6)]),
        ([2, 2], [(2, 2)]),
        ([1, 1], [(1, 1)]),
        ([7, 7], [(7, 7)]),
        ([4, 7], [(4, 7)]),
    ],
)
def test_neighborhoods_tile_the_image(shape, expected):
    assert radial_lib.neighborhoods(*shape) == expected


def test_one_neighborhood_follows_its_equation():
    radial = make_radial(0.4)
    x = 2.5 * helpers.normal([5, 1, 1, 6])
    y, log_det = radial.forward_and_log_det(x)
    share = 1.0 - 1.0 / math.exp(2 * math.tanh(0.4))
    v = np.log(np.sqrt(np.mean(x**2, axis=-1)))[:, 0, 0]
    u = v - share * v / (1.0 + np.abs(v))
    factor = np.exp(u - v)[:, np.newaxis, np.newaxis, np.newaxis]
    np.testing.assert_allclose(y, factor * x, rtol=1e-12)
    # Lengths change by du/dv, the five other directions by the factor alone.
    du = 1.0 - share / (1.0 + np.abs(v)) ** 2
    np.testing.assert_allclose(log_det, 6 * (u - v) + np.log(du), rtol=1e-12)


@pytest.mark.parametrize("log_slope", [-2.0, -0.3, 0.3, 2.0])
@pytest.mark.parametrize("contrast", [1e-3, 1.0, 1e3])
def test_log_det_is_that_of_the_jacobian(log_slope, contrast):
    radial = make_radial(log_slope, -0.4)
    x = contrast * helpers.normal([2, 2, 4, 2])
    y, log_det = radial.forward_and_log_det(x)
    expected = helpers.log_det_by_autodiff(
        lambda x: radial.forward_and_log_det(x)[0], x
    )
    np.testing.assert_allclose(log_det, expected, rtol=1e-9)
    back, log_det = radial.inverse_and_log_det(y)
    np.testing.assert_allclose(back, x, rtol=1e-10)
    np.testing.assert_allclose(log_det, -expected, rtol=1e-9)


def test_at_zero_it_is_exactly_the_identity():
    radial = make_radial(0.0, 0.0)
    x = helpers.normal([3, 4, 4, 2])
    for method in (radial.forward_and_log_det, radial.inverse_and_log_det):
        y, log_det = method(x)
        np.testing.assert_array_equal(y, x)
        np.testing.assert_array_equal(log_det, np.zeros(3))


@pytest.mark.parametrize("log_slope", [-9.0, 0.5, 9.0])
@pytest.mark.parametrize("value", [0.0, 1e-30, 1e12])
def test_extreme_values_have_finite_results(log_slope, value):
    radial = make_radial(log_slope, log_slope, dtype=tf.float32)
    x = tf.fill([1, 4, 4, 3], value)
    for method in (radial.forward_and_log_det, radial.inverse_and_log_det):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y, log_det = method(x)
        assert np.all(np.isfinite(y)) and np.all(np.isfinite(log_det))
        assert np.all(np.isfinite(tape.gradient(y, x)))


def test_it_evens_out_lengths_and_makes_such_images_likelier():
    x = of_unequal_contrast(2_000, [4, 4, 2])
    normal = tf.reduce_sum(x**2, axis=[1, 2, 3])
    y, log_det = make_radial(0.0, 1.0).forward_and_log_det(x)
    evened = tf.reduce_sum(y**2, axis=[1, 2, 3])
    # The variance of the squared length of 32 normal values is 64.
    assert np.var(evened) < 150.0 < 500.0 < np.var(normal)
    gain = tf.reduce_mean(log_det - 0.5 * (evened - normal))
    assert gain > 1.0


def test_leading_dimensions_are_those_of_a_batch():
    radial = make_radial(0.3, -0.2)
    x = helpers.normal([2, 3, 2, 4, 1])
    y, log_det = radial.forward_and_log_det(x)
    rows, log_dets = radial.forward_and_log_det(tf.reshape(x, [6, 2, 4, 1]))
    np.testing.assert_array_equal(np.reshape(y, rows.shape), rows)
    np.testing.assert_array_equal(np.reshape(log_det, [6]), log_dets)
