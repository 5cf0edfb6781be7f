# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""A convolution or matrix product with a learned scale."""

import math

import keras
import tensorflow as tf

from tfp_glow import _tf
from tfp_glow.networks import convolution
from tfp_glow.networks import stacked


@keras.saving.register_keras_serializable(package="tfp_glow")
class ScaledLinear(stacked.StackedLayer):
    """A convolution or matrix product with a learned scale of its outputs.

    ```none
    y = exp(3 log_scale) * (linear(bound(x)) + shift)
    y = bound(y + conditioning_map(conditioning))
    ```

    The factor 3 makes `log_scale` learn faster, as in `conv2d_zeros` of the
    paper's code. The conditioning map is a matrix product at every pixel. By
    default there are no bounds. `StackedLayer` describes the shapes.

    Args:
        kernel_size: odd `int`, or `None` for a matrix product of vectors.
        kernel_initializer, conditioning_initializer: Keras initializers.
        num_outputs, edge_padding, input_bound, output_bound, **kwargs: see
            `StackedLayer`. A 1x1 kernel has no padding.
    """

    def __init__(
        self,
        num_outputs=None,
        kernel_size=None,
        kernel_initializer="zeros",
        conditioning_initializer="zeros",
        edge_padding=False,
        input_bound=None,
        output_bound=None,
        **kwargs,
    ):
        edge_padding = edge_padding and (kernel_size or 1) > 1
        super().__init__(
            num_outputs, edge_padding, input_bound, output_bound, **kwargs
        )
        get = keras.initializers.get
        self.kernel_size = kernel_size
        self.kernel_initializer = get(kernel_initializer)
        self.conditioning_initializer = get(conditioning_initializer)

    def build(self, input_shape):
        for name, (shape, init) in self._specs(input_shape[-1]).items():
            # Without autocast, `prepare` folds the weights in their own dtype.
            weight = self.add_weight(shape, init, name=name, autocast=False)
            setattr(self, name, weight)

    def stacked_variables(self, num_inputs, num_steps):
        variables = {}
        for name, (shape, init) in self._specs(num_inputs).items():
            value = init((num_steps, *shape), dtype=self.variable_dtype)
            variables[name] = tf.Variable(value, name=f"{self.name}/{name}")
        return variables

    def own_weights(self):
        return {weight.name: weight for weight in self.weights}

    def fold(self, weights, gain=1.0, divisor=1.0):
        """Returns the weights of `linear`.

        They are for inputs that are divided by `gain` before it, and for outputs
        that are divided by `divisor`, without the conditioning.
        """
        bias = tf.convert_to_tensor(weights["shift"])
        folded = {"kernel": tf.convert_to_tensor(weights["kernel"])}
        if gain != 1.0:
            folded["kernel"] *= gain
        if self.edge_padding:
            # edge = 1 - inside, and `inside` is a channel of ones, zero-padded.
            folded["ones_kernel"] = -weights["edge_kernel"]
            bias -= tf.reduce_sum(folded["ones_kernel"], axis=[-4, -3, -2])
        folded["bias"] = bias
        scale = tf.exp(3.0 * weights["log_scale"] - math.log(divisor))
        folded["bias"] *= scale
        ones = [1] * (folded["kernel"].shape.rank - scale.shape.rank)
        shape = [*scale.shape[:-1], *ones, scale.shape[-1]]
        scale = tf.reshape(scale, shape)
        for name in folded.keys() - {"bias"}:
            folded[name] *= scale
        if self.conditioning_size is not None:
            folded["conditioning_kernel"] = weights["conditioning_kernel"]
        return folded

    def apply(self, prepared, x, conditioning=None):
        self._check_conditioning(conditioning)
        y = linear(bound(x, self.input_bound), prepared, conditioning)
        return bound(y, self.output_bound)

    def initialized(self, weights, x):
        """Returns weights that give outputs mean 0 and variance 1, before a bound."""
        zeros = tf.zeros_like(weights["shift"])
        plain = {**weights, "shift": zeros, "log_scale": zeros}
        y = linear(bound(x, self.input_bound), self.fold(plain))
        mean, deviation = _tf.moments(y)
        log_scale = -tf.math.log(deviation) / 3.0
        return {**weights, "shift": -mean, "log_scale": log_scale}

    def get_config(self):
        config = super().get_config()
        config["kernel_size"] = self.kernel_size
        for name in ("kernel_initializer", "conditioning_initializer"):
            config[name] = keras.initializers.serialize(getattr(self, name))
        return config

    def _specs(self, num_inputs):
        """Returns the shape and the initializer of every weight, by name."""
        self._check_buildable()
        size = (self.kernel_size,) * 2 if self.kernel_size else ()
        n, zeros = self.num_outputs, keras.initializers.Zeros()
        specs = {"kernel": ((*size, num_inputs, n), self.kernel_initializer)}
        if self.edge_padding:
            specs["edge_kernel"] = ((*size, 1, n), zeros)
        specs["shift"] = specs["log_scale"] = ((n,), zeros)
        if self.conditioning_size is not None:
            shape = (self.conditioning_size, n)
            specs["conditioning_kernel"] = shape, self.conditioning_initializer
        return specs


def linear(x, weights, conditioning=None, activation=tf.identity):
    """Returns `activation(linear(x) + bias + conditioning_map(conditioning))`.

    `weights` are the result of `ScaledLinear.fold`, without leading dimensions.
    """
    kernel, bias = weights["kernel"], weights["bias"]
    x = tf.cast(x, kernel.dtype)
    # Without this `tf.reshape` would mix rows, and `conv2d` would form groups.
    if x.shape[-1] is None:
        x = tf.ensure_shape(x, [*x.shape[:-1], kernel.shape[-2]])
    elif x.shape[-1] != kernel.shape[-2]:
        raise ValueError(
            f"Invalid shape received by a network. Expected {kernel.shape[-2]} "
            f"channels, the last dimension. Received: shape {x.shape}"
        )
    # TensorFlow fuses an activation that directly follows the bias.
    inner = activation if conditioning is None else tf.identity
    if kernel.shape[:-2].num_elements() == 1:
        # A matrix product computes a 1x1 convolution, up to twice as fast.
        rows = tf.reshape(x, [-1, kernel.shape[-2]])
        kernel = tf.reshape(kernel, kernel.shape[-2:])
        y = inner(tf.nn.bias_add(tf.matmul(rows, kernel), bias))
        pixels = x.shape[1:-1]
        if pixels.is_fully_defined():  # This is less to compute.
            shape = [-1, *pixels, *bias.shape]
        else:
            shape = tf.concat([tf.shape(x)[:-1], bias.shape], axis=0)
        y = tf.reshape(y, shape)
        y.set_shape([*x.shape[:-1], *bias.shape])
    else:
        conv2d = convolution.CONV2D.get()
        y = conv2d(x, kernel)
        if "ones_kernel" in weights:
            # The channel of ones is convolved separately because it is the same
            # for every image, and because 513 input channels would keep a GPU
            # from using its tensor cores.
            if x.shape[1:3].is_fully_defined():
                ones = tf.ones([1, *x.shape[1:3], 1], x.dtype)
            else:
                ones = tf.ones_like(x[:1, ..., :1])
            ones = conv2d(ones, weights["ones_kernel"])
            y = inner(y + tf.nn.bias_add(ones, bias))
        else:
            y = inner(tf.nn.bias_add(y, bias))
    if conditioning is None:
        return y
    more = tf.cast(conditioning, y.dtype) @ weights["conditioning_kernel"]
    if more.shape.rank == 2 and y.shape.rank == 4:
        more = more[:, tf.newaxis, tf.newaxis, :]
    return activation(y + more)


def bound(x, limit):
    """Returns `limit * tanh(x / limit)`, or `x` if the limit is `None`."""
    return x if limit is None else limit * tf.math.tanh(x / limit)
