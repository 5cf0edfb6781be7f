# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""ConditionalPrior: normalises the last level of a conditional Glow."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow import _tf
from tfp_glow.bijectors import joint

tfb = tfp.bijectors


class ConditionalPrior(joint.OneEvaluation):
    """Shifts and scales every element, given the conditioning.

    ```none
    m, r = conditioning kernel
    y = exp(log_scale + r) * (x + shift + m)
    ```

    | | shape |
    |---|---|
    | `shift`, `log_scale` | `[H, W, C]` |
    | `conditioning_kernel` | `[D, 2 * C]` |
    | `conditioning` | `[N, D]` or `[N, H, W, D]` |
    | `x`, `y` | `[..., H, W, C]`, `N` events |

    References:
        The paper's code, `model.py`, `prior`, whose mean and scale are of a
        channel; here they are of an element.
    """

    def __init__(
        self,
        shift,
        log_scale,
        conditioning_kernel,
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
            dtype=dtype or shift.dtype,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype):
        return dict()

    def _forward_and_log_det(self, x, conditioning=None):
        shift, log_scale = self._shift_and_log_scale(x, conditioning)
        log_det = tf.reduce_sum(log_scale, axis=[-3, -2, -1])
        return tf.exp(log_scale) * (x + shift), log_det

    def _inverse_and_log_det(self, y, conditioning=None):
        shift, log_scale = self._shift_and_log_scale(y, conditioning)
        log_det = tf.reduce_sum(log_scale, axis=[-3, -2, -1])
        return tf.exp(-log_scale) * y - shift, -log_det

    def _shift_and_log_scale(self, x, conditioning):
        if conditioning is None:
            raise ValueError(
                f"Invalid conditioning of `{self.name}`. Expected a tensor. "
                "Received: None"
            )
        kernel = tf.convert_to_tensor(self._conditioning_kernel)
        more = tf.cast(conditioning, kernel.dtype) @ kernel
        if more.shape.rank == 2:
            more = more[:, tf.newaxis, tf.newaxis, :]
        m, r = tf.split(_tf.restore_batch(more, x, 3), 2, axis=-1)
        return self._shift + m, self._log_scale + r
