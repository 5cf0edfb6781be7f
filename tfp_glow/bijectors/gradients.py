# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The loop of a `Repeated`, and three ways to differentiate it."""

import functools
import math
import os

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow.bijectors import joint
from tfp_glow.bijectors import scan
from tfp_glow.bijectors import structure

tfb = tfp.bijectors

GRADIENTS = ("store", "recompute", "invert")

# `choose` stores the activations of this many events in at most this memory.
_NUM_EVENTS = 64
_MAX_BYTES = 2**30


def stored_bytes(event_shapes, num_steps, num_filters, dtype):
    """Returns about how many bytes `"store"` keeps of one event.

    They are the inputs and outputs of all layers, about `4 * (C + W)` numbers
    per pixel and step.

    Args:
        event_shapes: list of the shapes `[..., C]` of an event in each level.
        num_steps: `int`, steps of a level.
        num_filters: `int`, width of the networks, W.
        dtype: `tf.DType` of the activations.
    """
    numbers = sum(
        4 * math.prod(pixels) * (channels + num_filters)
        for *pixels, channels in event_shapes
    )
    return num_steps * numbers * dtype.size


def choose(gradient, num_bytes):
    """Returns a gradient: the given one, or for `None` the fastest that fits.

    `"store"` is chosen where the activations of 64 events, `num_bytes` each,
    take at most 1 GiB and a quarter of the machine's memory.
    """
    if gradient is not None:
        return gradient
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    fits = _NUM_EVENTS * num_bytes <= min(_MAX_BYTES, memory / 4)
    return "store" if fits else "invert"


def bind(repeated, inverse):
    """Returns the loop of a `Repeated`, or its inverse, as a function.

    Its arguments are the input, the stacked parameters and the conditioning. It
    returns the output and the log-det of every event.
    """
    gradient = repeated.gradient

    def run(x, prepared, conditioning):
        rank = x.shape.rank - repeated.forward_min_event_ndims
        zeros = tf.zeros(tf.shape(x)[:rank], x.dtype)
        outs = ()
        if gradient == "recompute":
            outs = tf.TensorSpec(x.shape, x.dtype)
        zeros = tf.ensure_shape(zeros, x.shape[:rank])
        (y, log_det, failure), inputs = scan.scan(
            functools.partial(_apply, repeated, inverse),
            (x, zeros, repeated._no_failure()),
            prepared,
            conditioning,
            num_steps=repeated.num_steps,
            outs=outs,
            reverse=inverse,
            differentiable=gradient == "store",
        )
        y, log_det = repeated._check(
            (y, log_det), "not finite after step", failure
        )
        if gradient == "store":
            return y, log_det
        stacked = prepared, inputs
        return (y, log_det), functools.partial(
            _run_back, repeated, inverse, y, stacked, conditioning
        )

    return run if gradient == "store" else tf.custom_gradient(run)


def _apply(repeated, inverse, k, carry, p, conditioning):
    """Applies step `k`; `carry` is its input, the log-det and the failure so far.

    Returns the next carry, and what the gradient stores of every step.
    """
    x, log_det, failure = carry
    event_ndims = repeated.forward_min_event_ndims
    with tf.GradientTape() as tape:
        y, total = x, log_det
        bijector = repeated._make_step(p, conditioning)
        for stage in joint.stages(bijector, event_ndims, inverse):
            y, more = stage(y)
            total += more
    if tape.watched_variables():
        names = ", ".join(v.name for v in tape.watched_variables())
        raise ValueError(
            "Expected `step_fn` to read only its parameters, because only "
            "they receive gradients. Received one that reads the "
            f"variables {names}"
        )
    if not y.shape.is_compatible_with(x.shape):
        raise ValueError(
            "Expected every step to keep the shape of its input, "
            f"{x.shape}. Received: {y.shape}"
        )
    y = tf.ensure_shape(y, x.shape)
    total = tf.ensure_shape(total, log_det.shape)
    carry = y, total, repeated._failure(failure, y, k)
    return carry, x if repeated.gradient == "recompute" else ()


def _run_back(repeated, inverse, y, stacked, conditioning, dy, d_log_det):
    """Returns the gradients of `x`, `prepared` and `conditioning`."""
    prepared, _ = stacked
    event_ndims = repeated.forward_min_event_ndims
    flat_conditioning = tf.nest.flatten(conditioning)
    kept_inputs = repeated.gradient == "recompute"
    step_back = _differentiate if kept_inputs else _pull_back
    unconnected = set()

    def step(k, carry, slices):
        y, dy, totals, failure = carry
        p, x = slices
        # The tensors are new, so that their gradients are those of this step.
        c = tf.nest.map_structure(tf.identity, conditioning)
        sources = _floating([*tf.nest.flatten(p), *tf.nest.flatten(c)])
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(sources)
            bijector = repeated._make_step(p, c)
            if inverse:
                bijector = tfb.Invert(bijector)
            x, dx, found = step_back(
                tape, bijector, x, y, dy, d_log_det, sources, event_ndims
            )
        unconnected.update(i for i, d in enumerate(found) if d is None)
        found = [
            tf.zeros_like(source) if d is None else d
            for source, d in zip(sources, found)
        ]
        num_stacked = len(found) - len(totals)
        totals = [t + d for t, d in zip(totals, found[num_stacked:])]
        x = tf.ensure_shape(x, y.shape)
        dx = tf.ensure_shape(dx, y.shape)
        failure = repeated._failure(failure, dx, k)
        return (x, dx, totals, failure), found[:num_stacked]

    totals = [tf.zeros_like(c) for c in _floating(flat_conditioning)]
    (_, dx, totals, failure), d_stacked = scan.scan(
        step,
        (y, dy, totals, repeated._no_failure()),
        stacked,
        num_steps=repeated.num_steps,
        outs=scan.specs(_floating(tf.nest.flatten(prepared))),
        reverse=not inverse,
    )
    dx, d_stacked, totals = repeated._check(
        (dx, d_stacked, totals), "gradient not finite before step", failure
    )
    # Unconnected gradients are `None`, because zeros would be propagated further,
    # for example through the gradient of a matrix inverse.
    found = iter(
        None if i in unconnected else d
        for i, d in enumerate([*d_stacked, *totals])
    )
    flat = [*tf.nest.flatten(prepared), *flat_conditioning]
    gradients = [next(found) if t.dtype.is_floating else None for t in flat]
    return [d if d is None else _first_order_only(d) for d in (dx, *gradients)]


def _differentiate(tape, bijector, x, y, dy, d_log_det, sources, event_ndims):
    """Returns the input `x` of a bijector and the gradients of it and `sources`."""
    tape.watch(x)
    y, log_det = x, tf.zeros_like(d_log_det)
    for stage in joint.stages(bijector, event_ndims):
        y, more = stage(y)
        log_det += more
    with tape.stop_recording():
        dx, *d_sources = tape.gradient(
            [y, log_det], [x, *sources], [dy, d_log_det]
        )
    return x, tf.zeros_like(x) if dx is None else dx, d_sources


def _pull_back(tape, bijector, x, y, dy, d_log_det, sources, event_ndims):
    """Recovers the input of a bijector from its output `y`, and the gradients.

    The parts of a chain are treated one by one, the last first. The network of
    a `joint.SplitBijector` runs once for both the inverse and the gradient. Any
    other part is inverted and then evaluated again. The tape is recording, and
    has recorded how `bijector` was made from `sources`.
    """
    totals = [None] * len(sources)
    for part, inverse, ndims in reversed(
        structure.parts(bijector, event_ndims)
    ):
        y, dy, found = _pull_back_part(
            tape, part, inverse, y, dy, d_log_det, sources, ndims
        )
        totals = [
            d if total is None else total if d is None else total + d
            for total, d in zip(totals, found)
        ]
    return y, dy, totals


def _pull_back_part(
    tape, part, inverse, y, dy, d_log_det, sources, event_ndims
):
    kept = []
    if isinstance(part, joint.SplitBijector):
        with tape.stop_recording():
            kept, y = part.split(y)
            d_kept, dy = part.split(dy)
        tape.watch(kept)
        context = part.given(kept)
        kept = [kept]
        towards = functools.partial(part.forward_given, context=context)
        back = functools.partial(part.inverse_given, context=context)
        if inverse:
            towards, back = back, towards
    else:
        (towards,) = joint.stages(part, event_ndims, inverse)
        direction = "inverse" if inverse else "forward"
        event_ndims = getattr(part, f"{direction}_event_ndims")(event_ndims)
        (back,) = joint.stages(part, event_ndims, not inverse)
    with tape.stop_recording():
        # TFP's cache does not know a new tensor. Otherwise `towards` would
        # compute nothing, and the tape would have nothing to record.
        x = tf.identity(back(y)[0])
    tape.watch(x)
    y, log_det = towards(x)
    log_det = tf.broadcast_to(log_det, tf.shape(d_log_det))
    with tape.stop_recording():
        dx, *found = tape.gradient(
            [y, log_det], [x, *kept, *sources], [dy, d_log_det]
        )
        if kept:
            more, *found = found
            dx = part.join(d_kept if more is None else d_kept + more, dx)
            x = part.join(kept[0], x)
    return x, dx, found


def _floating(tensors):
    return [t for t in tensors if t.dtype.is_floating]


@tf.custom_gradient
def _first_order_only(gradient):
    """Returns a gradient that refuses to be differentiated."""

    def refuse(*_):
        raise NotImplementedError(
            "Expected a gradient of the first order. Received a second-order "
            "one, which `Repeated` has only with gradient='store', or a "
            "forward-mode one, which it does not have"
        )

    return tf.identity(gradient), refuse
