# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The paper's network of a split prior."""

import keras

from tfp_glow.networks import bounds
from tfp_glow.networks import conditioning as conditioning_
from tfp_glow.networks import scaled_linear


@keras.saving.register_keras_serializable(package="tfp_glow")
class PriorNetwork(scaled_linear.ScaledLinear):
    """The paper's split prior: one zero-initialised 3x3 convolution.

    Its input and output are bounded as `CouplingNetwork`'s are. What it is
    conditioned on, if anything, adds `ConditioningLinear` to the convolution.
    """

    def __init__(
        self,
        units,
        input_bound=bounds.INPUT_BOUND,
        output_bound=bounds.OUTPUT_BOUND,
        conditioning_size=None,
        **kwargs,
    ):
        """Makes the layer.

        Args:
            units: `int`, number of outputs.
            input_bound, output_bound, conditioning_size: see
                `CouplingNetwork`.
            **kwargs: arguments of `ScaledLinear`.
        """
        super().__init__(units, **kwargs)
        bounds.check_bounds(input_bound=input_bound, output_bound=output_bound)
        self.input_bound = input_bound
        self.output_bound = output_bound
        self.conditioning_size = conditioning_size
        self.conditioning = None
        if conditioning_size is not None:
            self.conditioning = conditioning_.ConditioningLinear(
                units, dtype=self.dtype_policy, name="conditioning"
            )

    def build(self, input_shape):
        super().build(input_shape)
        if self.conditioning is not None:
            self.conditioning.build((None, self.conditioning_size))

    def call(self, x, conditioning=None):
        conditioning_.check_given(self, self.conditioning_size, conditioning)
        y = super().call(bounds.bound(x, self.input_bound))
        if conditioning is not None:
            y += self.conditioning(conditioning)
        return bounds.bound(y, self.output_bound)

    def get_config(self):
        return {
            **super().get_config(),
            "input_bound": self.input_bound,
            "output_bound": self.output_bound,
            "conditioning_size": self.conditioning_size,
        }
