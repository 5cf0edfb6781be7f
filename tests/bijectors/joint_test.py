# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.bijectors.joint`, of its cache and keyword arguments."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers
from tfp_glow.bijectors import joint

tfb = tfp.bijectors
tfd = tfp.distributions


class Counting:
    """A network for vectors that counts its calls."""

    def __init__(self):
        self.calls = 0

    def __call__(self, x, scale_by=1.0):
        self.calls += 1
        return tf.concat([x, scale_by * tf.sin(x)], axis=-1)


def sigmoid_scale(raw):
    return 1.0 / (1.0 + np.exp(-(raw + 2.0)))


def distribution(bijector, size):
    """Returns the distribution that `bijector` maps to standard normals."""
    normal = tfd.Sample(tfd.Normal(tf.zeros([], tf.float64), 1.0), [size])
    return tfd.TransformedDistribution(normal, tfb.Invert(bijector))


@pytest.mark.parametrize("invert", [lambda bijector: bijector, tfb.Invert])
def test_network_runs_once_for_a_value_its_log_det_and_the_way_back(invert):
    network = Counting()
    coupling = invert(tfg.AffineCoupling(network, event_ndims=1))
    x = helpers.normal([3, 2])
    y = coupling.forward(x)
    coupling.forward_log_det_jacobian(x, event_ndims=1)
    coupling.inverse_log_det_jacobian(y, event_ndims=1)
    coupling.inverse(y)
    assert network.calls == 1


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_traced_the_log_det_may_come_before_the_value(direction):
    network = Counting()
    coupling = tfg.AffineCoupling(network, event_ndims=1)

    @tf.function
    def log_det_then_value(x):
        log_det = getattr(coupling, f"{direction}_log_det_jacobian")(x, 1)
        return log_det, getattr(coupling, direction)(x)

    log_det_then_value(helpers.normal([3, 2]))
    assert network.calls == 1


def test_network_runs_once_for_log_prob_and_once_for_sample():
    network = Counting()
    chain = tfb.Chain(
        [
            tfg.ActNorm.trainable(2, dtype=tf.float64),
            tfg.AffineCoupling(network, event_ndims=1),
        ]
    )
    flow = distribution(chain, 2)
    flow.log_prob(helpers.normal([3, 2]))
    assert network.calls == 1
    x = flow.sample(3, seed=0)
    assert network.calls == 2
    flow.log_prob(x)
    assert network.calls == 2
    flow.experimental_sample_and_log_prob(3, seed=0)
    assert network.calls == 3


def test_keyword_arguments_reach_the_network():
    coupling = tfg.AffineCoupling(Counting(), event_ndims=1)
    x = tf.constant([[1.5, 2.0]])
    y = coupling.forward(x, scale_by=0.0)
    expected = sigmoid_scale(0.0) * 2.0 + 1.5
    np.testing.assert_allclose(y, [[1.5, expected]], rtol=1e-6)
    log_det = np.log(sigmoid_scale(0.0))
    for found in (
        coupling.forward_log_det_jacobian(x, 1, scale_by=0.0),
        coupling.forward_log_det_jacobian(tf.identity(x), 1, scale_by=0.0),
        -coupling.inverse_log_det_jacobian(tf.identity(y), 1, scale_by=0.0),
    ):
        np.testing.assert_allclose(found, [log_det], rtol=1e-6)
    np.testing.assert_allclose(
        coupling.inverse(tf.identity(y), scale_by=0.0), x, rtol=1e-6
    )


def both_values(number):
    return [number, -number]


def both_tensors(number):
    return [tf.constant([[number]]), tf.constant([[-number]])]


@pytest.mark.parametrize("values", [both_values, both_tensors])
def test_results_of_different_keyword_arguments_are_never_shared(values):
    coupling = tfg.AffineCoupling(Counting(), event_ndims=1)
    x = tf.constant([[1.5, 2.0]])
    results, kept_alive = [], []
    for value in values(1.0):
        y = coupling.forward(x, scale_by=value)
        log_det = coupling.forward_log_det_jacobian(x, 1, scale_by=value)
        back = coupling.inverse(x, scale_by=value)
        results.append([y[0, 1], log_det[0], back[0, 1]])
        kept_alive.append((y, back))
    assert np.all(np.abs(np.subtract(*results)) > 1e-3)


def test_a_chain_hands_keyword_arguments_to_the_bijector_of_that_name():
    network = Counting()
    coupling = tfg.AffineCoupling(network, event_ndims=1)
    reverse = tfg.Invertible1x1Conv.trainable(2, permutation="reverse")
    chain = tfb.Chain([reverse, coupling])
    x = tf.constant([[1.5, 2.0]])
    results = [
        chain.forward(x, affine_coupling={"scale_by": value})
        for value in (2.0, 3.0)
    ]
    for y, value in zip(results, (2.0, 3.0)):
        expected = sigmoid_scale(value * np.sin(1.5)) * 2.0 + 1.5
        np.testing.assert_allclose(y, [[expected, 1.5]], rtol=1e-6)
        np.testing.assert_allclose(
            chain.inverse(tf.identity(y), affine_coupling={"scale_by": value}),
            x,
            rtol=1e-6,
        )


def test_bijector_kwargs_of_a_distribution_reach_the_network():
    coupling = tfg.AffineCoupling(Counting(), event_ndims=1)
    chain = tfb.Chain([tfg.ActNorm.trainable(2, dtype=tf.float64), coupling])
    flow = distribution(chain, 2)
    x = tf.constant([[1.5, 2.0]], tf.float64)
    log_probs = []
    for value in (2.0, 3.0):
        log_prob = flow.log_prob(
            x, bijector_kwargs={"affine_coupling": {"scale_by": value}}
        )
        scale = sigmoid_scale(value * np.sin(1.5))
        latent = np.array([1.5, scale * 2.0 + 1.5])
        expected = -0.5 * np.sum(latent**2) - np.log(2.0 * np.pi)
        np.testing.assert_allclose(
            log_prob, [expected + np.log(scale)], rtol=1e-10
        )
        log_probs.append(log_prob.numpy())
    assert log_probs[0] != log_probs[1]


def test_bijector_kwargs_do_not_add_an_evaluation():
    network = Counting()
    flow = distribution(tfg.AffineCoupling(network, event_ndims=1), 2)
    flow.log_prob(helpers.normal([3, 2]), bijector_kwargs={"scale_by": 2.0})
    assert network.calls == 1


def test_given_binds_keyword_arguments():
    coupling = tfg.AffineCoupling(Counting(), event_ndims=1)
    given = joint.Given(coupling, scale_by=3.0)
    x = tf.constant([[1.5, 2.0]])
    y = given.forward(x)
    np.testing.assert_array_equal(y, coupling.forward(x, scale_by=3.0))
    assert np.any(y != coupling.forward(tf.identity(x)))
    np.testing.assert_allclose(given.inverse(tf.identity(y)), x, rtol=1e-6)
    log_det = coupling.forward_log_det_jacobian(x, 1, scale_by=3.0)
    np.testing.assert_array_equal(
        given.forward_log_det_jacobian(tf.identity(x), 1), log_det
    )
    np.testing.assert_allclose(
        given.inverse_log_det_jacobian(tf.identity(y), 1), -log_det, rtol=1e-5
    )


def test_two_objects_of_other_keyword_arguments_never_share_a_result():
    coupling = tfg.AffineCoupling(Counting(), event_ndims=1)
    x = tf.constant([[1.5, 2.0]])
    one, other = (joint.Given(coupling, scale_by=s) for s in (1.0, -1.0))
    assert one != other
    assert np.any(one.forward(x) != other.forward(x))


@pytest.mark.parametrize("event_ndims", [1, 2])
@pytest.mark.parametrize(
    "bijector",
    [
        tfb.Chain([tfb.Sinh(), tfb.Scale(tf.cast(2.0, tf.float64))]),
        tfg.AffineCoupling(Counting(), event_ndims=1),
        tfb.Invert(tfg.AffineCoupling(Counting(), event_ndims=1)),
    ],
    ids=["tfp", "coupling", "inverted"],
)
def test_evaluate_computes_both_results_of_any_bijector(bijector, event_ndims):
    x = helpers.normal([5, 3, 2])
    y, log_det = joint.evaluate(bijector, x, event_ndims)
    np.testing.assert_array_equal(y, bijector.forward(tf.identity(x)))
    assert log_det.shape == [5, 3, 2][: 3 - event_ndims]
    np.testing.assert_array_equal(
        log_det, bijector.forward_log_det_jacobian(tf.identity(x), event_ndims)
    )
    back, back_log_det = joint.evaluate(
        bijector, tf.identity(y), event_ndims, inverse=True
    )
    np.testing.assert_allclose(back, x, atol=1e-12)
    np.testing.assert_allclose(back_log_det, -log_det, atol=1e-12)


def test_stages_are_the_parts_of_a_chain_in_their_order():
    coupling = tfg.AffineCoupling(Counting(), event_ndims=1)
    norm = tfg.ActNorm([1.0, 2.0], [0.5, -0.5])
    chain = tfb.Chain([tfb.Invert(coupling), tfb.Chain([norm, tfb.Sinh()])])
    x = helpers.normal([4, 2], dtype=tf.float32)
    y, total = x, 0.0
    stages = joint.stages(chain, 1)
    assert len(stages) == 3
    for stage in stages:
        y, log_det = stage(y)
        total += log_det
    np.testing.assert_allclose(y, chain.forward(x), rtol=1e-6)
    np.testing.assert_allclose(
        total, chain.forward_log_det_jacobian(x, 1), rtol=1e-5
    )
    for stage in joint.stages(chain, 1, inverse=True):
        y, log_det = stage(y)
        total += log_det
    np.testing.assert_allclose(y, x, rtol=1e-5)
    np.testing.assert_allclose(total, 0.0, atol=1e-5)
