# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.Squeeze`."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_glow as tfg
from tests import helpers


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_channel_order_is_that_of_the_papers_code(factor):
    height, width, channels = 2, 3, 2
    x = helpers.normal([5, height * factor, width * factor, channels])
    expected = np.zeros([5, height, width, channels * factor**2])
    for i, j in np.ndindex(height, width):
        for c, a, b in np.ndindex(channels, factor, factor):
            expected[:, i, j, factor**2 * c + factor * a + b] = x[
                :, factor * i + a, factor * j + b, c
            ]
    squeeze = tfg.Squeeze(factor)
    np.testing.assert_array_equal(squeeze.forward(x), expected)
    np.testing.assert_array_equal(squeeze.inverse(tf.constant(expected)), x)


def test_channel_order_is_not_that_of_space_to_depth():
    x = helpers.normal([1, 4, 4, 2])
    y = tfg.Squeeze().forward(x).numpy()
    z = tf.nn.space_to_depth(x, 2).numpy()
    assert not np.array_equal(y, z)
    np.testing.assert_array_equal(y, z[..., [0, 2, 4, 6, 1, 3, 5, 7]])


def test_unknown_sizes_are_found_at_run_time():
    squeeze = tfg.Squeeze()
    shapes = []

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])])
    def both(x):
        y = squeeze.forward(x)
        shapes.append(y.shape.as_list())
        return y, squeeze.inverse(tf.identity(y))

    x = helpers.normal([2, 4, 6, 3], dtype=tf.float32)
    y, x_back = both(x)
    assert shapes == [[None, None, None, 12]]
    np.testing.assert_array_equal(y, squeeze.forward(x))
    np.testing.assert_array_equal(x_back, x)


def test_partly_known_event_shapes_stay_so():
    squeeze = tfg.Squeeze()
    forward, inverse = squeeze.forward_event_shape, squeeze.inverse_event_shape
    assert forward([None, 8, 3]).as_list() == [None, 4, 12]
    assert inverse([4, None, 12]).as_list() == [8, None, 3]
    assert forward(tf.TensorShape(None)).rank is None
    assert inverse(tf.TensorShape(None)).rank is None


def test_sizes_that_do_not_divide_raise():
    squeeze = tfg.Squeeze(3)
    with pytest.raises(
        ValueError, match=r"divisible by factor=3. Received.*\(6, 5, 2\)"
    ):
        squeeze.forward(tf.zeros([1, 6, 5, 2]))
    with pytest.raises(ValueError, match=r"divisible by factor=3"):
        squeeze.forward_event_shape([5, 6, 2])
    with pytest.raises(
        ValueError, match=r"divisible by factor\*\*2=9. Received.*\(2, 2, 8\)"
    ):
        squeeze.inverse(tf.zeros([1, 2, 2, 8]))


def test_too_few_dimensions_raise():
    squeeze = tfg.Squeeze()
    for direction in (squeeze.forward, squeeze.inverse):
        with pytest.raises(ValueError, match=r"\[H, W, C\].*shape \(4, 4\)"):
            direction(tf.zeros([4, 4]))


@pytest.mark.parametrize("factor", [0, -2, 2.0, "2", True, None])
def test_factor_must_be_a_positive_integer(factor):
    with pytest.raises(
        ValueError, match=r"`factor`. Expected a positive integer.*factor="
    ):
        tfg.Squeeze(factor)
