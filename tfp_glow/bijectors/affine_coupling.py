# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""AffineCoupling: one half of an input scales and shifts the other."""

import tensorflow as tf

from tfp_glow import _checks
from tfp_glow.bijectors import coupling
from tfp_glow.bijectors import joint
from tfp_glow.bijectors import scales


class AffineCoupling(coupling.Coupling):
    """Scales and shifts one half of the input by functions of the other half.

    ```none
    x1, x2 = split(x)
    t, r = network(x1)
    y1 = x1
    y2 = s(r) * x2 + t
    log|det dy/dx| = sum{ log s(r) }
    ```

    | `scale` | `s(r)` | range |
    |---|---|---|
    | `"sigmoid"` | `sigmoid(r + 2)`, the paper's code | (0, 1) |
    | `"half_sigmoid"` | `0.5 sigmoid(r + 2) + 0.5` | (1/2, 1) |
    | `"bounded_exp"` | `2**tanh(r)` | [1/2, 2] |
    | `"exp"` | `exp(r)` | (0, inf) |

    The network's output has twice the channels that change (once if
    `additive`): `t`, then `r`. Shapes and masks are those of `Coupling`.

    Example:

    ```python
    def network(x1):
        t = tf.reduce_sum(x1, axis=-1, keepdims=True)
        return tf.concat([t, -t], axis=-1)

    coupling = tfg.AffineCoupling(network, event_ndims=1)
    coupling.forward([[1.0, 2.0]])  # y1 = 1, y2 = sigmoid(-1 + 2) * 2 + 1
    ```

    References:
        Dinh et al., Density estimation using Real NVP, 2017, equations 7 and
        8; Kingma and Dhariwal, Glow, 2018, section 3.3.
    """

    def __init__(
        self,
        network,
        scale="sigmoid",
        additive=False,
        change="second",
        mask="channel",
        event_ndims=3,
        dtype=None,
        validate_args=False,
        name="affine_coupling",
    ):
        """Makes the bijector around a network.

        Args:
            network: any callable from `Tensor` to `Tensor`; see `Coupling`.
            scale: `str`, name of the scale function; see the table above.
            additive: `bool`; if true, `s = 1` and the network gives `t` alone.
            change, mask, event_ndims, dtype, validate_args: see `Coupling`.
            name: `str`.

        Raises:
            TypeError, ValueError: as `Coupling`.
        """
        parameters = dict(locals())
        _checks.choice("scale", scale, tuple(scales.SCALES))
        self._scale = scale
        self._additive = additive
        super().__init__(
            network,
            change=change,
            mask=mask,
            event_ndims=event_ndims,
            is_constant_jacobian=additive,
            dtype=dtype,
            validate_args=validate_args,
            parameters=parameters,
            name=name,
        )

    @property
    def outputs_per_channel(self):
        return 1 if self._additive else 2

    def elementwise(self, outputs):
        if self._additive:
            return ScaleAndShift(None, None, outputs)
        shift, raw = tf.split(outputs, 2, axis=-1)
        return ScaleAndShift(*scales.SCALES[self._scale](raw), shift)


class ScaleAndShift(joint.OneEvaluation):
    """y = scale * x + shift, elementwise; no scale if it is `None`."""

    def __init__(self, scale, log_scale, shift):
        parameters = dict(locals())
        self._scale = scale
        self._log_scale = log_scale
        self._shift = shift
        super().__init__(
            forward_min_event_ndims=0,
            parameters=parameters,
            name="scale_and_shift",
        )

    @classmethod
    def _parameter_properties(cls, dtype):
        return dict()

    def _forward_and_log_det(self, x):
        if self._scale is None:
            return x + self._shift, tf.zeros([], x.dtype)
        return self._scale * x + self._shift, self._log_scale

    def _inverse_and_log_det(self, y):
        if self._scale is None:
            return y - self._shift, tf.zeros([], y.dtype)
        return (y - self._shift) / self._scale, -self._log_scale
