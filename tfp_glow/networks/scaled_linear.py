# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""A convolution or matrix product with a learned scale of its outputs."""

import keras
import tensorflow as tf


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
    leading dimensions, into the form that `apply` uses.

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
        """What `linear` takes, scale included, of inputs times `gain`."""
        kernel, bias = gain * weights["kernel"], weights["shift"]
        folded = [kernel, bias]
        if self.edge_padding:
            # What is 1 at the edge and 0 inside is 1 less what is 1 inside and
            # 0 at the edge, which is how a channel of ones is padded.
            inside = -weights["edge_kernel"]
            bias -= tf.reduce_sum(inside, axis=[-4, -3, -2])
            folded = [kernel, bias, inside]
        scale = tf.exp(3.0 * weights["log_scale"])
        return tuple(values * _over(scale, values) for values in folded)

    def apply(self, folded, x):
        """The layer's outputs, given what `fold` returns."""
        return linear(tf.cast(x, folded[0].dtype), *folded)

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


def computed(layer, folded):
    """What a layer's `fold` returns, in the dtype that it computes in."""
    return tf.nest.map_structure(
        lambda weight: tf.cast(weight, layer.compute_dtype), folded
    )


def linear(x, kernel, bias, ones_kernel=None, activation=tf.identity):
    """A convolution, or a matrix product of vectors, and a bias.

    With `ones_kernel` a channel of ones is convolved too. Not as a channel of
    the images: it is the same in all of them, and with 513 in the place of 512
    a GPU's tensor cores stand still.
    """
    if kernel.shape[:-2].num_elements() > 1:
        y = tf.nn.conv2d(x, kernel, strides=1, padding="SAME")
        if ones_kernel is None:
            return activation(tf.nn.bias_add(y, bias))
        ones = tf.ones_like(x[:1, ..., :1])
        same = tf.nn.conv2d(ones, ones_kernel, strides=1, padding="SAME")
        return activation(y + tf.nn.bias_add(same, bias))
    # Of a 1x1 kernel too: faster than its convolution, on small images twice.
    rows = tf.reshape(x, [-1, x.shape[-1]])
    kernel = tf.reshape(kernel, kernel.shape[-2:])
    y = activation(tf.nn.bias_add(tf.matmul(rows, kernel), bias))
    y = tf.reshape(y, tf.concat([tf.shape(x)[:-1], [bias.shape[-1]]], axis=0))
    return tf.ensure_shape(y, [*x.shape[:-1], bias.shape[-1]])


def _over(scale, values):
    """A scale of outputs, with dimensions for those that `values` has."""
    ones = [1] * (values.shape.rank - scale.shape.rank)
    return tf.reshape(scale, [*scale.shape[:-1], *ones, scale.shape[-1]])
