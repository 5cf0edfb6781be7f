# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.SplineCoupling`."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers

tfb = tfp.bijectors


def constant(outputs, **kwargs):
    """A coupling of vectors whose network gives the same to every event."""

    def network(x):
        shape = [x.shape[0], outputs.shape[-1]]
        return tf.broadcast_to(tf.cast(outputs, x.dtype), shape)

    return tfg.SplineCoupling(network, event_ndims=1, **kwargs)


@pytest.mark.parametrize("num_bins", [2, 5, 8])
@pytest.mark.parametrize(
    "dtype, tolerance", [(tf.float64, 1e-14), (tf.float32, 2e-6)]
)
def test_starts_as_the_identity(num_bins, dtype, tolerance):
    coupling = tfg.SplineCoupling.trainable(
        [6], num_filters=4, num_bins=num_bins, dtype=dtype, seed=0
    )
    x = 3.0 * helpers.normal([200, 6], dtype=dtype)
    for direction in ("forward", "inverse"):
        y = getattr(coupling, direction)(x)
        np.testing.assert_allclose(y, x, atol=tolerance)
        log_det = getattr(coupling, f"{direction}_log_det_jacobian")(x, 1)
        np.testing.assert_allclose(log_det, 0.0, atol=10 * tolerance)


def test_outputs_are_widths_then_heights_then_slopes_of_each_channel():
    first, second = helpers.normal([2, 3 * 4 - 1]).numpy()
    coupling = constant(np.concatenate([first, second]), num_bins=4, bound=3.0)
    x = 1.5 * helpers.normal([50, 4])
    y = coupling.forward(x)
    np.testing.assert_array_equal(y[:, :2], x[:, :2])

    def softmax(raw):
        return np.exp(raw) / np.sum(np.exp(raw))

    for channel, raw in [(2, first), (3, second)]:
        expected = tfb.RationalQuadraticSpline(
            6.0 * (0.01 / 4 + 0.99 * softmax(raw[:4])),
            6.0 * (0.01 / 4 + 0.99 * softmax(raw[4:8])),
            0.01 + np.log1p(np.expm1(0.99) * np.exp(raw[8:])),
            range_min=-3.0,
        ).forward(x[:, channel])
        np.testing.assert_allclose(y[:, channel], expected, atol=1e-12)
        assert np.max(np.abs(y[:, channel] - x[:, channel])) > 0.1


def test_nothing_changes_outside_of_the_bound():
    coupling = constant(helpers.normal([5]), num_bins=2, bound=2.0)
    x = tf.constant([[0.0, x] for x in (-1e30, -1e4, -2.1, 2.1, 1e4, 1e30)])
    for direction in ("forward", "inverse"):
        y = getattr(coupling, direction)(x)
        np.testing.assert_array_equal(y, x)
        log_det = getattr(coupling, f"{direction}_log_det_jacobian")(x, 1)
        np.testing.assert_array_equal(log_det, 0.0)


@pytest.mark.parametrize("size", [5.0, 1e3])
def test_extreme_outputs_leave_values_and_gradients_finite(size):
    raw = size * helpers.normal([23], dtype=tf.float32)
    coupling = constant(raw)
    x = 2.0 * helpers.normal([500, 2], dtype=tf.float32)
    for direction in ("forward", "inverse"):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = getattr(coupling, direction)(x)
            log_det = getattr(coupling, f"{direction}_log_det_jacobian")(x, 1)
        assert np.all(np.abs(y - x) <= 10.0)
        assert np.all(np.isfinite(log_det))
        assert np.all(np.isfinite(tape.gradient([y, log_det], x)))


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(num_bins=1), "`num_bins`. Expected at least 2. Received: .*=1"),
        (dict(num_bins=0), "`num_bins`. Expected a positive integer"),
        (dict(num_bins=2.5), "`num_bins`. Expected a positive integer"),
        (dict(bound=0.0), "`bound`. Expected a positive, finite number"),
        (dict(bound=-1.0), "`bound`.*Received: bound=-1.0"),
        (dict(bound=float("inf")), "`bound`.*Received: bound=inf"),
        (dict(bound=float("nan")), "`bound`.*Received: bound=nan"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        tfg.SplineCoupling(tf.sin, **arguments)
