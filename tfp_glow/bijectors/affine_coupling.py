# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""AffineCoupling: one half of an input scales and shifts the other."""

import keras
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import prefer_static as ps

from tfp_glow import checks
from tfp_glow import networks
from tfp_glow import shapes
from tfp_glow.bijectors import one_evaluation
from tfp_glow.bijectors import scales

tfb = tfp.bijectors

MASKS = ("channel", "checkerboard")


class AffineCoupling(one_evaluation.OneEvaluation):
    """Scales and shifts one half of the input by functions of the other half.

    ```none
    x1, x2 = split(x)
    t, r = network(x1)
    y1 = x1
    y2 = s(r) * x2 + t
    log|det dy/dx| = sum{ log s(r) }
    ```

    | `scale` | `s(r)` | range |
    |---|---|---|
    | `"sigmoid"` | `sigmoid(r + 2)`, the paper's code | (0, 1) |
    | `"half_sigmoid"` | `0.5 sigmoid(r + 2) + 0.5` | (1/2, 1) |
    | `"bounded_exp"` | `2**tanh(r)` | [1/2, 2] |
    | `"exp"` | `exp(r)` | (0, inf) |

    | | shape |
    |---|---|
    | `x`, `y` | `[..., C]` if `event_ndims=1`, `[..., H, W, C]` if 3 |
    | `network`'s input | `[N, ..., C // 2]`, or the rest if `change="first"` |
    | its output | twice the channels that change (once if `additive`): `t`, then `r` |

    With `mask="checkerboard"` the halves are the two colours of a
    checkerboard over `H` and `W`; the network sees all `C` channels, zero
    where the board is of the colour that changes.

    The network sees exactly one batch dimension, whatever the input has, and
    is evaluated once for each direction, log-det included.

    Example:

    ```python
    def network(x1):
        t = tf.reduce_sum(x1, axis=-1, keepdims=True)
        return tf.concat([t, -t], axis=-1)

    coupling = tfg.AffineCoupling(network, event_ndims=1)
    coupling.forward([[1.0, 2.0]])  # y1 = 1, y2 = sigmoid(-1 + 2) * 2 + 1
    ```

    References:
        Dinh et al., Density estimation using Real NVP, 2017, equations 7 and
        8; Kingma and Dhariwal, Glow, 2018, section 3.3.
    """

    def __init__(
        self,
        network,
        scale="sigmoid",
        additive=False,
        change="second",
        mask="channel",
        event_ndims=3,
        dtype=None,
        validate_args=False,
        name="affine_coupling",
    ):
        """Makes the bijector around a network.

        Args:
            network: any callable from `Tensor` to `Tensor`: a Keras layer
                (its weights become the bijector's variables once it is
                built), a `tf.Module` or a function. Keyword arguments of the
                bijector's methods are handed on to it.
            scale: `str`, name of the scale function; see the table above.
            additive: `bool`; if true, `s = 1` and the network gives `t` alone.
            change: `"second"` or `"first"`, the half that changes.
            mask: `"channel"` or `"checkerboard"`.
            event_ndims: 1 for vectors, 3 for images.
            dtype: dtype that inputs must have, or `None` for any.
            validate_args: `bool`; shapes are always checked, so this changes
                nothing here.
            name: `str`.

        Raises:
            TypeError: if `network` cannot be called.
            ValueError: for an unknown name, suggesting the nearest, and, when
                used, if the network's output does not fit.
        """
        parameters = dict(locals())
        if not callable(network):
            raise TypeError(
                "Invalid value received for argument `network`. Expected a "
                f"callable. Received: {type(network).__name__}"
            )
        checks.choice("scale", scale, tuple(scales.SCALES))
        checks.choice("change", change, ("second", "first"))
        checks.choice("mask", mask, MASKS)
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
            self._scale = scale
            self._additive = additive
            self._change = change
            self._mask = mask
            self._event_ndims = event_ndims
            super().__init__(
                forward_min_event_ndims=event_ndims,
                is_constant_jacobian=additive,
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
            An `AffineCoupling`, at first with `t = 0` and `r = 0`.

        Raises:
            ValueError: if `event_shape` is neither, or too small to split.
        """
        event_shape = tuple(event_shape)
        if len(event_shape) not in (1, 3):
            raise ValueError(
                "Invalid value received for argument `event_shape`. Expected "
                f"[H, W, C] or [D]. Received: event_shape={event_shape}"
            )
        checks.positive_integer(num_filters=num_filters)
        num_channels = event_shape[-1]
        if kwargs.get("mask") == "checkerboard":
            num_seen = num_changed = num_channels
        else:
            num_seen, num_changed = num_channels // 2, -(-num_channels // 2)
            if kwargs.get("change") == "first":
                num_seen, num_changed = num_changed, num_seen
            _check_can_split(event_shape)
        network = networks.CouplingNetwork(
            num_outputs=num_changed * (1 if kwargs.get("additive") else 2),
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
        return cls(network, event_ndims=len(event_shape), dtype=dtype, **kwargs)

    @classmethod
    def _parameter_properties(cls, dtype):
        return dict()

    @property
    def network(self):
        """The callable that gives shift and raw scale."""
        return self._network

    def initialize(self, x):
        """Lets the network set itself from data, if it has `initialize`.

        Args:
            x: `Tensor` of shape `[..., C]` or `[..., H, W, C]`.
        """
        if hasattr(self.network, "initialize"):
            seen, _ = self.split(x)
            self.network.initialize(
                shapes.flatten_batch(seen, self._event_ndims)
            )

    def split(self, x):
        """The part that the network sees, and the part that changes.

        Args:
            x: `Tensor` of shape `[..., C]` or `[..., H, W, C]`.

        Returns:
            Pair of tensors; with a checkerboard both are of the shape of `x`
            and zero on the cells of the other.
        """
        checks.at_least_rank(self, x, self._event_ndims)
        if self._mask == "checkerboard":
            cells = self._changing_cells(x)
            return x * (1.0 - cells), x * cells
        _check_can_split(x.shape)
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
            A `tfb.Bijector` of the second part.
        """
        output = self._network(
            shapes.flatten_batch(seen, self._event_ndims), **kwargs
        )
        self._find_network_variables()
        output = tf.cast(output, seen.dtype)
        output = shapes.restore_batch(output, seen, self._event_ndims)
        return _ScaleAndShift(
            lambda changed: self._shift_and_scale(output, changed),
            self._event_ndims,
        )

    def _forward_and_log_det(self, x, **kwargs):
        seen, changed = self.split(x)
        changed, log_det = one_evaluation.forward_and_log_det(
            self.given(seen, **kwargs), changed, self._event_ndims
        )
        return self.join(seen, changed), log_det

    def _inverse_and_log_det(self, y, **kwargs):
        seen, changed = self.split(y)
        changed, log_det = one_evaluation.inverse_and_log_det(
            self.given(seen, **kwargs), changed, self._event_ndims
        )
        return self.join(seen, changed), log_det

    def _shift_and_scale(self, output, changed):
        """Shift, scale and the scale's logarithm; the scale may be `None`."""
        num_outputs = changed.shape[-1] * (1 if self._additive else 2)
        expected = [*changed.shape[-self._event_ndims : -1], num_outputs]
        if not output.shape[-self._event_ndims :].is_compatible_with(expected):
            raise ValueError(
                f"Invalid output of the network of coupling `{self.name}`. "
                f"Expected shape {[None, *expected]}, "
                f"{'the shift' if self._additive else 'shift and raw scale'} "
                f"of {changed.shape[-1]} channels. Received: {output.shape}"
            )
        if self._additive:
            return self._keep_seen(output), None, None
        shift, raw = tf.split(output, 2, axis=-1)
        scale, log_scale = scales.SCALES[self._scale](raw)
        return (
            self._keep_seen(shift),
            self._keep_seen(scale, otherwise=1.0),
            self._keep_seen(log_scale),
        )

    def _keep_seen(self, values, otherwise=0.0):
        """Another value on cells that must not change; only a board has any."""
        if self._mask != "checkerboard":
            return values
        cells = self._changing_cells(values)
        return values * cells + otherwise * (1.0 - cells)

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


class _ScaleAndShift(one_evaluation.OneEvaluation):
    """y = scale * x + shift, elementwise; no scale if it is `None`."""

    def __init__(self, shift_and_scale, event_ndims):
        parameters = dict(locals())
        self._shift_and_scale = shift_and_scale
        super().__init__(
            forward_min_event_ndims=event_ndims,
            parameters=parameters,
            name="scale_and_shift",
        )

    @classmethod
    def _parameter_properties(cls, dtype):
        return dict()

    def _forward_and_log_det(self, x):
        shift, scale, log_scale = self._shift_and_scale(x)
        if scale is None:
            return x + shift, tf.zeros([], x.dtype)
        return scale * x + shift, self._sum_event(log_scale)

    def _inverse_and_log_det(self, y):
        shift, scale, log_scale = self._shift_and_scale(y)
        if scale is None:
            return y - shift, tf.zeros([], y.dtype)
        return (y - shift) / scale, -self._sum_event(log_scale)

    def _sum_event(self, values):
        axes = list(range(-self.forward_min_event_ndims, 0))
        return tf.reduce_sum(values, axis=axes)


def _check_can_split(shape):
    if shape[-1] is None or shape[-1] < 2:
        raise ValueError(
            "Invalid shape received by `AffineCoupling`. Expected at least 2 "
            "channels, the last dimension, to split in two. Received: shape "
            f"{tuple(shape)}"
        )
