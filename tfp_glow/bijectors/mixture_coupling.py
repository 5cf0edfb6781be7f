# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""MixtureCoupling: one half of an input bends the other by mixtures' CDFs."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow.bijectors import affine_coupling
from tfp_glow.bijectors import coupling
from tfp_glow.bijectors import mixture_of_logistics
from tfp_glow.bijectors import scales

tfb = tfp.bijectors


class MixtureCoupling(coupling.Coupling):
    """Bends one half of the input by CDFs that depend on the other half.

    ```none
    x1, x2 = split(x)
    a, b, p, m, r = network(x1), of every element: 1, 1, K, K, K
    F = CDF of sum{ softmax(p)_i logistic(m_i + spread_i, exp(tanh(r_i))) : i }
    y1 = x1
    y2 = 2**tanh(a) * logit(F(x2)) + b
    log|det dy/dx| = sum{ log(2) tanh(a) + log(d logit(F) / dx2) }
    ```

    K is `num_components` and `spread` K numbers from -1 to 1: alike, all
    components would receive the same gradient and stay alike. With it, an
    output of zeros gives nearly the identity, `|y2 - x2| < 0.27` if K = 4.

    All scales are bounded: in (1/2, 2) that of the affine map and in (1/e, e)
    those of the components. So the inverse of a large number is at most
    2 e times as large, and between components far apart the CDF does not
    become so flat that its inverse loses its digits.

    The network's output has `3 * num_components + 2` numbers for every channel
    that changes, those of one channel together: `a`, `b`, `p`, `m`, `r`.
    Shapes and masks are those of `Coupling`.

    The inverse is a search, some ten evaluations of the CDFs, though one of
    the network.

    Example:

    ```python
    coupling = tfg.MixtureCoupling.trainable([4, 4, 6], num_filters=32)
    coupling.forward(tf.ones([7, 4, 4, 6])).shape  # [7, 4, 4, 6]
    ```

    References:
        Ho et al., Flow++, 2019, section 3.2.
    """

    def __init__(
        self,
        network,
        num_components=4,
        change="second",
        mask="channel",
        event_ndims=3,
        dtype=None,
        validate_args=False,
        name="mixture_coupling",
    ):
        """Makes the bijector around a network.

        Args:
            network: any callable from `Tensor` to `Tensor`; see `Coupling`.
            num_components: positive `int`, logistics in a mixture.
            change, mask, event_ndims, dtype, validate_args: see `Coupling`.
            name: `str`.

        Raises:
            TypeError, ValueError: as `Coupling`.
            ValueError: if `num_components` is no positive integer.
        """
        parameters = dict(locals())
        _checks.positive_integer(num_components=num_components)
        self._num_components = num_components
        super().__init__(
            network,
            change=change,
            mask=mask,
            event_ndims=event_ndims,
            dtype=dtype,
            validate_args=validate_args,
            parameters=parameters,
            name=name,
        )

    @property
    def outputs_per_channel(self):
        return 3 * self._num_components + 2

    def elementwise(self, outputs):
        scale, shift, logits, loc, log_scale = tf.split(
            _tf.per_channel(outputs, self.outputs_per_channel),
            [1, 1] + 3 * [self._num_components],
            axis=-1,
        )
        spread = np.linspace(1.0, -1.0, self._num_components)
        if self._num_components == 1:
            spread = np.zeros(1)
        scale, log_of_scale = scales.SCALES["bounded_exp"](scale[..., 0])
        return tfb.Chain(
            [
                affine_coupling.ScaleAndShift(
                    scale, log_of_scale, shift[..., 0]
                ),
                mixture_of_logistics.MixtureOfLogistics(
                    logits,
                    loc + tf.constant(spread, loc.dtype),
                    tf.math.tanh(log_scale),
                ),
            ]
        )
