# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.bijectors.parts`."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_glow as tfg
from tests import helpers


def glow(gradient="store", **kwargs):
    flow = tfg.Glow(
        [4, 4, 1],
        num_levels=1,
        num_steps=2,
        num_filters=4,
        gradient=gradient,
        seed=0,
        dtype=tf.float64,
        **kwargs,
    )
    helpers.perturb(flow, 0.1)
    return flow


def traced(flow, size, **kwargs):
    """A function of `size` images: latents, log-dets and gradients."""

    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            z = flow.inverse(x, **kwargs)
            log_det = flow.inverse_log_det_jacobian(x, 3, **kwargs)
            total = tf.reduce_sum(z**3) + tf.reduce_sum(log_det**2)
        return z, log_det, tape.gradient(total, [x, *flow.trainable_variables])

    spec = tf.TensorSpec([size, 4, 4, 1], tf.float64)
    return tf.function(run, autograph=False).get_concrete_function(spec)


def num_loops(function):
    kinds = [op.type for op in function.graph.get_operations()]
    return kinds.count("While") + kinds.count("StatelessWhile")


@pytest.fixture
def three_threads(monkeypatch):
    """Operations have one thread each, and three run at once."""
    threading = tf.config.threading
    for name, value in (("intra", 1), ("inter", 3)):
        name = f"get_{name}_op_parallelism_threads"
        monkeypatch.setattr(threading, name, lambda value=value: value)


@pytest.mark.parametrize(
    "gradient",
    [
        "store",
        *(
            pytest.param(g, marks=pytest.mark.slow)
            for g in ("recompute", "invert")
        ),
    ],
)
def test_parts_of_a_batch_give_its_numbers(gradient, request):
    flow = glow(gradient)
    x = helpers.normal([7, 4, 4, 1], 1)
    expected = traced(flow, None)
    request.getfixturevalue("three_threads")
    for size, counts in ((None, (1, 2, 7)), (7, (7,))):
        function = traced(flow, size)
        assert num_loops(function) == 3 * num_loops(expected)
        for count in counts:
            found = tf.nest.flatten(function(x[:count]))
            wanted = tf.nest.flatten(expected(x[:count]))
            for one, other in zip(found, wanted, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("gradient", ["store", "invert"])
def test_checks_do_not_order_the_parts(gradient, three_threads):
    # TensorFlow runs loops one after another if they can raise an error.
    function = traced(glow(gradient, validate_args=True), 3)
    kinds = [op.type for op in function.graph.get_operations()]
    assert kinds.count("StatelessWhile") and not kinds.count("While")


def test_batches_that_are_too_small_or_conditioned_stay_whole(three_threads):
    assert num_loops(traced(glow(), 3)) == 3 * num_loops(traced(glow(), 2))
    flow = glow(conditioning_size=2, conditioned="all")
    labels = tf.ones([3, 2], tf.float64)
    conditioned = traced(flow, 3, conditioning=labels)
    assert num_loops(conditioned) == num_loops(traced(glow(), 2))


def test_operations_of_many_threads_get_whole_batches():
    # TensorFlow's own choice of threads.
    assert tf.config.threading.get_intra_op_parallelism_threads() == 0
    assert num_loops(traced(glow(), 3)) == num_loops(traced(glow(), 2))
