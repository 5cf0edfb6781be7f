# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""AffineCoupling: scales and shifts one half of an input, given the other."""

from tfp_glow.bijectors import coupling
from tfp_glow.bijectors import transformers


class AffineCoupling(coupling.Coupling):
    """Scales and shifts one half of the input by functions of the other half.

    ```none
    x1, x2 = split(x)
    t, r = network(x1)
    y1 = x1
    y2 = s(r) * x2 + t
    log|det dy/dx| = sum{ log s(r) }
    ```

    `Coupling` describes shapes and masks, and `Affine` the scale functions `s`.
    The network has two outputs for each channel that changes: first all `t`,
    then all `r`. With `additive=True`, `s = 1` and the network outputs only `t`.

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
        name="affine_coupling",
        **kwargs,
    ):
        """Makes the bijector around a network.

        Args:
            network: callable from `Tensor` to `Tensor`; see `Coupling`.
            scale: `str`, name of the scale function; see `Affine`.
            additive: `bool`; if true, the network gives `t` only.
            name: `str`.
            **kwargs: further arguments of `Coupling`.
        """
        parameters = dict(
            network=network, scale=scale, additive=additive, name=name, **kwargs
        )
        affine = transformers.Affine(scale)
        super().__init__(
            network,
            transformers.Additive() if additive else affine,
            parameters=parameters,
            name=name,
            **kwargs,
        )
