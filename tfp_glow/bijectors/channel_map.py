# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""ChannelMap: one affine map of the channels of every pixel."""

import tensorflow as tf
import tensorflow_probability as tfp

tfb = tfp.bijectors


class ChannelMap(tfb.Bijector):
    """Multiplies the channels by a matrix and adds a shift.

    ```none
    y[h, w, :] = x[h, w, :] kernel + shift
    ```

    The inverse and the log-det are given with the matrix, since a loop over
    many maps computes those of all of them beforehand.

    | | shape |
    |---|---|
    | `kernel`, `inverse_kernel` | `[C, C]` |
    | `shift` | `[C]` |
    | `log_det` | `[]`, of a whole event |
    | `x`, `y` | `[..., H, W, C]` |
    """

    def __init__(
        self, kernel, shift, inverse_kernel, log_det, name="channel_map"
    ):
        parameters = dict(locals())
        self._kernel = kernel
        self._shift = shift
        self._inverse_kernel = inverse_kernel
        self._log_det = log_det
        super().__init__(
            forward_min_event_ndims=3,
            is_constant_jacobian=True,
            dtype=kernel.dtype,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype):
        return dict()

    def _forward(self, x):
        y = tf.nn.bias_add(_rows(x) @ self._kernel, self._shift)
        return tf.ensure_shape(tf.reshape(y, tf.shape(x)), x.shape)

    def _inverse(self, y):
        x = (_rows(y) - self._shift) @ self._inverse_kernel
        return tf.ensure_shape(tf.reshape(x, tf.shape(y)), y.shape)

    def _forward_log_det_jacobian(self, x):
        return self._log_det


def _rows(x):
    return tf.reshape(x, [-1, x.shape[-1]])
