# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.bijectors.steps`."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_glow as tfg
from tests import helpers
from tests.bijectors import loops
from tfp_glow.bijectors import steps


def make_steps(event_shape=(2, 2, 4), **kwargs):
    return steps.make_steps(
        event_shape,
        num_steps=2,
        num_filters=4,
        seed=0,
        dtype=tf.float64,
        **kwargs,
    )


def folded(event_ndims):
    norm = tfg.ActNorm(helpers.normal([4], 1), helpers.normal([4], 2))
    conv = tfg.Invertible1x1Conv.trainable(4, seed=0, dtype=tf.float64)
    helpers.perturb(conv)
    kernel = tf.transpose(conv.matrix() * tf.exp(norm.log_scale))
    num_pixels = 6 if event_ndims == 3 else 1
    log_det = tf.reduce_sum(norm.log_scale + conv.log_diagonal) * num_pixels
    bijector = steps.FoldedNormConv(
        log_det,
        kernel,
        tf.linalg.matvec(kernel, norm.shift, transpose_a=True),
        tf.linalg.inv(kernel),
        -norm.shift,
        event_ndims=event_ndims,
    )
    return bijector, lambda x: conv.forward(norm.forward(x))


@pytest.mark.parametrize("event_shape", [[4], [2, 3, 4]])
def test_a_folded_norm_and_convolution_are_one_after_the_other(event_shape):
    bijector, expected = folded(len(event_shape))
    x = helpers.normal([5, *event_shape])
    y = bijector.forward(x)
    np.testing.assert_allclose(y, expected(x), atol=1e-12)
    np.testing.assert_allclose(bijector.inverse(tf.identity(y)), x, atol=1e-12)
    log_det = bijector.forward_log_det_jacobian(x, len(event_shape))
    np.testing.assert_allclose(
        tf.broadcast_to(log_det, [5]),
        helpers.log_det_by_autodiff(bijector.forward, x),
        atol=1e-10,
    )


@pytest.mark.parametrize("gradient", ["store", "recompute", "invert"])
def test_a_checkerboard_step_changes_both_colors(gradient):
    repeated = helpers.perturb(
        make_steps(mask="checkerboard", conditioning_size=3, gradient=gradient)
    )
    x, c = helpers.normal([3, 2, 2, 4]), helpers.normal([3, 3], 1)
    y = repeated.forward(x, conditioning=c)
    step = repeated.step(0, conditioning=c)
    moved = step.forward(x) - repeated.step(0, conditioning=c + 1.0).forward(x)
    assert np.all(np.any(moved != 0.0, axis=-1))
    back = repeated.copy().inverse(tf.identity(y), conditioning=c)
    np.testing.assert_allclose(back, x, atol=1e-10)

    def gradients(evaluate):
        sources = [x, c, *repeated.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch([x, c])
            y, log_det = evaluate()
            loss = tf.reduce_sum(tf.sin(y)) + tf.reduce_sum(tf.cos(log_det))
        return tape.gradient(loss, sources)

    def unrolled():
        y, total = x, 0.0
        for k in range(2):
            step = repeated.step(k, conditioning=c)
            total += step.forward_log_det_jacobian(y, 3)
            y = step.forward(y)
        return y, total

    found = gradients(lambda: repeated.forward_and_log_det(x, conditioning=c))
    for a, b in zip(found, gradients(unrolled)):
        np.testing.assert_allclose(a, b, atol=1e-10)


@pytest.mark.parametrize("permutation", steps.PERMUTATIONS)
@pytest.mark.parametrize("coupling", ["additive", tfg.Spline(num_bins=2)])
def test_every_permutation_is_the_unrolled_chain(permutation, coupling):
    repeated = helpers.perturb(
        make_steps([3], coupling=coupling, permutation=permutation)
    )
    x = helpers.normal([5, 3])
    y, log_det = repeated.forward_and_log_det(x)
    chain = loops.unrolled(repeated)
    np.testing.assert_allclose(y, chain.forward(x), atol=1e-12)
    np.testing.assert_allclose(
        log_det, chain.forward_log_det_jacobian(x, 1), atol=1e-12
    )
    names = set(repeated.parameters["parameters"]["invertible_1x1_conv"])
    assert names == {
        "learned": {"permutation", "lower", "upper", "sign", "log_diagonal"},
        "full": {"kernel"},
    }.get(permutation, {"permutation"})


def test_initialize_sets_both_networks_of_a_checkerboard():
    repeated = make_steps(mask="checkerboard")
    before = [v.numpy() for v in repeated.trainable_variables]
    repeated.initialize(3.0 + helpers.normal([20, 2, 2, 4]))
    moved = {
        tuple(v.name.split("/")[:-1])
        for v, old in zip(repeated.trainable_variables, before)
        if np.any(v != old)
    }
    for name in ("network", "network_first"):
        assert (name, "hidden_0") in moved
        assert (name, "hidden_1") in moved
        assert (name, "last") not in moved


@pytest.mark.parametrize("permutation", ["reverse", "shuffle"])
def test_fixed_permutations_are_not_whitened(permutation):
    x = 3.0 + helpers.normal([20, 2, 2, 4])
    one, other = (
        make_steps(initialization=name, permutation=permutation)
        for name in steps.INITIALIZATIONS
    )
    np.testing.assert_array_equal(one.initialize(x), other.initialize(x))


@pytest.mark.parametrize(
    "kwargs, nearest",
    [
        (dict(permutation="learnt"), "learned"),
        (dict(permutation="shuffled"), "shuffle"),
        (dict(coupling="splines"), "spline"),
        (dict(mask="checker"), "checkerboard"),
        (dict(initialization="whitening"), "whiten"),
        (dict(gradient="recompue"), "recompute"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(kwargs, nearest):
    with pytest.raises(ValueError, match=f"Did you mean '({nearest})'"):
        make_steps(**kwargs)


def test_vectors_have_no_checkerboard():
    with pytest.raises(ValueError, match="Expected 1 for vectors or 3 for"):
        steps.make_steps([4], 1, 4, mask="checkerboard")
