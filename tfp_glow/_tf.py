# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Helpers around TensorFlow: event shapes, traced functions and seeds."""

import numpy as np
import tensorflow as tf
from tensorflow_probability.python.internal import prefer_static as ps

from tfp_glow import _checks


def compiled(function):
    """Returns a `tf.function` of tensors that is traced as rarely as possible.

    TensorFlow's warning that one line of code creates many traced functions is
    switched off, because every flow traces its own.
    """
    traced = tf.function(function, reduce_retracing=True, autograph=False)
    traced._omit_frequent_tracing_warning = True
    return traced


def stateless_seed(seed=None, stream=0):
    """Returns a seed with which TFP draws the same numbers in every call.

    With an `int` seed TFP draws other numbers in every eager call. Without a
    seed see `known_seed`. Streams of one seed are independent.
    """
    if not tf.is_tensor(seed):
        seed = known_seed(seed) % 2**31
    return tf.stack([tf.cast(stream, tf.int32), tf.cast(seed, tf.int32)])


def known_seed(seed=None):
    """Returns a valid seed, a new `int` if there is none.

    A new one comes from NumPy's global generator, which
    `keras.utils.set_random_seed` seeds.
    """
    seed = _checks.seed(seed)
    return np.random.randint(2**31) if seed is None else seed


def moments(x, usual=None, weight=0):
    """Returns the mean and the standard deviation of every channel, `[C]`.

    The deviations are shrunk toward the `usual` one, a scalar, by default that
    of all channels, or 1 if that is a rounding error; see `shrunk`.
    """
    mean, variance = tf.nn.moments(x, axes=list(range(x.shape.rank - 1)))
    if usual is None:
        usual = tf.sqrt(tf.reduce_mean(variance))
        error = 1e-6 * tf.maximum(tf.reduce_max(tf.abs(x)), 1.0)
        usual = tf.where(usual > error, usual, tf.ones_like(usual))
    variance = shrunk(variance / usual**2, tf.size(x) // x.shape[-1], weight)
    return mean, usual * tf.sqrt(variance)


def shrunk(variances, num_rows, weight):
    """Returns estimates of variances that are usually about 1.

    Those of `num_rows` samples are averaged with a variance of 1, which counts
    as `weight` samples. A variance that `hardly_varies` counts as 1: other data
    may vary there, and a scale of more than 100 would take them far out.
    """
    share = weight / (weight + tf.cast(num_rows, variances.dtype))
    averages = variances + share * (1.0 - variances)
    return tf.where(hardly_varies(variances), tf.ones_like(averages), averages)


def hardly_varies(variances):
    """Returns where variances that are usually about 1 are below 1e-4."""
    return variances < 1e-4


def event_shape(x, event_ndims):
    """Returns the last dimensions: `int` where known, else scalar `Tensor`."""
    known = x.shape[-event_ndims:]
    if known.rank is None:
        known = [None] * event_ndims
    return [
        tf.shape(x)[i - event_ndims] if size is None else size
        for i, size in enumerate(known)
    ]


def reshape_event(x, event_ndims, new_shape):
    """Replaces the last `event_ndims` dimensions by those of a list."""
    return _reshape(x, x, event_ndims, new_shape)


def per_channel(x, size):
    """Reshapes `[..., C * size]` to `[..., C, size]`."""
    return reshape_event(x, 1, [event_shape(x, 1)[0] // size, size])


def flatten_batch(x, event_ndims):
    """Merges the leading dimensions into one, however many there are."""
    if x.shape[:-event_ndims].rank == 1:
        return x
    return tf.reshape(x, ps.stack([-1, *event_shape(x, event_ndims)]))


def restore_batch(y, like, event_ndims):
    """Undoes `flatten_batch`: gives `y` the leading dimensions of `like`."""
    if like.shape[:-event_ndims].rank == 1:
        return y
    return _reshape(y, like, event_ndims, event_shape(y, event_ndims))


def ensure_event_shape(x, shape):
    """Sets the last dimensions, to be checked at runtime where not known."""
    whole = x.shape[: -len(shape)].concatenate(shape)
    return x if x.shape == whole else tf.ensure_shape(x, whole)


def with_known_rank(function, x, event_ndims):
    """Returns a function of batches that takes `x`, even if its rank is unknown.

    If the rank is unknown, the batch dimensions are merged into one for
    `function`, and restored in its outputs that are not scalars.
    """
    if x.shape.rank is not None or event_ndims == 0:
        return function
    batch_shape = tf.shape(x)[:-event_ndims]

    def restore(y):
        if y.shape.rank == 0:
            return y
        return tf.reshape(y, tf.concat([batch_shape, tf.shape(y)[1:]], axis=0))

    def merged(x):
        outputs = function(flatten_batch(x, event_ndims))
        return tf.nest.map_structure(restore, outputs)

    return merged


def _reshape(x, like, event_ndims, event):
    """Reshapes to the leading dimensions of `like` and those of an event."""
    known = like.shape[:-event_ndims]
    if known.rank is not None and known.as_list().count(None) <= 1:
        # One dimension can be left to `tf.reshape`, which is less to compute.
        batch = [-1 if size is None else size for size in known]
    else:
        batch = ps.shape(like)[:-event_ndims]
    y = tf.reshape(x, ps.concat([batch, ps.stack(event)], axis=0))
    static = [size if isinstance(size, int) else None for size in event]
    y.set_shape(known.concatenate(static))
    return y
