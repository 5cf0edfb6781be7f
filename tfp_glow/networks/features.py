# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""FeatureNetwork: features of an image, for a flow conditioned on them."""

import keras
import numpy as np
import tensorflow as tf

from tfp_glow import _checks
from tfp_glow.networks import linear


@keras.saving.register_keras_serializable(package="tfp_glow")
class FeatureNetwork(keras.layers.Layer):
    """Features of every pixel of an image, by two 3x3 convolutions.

    ```none
    y = conv3x3(relu(conv3x3(x)))
    ```

    No layer starts at zero. At initialization the features of inputs with
    variance 1 have a variance of about 1.

    Shapes: `[N, H, W, C]` to `[N, H, W, num_filters]`.
    """

    def __init__(self, num_filters=32, edge_padding=True, seed=None, **kwargs):
        """Makes the network.

        Args:
            num_filters: positive `int`, number of features and width of the
                hidden layer.
            edge_padding: `bool`; see `ScaledLinear`.
            seed: `int` or `None`.
            **kwargs: arguments of `keras.layers.Layer`.

        Raises:
            ValueError: if `num_filters` is not a positive integer.
        """
        super().__init__(autocast=False, **kwargs)
        _checks.positive_integer(num_filters=num_filters)
        self.num_filters = num_filters
        self.edge_padding = edge_padding
        self.seed = seed
        seeds = np.random.default_rng(seed).integers(2**31, size=2).tolist()
        self.hidden, self.last = (
            linear.ScaledLinear(
                num_filters,
                kernel_size=3,
                kernel_initializer=keras.initializers.VarianceScaling(
                    scale, seed=layer_seed
                ),
                edge_padding=edge_padding,
                dtype=self.dtype_policy,
                name=name,
            )
            for name, scale, layer_seed in zip(
                ("hidden", "last"), (1.0, 2.0), seeds
            )
        )

    def build(self, input_shape):
        self.hidden.build(input_shape)
        self.last.build(self.hidden.compute_output_shape(input_shape))

    def call(self, x):
        return self.last(tf.nn.relu(self.hidden(x)))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.num_filters)

    def get_config(self):
        return {
            **super().get_config(),
            "num_filters": self.num_filters,
            "edge_padding": self.edge_padding,
            "seed": self.seed,
        }
