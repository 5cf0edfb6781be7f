# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""LayerNetwork: any Keras layer as the network of a coupling."""

import contextlib
import random

import keras
import tensorflow as tf

from tfp_glow.networks import linear
from tfp_glow.networks import stacked


@keras.saving.register_keras_serializable(package="tfp_glow")
class LayerNetwork(stacked.StackedLayer):
    """A Keras layer, followed by a convolution that is zero at first.

    ```none
    h = layer(concat(bound(x), conditioning))
    y = bound(exp(3 log_scale) * (conv3x3(h) + shift))
    ```

    The layer may have any weights and any number of output channels. It must
    not have state, as `Dropout` and `BatchNormalization` have, because both
    directions of a coupling have to evaluate the same function. The network
    takes the layer's dtype policy. Shapes and bounds are those of
    `CouplingNetwork`.

    Gated residual networks, with and without self-attention, were no better
    than `CouplingNetwork` after equal training time, two minutes on photographs
    (`docs/benchmarks.md`). Longer training was not measured.

    Example: a residual network.

    ```python
    @keras.saving.register_keras_serializable(package="my_package")
    class Residual(keras.layers.Layer):
        def __init__(self, num_filters, **kwargs):
            super().__init__(**kwargs)
            self.num_filters = num_filters
            self.first, self.second = (
                keras.layers.Conv2D(num_filters, 3, padding="same")
                for _ in range(2)
            )

        def build(self, input_shape):
            self.first.build(input_shape)
            self.second.build(self.first.compute_output_shape(input_shape))

        def call(self, x):
            h = self.first(x)
            return h + self.second(keras.ops.silu(h))

        def get_config(self):
            return {**super().get_config(), "num_filters": self.num_filters}

    flow = tfg.Glow([8, 8, 3], network=Residual(64))
    # With options:
    network = tfg.networks.LayerNetwork(Residual(64), output_bound=3.0)
    flow = tfg.Glow([8, 8, 3], network=network)
    ```
    """

    def __init__(
        self, layer, num_outputs=None, spatial_shape=(), seed=None, **kwargs
    ):
        """Makes the network.

        Args:
            layer: `keras.layers.Layer` that keeps height and width. The network
                uses copies, made from the layer's config. Their weights are
                new.
            num_outputs: positive `int`, or `None` for a template.
            spatial_shape: `(H, W)` for images, `()` for vectors.
            seed: `int` or `None`, for the layer's initializers without a seed.
            **kwargs: arguments of `StackedLayer` except `dtype`.

        Raises:
            TypeError: if `layer` is not a Keras layer.
            ValueError: if a size is not a positive integer, or a bound is not
                positive. `build` raises it if the layer has state or changes
                height or width.
        """
        if not isinstance(layer, keras.layers.Layer):
            raise TypeError(
                "Invalid value received for argument `layer`. Expected a "
                f"`keras.layers.Layer`. Received: {type(layer).__name__}"
            )
        kwargs["dtype"] = layer.dtype_policy
        super().__init__(num_outputs, **kwargs)
        self.spatial_shape = tuple(spatial_shape)
        self.seed = seed
        with _default_seeds(seed):
            self.layer = _copy(layer)
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
            copies = [_copy(self.layer) for _ in range(num_steps)]
            for layer in copies:
                num_hidden = self._build_layer(layer, num_inputs)
        stacks = [
            tf.Variable(
                tf.stack([tf.convert_to_tensor(v) for v in variables]),
                name=f"layer/{i}_{variables[0].name}",
            )
            for i, variables in enumerate(
                zip(*(layer.trainable_variables for layer in copies))
            )
        ]
        last = self.last.stacked_variables(num_hidden, num_steps)
        return {"layer": stacks, "last": last}

    def own_weights(self):
        return {
            "layer": list(self.layer.trainable_variables),
            "last": self.last.own_weights(),
        }

    def fold(self, weights):
        """Folds the weights of the last convolution only."""
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
        layer = config["layer"]
        if isinstance(layer, dict):
            layer = keras.layers.deserialize(layer)
        return super().from_config({**config, "layer": layer})

    def _build_layer(self, layer, num_inputs):
        """Builds a copy of the layer and returns its number of outputs."""
        self._check_buildable()
        num_inputs += self.conditioning_size or 0
        shape = (None, *self.spatial_shape, num_inputs)
        output = layer(keras.KerasTensor(shape, dtype=self.compute_dtype))
        if layer.non_trainable_variables:
            names = [v.path for v in layer.non_trainable_variables]
            raise ValueError(
                "Invalid value received for argument `layer`. Expected a layer "
                "without state, which `Dropout` and `BatchNormalization` have. "
                f"Received: {layer.name} with {names}"
            )
        if tuple(output.shape[:-1]) != shape[:-1]:
            raise ValueError(
                "Invalid value received for argument `layer`. Expected outputs "
                f"of shape {(*shape[:-1], 'any')}. Received: {output.shape}"
            )

        def evaluate(weights, x):
            # `stateless_call` would not apply the layer's own dtype policy.
            weights = list(zip(layer.trainable_variables, weights))
            with keras.StatelessScope(weights):
                return layer(x)

        # If this network has no weights of its own, it holds a layer only as a
        # function. The closure hides that layer's weights from Keras.
        self._evaluate = evaluate
        return output.shape[-1]


def _copy(layer):
    return type(layer).from_config(layer.get_config())


@contextlib.contextmanager
def _default_seeds(seed):
    """Temporarily seeds the generator of Keras' default seeds."""
    if seed is None:
        yield
        return
    # Initializers without a seed draw one from Python's `random`.
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
