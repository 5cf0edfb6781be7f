# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The networks inside couplings and priors, as Keras layers."""

import keras
import numpy as np
import tensorflow as tf

from tfp_glow import checks

# In units of the normalised activations; see `CouplingNetwork`.
INPUT_BOUND = 4.0
OUTPUT_BOUND = 5.0


@keras.saving.register_keras_serializable(package="tfp_glow")
class ScaledLinear(keras.layers.Layer):
    """A convolution or matrix product with a learned scale of its outputs.

    ```none
    y = exp(3 log_scale) * (linear(x) + shift)
    ```

    `log_scale` is multiplied by 3 to learn faster, as in the paper's code.

    Shapes: `[N, H, W, C]` to `[N, H, W, units]`, or `[N, C]` to `[N, units]` if
    `kernel_size` is `None`.

    A layer is also a pair of functions of weights that are kept elsewhere, as
    the K steps of a flow stack theirs: `fold` brings the weights, with any
    leading dimensions, into the form that `apply` uses, `(kernel, bias)`.

    Under a mixed policy the weights are folded in their own precision, and only
    `apply` computes in the other.
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
        super().__init__(autocast=False, **kwargs)
        self.units = units
        self.kernel_size = kernel_size
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.edge_padding = edge_padding and (kernel_size or 1) > 1

    def build(self, input_shape):
        for name, (shape, initializer) in self._specs(input_shape[-1]).items():
            weight = self.add_weight(
                shape=shape, initializer=initializer, name=name
            )
            setattr(self, name, weight)

    def stacked_variables(self, num_inputs, num_steps):
        """Fresh weights of `num_steps` such layers.

        Args:
            num_inputs: `int`, channels of the input.
            num_steps: `int`, K.

        Returns:
            Dictionary of `tf.Variable`s of shape `[K, ...]`.
        """
        return {
            name: tf.Variable(
                initializer((num_steps, *shape), dtype=self.variable_dtype),
                name=f"{self.name}/{name}",
            )
            for name, (shape, initializer) in self._specs(num_inputs).items()
        }

    def call(self, x):
        return self.apply(computed(self, self.fold(self.tensors())), x)

    def tensors(self):
        """The layer's own weights, by name."""
        names = ["kernel", "shift", "log_scale"]
        names += ["edge_kernel"] if self.edge_padding else []
        return {
            name: tf.convert_to_tensor(getattr(self, name)) for name in names
        }

    def fold(self, weights, gain=1.0):
        """Kernel and bias, scale and edge included, of inputs times `gain`."""
        kernel, bias = gain * weights["kernel"], weights["shift"]
        if self.edge_padding:
            # What is 1 at the edge and 0 inside is 1 less what is 1 inside and
            # 0 at the edge, which is how a channel of ones is padded.
            edge = weights["edge_kernel"]
            kernel = tf.concat([kernel, -edge], axis=-2)
            bias += tf.reduce_sum(edge, axis=[-4, -3, -2])
        scale = tf.exp(3.0 * weights["log_scale"])
        ones = [1] * (kernel.shape.rank - scale.shape.rank)
        over_kernel = tf.reshape(
            scale, [*scale.shape[:-1], *ones, scale.shape[-1]]
        )
        return kernel * over_kernel, bias * scale

    def apply(self, folded, x):
        """The layer's outputs, given what `fold` returns."""
        x = tf.cast(x, folded[0].dtype)
        return linear(with_ones(x) if self.edge_padding else x, *folded)

    def initialized(self, weights, x):
        """The weights, with outputs of `x` of mean 0 and variance 1."""
        zeros = tf.zeros_like(weights["shift"])
        plain = {**weights, "shift": zeros, "log_scale": zeros}
        y = self.apply(self.fold(plain), x)
        mean, variance = tf.nn.moments(y, axes=list(range(y.shape.rank - 1)))
        log_scale = -tf.math.log(tf.sqrt(variance) + 1e-6) / 3.0
        return {**weights, "shift": -mean, "log_scale": log_scale}

    def initialize(self, x):
        """Sets shift and scale so that every output of `x` is normalised."""
        weights = self.initialized(self.tensors(), x)
        self.shift.assign(weights["shift"])
        self.log_scale.assign(weights["log_scale"])

    def _specs(self, num_inputs):
        """Shape and initializer of every weight, by name."""
        size = (self.kernel_size,) * 2 if self.kernel_size else ()
        zeros = keras.initializers.Zeros()
        specs = {
            "kernel": (
                (*size, num_inputs, self.units),
                self.kernel_initializer,
            )
        }
        if self.edge_padding:
            specs["edge_kernel"] = ((*size, 1, self.units), zeros)
        specs["shift"] = specs["log_scale"] = ((self.units,), zeros)
        return specs

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
        super().__init__(autocast=False, **kwargs)
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

    @property
    def _layers_in_order(self):
        return [*self.hidden, self.last]

    def build(self, input_shape):
        for layer in self._layers_in_order:
            layer.build(input_shape)
            input_shape = layer.compute_output_shape(input_shape)

    def stacked_variables(self, num_inputs, num_steps):
        """Fresh weights of `num_steps` such networks; see `ScaledLinear`."""
        variables = {}
        for layer in self._layers_in_order:
            variables[layer.name] = layer.stacked_variables(
                num_inputs, num_steps
            )
            num_inputs = layer.units
        return variables

    def call(self, x):
        return self.apply(computed(self, self.fold(self.tensors())), x)

    def tensors(self):
        """The network's own weights, by the names of its layers."""
        return {layer.name: layer.tensors() for layer in self._layers_in_order}

    def fold(self, weights):
        """Kernels and biases that include the bounds' factors.

        Args:
            weights: as `stacked_variables`, with any leading dimensions, or
                none.

        Returns:
            A list of pairs of a kernel and a bias.
        """
        first, second, last = (
            layer.fold(weights[layer.name], gain)
            for layer, gain in zip(
                self._layers_in_order, [self.input_bound or 1.0, 1.0, 1.0]
            )
        )
        if self.last.edge_padding:
            second = _with_constant_output(*second)
        if self.output_bound is not None:
            last = tuple(values / self.output_bound for values in last)
        return [first, second, last]

    def apply(self, folded, x):
        """The network's outputs, given what `fold` returns."""
        first, second, last = folded
        x = tf.cast(x, first[0].dtype)
        if self.input_bound is not None:
            x = tf.math.tanh(x / self.input_bound)
        if self.hidden[0].edge_padding:
            x = with_ones(x)
        x = linear(x, *first, activation=tf.nn.relu)
        x = linear(x, *second, activation=tf.nn.relu)
        y = linear(x, *last)
        if self.output_bound is not None:
            y = self.output_bound * tf.math.tanh(y)
        return y

    def initialized(self, weights, x):
        """The weights, with norms of the hidden layers set from inputs."""
        weights = dict(weights)
        x = bound(tf.cast(x, self.variable_dtype), self.input_bound)
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


def computed(layer, folded):
    """What a layer's `fold` returns, in the dtype that it computes in."""
    return tf.nest.map_structure(
        lambda weight: tf.cast(weight, layer.compute_dtype), folded
    )


def linear(x, kernel, bias, activation=tf.identity):
    """A convolution, or a matrix product of vectors, and a bias."""
    if kernel.shape[:-2].num_elements() > 1:
        y = tf.nn.conv2d(x, kernel, strides=1, padding="SAME")
        return activation(tf.nn.bias_add(y, bias))
    # Of a 1x1 kernel too: faster than its convolution, on small images twice.
    rows = tf.reshape(x, [-1, x.shape[-1]])
    kernel = tf.reshape(kernel, kernel.shape[-2:])
    y = activation(tf.nn.bias_add(tf.matmul(rows, kernel), bias))
    y = tf.reshape(y, tf.concat([tf.shape(x)[:-1], [bias.shape[-1]]], axis=0))
    return tf.ensure_shape(y, [*x.shape[:-1], bias.shape[-1]])


def with_ones(x):
    """Images with one more channel, of ones."""
    return tf.pad(x, [[0, 0]] * 3 + [[0, 1]], constant_values=1)


def bound(x, limit):
    """`limit * tanh(x / limit)`, or `x` if there is no limit."""
    return x if limit is None else limit * tf.math.tanh(x / limit)


def _with_constant_output(kernel, bias):
    """Kernel and bias of a layer that has one more output, always 1."""
    kernel = tf.pad(kernel, [[0, 0]] * (kernel.shape.rank - 1) + [[0, 1]])
    bias = tf.pad(
        bias, [[0, 0]] * (bias.shape.rank - 1) + [[0, 1]], constant_values=1
    )
    return kernel, bias


def _check_bounds(**bounds):
    for name, value in bounds.items():
        if value is not None and not value > 0:
            raise ValueError(
                f"Invalid value received for argument `{name}`. Expected a "
                f"positive number or None. Received: {name}={value!r}"
            )
