# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""MixtureOfLogistics: the CDF of a mixture, taken back to all numbers."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import dtype_util
from tensorflow_probability.python.internal import parameter_properties
from tensorflow_probability.python.internal import tensor_util

from tfp_glow import _checks
from tfp_glow.bijectors import joint


class MixtureOfLogistics(joint.JointBijector):
    """Bends every element by the CDF of a mixture of logistics, then `logit`.

    ```none
    z_i = (x - loc_i) exp(-log_scale_i)
    F = sum{ softmax(logits)_i sigmoid(z_i) : i }
    y = logit(F) = log(F) - log(1 - F)
    dy/dx = sum{ (w_i sigmoid(-z_i) + v_i sigmoid(z_i)) exp(-log_scale_i) : i }
    w = softmax(logits + log sigmoid(z)), v = softmax(logits + log sigmoid(-z))
    ```

    If all components are alike, `y = z`. All is computed from logarithms of
    `F` and `1 - F`, so both tails keep their digits: they are straight lines.

    The inverse is a root, found between the least and the greatest of
    `loc_i + exp(log_scale_i) y`. It is differentiable once, by the derivative
    of the forward direction at the root.

    | | shape |
    |---|---|
    | `logits`, `loc`, `log_scale` | `[..., K]`, of K components |
    | `x`, `y` | `[...]` |

    Example:

    ```python
    zeros = tf.zeros([2])
    bend = tfg.MixtureOfLogistics(zeros, loc=[-2.0, 2.0], log_scale=zeros)
    bend.forward([-9.0, 0.0, 9.0])  # [-7.69..., 0, 7.69...]
    ```

    References:
        Ho et al., Flow++, 2019, section 3.2, whose affine map comes after.
    """

    def __init__(
        self,
        logits,
        loc,
        log_scale,
        validate_args=False,
        name="mixture_of_logistics",
    ):
        """Makes the bijector from its parameters.

        Args:
            logits: floating `Tensor` or `tf.Variable`, logarithms of the
                components' weights, up to a constant.
            loc: likewise, their medians.
            log_scale: likewise, logarithms of their scales.
            validate_args: `bool`; if true, parameters that are not finite
                raise `tf.errors.InvalidArgumentError` when used.
            name: `str`.

        Raises:
            ValueError: if the numbers of components differ.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            dtype = dtype_util.common_dtype(
                [logits, loc, log_scale], dtype_hint=tf.float32
            )
            self._logits, self._loc, self._log_scale = (
                tensor_util.convert_nonref_to_tensor(value, dtype=dtype)
                for value in (logits, loc, log_scale)
            )
            _checks.last_dimensions_agree(
                logits=self._logits, loc=self._loc, log_scale=self._log_scale
            )
            super().__init__(
                forward_min_event_ndims=0,
                dtype=dtype,
                validate_args=validate_args,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def _parameter_properties(cls, dtype):
        properties = parameter_properties.ParameterProperties
        return dict(
            logits=properties(event_ndims=1),
            loc=properties(event_ndims=1),
            log_scale=properties(event_ndims=1),
        )

    @classmethod
    def _is_increasing(cls):
        return True

    @property
    def logits(self):
        """Logarithms of the weights, up to a constant, `[..., K]`."""
        return self._logits

    @property
    def loc(self):
        """Medians of the components, `[..., K]`."""
        return self._loc

    @property
    def log_scale(self):
        """Logarithms of the components' scales, `[..., K]`."""
        return self._log_scale

    def _tensors(self):
        return [
            tf.convert_to_tensor(value)
            for value in (self.logits, self.loc, self.log_scale)
        ]

    def forward_and_log_det(self, x):
        return _bend(x, *self._tensors())

    def inverse_and_log_det(self, y):
        tensors = self._tensors()
        root = tf.stop_gradient(
            _root(*(tf.stop_gradient(t) for t in (y, *tensors)))
        )
        # A step of Newton's method, of which only the derivative is kept.
        at_root, log_slope = _bend(root, *tensors)
        step = (y - at_root) * tf.exp(-tf.stop_gradient(log_slope))
        x = root + (step - tf.stop_gradient(step))
        return x, -_bend(x, *tensors)[1]

    def _parameter_control_dependencies(self, is_init):
        if not self.validate_args:
            return []
        return _checks.finite_parameters(
            is_init,
            logits=self.logits,
            loc=self.loc,
            log_scale=self.log_scale,
        )


def _bend(x, logits, loc, log_scale):
    """`logit(F(x))` and the logarithm of its derivative."""
    z = (x[..., tf.newaxis] - loc) * tf.exp(-log_scale)
    below, above = tf.math.log_sigmoid(z), tf.math.log_sigmoid(-z)
    log_cdf, log_survival = logits + below, logits + above
    y = tf.reduce_logsumexp(log_cdf, -1) - tf.reduce_logsumexp(log_survival, -1)
    # Softmaxes, since differences of large logarithms lose the digits of tails.
    slopes = tf.concat(
        [
            tf.nn.log_softmax(log_cdf) + above - log_scale,
            tf.nn.log_softmax(log_survival) + below - log_scale,
        ],
        axis=-1,
    )
    return y, tf.reduce_logsumexp(slopes, -1)


def _root(y, logits, loc, log_scale):
    """The `x` for which `logit(F(x))` is `y`, to the last digits of its dtype."""
    # Where each component alone would have its root.
    alone = loc + tf.exp(log_scale) * y[..., tf.newaxis]
    low, high = tf.reduce_min(alone, -1), tf.reduce_max(alone, -1)
    epsilon = np.finfo(y.dtype.as_numpy_dtype).eps
    found = tfp.math.find_root_chandrupatla(
        lambda x: _bend(x, logits, loc, log_scale)[0] - y,
        low,
        high,
        position_tolerance=4.0
        * epsilon
        * tf.maximum(tf.abs(low), tf.abs(high)),
    )
    return found.estimated_root
