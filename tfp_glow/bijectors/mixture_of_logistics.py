# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""MixtureOfLogistics: the CDF of a mixture of logistics, followed by `logit`."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import parameter_properties

from tfp_glow.bijectors import joint
from tfp_glow.bijectors import parametric


class MixtureOfLogistics(parametric.Parametric, joint.JointBijector):
    """Applies the CDF of a mixture of logistics to every element, then `logit`.

    ```none
    z_i = (x - loc_i) exp(-log_scale_i)
    F = sum{ softmax(logits)_i sigmoid(z_i) : i }
    y = logit(F) = log(F) - log(1 - F)
    dy/dx = sum{ (w_i sigmoid(-z_i) + v_i sigmoid(z_i)) exp(-log_scale_i) : i }
    w = softmax(logits + log sigmoid(z)), v = softmax(logits + log sigmoid(-z))
    ```

    If all components are equal, `y = z`. Both tails approach straight lines.
    They are exact, because only logarithms of `F` and `1 - F` are computed.

    The inverse is found by a search between the roots of the single components,
    `loc_i + exp(log_scale_i) y`. It is differentiable twice, by the derivatives
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
        Ho et al., Flow++, 2019, section 3.2, without its affine map.
    """

    VECTORS = ("logits", "loc", "log_scale")

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
                components' weights plus any constant.
            loc, log_scale: floating `Tensor` or `tf.Variable`, the components'
                medians and the logarithms of their scales.
            validate_args: `bool`; if true, parameters must be finite.
            name: `str`.
        """
        super().__init__(dict(locals()), forward_min_event_ndims=0)

    @classmethod
    def _parameter_properties(cls, dtype):
        # A shape of elements does not tell the number of components.
        unknown = parameter_properties.SHAPE_FN_NOT_IMPLEMENTED
        return {
            name: properties._replace(shape_fn=unknown)
            for name, properties in super()._parameter_properties(dtype).items()
        }

    @classmethod
    def _is_increasing(cls):
        return True

    def forward_and_log_det(self, x):
        tensors = [tf.convert_to_tensor(t) for t in self._tensors().values()]
        return _bend(x, *tensors)

    def inverse_and_log_det(self, y):
        tensors = [tf.convert_to_tensor(t) for t in self._tensors().values()]
        root = _root(*(tf.stop_gradient(t) for t in (y, *tensors)))
        x = tf.stop_gradient(root)
        # The values of these steps of Newton's method cancel. The first makes
        # first derivatives exact, the second makes second ones exact.
        for _ in range(2):
            at_x, log_slope = _bend(x, *tensors)
            step = (y - at_x) * tf.exp(-log_slope)
            x += step - tf.stop_gradient(step)
        return x, -_bend(x, *tensors)[1]


def _bend(x, logits, loc, log_scale):
    """Returns `logit(F(x))` and the logarithm of its derivative."""
    z = (x[..., tf.newaxis] - loc) * tf.exp(-log_scale)
    below, above = tf.math.log_sigmoid(z), tf.math.log_sigmoid(-z)
    log_cdf, log_survival = logits + below, logits + above
    y = tf.reduce_logsumexp(log_cdf, -1) - tf.reduce_logsumexp(log_survival, -1)
    # Differences of large logarithms would lose digits in the tails.
    log_w = tf.nn.log_softmax(log_cdf)
    log_v = tf.nn.log_softmax(log_survival)
    slopes = [log_w + above - log_scale, log_v + below - log_scale]
    return y, tf.reduce_logsumexp(tf.concat(slopes, axis=-1), -1)


def _root(y, logits, loc, log_scale):
    """Returns the `x` with `logit(F(x)) = y`, to rounding error."""
    roots = loc + tf.exp(log_scale) * y[..., tf.newaxis]
    low, high = tf.reduce_min(roots, -1), tf.reduce_max(roots, -1)
    epsilon = np.finfo(y.dtype.as_numpy_dtype).eps
    tolerance = 4.0 * epsilon * tf.maximum(tf.abs(low), tf.abs(high))
    return tfp.math.find_root_chandrupatla(
        lambda x: _bend(x, logits, loc, log_scale)[0] - y,
        low,
        high,
        position_tolerance=tolerance,
    ).estimated_root
