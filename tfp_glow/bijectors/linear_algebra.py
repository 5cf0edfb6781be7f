# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Linear algebra of small matrices, such as those of 1x1 convolutions."""

import functools

import numpy as np
import tensorflow as tf


def product(*matrices):
    """Returns the matrix product of small matrices, computed in float64.

    By default GPUs round the factors of a float32 product to 10 bits. The
    log-det would then belong to another matrix.
    """
    exact = [tf.cast(matrix, tf.float64) for matrix in matrices]
    return tf.cast(functools.reduce(tf.matmul, exact), matrices[0].dtype)


def inverse_or_nan(matrix):
    """Returns the inverse, or NaN for a matrix that is not finite.

    Float64 costs little here, and halves the error of a deep flow.
    """
    return _of_finite(tf.linalg.inv, matrix)


def refined_inverse(matrix, approximation):
    """Returns the inverse of a matrix, given that of the matrix before rounding.

    ```none
    X = Y + (Y - Y A Y)
    ```

    This Newton step squares the error `I - A Y` that rounding `A` to float32
    caused. In float64 it would only add rounding errors, so there `X = Y`. XLA
    would factorize `A` column by column, in thousands of kernels on a GPU.

    Args:
        matrix: floating `Tensor`, `A`, shape `[..., C, C]`.
        approximation: float64 `Tensor`, `Y`, which depends on the variables of
            `A` too. Gradients of all orders flow through both.
    """
    if matrix.dtype == tf.float64:
        return approximation
    product = tf.matmul(tf.cast(matrix, tf.float64), approximation)
    change = approximation - tf.matmul(approximation, product)
    return tf.cast(approximation + change, matrix.dtype)


def log_det_or_nan(matrix):
    """Returns log|det|, or NaN for a matrix that is not finite."""

    def log_det(matrix):
        # XLA cannot compile `slogdet`.
        _, upper = tf.linalg.qr(matrix)
        log_diagonal = tf.math.log(tf.abs(tf.linalg.diag_part(upper)))
        return tf.reduce_sum(log_diagonal, axis=-1)[..., tf.newaxis, tf.newaxis]

    return _of_finite(log_det, matrix)[..., 0, 0]


def _of_finite(function, matrix):
    """Applies a function in float64; matrices that are not finite give NaN."""
    dtype = matrix.dtype
    matrix = tf.cast(matrix, tf.float64)
    finite = tf.math.is_finite(tf.reduce_sum(matrix, [-2, -1], keepdims=True))
    identity = tf.eye(matrix.shape[-1], dtype=matrix.dtype)
    value = function(tf.where(finite, matrix, identity))
    value = tf.where(finite, value, tf.constant(np.nan, tf.float64))
    return tf.cast(value, dtype)
