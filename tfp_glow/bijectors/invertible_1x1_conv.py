# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""1x1 convolutions: learned generalizations of channel permutations."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import dtype_util
from tensorflow_probability.python.internal import parameter_properties
from tensorflow_probability.python.internal import prefer_static as ps
from tensorflow_probability.python.internal import tensor_util

from tfp_glow import _checks
from tfp_glow.bijectors import linear_algebra

tfb = tfp.bijectors

PERMUTATIONS = ("learned", "reverse", "shuffle")


class ChannelMatrix(tfb.Bijector):
    """The base class of 1x1 convolutions: one matrix for every pixel.

    ```none
    y[..., :] = W x[..., :]
    ```

    A subclass implements `matrix`, `parameters_of` and
    `_forward_log_det_jacobian`, the log-det of a single pixel.
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
        """Returns the matrix `W`, shape `[..., C, C]`."""
        raise NotImplementedError

    def inverse_matrix(self):
        """Returns the inverse of the matrix that `matrix` rounds to its dtype."""
        return linear_algebra.inverse_or_nan(self.matrix())

    def parameters_of(self, matrix):
        """Returns the constructor's arguments, tensors, for other matrices."""
        raise NotImplementedError

    def _forward(self, x):
        _checks.channels(self, x, self._num_channels)
        return _multiply(self.matrix(), x)

    def _inverse(self, y):
        _checks.channels(self, y, self._num_channels)
        return _multiply(self.inverse_matrix(), y)


class Invertible1x1Conv(ChannelMatrix):
    """Multiplies the channels by an invertible matrix, stored as LU factors.

    ```none
    y[..., :] = W x[..., :]
    W = P L (U + diag(sign * exp(log_diagonal)))
    log|det dy/dx| = sum{ log_diagonal[c] : c }   for every pixel
    ```

    `P` permutes rows, `L` is lower triangular with ones on its diagonal and
    `U` strictly upper triangular. The signs are fixed, so no value of the
    variables makes `W` singular, and the log-det costs O(C).

    Without the factors `L` and `U`, `W = P` is a fixed permutation.

    | | shape |
    |---|---|
    | `permutation` | `[..., C]`, integers: row `c` of `W` is row `permutation[c]` of the rest |
    | `lower`, `upper` | `[..., C, C]`; only the strict triangles are read |
    | `sign`, `log_diagonal` | `[..., C]` |
    | `x`, `y` | `[..., C]` |

    Example:

    ```python
    conv = tfg.Invertible1x1Conv.trainable(num_channels=12, seed=0)
    conv.forward(tf.zeros([7, 4, 4, 12])).shape  # [7, 4, 4, 12]
    ```

    References:
        Kingma and Dhariwal, Glow, 2018, section 3.2 and equation 10.
    """

    def __init__(
        self,
        permutation,
        lower=None,
        upper=None,
        sign=None,
        log_diagonal=None,
        dtype=None,
        validate_args=False,
        name="invertible_1x1_conv",
    ):
        """Makes the bijector from its parameters.

        Args:
            permutation: integer `Tensor` or array, shape `[C]`, or `[..., C]`
                with the leading dimensions of the factors.
            lower, upper: floating `Tensor` or `tf.Variable`, `[..., C, C]`.
            sign: floating `Tensor` of -1 and 1, shape `[..., C]`.
            log_diagonal: floating `Tensor` or `tf.Variable`, `[..., C]`.
            dtype: dtype that inputs must have; by default that of the factors,
                and any when there are none.
            validate_args: `bool`; if true, factors that are not finite raise
                `tf.errors.InvalidArgumentError` when used.
            name: `str`.

        Raises:
            ValueError: if `permutation` is known not to be one, if some but
                not all of the factors are given, or if sizes differ.
        """
        parameters = dict(locals())
        factors = dict(
            lower=lower, upper=upper, sign=sign, log_diagonal=log_diagonal
        )
        missing = [key for key, value in factors.items() if value is None]
        if missing and len(missing) < len(factors):
            raise ValueError(
                f"Expected all of {list(factors)} or none of them. Received "
                f"no {', '.join(missing)}"
            )
        with tf.name_scope(name) as name:
            self._permutation = tensor_util.convert_nonref_to_tensor(
                permutation, dtype_hint=tf.int32, name="permutation"
            )
            _check_permutation(self._permutation)
            if not missing:
                dtype = dtype_util.common_dtype(
                    list(factors.values()), dtype_hint=tf.float32
                )
                factors = {
                    key: tensor_util.convert_nonref_to_tensor(
                        value, dtype=dtype, name=key
                    )
                    for key, value in factors.items()
                }
                _checks.last_dimensions_agree(
                    permutation=self._permutation, **factors
                )
            self._lower = factors["lower"]
            self._upper = factors["upper"]
            self._sign = factors["sign"]
            self._log_diagonal = factors["log_diagonal"]
            super().__init__(
                num_channels=self._permutation.shape[-1],
                dtype=dtype,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def trainable(
        cls,
        num_channels,
        seed=None,
        dtype=tf.float32,
        permutation="learned",
        batch_shape=(),
        **kwargs,
    ):
        """Makes the bijector with fresh variables.

        Args:
            num_channels: positive `int`.
            seed: `int` or `None`; the same seed gives the same matrix.
            dtype: floating dtype of the variables.
            permutation: `"learned"` starts at a random rotation;
                `"reverse"` and `"shuffle"` are the fixed permutations of the
                paper's ablation and have no trainable variables.
            batch_shape: leading dimensions of the variables.
            **kwargs: further arguments of the constructor.

        Returns:
            An `Invertible1x1Conv`.

        Raises:
            ValueError: for an unknown `permutation`, naming the nearest.
        """
        _checks.positive_integer(num_channels=num_channels)
        _checks.choice("permutation", permutation, PERMUTATIONS)

        # Random but fixed values are variables too, so that they are saved.
        def variable(value, name, trainable=True):
            return tf.Variable(value, trainable=trainable, name=name)

        with tf.name_scope(kwargs.get("name", "invertible_1x1_conv")):
            if permutation != "learned":
                rows = np.arange(num_channels, dtype=np.int32)[::-1]
                rows = np.broadcast_to(rows, [*batch_shape, num_channels])
                if permutation == "shuffle":
                    generator = np.random.default_rng(seed)
                    rows = generator.permuted(rows, axis=-1)
                rows = variable(rows, "permutation", trainable=False)
                return cls(rows, dtype=dtype, **kwargs)
            factors = _factors(
                linear_algebra.random_rotation(num_channels, seed, batch_shape),
                dtype,
            )
            fixed = ("permutation", "sign")
            return cls(
                **{
                    name: variable(value, name, trainable=name not in fixed)
                    for name, value in factors.items()
                },
                **kwargs,
            )

    @classmethod
    def _parameter_properties(cls, dtype):
        properties = parameter_properties.ParameterProperties
        return dict(
            permutation=properties(event_ndims=1, is_preferred=False),
            lower=properties(event_ndims=2),
            upper=properties(event_ndims=2),
            sign=properties(event_ndims=1),
            log_diagonal=properties(event_ndims=1),
        )

    @property
    def permutation(self):
        """Integers of shape `[..., C]`."""
        return self._permutation

    @property
    def lower(self):
        """The lower factor, or `None`; only its strict triangle is read."""
        return self._lower

    @property
    def upper(self):
        """The upper factor, or `None`; only its strict triangle is read."""
        return self._upper

    @property
    def sign(self):
        """The signs of the diagonal, shape `[..., C]`, or `None`."""
        return self._sign

    @property
    def log_diagonal(self):
        """The logarithm of the absolute diagonal, `[..., C]`, or `None`."""
        return self._log_diagonal

    def matrix(self):
        if self.lower is None:
            size = self.permutation.shape[-1]
            return tf.one_hot(self.permutation, size, dtype=self.dtype)
        lower = tf.linalg.band_part(self.lower, -1, 0)
        lower = tf.linalg.set_diag(lower, tf.ones_like(self.sign))
        upper = tf.linalg.band_part(self.upper, 0, -1)
        diagonal = self.sign * tf.exp(self.log_diagonal)
        upper = tf.linalg.set_diag(upper, diagonal)
        return tf.gather(
            linear_algebra.product(lower, upper),
            self.permutation,
            axis=-2,
            batch_dims=self.permutation.shape.rank - 1,
        )

    def parameters_of(self, matrix):
        return _factors(matrix, self.dtype)

    def inverse_matrix(self):
        if self.lower is None:
            return tf.linalg.matrix_transpose(self.matrix())
        return super().inverse_matrix()

    def _forward(self, x):
        if not self._is_one_permutation:
            return super()._forward(x)
        _checks.channels(self, x, self.permutation.shape[-1])
        return tf.gather(x, self.permutation, axis=-1)

    def _inverse(self, y):
        if not self._is_one_permutation:
            return super()._inverse(y)
        _checks.channels(self, y, self.permutation.shape[-1])
        back = tf.math.invert_permutation(self.permutation)
        return tf.gather(y, back, axis=-1)

    @property
    def _is_one_permutation(self):
        return self.lower is None and self.permutation.shape.rank == 1

    def _forward_log_det_jacobian(self, x):
        if self.lower is None:
            return tf.zeros([], x.dtype)
        return tf.reduce_sum(tf.convert_to_tensor(self.log_diagonal), axis=-1)

    def _parameter_control_dependencies(self, is_init):
        if not self.validate_args or self.lower is None:
            return []
        return _checks.finite_parameters(
            is_init,
            lower=self.lower,
            upper=self.upper,
            log_diagonal=self.log_diagonal,
        )


def _factors(matrix, dtype):
    """The constructor's arguments for matrices `[..., C, C]`."""
    packed, rows = tf.linalg.lu(matrix)
    packed = tf.cast(packed, dtype)
    diagonal = tf.linalg.diag_part(packed)
    zeros = tf.zeros_like(diagonal)
    lower = tf.linalg.band_part(packed, -1, 0)
    upper = tf.linalg.band_part(packed, 0, -1)
    return dict(
        permutation=tf.argsort(rows, axis=-1),
        lower=tf.linalg.set_diag(lower, zeros),
        upper=tf.linalg.set_diag(upper, zeros),
        sign=tf.sign(diagonal),
        log_diagonal=tf.math.log(tf.abs(diagonal)),
    )


def _check_permutation(permutation):
    value = tf.get_static_value(permutation)
    if value is None:
        return
    size = value.shape[-1]
    if np.any(np.sort(value, axis=-1) != np.arange(size)):
        raise ValueError(
            "Invalid value received for argument `permutation`. Expected the "
            f"integers 0 to {size - 1}, each once. Received: "
            f"permutation={value}"
        )


def _multiply(matrix, x):
    """`matrix @ x` over the last dimension, as one product if it can be."""
    if matrix.shape.rank > 2:
        return tf.linalg.matvec(matrix, x)
    rows = tf.reshape(x, [-1, matrix.shape[-1]])
    y = tf.matmul(rows, matrix, transpose_b=True)
    return tf.ensure_shape(tf.reshape(y, ps.shape(x)), x.shape)
