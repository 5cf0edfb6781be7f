# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""A coupling layer: transforms one half of its input given the other half."""

import copy

import keras
import tensorflow as tf
from tensorflow_probability.python.internal import prefer_static as ps

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow import networks
from tfp_glow.bijectors import initialization
from tfp_glow.bijectors import joint
from tfp_glow.bijectors import transformers


class Coupling(initialization.DataDependent, joint.SplitBijector):
    """Transforms one half of the input, element by element, given the other.

    ```none
    x1, x2 = split(x)
    y1 = x1
    y2 = transformer.forward(x2, network(x1))
    log|det dy/dx| = sum{ log|dy2/dx2| }
    ```

    | | shape |
    |---|---|
    | `x`, `y` | `[..., C]` if `event_ndims=1`, `[..., H, W, C]` if 3 |
    | `network`'s input | `[N, ..., C // 2]`, or the rest if `change="first"` |
    | its output | `transformer.outputs_per_channel` times the changing channels |

    With `mask="checkerboard"` the halves are the two colors of a checkerboard
    over `H` and `W`. The network sees all `C` channels, with zeros where the
    board has the color that changes. With `mask="all"` every channel changes, and
    the network sees zeros in their place, so only conditioning matters to it.

    The network always sees exactly one batch dimension. It is evaluated once
    for each direction, log-det included.

    Example:

    ```python
    shift = tfg.Elementwise(1, tfb.Shift)  # any bijector of single elements
    coupling = tfg.Coupling(tf.sin, shift, event_ndims=1)
    coupling.forward([[1.0, 2.0]])  # y1 = 1, y2 = 2 + sin(1)
    ```

    References:
        Dinh et al., NICE, 2015, section 3.2.
    """

    def __init__(
        self,
        network,
        transformer="affine",
        change="second",
        mask="channel",
        event_ndims=3,
        dtype=None,
        validate_args=False,
        parameters=None,
        name="coupling",
    ):
        """Makes the bijector around a network.

        Args:
            network: callable from `Tensor` to `Tensor`: a Keras layer (its
                weights become the bijector's variables once it is built), a
                `tf.Module` or a function. Keyword arguments of the bijector's
                methods are passed on to it.
            transformer: `Transformer`, or the name of one.
            change: `"second"` or `"first"`, the half that changes.
            mask: `"channel"`, `"checkerboard"` or `"all"`.
            event_ndims: 1 for vectors, 3 for images.
            dtype: dtype that inputs must have, or `None` for any.
            validate_args: `bool`; it has no effect, because shapes are always
                checked.
            parameters: dictionary of a subclass' arguments, as in `tfb.Chain`.
            name: `str`.

        Raises:
            TypeError: if `network` is not callable.
            ValueError: for an unknown name, and later if the network's output
                has the wrong shape.
        """
        parameters = dict(locals()) if parameters is None else parameters
        if not callable(network):
            raise TypeError(
                "Invalid value received for argument `network`. Expected a "
                f"callable. Received: {type(network).__name__}"
            )
        _checks.choice("change", change, ("second", "first"))
        _checks.choice("mask", mask, ("channel", "checkerboard", "all"))
        if event_ndims not in ((3,) if mask == "checkerboard" else (1, 3)):
            raise ValueError(
                "Invalid value received for argument `event_ndims`. Expected "
                "1 for vectors or 3 for images, and 3 for a checkerboard. "
                f"Received: event_ndims={event_ndims!r}, mask={mask!r}"
            )
        with tf.name_scope(name) as name:
            self._network = network
            self._network_variables = ()
            self._transformer = transformers.get(transformer, "transformer")
            self._change = change
            self._mask = mask
            self._event_ndims = event_ndims
            super().__init__(
                forward_min_event_ndims=event_ndims,
                is_constant_jacobian=self._transformer.is_constant_jacobian,
                validate_args=validate_args,
                dtype=dtype,
                parameters=parameters,
                name=name,
            )
        self._find_network_variables()

    @classmethod
    def trainable(
        cls,
        event_shape,
        num_filters=512,
        seed=None,
        dtype=tf.float32,
        network="paper",
        **kwargs,
    ):
        """Makes a coupling with a new network, which initially outputs zeros.

        Args:
            event_shape: `[H, W, C]` or `[D]`.
            num_filters: positive `int`, width of the hidden layers.
            seed: `int` or `None`; the same seed gives the same network.
            dtype: floating dtype of the variables.
            network: `"paper"`, a Keras layer or an unbuilt network; see `Glow`.
            **kwargs: further arguments of the constructor.

        Raises:
            ValueError: for another rank, or too few channels to split.
        """
        event_shape = _checks.shape(
            "event_shape", event_shape, "[H, W, C] or [D]", ranks=[1, 3]
        )
        [num_filters] = _checks.positive_integer(num_filters=num_filters)
        # The constructor decides the transformer, and so the network's outputs.
        coupling = cls(
            tf.identity, event_ndims=len(event_shape), dtype=dtype, **kwargs
        )
        num_seen, num_outputs = network_channels(
            event_shape, coupling.transformer, coupling._change, coupling._mask
        )
        network = networks.make_network(
            network,
            num_outputs=num_outputs,
            num_filters=num_filters,
            spatial_shape=event_shape[:-1],
            seed=seed,
            dtype=tf.as_dtype(dtype).name,
        )
        network.build((None, *event_shape[:-1], num_seen))
        return coupling.copy(network=network)

    def __deepcopy__(self, memo):
        # Its variables are those of the copied network.
        return self.copy(network=copy.deepcopy(self.network, memo))

    @property
    def network(self):
        """The callable that computes the transformer's parameters."""
        return self._network

    @property
    def transformer(self):
        """The `Transformer` of the half that changes."""
        return self._transformer

    def initialize(self, x, **kwargs):
        """Initializes the network from data, if it is a `StackedLayer`.

        Returns `forward(x)`, computed after the initialization.
        """
        if isinstance(self.network, networks.StackedLayer):
            seen, _ = self.split(x)
            self.network.initialize(_tf.flatten_batch(seen, self._event_ndims))
        return self.forward(x, **kwargs)

    def split(self, x):
        """Splits the input into the half that the network sees and the other.

        With a checkerboard, both halves have the shape of `x`, with zeros for
        the cells of the other half.
        """
        _checks.at_least_rank(self, x, self._event_ndims)
        if self._mask == "checkerboard":
            cells = self._changing_cells(x)
            return x * (1.0 - cells), x * cells
        if self._mask == "all":
            return tf.zeros_like(x), x
        num_channels = _tf.event_shape(x, 1)[0]
        if isinstance(num_channels, int) and num_channels < 2:
            raise _too_few_channels(f"coupling `{self.name}`", x.shape)
        half = num_channels // 2
        first, second = tf.split(x, [half, num_channels - half], axis=-1)
        return (first, second) if self._change == "second" else (second, first)

    def join(self, kept, rest):
        if self._mask == "all":
            return rest
        if self._mask == "checkerboard":
            cells = self._changing_cells(rest)
            return kept * (1.0 - cells) + rest * cells
        halves = [kept, rest] if self._change == "second" else [rest, kept]
        return tf.concat(halves, axis=-1)

    def given(self, kept, **kwargs):
        """Evaluates the network on the half that is kept."""
        outputs = self._network(
            _tf.flatten_batch(kept, self._event_ndims), **kwargs
        )
        self._find_network_variables()
        outputs = tf.cast(outputs, kept.dtype)
        outputs = _tf.restore_batch(outputs, kept, self._event_ndims)
        if self._mask == "checkerboard":
            # Zero the unused cells so that they cannot overflow.
            outputs *= self._changing_cells(kept)
        return outputs

    def forward_given(self, x, context):
        self._check_outputs(context, x)
        return self._summed(x, *self._transformer.forward(x, context))

    def inverse_given(self, y, context):
        self._check_outputs(context, y)
        return self._summed(y, *self._transformer.inverse(y, context))

    def _check_outputs(self, outputs, x):
        per_channel = self._transformer.outputs_per_channel
        *event_shape, num_channels = x.shape[-self._event_ndims :]
        num_outputs = num_channels and num_channels * per_channel
        expected = [*event_shape, num_outputs]
        if not outputs.shape[-self._event_ndims :].is_compatible_with(expected):
            raise ValueError(
                f"Invalid output of the network of coupling `{self.name}`. "
                f"Expected shape {[None, *expected]}, {per_channel} for each "
                f"of {num_channels} channels. Received: {outputs.shape}"
            )

    def _summed(self, x, y, log_det):
        """Returns `y`, and the sum of the changing elements' log-dets."""
        # Some of TFP's bijectors lose the static shape.
        y.set_shape(x.shape)
        ndims = self._event_ndims
        if self._mask == "checkerboard":
            log_det *= self._changing_cells(x)
        if log_det.shape[-ndims:] != x.shape[-ndims:]:
            event_shape = ps.stack(_tf.event_shape(x, ndims))
            log_det *= tf.ones(event_shape, x.dtype)
        return y, tf.reduce_sum(log_det, axis=list(range(-ndims, 0)))

    def _changing_cells(self, x):
        height, width = ps.shape(x)[-3], ps.shape(x)[-2]
        parity = tf.range(height)[:, tf.newaxis] + tf.range(width)
        offset = 1 if self._change == "first" else 0
        return tf.cast((parity + offset) % 2, x.dtype)[..., tf.newaxis]

    def _find_network_variables(self):
        # `tf.Module` finds variables in attributes, but not in Keras layers. The
        # first call may build a layer and so make its weights.
        if isinstance(self._network, keras.layers.Layer):
            weights = self._network.weights
            if len(weights) != len(self._network_variables):
                self._network_variables = tuple(w.value for w in weights)


def network_channels(event_shape, transformer, change="second", mask="channel"):
    """Returns the numbers of input and output channels of a coupling's network.

    Raises:
        ValueError: if the events `[..., C]` have too few channels to split.
    """
    num_seen = num_changed = event_shape[-1]
    if mask == "channel":
        if event_shape[-1] < 2:
            raise _too_few_channels("a coupling", event_shape)
        num_seen = event_shape[-1] // 2
        num_changed = event_shape[-1] - num_seen
        if change == "first":
            num_seen, num_changed = num_changed, num_seen
    return num_seen, num_changed * transformer.outputs_per_channel


def _too_few_channels(receiver, shape):
    return ValueError(
        f"Invalid shape received by {receiver}. Expected at least 2 channels, "
        f"the last dimension, to split in two. Received: shape {tuple(shape)}"
    )
