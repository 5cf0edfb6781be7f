# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the tails of a Glow's priors."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tests import helpers
from tfp_glow.bijectors import tails as tails_lib

tfb = tfp.bijectors


def make_tails(*values, dtype=tf.float64):
    return tails_lib.Tails(tf.constant(values, dtype))


def test_they_are_those_of_tfp():
    log_tail = helpers.normal([3])
    tails = tails_lib.Tails(log_tail)
    theirs = tfb.SinhArcsinh(tailweight=tf.exp(tf.tanh(log_tail)))
    x = 3.0 * helpers.normal([5, 2, 2, 3])
    y, log_det = tails.forward_and_log_det(x)
    np.testing.assert_allclose(y, theirs.inverse(x), rtol=1e-12)
    expected = theirs.inverse_log_det_jacobian(x, event_ndims=3)
    np.testing.assert_allclose(log_det, expected, rtol=1e-12)
    back, log_det = tails.inverse_and_log_det(y)
    np.testing.assert_allclose(back, x, rtol=1e-12)
    np.testing.assert_allclose(log_det, -expected, rtol=1e-12)


def test_at_zero_they_are_the_identity_also_where_x_is_zero():
    tails = make_tails(0.0, 0.0)
    x = tf.reshape(
        tf.constant([0.0, -0.0, 1.5, -7.0], tf.float64), [1, 1, 2, 2]
    )
    y, log_det = tails.forward_and_log_det(x)
    np.testing.assert_allclose(y, x, rtol=1e-14)
    np.testing.assert_array_equal(log_det, [0.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tails.inverse(x)
    np.testing.assert_allclose(
        tape.gradient(y, x), np.ones(x.shape), rtol=1e-14
    )


@pytest.mark.parametrize("log_tail", [-9.0, 9.0])
def test_extreme_values_have_finite_results(log_tail):
    tails = make_tails(log_tail, dtype=tf.float32)
    x = tf.reshape([-1e12, -1e-30, 1e-30, 1e12], [1, 2, 2, 1])
    y, log_det = tails.forward_and_log_det(x)
    assert np.all(np.isfinite(y)) and np.all(np.isfinite(log_det))


def test_a_larger_weight_makes_heavier_tails():
    tails = make_tails(0.0, 0.3, 0.6)
    x = tails.inverse(helpers.normal([20_000, 1, 1, 3]))
    x = np.reshape(x, [-1, 3])
    normal, *heavy = np.mean(x**4, axis=0) / np.mean(x**2, axis=0) ** 2
    np.testing.assert_allclose(normal, 3.0, atol=0.1)
    assert 4.0 < heavy[0] < heavy[1]
