# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""StackedLayer: the interface of the networks inside couplings and priors."""

import keras
import tensorflow as tf

from tfp_glow import _checks

# Default limits of a network's inputs and outputs; see `CouplingNetwork`.
INPUT_BOUND = 4.0
OUTPUT_BOUND = 5.0


class StackedLayer(keras.layers.Layer):
    """A Keras layer that can also compute with weights passed as arguments.

    One layer thus serves all K steps of a flow, which run as a loop over
    stacked weights:

    ```python
    weights = network.stacked_variables(num_inputs, num_steps=K)
    prepared = network.prepare(weights)  # For all K steps, before the loop.
    for k in range(K):
        step = tf.nest.map_structure(lambda w: w[k], prepared)
        outputs = network.apply(step, x, conditioning)
    ```

    Called as a Keras layer, `network(x, conditioning)`, it computes the same
    function of its own weights.

    | | shape |
    |---|---|
    | `x` | `[N, H, W, C]` for images, `[N, C]` for vectors |
    | `conditioning` | `[N, D]` or `[N, H, W, D]`, or `None` |
    | output | `[N, H, W, num_outputs]` or `[N, num_outputs]` |
    | `weights` | nested tensors, with the same leading dimensions, or none |

    Under a mixed dtype policy `prepare` folds the weights in `variable_dtype`,
    and `apply` computes in `compute_dtype`.

    To add a network, subclass this class and implement `build`,
    `stacked_variables`, `own_weights`, `fold` and `apply`. Implement
    `initialized` if the network normalizes activations, and `get_config` if
    the constructor has arguments of its own.
    """

    def __init__(
        self,
        num_outputs=None,
        edge_padding=True,
        input_bound=INPUT_BOUND,
        output_bound=OUTPUT_BOUND,
        conditioning_size=None,
        **kwargs,
    ):
        """Makes the layer.

        Args:
            num_outputs: positive `int`, or `None` for a template, which only
                carries options; see `sized`.
            edge_padding: `bool`; if true, convolutions see one more channel,
                which is 1 on the padding around the image and 0 inside. It
                tells the network where the edge is.
            input_bound: positive `float`, limit of the input, or `None` for no
                limit.
            output_bound: positive `float`, limit of the output, or `None` for
                no limit.
            conditioning_size: positive `int`, channels of the conditioning, or
                `None` if there is none.
            **kwargs: arguments of `keras.layers.Layer`.

        Raises:
            ValueError: if a size is not a positive integer, or a bound is not
                positive.
        """
        super().__init__(autocast=False, **kwargs)
        if num_outputs is not None:
            _checks.positive_integer(num_outputs=num_outputs)
        if conditioning_size is not None:
            _checks.positive_integer(conditioning_size=conditioning_size)
        _check_bounds(input_bound=input_bound, output_bound=output_bound)
        self.num_outputs = num_outputs
        self.edge_padding = edge_padding
        self.input_bound = input_bound
        self.output_bound = output_bound
        self.conditioning_size = conditioning_size

    def stacked_variables(self, num_inputs, num_steps):
        """Makes nested `tf.Variable`s `[num_steps, ...]`, freshly initialized.

        Args:
            num_inputs: `int`, channels of the input.
            num_steps: `int`, K.
        """
        raise NotImplementedError

    def own_weights(self):
        """Returns the layer's Keras variables, nested as `stacked_variables`."""
        raise NotImplementedError

    def fold(self, weights):
        """Computes from `weights` all that does not depend on the input.

        The result is nested tensors with the same leading dimensions.
        """
        raise NotImplementedError

    def apply(self, prepared, x, conditioning=None):
        """Computes the outputs, in `compute_dtype`.

        Args:
            prepared: result of `prepare`, without leading dimensions.
            x, conditioning: `Tensor`s; see the class.

        Raises:
            ValueError: if conditioning is missing or unexpected.
        """
        raise NotImplementedError

    def initialized(self, weights, x):
        """Returns `weights` that normalize the activations of a batch `x`.

        `weights` have no leading dimensions. By default they stay as they are.
        """
        del x
        return weights

    def prepare(self, weights):
        """Folds weights in `variable_dtype`, then casts to `compute_dtype`."""
        folded = self.fold(_cast(weights, self.variable_dtype))
        return _cast(folded, self.compute_dtype)

    def call(self, x, conditioning=None):
        return self.apply(self.prepare(self.own_weights()), x, conditioning)

    def initialize(self, x):
        """Makes the layer's own weights normalize the activations of `x`."""
        own = self.own_weights()
        values = tf.nest.map_structure(tf.convert_to_tensor, own)
        tf.nest.map_structure(
            lambda weight, value: weight.assign(value),
            own,
            self.initialized(values, x),
        )

    def sized(self, spatial_shape, num_filters=None, **config):
        """Returns an unbuilt copy with other sizes.

        Args:
            spatial_shape: `(H, W)` for images, `()` for vectors.
            num_filters: `int`, width of the hidden layers unless this network
                has its own.
            **config: other constructor arguments. Those that the class does
                not have are ignored.
        """
        old = self.get_config()
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
                "without it as `network=` to a flow, which makes copies of "
                "the right size."
            )

    def _check_conditioning(self, conditioning):
        if (self.conditioning_size is None) == (conditioning is None):
            return
        expected = (
            "no conditioning, because `conditioning_size` is None"
            if self.conditioning_size is None
            else f"conditioning of {self.conditioning_size} channels"
        )
        received = None if conditioning is None else conditioning.shape
        raise ValueError(
            f"Invalid conditioning received by network `{self.name}`. Expected "
            f"{expected}. Received: {received}"
        )


def _cast(structure, dtype):
    return tf.nest.map_structure(
        lambda value: tf.cast(tf.convert_to_tensor(value), dtype), structure
    )


def _check_bounds(**bounds):
    for name, value in bounds.items():
        if value is not None and not value > 0:
            raise ValueError(
                f"Invalid value received for argument `{name}`. Expected a "
                f"positive number or None. Received: {name}={value!r}"
            )
