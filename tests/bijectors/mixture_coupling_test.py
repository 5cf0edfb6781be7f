# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.MixtureCoupling`."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_glow as tfg
from tests import helpers


def constant(outputs, **kwargs):
    """A coupling of vectors whose network gives the same to every event."""

    def network(x):
        shape = [x.shape[0], outputs.shape[-1]]
        return tf.broadcast_to(tf.cast(outputs, x.dtype), shape)

    return tfg.MixtureCoupling(network, event_ndims=1, **kwargs)


@pytest.mark.parametrize("num_components", [1, 2, 4, 8])
def test_starts_near_the_identity(num_components):
    coupling = tfg.MixtureCoupling.trainable(
        [4], num_filters=4, seed=0, num_components=num_components
    )
    x = tf.repeat(tf.linspace(-20.0, 20.0, 101)[:, tf.newaxis], 4, axis=1)
    tolerance = {1: 1e-5, 2: 0.44, 4: 0.27, 8: 0.21}[num_components]
    np.testing.assert_allclose(coupling.forward(x), x, atol=tolerance)
    log_det = coupling.forward_log_det_jacobian(x, 1)
    np.testing.assert_allclose(log_det / 2.0, 0.0, atol=tolerance)


def test_components_of_a_new_coupling_receive_different_gradients():
    coupling = tfg.MixtureCoupling.trainable([2], num_filters=4, seed=0)
    with tf.GradientTape() as tape:
        y = coupling.forward(helpers.normal([50, 2], dtype=tf.float32))
        loss = tf.reduce_sum(y**3)
    gradient = tape.gradient(loss, coupling.network.last.shift)[2:]
    values = np.reshape(gradient, [3, 4])
    assert np.min(np.abs(np.diff(np.sort(values, axis=-1)))) > 1e-3


def test_outputs_of_each_channel_are_the_documented_ones():
    first, second = helpers.normal([2, 3 * 2 + 2]).numpy()
    coupling = constant(np.concatenate([first, second]), num_components=2)
    x = 1.5 * helpers.normal([50, 4])
    y = coupling.forward(x)
    np.testing.assert_array_equal(y[:, :2], x[:, :2])
    for channel, raw in [(2, first), (3, second)]:
        x2 = x.numpy()[:, channel, np.newaxis]
        weights = np.exp(raw[2:4]) / np.sum(np.exp(raw[2:4]))
        loc, scale = raw[4:6] + [1.0, -1.0], np.exp(np.tanh(raw[6:8]))
        cdf = np.sum(weights / (1.0 + np.exp((loc - x2) / scale)), axis=-1)
        expected = 2.0 ** np.tanh(raw[0]) * np.log(cdf / (1 - cdf)) + raw[1]
        np.testing.assert_allclose(y[:, channel], expected, atol=1e-10)


@pytest.mark.parametrize("size", [5.0, 100.0])
def test_extreme_outputs_leave_values_finite_and_their_growth_bounded(size):
    coupling = constant(size * helpers.normal([14], 3, tf.float32))
    values = tf.constant([-1e4, -1e2, -1.0, 0.0, 1.0, 1e2, 1e4])
    x = tf.stack([values, values], axis=-1)
    for direction in ("forward", "inverse"):
        y = getattr(coupling, direction)(x)
        log_det = getattr(coupling, f"{direction}_log_det_jacobian")(x, 1)
        assert np.all(np.isfinite(y))
        assert np.all(np.isfinite(log_det))
        growth = 2.0 * np.e
        assert np.all(np.abs(y) <= growth * (np.abs(x) + 4.0 * size) + size)


def test_an_invalid_number_of_components_raises():
    with pytest.raises(
        ValueError, match=r"`num_components`. Expected a positive integer"
    ):
        tfg.MixtureCoupling(tf.sin, num_components=0)
