# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of conditional flows: broadcasting, and `given` inside TFP."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers

tfb = tfp.bijectors
tfd = tfp.distributions

DTYPE = dict(dtype=tf.float64)
C = helpers.normal([5, 3], 1)


def make_vector_flow(**kwargs):
    kwargs = dict(num_steps=1, num_filters=4, conditioning_size=3) | kwargs
    return tfg.vector_flow(2, coupling="affine", seed=0, **DTYPE, **kwargs)


def make_glow(**kwargs):
    kwargs = dict(num_levels=1, num_steps=1, num_filters=4) | kwargs
    return tfg.glow_distribution(
        [2, 2, 1], conditioning_size=3, seed=0, **DTYPE, **kwargs
    )


@pytest.fixture(scope="module", params=[make_vector_flow, make_glow])
def flow(request):
    return helpers.perturb(request.param(), 0.3)


@pytest.fixture(scope="module")
def x(flow):
    return helpers.normal([5, *flow.event_shape], 2)


@pytest.fixture(scope="module")
def expected(flow, x):
    """Log-probabilities, computed one by one."""
    return [log_prob(flow, x[i : i + 1], C[i : i + 1])[0] for i in range(5)]


def log_prob(flow, x, conditioning):
    kwargs = {"conditioning": conditioning}
    return flow.log_prob(tf.identity(x), bijector_kwargs=kwargs).numpy()


def assert_close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-9)


def test_conditioning_broadcasts_against_the_batch(flow, x, expected):
    many = tf.stack([x, x])
    assert np.ptp(expected) > 1e-2
    assert_close(log_prob(flow, many, C), [expected, expected])
    assert_close(log_prob(flow, many, tf.stack([C, C])), [expected, expected])
    assert_close(log_prob(flow, x[1], C[1]), expected[1])
    one = log_prob(flow, x, C[1])
    assert_close(one[1], expected[1])
    assert_close(log_prob(flow, x, C[1:2]), one)
    assert_close(log_prob(flow, x[1], C)[1], expected[1])
    assert log_prob(flow, x, C[:2, tf.newaxis]).shape == (2, 5)
    for shape in (4, [4, 5]):
        sample = flow.sample(shape, bijector_kwargs={"conditioning": C[0]})
        assert sample.shape == [*np.atleast_1d(shape), *flow.event_shape]


def test_a_number_is_a_vector_of_one_channel():
    flow = make_vector_flow(conditioning_size=1)
    x = tf.zeros([4, 2], tf.float64)
    assert_close(
        log_prob(flow, x, 0.5), log_prob(flow, x, tf.fill([4, 1], 0.5))
    )


def test_a_given_flow_is_a_distribution_with_a_batch(flow, x, expected):
    given = flow.given(C)
    assert (given.batch_shape, given.event_shape) == ([5], flow.event_shape)
    assert_close(given.log_prob(tf.identity(x)), expected)
    assert_close(given.log_prob(x[1])[1], expected[1])
    samples, densities = given.experimental_sample_and_log_prob(3, seed=(0, 1))
    assert samples.shape == [3, 5, *flow.event_shape]
    assert_close(given.log_prob(tf.identity(samples)), densities)
    assert given.copy(name="other").batch_shape == [5]
    assert flow.given(C[0]).batch_shape == []
    assert_close(given[1:3].log_prob(x[1:3]), expected[1:3])
    assert_close(given[2].log_prob(x[2]), expected[2])

    @tf.function(
        autograph=False,
        input_signature=[
            tf.TensorSpec([None, *flow.event_shape], tf.float64),
            tf.TensorSpec([None, 3], tf.float64),
        ],
    )
    def traced(x, conditioning):
        given = flow.given(conditioning)
        shape = given.batch_shape_tensor()
        return given.log_prob(x), tf.shape(given.sample(2)), shape

    density, sample_shape, batch_shape = traced(x, C)
    assert_close(density, expected)
    assert sample_shape.numpy().tolist() == [2, 5, *flow.event_shape]
    assert batch_shape.numpy().tolist() == [5]


def test_gradients_flow_back_to_what_is_given(flow, x):
    conditioning = tf.Variable(C)
    given = flow.given(conditioning)
    gradients = []
    for function in (
        lambda: given.log_prob(tf.identity(x)),
        lambda: flow.given(conditioning).log_prob(tf.identity(x)),
        lambda: flow.log_prob(
            tf.identity(x), bijector_kwargs={"conditioning": conditioning}
        ),
    ):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(function())
        gradients.append(tape.gradient(total, conditioning).numpy())
    assert np.any(gradients[0])
    assert_close(gradients, [gradients[2]] * 3)


def test_tfp_composes_given_flows(flow, x, expected):
    given, shape = flow.given(C), flow.event_shape
    cases = {
        "Independent": (tfd.Independent(given, 1), x, np.sum(expected)),
        "BatchReshape": (tfd.BatchReshape(given, [5, 1]), x[:, None], None),
        "BatchBroadcast": (tfd.BatchBroadcast(given, [2, 5]), x, None),
        "Sample": (
            tfd.Sample(given, 2),
            tf.stack([x, x], 1),
            2 * np.array(expected),
        ),
        "TransformedDistribution": (
            tfd.TransformedDistribution(given, tfb.Scale(tf.ones([], x.dtype))),
            x,
            None,
        ),
    }
    for name, (distribution, value, result) in cases.items():
        result = expected if result is None else result
        actual = distribution.log_prob(tf.identity(value))
        actual = tf.reshape(actual, [-1])[: np.size(result)]
        np.testing.assert_allclose(actual, np.ravel(result), err_msg=name)
    logits = tf.zeros([5], tf.float64)
    mixture = tfd.MixtureSameFamily(tfd.Categorical(logits), given)
    parts = [log_prob(flow, x, C[i]) for i in range(5)]
    assert_close(mixture.log_prob(x), np.log(np.mean(np.exp(parts), axis=0)))
    assert mixture.sample(3).shape == [3, *shape]


@pytest.mark.parametrize(
    "joint",
    [
        tfd.JointDistributionSequential,
        tfd.JointDistributionSequentialAutoBatched,
    ],
)
def test_joint_distributions_condition_a_flow_on_a_sample(
    flow, x, expected, joint
):
    normal = tfd.Sample(tfd.Normal(tf.zeros([], tf.float64), 1.0), 3)
    model = joint([normal, lambda c: flow.given(c)])
    assert_close(model.log_prob([C, x]), expected + normal.log_prob(C))
    assert model.sample(4)[1].shape == [4, *flow.event_shape]


def test_integer_images_can_be_given_their_conditioning():
    images = tfg.Dequantized(helpers.perturb(make_glow()), bins=8)
    x = np.random.default_rng(0).integers(8, size=[5, 2, 2, 1])
    given = images.given(C)
    assert given.batch_shape == [5]
    assert_close(given.log_prob(x, seed=0), log_prob_of(images, x))
    assert given.sample(2).shape == [2, 5, 2, 2, 1]


def log_prob_of(images, x):
    return images.log_prob(x, seed=0, bijector_kwargs={"conditioning": C})


@pytest.mark.parametrize("make", [make_vector_flow, make_glow])
def test_conditioning_of_other_shapes_is_refused(make):
    flow = make()
    for wrong in (tf.zeros([5, 2]), 3.0):
        with pytest.raises(ValueError, match=r"Expected the shape \[..., 3\]"):
            flow.given(wrong)
    x = tf.zeros([4, *flow.event_shape], tf.float64)
    with pytest.raises(ValueError, match=r"events, \(4,\). Received: \(5,\)"):
        log_prob(flow, x, C)


def test_a_flow_without_conditioning_is_given_none():
    with pytest.raises(ValueError, match="made with `conditioning_size`"):
        make_vector_flow(conditioning_size=None).given(C)
