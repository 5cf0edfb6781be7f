# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Helpers around TensorFlow: event shapes, traced functions and seeds."""

import numpy as np
import tensorflow as tf
from tensorflow_probability.python.internal import prefer_static as ps


def compiled(function):
    """Returns a `tf.function` that is traced as rarely as possible.

    TensorFlow warns when one line of code creates many traced functions, which
    usually means that a loop traces by mistake. Here it only means that there
    are many flows, and that each traces its own function once, so the warning
    is switched off.

    Args:
        function: callable of `Tensor`s.

    Returns:
        `tf.types.experimental.PolymorphicFunction`, without AutoGraph.
    """
    traced = tf.function(function, reduce_retracing=True, autograph=False)
    traced._omit_frequent_tracing_warning = True
    return traced


def stateless_seed(seed=None, stream=0):
    """Returns a seed with which TFP draws the same numbers in every call.

    TFP draws other numbers at every call if an `int` seed is used in eager
    mode, so the package passes pairs.

    Args:
        seed: `int`, scalar integer `Tensor`, or `None` for a new seed from
            NumPy's global generator, which `keras.utils.set_random_seed` sets.
        stream: `int`; different streams of one seed are independent.

    Returns:
        int32 `Tensor` of shape `[2]`.
    """
    if seed is None:
        seed = np.random.randint(2**31)
    return tf.stack([tf.cast(stream, tf.int32), tf.cast(seed, tf.int32)])


def event_shape(x, event_ndims):
    """The last dimensions: `int` where known, else scalar `Tensor`."""
    lead = x.shape.rank - event_ndims
    return [
        tf.shape(x)[lead + i] if size is None else size
        for i, size in enumerate(x.shape[lead:].as_list())
    ]


def reshape_event(x, event_ndims, new_shape):
    """Reshapes the last dimensions and leaves the leading ones alone.

    Args:
        x: `Tensor`, of known rank.
        event_ndims: `int`, number of trailing dimensions to replace.
        new_shape: list of `int` or integer `Tensor`, the new ones.

    Returns:
        The reshaped `Tensor`; all that is known of its shape is static.
    """
    lead = x.shape.rank - event_ndims
    # One dimension can be left to `tf.reshape`, which is less to compute.
    batch = [-1] if lead == 1 else ps.shape(x)[:lead]
    shape = ps.concat([batch, ps.stack(new_shape)], axis=0)
    y = tf.reshape(x, shape)
    y.set_shape(x.shape[:lead].concatenate(_static(new_shape)))
    return y


def per_channel(x, size):
    """Numbers of shape `[..., C * size]` as `[..., C, size]`."""
    return reshape_event(x, 1, [x.shape[-1] // size, size])


def flatten_batch(x, event_ndims):
    """Makes the leading dimensions one, whatever their number."""
    lead = x.shape.rank - event_ndims
    if lead == 1:
        return x
    return tf.reshape(x, ps.stack([-1, *event_shape(x, event_ndims)]))


def restore_batch(y, like, event_ndims):
    """Undoes `flatten_batch`: gives `y` the leading dimensions of `like`."""
    lead = like.shape.rank - event_ndims
    if lead == 1:
        return y
    event = ps.stack(event_shape(y, event_ndims))
    shape = ps.concat([ps.shape(like)[:lead], event], axis=0)
    z = tf.reshape(y, shape)
    z.set_shape(like.shape[:lead].concatenate(y.shape[1:]))
    return z


def _static(shape):
    return [size if isinstance(size, int) else None for size in shape]
