# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The networks of the paper, for couplings and for split priors."""

import keras
import numpy as np
import tensorflow as tf

from tfp_glow import _checks
from tfp_glow.networks import linear
from tfp_glow.networks import stacked


@keras.saving.register_keras_serializable(package="tfp_glow")
class CouplingNetwork(stacked.StackedLayer):
    """The paper's network of a coupling: 3x3, 1x1 and 3x3 convolutions.

    ```none
    h = relu(norm(conv3x3(bound(x))) + conditioning_map(conditioning))
    h = relu(norm(conv1x1(h)))
    y = bound(exp(3 log_scale) * (conv3x3(h) + shift))
    bound(x) = limit * tanh(x / limit)
    ```

    Shapes: `[N, H, W, C]` to `[N, H, W, num_outputs]`. With `kernel_size=None`
    matrix products replace the convolutions, `[N, C]` to `[N, num_outputs]`.
    The conditioning is `[N, D]` or `[N, H, W, D]`.

    At initialization the output is zero, with any conditioning. `norm` is a
    scale and a shift per channel, which `initialize` sets from data.

    The two bounds are not in the paper. They lie outside the range of data and
    keep samples finite. Without them an input far outside that range produces
    a much larger shift and a much smaller scale. Dividing by that scale then
    gives the next step a still larger input.

    Example:

    ```python
    network = tfg.networks.CouplingNetwork(12, num_filters=64)
    network(tf.zeros([1, 8, 8, 6])).shape  # [1, 8, 8, 12]

    # As a template: a flow makes its networks with these options.
    template = tfg.networks.CouplingNetwork(dtype="mixed_bfloat16")
    flow = tfg.Glow([8, 8, 3], network=template)
    ```

    References:
        Kingma and Dhariwal, Glow, 2018, section 3.3; the paper's code,
        `model.py`, `f`.
    """

    def __init__(
        self,
        num_outputs=None,
        num_filters=None,
        kernel_size=3,
        seed=None,
        **kwargs,
    ):
        """Makes the network.

        Args:
            num_outputs: positive `int`, or `None` for a template.
            num_filters: positive `int`, width of the two hidden layers. `None`
                is 512, or in a template the width that the flow asks for.
            kernel_size: odd `int`, side of the first and the last kernel, or
                `None` for vectors.
            seed: `int` or `None`. Networks with the same seed start with the
                same weights.
            **kwargs: arguments of `StackedLayer`: `edge_padding`,
                `input_bound`, `output_bound`, `conditioning_size` and those of
                `keras.layers.Layer`.

        Raises:
            ValueError: if a size is not a positive integer, or a bound is not
                positive.
        """
        super().__init__(num_outputs, **kwargs)
        if num_filters is not None:
            _checks.positive_integer(num_filters=num_filters)
        self.num_filters = num_filters
        self.kernel_size = kernel_size
        self.seed = seed
        seeds = np.random.default_rng(seed).integers(2**31, size=3).tolist()
        first, second, conditioning = (
            keras.initializers.RandomNormal(stddev=0.05, seed=layer_seed)
            for layer_seed in seeds
        )
        options = dict(edge_padding=self.edge_padding, dtype=self.dtype_policy)
        self.hidden = [
            linear.ScaledLinear(
                num_filters or 512,
                kernel_size,
                kernel_initializer=first,
                conditioning_size=self.conditioning_size,
                conditioning_initializer=conditioning,
                name="hidden_0",
                **options,
            ),
            linear.ScaledLinear(
                num_filters or 512,
                kernel_size and 1,
                kernel_initializer=second,
                name="hidden_1",
                **options,
            ),
        ]
        self.last = linear.ScaledLinear(
            num_outputs, kernel_size, name="last", **options
        )

    @property
    def _layers_in_order(self):
        return [*self.hidden, self.last]

    def build(self, input_shape):
        self._check_buildable()
        for layer in self._layers_in_order:
            layer.build(input_shape)
            input_shape = layer.compute_output_shape(input_shape)

    def stacked_variables(self, num_inputs, num_steps):
        variables = {}
        for layer in self._layers_in_order:
            variables[layer.name] = layer.stacked_variables(
                num_inputs, num_steps
            )
            num_inputs = layer.num_outputs
        return variables

    def own_weights(self):
        return {
            layer.name: layer.own_weights() for layer in self._layers_in_order
        }

    def fold(self, weights):
        """Returns what `linear` takes for each layer, bounds included."""
        first, second, last = (
            layer.fold(weights[layer.name], gain)
            for layer, gain in zip(
                self._layers_in_order, [self.input_bound or 1.0, 1.0, 1.0]
            )
        )
        if self.output_bound is not None:
            last = {k: value / self.output_bound for k, value in last.items()}
        return [first, second, last]

    def apply(self, prepared, x, conditioning=None):
        self._check_conditioning(conditioning)
        first, second, last = prepared
        x = tf.cast(x, first["kernel"].dtype)
        if self.input_bound is not None:
            x = tf.math.tanh(x / self.input_bound)
        x = linear.linear(x, first, conditioning, activation=tf.nn.relu)
        x = linear.linear(x, second, activation=tf.nn.relu)
        y = linear.linear(x, last)
        if self.output_bound is not None:
            y = self.output_bound * tf.math.tanh(y)
        return y

    def initialized(self, weights, x):
        """Normalizes the outputs of the hidden layers, without conditioning."""
        weights = dict(weights)
        x = linear.bound(tf.cast(x, self.variable_dtype), self.input_bound)
        for layer in self.hidden:
            found = layer.initialized(weights[layer.name], x)
            x = linear.linear(x, layer.fold(found), activation=tf.nn.relu)
            weights[layer.name] = found
        return weights

    def get_config(self):
        return {
            **super().get_config(),
            "num_filters": self.num_filters,
            "kernel_size": self.kernel_size,
            "seed": self.seed,
        }


@keras.saving.register_keras_serializable(package="tfp_glow")
class PriorNetwork(linear.ScaledLinear):
    """The paper's network of a split prior: one 3x3 convolution.

    ```none
    y = bound(scaled_linear(bound(x), conditioning))
    ```

    Its kernels are zero at first, and so is its output.
    """

    def __init__(
        self,
        num_outputs=None,
        kernel_size=None,
        input_bound=stacked.INPUT_BOUND,
        output_bound=stacked.OUTPUT_BOUND,
        **kwargs,
    ):
        """Makes the network; see `ScaledLinear`."""
        super().__init__(
            num_outputs,
            kernel_size,
            input_bound=input_bound,
            output_bound=output_bound,
            **kwargs,
        )

    def initialized(self, weights, x):
        """Returns `weights`: outputs that are zero cannot be normalized."""
        del x
        return weights
