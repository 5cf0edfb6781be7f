# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Any Keras layer as the network of a coupling."""

import contextlib
import random

import keras
import tensorflow as tf

from tfp_glow import _checks
from tfp_glow.networks import bounds
from tfp_glow.networks import conditioning as conditioning_
from tfp_glow.networks import scaled_linear


@keras.saving.register_keras_serializable(package="tfp_glow")
class LayerNetwork(keras.layers.Layer):
    """A Keras layer between a bound of its input and a last layer, zero at first.

    ```none
    h = layer(concat(bound(x), conditioning))
    y = bound(exp(3 log_scale) * (conv3x3(h) + shift))
    ```

    The layer may have any number of output channels, and any weights, but no
    state: no dropout and no batch normalisation, since a coupling has to
    compute the same on its way back. Its dtype policy is the network's.

    Shapes: as `CouplingNetwork`'s.

    As in `ScaledLinear`, `fold`, `apply` and `initialized` are functions of
    weights: a dictionary of the list of those of the layer, and of those of
    the last.
    """

    def __init__(
        self,
        num_outputs,
        layer,
        spatial_shape,
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
            layer: `keras.layers.Layer` that keeps height and width. It is
                copied by its configuration, and every copy has weights of
                its own.
            spatial_shape: `(H, W)` of the images, or `()` for vectors.
            edge_padding: `bool`, of the last layer; see `ScaledLinear`.
            input_bound, output_bound, conditioning_size: see
                `CouplingNetwork`.
            seed: `int` or `None`; the same seed gives initializers without one
                the same numbers.
            **kwargs: arguments of `keras.layers.Layer` but `dtype`.

        Raises:
            TypeError: if `layer` is none.
            ValueError: if a bound is not positive.
        """
        if not isinstance(layer, keras.layers.Layer):
            raise TypeError(
                "Invalid value received for argument `layer`. Expected a "
                f"`keras.layers.Layer`. Received: {type(layer).__name__}"
            )
        kwargs["dtype"] = layer.dtype_policy
        super().__init__(autocast=False, **kwargs)
        _checks.positive_integer(num_outputs=num_outputs)
        bounds.check_bounds(input_bound=input_bound, output_bound=output_bound)
        self.num_outputs = num_outputs
        self.spatial_shape = tuple(spatial_shape)
        self.edge_padding = edge_padding
        self.input_bound = input_bound
        self.output_bound = output_bound
        self.conditioning_size = conditioning_size
        self.seed = seed
        with _seeded(seed):
            self.layer = _copy(layer)
        self.last = scaled_linear.ScaledLinear(
            num_outputs,
            3 if self.spatial_shape else None,
            edge_padding=edge_padding,
            dtype=self.dtype_policy,
            name="last",
        )

    def build(self, input_shape):
        num_hidden = self._build_layer(self.layer, input_shape[-1])
        self.last.build((None, *self.spatial_shape, num_hidden))

    def _build_layer(self, layer, num_inputs):
        """Makes the weights of a copy; returns its number of outputs."""
        num_inputs += self.conditioning_size or 0
        shape = (None, *self.spatial_shape, num_inputs)
        output = layer(keras.KerasTensor(shape, dtype=self.compute_dtype))
        if layer.non_trainable_variables:
            names = [v.path for v in layer.non_trainable_variables]
            raise ValueError(
                "Invalid value received for argument `layer`. Expected a layer "
                "without state, as dropout and batch normalisation have. "
                f"Received: {layer.name} with {names}"
            )
        if tuple(output.shape[:-1]) != shape[:-1]:
            raise ValueError(
                "Invalid value received for argument `layer`. Expected outputs "
                f"of shape {(*shape[:-1], 'any')}. Received: {output.shape}"
            )
        return output.shape[-1]

    def stacked_variables(self, num_inputs, num_steps):
        """Fresh weights of `num_steps` such networks; see `ScaledLinear`."""
        with _seeded(self.seed):
            copies = [_copy(self.layer) for _ in range(num_steps)]
            for layer in [self.layer, *copies]:
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

    def call(self, x, conditioning=None):
        folded = scaled_linear.computed(self, self.fold(self.tensors()))
        return self.apply(folded, x, conditioning)

    def tensors(self):
        """The network's own weights."""
        variables = self.layer.trainable_variables
        return {
            "layer": [tf.convert_to_tensor(v) for v in variables],
            "last": self.last.tensors(),
        }

    def fold(self, weights):
        """The weights, those of the last layer folded; see `ScaledLinear`."""
        return {**weights, "last": self.last.fold(weights["last"])}

    def apply(self, folded, x, conditioning=None):
        """The network's outputs, given what `fold` returns."""
        conditioning_.check_given(self, self.conditioning_size, conditioning)
        x = bounds.bound(tf.cast(x, self.compute_dtype), self.input_bound)
        if conditioning is not None:
            more = tf.cast(conditioning, x.dtype)
            if more.shape.rank == 2 and self.spatial_shape:
                more = more[:, tf.newaxis, tf.newaxis, :]
            shape = tf.concat([tf.shape(x)[:-1], [more.shape[-1]]], axis=0)
            x = tf.concat([x, tf.broadcast_to(more, shape)], axis=-1)
        h, _ = self.layer.stateless_call(folded["layer"], [], x)
        y = self.last.apply(folded["last"], h)
        return bounds.bound(y, self.output_bound)

    def initialized(self, weights, x):
        """The weights as they are: the layer has norms of its own, or none."""
        return weights

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.num_outputs)

    def get_config(self):
        config = super().get_config()
        del config["dtype"]  # The layer's.
        return {
            **config,
            "num_outputs": self.num_outputs,
            "layer": keras.layers.serialize(self.layer),
            "spatial_shape": self.spatial_shape,
            "edge_padding": self.edge_padding,
            "input_bound": self.input_bound,
            "output_bound": self.output_bound,
            "conditioning_size": self.conditioning_size,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config, layer=keras.layers.deserialize(config["layer"]))
        return cls(**config)


def _copy(layer):
    return type(layer).from_config(layer.get_config())


@contextlib.contextmanager
def _seeded(seed):
    """Makes Keras' default seeds those of a seed, and leaves no trace."""
    if seed is None:
        yield
        return
    # Keras draws the seeds of initializers that have none from here.
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
