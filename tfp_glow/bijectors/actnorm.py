# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""ActNorm: a scale and a shift for every channel."""

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import dtype_util
from tensorflow_probability.python.internal import parameter_properties
from tensorflow_probability.python.internal import tensor_util

from tfp_glow import _checks
from tfp_glow.bijectors import initialization

tfb = tfp.bijectors


class ActNorm(tfb.Bijector, initialization.DataDependent):
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

    def __init__(self, shift, log_scale, validate_args=False, name="act_norm"):
        """Makes the bijector from its parameters.

        Args:
            shift: floating `Tensor` or `tf.Variable`, shape `[..., C]`.
            log_scale: floating `Tensor` or `tf.Variable`, shape `[..., C]`,
                natural logarithm of the scale.
            validate_args: `bool`; if true, parameters that are not finite
                raise `tf.errors.InvalidArgumentError` when used.
            name: `str`.

        Raises:
            ValueError: if the parameters' last dimensions differ, or differ
                from the input's.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            dtype = dtype_util.common_dtype(
                [shift, log_scale], dtype_hint=tf.float32
            )
            self._shift = tensor_util.convert_nonref_to_tensor(
                shift, dtype=dtype, name="shift"
            )
            self._log_scale = tensor_util.convert_nonref_to_tensor(
                log_scale, dtype=dtype, name="log_scale"
            )
            _checks.last_dimensions_agree(
                shift=self._shift, log_scale=self._log_scale
            )
            super().__init__(
                forward_min_event_ndims=1,
                is_constant_jacobian=True,
                validate_args=validate_args,
                dtype=dtype,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def trainable(
        cls, num_channels, dtype=tf.float32, batch_shape=(), **kwargs
    ):
        """Makes an `ActNorm` with fresh variables, at first the identity.

        Args:
            num_channels: positive `int`.
            dtype: floating dtype of the variables.
            batch_shape: leading dimensions of the variables.
            **kwargs: further arguments of the constructor.

        Returns:
            An `ActNorm` with two variables, `[*batch_shape, num_channels]`.
        """
        _checks.positive_integer(num_channels=num_channels)
        with tf.name_scope(kwargs.get("name", "act_norm")):
            zeros = tf.zeros([*batch_shape, num_channels], dtype)
            return cls(
                shift=tf.Variable(zeros, name="shift"),
                log_scale=tf.Variable(zeros, name="log_scale"),
                **kwargs,
            )

    @classmethod
    def _parameter_properties(cls, dtype):
        return dict(
            shift=parameter_properties.ParameterProperties(event_ndims=1),
            log_scale=parameter_properties.ParameterProperties(event_ndims=1),
        )

    @property
    def shift(self):
        """Added to the input, shape `[..., C]`."""
        return self._shift

    @property
    def log_scale(self):
        """Logarithm of the scale, shape `[..., C]`."""
        return self._log_scale

    def initialize(self, x):
        """Sets the variables so that `forward(x)` is normalized per channel.

        shift = -mean, log_scale = -log(std + 1e-6), over all dimensions but
        the last. The 1e-6 gives a constant channel a finite scale.

        Args:
            x: `Tensor` of shape `[..., C]`.

        Raises:
            TypeError: if the parameters are not variables.
        """
        _checks.variables(shift=self.shift, log_scale=self.log_scale)
        for name, value in normalizing_parameters(x).items():
            getattr(self, name).assign(value)

    def _forward(self, x):
        _checks.channels(self, x, self.shift.shape[-1])
        shift = tf.convert_to_tensor(self.shift)
        log_scale = tf.convert_to_tensor(self.log_scale)
        return tf.exp(log_scale) * (x + shift)

    def _inverse(self, y):
        _checks.channels(self, y, self.shift.shape[-1])
        shift = tf.convert_to_tensor(self.shift)
        log_scale = tf.convert_to_tensor(self.log_scale)
        return tf.exp(-log_scale) * y - shift

    def _forward_log_det_jacobian(self, x):
        return tf.reduce_sum(tf.convert_to_tensor(self.log_scale), axis=-1)

    def _parameter_control_dependencies(self, is_init):
        if not self.validate_args:
            return []
        return _checks.finite_parameters(
            is_init, shift=self.shift, log_scale=self.log_scale
        )


def normalizing_parameters(x):
    """Returns the `shift` and `log_scale`, `[C]`, that normalize `x`, `[..., C]`."""
    mean, variance = tf.nn.moments(x, axes=list(range(x.shape.rank - 1)))
    log_scale = -tf.math.log(tf.sqrt(variance) + 1e-6)
    return {"shift": -mean, "log_scale": log_scale}
