# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""1x1 convolutions: learned generalizations of channel permutations."""

import functools

import numpy as np
import tensorflow as tf
from tensorflow_probability.python.internal import parameter_properties
from tensorflow_probability.python.internal import prefer_static as ps
from tensorflow_probability.python.internal import tensor_util

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow.bijectors import linear_algebra
from tfp_glow.bijectors import parametric

PERMUTATIONS = ("learned", "reverse", "shuffle")

# Variables that do not train. They are variables so that they are saved.
_FIXED = ("permutation", "sign")


class ChannelMatrix(parametric.Parametric):
    """The base class of 1x1 convolutions: one matrix for every pixel.

    ```none
    y[..., :] = W x[..., :]
    ```

    A subclass implements `matrix`, the static method `_parameters_of(matrix,
    dtype)`, and `_forward_log_det_jacobian`, the log-det of a single pixel.
    """

    @classmethod
    def trainable(
        cls, num_channels, seed=None, dtype=tf.float32, batch_shape=(), **kwargs
    ):
        """Makes the bijector with new variables, at first a random rotation.

        Args:
            num_channels: positive `int`.
            seed: `int` or `None`; the same seed gives the same matrix.
            dtype: floating dtype of the variables.
            batch_shape: leading dimensions of the variables.
            **kwargs: further arguments of the constructor.
        """
        [num_channels] = _checks.positive_integer(num_channels=num_channels)
        shape = [*batch_shape, num_channels, num_channels]
        random = np.random.default_rng(_tf.known_seed(seed))
        rotation, _ = np.linalg.qr(random.standard_normal(shape))
        values = cls._parameters_of(rotation, dtype)
        return cls._from_values(values, fixed=_FIXED, **kwargs)

    def matrix(self):
        """Returns the matrix `W`, shape `[..., C, C]`."""
        raise NotImplementedError

    def inverse_matrix(self):
        """Returns the inverse of the matrix that `matrix` rounds to its dtype."""
        return linear_algebra.refined_inverse(*self.matrix_and_inverse())

    def matrix_and_inverse(self):
        """Returns the matrix, and in float64 the inverse before it is rounded.

        Parameters are read once, as TFP expects.
        """
        matrix = self.matrix()
        exact = tf.cast(matrix, tf.float64)
        return matrix, linear_algebra.inverse_or_nan(exact)

    def parameters_of(self, matrix):
        """Returns the constructor's arguments, tensors, for other matrices."""
        return self._parameters_of(matrix, self.dtype)

    def _forward(self, x):
        return self._multiply(self.matrix(), x)

    def _inverse(self, y):
        return self._multiply(self.inverse_matrix(), y)

    def _multiply(self, matrix, x):
        _checks.channels(self, x, matrix.shape[-1])
        if matrix.shape.rank > 2:
            return tf.linalg.matvec(matrix, x)
        # One matrix product serves all pixels.
        rows = tf.reshape(x, [-1, matrix.shape[-1]])
        y = tf.matmul(rows, matrix, transpose_b=True)
        return tf.ensure_shape(tf.reshape(y, ps.shape(x)), x.shape)


class Invertible1x1Conv(ChannelMatrix):
    """Multiplies the channels by an invertible matrix, stored as LU factors.

    ```none
    y[..., :] = W x[..., :]
    W = P L (U + diag(sign * exp(log_diagonal)))
    log|det dy/dx| = sum{ log_diagonal[c] : c }   for every pixel
    ```

    `P` permutes rows, `L` is lower triangular with ones on its diagonal and
    `U` strictly upper triangular. The signs are fixed, so no value of the
    variables makes `W` singular, and the log-det costs O(C). By default `P` is
    the identity and the signs are 1.

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

    MATRICES = ("lower", "upper")
    VECTORS = ("sign", "log_diagonal")

    def __init__(
        self,
        permutation=None,
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
                with the leading dimensions of the factors; `None` for the
                identity.
            lower, upper, log_diagonal: floating `Tensor` or `tf.Variable`.
            sign: floating `Tensor` of -1 and 1; `None` for ones.
            dtype: dtype of inputs if there are no factors; `None` for any.
            validate_args: `bool`; if true, factors must be finite.
            name: `str`.
        """
        parameters = dict(locals())
        factors = ["lower", "upper", "log_diagonal"]
        missing = [name for name in factors if parameters[name] is None]
        is_permutation = sign is None and permutation is not None
        if missing and not (missing == factors and is_permutation):
            raise ValueError(
                f"Expected all of {factors}, or `permutation` alone. Received "
                f"no {', '.join(missing)}"
            )
        self.permutation = tensor_util.convert_nonref_to_tensor(
            permutation, dtype_hint=tf.int32, name="permutation"
        )
        rows = tf.get_static_value(self.permutation)
        if rows is not None and np.any(np.sort(rows) != range(rows.shape[-1])):
            expected = f"the integers 0 to {rows.shape[-1] - 1}, each once"
            raise _checks.invalid_value("permutation", rows.tolist(), expected)
        super().__init__(
            parameters,
            dtype=dtype if missing else tf.float32,
            forward_min_event_ndims=1,
            is_constant_jacobian=True,
        )
        if permutation is not None:
            _checks.last_dimensions_agree(
                permutation=self.permutation, **self._tensors()
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
        """Makes the bijector with new variables.

        `permutation="learned"` starts at a random rotation. `"reverse"` and
        `"shuffle"`, the fixed permutations of the paper's ablation, have no
        trainable variables. Other arguments: see `ChannelMatrix.trainable`.
        """
        _checks.choice("permutation", permutation, PERMUTATIONS)
        if permutation == "learned":
            return super().trainable(
                num_channels, seed, dtype, batch_shape, **kwargs
            )
        [num_channels] = _checks.positive_integer(num_channels=num_channels)
        rows = np.arange(num_channels, dtype=np.int32)[::-1]
        rows = np.broadcast_to(rows, [*batch_shape, num_channels])
        if permutation == "shuffle":
            random = np.random.default_rng(_tf.known_seed(seed))
            rows = random.permuted(rows, axis=-1)
        return cls._from_values(
            {"permutation": rows}, fixed=_FIXED, dtype=dtype, **kwargs
        )

    @classmethod
    def _parameter_properties(cls, dtype):
        fixed = parameter_properties.ParameterProperties(
            event_ndims=1, is_preferred=False
        )
        factors = super()._parameter_properties(dtype)
        return {**factors, **dict.fromkeys(_FIXED, fixed)}

    def matrix(self):
        return linear_algebra.product(*self._factors())

    def _factors(self):
        """Returns the permutation and the triangular factors of the matrix."""
        factors = []
        if self.permutation is not None:
            size = self.permutation.shape[-1]
            factors = [tf.one_hot(self.permutation, size, dtype=self.dtype)]
        if self.lower is None:
            return factors
        lower = tf.linalg.band_part(self.lower, -1, 0)
        ones = tf.ones_like(tf.linalg.diag_part(lower))
        upper = tf.linalg.band_part(self.upper, 0, -1)
        diagonal = tf.exp(self.log_diagonal)
        if self.sign is not None:
            diagonal *= self.sign
        upper = tf.linalg.set_diag(
            upper, tf.zeros_like(tf.linalg.diag_part(upper))
        )
        # Unlike `set_diag` the sum broadcasts batch shapes.
        return [
            *factors,
            tf.linalg.set_diag(lower, ones),
            upper + tf.linalg.diag(diagonal),
        ]

    def matrix_and_inverse(self):
        factors = [tf.cast(f, tf.float64) for f in self._factors()]
        matrix = tf.cast(functools.reduce(tf.matmul, factors), self.dtype)
        if self.permutation is None:
            inverse = tf.eye(matrix.shape[-1], dtype=tf.float64)
        else:
            inverse = tf.linalg.matrix_transpose(factors[0])
        if self.lower is not None:
            *_, lower, upper = factors
            inverse = tf.linalg.triangular_solve(lower, inverse)
            inverse = tf.linalg.triangular_solve(upper, inverse, lower=False)
        return matrix, inverse

    @staticmethod
    def _parameters_of(matrix, dtype):
        packed, rows = tf.linalg.lu(matrix)
        packed = tf.cast(packed, dtype)
        diagonal = tf.linalg.diag_part(packed)
        packed = tf.linalg.set_diag(packed, tf.zeros_like(diagonal))
        return dict(
            permutation=tf.argsort(rows, axis=-1),
            lower=tf.linalg.band_part(packed, -1, 0),
            upper=tf.linalg.band_part(packed, 0, -1),
            sign=tf.sign(diagonal),
            log_diagonal=tf.math.log(tf.abs(diagonal)),
        )

    def _forward(self, x):
        if self._is_one_permutation:
            return self._gather(x, self.permutation)
        return super()._forward(x)

    def _inverse(self, y):
        if self._is_one_permutation:
            return self._gather(y, tf.math.invert_permutation(self.permutation))
        return super()._inverse(y)

    @property
    def _is_one_permutation(self):
        return self.lower is None and self.permutation.shape.rank == 1

    def _gather(self, x, permutation):
        _checks.channels(self, x, permutation.shape[-1])
        return tf.gather(x, permutation, axis=-1)

    def _forward_log_det_jacobian(self, x):
        if self.lower is None:
            return tf.zeros([], x.dtype)
        return tf.reduce_sum(self.log_diagonal, axis=-1)
