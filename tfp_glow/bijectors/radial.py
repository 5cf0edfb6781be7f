# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""RadialGaussianization: evens out the contrast of latents."""

import math

import tensorflow as tf
from tensorflow_probability.python.internal import prefer_static as ps

from tfp_glow.bijectors import joint


class RadialGaussianization(joint.JointBijector):
    """Evens out how large the values are in neighborhoods of pixels.

    Where an image has more contrast, all its latents are larger. Their length is
    then unlike that of normal vectors, which hardly varies. For neighborhoods
    of 2x2 pixels, and then for all pixels together, this bijector multiplies
    the values in a neighborhood by one positive number:

    ```none
    y = exp(u - v) * x
    v = log(root mean square of x in the neighborhood)
    u = v - (1 - 1 / slope) * v / (1 + |v|),  slope = exp(2 tanh(log_slope))
    ```

    There is one `log_slope` per size of the neighborhoods, and zeros give the
    identity. With a large slope, vectors of many lengths have images of nearly
    one length, that of normal vectors. The inverse makes a root mean square above
    1 at most `e` times larger for each size, so samples stay finite.

    References:
        Lyu and Simoncelli, Nonlinear extraction of independent components of
        natural images using radial Gaussianization, 2009.
    """

    def __init__(self, log_slopes, name="radial"):
        """Makes the bijector.

        Args:
            log_slopes: floating `Tensor` or `tf.Variable`, one per neighborhood.
            name: `str`.
        """
        parameters = dict(locals())
        self.log_slopes = log_slopes
        super().__init__(
            forward_min_event_ndims=3,
            dtype=log_slopes.dtype,
            parameters=parameters,
            name=name,
        )

    def forward_and_log_det(self, x):
        return self._scaled(x, inverse=False)

    def inverse_and_log_det(self, y):
        return self._scaled(y, inverse=True)

    def _scaled(self, x, inverse):
        height, width, num_channels = x.shape[-3:]
        sizes = neighborhoods(height, width)
        rows, columns = sizes[0]
        blocks = [height // rows, rows, width // columns, columns, num_channels]
        values = tf.reshape(x, [-1, *blocks])
        # Factors change these mean squares, and need no more of `x`.
        squares = tf.reduce_mean(values * values, axis=[2, 4, 5], keepdims=True)
        log_scale, log_det = None, 0.0
        shares = tf.unstack(-tf.math.expm1(-2.0 * tf.tanh(self.log_slopes)))
        pairs = list(zip(sizes, shares, strict=True))
        curve = _expanded if inverse else _compressed
        for size, share in pairs[:: -1 if inverse else 1]:
            mean = squares
            if log_scale is not None:
                mean *= tf.exp(2.0 * log_scale)
            if size == (height, width):
                mean = tf.reduce_mean(mean, axis=[1, 3], keepdims=True)
            length = 0.5 * tf.math.log(tf.maximum(mean, 1e-30))
            change, log_slope = curve(length, share)
            log_det += tf.reduce_sum(
                math.prod(size) * num_channels * change + log_slope,
                axis=[1, 2, 3, 4, 5],
            )
            log_scale = change if log_scale is None else log_scale + change
        shape = ps.shape(x)
        y = tf.reshape(tf.exp(log_scale) * values, shape)
        return y, tf.reshape(log_det, shape[:-3])


def neighborhoods(height, width):
    """Returns the heights and widths of the neighborhoods, the larger last."""
    is_cut = height % 2 == width % 2 == 0 and (height, width) != (2, 2)
    return [(2, 2), (height, width)] if is_cut else [(height, width)]


def _compressed(v, share):
    """Returns u - v and log(du/dv) of u = v - share * v / (1 + |v|)."""
    q = tf.math.reciprocal(1.0 + tf.abs(v))
    return -share * v * q, tf.math.log1p(-share * q * q)


def _expanded(u, share):
    """Returns v - u and log(dv/du), the inverse of `_compressed`."""
    b = 1.0 - share - tf.abs(u)
    v = 2.0 * u / (b + tf.sqrt(b * b + 4.0 * tf.abs(u)))
    change, log_slope = _compressed(v, share)
    return -change, -log_slope
