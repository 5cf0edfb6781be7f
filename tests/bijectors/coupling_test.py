# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.Coupling`: what its subclasses share."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers

tfb = tfp.bijectors


class ScaledByConstants(tfg.Coupling):
    """Its elementwise log-det has the channels' shape alone."""

    outputs_per_channel = 1

    def elementwise(self, outputs):
        scale = tf.range(2, 2 + outputs.shape[-1], dtype=outputs.dtype)
        return tfb.Chain([tfb.Shift(outputs), tfb.Scale(scale)])


COUPLINGS = {
    "affine": tfg.AffineCoupling,
    "spline": tfg.SplineCoupling,
    "mixture": tfg.MixtureCoupling,
}
of_every_kind = pytest.mark.parametrize("kind", COUPLINGS)


def linear(coupling):
    """A network of vectors of one number, whose kernel is an argument."""

    def network(x, kernel):
        return tf.tanh(x @ kernel)

    coupling = coupling(network, event_ndims=1)
    return coupling, helpers.normal([1, coupling.outputs_per_channel])


@pytest.mark.parametrize("mask", ["channel", "checkerboard"])
def test_a_subclass_says_two_things_alone(mask):
    def network(x):
        return tf.sin(x)

    coupling = ScaledByConstants(network, mask=mask)
    x = helpers.normal([2, 2, 2, 2])
    y = coupling.forward(x)
    np.testing.assert_allclose(coupling.inverse(y + 0.0), x, atol=1e-12)
    for direction in ("forward", "inverse"):
        log_det = getattr(coupling, f"{direction}_log_det_jacobian")(x, 3)
        np.testing.assert_allclose(
            tf.broadcast_to(log_det, [2]),
            helpers.log_det_by_autodiff(getattr(coupling, direction), x),
            atol=1e-10,
        )


def test_network_channels_are_what_a_network_sees_and_gives():
    for arguments, expected in [
        (dict(), (2, 3 * 23)),
        (dict(change="first"), (3, 2 * 23)),
        (dict(mask="checkerboard"), (5, 5 * 23)),
        (dict(num_bins=2), (2, 3 * 5)),
    ]:
        coupling = tfg.SplineCoupling(tf.sin, **arguments)
        assert coupling.network_channels([4, 4, 5]) == expected


@of_every_kind
def test_keyword_arguments_reach_the_network_of_every_coupling(kind):
    coupling, kernel = linear(COUPLINGS[kind])
    x = helpers.normal([3, 2])
    y = coupling.forward(x, kernel=kernel)
    other = coupling.forward(x, kernel=-kernel)
    assert np.all(np.abs(y - other)[:, 1] > 1e-6)
    back = coupling.inverse(tf.identity(y), kernel=kernel)
    np.testing.assert_allclose(back, x, atol=1e-12)


@of_every_kind
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_every_network_runs_once_for_a_value_and_its_log_det(kind, direction):
    calls = []

    def network(x):
        calls.append(x)
        return tf.zeros([3, coupling.outputs_per_channel], x.dtype)

    coupling = COUPLINGS[kind](network, event_ndims=1)
    x = helpers.normal([3, 2])
    getattr(coupling, direction)(x)
    getattr(coupling, f"{direction}_log_det_jacobian")(x, 1)
    assert len(calls) == 1


@pytest.mark.parametrize(
    "kind, inverse",
    [("spline", False), ("mixture", False), ("mixture", True)],
)
def test_gradients_by_inversion_are_those_of_a_loop_that_stores(kind, inverse):
    _, kernel = linear(COUPLINGS[kind])
    kernels = helpers.normal([3, *kernel.shape], 3)

    def step_fn(kernel):
        step = COUPLINGS[kind](lambda x: tf.tanh(x @ kernel), event_ndims=1)
        step = tfb.Chain([step, tfb.Permute([1, 0])])
        return tfb.Invert(step) if inverse else step

    def pull_back(gradient):
        flow = tfg.Repeated(step_fn, kernels, gradient=gradient, event_ndims=1)
        x = helpers.normal([4, 2], 1)
        with tf.GradientTape() as tape:
            tape.watch([x, kernels])
            y = flow.forward(x)
            log_det = flow.forward_log_det_jacobian(x, 1)
            loss = tf.reduce_sum(y**2) + tf.reduce_sum(log_det**2)
        return tape.gradient(loss, [x, kernels])

    for by_store, by_inversion in zip(pull_back("store"), pull_back("invert")):
        assert np.all(np.any(by_store, axis=-1))
        np.testing.assert_allclose(by_inversion, by_store, atol=1e-8)


@of_every_kind
def test_a_network_of_the_wrong_number_of_outputs_names_the_right_one(kind):
    coupling = COUPLINGS[kind](tf.identity, event_ndims=1, name="the_third")
    size = coupling.outputs_per_channel
    with pytest.raises(
        ValueError,
        match=rf"`the_third`. Expected shape \[None, {3 * size}\], {size} for "
        r"each of 3 channels. Received: \(2, 3\)",
    ):
        coupling.forward(tf.zeros([2, 6]))
