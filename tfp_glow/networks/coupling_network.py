# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The paper's network of a coupling."""

import keras
import numpy as np
import tensorflow as tf

from tfp_glow import _checks
from tfp_glow.networks import bounds
from tfp_glow.networks import conditioning as conditioning_
from tfp_glow.networks import scaled_linear


@keras.saving.register_keras_serializable(package="tfp_glow")
class CouplingNetwork(keras.layers.Layer):
    """The paper's network: 3x3, 1x1, 3x3, the last layer zero at first.

    ```none
    h = relu(norm(conv3x3(bound(x))) + conditioning kernel)
    h = relu(norm(conv1x1(h)))
    y = bound(exp(3 log_scale) * (conv3x3(h) + shift))
    bound(x) = limit * tanh(x / limit)
    ```

    At first the output is zero, whatever the network is conditioned on.

    The hidden layers' scale and shift are an activation norm that
    `initialize` sets from data. For vectors (`kernel_size=None`) the
    convolutions are matrix products.

    The two bounds are not the paper's. They lie outside what the network sees
    and says of data, and are what keeps samples finite: without them, an input
    far outside the data's range gives a far larger shift and a far smaller
    scale, whose inverse gives the next step an input that is larger yet.

    Shapes: `[N, H, W, C]` to `[N, H, W, num_outputs]`, or `[N, C]` to
    `[N, num_outputs]`. The conditioning is `[N, D]`, or `[N, H, W, D]`.

    As in `ScaledLinear`, `fold`, `apply` and `initialized` are functions of
    weights, a dictionary of those of the layers by their names.

    References:
        Kingma and Dhariwal, Glow, 2018, section 3.3; the paper's code,
        `model.py`, `f` and `tfops.py`, `conv2d_zeros`.
    """

    def __init__(
        self,
        num_outputs,
        num_filters=512,
        kernel_size=3,
        edge_padding=True,
        input_bound=bounds.INPUT_BOUND,
        output_bound=bounds.OUTPUT_BOUND,
        conditioning_size=None,
        seed=None,
        **kwargs,
    ):
        """Makes the network.

        Args:
            num_outputs: `int`.
            num_filters: `int`, width of the two hidden layers.
            kernel_size: odd `int`, side of the first and last kernel, or
                `None` for vectors.
            edge_padding: `bool`; see `ScaledLinear`.
            input_bound: positive `float`, limit of what the network sees, or
                `None` for none.
            output_bound: likewise, limit of its output.
            conditioning_size: `int`, channels of the conditioning, or `None`
                if there is none.
            seed: `int` or `None`.
            **kwargs: arguments of `keras.layers.Layer`.

        Raises:
            ValueError: if a bound is not positive.
        """
        super().__init__(autocast=False, **kwargs)
        _checks.positive_integer(
            num_outputs=num_outputs, num_filters=num_filters
        )
        bounds.check_bounds(input_bound=input_bound, output_bound=output_bound)
        self.num_outputs = num_outputs
        self.num_filters = num_filters
        self.kernel_size = kernel_size
        self.edge_padding = edge_padding
        self.input_bound = input_bound
        self.output_bound = output_bound
        self.conditioning_size = conditioning_size
        self.seed = seed
        hidden_sizes = (kernel_size, kernel_size and 1)
        generator = np.random.default_rng(seed)
        seeds = generator.integers(2**31, size=2).tolist()
        self.hidden = [
            scaled_linear.ScaledLinear(
                num_filters,
                size,
                kernel_initializer=keras.initializers.RandomNormal(
                    stddev=0.05, seed=layer_seed
                ),
                edge_padding=edge_padding,
                dtype=self.dtype_policy,
                name=f"hidden_{i}",
            )
            for i, (size, layer_seed) in enumerate(zip(hidden_sizes, seeds))
        ]
        self.last = scaled_linear.ScaledLinear(
            num_outputs,
            kernel_size,
            edge_padding=edge_padding,
            dtype=self.dtype_policy,
            name="last",
        )

        self.conditioning = None
        if conditioning_size is not None:
            _checks.positive_integer(conditioning_size=conditioning_size)
            self.conditioning = conditioning_.ConditioningLinear(
                num_filters,
                kernel_initializer=keras.initializers.RandomNormal(
                    stddev=0.05, seed=int(generator.integers(2**31))
                ),
                dtype=self.dtype_policy,
                name="conditioning",
            )

    @property
    def _layers_in_order(self):
        return [*self.hidden, self.last]

    def build(self, input_shape):
        for layer in self._layers_in_order:
            layer.build(input_shape)
            input_shape = layer.compute_output_shape(input_shape)
        if self.conditioning is not None:
            self.conditioning.build((None, self.conditioning_size))

    def stacked_variables(self, num_inputs, num_steps):
        """Fresh weights of `num_steps` such networks; see `ScaledLinear`."""
        variables = {}
        for layer in self._layers_in_order:
            variables[layer.name] = layer.stacked_variables(
                num_inputs, num_steps
            )
            num_inputs = layer.units
        if self.conditioning is not None:
            variables["conditioning"] = self.conditioning.stacked_variables(
                self.conditioning_size, num_steps
            )
        return variables

    def call(self, x, conditioning=None):
        folded = scaled_linear.computed(self, self.fold(self.tensors()))
        return self.apply(folded, x, conditioning)

    def tensors(self):
        """The network's own weights, by the names of its layers."""
        layers = self._layers_in_order
        if self.conditioning is not None:
            layers.append(self.conditioning)
        return {layer.name: layer.tensors() for layer in layers}

    def fold(self, weights):
        """Kernels and biases that include the bounds' factors.

        Args:
            weights: as `stacked_variables`, with any leading dimensions, or
                none.

        Returns:
            A list of what each layer's `fold` returns; at its end the kernel
            of the conditioning, if there is any.
        """
        first, second, last = (
            layer.fold(weights[layer.name], gain)
            for layer, gain in zip(
                self._layers_in_order, [self.input_bound or 1.0, 1.0, 1.0]
            )
        )
        if self.output_bound is not None:
            last = tuple(values / self.output_bound for values in last)
        folded = [first, second, last]
        if self.conditioning is not None:
            folded.append(weights["conditioning"]["kernel"])
        return folded

    def apply(self, folded, x, conditioning=None):
        """The network's outputs, given what `fold` returns."""
        conditioning_.check_given(self, self.conditioning_size, conditioning)
        first, second, last, *conditioning_kernel = folded
        x = tf.cast(x, first[0].dtype)
        if self.input_bound is not None:
            x = tf.math.tanh(x / self.input_bound)
        if conditioning is None:
            x = scaled_linear.linear(x, *first, activation=tf.nn.relu)
        else:
            more = conditioning_.of_conditioning(
                *conditioning_kernel, conditioning, x.shape.rank - 1
            )
            x = tf.nn.relu(scaled_linear.linear(x, *first) + more)
        x = scaled_linear.linear(x, *second, activation=tf.nn.relu)
        y = scaled_linear.linear(x, *last)
        if self.output_bound is not None:
            y = self.output_bound * tf.math.tanh(y)
        return y

    def initialized(self, weights, x):
        """The weights, with norms of the hidden layers set from inputs."""
        weights = dict(weights)
        x = bounds.bound(tf.cast(x, self.variable_dtype), self.input_bound)
        for layer in self.hidden:
            found = layer.initialized(weights[layer.name], x)
            x = tf.nn.relu(layer.apply(layer.fold(found), x))
            weights[layer.name] = found
        return weights

    def initialize(self, x):
        """Sets the hidden layers' norms from one batch of inputs."""
        weights = self.initialized(self.tensors(), x)
        for layer in self.hidden:
            layer.shift.assign(weights[layer.name]["shift"])
            layer.log_scale.assign(weights[layer.name]["log_scale"])

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.num_outputs)

    def get_config(self):
        return {
            **super().get_config(),
            "num_outputs": self.num_outputs,
            "num_filters": self.num_filters,
            "kernel_size": self.kernel_size,
            "edge_padding": self.edge_padding,
            "input_bound": self.input_bound,
            "output_bound": self.output_bound,
            "conditioning_size": self.conditioning_size,
            "seed": self.seed,
        }
