# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Gradients of a bijector from its output alone."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow.bijectors import joint

tfb = tfp.bijectors

# Of parts that are no composite tensors, as ours, `tfb.Chain(parts)` is not an
# instance of `tfb.Chain` but of its base class; `tfb.Invert` likewise.
CHAIN, INVERT = tfb.Chain.__bases__[0], tfb.Invert.__bases__[0]


def parts(bijector, inverse=False):
    """What a bijector is composed of, in the order in which it is applied.

    Args:
        bijector: `tfb.Bijector`; `tfb.Chain` and `tfb.Invert` are opened.
        inverse: `bool`; whether its inverse is meant.

    Returns:
        A list of pairs of a bijector and whether its inverse is applied.
    """
    if isinstance(bijector, INVERT):
        return parts(bijector.bijector, not inverse)
    if isinstance(bijector, CHAIN):
        inner = bijector.bijectors if inverse else reversed(bijector.bijectors)
        return [part for b in inner for part in parts(b, inverse)]
    return [(bijector, inverse)]


def pull_back(tape, bijector, y, dy, d_log_det, sources, event_ndims):
    """Recovers the input of a bijector, and the gradients with it.

    A bijector that leaves a part of its input as it is, and treats the rest by
    a bijector that depends on that part, can say so by three methods:

    ```none
    kept, rest = bijector.split(x)        a permutation or a mask
    x = bijector.join(kept, rest)         its inverse, and its transpose
    inner = bijector.given(kept)          the bijector of the rest
    ```

    Then `given`, where a coupling evaluates its network, runs once and serves
    both the inverse and the gradient. Any other bijector is inverted and then
    evaluated again on what this gave.

    Args:
        tape: persistent `tf.GradientTape` that recorded how `bijector` was made
            of `sources`, and is recording.
        bijector: `tfb.Bijector`.
        y: `Tensor`, its output.
        dy: `Tensor`, gradient with respect to the output.
        d_log_det: likewise to the forward log-det, of the batch's shape.
        sources: list of floating tensors.
        event_ndims: `int`, dimensions of an event.

    Returns:
        Tuple of the input, the gradient with respect to it, and the list of
        those with respect to the sources, `None` where nothing depends on one.
    """
    d_sources = [None] * len(sources)
    for part, inverse in reversed(parts(bijector)):
        y, dy, more = _pull_back_part(
            tape, part, inverse, y, dy, d_log_det, sources, event_ndims
        )
        d_sources = [
            d if total is None else total if d is None else total + d
            for total, d in zip(d_sources, more)
        ]
    return y, dy, d_sources


def _pull_back_part(
    tape, part, inverse, y, dy, d_log_det, sources, event_ndims
):
    kept, d_kept, inner = [], [], part
    if hasattr(part, "given"):
        with tape.stop_recording():
            kept, y = part.split(y)
            d_kept, dy = part.split(dy)
        kept, d_kept = [kept], [d_kept]
        tape.watch(kept)
        inner = part.given(kept[0])
    if inverse:
        inner = tfb.Invert(inner)
    with tape.stop_recording():
        # Not the very tensor of TFP's cache, whose way back is known.
        x = tf.identity(inner.inverse(y))
    tape.watch(x)
    y, log_det = joint.forward_and_log_det(inner, x, event_ndims)
    log_det = tf.broadcast_to(log_det, tf.shape(d_log_det))
    with tape.stop_recording():
        dx, *others = tape.gradient(
            [y, log_det], [x, *kept, *sources], [dy, d_log_det]
        )
        for d, more in zip(d_kept, others):
            x = part.join(kept[0], x)
            dx = part.join(d if more is None else d + more, dx)
    return x, dx, others[len(kept) :]
