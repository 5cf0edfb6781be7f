# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The networks inside couplings and priors, as Keras layers."""

import keras
import numpy as np
import tensorflow as tf

from tfp_glow import checks
from tfp_glow import shapes

# In units of the normalised activations; see `CouplingNetwork`.
INPUT_BOUND = 4.0
OUTPUT_BOUND = 5.0


@keras.saving.register_keras_serializable(package="tfp_glow")
class ScaledLinear(keras.layers.Layer):
    """A convolution or matrix product with a learned scale of its outputs.

    ```none
    y = exp(3 log_scale) * (linear(x) + shift)
    ```

    `log_scale` is multiplied by 3 to learn faster, as in the paper's code. The
    scale is applied to the kernel, which is smaller than the activations.

    Shapes: `[N, H, W, C]` to `[N, H, W, units]`, or `[N, C]` to `[N, units]` if
    `kernel_size` is `None`.
    """

    def __init__(
        self,
        units,
        kernel_size=None,
        kernel_initializer="zeros",
        edge_padding=False,
        **kwargs,
    ):
        """Makes the layer.

        Args:
            units: `int`, number of outputs.
            kernel_size: odd `int`, or `None` for a matrix product.
            kernel_initializer: as in `keras.layers.Conv2D`.
            edge_padding: `bool`; if true, the convolution also sees a channel
                that is 1 on the padding around the image and 0 inside, and so
                knows where the edge is.
            **kwargs: arguments of `keras.layers.Layer`.
        """
        super().__init__(**kwargs)
        self.units = units
        self.kernel_size = kernel_size
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.edge_padding = edge_padding and (kernel_size or 1) > 1

    def build(self, input_shape):
        size = (self.kernel_size,) * 2 if self.kernel_size else ()
        self.kernel = self.add_weight(
            shape=(*size, input_shape[-1], self.units),
            initializer=self.kernel_initializer,
            name="kernel",
        )
        if self.edge_padding:
            self.edge_kernel = self.add_weight(
                shape=(*size, 1, self.units),
                initializer="zeros",
                name="edge_kernel",
            )
        self.shift = self.add_weight(
            shape=(self.units,), initializer="zeros", name="shift"
        )
        self.log_scale = self.add_weight(
            shape=(self.units,), initializer="zeros", name="log_scale"
        )

    def call(self, x):
        scale = tf.exp(3.0 * tf.convert_to_tensor(self.log_scale))
        kernel = tf.convert_to_tensor(self.kernel) * scale
        shift = tf.convert_to_tensor(self.shift) + self._edge(x)
        return self._linear(x, kernel) + shift * scale

    def initialize(self, x):
        """Sets shift and scale so that every output of `x` is normalised."""
        y = self._linear(x, tf.convert_to_tensor(self.kernel)) + self._edge(x)
        mean, variance = tf.nn.moments(y, axes=list(range(y.shape.rank - 1)))
        self.shift.assign(-mean)
        self.log_scale.assign(-tf.math.log(tf.sqrt(variance) + 1e-6) / 3.0)

    def _linear(self, x, kernel):
        if self.kernel_size is None:
            return tf.matmul(x, kernel)
        return tf.nn.conv2d(x, kernel, strides=1, padding="SAME")

    def _edge(self, x):
        if not self.edge_padding:
            return 0.0
        # The edge channel is the same for the whole batch, so its part of the
        # convolution is computed once and added like a shift.
        border = self.kernel_size // 2
        height, width, _ = shapes.event_shape(x, 3)
        inside = tf.zeros([1, height, width, 1], x.dtype)
        pad = [[0, 0], [border, border], [border, border], [0, 0]]
        edge = tf.pad(inside, pad, constant_values=1)
        kernel = tf.convert_to_tensor(self.edge_kernel)
        return tf.nn.conv2d(edge, kernel, strides=1, padding="VALID")

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "kernel_size": self.kernel_size,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
            "edge_padding": self.edge_padding,
        }


@keras.saving.register_keras_serializable(package="tfp_glow")
class CouplingNetwork(keras.layers.Layer):
    """The paper's network: 3x3, 1x1, 3x3, the last layer zero at first.

    ```none
    h = relu(norm(conv3x3(bound(x))))
    h = relu(norm(conv1x1(h)))
    y = bound(exp(3 log_scale) * (conv3x3(h) + shift))
    bound(x) = limit * tanh(x / limit)
    ```

    The hidden layers' scale and shift are an activation norm that
    `initialize` sets from data. For vectors (`kernel_size=None`) the
    convolutions are matrix products.

    The two bounds are not the paper's. They lie outside what the network sees
    and says of data, and are what keeps samples finite: without them, an input
    far outside the data's range gives a far larger shift and a far smaller
    scale, whose inverse gives the next step an input that is larger yet.

    Shapes: `[N, H, W, C]` to `[N, H, W, num_outputs]`, or `[N, C]` to
    `[N, num_outputs]`.

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
        input_bound=INPUT_BOUND,
        output_bound=OUTPUT_BOUND,
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
            seed: `int` or `None`.
            **kwargs: arguments of `keras.layers.Layer`.

        Raises:
            ValueError: if a bound is not positive.
        """
        super().__init__(**kwargs)
        checks.positive_integer(
            num_outputs=num_outputs, num_filters=num_filters
        )
        _check_bounds(input_bound=input_bound, output_bound=output_bound)
        self.num_outputs = num_outputs
        self.num_filters = num_filters
        self.kernel_size = kernel_size
        self.edge_padding = edge_padding
        self.input_bound = input_bound
        self.output_bound = output_bound
        self.seed = seed
        hidden_sizes = (kernel_size, kernel_size and 1)
        seeds = np.random.default_rng(seed).integers(2**31, size=2).tolist()
        self.hidden = [
            ScaledLinear(
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
        self.last = ScaledLinear(
            num_outputs,
            kernel_size,
            edge_padding=edge_padding,
            dtype=self.dtype_policy,
            name="last",
        )

    def build(self, input_shape):
        for layer in [*self.hidden, self.last]:
            layer.build(input_shape)
            input_shape = layer.compute_output_shape(input_shape)

    def call(self, x):
        x = bound(x, self.input_bound)
        for layer in self.hidden:
            x = tf.nn.relu(layer(x))
        return bound(self.last(x), self.output_bound)

    def initialize(self, x):
        """Sets the hidden layers' norms from one batch of inputs."""
        x = bound(x, self.input_bound)
        for layer in self.hidden:
            layer.initialize(x)
            x = tf.nn.relu(layer(x))

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
            "seed": self.seed,
        }


@keras.saving.register_keras_serializable(package="tfp_glow")
class PriorNetwork(ScaledLinear):
    """The paper's split prior: one zero-initialised 3x3 convolution.

    Its input and output are bounded as `CouplingNetwork`'s are.
    """

    def __init__(
        self,
        units,
        input_bound=INPUT_BOUND,
        output_bound=OUTPUT_BOUND,
        **kwargs,
    ):
        super().__init__(units, **kwargs)
        _check_bounds(input_bound=input_bound, output_bound=output_bound)
        self.input_bound = input_bound
        self.output_bound = output_bound

    def call(self, x):
        y = super().call(bound(x, self.input_bound))
        return bound(y, self.output_bound)

    def get_config(self):
        return {
            **super().get_config(),
            "input_bound": self.input_bound,
            "output_bound": self.output_bound,
        }


def bound(x, limit):
    """`limit * tanh(x / limit)`, or `x` if there is no limit."""
    return x if limit is None else limit * tf.math.tanh(x / limit)


def _check_bounds(**bounds):
    for name, value in bounds.items():
        if value is not None and not value > 0:
            raise ValueError(
                f"Invalid value received for argument `{name}`. Expected a "
                f"positive number or None. Received: {name}={value!r}"
            )
