# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Argument checks that several modules share, and their error messages."""

import difflib

import numpy as np
import tensorflow as tf
from tensorflow_probability.python.internal import tensor_util


def invalid_value(name, value, expected, options=(), cutoff=0.6):
    """Returns a `ValueError` that names what was expected and received.

    Args:
        name: `str`, the argument's name in the signature.
        value: the value received.
        expected: `str`, describes the valid values, as the end of a sentence.
        options: valid strings. The message suggests the nearest one.
        cutoff: `float`, least similarity to `value` of a suggestion, in [0, 1].
    """
    near = difflib.get_close_matches(str(value), options, n=1, cutoff=cutoff)
    question = f". Did you mean {near[0]!r}?" if near else ""
    return ValueError(
        f"Invalid value received for argument `{name}`. Expected {expected}. "
        f"Received: {name}={value!r}{question}"
    )


def positive_integer(**arguments):
    """Raises `ValueError` unless every argument is a positive `int`."""
    for name, value in arguments.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise invalid_value(name, value, "a positive integer")


def choice(name, value, options):
    """Raises `ValueError`, with the nearest name, unless it is an option."""
    if value not in options:
        expected = f"one of {sorted(options)}"
        raise invalid_value(name, value, expected, options, cutoff=0.0)


def last_dimensions_agree(**tensors):
    """Raises `ValueError` unless all known last dimensions are equal."""
    sizes = {
        t.shape[-1] if t.shape.rank else None
        for t in tensors.values()
        if t.shape.rank is not None
    }
    if len(sizes) > 1 or None in sizes:
        shapes = ", ".join(f"{n} {t.shape}" for n, t in tensors.items())
        expected = "equal last dimensions, the number of channels"
        raise _invalid("shapes", "for the parameters", expected, shapes)


def channels(bijector, x, expected):
    """Raises `ValueError` if the last dimension of `x` is not `expected`."""
    received = x.shape[-1] if x.shape.rank else None
    if x.shape.rank == 0 or (
        None not in (received, expected) and received != expected
    ):
        raise _invalid_shape(
            bijector,
            f"{expected} channels, the last dimension",
            f"shape {x.shape}",
        )


def event(bijector, received, expected):
    """Raises `ValueError` unless the event shapes are compatible."""
    if not received.is_compatible_with(expected):
        raise _invalid_shape(bijector, f"the event shape {expected}", received)


def at_least_rank(bijector, x, event_ndims):
    """Raises `ValueError` if `x` has fewer dimensions than an event."""
    if x.shape.rank is None or x.shape.rank < event_ndims:
        raise _invalid_shape(
            bijector,
            f"at least {event_ndims} dimensions, those of an event",
            f"shape {x.shape}",
        )


def variables(**parameters):
    """Raises `TypeError` unless every parameter is a `tf.Variable`."""
    for name, value in parameters.items():
        if not isinstance(value, tf.Variable):
            raise TypeError(
                f"Expected parameter `{name}` to be a `tf.Variable`, so that "
                f"data can initialize it. Received: {type(value).__name__}"
            )


def finite_parameters(is_init, **parameters):
    """Returns assertions that parameters are finite, for `validate_args`.

    They check constants once, when the bijector is made, and variables at every
    use.
    """
    return [
        tf.debugging.assert_all_finite(
            tf.convert_to_tensor(value), f"Parameter `{name}` is not finite."
        )
        for name, value in parameters.items()
        if is_init != tensor_util.is_ref(value)
    ]


def event_structure(x, distribution):
    """Raises `TypeError` unless `x` is nested like a distribution's events."""
    expected = distribution.dtype
    try:
        # Lists of numbers count as arrays.
        if tf.nest.is_nested(expected) or isinstance(x, dict | tuple):
            tf.nest.assert_same_structure(expected, x)
    except (TypeError, ValueError) as error:
        received = tf.nest.map_structure(lambda v: type(v).__name__, x)
        expected = f"batches of events, nested like {expected}"
        raise _invalid(
            "structure", "for the data", expected, received, TypeError
        ) from error


def events(parts, distribution):
    """Raises unless the shapes and dtypes of a batch fit a distribution.

    Args:
        parts: list of pairs of shape, perhaps partly known, and dtype,
            TensorFlow's or NumPy's, one for each part of the events.
        distribution: `tfd.Distribution`.
    """
    subject = "for the data"
    for (shape, dtype), expected, event_shape in zip(
        parts,
        tf.nest.flatten(distribution.dtype),
        tf.nest.flatten(distribution.event_shape),
    ):
        dtype, expected = tf.as_dtype(dtype), tf.as_dtype(expected)
        if dtype.is_integer != expected.is_integer:
            kind = "integers" if expected.is_integer else "floats"
            bins = getattr(distribution, "bins", None)
            kind += f" in [0, {bins})" if bins else ""
            raise _invalid("dtype", subject, kind, dtype.name, TypeError)
        shape = tf.TensorShape(shape)
        batch_shape = tf.TensorShape([None]).concatenate(event_shape)
        if not batch_shape.is_compatible_with(shape):
            expected = f"a batch of events, {batch_shape}"
            raise _invalid("shape", subject, expected, shape)
    if len({shape[0] for shape, _ in parts}) > 1:
        shapes = [tf.TensorShape(shape) for shape, _ in parts]
        expected = "the same batch size in every part of the events"
        raise _invalid("shapes", subject, expected, shapes)


def event_values(x, bins):
    """Raises `ValueError` for an empty batch and for invalid values.

    Valid are grey levels in `[0, bins)`, or any finite numbers if `bins` is
    `None`. The values of symbolic tensors are not checked.
    """
    x = _known_values(x)
    if x is None:
        return
    if not x.size:
        expected = "a data set of at least one event"
        received = f"an empty one, of shape {x.shape}"
        raise _invalid("shape", "for the data", expected, received)
    if bins is None:
        _finite(x, "data")
    elif x.min() < 0 or x.max() >= bins:
        raise _invalid_range("data", f"grey levels in [0, {bins})", x)


def conditioning(values, shape, num_classes=None):
    """Raises unless `values` are finite numbers, or labels, of a shape.

    Args:
        values: array, `Tensor` or `tf.TensorSpec`.
        shape: tuple of `int` or `None`, the batch dimension first.
        num_classes: `int` if the values are class labels.
    """
    subject = "for the conditioning"
    if tf.nest.is_nested(values) and not isinstance(values, list):
        received = type(values).__name__
        raise _invalid("structure", subject, "one array", received, TypeError)
    values = _as_array(values)
    dtype = tf.as_dtype(values.dtype)
    is_valid, expected = dtype.is_integer, "numbers"
    if num_classes is None:
        is_valid = np.issubdtype(dtype.as_numpy_dtype, np.number)
    else:
        expected = f"labels, integers in [0, {num_classes})"
    if not is_valid:
        raise _invalid("dtype", subject, expected, dtype.name, TypeError)
    received, shape = tf.TensorShape(values.shape), tf.TensorShape(shape)
    if not shape.is_compatible_with(received):
        raise _invalid(
            "shape", subject, f"{shape}, one for every event", received
        )
    values = _known_values(values)
    if values is None or not values.size:
        return
    if num_classes is None:
        _finite(values, "conditioning")
    elif values.min() < 0 or values.max() >= num_classes:
        raise _invalid_range("conditioning", expected, values)


def _as_array(values):
    """Returns a `Tensor` or `tf.TensorSpec` as it is, else a NumPy array."""
    if isinstance(values, tf.TensorSpec) or tf.is_tensor(values):
        return values
    return np.asarray(values)


def _known_values(values):
    """Returns a NumPy array, or `None` for a symbolic tensor or a spec."""
    values = _as_array(values)
    if isinstance(values, np.ndarray) or hasattr(values, "numpy"):
        return np.asarray(values)
    return None


def _finite(x, name):
    if not np.isfinite(x).all():
        received = f"{np.sum(~np.isfinite(x))} of {x.size} that are not"
        raise _invalid("values", f"for the {name}", "finite numbers", received)


def _invalid_range(name, expected, x):
    received = f"values from {x.min()} to {x.max()}"
    return _invalid("values", f"for the {name}", expected, received)


def _invalid_shape(bijector, expected, received):
    subject = f"by bijector `{bijector.name}`"
    return _invalid("shape", subject, expected, received)


def _invalid(kind, subject, expected, received, error=ValueError):
    return error(
        f"Invalid {kind} received {subject}. Expected {expected}. Received: "
        f"{received}"
    )
