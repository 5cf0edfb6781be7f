# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""FullInvertible1x1Conv: a 1x1 convolution by any invertible matrix."""

import tensorflow as tf
from tensorflow_probability.python.internal import dtype_util
from tensorflow_probability.python.internal import parameter_properties
from tensorflow_probability.python.internal import tensor_util

from tfp_glow import _checks
from tfp_glow.bijectors import invertible_1x1_conv
from tfp_glow.bijectors import linear_algebra


class FullInvertible1x1Conv(invertible_1x1_conv.ChannelMatrix):
    """Multiplies the channels by a matrix that is stored as it is.

    ```none
    y[..., :] = W x[..., :]
    log|det dy/dx| = log|det W|   for every pixel
    ```

    This is the paper's first form. Its log-det costs O(C**3), and training may
    reach a singular matrix, whose log-det is minus infinity up to rounding and
    whose inverse raises `tf.errors.InvalidArgumentError`. `Invertible1x1Conv`
    has neither disadvantage.

    | | shape |
    |---|---|
    | `kernel` | `[..., C, C]`, the matrix `W` |
    | `x`, `y` | `[..., C]` |

    Example:

    ```python
    conv = tfg.FullInvertible1x1Conv.trainable(num_channels=12, seed=0)
    conv.forward(tf.zeros([7, 4, 4, 12])).shape  # [7, 4, 4, 12]
    ```

    References:
        Kingma and Dhariwal, Glow, 2018, section 3.2 and equation 9.
    """

    def __init__(
        self,
        kernel,
        validate_args=False,
        name="full_invertible_1x1_conv",
    ):
        """Makes the bijector from its matrix.

        Args:
            kernel: floating `Tensor` or `tf.Variable`, shape `[..., C, C]`.
            validate_args: `bool`; if true, a kernel that is not finite raises
                `tf.errors.InvalidArgumentError` when used.
            name: `str`.

        Raises:
            ValueError: if `kernel` is not square.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            dtype = dtype_util.common_dtype([kernel], dtype_hint=tf.float32)
            self._kernel = tensor_util.convert_nonref_to_tensor(
                kernel, dtype=dtype, name="kernel"
            )
            shape = self._kernel.shape
            if shape.rank < 2 or shape[-1] != shape[-2]:
                raise ValueError(
                    "Invalid value received for argument `kernel`. Expected "
                    f"square matrices. Received: shape {shape}"
                )
            super().__init__(
                num_channels=shape[-1],
                dtype=dtype,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def trainable(
        cls, num_channels, seed=None, dtype=tf.float32, batch_shape=(), **kwargs
    ):
        """Makes the bijector with a fresh variable, a random rotation.

        Args:
            num_channels: positive `int`.
            seed: `int` or `None`; the same seed gives the same matrix.
            dtype: floating dtype of the variable.
            batch_shape: leading dimensions of the variable.
            **kwargs: further arguments of the constructor.

        Returns:
            A `FullInvertible1x1Conv`.
        """
        _checks.positive_integer(num_channels=num_channels)
        rotation = linear_algebra.random_rotation(
            num_channels, seed, batch_shape
        )
        with tf.name_scope(kwargs.get("name", "full_invertible_1x1_conv")):
            kernel = tf.Variable(tf.cast(rotation, dtype), name="kernel")
        return cls(kernel, **kwargs)

    @classmethod
    def _parameter_properties(cls, dtype):
        return dict(
            kernel=parameter_properties.ParameterProperties(event_ndims=2)
        )

    @property
    def kernel(self):
        """The matrix `W`, shape `[..., C, C]`."""
        return self._kernel

    def matrix(self):
        return tf.convert_to_tensor(self.kernel)

    def parameters_of(self, matrix):
        return {"kernel": tf.cast(matrix, self.dtype)}

    def _forward_log_det_jacobian(self, x):
        return linear_algebra.log_det_or_nan(self.matrix())

    def _parameter_control_dependencies(self, is_init):
        if not self.validate_args:
            return []
        return _checks.finite_parameters(is_init, kernel=self.kernel)
