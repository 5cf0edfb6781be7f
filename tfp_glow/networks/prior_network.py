# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The paper's network of a split prior."""

import keras

from tfp_glow.networks import bounds
from tfp_glow.networks import scaled_linear


@keras.saving.register_keras_serializable(package="tfp_glow")
class PriorNetwork(scaled_linear.ScaledLinear):
    """The paper's split prior: one zero-initialised 3x3 convolution.

    Its input and output are bounded as `CouplingNetwork`'s are.
    """

    def __init__(
        self,
        units,
        input_bound=bounds.INPUT_BOUND,
        output_bound=bounds.OUTPUT_BOUND,
        **kwargs,
    ):
        super().__init__(units, **kwargs)
        bounds.check_bounds(input_bound=input_bound, output_bound=output_bound)
        self.input_bound = input_bound
        self.output_bound = output_bound

    def call(self, x):
        y = super().call(bounds.bound(x, self.input_bound))
        return bounds.bound(y, self.output_bound)

    def get_config(self):
        return {
            **super().get_config(),
            "input_bound": self.input_bound,
            "output_bound": self.output_bound,
        }
