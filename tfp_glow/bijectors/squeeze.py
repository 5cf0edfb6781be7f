# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Squeeze: trades the space of an image for channels."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow import _checks
from tfp_glow import _tf

tfb = tfp.bijectors


class Squeeze(tfb.AutoCompositeTensorBijector):
    """Moves blocks of `factor x factor` pixels into the channels.

    ```none
    y[i, j, f**2 c + f a + b] = x[f i + a, f j + b, c],   f = factor
    log|det dy/dx| = 0
    ```

    | | shape |
    |---|---|
    | `factor` | positive `int` |
    | `x` | `[..., H, W, C]`, `H` and `W` divisible by `factor` |
    | `y` | `[..., H / factor, W / factor, C * factor**2]` |

    The channel order is that of the paper's code, `squeeze2d`, and differs
    from `tf.nn.space_to_depth`, which puts `c` last.

    Example:

    ```python
    tfg.Squeeze().forward(tf.zeros([7, 8, 8, 3])).shape  # [7, 4, 4, 12]
    ```

    References:
        Kingma and Dhariwal, Glow, 2018, section 3; Dinh et al., Density
        estimation using Real NVP, 2017, section 3.6.
    """

    def __init__(self, factor=2, validate_args=False, name="squeeze"):
        """Makes the bijector, which checks shapes without `validate_args`."""
        parameters = dict(locals())
        [factor] = _checks.positive_integer(factor=factor)
        with tf.name_scope(name) as name:
            self.factor = factor
            super().__init__(
                forward_min_event_ndims=3,
                is_constant_jacobian=True,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def _parameter_properties(cls, dtype):
        return dict()

    def _forward(self, x):
        return _tf.with_known_rank(self._squeeze, x, 3)(x)

    def _inverse(self, y):
        return _tf.with_known_rank(self._unsqueeze, y, 3)(y)

    def _squeeze(self, x):
        f = self.factor
        self._forward_event_shape(x.shape)
        h, w, c = _tf.event_shape(x, 3)
        x_blocks = _tf.reshape_event(x, 3, [h // f, f, w // f, f, c])
        blocks = _transpose_event(x_blocks, [0, 2, 4, 1, 3])
        return _tf.reshape_event(blocks, 5, [h // f, w // f, c * f**2])

    def _unsqueeze(self, y):
        f = self.factor
        self._inverse_event_shape(y.shape)
        h, w, c = _tf.event_shape(y, 3)
        y_blocks = _tf.reshape_event(y, 3, [h, w, c // f**2, f, f])
        blocks = _transpose_event(y_blocks, [0, 3, 1, 4, 2])
        return _tf.reshape_event(blocks, 5, [h * f, w * f, c // f**2])

    def _forward_log_det_jacobian(self, x):
        return tf.zeros([], x.dtype)

    def _forward_event_shape(self, input_shape):
        f = self.factor
        expected = f"H and W divisible by factor={f}"
        return _resize(input_shape, [f, f, 1], [1, 1, f**2], expected)

    def _inverse_event_shape(self, output_shape):
        f = self.factor
        expected = f"C divisible by factor**2={f**2}"
        return _resize(output_shape, [1, 1, f**2], [f, f, 1], expected)

    def _forward_event_shape_tensor(self, input_shape):
        f = self.factor
        event = input_shape[-3:] // [f, f, 1] * [1, 1, f**2]
        return tf.concat([input_shape[:-3], event], axis=0)

    def _inverse_event_shape_tensor(self, output_shape):
        f = self.factor
        event = output_shape[-3:] // [1, 1, f**2] * [f, f, 1]
        return tf.concat([output_shape[:-3], event], axis=0)


def _resize(shape, divisors, factors, expected):
    """Divides and multiplies the sizes of an event, where they are known."""
    if shape.rank is None:
        return shape
    event = tuple(shape[-3:])
    if len(event) < 3 or any((n or 0) % d for n, d in zip(event, divisors)):
        raise ValueError(
            "Invalid shape received by `Squeeze`. Expected [H, W, C] with "
            f"{expected}. Received: event shape {event}"
        )
    event = [n and n // d * f for n, d, f in zip(event, divisors, factors)]
    return shape[:-3].concatenate(event)


def _transpose_event(x, order):
    lead = x.shape.rank - len(order)
    return tf.transpose(x, [*range(lead), *(lead + i for i in order)])
