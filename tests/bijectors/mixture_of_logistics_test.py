# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.MixtureOfLogistics`."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers

tfd = tfp.distributions


def parameters(shape, dtype=tf.float64, scale=1.0):
    return dict(
        logits=helpers.normal(shape, 11, dtype),
        loc=2.0 * helpers.normal(shape, 12, dtype),
        log_scale=scale * tf.math.tanh(helpers.normal(shape, 13, dtype)),
    )


def test_forward_is_the_logit_of_the_cdf_of_a_mixture():
    p = parameters([20, 4])
    x = 2.0 * helpers.normal([20])
    mixture = tfd.MixtureSameFamily(
        tfd.Categorical(logits=p["logits"]),
        tfd.Logistic(p["loc"], tf.exp(p["log_scale"])),
    )
    cdf = mixture.cdf(x)
    bend = tfg.MixtureOfLogistics(**p)
    np.testing.assert_allclose(
        bend.forward(x), np.log(cdf / (1.0 - cdf)), rtol=1e-8
    )
    np.testing.assert_allclose(
        bend.forward_log_det_jacobian(x),
        mixture.log_prob(x) - np.log(cdf * (1.0 - cdf)),
        atol=1e-8,
    )


def test_equal_components_give_a_straight_line():
    bend = tfg.MixtureOfLogistics(
        helpers.normal([3]), loc=3 * [0.5], log_scale=3 * [np.log(2.0)]
    )
    x = 4.0 * helpers.normal([50])
    y = bend.forward(x)
    np.testing.assert_allclose(y, (x - 0.5) / 2.0, atol=1e-12)
    np.testing.assert_allclose(bend.inverse(y + 0.0), x, atol=1e-12)
    np.testing.assert_allclose(
        bend.forward_log_det_jacobian(x), -np.log(2.0), atol=1e-12
    )


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_log_dets_are_those_of_automatic_differentiation(direction):
    bend = tfg.MixtureOfLogistics(**parameters([30, 5]))
    x = tf.concat([helpers.normal([20]), 20.0 * helpers.normal([10])], 0)
    function = getattr(bend, direction)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    log_det = getattr(bend, f"{direction}_log_det_jacobian")(x)
    np.testing.assert_allclose(
        log_det, tf.math.log(tape.gradient(y, x)), atol=1e-10
    )


def test_tails_are_finite_and_straight_in_float32():
    p = parameters([4], tf.float32)
    bend = tfg.MixtureOfLogistics(**p)
    widest = np.exp(np.max(p["log_scale"]))
    x = tf.constant([-1e30, -1e4, -1e3, 1e3, 1e4, 1e30])
    y = bend.forward(x)
    np.testing.assert_allclose(y, x / widest, rtol=0.02)
    np.testing.assert_allclose(
        bend.forward_log_det_jacobian(x), -np.log(widest), rtol=1e-5
    )
    np.testing.assert_allclose(bend.inverse(y + 0.0), x, rtol=1e-5)
    with tf.GradientTape() as tape:
        tape.watch([x, *p.values()])
        values = [
            function(x)
            for bend in [tfg.MixtureOfLogistics(**p)]
            for function in (
                bend.forward,
                bend.inverse,
                bend.forward_log_det_jacobian,
                bend.inverse_log_det_jacobian,
            )
        ]
    for gradient in tape.gradient(values, [x, *p.values()]):
        assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize(
    "dtype, tolerance", [(tf.float64, 1e-12), (tf.float32, 1e-4)]
)
def test_inverse_finds_the_root_to_the_last_digits(dtype, tolerance):
    bend = tfg.MixtureOfLogistics(**parameters([5000, 4], dtype))
    x = 3.0 * helpers.normal([5000], 2, dtype)
    y = bend.forward(x)
    back = bend.inverse(y + 0.0)
    np.testing.assert_allclose(back, x, atol=tolerance)
    np.testing.assert_allclose(
        bend.forward(back + 0.0),
        y,
        atol=8 * np.finfo(x.numpy().dtype).eps,
        rtol=8 * np.finfo(x.numpy().dtype).eps,
    )


def test_gradients_of_the_inverse_are_those_of_implicit_differentiation():
    """For x(y, p) with f(x, p) = y: dx = (dy - df/dp dp) / (df/dx)."""
    p = parameters([10, 3])
    y = 2.0 * helpers.normal([10], 4)
    weights = helpers.normal([10], 5)
    with tf.GradientTape() as tape:
        tape.watch([y, *p.values()])
        x = tfg.MixtureOfLogistics(**p).inverse(y)
        loss = tf.reduce_sum(weights * x)
    actual = tape.gradient(loss, [y, *p.values()])

    root = tf.constant(x.numpy())
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([root, *p.values()])
        value = tfg.MixtureOfLogistics(**p).forward(root)
    slope = tape.gradient(value, root)
    expected = tape.gradient(
        value, list(p.values()), output_gradients=-weights / slope
    )
    for one, other in zip(actual, [weights / slope, *expected]):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-12)


def test_gradients_of_the_inverse_log_det_agree_with_finite_differences():
    values = [*parameters([10, 3]).values(), 2.0 * helpers.normal([10], 4)]
    moves = [helpers.normal(v.shape, i) for i, v in enumerate(values)]

    def loss(*values):
        *p, y = values
        bend = tfg.MixtureOfLogistics(*p)
        return tf.reduce_sum(bend.inverse_log_det_jacobian(y) ** 2)

    with tf.GradientTape() as tape:
        tape.watch(values)
        value = loss(*values)
    slope = sum(
        tf.reduce_sum(gradient * move)
        for gradient, move in zip(tape.gradient(value, values), moves)
    )
    ahead, behind = (
        loss(*(v + step * move for v, move in zip(values, moves)))
        for step in (1e-6, -1e-6)
    )
    np.testing.assert_allclose(slope, (ahead - behind) / 2e-6, rtol=1e-5)


@pytest.mark.parametrize("method", ["inverse", "inverse_log_det_jacobian"])
def test_second_derivatives_of_the_inverse_agree_with_finite_differences(
    method,
):
    values = [*parameters([3, 2]).values(), 2.0 * helpers.normal([3], 4)]
    moves = [helpers.normal(v.shape, i) for i, v in enumerate(values)]

    def slope(values):
        with tf.GradientTape() as tape:
            tape.watch(values)
            *p, y = values
            result = getattr(tfg.MixtureOfLogistics(*p), method)(y)
        gradients = tape.gradient(result, values)
        return sum(
            tf.reduce_sum(gradient * move)
            for gradient, move in zip(gradients, moves)
        )

    with tf.GradientTape() as tape:
        tape.watch(values)
        value = slope(values)
    second = sum(
        tf.reduce_sum(gradient * move)
        for gradient, move in zip(tape.gradient(value, values), moves)
    )
    ahead, behind = (
        slope([v + step * move for v, move in zip(values, moves)])
        for step in (1e-5, -1e-5)
    )
    np.testing.assert_allclose(second, (ahead - behind) / 2e-5, rtol=1e-5)


def test_inverse_inside_a_loop_and_xla_is_the_same():
    p = parameters([4])
    y = helpers.normal([6])

    @tf.function(jit_compile=True)
    def twice(y):
        return tf.while_loop(
            lambda i, y: i < 2,
            lambda i, y: (i + 1, tfg.MixtureOfLogistics(**p).inverse(y)),
            (0, y),
        )[1]

    bend = tfg.MixtureOfLogistics(**p)
    np.testing.assert_allclose(
        twice(y), bend.inverse(bend.inverse(y) + 0.0), atol=1e-12
    )


def test_not_a_number_stays_one():
    bend = tfg.MixtureOfLogistics(**parameters([4]))
    for direction in (bend.forward, bend.inverse):
        y = direction(tf.constant([np.nan, 1.0], tf.float64))
        np.testing.assert_array_equal(np.isnan(y), [True, False])


def test_different_numbers_of_components_raise():
    with pytest.raises(ValueError, match=r"logits \(2,\), loc \(3,\)"):
        tfg.MixtureOfLogistics([0.0, 0.0], [0.0, 1.0, 2.0], [0.0, 0.0])


@pytest.mark.parametrize("name", ["logits", "loc", "log_scale"])
def test_validate_args_rejects_parameters_that_are_not_finite(name):
    p = {key: tf.Variable(value) for key, value in parameters([3]).items()}
    bend = tfg.MixtureOfLogistics(**p, validate_args=True)
    bend.forward(tf.ones([2], tf.float64))
    p[name].assign([0.0, np.nan, 0.0])
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=f"`{name}` is not finite"
    ):
        bend.forward(tf.ones([2], tf.float64))
