# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Coupling: one half of an input decides how the other half changes."""

import keras
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import prefer_static as ps

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow import networks
from tfp_glow.bijectors import joint

tfb = tfp.bijectors

MASKS = ("channel", "checkerboard")


class Coupling(joint.OneEvaluation):
    """Changes one half of the input, element by element, given the other.

    ```none
    x1, x2 = split(x)
    f = elementwise(network(x1))
    y1 = x1
    y2 = f(x2)
    log|det dy/dx| = sum{ log|df/dx2| }
    ```

    A subclass says how many numbers its network gives for every channel that
    changes, by the property `outputs_per_channel`, and what bijector of single
    elements they make, by the method `elementwise`.

    | | shape |
    |---|---|
    | `x`, `y` | `[..., C]` if `event_ndims=1`, `[..., H, W, C]` if 3 |
    | `network`'s input | `[N, ..., C // 2]`, or the rest if `change="first"` |
    | its output | `outputs_per_channel` times the channels that change |

    With `mask="checkerboard"` the halves are the two colours of a
    checkerboard over `H` and `W`; the network sees all `C` channels, zero
    where the board is of the colour that changes.

    The network sees exactly one batch dimension, whatever the input has, and
    is evaluated once for each direction, log-det included.

    Example:

    ```python
    class Shift(tfg.Coupling):
        outputs_per_channel = 1

        def elementwise(self, outputs):
            return tfb.Shift(outputs)

    coupling = Shift(tf.sin, event_ndims=1)
    coupling.forward([[1.0, 2.0]])  # y1 = 1, y2 = 2 + sin(1)
    ```

    References:
        Dinh et al., NICE, 2015, section 3.2.
    """

    def __init__(
        self,
        network,
        change="second",
        mask="channel",
        event_ndims=3,
        is_constant_jacobian=False,
        dtype=None,
        validate_args=False,
        parameters=None,
        name="coupling",
    ):
        """Makes the bijector around a network.

        Args:
            network: any callable from `Tensor` to `Tensor`: a Keras layer
                (its weights become the bijector's variables once it is
                built), a `tf.Module` or a function. Keyword arguments of the
                bijector's methods are handed on to it.
            change: `"second"` or `"first"`, the half that changes.
            mask: `"channel"` or `"checkerboard"`.
            event_ndims: 1 for vectors, 3 for images.
            is_constant_jacobian: `bool`; whether the log-det is the same for
                all inputs.
            dtype: dtype that inputs must have, or `None` for any.
            validate_args: `bool`; shapes are always checked, so this changes
                nothing here.
            parameters: dictionary of the arguments of a subclass whose
                constructor takes others.
            name: `str`.

        Raises:
            TypeError: if `network` cannot be called.
            ValueError: for an unknown name, suggesting the nearest, and, when
                used, if the network's output does not fit.
        """
        parameters = dict(locals()) if parameters is None else parameters
        if not callable(network):
            raise TypeError(
                "Invalid value received for argument `network`. Expected a "
                f"callable. Received: {type(network).__name__}"
            )
        _checks.choice("change", change, ("second", "first"))
        _checks.choice("mask", mask, MASKS)
        if event_ndims not in (1, 3) or (event_ndims, mask) == (
            1,
            "checkerboard",
        ):
            raise ValueError(
                "Invalid value received for argument `event_ndims`. Expected "
                "1 for vectors or 3 for images, and 3 for a checkerboard. "
                f"Received: event_ndims={event_ndims!r}, mask={mask!r}"
            )
        with tf.name_scope(name) as name:
            self._network = network
            self._network_variables = ()
            self._change = change
            self._mask = mask
            self._event_ndims = event_ndims
            super().__init__(
                forward_min_event_ndims=event_ndims,
                is_constant_jacobian=is_constant_jacobian,
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
        edge_padding=True,
        input_bound=networks.INPUT_BOUND,
        output_bound=networks.OUTPUT_BOUND,
        **kwargs,
    ):
        """Makes a coupling with the paper's network and fresh variables.

        Args:
            event_shape: `[H, W, C]` or `[D]`.
            num_filters: positive `int`, width of the hidden layers.
            seed: `int` or `None`; the same seed gives the same network.
            dtype: floating dtype of the variables.
            edge_padding, input_bound, output_bound: see
                `networks.CouplingNetwork`.
            **kwargs: further arguments of the constructor.

        Returns:
            A coupling of this class, whose network gives zeros at first.

        Raises:
            ValueError: if `event_shape` is neither, or too small to split.
        """
        event_shape = tuple(event_shape)
        if len(event_shape) not in (1, 3):
            raise ValueError(
                "Invalid value received for argument `event_shape`. Expected "
                f"[H, W, C] or [D]. Received: event_shape={event_shape}"
            )
        _checks.positive_integer(num_filters=num_filters)
        # The coupling, whatever its network, knows what that has to give.
        coupling = cls(
            tf.identity, event_ndims=len(event_shape), dtype=dtype, **kwargs
        )
        num_seen, num_outputs = coupling.network_channels(event_shape)
        network = networks.CouplingNetwork(
            num_outputs=num_outputs,
            num_filters=num_filters,
            kernel_size=3 if len(event_shape) == 3 else None,
            edge_padding=edge_padding,
            input_bound=input_bound,
            output_bound=output_bound,
            seed=seed,
            dtype=tf.as_dtype(dtype).name,
            name="network",
        )
        network.build((None, *event_shape[:-1], num_seen))
        return coupling.copy(network=network)

    @classmethod
    def _parameter_properties(cls, dtype):
        return dict()

    @property
    def network(self):
        """The callable that gives what `elementwise` takes."""
        return self._network

    @property
    def outputs_per_channel(self):
        """How many numbers the network gives for a channel that changes."""
        raise NotImplementedError

    def elementwise(self, outputs):
        """The bijector of single elements that the network's outputs make.

        Args:
            outputs: `Tensor` of shape `[..., C2 * outputs_per_channel]`, where
                the part that changes is `[..., C2]`.

        Returns:
            A `tfb.Bijector` of `forward_min_event_ndims=0`.
        """
        raise NotImplementedError

    def network_channels(self, event_shape):
        """How many channels the network sees, and how many it must give.

        Args:
            event_shape: `[..., C]`.

        Returns:
            Pair of `int`.
        """
        num_seen = num_changed = event_shape[-1]
        if self._mask == "channel":
            _check_can_split(self, event_shape)
            num_seen = event_shape[-1] // 2
            num_changed = event_shape[-1] - num_seen
            if self._change == "first":
                num_seen, num_changed = num_changed, num_seen
        return num_seen, num_changed * self.outputs_per_channel

    def initialize(self, x):
        """Lets the network set itself from data, if it has `initialize`.

        Args:
            x: `Tensor` of shape `[..., C]` or `[..., H, W, C]`.
        """
        if hasattr(self.network, "initialize"):
            seen, _ = self.split(x)
            self.network.initialize(_tf.flatten_batch(seen, self._event_ndims))

    def split(self, x):
        """The part that the network sees, and the part that changes.

        Args:
            x: `Tensor` of shape `[..., C]` or `[..., H, W, C]`.

        Returns:
            Pair of tensors; with a checkerboard both are of the shape of `x`
            and zero on the cells of the other.
        """
        _checks.at_least_rank(self, x, self._event_ndims)
        if self._mask == "checkerboard":
            cells = self._changing_cells(x)
            return x * (1.0 - cells), x * cells
        _check_can_split(self, x.shape)
        half = x.shape[-1] // 2
        first, second = tf.split(x, [half, x.shape[-1] - half], axis=-1)
        return (first, second) if self._change == "second" else (second, first)

    def join(self, seen, changed):
        """The inverse of `split`, and its transpose."""
        if self._mask == "checkerboard":
            cells = self._changing_cells(changed)
            return seen * (1.0 - cells) + changed * cells
        parts = [seen, changed]
        return tf.concat(
            parts if self._change == "second" else parts[::-1], axis=-1
        )

    def given(self, seen, **kwargs):
        """The bijector of the part that changes, given what the network sees.

        Args:
            seen: `Tensor`, the first part that `split` returns.
            **kwargs: handed on to the network, which is evaluated here.

        Returns:
            A `tfb.Bijector` of the second part. On a checkerboard's other
            cells its values mean nothing, and count nothing in its log-det.
        """
        outputs = self._network(
            _tf.flatten_batch(seen, self._event_ndims), **kwargs
        )
        self._find_network_variables()
        outputs = tf.cast(outputs, seen.dtype)
        outputs = _tf.restore_batch(outputs, seen, self._event_ndims)
        cells = None
        if self._mask == "checkerboard":
            cells = self._changing_cells(seen)
            # As at first, so that no extreme value arises where none is used.
            outputs *= cells
        return _OfEvents(
            lambda changed: self._checked_elementwise(outputs, changed),
            cells,
            self._event_ndims,
        )

    def _forward_and_log_det(self, x, **kwargs):
        seen, changed = self.split(x)
        changed, log_det = joint.forward_and_log_det(
            self.given(seen, **kwargs), changed, self._event_ndims
        )
        return self.join(seen, changed), log_det

    def _inverse_and_log_det(self, y, **kwargs):
        seen, changed = self.split(y)
        changed, log_det = joint.inverse_and_log_det(
            self.given(seen, **kwargs), changed, self._event_ndims
        )
        return self.join(seen, changed), log_det

    def _checked_elementwise(self, outputs, changed):
        num_outputs = changed.shape[-1] * self.outputs_per_channel
        expected = [*changed.shape[-self._event_ndims : -1], num_outputs]
        if not outputs.shape[-self._event_ndims :].is_compatible_with(expected):
            raise ValueError(
                f"Invalid output of the network of coupling `{self.name}`. "
                f"Expected shape {[None, *expected]}, "
                f"{self.outputs_per_channel} for each of {changed.shape[-1]} "
                f"channels. Received: {outputs.shape}"
            )
        return self.elementwise(outputs)

    def _changing_cells(self, x):
        height, width = ps.shape(x)[-3], ps.shape(x)[-2]
        parity = tf.range(height)[:, tf.newaxis] + tf.range(width)
        offset = 1 if self._change == "first" else 0
        return tf.cast((parity + offset) % 2, x.dtype)[..., tf.newaxis]

    def _find_network_variables(self):
        # `tf.Module` finds the variables that hang from attributes; those of a
        # Keras layer exist once it is built, perhaps by our first call.
        if isinstance(self._network, keras.layers.Layer):
            weights = self._network.weights
            if len(weights) != len(self._network_variables):
                self._network_variables = tuple(w.value for w in weights)


class _OfEvents(joint.OneEvaluation):
    """An elementwise bijector, whose log-det is summed over events' cells."""

    def __init__(self, elementwise, cells, event_ndims):
        parameters = dict(locals())
        self._elementwise = elementwise
        self._cells = cells
        super().__init__(
            forward_min_event_ndims=event_ndims,
            parameters=parameters,
            name="of_events",
        )

    @classmethod
    def _parameter_properties(cls, dtype):
        return dict()

    def _forward_and_log_det(self, x):
        y, log_det = joint.elementwise_forward(self._elementwise(x), x)
        return self._like(x, y), self._sum_event(log_det, x)

    def _inverse_and_log_det(self, y):
        x, log_det = joint.elementwise_inverse(self._elementwise(y), y)
        return self._like(y, x), self._sum_event(log_det, y)

    def _like(self, x, y):
        y.set_shape(x.shape)  # Not all of TFP's bijectors tell.
        return y

    def _sum_event(self, log_det, x):
        ndims = self.forward_min_event_ndims
        if (
            self._cells is not None
            or log_det.shape[-ndims:] != x.shape[-ndims:]
        ):
            counted = 1.0 if self._cells is None else self._cells
            counted = tf.cast(counted, x.dtype)
            log_det *= tf.broadcast_to(
                counted, ps.stack(_tf.event_shape(x, ndims))
            )
        return tf.reduce_sum(log_det, axis=list(range(-ndims, 0)))


def _check_can_split(coupling, shape):
    if shape[-1] is None or shape[-1] < 2:
        raise ValueError(
            f"Invalid shape received by coupling `{coupling.name}`. Expected "
            "at least 2 channels, the last dimension, to split in two. "
            f"Received: shape {tuple(shape)}"
        )
