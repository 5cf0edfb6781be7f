# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""HouseholderInvertible1x1Conv: a rotation of the channels after a triangle."""

import numpy as np
import tensorflow as tf
from tensorflow_probability.python.internal import dtype_util
from tensorflow_probability.python.internal import parameter_properties
from tensorflow_probability.python.internal import tensor_util

from tfp_glow import _checks
from tfp_glow.bijectors import channel_matrix


class HouseholderInvertible1x1Conv(channel_matrix.ChannelMatrix):
    """Multiplies the channels by an invertible matrix, kept as its QR factors.

    ```none
    y[..., :] = W x[..., :]
    W = Q (U + diag(exp(log_diagonal))),  Q = H[0] H[1] ... H[V - 1]
    H[i] = I - 2 v[i] v[i]^T / |v[i]|**2
    log|det dy/dx| = sum{ log_diagonal[c] : c }   for every pixel
    ```

    `Q` is orthogonal, a product of V reflections, and `U` strictly upper
    triangular. Every invertible matrix whose determinant has the sign of
    (-1)**V is of this form if V = C, with no permutation to be chosen
    beforehand; and no value of the variables, but a vector of zeros, makes
    `W` singular. Gradients are orthogonal to the vectors, so steps along them
    make vectors longer, never shorter.

    | | shape |
    |---|---|
    | `vectors` | `[..., V, C]`, `v`, of any length but zero |
    | `upper` | `[..., C, C]`; only the strict triangle is read |
    | `log_diagonal` | `[..., C]` |
    | `x`, `y` | `[..., C]` |

    Example:

    ```python
    conv = tfg.HouseholderInvertible1x1Conv.trainable(num_channels=12, seed=0)
    conv.forward(tf.zeros([7, 4, 4, 12])).shape  # [7, 4, 4, 12]
    ```

    References:
        Tomczak and Welling, Improving variational auto-encoders using
        Householder flow, 2016; Hoogeboom et al., Emerging convolutions for
        generative normalizing flows, 2019, for the factors; Joffrain et al.,
        Accumulating Householder transformations, revisited, 2006, for their
        product.
    """

    def __init__(
        self,
        vectors,
        upper,
        log_diagonal,
        validate_args=False,
        name="householder_invertible_1x1_conv",
    ):
        """Makes the bijector from its parameters.

        Args:
            vectors: floating `Tensor` or `tf.Variable`, `[..., V, C]`.
            upper: likewise, `[..., C, C]`.
            log_diagonal: likewise, `[..., C]`.
            validate_args: `bool`; if true, parameters that are not finite
                raise `tf.errors.InvalidArgumentError` when used.
            name: `str`.

        Raises:
            ValueError: if the numbers of channels differ.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            dtype = dtype_util.common_dtype(
                [vectors, upper, log_diagonal], dtype_hint=tf.float32
            )
            factors = {
                key: tensor_util.convert_nonref_to_tensor(
                    value, dtype=dtype, name=key
                )
                for key, value in dict(
                    vectors=vectors, upper=upper, log_diagonal=log_diagonal
                ).items()
            }
            _checks.last_dimensions_agree(**factors)
            self._vectors = factors["vectors"]
            self._upper = factors["upper"]
            self._log_diagonal = factors["log_diagonal"]
            super().__init__(
                num_channels=self._vectors.shape[-1],
                dtype=dtype,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def trainable(
        cls, num_channels, seed=None, dtype=tf.float32, batch_shape=(), **kwargs
    ):
        """Makes the bijector with fresh variables, a random rotation.

        Args:
            num_channels: positive `int`, also that of the reflections.
            seed: `int` or `None`; the same seed gives the same matrix.
            dtype: floating dtype of the variables.
            batch_shape: leading dimensions of the variables.
            **kwargs: further arguments of the constructor.

        Returns:
            A `HouseholderInvertible1x1Conv`.
        """
        _checks.positive_integer(num_channels=num_channels)
        square = [*batch_shape, num_channels, num_channels]
        normal = np.random.default_rng(seed).standard_normal(square)
        name = kwargs.get("name", "householder_invertible_1x1_conv")
        with tf.name_scope(name):
            return cls(
                tf.Variable(tf.cast(normal, dtype), name="vectors"),
                tf.Variable(tf.zeros(square, dtype), name="upper"),
                tf.Variable(tf.zeros(square[:-1], dtype), name="log_diagonal"),
                **kwargs,
            )

    @classmethod
    def _parameter_properties(cls, dtype):
        properties = parameter_properties.ParameterProperties
        return dict(
            vectors=properties(event_ndims=2),
            upper=properties(event_ndims=2),
            log_diagonal=properties(event_ndims=1),
        )

    @property
    def vectors(self):
        """Normals of the planes of reflection, of any length, `[..., V, C]`."""
        return self._vectors

    @property
    def upper(self):
        """Upper factor, of which the strict triangle is read."""
        return self._upper

    @property
    def log_diagonal(self):
        """Logarithm of the triangle's diagonal, `[..., C]`."""
        return self._log_diagonal

    def matrix(self):
        """The matrix `W`, shape `[..., C, C]`."""
        upper = tf.linalg.band_part(self.upper, 0, -1)
        upper = tf.linalg.set_diag(upper, tf.exp(self.log_diagonal))
        return channel_matrix.product(self._rotation(), upper)

    def _rotation(self):
        """`Q`, all reflections at once rather than one after the other.

        `I - v^T S^-1 v`, where the rows of `v` have length 1 and `S` is the
        upper triangle of `v v^T` with halves on its diagonal.
        """
        v = tf.convert_to_tensor(self.vectors)
        v /= tf.norm(v, axis=-1, keepdims=True)
        transposed = tf.linalg.matrix_transpose(v)
        s = tf.linalg.band_part(channel_matrix.product(v, transposed), 0, -1)
        s = tf.linalg.set_diag(s, tf.fill(s.shape[:-1], tf.cast(0.5, s.dtype)))
        solved = tf.linalg.triangular_solve(s, v, lower=False)
        identity = tf.eye(v.shape[-1], dtype=v.dtype)
        return identity - channel_matrix.product(transposed, solved)

    def _forward_log_det_jacobian(self, x):
        return tf.reduce_sum(tf.convert_to_tensor(self.log_diagonal), axis=-1)

    def _parameter_control_dependencies(self, is_init):
        if not self.validate_args:
            return []
        return _checks.finite_parameters(
            is_init,
            vectors=self.vectors,
            upper=self.upper,
            log_diagonal=self.log_diagonal,
        )
