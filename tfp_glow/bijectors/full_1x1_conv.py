# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""FullInvertible1x1Conv: a 1x1 convolution by any invertible matrix."""

import tensorflow as tf

from tfp_glow.bijectors import invertible_1x1_conv
from tfp_glow.bijectors import linear_algebra


class FullInvertible1x1Conv(invertible_1x1_conv.ChannelMatrix):
    """Multiplies the channels by a matrix that is stored as it is.

    ```none
    y[..., :] = W x[..., :]
    log|det dy/dx| = log|det W|   for every pixel
    ```

    This is the paper's first form. Its log-det costs O(C**3), and training may
    reach a singular matrix. Then the log-det is minus infinity, up to rounding,
    and the inverse raises `tf.errors.InvalidArgumentError`.
    `Invertible1x1Conv` has neither disadvantage.

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

    MATRICES = ("kernel",)

    def __init__(
        self, kernel, validate_args=False, name="full_invertible_1x1_conv"
    ):
        """Makes the bijector from its matrix.

        Args:
            kernel: floating `Tensor` or `tf.Variable`, shape `[..., C, C]`.
            validate_args: `bool`; if true, the kernel must be finite.
            name: `str`.
        """
        super().__init__(
            dict(locals()), forward_min_event_ndims=1, is_constant_jacobian=True
        )
        shape = self.kernel.shape
        if shape.rank < 2 or shape[-1] != shape[-2]:
            raise ValueError(
                "Invalid value received for argument `kernel`. Expected "
                f"square matrices. Received: shape {shape}"
            )

    def matrix(self):
        return tf.convert_to_tensor(self.kernel)

    @staticmethod
    def _parameters_of(matrix, dtype):
        return {"kernel": tf.cast(matrix, dtype)}

    def _forward_log_det_jacobian(self, x):
        return linear_algebra.log_det_or_nan(self.matrix())
