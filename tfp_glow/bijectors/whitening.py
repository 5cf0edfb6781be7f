# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Matrices that make the channels of data uncorrelated."""

import tensorflow as tf

from tfp_glow import _tf


def whitening_matrix(x):
    """Returns a matrix `Z` for which the channels of `Z x` are uncorrelated.

    ```none
    Z cov(x) Z^T = I,   Z = Z^T, the matrix that changes the data least
    ```

    The covariance is shrunk toward the identity, so that directions with few
    samples are not stretched, and those in which `x` hardly varies keep their
    scale; see `_tf.shrunk`. The second result is the projection on the latter.
    `x` is `[..., C]`, about normalized, and the results are float64 `[C, C]`.
    """
    rows = tf.reshape(tf.cast(x, tf.float64), [-1, x.shape[-1]])
    rows -= tf.reduce_mean(rows, axis=0)
    num_rows = tf.shape(rows)[0]
    covariance = tf.matmul(rows, rows, transpose_a=True)
    covariance /= tf.cast(num_rows, rows.dtype)
    variances, axes = tf.linalg.eigh(covariance)
    scales = 1.0 / tf.sqrt(_tf.shrunk(variances, num_rows, x.shape[-1]))
    kept = tf.cast(_tf.hardly_varies(variances), rows.dtype)
    return tuple(
        tf.matmul(axes * values, axes, transpose_b=True)
        for values in (scales, kept)
    )


def smooth_first(x):
    """Returns a whitening matrix that sorts the channels by smoothness.

    The first channel of `Z x` differs least between neighboring pixels. Each
    next one differs least among the remaining directions. These are the slow
    features of Wiskott and Sejnowski, Slow feature analysis, 2002, with places
    instead of times. Directions in which `x` hardly varies come last. `x` is
    `[..., H, W, C]`, the result float64 `[C, C]`.
    """
    whitening, kept = whitening_matrix(x)
    y = tf.linalg.matmul(tf.cast(x, tf.float64), whitening, transpose_b=True)
    down = y[..., 1:, :, :] - y[..., :-1, :, :]
    right = y[..., 1:, :] - y[..., :-1, :]
    rows = [tf.reshape(d, [-1, x.shape[-1]]) for d in (down, right)]
    rows = tf.concat(rows, axis=0)
    differences = tf.matmul(rows, rows, transpose_a=True)
    differences += (1.0 + tf.linalg.trace(differences)) * kept
    # Eigenvalues are in ascending order.
    _, vectors = tf.linalg.eigh(differences)
    return tf.matmul(vectors, whitening, transpose_a=True)
