# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Networks of `ScaledLinear` layers: the paper's two, and features of images."""

import functools

import keras
import numpy as np
import tensorflow as tf

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow.networks import linear
from tfp_glow.networks import stacked
from tfp_glow.networks import weight_noise


@keras.saving.register_keras_serializable(package="tfp_glow")
class CouplingNetwork(stacked.StackedLayer):
    """The paper's network of a coupling: 3x3, 1x1 and 3x3 convolutions.

    ```none
    h = relu(norm(conv3x3(bound(x))) + conditioning_map(conditioning))
    h = relu(norm(conv1x1(h)))
    y = bound(exp(3 log_scale) * (conv3x3(h) + shift))
    bound(x) = limit * tanh(x / limit)
    ```

    `StackedLayer` describes the shapes. At initialization the output is zero.
    `norm` is a scale and a shift per channel, which `initialize` sets from data.

    The two bounds are not in the paper. They lie outside the range of data and
    keep samples finite: without them, outliers would grow from step to step.

    Example: a template, from which a flow makes its networks.

    ```python
    template = tfg.networks.CouplingNetwork(dtype="mixed_bfloat16")
    flow = tfg.Glow([8, 8, 3], network=template)
    ```

    Args:
        num_filters: positive `int`, width of the two hidden layers. `None`
            is 512, or in a template the width that the flow asks for.
        kernel_size: odd `int`, or `None` for matrix products of vectors.
        seed: `int` or `None`; determines the initial weights.
        num_outputs, **kwargs: see `StackedLayer`.

    References:
        Kingma and Dhariwal, Glow, 2018, section 3.3; `f` in their `model.py`.
    """

    def __init__(
        self,
        num_outputs=None,
        num_filters=None,
        kernel_size=3,
        seed=None,
        **kwargs,
    ):
        super().__init__(num_outputs, **kwargs)
        if num_filters is not None:
            [num_filters] = _checks.positive_integer(num_filters=num_filters)
        self.num_filters = num_filters
        self.kernel_size = kernel_size
        self.seed = seed = _checks.seed(seed)
        generator = np.random.default_rng(_tf.known_seed(seed))
        seeds = generator.integers(2**31, size=3).tolist()
        normal = keras.initializers.RandomNormal
        first, second, conditioning = (normal(0.0, 0.05, s) for s in seeds)
        layer = functools.partial(
            linear.ScaledLinear,
            edge_padding=self.edge_padding,
            dtype=self.dtype_policy,
        )
        width = num_filters or 512
        conditioned = dict(
            conditioning_initializer=conditioning,
            conditioning_size=self.conditioning_size,
        )
        self.hidden = [
            layer(width, kernel_size, first, name="hidden_0", **conditioned),
            layer(width, kernel_size and 1, second, name="hidden_1"),
        ]
        self.last = layer(num_outputs, kernel_size, name="last")

    def build(self, input_shape):
        self._check_buildable()
        for layer in [*self.hidden, self.last]:
            layer.build(input_shape)
            input_shape = layer.compute_output_shape(input_shape)

    def stacked_variables(self, num_inputs, num_steps):
        found = {}
        for layer in [*self.hidden, self.last]:
            found[layer.name] = layer.stacked_variables(num_inputs, num_steps)
            num_inputs = layer.num_outputs
        return found

    def own_weights(self):
        layers = [*self.hidden, self.last]
        return {layer.name: layer.own_weights() for layer in layers}

    def fold(self, weights):
        """Returns the weights of `linear` for each layer, divided by the bounds."""
        first, second = self.hidden
        # `x / a` and `b * y` are left for the bounds `a tanh(x / a)` and
        # `b tanh(y / b)`.
        layers = [
            first.fold(weights["hidden_0"], gain=self.input_bound or 1.0),
            second.fold(weights["hidden_1"]),
            self.last.fold(weights["last"], divisor=self.output_bound or 1.0),
        ]
        for layer in layers:
            layer["kernel"] = weight_noise.noisy(
                layer["kernel"], self.kernel_size is not None
            )
        return layers

    def apply(self, prepared, x, conditioning=None):
        self._check_conditioning(conditioning)
        first, second, last = prepared
        x = tf.cast(x, first["kernel"].dtype)
        if self.input_bound is not None:
            x = tf.math.tanh(x * (1.0 / self.input_bound))
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
    """The paper's network of a split prior: a bounded `ScaledLinear`.

    At initialization its kernels and its output are zero.
    """

    def __init__(self, *args, input_bound=4.0, output_bound=5.0, **kwargs):
        bounds = dict(input_bound=input_bound, output_bound=output_bound)
        super().__init__(*args, **bounds, **kwargs)

    def initialized(self, weights, x):
        """Returns `weights`, because outputs of zero cannot be normalized."""
        return weights


@keras.saving.register_keras_serializable(package="tfp_glow")
class FeatureNetwork(keras.layers.Layer):
    """Features of every pixel of an image, by two 3x3 convolutions.

    ```none
    y = conv3x3(relu(conv3x3(x)))
    ```

    Maps `[N, H, W, C]` to `[N, H, W, num_filters]`. At initialization the
    features of inputs with variance 1 have a variance of about 1.

    Args:
        num_filters: positive `int`, width of both layers.
        edge_padding, **kwargs: see `StackedLayer`.
        seed: `int` or `None`.
    """

    def __init__(self, num_filters=32, edge_padding=True, seed=None, **kwargs):
        super().__init__(autocast=False, **kwargs)
        [num_filters] = _checks.positive_integer(num_filters=num_filters)
        self.num_filters = num_filters
        self.edge_padding = edge_padding
        self.seed = seed = _checks.seed(seed)
        generator = np.random.default_rng(_tf.known_seed(seed))
        seeds = generator.integers(2**31, size=2).tolist()
        self.hidden, self.last = (
            linear.ScaledLinear(
                num_filters,
                3,
                keras.initializers.VarianceScaling(scale, seed=seed),
                edge_padding=edge_padding,
                dtype=self.dtype_policy,
                name=name,
            )
            for name, scale, seed in zip(("hidden", "last"), (1.0, 2.0), seeds)
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
