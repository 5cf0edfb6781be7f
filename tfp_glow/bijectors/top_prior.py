# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""TopPrior: normalises the last level of a Glow."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow.bijectors import one_evaluation
from tfp_glow.networks import conditioning as conditioning_

tfb = tfp.bijectors


class TopPrior(one_evaluation.OneEvaluation):
    """Shifts and scales every element, given the conditioning if there is any.

    ```none
    m, r = conditioning kernel
    y = exp(log_scale + r) * (x + shift + m)
    ```

    | | shape |
    |---|---|
    | `shift`, `log_scale` | `[H, W, C]` |
    | `conditioning_kernel` | `[D, 2 * C]` |
    | `conditioning` | `[N, D]` or `[N, H, W, D]` |
    | `x`, `y` | `[..., H, W, C]`, `[N, H, W, C]` with conditioning |

    References:
        The paper's code, `model.py`, `prior`, whose mean and scale are of a
        channel; here they are of an element.
    """

    def __init__(
        self,
        shift,
        log_scale,
        conditioning_kernel=None,
        dtype=None,
        name="top_prior",
    ):
        """Makes the bijector from its parameters."""
        parameters = dict(locals())
        self._shift = shift
        self._log_scale = log_scale
        self._conditioning_kernel = conditioning_kernel
        super().__init__(
            forward_min_event_ndims=3,
            is_constant_jacobian=conditioning_kernel is None,
            dtype=dtype or shift.dtype,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def trainable(cls, event_shape, conditioning_size=None, dtype=tf.float32):
        """Makes the bijector with fresh variables, the identity at first.

        Args:
            event_shape: `(H, W, C)`.
            conditioning_size: `int`, `D`, or `None` if there is none.
            dtype: floating dtype.
        """
        zeros = tf.zeros(event_shape, dtype)
        kernel = None
        log_scale = tf.Variable(zeros, name="log_scale")
        shift = tf.Variable(zeros, name="shift")
        if conditioning_size is not None:
            kernel = tf.Variable(
                tf.zeros([conditioning_size, 2 * event_shape[-1]], dtype),
                name="conditioning_kernel",
            )
        return cls(shift, log_scale, kernel)

    @classmethod
    def _parameter_properties(cls, dtype):
        return dict()

    def _forward_and_log_det(self, x, conditioning=None):
        shift, log_scale = self._shift_and_log_scale(conditioning)
        log_det = tf.reduce_sum(log_scale, axis=[-3, -2, -1])
        return tf.exp(log_scale) * (x + shift), log_det

    def _inverse_and_log_det(self, y, conditioning=None):
        shift, log_scale = self._shift_and_log_scale(conditioning)
        log_det = tf.reduce_sum(log_scale, axis=[-3, -2, -1])
        return tf.exp(-log_scale) * y - shift, -log_det

    def _shift_and_log_scale(self, conditioning):
        kernel = self._conditioning_kernel
        size = None if kernel is None else kernel.shape[0]
        conditioning_.check_given(self, size, conditioning)
        shift = tf.convert_to_tensor(self._shift)
        log_scale = tf.convert_to_tensor(self._log_scale)
        if conditioning is None:
            return shift, log_scale
        more = conditioning_.of_conditioning(
            tf.convert_to_tensor(kernel), conditioning, event_ndims=3
        )
        m, r = tf.split(more, 2, axis=-1)
        return shift + m, log_scale + r
