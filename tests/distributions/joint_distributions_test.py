# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Distributions inside TFP's joint distributions and vectorized maps."""

import functools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers

tfb = tfp.bijectors
tfd = tfp.distributions

SIZES = dict(num_filters=3, seed=0, dtype=tf.float64)
IMAGES = dict(SIZES, num_levels=1, num_steps=1)
NORMAL = tfd.Normal(tf.zeros([], tf.float64), 1.0)
SEED = [1, 2]

slow = pytest.mark.slow


@functools.cache
def make(name):
    """Returns a distribution whose variables are not as they were made."""
    if name == "dequantized":
        flow = make("glow")
        return tfg.Dequantized(flow, bins=4)
    if name == "glow":
        flow = tfg.glow_distribution([2, 2, 1], coupling="spline", **IMAGES)
    else:
        flow = tfg.vector_flow(2, num_steps=2, coupling=name, **SIZES)
    return helpers.perturb(flow)


def shifted(flow, by):
    return tfd.TransformedDistribution(flow, tfb.Shift(by))


def make_joint(kind, flow):
    """Returns a joint distribution of a number and an event shifted by it."""
    if kind == "sequential":
        return tfd.JointDistributionSequentialAutoBatched(
            [NORMAL, functools.partial(shifted, flow)]
        )
    if kind == "named":
        return tfd.JointDistributionNamedAutoBatched(
            {"by": NORMAL, "x": lambda by: shifted(flow, by)}
        )

    def model():
        by = yield NORMAL
        yield shifted(flow, by)

    return tfd.JointDistributionCoroutineAutoBatched(model)


@pytest.mark.parametrize(
    "kind, name",
    [
        pytest.param("sequential", "affine", marks=slow),
        pytest.param("named", "spline", marks=slow),
        pytest.param("coroutine", "mixture", marks=slow),
        pytest.param("coroutine", "glow", marks=slow),
        pytest.param("named", "glow", marks=slow),
    ],
)
def test_joint_distributions_give_the_numbers_of_a_python_loop(kind, name):
    flow = make(name)
    joint = make_joint(kind, flow)
    # With a pair of integers TFP warns that it is slower.
    sample = joint.sample(3, seed=1)
    by, x = tf.nest.flatten(sample)
    assert x.shape == [3, *flow.event_shape]
    assert np.all(np.std(x, axis=0) > 1e-3)

    with tf.GradientTape() as tape:
        log_prob = joint.log_prob(sample)
        total = tf.reduce_sum(log_prob)
    gradients = tape.gradient(total, flow.trainable_variables)
    with tf.GradientTape() as tape:
        expected = [
            NORMAL.log_prob(by[i]) + flow.log_prob(x[i] - by[i])
            for i in range(3)
        ]
        total = tf.add_n(expected)
    np.testing.assert_allclose(log_prob, expected, atol=1e-10)
    for gradient, one_by_one in zip(
        gradients, tape.gradient(total, flow.trainable_variables)
    ):
        np.testing.assert_allclose(gradient, one_by_one, atol=1e-8)


@pytest.mark.parametrize("name", ["glow", "dequantized"])
def test_a_traced_log_prob_takes_any_rank(name):
    distribution = make(name)
    kwargs = {"seed": SEED} if name == "dequantized" else {}
    log_prob = tf.function(
        functools.partial(distribution.log_prob, **kwargs),
        input_signature=[tf.TensorSpec(None, distribution.dtype)],
    )
    x = distribution.sample(6, seed=SEED)
    expected = distribution.log_prob(tf.identity(x), **kwargs)
    np.testing.assert_allclose(log_prob(x), expected, atol=1e-10)
    x = tf.reshape(x, [2, 3, *distribution.event_shape])
    expected = tf.reshape(expected, [2, 3])
    np.testing.assert_allclose(log_prob(x), expected, atol=1e-10)


@pytest.mark.parametrize(
    "name",
    ["dequantized", *(pytest.param(n, marks=slow) for n in ("affine", "glow"))],
)
def test_vectorized_map_samples_and_evaluates_as_a_python_loop(name):
    distribution = make(name)
    kwargs = {"seed": SEED} if name == "dequantized" else {}
    seeds = tf.constant([[0, 1], [2, 3]])

    def function(seed):
        x = distribution.sample(seed=seed)
        return x, distribution.log_prob(tf.identity(x), **kwargs)

    mapped = tf.vectorized_map(function, seeds)
    for actual, expected in zip(mapped, zip(*map(function, seeds))):
        np.testing.assert_allclose(actual, tf.stack(expected), atol=1e-10)
