# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Any Keras layer as the network of a coupling, and the choice of a network."""

import contextlib
import random

import keras
import tensorflow as tf

from tfp_glow import _checks
from tfp_glow.networks import linear
from tfp_glow.networks import paper
from tfp_glow.networks import stacked


@keras.saving.register_keras_serializable(package="tfp_glow")
class LayerNetwork(stacked.StackedLayer):
    """A Keras layer, followed by a convolution that starts at zero.

    ```none
    h = layer(concat(bound(x), conditioning))
    y = bound(exp(3 log_scale) * (conv3x3(h) + shift))
    ```

    `StackedLayer` describes the shapes. The layer must not have state, unlike
    `Dropout` and `BatchNormalization`, because both directions of a coupling
    have to evaluate the same function.

    Example: a residual network. Without options `network=Residual(64)` does.

    ```python
    @keras.saving.register_keras_serializable(package="my_package")
    class Residual(keras.layers.Layer):
        def __init__(self, num_filters, **kwargs):
            super().__init__(**kwargs)
            self.first = keras.layers.Conv2D(num_filters, 3, padding="same")
            self.second = keras.layers.Conv2D(num_filters, 3, padding="same")

        def build(self, input_shape):
            self.first.build(input_shape)
            self.second.build(self.first.compute_output_shape(input_shape))

        def call(self, x):
            h = self.first(x)
            return h + self.second(keras.ops.silu(h))

    network = tfg.networks.LayerNetwork(Residual(64), output_bound=3.0)
    flow = tfg.Glow([8, 8, 3], network=network)
    ```

    Args:
        layer: `keras.layers.Layer` that keeps height and width. The network
            copies it, with new weights, and has its dtype policy.
        spatial_shape: `(H, W)` for images, `()` for vectors.
        seed: `int` or `None`, for those initializers that have no seed.
        num_outputs, **kwargs: see `StackedLayer`; `dtype` is ignored.

    Raises:
        TypeError: if `layer` is not a Keras layer.
        ValueError: in `build`, if `layer` has state or changes the size.
    """

    def __init__(
        self, layer, num_outputs=None, spatial_shape=(), seed=None, **kwargs
    ):
        if not isinstance(layer, keras.layers.Layer):
            raise TypeError(
                "Invalid value received for argument `layer`. Expected a Keras "
                f"layer. Received: {type(layer).__name__}"
            )
        super().__init__(num_outputs, **kwargs | dict(dtype=layer.dtype_policy))
        self.spatial_shape = tuple(spatial_shape)
        self.seed = seed
        with _default_seeds(seed):
            self.layer = layer.from_config(layer.get_config())
        self.last = linear.ScaledLinear(
            num_outputs,
            3 if self.spatial_shape else None,
            edge_padding=self.edge_padding,
            dtype=self.dtype_policy,
            name="last",
        )

    def build(self, input_shape):
        num_hidden = self._build_layer(self.layer, input_shape[-1])
        self.last.build((None, *self.spatial_shape, num_hidden))

    def stacked_variables(self, num_inputs, num_steps):
        with _default_seeds(self.seed):
            layers = []
            for _ in range(num_steps):
                layers.append(self.layer.from_config(self.layer.get_config()))
                num_hidden = self._build_layer(layers[-1], num_inputs)
        stacks = []
        for weights in zip(*(layer.trainable_variables for layer in layers)):
            name = f"layer/{len(stacks)}_{weights[0].name}"
            values = tf.stack([w.value for w in weights])
            stacks.append(tf.Variable(values, name=name))
        last = self.last.stacked_variables(num_hidden, num_steps)
        return {"layer": stacks, "last": last}

    def own_weights(self):
        own = self.layer.trainable_variables
        return {"layer": own, "last": self.last.own_weights()}

    def fold(self, weights):
        return {**weights, "last": self.last.fold(weights["last"])}

    def apply(self, prepared, x, conditioning=None):
        self._check_conditioning(conditioning)
        x = linear.bound(tf.cast(x, self.compute_dtype), self.input_bound)
        if conditioning is not None:
            more = tf.cast(conditioning, x.dtype)
            if more.shape.rank == 2 and self.spatial_shape:
                more = more[:, tf.newaxis, tf.newaxis, :]
            shape = tf.concat([tf.shape(x)[:-1], [more.shape[-1]]], axis=0)
            x = tf.concat([x, tf.broadcast_to(more, shape)], axis=-1)
        h = self._evaluate(prepared["layer"], x)
        y = linear.linear(h, prepared["last"])
        return linear.bound(y, self.output_bound)

    def get_config(self):
        return {
            **super().get_config(),
            "layer": self.layer,  # Keras serializes it.
            "spatial_shape": self.spatial_shape,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        if isinstance(config["layer"], dict):
            layer = keras.layers.deserialize(config["layer"])
            config = {**config, "layer": layer}
        return super().from_config(config)

    def _build_layer(self, layer, num_inputs):
        """Builds a copy of the layer and returns its number of outputs."""
        self._check_buildable()
        num_inputs += self.conditioning_size or 0
        shape = (None, *self.spatial_shape, num_inputs)
        output = layer(keras.KerasTensor(shape, dtype=self.compute_dtype))
        if layer.non_trainable_variables:
            expected = "a layer without state, unlike `Dropout`"
            raise _checks.invalid_value("layer", layer, expected)
        if tuple(output.shape[:-1]) != shape[:-1]:
            expected = f"outputs of shape {(*shape[:-1], 'any')}"
            received = f"{layer} with outputs of shape {output.shape}"
            raise _checks.invalid_value("layer", received, expected)

        def evaluate(weights, x):
            # `stateless_call` would not apply the layer's own dtype policy.
            weights = list(zip(layer.trainable_variables, weights))
            with keras.StatelessScope(weights):
                return layer(x)

        # A network in a flow has no weights of its own. The closure hides the
        # layer's weights from Keras.
        self._evaluate = evaluate
        return output.shape[-1]


@contextlib.contextmanager
def _default_seeds(seed):
    """Temporarily seeds Python's `random`, which gives Keras default seeds."""
    state = random.getstate()
    if seed is not None:
        random.seed(seed)
    try:
        yield
    finally:
        if seed is not None:
            random.setstate(state)


def check_network(network):
    """Raises `ValueError` unless `network` is "paper" or a Keras layer."""
    if network != "paper" and not isinstance(network, keras.layers.Layer):
        expected = "'paper', a Keras layer, or a network without `num_outputs`"
        raise _checks.invalid_value("network", network, expected)


def make_network(network, *, spatial_shape, dtype=None, **config):
    """Makes the `StackedLayer` of a coupling, not yet built.

    Args:
        network: `"paper"` for a `CouplingNetwork`, a Keras layer for a
            `LayerNetwork` around it, or a `StackedLayer` to copy.
        spatial_shape, **config: arguments of `StackedLayer.sized`.
        dtype: dtype or Keras dtype policy for `"paper"`. A layer has its own.
    """
    template = _template(network, dtype)
    return template.sized(spatial_shape, name="network", **config)


def make_prior_network(network, *, spatial_shape, dtype=None, **config):
    """Makes the `PriorNetwork` of a split prior, not yet built.

    It has the dtype policy, the bounds and the padding of the couplings'
    `network`. See `make_network` for the arguments.
    """
    template = _template(network, dtype)
    return paper.PriorNetwork(
        kernel_size=3 if spatial_shape else None,
        edge_padding=template.edge_padding,
        input_bound=template.input_bound,
        output_bound=template.output_bound,
        dtype=template.dtype_policy,
        name="network",
        **config,
    )


def _template(network, dtype):
    check_network(network)
    if isinstance(network, stacked.StackedLayer):
        return network
    if isinstance(network, keras.layers.Layer):
        return LayerNetwork(network)
    return paper.CouplingNetwork(dtype=dtype)
