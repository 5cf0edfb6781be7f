# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Splines are those of TFP, and right where those of TFP are not."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tests import helpers
from tfp_glow.bijectors import rational_quadratic

BOUND = 3.0

both_directions = pytest.mark.parametrize("inverse", [False, True])


def make_bins(shape, num_bins=5, size=1.0, dtype=tf.float64):
    """Random widths, heights and slopes; the more extreme, the larger `size`."""

    def bins(seed):
        raw = size * helpers.normal([*shape, num_bins], seed, dtype)
        return 2.0 * BOUND * (0.01 + 0.95 * tf.nn.softmax(raw))

    slopes = tf.exp(0.7 * helpers.normal([*shape, num_bins - 1], 3, dtype))
    return bins(1), bins(2), slopes


def spline_of_tfp(x, widths, heights, slopes, inverse):
    spline = tfp.bijectors.RationalQuadraticSpline(
        widths, heights, slopes, range_min=-BOUND
    )
    if inverse:
        return spline.inverse(x), spline.inverse_log_det_jacobian(x, 0)
    return spline.forward(x), spline.forward_log_det_jacobian(x, 0)


def with_gradients(function, x, bins):
    """Returns outputs, log-derivatives, and the gradients of both."""
    with tf.GradientTape() as tape:
        tape.watch([x, bins])
        y, log_slope = function(x, *bins)
        loss = tf.reduce_sum(tf.sin(y) + tf.cos(log_slope))
    return [y, log_slope, *tf.nest.flatten(tape.gradient(loss, [x, bins]))]


@both_directions
def test_values_derivatives_and_gradients_are_those_of_tfp(inverse):
    x, bins = 2.0 * helpers.normal([60, 3]), make_bins([60, 3])
    actual = with_gradients(
        lambda x, *bins: rational_quadratic.spline(x, *bins, BOUND, inverse),
        x,
        bins,
    )
    expected = with_gradients(
        lambda x, *bins: spline_of_tfp(x, *bins, inverse), x, bins
    )
    for value, expected_value in zip(actual, expected):
        np.testing.assert_allclose(value, expected_value, rtol=0, atol=1e-12)


@both_directions
def test_knots_belong_to_the_spline(inverse):
    bins = make_bins([1])
    x0, y0 = (np.cumsum(sizes[0])[:-1] - BOUND for sizes in bins[:2])
    x, y, slopes = ([-BOUND, *x0, BOUND], [-BOUND, *y0, BOUND], bins[2][0])
    if inverse:
        x, y, slopes = y, x, 1.0 / slopes
    actual, log_slope = rational_quadratic.spline(
        tf.constant(x, tf.float64), *bins, BOUND, inverse
    )
    np.testing.assert_allclose(actual, y, atol=1e-13)
    np.testing.assert_allclose(
        tf.exp(log_slope), [1.0, *slopes, 1.0], rtol=1e-12
    )


@both_directions
def test_the_identity_has_gradients_where_squares_are_zero(inverse):
    # In the middle of a bin of equal slopes the linear term is exactly 0.
    x = tf.constant([0.0, 1.0, -1.0, BOUND, 2 * BOUND], tf.float64)
    sizes = tf.fill([5, 3], tf.constant(2.0, tf.float64))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y, log_slope = rational_quadratic.spline(
            x, sizes, sizes, tf.ones([5, 2], tf.float64), BOUND, inverse
        )
    np.testing.assert_allclose(y, x, atol=1e-15)
    np.testing.assert_allclose(log_slope, tf.zeros([5]), atol=1e-15)
    np.testing.assert_allclose(tape.gradient(y, x), tf.ones([5]), atol=1e-14)


@both_directions
@pytest.mark.parametrize("size", [5.0, 50.0])
def test_extreme_bins_leave_float32_and_all_gradients_finite(size, inverse):
    # The textbook form of the inverse has roots of negative numbers here.
    x = 2.0 * helpers.normal([2000, 3], dtype=tf.float32)
    bins = make_bins([2000, 3], size=size, dtype=tf.float32)
    values = with_gradients(
        lambda x, *bins: rational_quadratic.spline(x, *bins, BOUND, inverse),
        x,
        bins,
    )
    for value in values:
        assert np.all(np.isfinite(value))


@both_directions
def test_values_that_are_not_finite_pass_and_others_keep_their_gradients(
    inverse,
):
    x = tf.constant([np.nan, np.inf, -np.inf, 1e30, 0.5], tf.float32)
    bins = make_bins([5], dtype=tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(bins)
        y, log_slope = rational_quadratic.spline(x, *bins, BOUND, inverse)
        loss = tf.reduce_sum(y[-1:] + log_slope[-1:])
    np.testing.assert_array_equal(y[:4], x[:4])
    for gradient in tape.gradient(loss, bins):
        assert np.all(np.isfinite(gradient))
        assert not np.any(gradient[:4])


@both_directions
def test_vectorized_map_changes_no_number(inverse):
    x, bins = 2.0 * helpers.normal([4, 3]), make_bins([4, 3])

    def function(elements):
        x, *bins = elements
        return rational_quadratic.spline(x, *bins, BOUND, inverse)

    for actual, expected in zip(
        tf.vectorized_map(function, (x, *bins)), function((x, *bins))
    ):
        np.testing.assert_allclose(actual, expected, atol=1e-14)
