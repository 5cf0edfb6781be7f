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

    The K steps of a flow run as a loop over stacked weights. One `StackedLayer`
    serves all K steps, because it is also a set of functions of weights:

    ```python
    weights = network.stacked_variables(num_inputs, num_steps=K)
    prepared = network.prepare(weights)  # For all K steps, before the loop.
    for k in range(K):
        step = tf.nest.map_structure(lambda w: w[k], prepared)
        outputs = network.apply(step, x, conditioning)
    ```

    As an ordinary Keras layer, called as `network(x, conditioning)`, it
    computes the same function of its own weights.

    | argument | shape |
    |---|---|
    | `x` | `[N, H, W, C]` for images, `[N, C]` for vectors |
    | `conditioning` | `[N, D]` or `[N, H, W, D]`; `None` if there is none |
    | output | `[N, H, W, num_outputs]` or `[N, num_outputs]` |
    | `weights` | nested; any leading dimensions, the same for all, or none |

    Under a mixed dtype policy the weights are folded in `variable_dtype`, and
    `apply` computes in `compute_dtype`.

    To add a network, subclass this class, implement `build`,
    `stacked_variables`, `own_weights`, `fold`, `apply` and perhaps
    `initialized`, and add the subclass's constructor arguments to
    `get_config`.
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
            num_outputs: positive `int`, or `None` for a template that only
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
        """Makes the weights of `num_steps` networks.

        Args:
            num_inputs: `int`, channels of the input.
            num_steps: `int`, K.

        Returns:
            Nested structure of `tf.Variable`s of shape `[K, ...]`, initialized
            as the layer's own weights would be.
        """
        raise NotImplementedError

    def own_weights(self):
        """Returns the layer's own weights, nested as `stacked_variables`."""
        raise NotImplementedError

    def fold(self, weights):
        """Rewrites weights into the form in which `apply` needs the least work.

        Args:
            weights: nested tensors, as `stacked_variables` returns them.

        Returns:
            Nested tensors with the same leading dimensions.
        """
        raise NotImplementedError

    def apply(self, prepared, x, conditioning=None):
        """Computes the outputs.

        Args:
            prepared: what `prepare` returns for weights without leading
                dimensions, or one step of it.
            x: `Tensor` `[N, H, W, C]` or `[N, C]`.
            conditioning: `Tensor` `[N, D]` or `[N, H, W, D]`, or `None`.

        Returns:
            `Tensor` of `compute_dtype`.

        Raises:
            ValueError: if conditioning is missing or unexpected.
        """
        raise NotImplementedError

    def initialized(self, weights, x):
        """Sets the normalization inside the network from data.

        Args:
            weights: nested tensors without leading dimensions.
            x: `Tensor`, a batch of inputs.

        Returns:
            The weights with new values where the network normalizes hidden
            activations. By default the same weights.
        """
        del x
        return weights

    def prepare(self, weights):
        """Folds weights in `variable_dtype` and casts to `compute_dtype`."""
        folded = self.fold(_cast(weights, self.variable_dtype))
        return _cast(folded, self.compute_dtype)

    def call(self, x, conditioning=None):
        return self.apply(self.prepare(self.own_weights()), x, conditioning)

    def initialize(self, x):
        """Sets the normalization of the layer's own weights from a batch."""
        own = self.own_weights()
        values = tf.nest.map_structure(tf.convert_to_tensor, own)
        tf.nest.map_structure(
            lambda weight, value: weight.assign(value),
            own,
            self.initialized(values, x),
        )

    def sized(self, spatial_shape, num_filters=None, **config):
        """Returns an unbuilt copy of other sizes and with weights of its own.

        Args:
            spatial_shape: `(H, W)` for images, `()` for vectors.
            num_filters: `int`, width of the hidden layers where this network
                does not set it.
            **config: new values of other constructor arguments. Those that the
                class does not have are ignored.
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
                "positive integer. Received: num_outputs=None. A network "
                "without it can only be an argument of a flow, "
                "`network=...`, which makes copies of the right size."
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
