# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Argument checks that several modules share, and their error messages."""

import difflib
import math
import operator
import os

import numpy as np
import tensorflow as tf


def invalid_value(name, value, expected, options=(), cutoff=0.6):
    """Returns a `ValueError` that names what was expected and received.

    The message suggests the nearest of the `options`, if its similarity to the
    value is at least `cutoff`, in [0, 1].
    """
    near = difflib.get_close_matches(str(value), options, n=1, cutoff=cutoff)
    question = f". Did you mean {near[0]!r}?" if near else ""
    return ValueError(
        f"Invalid value received for argument `{name}`. Expected {expected}. "
        f"Received: {name}={value!r}{question}"
    )


def positive_integer(**arguments):
    """Returns the arguments as a list of `int`, see `integers`."""
    return integers(1, "a positive integer", **arguments)


def integers(minimum, expected, /, **arguments):
    """Returns the arguments as a list of `int`, each at least `minimum`.

    Scalars of NumPy and TensorFlow count as integers; `bool` does not. Raises
    `ValueError` for others.
    """
    result = []
    for name, value in arguments.items():
        # NumPy 2.1 takes its own `bool` as an index.
        if isinstance(value, bool | np.bool_):
            raise invalid_value(name, value, expected)
        try:
            result.append(operator.index(value))
        except (TypeError, AttributeError):  # TensorFlow raises the latter.
            raise invalid_value(name, value, expected) from None
        if result[-1] < minimum:
            raise invalid_value(name, value, expected)
    return result


def shape(name, value, expected, ranks):
    """Returns a shape as a tuple of positive `int`, with one of the `ranks`."""
    try:
        sizes = integers(
            1, "", **{str(i): size for i, size in enumerate(value)}
        )
    except (TypeError, ValueError):
        sizes = ()
    if len(sizes) not in ranks:
        raise invalid_value(name, value, expected)
    return tuple(sizes)


def real_dtype(dtype):
    """Returns a `tf.DType`, of numbers that can hold a log-probability."""
    try:
        known = tf.as_dtype(dtype)
    except TypeError:
        known = None
    if known not in (tf.float32, tf.float64):
        raise invalid_value("dtype", dtype, "tf.float32 or tf.float64")
    return known


def seed(value):
    """Returns a random seed as `int`, or `None`, or NumPy's `SeedSequence`."""
    if value is None or isinstance(value, np.random.SeedSequence):
        return value
    return integers(0, "a non-negative integer or None", seed=value)[0]


def number(
    name,
    value,
    expected="a non-negative number",
    is_valid=lambda x: 0.0 <= x < math.inf,
):
    """Returns a number as `float`, if `is_valid` is true of it.

    Scalars of NumPy and TensorFlow count as numbers; `bool` and `str` do not.
    Raises `ValueError` for others.
    """
    scalar = _scalar(value)
    if scalar.dtype.kind not in "iuf" or not is_valid(float(scalar)):
        raise invalid_value(name, value, expected)
    return float(scalar)


def booleans(**arguments):
    """Returns the arguments as a dictionary of `bool`.

    Scalars of NumPy and TensorFlow count as `bool`. Raises `ValueError` for
    others.
    """
    for name, value in arguments.items():
        if _scalar(value).dtype != bool:
            raise invalid_value(name, value, "True or False")
    return {name: bool(value) for name, value in arguments.items()}


def _scalar(value):
    """Returns a value as an array `[]`, which holds `None` for other shapes."""
    try:
        scalar = np.asarray(value)
    except (TypeError, ValueError, NotImplementedError):
        scalar = np.zeros(2)  # Symbolic tensors and ragged lists have no array.
    return scalar if scalar.ndim == 0 else np.array(None)


def memory(num_bytes, what):
    """Raises `ValueError` if an object takes more memory than there is.

    `what` names the object, for example "a model".
    """
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if num_bytes > available:
        raise ValueError(
            f"Expected {what} of at most {available / 2**30:.3g} GiB, the memory "
            f"of this machine. Received: one of {num_bytes / 2**30:.3g} GiB"
        )


def choice(name, value, options):
    """Raises `ValueError`, with the nearest name, unless it is an option."""
    if value not in options:
        expected = f"one of {sorted(options)}"
        raise invalid_value(name, value, expected, options, cutoff=0.0)


def last_dimensions_agree(**tensors):
    """Raises `ValueError` unless all known last dimensions are equal."""
    sizes = set()
    for tensor in tensors.values():
        if tensor.shape.rank is not None:
            sizes.add(tensor.shape[-1] if tensor.shape.rank else None)
    if len(sizes) > 1 or None in sizes:
        shapes = ", ".join(f"{n} {t.shape}" for n, t in tensors.items())
        expected = "equal last dimensions, the number of channels"
        raise _invalid("shapes received for the parameters", expected, shapes)


def channels(bijector, x, expected):
    """Raises `ValueError` if the last dimension of `x` is not `expected`."""
    if not x.shape[-1:].is_compatible_with([expected]):
        expected = f"{expected} channels, the last dimension"
        raise _invalid_shape(bijector, expected, f"shape {x.shape}")


def event(bijector, received, expected):
    """Raises `ValueError` unless the event shapes are compatible."""
    if not received.is_compatible_with(expected):
        raise _invalid_shape(bijector, f"the event shape {expected}", received)


def at_least_rank(bijector, x, event_ndims):
    """Raises `ValueError` if `x` has fewer dimensions than an event."""
    if x.shape.rank is None or x.shape.rank < event_ndims:
        expected = f"at least {event_ndims} dimensions, those of an event"
        raise _invalid_shape(bijector, expected, f"shape {x.shape}")


def variables(**parameters):
    """Raises `TypeError` unless every parameter is a `tf.Variable`."""
    for name, value in parameters.items():
        if not isinstance(value, tf.Variable):
            raise TypeError(
                f"Expected parameter `{name}` to be a `tf.Variable`, so that "
                f"data can initialize it. Received: {type(value).__name__}"
            )


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
        what = "structure received for the data"
        raise _invalid(what, expected, received, TypeError) from error


def events(parts, distribution):
    """Raises unless a batch's pairs of shape and dtype fit a distribution."""
    for (shape, dtype), expected, event_shape in zip(
        parts,
        tf.nest.flatten(distribution.dtype),
        tf.nest.flatten(distribution.event_shape),
    ):
        dtype, expected = tf.as_dtype(dtype), tf.as_dtype(expected)
        if (dtype.is_integer, dtype.is_floating) != (
            expected.is_integer,
            expected.is_floating,
        ):
            kind = "integers" if expected.is_integer else "floats"
            bins = getattr(distribution, "bins", None)
            kind += f" in [0, {bins})" if bins else ""
            what = "dtype received for the data"
            raise _invalid(what, kind, dtype.name, TypeError)
        batch_shape = tf.TensorShape([None]).concatenate(event_shape)
        if not batch_shape.is_compatible_with(shape):
            raise invalid_batch(batch_shape, tf.TensorShape(shape))
    if len({shape[0] for shape, _ in parts}) > 1:
        shapes = [tf.TensorShape(shape) for shape, _ in parts]
        expected = "the same batch size in every part of the events"
        raise _invalid("shapes received for the data", expected, shapes)


def invalid_batch(expected, received):
    """Returns a `ValueError` for another shape of a batch of events."""
    expected = f"a batch of events, {expected}"
    return _invalid("shape received for the data", expected, received)


def event_values(x, bins):
    """Raises unless a batch has gray levels in `[0, bins)` or finite numbers.

    Symbolic tensors are not checked.
    """
    x = _known_values(x)
    if x is None:
        return
    if not x.size:
        expected = "a data set of at least one event"
        received = f"an empty one, of shape {x.shape}"
        raise _invalid("shape received for the data", expected, received)
    _check_range("data", x, bins, f"gray levels in [0, {bins})")


def conditioning(values, shape, num_classes=None):
    """Raises unless a batch, perhaps symbolic, has numbers of a shape.

    With `num_classes` they must be labels.
    """
    subject = "received for the conditioning"
    if tf.nest.is_nested(values) and not isinstance(values, list):
        received = type(values).__name__
        raise _invalid(f"structure {subject}", "one array", received, TypeError)
    known = _known_values(values)
    values = values if known is None else known
    dtype = tf.as_dtype(values.dtype)
    is_valid, expected = dtype.is_integer, "numbers"
    if num_classes is None:
        is_valid = np.issubdtype(dtype.as_numpy_dtype, np.number)
    else:
        expected = f"labels, integers in [0, {num_classes})"
    if not is_valid:
        raise _invalid(f"dtype {subject}", expected, dtype.name, TypeError)
    received, shape = tf.TensorShape(values.shape), tf.TensorShape(shape)
    if not shape.is_compatible_with(received):
        expected = f"{shape}, one for every event"
        raise _invalid(f"shape {subject}", expected, received)
    if known is not None and known.size:
        _check_range("conditioning", known, num_classes, expected)


def _known_values(values):
    """Returns a NumPy array, or `None` for a symbolic tensor or a spec."""
    if isinstance(values, tf.TypeSpec) or tf.is_symbolic_tensor(values):
        return None
    return np.asarray(values)


def _check_range(name, x, size, expected):
    """Raises unless `x` is in [0, size), or finite if `size` is `None`."""
    if size is None:
        num_invalid = np.sum(~np.isfinite(x))
        is_valid, expected = num_invalid == 0, "finite numbers"
        received = f"{num_invalid} of {x.size} that are not"
    else:
        is_valid = x.min() >= 0 and x.max() < size
        received = f"values from {x.min()} to {x.max()}"
    if not is_valid:
        raise _invalid(f"values received for the {name}", expected, received)


def _invalid_shape(bijector, expected, received):
    subject = f"shape received by bijector `{bijector.name}`"
    return _invalid(subject, expected, received)


def _invalid(what, expected, received, error=ValueError):
    return error(f"Invalid {what}. Expected {expected}. Received: {received}")
