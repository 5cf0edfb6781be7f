# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.bijectors.linear_algebra`."""

import numpy as np
import pytest
import tensorflow as tf

from tests import helpers
from tfp_glow.bijectors import linear_algebra


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_product_is_computed_in_float64(dtype):
    # In float32 GPUs by default round the factors to 10 bits.
    a, b = (helpers.normal([2, 3, 3], seed, dtype) for seed in (0, 1))
    found = linear_algebra.product(a, b)
    assert found.dtype == dtype
    np.testing.assert_allclose(
        found, np.float64(a) @ np.float64(b), rtol=1e-6, atol=1e-6
    )
    function = tf.function(linear_algebra.product)
    graph = function.get_concrete_function(a, b).graph
    products = [op for op in graph.get_operations() if "MatMul" in op.type]
    assert {op.outputs[0].dtype for op in products} == {tf.float64}


@pytest.mark.parametrize(
    "function, expected",
    [
        (linear_algebra.inverse_or_nan, np.linalg.inv),
        (linear_algebra.log_det_or_nan, lambda m: np.linalg.slogdet(m)[1]),
    ],
)
@pytest.mark.parametrize(
    "dtype, tolerance", [(tf.float64, 1e-12), (tf.float32, 1e-5)]
)
def test_only_matrices_that_are_not_finite_give_nan(
    function, expected, dtype, tolerance
):
    matrices = helpers.normal([4, 3, 3], dtype=dtype).numpy()
    matrices[1, 2, 0] = np.nan
    matrices[3, 0, 0] = np.inf
    x = tf.constant(matrices)
    with tf.GradientTape() as tape:
        tape.watch(x)
        found = function(x)
        loss = tf.reduce_sum(found[::2])
    assert found.dtype == dtype
    assert np.all(np.isnan(found[1::2]))
    np.testing.assert_allclose(
        found[::2], expected(np.float64(matrices[::2])), tolerance, tolerance
    )
    # The gradient does not raise either.
    gradient = tape.gradient(loss, x)
    assert np.all(np.isfinite(gradient[::2]))


@pytest.mark.parametrize(
    "dtype, tolerance", [(tf.float64, 1e-12), (tf.float32, 1e-6)]
)
def test_refined_inverse_agrees_with_the_inverse(dtype, tolerance):
    exact = helpers.normal([2, 4, 4])
    matrices = tf.cast(exact, dtype)
    rounding = exact - tf.cast(matrices, tf.float64)
    found = {}
    for name, function in {
        "inv": linear_algebra.inverse_or_nan,
        "refined": lambda x: linear_algebra.refined_inverse(
            x, tf.linalg.inv(tf.cast(x, tf.float64) + rounding)
        ),
    }.items():
        with tf.GradientTape() as outer:
            outer.watch(matrices)
            with tf.GradientTape() as tape:
                tape.watch(matrices)
                y = function(matrices)
                loss = tf.reduce_sum(tf.sin(y))
            first = tape.gradient(loss, matrices)
            loss = tf.reduce_sum(first**2)
        found[name] = y, first, outer.gradient(loss, matrices)
    for expected, received in zip(found["inv"], found["refined"]):
        assert received.dtype == dtype
        atol = tolerance * np.max(np.abs(expected))
        np.testing.assert_allclose(received, expected, rtol=0, atol=atol)
    if dtype == tf.float32:
        # The matrix that float32 rounds has another inverse.
        assert np.any(tf.cast(tf.linalg.inv(exact), dtype) != found["inv"][0])
        np.testing.assert_array_equal(found["inv"][0], found["refined"][0])


def test_refined_inverse_of_a_matrix_that_is_not_finite_is_nan():
    matrix = np.eye(3, dtype=np.float32)
    matrix[2, 0] = np.nan
    found = linear_algebra.refined_inverse(
        tf.constant(matrix), tf.eye(3, dtype=tf.float64)
    )
    assert np.all(np.isnan(found))


def test_xla_compiles_the_log_det():
    matrices = helpers.normal([2, 4, 4])
    compiled = tf.function(linear_algebra.log_det_or_nan, jit_compile=True)
    np.testing.assert_allclose(
        compiled(matrices), np.linalg.slogdet(matrices)[1], atol=1e-12
    )
