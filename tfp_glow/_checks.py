# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Checks of arguments that modules share, with their messages."""

import difflib

import numpy as np
import tensorflow as tf
from tensorflow_probability.python.internal import tensor_util


def positive_integer(**arguments):
    """Raises `ValueError` unless every argument is a positive `int`."""
    for name, value in arguments.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(
                f"Invalid value received for argument `{name}`. Expected a "
                f"positive integer. Received: {name}={value!r}"
            )


def choice(name, value, options):
    """Raises `ValueError`, with the nearest name, unless it is an option."""
    if value in options:
        return
    near = difflib.get_close_matches(str(value), options, n=1, cutoff=0.0)
    raise ValueError(
        f"Invalid value received for argument `{name}`. Expected one of "
        f"{sorted(options)}. Received: {name}={value!r}. Did you mean "
        f"{near[0]!r}?"
    )


def last_dimensions_agree(**tensors):
    """Raises `ValueError` unless known last dimensions are all the same."""
    sizes = {
        name: t.shape[-1] if t.shape.rank else None
        for name, t in tensors.items()
        if t.shape.rank is not None
    }
    if len(set(sizes.values())) > 1 or None in sizes.values():
        shapes = ", ".join(f"{n} {t.shape}" for n, t in tensors.items())
        raise ValueError(
            "Invalid shapes received for the parameters. Expected equal last "
            f"dimensions, the number of channels. Received: {shapes}"
        )


def channels(bijector, x, expected):
    """Raises `ValueError` if the last dimension of `x` is not as expected."""
    received = x.shape[-1] if x.shape.rank else None
    if x.shape.rank == 0 or (
        None not in (received, expected) and received != expected
    ):
        raise ValueError(
            f"Invalid shape received by bijector `{bijector.name}`. Expected "
            f"{expected} channels, the last dimension. Received: shape "
            f"{x.shape}"
        )


def event(bijector, received, expected):
    """Raises `ValueError` unless the event shapes are compatible."""
    if not received.is_compatible_with(expected):
        raise ValueError(
            f"Invalid shape received by bijector `{bijector.name}`. Expected "
            f"the event shape {expected}. Received: {received}"
        )


def at_least_rank(bijector, x, event_ndims):
    """Raises `ValueError` if `x` has fewer dimensions than an event."""
    if x.shape.rank is None or x.shape.rank < event_ndims:
        raise ValueError(
            f"Invalid shape received by bijector `{bijector.name}`. Expected "
            f"at least {event_ndims} dimensions, those of an event. Received: "
            f"shape {x.shape}"
        )


def variables(**parameters):
    """Raises `TypeError` unless every parameter can be assigned to."""
    for name, value in parameters.items():
        if not isinstance(value, tf.Variable):
            raise TypeError(
                f"Expected parameter `{name}` to be a `tf.Variable`, to be "
                f"set from data. Received: {type(value).__name__}"
            )


def event_structure(x, distribution):
    """Raises `TypeError` unless `x` is nested as a distribution's events are.

    Args:
        x: arrays, tensors or `tf.TensorSpec`s, perhaps nested.
        distribution: `tfd.Distribution`.
    """
    wanted = distribution.dtype
    try:
        # Lists of numbers count as arrays.
        if tf.nest.is_nested(wanted) or isinstance(x, dict | tuple):
            tf.nest.assert_same_structure(wanted, x)
    except (TypeError, ValueError) as error:
        raise TypeError(
            "Invalid structure received for the data. Expected batches of "
            f"events, nested as {wanted}. Received: {_structure(x)}"
        ) from error


def _structure(x):
    return tf.nest.map_structure(lambda v: type(v).__name__, x)


def events(parts, distribution):
    """Raises unless batched events fit a distribution.

    Args:
        parts: list of pairs of shape, perhaps partly known, and dtype,
            TensorFlow's or NumPy's, of every part of the events.
        distribution: `tfd.Distribution`.

    Raises:
        TypeError: for floats where integers are needed, or the reverse.
        ValueError: for a shape that is not `[N, *event_shape]`.
    """
    for (shape, dtype), expected, event_shape in zip(
        parts,
        tf.nest.flatten(distribution.dtype),
        tf.nest.flatten(distribution.event_shape),
    ):
        dtype, expected = tf.as_dtype(dtype), tf.as_dtype(expected)
        if dtype.is_integer != expected.is_integer:
            kind = "integers" if expected.is_integer else "floats"
            bins = getattr(distribution, "bins", None)
            values = f" in [0, {bins})" if bins else ""
            raise TypeError(
                "Invalid dtype received for the data. Expected "
                f"{kind}{values}. Received: {dtype.name}"
            )
        wanted = tf.TensorShape([None]).concatenate(event_shape)
        if not wanted.is_compatible_with(shape):
            raise ValueError(
                "Invalid shape received for the data. Expected a batch of "
                f"events, {wanted}. Received: {tf.TensorShape(shape)}"
            )
    if len({shape[0] for shape, _ in parts}) > 1:
        raise ValueError(
            "Invalid shapes received for the data. Expected as many of every "
            "part of the events. Received: "
            f"{[tf.TensorShape(shape) for shape, _ in parts]}"
        )


def conditioning(values, expected):
    """Raises unless conditioning is numbers of a shape.

    Args:
        values: array, `Tensor` or `tf.TensorSpec`.
        expected: tuple of `int` or `None`, the batch dimension first.

    Raises:
        TypeError: if it is no single array of numbers.
        ValueError: if it is of another shape, or not finite.
    """
    if tf.nest.is_nested(values) and not isinstance(values, list):
        raise TypeError(
            "Invalid conditioning received. Expected one array. Received: "
            f"{_structure(values)}"
        )
    if not isinstance(values, tf.TensorSpec) and not tf.is_tensor(values):
        values = np.asarray(values)
    if not np.issubdtype(tf.as_dtype(values.dtype).as_numpy_dtype, np.number):
        raise TypeError(
            "Invalid dtype received for the conditioning. Expected numbers. "
            f"Received: {tf.as_dtype(values.dtype).name}"
        )
    if not tf.TensorShape(expected).is_compatible_with(values.shape):
        raise ValueError(
            "Invalid shape received for the conditioning. Expected "
            f"{tf.TensorShape(expected)}, one for every event. Received: "
            f"{tf.TensorShape(values.shape)}"
        )
    if hasattr(values, "numpy") or isinstance(values, np.ndarray):
        _finite(np.asarray(values), "conditioning")


def labels(values, num_classes):
    """Raises unless labels, of the right shape, are integers of classes.

    Args:
        values: array, `Tensor` or `tf.TensorSpec`.
        num_classes: `int`.

    Raises:
        TypeError: for floats.
        ValueError: for values outside `[0, num_classes)`.
    """
    if not isinstance(values, tf.TensorSpec) and not tf.is_tensor(values):
        values = np.asarray(values)
    expected = f"Expected labels, integers in [0, {num_classes})."
    if not tf.as_dtype(values.dtype).is_integer:
        raise TypeError(
            f"Invalid dtype received for the conditioning. {expected} "
            f"Received: {tf.as_dtype(values.dtype).name}"
        )
    if hasattr(values, "numpy") or isinstance(values, np.ndarray):
        values = np.asarray(values)
        if values.size and not 0 <= values.min() <= values.max() < num_classes:
            raise ValueError(
                f"Invalid values received for the conditioning. {expected} "
                f"Received: values from {values.min()} to {values.max()}"
            )


def event_values(x, bins):
    """Raises `ValueError` for no events, for NaN and for what is no grey level.

    Args:
        x: array or `Tensor`; the values of a symbolic one are not checked.
        bins: number of grey levels, or `None` if events are continuous.
    """
    if tf.is_tensor(x) and not hasattr(x, "numpy"):
        return
    x = np.asarray(x)
    if not x.size:
        raise ValueError(
            "Expected a data set of at least one event. Received: an empty "
            f"one, of shape {x.shape}"
        )
    if bins is None:
        _finite(x, "data")
    if bins is not None and (x.min() < 0 or x.max() >= bins):
        raise ValueError(
            "Invalid values received for the data. Expected grey levels in "
            f"[0, {bins}). Received: values from {x.min()} to {x.max()}"
        )


def _finite(x, name):
    if not np.isfinite(x).all():
        raise ValueError(
            f"Invalid values received for the {name}. Expected finite numbers. "
            f"Received: {np.sum(~np.isfinite(x))} of {x.size} that are not"
        )


def finite_parameters(is_init, **parameters):
    """Assertions that parameters are finite, as TFP's `validate_args` asks.

    Constants are checked once, when the bijector is made; variables at every
    use.
    """
    return [
        tf.debugging.assert_all_finite(
            tf.convert_to_tensor(value), f"Parameter `{name}` is not finite."
        )
        for name, value in parameters.items()
        if is_init != tensor_util.is_ref(value)
    ]
