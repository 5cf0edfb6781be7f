# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.ActNorm`."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_glow as tfg
from tests import helpers


def test_forward_is_the_formula():
    norm = tfg.ActNorm([1.0, -2.0], [0.0, np.log(3.0)])
    np.testing.assert_allclose(
        norm.forward([[5.0, 5.0], [0.0, 1.0]]),
        [[6.0, 9.0], [1.0, -3.0]],
        rtol=1e-6,
    )


def test_log_det_counts_every_pixel():
    norm = tfg.ActNorm([0.0, 0.0], [0.25, 0.5])
    log_det = norm.forward_log_det_jacobian(tf.zeros([3, 4, 2]), event_ndims=3)
    np.testing.assert_allclose(log_det, 12 * 0.75, rtol=1e-6)


def test_trainable_starts_as_the_identity():
    norm = tfg.ActNorm.trainable(3)
    x = helpers.normal([5, 3], dtype=tf.float32)
    np.testing.assert_array_equal(norm.forward(x), x)
    assert norm.dtype == tf.float32
    assert [v.shape for v in norm.trainable_variables] == [[3], [3]]


@pytest.mark.parametrize("shape", [[64, 4, 4, 3], [100, 3], [6, 10, 2, 2, 3]])
def test_initialize_normalizes_every_channel(shape):
    norm = tfg.ActNorm.trainable(3, dtype=tf.float64)
    x = helpers.normal(shape) * [0.01, 1.0, 30.0] + [1.0, -2.0, 500.0]
    helpers.perturb(norm)
    norm.initialize(x)
    y = np.reshape(norm.forward(x), [-1, 3])
    np.testing.assert_allclose(np.mean(y, axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(np.var(y, axis=0), 1.0, atol=1e-3)


def test_initialize_leaves_a_constant_channel_finite():
    norm = tfg.ActNorm.trainable(2)
    x = tf.stack([tf.fill([8, 4], 7.0), tf.random.normal([8, 4])], axis=-1)
    norm.initialize(x)
    np.testing.assert_allclose(norm.log_scale[0], -np.log(1e-6), rtol=1e-5)
    y = norm.forward(x)
    np.testing.assert_array_equal(y[..., 0], tf.zeros([8, 4]))
    np.testing.assert_allclose(norm.inverse(tf.identity(y)), x, atol=1e-5)


def test_initialize_without_variables_raises():
    norm = tfg.ActNorm(tf.Variable([0.0]), log_scale=[0.0])
    with pytest.raises(
        TypeError, match=r"`log_scale` to be a `tf.Variable`.*EagerTensor"
    ):
        norm.initialize(tf.zeros([4, 1]))


def test_parameters_of_different_sizes_raise():
    with pytest.raises(ValueError, match=r"shift \(3,\), log_scale \(2,\)"):
        tfg.ActNorm(tf.zeros([3]), tf.zeros([2]))
    with pytest.raises(ValueError, match="Expected equal last dimensions"):
        tfg.ActNorm(0.0, 0.0)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_an_input_of_another_number_of_channels_raises(direction):
    norm = tfg.ActNorm.trainable(3, name="third_norm")
    with pytest.raises(
        ValueError,
        match=r"`third_norm`. Expected 3 channels.*Received: shape \(2, 4\)",
    ):
        getattr(norm, direction)(tf.zeros([2, 4]))
    # One channel would broadcast silently.
    with pytest.raises(ValueError, match="Expected 3 channels"):
        getattr(norm, direction)(tf.zeros([2, 1]))
    with pytest.raises(ValueError, match="Expected 3 channels"):
        getattr(norm, direction)(tf.zeros([]))


@pytest.mark.parametrize("num_channels", [0, -1, 2.0, True, None])
def test_trainable_needs_a_positive_number_of_channels(num_channels):
    with pytest.raises(
        ValueError, match=r"`num_channels`. Expected a positive"
    ):
        tfg.ActNorm.trainable(num_channels)


def test_validate_args_rejects_parameters_that_are_not_finite():
    x = tf.zeros([4, 1])
    error = tf.errors.InvalidArgumentError
    with pytest.raises(error, match="`shift` is not finite"):
        tfg.ActNorm([np.nan], [0.0], validate_args=True)
    norm = tfg.ActNorm.trainable(1, validate_args=True)
    norm.forward(x)
    norm.log_scale.assign([np.inf])
    with pytest.raises(error, match="`log_scale` is not finite"):
        norm.forward(tf.identity(x))
    unchecked = tfg.ActNorm(norm.shift, norm.log_scale)
    assert unchecked.forward(x).shape == x.shape


def test_variables_of_keras_train():
    shift = keras.Variable([1.0, 2.0])
    norm = tfg.ActNorm(shift, tf.zeros([2]))
    for bijector in (norm, norm.copy(name="copy")):
        (variable,) = bijector.trainable_variables
        assert variable is shift.value
    norm.shift.assign([3.0, 4.0])
    np.testing.assert_array_equal(shift, [3.0, 4.0])


def test_parameters_are_read_at_every_use():
    norm = tfg.ActNorm.trainable(1)
    forward = tf.function(norm.forward)
    np.testing.assert_array_equal(forward(tf.zeros([2, 1])), [[0.0], [0.0]])
    norm.shift.assign([3.0])
    np.testing.assert_array_equal(forward(tf.zeros([2, 1])), [[3.0], [3.0]])
