# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.bijectors.initialization`."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers
from tfp_glow.bijectors import initialization

tfb = tfp.bijectors
tfd = tfp.distributions


def assert_normalized(y):
    y = np.reshape(y, [-1, y.shape[-1]])
    np.testing.assert_allclose(np.mean(y, axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(np.var(y, axis=0), 1.0, atol=5e-2)


def data(shape=(200, 4)):
    return 7.0 + 3.0 * helpers.normal(shape)


def norm_of_step(repeated, k=0):
    """Returns the activation norm of a step, with its present values."""
    p = repeated.parameters["parameters"]["act_norm"]
    return tfg.ActNorm(p["shift"][k], p["log_scale"][k])


def small_glow():
    return tfg.Glow(
        [4, 4, 1],
        num_levels=1,
        num_steps=1,
        num_filters=4,
        seed=0,
        dtype=tf.float64,
    )


def transformed(*bijectors, size=4):
    """Returns nested distributions, the first bijector the outermost."""
    zero, one = tf.zeros([], tf.float64), tf.ones([], tf.float64)
    distribution = tfd.Sample(tfd.Normal(zero, one), [size])
    for bijector in reversed(bijectors):
        distribution = tfd.TransformedDistribution(distribution, bijector)
    return distribution


def initialize_forward(bijector, x):
    """Initializes a bijector from what its `forward` gets."""
    flow = transformed(tfb.Invert(bijector))
    initialization.initialize_distribution(flow, x)


def test_every_block_of_a_chain_is_set_from_its_own_input():
    first = tfg.ActNorm.trainable(4, dtype=tf.float64)
    conv = tfg.Invertible1x1Conv.trainable(4, seed=0, dtype=tf.float64)
    helpers.perturb(conv)
    second = tfg.ActNorm.trainable(4, dtype=tf.float64)
    x = data()
    initialize_forward(tfb.Chain([second, tfb.Chain([conv, first])]), x)
    assert_normalized(first.forward(x))
    assert_normalized(second.forward(conv.forward(first.forward(x))))


def test_networks_of_couplings_are_set():
    coupling = tfg.AffineCoupling.trainable(
        [4], num_filters=5, seed=0, dtype=tf.float64
    )
    x = data()
    initialize_forward(tfb.Chain([coupling]), x)
    network = coupling.network
    assert_normalized(network.hidden[0](4.0 * np.tanh(x[:, :2] / 4.0)))


@pytest.mark.parametrize("wrap", [lambda b: b, lambda b: tfb.Chain([b])])
def test_an_inverted_inverse_is_walked_forward(wrap):
    norm = tfg.ActNorm.trainable(4, dtype=tf.float64)
    x = data()
    initialize_forward(tfb.Invert(wrap(tfb.Invert(norm))), x)
    assert_normalized(norm.forward(x))


def test_a_block_reached_from_its_output_stays_as_it_is_and_is_named():
    norm = tfg.ActNorm.trainable(4, dtype=tf.float64, name="the_norm")
    helpers.perturb(norm)
    before = norm.shift.numpy()
    with pytest.warns(UserWarning, match="did not reach the_norm, which"):
        initialize_forward(tfb.Invert(norm), data())
    np.testing.assert_array_equal(norm.shift, before)


def test_a_norm_of_tensors_needs_no_data():
    shift = tf.constant([1.0, 2.0, 3.0, 4.0], tf.float64)
    initialize_forward(tfg.ActNorm(shift, shift), data())


@pytest.mark.parametrize("nested", [False, True])
def test_a_glow_of_a_distribution_is_set_from_what_reaches_it(nested):
    glow = small_glow()
    shift = tfb.Shift(tf.constant(100.0, tf.float64))
    flow = (
        transformed(shift, glow, size=16)
        if nested
        else transformed(tfb.Chain([shift, glow]), size=16)
    )
    images = data([20, 4, 4, 1])
    initialization.initialize_distribution(flow, images)
    norm = norm_of_step(glow.steps(0))
    assert_normalized(norm.forward(tfg.Squeeze().forward(images - 100.0)))


def test_every_bijector_of_nested_distributions_is_set():
    inner, outer = (
        tfg.ActNorm.trainable(4, dtype=tf.float64) for _ in range(2)
    )
    scale = tfb.Scale(tf.constant(5.0, tf.float64))
    flow = transformed(
        tfb.Chain([tfb.Exp(), tfb.Invert(outer)]),
        tfb.Invert(tfb.Chain([inner, scale])),
        tfb.Exp(),
    )
    x = tf.exp(data() / 7.0)
    initialization.initialize_distribution(flow, x)
    y = outer.forward(tf.math.log(x))
    assert_normalized(y)
    z = inner.forward(5.0 * y)
    assert_normalized(z)
    np.testing.assert_allclose(inner.log_scale, -np.log(5.0), atol=1e-4)


def test_each_of_nested_distributions_gets_its_own_keyword_arguments():
    seen = []

    def network(x, scale_by):
        seen.append(float(scale_by))
        return scale_by * tf.sin(x)

    coupling = tfg.AffineCoupling(network, additive=True, event_ndims=1)
    norm = tfg.ActNorm.trainable(2, dtype=tf.float64)
    flow = transformed(tfb.Shift(tf.constant(1.0, tf.float64)), size=2)
    flow = tfd.TransformedDistribution(flow, tfb.Invert(norm))
    flow = tfd.TransformedDistribution(flow, tfb.Invert(coupling))
    x = data([200, 2])
    initialization.initialize_distribution(
        flow,
        x,
        bijector_kwargs={"scale_by": 3.0},
        distribution_kwargs={"bijector_kwargs": {}},
    )
    assert seen == [3.0]
    assert_normalized(norm.forward(coupling.forward(x, scale_by=3.0)))


def test_a_conditional_flow_is_set_given_the_conditioning():
    flow = tfg.vector_flow(
        4,
        num_steps=2,
        num_filters=5,
        coupling="affine",
        conditioning_size=3,
        seed=0,
        dtype=tf.float64,
    )
    # Now the outputs of a step depend on the conditioning.
    helpers.perturb(flow)
    x, c = data(), helpers.normal([200, 3], 1)
    with pytest.raises(ValueError, match="conditioning"):
        initialization.initialize_distribution(flow, x)
    initialization.initialize_distribution(
        flow, x, bijector_kwargs={"conditioning": c}
    )
    repeated = flow.bijector.bijector.steps
    assert_normalized(norm_of_step(repeated, 0).forward(x))
    h = repeated.step(0, conditioning=c).forward(x)
    assert_normalized(norm_of_step(repeated, 1).forward(h))
    other = repeated.step(0, conditioning=c[::-1]).forward(tf.identity(x))
    assert np.max(np.abs(h - other)) > 1e-2


def test_parts_of_a_chain_get_their_keyword_arguments_by_name():
    seen = []

    def network(x, scale_by):
        seen.append(float(scale_by))
        return scale_by * tf.sin(x)

    coupling = tfg.AffineCoupling(network, additive=True, event_ndims=1)
    norm = tfg.ActNorm.trainable(2, dtype=tf.float64)
    flow = transformed(tfb.Invert(tfb.Chain([norm, coupling])), size=2)
    x = data([200, 2])
    initialization.initialize_distribution(
        flow, x, bijector_kwargs={"affine_coupling": {"scale_by": 3.0}}
    )
    assert seen == [3.0]
    y = coupling.forward(x, scale_by=3.0)
    assert_normalized(norm.forward(y))


def compositions():
    """Distributions that contain flows in ways that TFP offers, and events."""
    x = data([64, 2])

    def flow(name="flow", size=None):
        return tfg.vector_flow(
            2,
            num_steps=1,
            num_filters=4,
            coupling="additive",
            conditioning_size=size,
            seed=0,
            dtype=tf.float64,
            name=name,
        )

    first, second = flow("first"), flow("second")
    both = [first, second]
    logits = tf.zeros([2], tf.float64)
    categorical = tfd.Categorical(logits)
    conditional = flow("conditional", 2)

    def coroutine():
        value = yield tfd.JointDistributionCoroutine.Root(first)
        yield conditional.given(value)

    return {
        "mixture": (tfd.Mixture(categorical, both), both, x),
        "same_family": (
            tfd.MixtureSameFamily(categorical, tfd.BatchBroadcast(first, [2])),
            [first],
            x,
        ),
        "blockwise": (tfd.Blockwise(both), both, tf.concat([x, x], axis=-1)),
        "joint": (tfd.JointDistributionSequential(both), both, [x, x]),
        "named": (
            tfd.JointDistributionNamed(dict(a=first, b=second)),
            both,
            dict(a=x, b=x),
        ),
        # No attribute leads to the second flow.
        "coroutine": (
            tfd.JointDistributionCoroutine(coroutine),
            [first, conditional],
            (x, x),
        ),
        "independent": (
            tfd.Independent(tfd.BatchBroadcast(first, [3]), 1),
            [first],
            tf.stack([x, x, x], axis=1),
        ),
        "sample": (tfd.Sample(first, 3), [first], tf.stack([x, x, x], axis=1)),
        "masked": (tfd.Masked(first, True), [first], x),
    }


@pytest.mark.parametrize("name", compositions())
def test_flows_inside_of_distributions_are_set_from_what_reaches_them(name):
    distribution, flows, x = compositions()[name]
    initialization.initialize_distribution(distribution, x)
    for flow in flows:
        repeated = flow.bijector.bijector
        if flow.conditioning_shape is not None:
            repeated = repeated.steps
        assert_normalized(norm_of_step(repeated).forward(data([64, 2])))


def test_flows_in_traced_functions_are_named():
    flow = tfg.vector_flow(2, num_steps=1, num_filters=4, name="flow")
    joint = tfd.JointDistributionSequentialAutoBatched([flow])
    with pytest.warns(UserWarning, match="did not reach steps, which"):
        initialization.initialize_distribution(joint, [tf.zeros([3, 2])])
