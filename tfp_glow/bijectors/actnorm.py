# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""ActNorm: a scale and a shift for every channel."""

import tensorflow as tf

from tfp_glow import _checks
from tfp_glow.bijectors import initialization
from tfp_glow.bijectors import parametric


class ActNorm(initialization.DataDependent, parametric.Parametric):
    """Scales and shifts every channel.

    ```none
    y[..., c] = exp(log_scale[c]) * (x[..., c] + shift[c])
    log|det dy/dx| = sum{ log_scale[c] : c }   for every pixel
    ```

    | | shape |
    |---|---|
    | `shift`, `log_scale` | `[..., C]`; leading dimensions are a batch |
    | `x`, `y` | `[..., C]` |

    `ActNorm.trainable` makes the variables, and `initialize` sets them so that
    the outputs of one batch have mean 0 and variance 1 in every channel.

    Example:

    ```python
    norm = tfg.ActNorm.trainable(num_channels=3)
    images = 5.0 + 2.0 * tf.random.normal([64, 8, 8, 3])
    norm.initialize(images)
    norm.forward(images)  # mean 0, standard deviation 1 per channel
    ```

    References:
        Kingma and Dhariwal, Glow, 2018, section 3.1.
    """

    VECTORS = ("shift", "log_scale")

    def __init__(self, shift, log_scale, validate_args=False, name="act_norm"):
        """Makes the bijector from its parameters.

        Args:
            shift, log_scale: floating `Tensor` or `tf.Variable`, `[..., C]`.
            validate_args: `bool`; if true, parameters must be finite.
            name: `str`.
        """
        super().__init__(
            dict(locals()), forward_min_event_ndims=1, is_constant_jacobian=True
        )

    @classmethod
    def trainable(
        cls, num_channels, dtype=tf.float32, batch_shape=(), **kwargs
    ):
        """Makes an `ActNorm` with new variables, at first the identity.

        Args:
            num_channels: positive `int`.
            dtype: floating dtype of the variables.
            batch_shape: leading dimensions of the variables.
            **kwargs: further arguments of the constructor.
        """
        [num_channels] = _checks.positive_integer(num_channels=num_channels)
        zeros = tf.zeros([*batch_shape, num_channels], dtype)
        return cls._from_values({"shift": zeros, "log_scale": zeros}, **kwargs)

    def initialize(self, x):
        """Sets the variables so that `forward(x)` is normalized per channel.

        shift = -mean, log_scale = -log(std + 1e-6), over all dimensions but
        the last. The 1e-6 gives a constant channel a finite scale. Raises
        `TypeError` if the parameters are not variables.
        """
        _checks.variables(shift=self.shift, log_scale=self.log_scale)
        mean, variance = tf.nn.moments(x, axes=list(range(x.shape.rank - 1)))
        self.shift.assign(-mean)
        self.log_scale.assign(-tf.math.log(tf.sqrt(variance) + 1e-6))
        return self.forward(x)

    def _forward(self, x):
        _checks.channels(self, x, self.shift.shape[-1])
        return tf.exp(self.log_scale) * (x + self.shift)

    def _inverse(self, y):
        _checks.channels(self, y, self.shift.shape[-1])
        return tf.exp(-self.log_scale) * y - self.shift

    def _forward_log_det_jacobian(self, x):
        return tf.reduce_sum(self.log_scale, axis=-1)
