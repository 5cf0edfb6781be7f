# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Squeeze: trades the space of an image for channels."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow import _checks
from tfp_glow import _tf

tfb = tfp.bijectors


class Squeeze(tfb.Bijector):
    """Moves blocks of `factor x factor` pixels into the channels.

    ```none
    y[i, j, f**2 c + f a + b] = x[f i + a, f j + b, c],   f = factor
    log|det dy/dx| = 0
    ```

    | | shape |
    |---|---|
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
        """Makes the bijector.

        Args:
            factor: positive `int`, the side of a block in pixels.
            validate_args: `bool`; shapes are always checked, so this changes
                nothing here.
            name: `str`.

        Raises:
            ValueError: if `factor` is not a positive integer.
        """
        parameters = dict(locals())
        _checks.positive_integer(factor=factor)
        with tf.name_scope(name) as name:
            self._factor = factor
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

    @property
    def factor(self):
        """Side of a block, in pixels."""
        return self._factor

    def _forward(self, x):
        f = self.factor
        self._forward_event_shape(x.shape)
        h, w, c = _tf.event_shape(x, 3)
        x_blocks = _tf.reshape_event(x, 3, [h // f, f, w // f, f, c])
        blocks = _transpose_event(x_blocks, [0, 2, 4, 1, 3])
        return _tf.reshape_event(blocks, 5, [h // f, w // f, c * f**2])

    def _inverse(self, y):
        f = self.factor
        self._inverse_event_shape(y.shape)
        h, w, c = _tf.event_shape(y, 3)
        y_blocks = _tf.reshape_event(y, 3, [h, w, c // f**2, f, f])
        blocks = _transpose_event(y_blocks, [0, 3, 1, 4, 2])
        return _tf.reshape_event(blocks, 5, [h * f, w * f, c // f**2])

    def _forward_log_det_jacobian(self, x):
        return tf.zeros([], x.dtype)

    def _forward_event_shape(self, input_shape):
        if input_shape.rank is None:
            return input_shape
        h, w, c = self._last_three(input_shape)
        f = self.factor
        if (h or 0) % f or (w or 0) % f:
            raise ValueError(
                "Invalid shape received by `Squeeze`. Expected a height and a "
                f"width divisible by factor={f}. Received: event shape "
                f"{(h, w, c)}"
            )
        return input_shape[:-3].concatenate(
            [h and h // f, w and w // f, c and c * f**2]
        )

    def _inverse_event_shape(self, output_shape):
        if output_shape.rank is None:
            return output_shape
        h, w, c = self._last_three(output_shape)
        f = self.factor
        if (c or 0) % f**2:
            raise ValueError(
                "Invalid shape received by the inverse of `Squeeze`. Expected "
                f"a number of channels divisible by factor**2={f**2}. "
                f"Received: event shape {(h, w, c)}"
            )
        return output_shape[:-3].concatenate(
            [h and h * f, w and w * f, c and c // f**2]
        )

    def _last_three(self, shape):
        if shape.rank < 3:
            raise ValueError(
                "Invalid shape received by `Squeeze`. Expected at least the "
                f"three dimensions [H, W, C]. Received: shape {shape}"
            )
        return shape[-3:].as_list()

    def _forward_event_shape_tensor(self, input_shape):
        h, w, c = tf.unstack(input_shape[-3:])
        f = self.factor
        return tf.concat(
            [input_shape[:-3], tf.stack([h // f, w // f, c * f**2])], axis=0
        )

    def _inverse_event_shape_tensor(self, output_shape):
        h, w, c = tf.unstack(output_shape[-3:])
        f = self.factor
        return tf.concat(
            [output_shape[:-3], tf.stack([h * f, w * f, c // f**2])], axis=0
        )


def _transpose_event(x, order):
    lead = x.shape.rank - len(order)
    return tf.transpose(x, [*range(lead), *(lead + i for i in order)])
