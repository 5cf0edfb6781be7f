# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.vector_flow`."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_glow as tfg
from tests import helpers


def small_flow(event_size=3, coupling="spline", **kwargs):
    kwargs = dict(num_steps=2, num_filters=8, seed=0, dtype=tf.float64) | kwargs
    return tfg.vector_flow(event_size, coupling=coupling, **kwargs)


def moved(flow, stddev=0.1):
    """The flow, initialised and then moved away from it."""
    flow.bijector.bijector.initialize(
        helpers.normal([50, *flow.event_shape], 3, flow.dtype)
    )
    return helpers.perturb(flow, stddev)


def standard_normal_log_prob(z):
    return -0.5 * np.sum(np.square(z) + np.log(2.0 * np.pi), axis=-1)


@pytest.mark.parametrize("event_size, coupling", [(2, "spline"), (3, "affine")])
def test_log_prob_is_that_of_the_latent_and_the_log_det(event_size, coupling):
    flow = moved(small_flow(event_size, coupling))
    x = helpers.normal([4, event_size])
    log_det = helpers.log_det_by_autodiff(flow.bijector.inverse, x)
    assert np.std(log_det) > 1e-2
    latent = flow.bijector.inverse(tf.identity(x))
    np.testing.assert_allclose(
        flow.log_prob(x),
        standard_normal_log_prob(latent) + log_det,
        atol=1e-8,
    )


@pytest.mark.parametrize("coupling", ["affine", "spline"])
def test_round_trip(coupling):
    for dtype, atol in ((tf.float32, 1e-3), (tf.float64, 1e-7)):
        flow = moved(small_flow(3, coupling, dtype=dtype), stddev=0.03)
        x = helpers.normal([6, 3], dtype=dtype)
        z = flow.bijector.inverse(x)
        assert z.dtype == flow.log_prob(x).dtype == dtype
        assert np.max(np.abs(z - x)) > 0.1
        back = flow.bijector.forward(tf.identity(z))
        np.testing.assert_allclose(back, x, atol=atol)


@pytest.mark.parametrize("event_size", [2, 7])
def test_any_size_of_two_or_more(event_size):
    flow = small_flow(event_size)
    assert flow.event_shape == [event_size]
    assert flow.batch_shape == []
    x = flow.sample([2, 4], seed=0)
    assert x.shape == [2, 4, event_size]
    assert np.isfinite(flow.log_prob(x)).all()
    assert flow.log_prob(x).shape == [2, 4]


def test_initialisation_normalises_what_the_first_step_sees():
    flow = small_flow(num_steps=1, coupling="additive")
    x = 5.0 + helpers.normal([200, 3]) * [0.1, 1.0, 30.0]
    tfg.FlowModel(flow).initialize(x)
    # The coupling is the identity at first, the 1x1 convolution a rotation.
    z = flow.bijector.inverse(x).numpy()
    np.testing.assert_allclose(np.mean(z, axis=0), np.zeros(3), atol=1e-6)
    np.testing.assert_allclose(np.sum(np.var(z, axis=0)), 3.0, atol=1e-3)


def test_correlated_columns_are_whitened():
    flow = small_flow(num_steps=1, coupling="additive", initialization="whiten")
    mixing = np.eye(3) + 0.4 * helpers.normal([3, 3], seed=1)
    x = helpers.normal([2000, 3]) @ mixing
    assert np.max(np.abs(np.corrcoef(x.numpy().T) - np.eye(3))) > 0.2
    tfg.FlowModel(flow).initialize(x)
    z = flow.bijector.inverse(x).numpy()
    np.testing.assert_allclose(np.cov(z.T), np.eye(3), atol=0.05)


def test_training_lowers_the_nats_of_eight_gaussians():
    density = tfg.toy.distribution("8gaussians")
    model = tfg.FlowModel(
        tfg.vector_flow(2, num_steps=4, num_filters=16, seed=0)
    )
    model.compile(keras.optimizers.Adam(5e-3))
    x = density.sample(20_000, seed=(0, 0))
    model.initialize(x[:1000])
    test = density.sample(5_000, seed=(0, 1))
    at_first = -np.mean(model.log_prob(test))
    model.fit(x, batch_size=200, epochs=1, verbose=0)
    nats = -np.mean(model.log_prob(test))
    assert nats < at_first - 0.1
    assert nats > density.entropy() - 0.02


def test_gradients_are_found_in_the_way_that_was_asked_for():
    assert small_flow().bijector.bijector.gradient == "store"
    flow = small_flow(gradient="invert")
    assert flow.bijector.bijector.gradient == "invert"


def test_seed_decides_the_variables():
    one, same, other = (
        [v.numpy() for v in small_flow(seed=seed).trainable_variables]
        for seed in (1, 1, 2)
    )
    for value, equal in zip(one, same):
        np.testing.assert_array_equal(value, equal)
    assert any(np.any(v != w) for v, w in zip(one, other))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"event_size": 1}, "`event_size`. Expected at least 2"),
        ({"event_size": 2.0}, "`event_size`. Expected a positive integer"),
        ({"num_steps": 0}, "`num_steps`. Expected a positive integer"),
        ({"num_filters": 0}, "`num_filters`. Expected a positive integer"),
        ({"coupling": "splines"}, "`coupling`.*Did you mean 'spline'"),
        ({"gradient": "inverse"}, "`gradient`.*Did you mean 'invert'"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        small_flow(**arguments)
