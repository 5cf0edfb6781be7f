# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""StackedLayer: the interface of the networks inside couplings and priors."""

import keras
import tensorflow as tf

from tfp_glow import _checks


class StackedLayer(keras.layers.Layer):
    """A Keras layer that can also compute with weights passed as arguments.

    So one layer serves all K steps of a flow:

    ```python
    weights = network.stacked_variables(num_inputs, num_steps=K)
    prepared = network.prepare(weights)  # For all K steps, before the loop.
    for k in range(K):
        step = tf.nest.map_structure(lambda w: w[k], prepared)
        outputs = network.apply(step, x, conditioning)
    outputs = network(x, conditioning)  # With the layer's own weights.
    ```

    | | shape |
    |---|---|
    | `x` | `[N, H, W, C]` for images, `[N, C]` for vectors |
    | `conditioning` | `[N, D]` or `[N, H, W, D]`, or `None` |
    | output | `[N, H, W, num_outputs]` or `[N, num_outputs]` |
    | `weights` | nested tensors, all with `[K]` in front, or all without |

    A subclass implements `build`, `stacked_variables`, `own_weights`, `fold` and
    `apply`, and `initialized` if the network normalizes activations.

    Args:
        num_outputs: positive `int`, or `None` for a template; see `sized`.
        edge_padding: `bool`; if true, convolutions see one more channel, which
            is 1 on the padding around the image and 0 inside.
        input_bound, output_bound: positive `float`, or `None` for no bound.
        conditioning_size: positive `int`, size of the conditioning, or `None`.
        **kwargs: arguments of `keras.layers.Layer`.

    Raises:
        ValueError: if a size is not a positive integer or a bound not positive.
    """

    def __init__(
        self,
        num_outputs=None,
        edge_padding=True,
        input_bound=4.0,
        output_bound=5.0,
        conditioning_size=None,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        if num_outputs is not None:
            [num_outputs] = _checks.positive_integer(num_outputs=num_outputs)
        if conditioning_size is not None:
            [conditioning_size] = _checks.positive_integer(
                conditioning_size=conditioning_size
            )
        bounds = dict(input_bound=input_bound, output_bound=output_bound)
        for name, value in bounds.items():
            if value is not None:
                expected = "a positive number or None"
                bounds[name] = _checks.number(
                    name, value, expected, lambda x: x > 0
                )
        self.num_outputs = num_outputs
        self.edge_padding = edge_padding
        self.input_bound = bounds["input_bound"]
        self.output_bound = bounds["output_bound"]
        self.conditioning_size = conditioning_size

    def stacked_variables(self, num_inputs, num_steps):
        """Makes nested, initialized `tf.Variable`s `[num_steps, ...]`."""
        raise NotImplementedError

    def own_weights(self):
        """Returns the layer's weights, nested as `stacked_variables`."""
        raise NotImplementedError

    def fold(self, weights):
        """Computes what does not depend on the input, as nested tensors."""
        raise NotImplementedError

    def apply(self, prepared, x, conditioning=None):
        """Computes the outputs in `compute_dtype`, given `prepare`'s result."""
        raise NotImplementedError

    def initialized(self, weights, x):
        """Returns weights of one step that normalize the activations of `x`."""
        return weights

    def prepare(self, weights):
        """Folds weights in `variable_dtype`, then casts to `compute_dtype`."""
        folded = self.fold(_cast(weights, self.variable_dtype))
        return _cast(folded, self.compute_dtype)

    def call(self, x, conditioning=None):
        return self.apply(self.prepare(self.own_weights()), x, conditioning)

    def initialize(self, x):
        """Sets the layer's own weights to normalize the activations of `x`."""
        own = self.own_weights()
        values = tf.nest.map_structure(tf.convert_to_tensor, own)
        found = self.initialized(values, x)
        tf.nest.map_structure(lambda w, value: w.assign(value), own, found)

    def sized(self, spatial_shape, num_filters=None, **config):
        """Returns an unbuilt copy of a template with other arguments.

        `spatial_shape` is `(H, W)` for images and `()` for vectors. A template
        keeps its own `num_filters`. It may lack `spatial_shape`, `num_filters`
        and `seed`; other arguments that it lacks raise `ValueError`.
        """
        old = self.get_config()
        for name in config:
            _checks.choice("config", name, {*old, "num_filters", "seed"})
        config["spatial_shape"] = spatial_shape
        config["num_filters"] = old.get("num_filters") or num_filters
        if not spatial_shape:
            config["kernel_size"] = None
        new = {name: config.get(name, value) for name, value in old.items()}
        return type(self).from_config(new)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.num_outputs)

    def get_config(self):
        return {
            **super().get_config(),
            "num_outputs": self.num_outputs,
            "edge_padding": self.edge_padding,
            "input_bound": self.input_bound,
            "output_bound": self.output_bound,
            "conditioning_size": self.conditioning_size,
        }

    def _check_buildable(self):
        if self.num_outputs is None:
            raise ValueError(
                f"Cannot build `{self.name}`. Expected `num_outputs`, a "
                "positive integer. Received: num_outputs=None. Pass a network "
                "without it as `network=` to a flow, which sets it."
            )

    def _check_conditioning(self, conditioning):
        size = self.conditioning_size
        if (size is None) != (conditioning is None):
            expected = "no conditioning, because `conditioning_size` is None"
            if size is not None:
                expected = f"conditioning of {size} channels"
            raise ValueError(
                f"Invalid conditioning received by network `{self.name}`. "
                f"Expected {expected}. "
                f"Received: {getattr(conditioning, 'shape', None)}"
            )


def _cast(structure, dtype):
    return tf.nest.map_structure(
        lambda value: tf.cast(tf.convert_to_tensor(value), dtype), structure
    )
