# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""ChannelMap: one affine map of the channels of every pixel."""

import tensorflow as tf
import tensorflow_probability as tfp

tfb = tfp.bijectors


class ChannelMap(tfb.Bijector):
    """Multiplies the channels by a matrix and adds a shift.

    ```none
    y[..., :] = x[..., :] kernel + shift
    x[..., :] = y[..., :] inverse_kernel + inverse_shift
    ```

    The inverse and the log-det are given with the matrix, since a loop over
    many maps computes those of all of them beforehand.

    | | shape |
    |---|---|
    | `kernel`, `inverse_kernel` | `[C, C]` |
    | `shift`, `inverse_shift` | `[C]` |
    | `log_det` | `[]`, of a whole event |
    | `x`, `y` | `[..., H, W, C]`, or `[..., C]` if `event_ndims=1` |
    """

    def __init__(
        self,
        kernel,
        shift,
        inverse_kernel,
        inverse_shift,
        log_det,
        event_ndims=3,
        name="channel_map",
    ):
        parameters = dict(locals())
        self._kernel = kernel
        self._shift = shift
        self._inverse_kernel = inverse_kernel
        self._inverse_shift = inverse_shift
        self._log_det = log_det
        super().__init__(
            forward_min_event_ndims=event_ndims,
            is_constant_jacobian=True,
            dtype=kernel.dtype,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype):
        return dict()

    def _forward(self, x):
        return _affine(x, self._kernel, self._shift)

    def _inverse(self, y):
        return _affine(y, self._inverse_kernel, self._inverse_shift)

    def _forward_log_det_jacobian(self, x):
        return self._log_det


def _affine(x, kernel, shift):
    rows = tf.reshape(x, [-1, x.shape[-1]])
    y = tf.nn.bias_add(rows @ kernel, shift)
    return tf.ensure_shape(tf.reshape(y, tf.shape(x)), x.shape)
