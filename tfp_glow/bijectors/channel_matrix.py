# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""ChannelMatrix: one matrix for the channels of every pixel."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import prefer_static as ps

from tfp_glow import _checks

tfb = tfp.bijectors


class ChannelMatrix(tfb.Bijector):
    """What 1x1 convolutions share, however they keep their matrix.

    ```none
    y[..., :] = W x[..., :]
    ```

    A subclass implements `matrix` and `_forward_log_det_jacobian`, the
    log-det of a single pixel, and calls the constructor within its own. If it
    can be any matrix, its method `parameters_of` returns the constructor's
    arguments for one, `[..., C, C]`, as a dictionary of tensors.
    """

    def __init__(self, num_channels, dtype, validate_args, parameters, name):
        self._num_channels = num_channels
        super().__init__(
            forward_min_event_ndims=1,
            is_constant_jacobian=True,
            dtype=dtype,
            validate_args=validate_args,
            parameters=parameters,
            name=name,
        )

    def matrix(self):
        """The matrix `W`, shape `[..., C, C]`."""
        raise NotImplementedError

    def inverse_matrix(self):
        """The inverse of the very matrix that `matrix` rounds to its dtype."""
        return inverse_or_nan(self.matrix())

    def _forward(self, x):
        _checks.channels(self, x, self._num_channels)
        return _multiply(self.matrix(), x)

    def _inverse(self, y):
        _checks.channels(self, y, self._num_channels)
        return _multiply(self.inverse_matrix(), y)


def product(a, b):
    """The matrix product of small matrices, of the parts of a matrix say.

    Computed in float64, since GPUs by default round the factors of a float32
    product to 10 bits, and the log-det would be that of another matrix.

    Args:
        a: floating `Tensor` of shape `[..., M, N]`.
        b: `Tensor` of shape `[..., N, P]` and the same dtype.

    Returns:
        `Tensor` of shape `[..., M, P]` and the same dtype.
    """
    return tf.cast(tf.cast(a, tf.float64) @ tf.cast(b, tf.float64), a.dtype)


def inverse_or_nan(matrix):
    """The inverse; NaN for what is not finite, where `inv` would raise.

    Computed in float64, a small cost that halves the error of a deep flow.

    Args:
        matrix: floating `Tensor` of shape `[..., C, C]`.

    Returns:
        `Tensor` of the same shape and dtype.
    """
    return _of_finite(tf.linalg.inv, matrix)


def log_det_or_nan(matrix):
    """log|det|; NaN for what is not finite, whose gradient would raise.

    Args:
        matrix: floating `Tensor` of shape `[..., C, C]`.

    Returns:
        `Tensor` of shape `[...]` and the same dtype, computed in float64.
    """

    def log_det(matrix):
        # XLA compiles no `slogdet`.
        _, upper = tf.linalg.qr(matrix)
        diagonal = tf.abs(tf.linalg.diag_part(upper))
        value = tf.reduce_sum(tf.math.log(diagonal), axis=-1)
        return value[..., tf.newaxis, tf.newaxis]

    return _of_finite(log_det, matrix)[..., 0, 0]


def random_rotation(num_channels, seed, batch_shape=()):
    """Orthogonal NumPy matrices, `[*batch_shape, C, C]`."""
    normal = np.random.default_rng(seed).standard_normal(
        [*batch_shape, num_channels, num_channels]
    )
    return np.linalg.qr(normal)[0]


def _of_finite(function, matrix):
    dtype = matrix.dtype
    matrix = tf.cast(matrix, tf.float64)
    finite = tf.math.is_finite(tf.reduce_sum(matrix, [-2, -1], keepdims=True))
    identity = tf.eye(matrix.shape[-1], dtype=matrix.dtype)
    value = function(tf.where(finite, matrix, identity))
    value = tf.where(finite, value, tf.constant(np.nan, tf.float64))
    return tf.cast(value, dtype)


def _multiply(matrix, x):
    """`matrix @ x` over the last dimension, as one product if it can be."""
    if matrix.shape.rank > 2:
        return tf.linalg.matvec(matrix, x)
    rows = tf.reshape(x, [-1, matrix.shape[-1]])
    y = tf.matmul(rows, matrix, transpose_b=True)
    return tf.ensure_shape(tf.reshape(y, ps.shape(x)), x.shape)
