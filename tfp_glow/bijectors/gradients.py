# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Three ways to differentiate a loop over bijectors."""

import collections.abc
import dataclasses
import functools

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow.bijectors import joint
from tfp_glow.bijectors import scan
from tfp_glow.bijectors import structure

tfb = tfp.bijectors


@dataclasses.dataclass(frozen=True)
class Loop:
    """A composition of `num_steps` bijectors, applied in one direction.

    Attributes:
        make_step: callable from a slice of the stacked parameters and the
            conditioning, a dictionary of tensors, to a `tfb.Bijector` that
            keeps the shape of an event.
        num_steps: `int`.
        inverse: `bool`; if true, the inverse is applied, the last step first.
        event_ndims: `int`, dimensions of an event.
        check: callable from a `Tensor`, a message and the index of a step to
            the `Tensor`, which may fail where a value is not finite.
    """

    make_step: collections.abc.Callable
    num_steps: int
    inverse: bool
    event_ndims: int
    check: collections.abc.Callable

    def start(self, x):
        """Returns the carry of the first step: `x` and log-dets of zero."""
        rank = x.shape.rank - self.event_ndims
        log_det = tf.zeros(tf.shape(x)[:rank], x.dtype)
        return x, tf.ensure_shape(log_det, x.shape[:rank])

    def apply(self, k, carry, p, conditioning):
        """Applies step `k`; `carry` is its input and the log-det so far."""
        x, log_det = carry
        with tf.GradientTape() as tape:
            y, total = x, log_det
            bijector = self.make_step(p, conditioning)
            for stage in joint.stages(bijector, self.event_ndims, self.inverse):
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
        y = self.check(tf.ensure_shape(y, x.shape), "not finite after step", k)
        return (y, tf.ensure_shape(total, log_det.shape)), ()


def store(loop, x, prepared, conditioning):
    """Runs a loop; automatic differentiation stores what the steps compute."""
    carry, _ = scan.scan(
        loop.apply,
        loop.start(x),
        prepared,
        conditioning,
        num_steps=loop.num_steps,
        reverse=loop.inverse,
        differentiable=True,
    )
    return carry


def recompute(loop, x, prepared, conditioning):
    """Runs a loop; the gradient stores the input of every step."""

    def apply(k, carry, p, conditioning):
        return loop.apply(k, carry, p, conditioning)[0], carry[0]

    (y, log_det), inputs = scan.scan(
        apply,
        loop.start(x),
        prepared,
        conditioning,
        num_steps=loop.num_steps,
        outs=tf.TensorSpec(x.shape, x.dtype),
        reverse=loop.inverse,
    )
    back = functools.partial(
        _run_back, loop, y, (prepared, inputs), conditioning, _differentiate
    )
    return (y, log_det), back


def invert(loop, x, prepared, conditioning):
    """Runs a loop; the gradient stores only the output of the last step."""
    (y, log_det), _ = scan.scan(
        loop.apply,
        loop.start(x),
        prepared,
        conditioning,
        num_steps=loop.num_steps,
        reverse=loop.inverse,
    )
    back = functools.partial(
        _run_back, loop, y, (prepared, ()), conditioning, _pull_back
    )
    return (y, log_det), back


GRADIENTS = {"store": store, "recompute": recompute, "invert": invert}


def bind(gradient, loop):
    """Returns one of `GRADIENTS` for a `Loop`, as a differentiable function.

    It maps the input, the stacked parameters and the conditioning to the output
    and the log-det of every event.
    """
    run = GRADIENTS[gradient]
    function = functools.update_wrapper(functools.partial(run, loop), run)
    return function if gradient == "store" else tf.custom_gradient(function)


def _run_back(loop, y, stacked, conditioning, step_back, dy, d_log_det):
    """Returns the gradients of `x`, `prepared` and `conditioning`.

    `step_back` recovers a step's input and its gradients, see `_pull_back`.
    """
    prepared, _ = stacked
    flat_conditioning = tf.nest.flatten(conditioning)
    unconnected = set()

    def step(k, carry, slices):
        y, dy, totals = carry
        p, x = slices
        # New tensors, whose gradients are those of this step alone.
        c = tf.nest.map_structure(tf.identity, conditioning)
        sources = _floating([*tf.nest.flatten(p), *tf.nest.flatten(c)])
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(sources)
            bijector = loop.make_step(p, c)
            if loop.inverse:
                bijector = tfb.Invert(bijector)
            x, dx, found = step_back(
                tape, bijector, x, y, dy, d_log_det, sources, loop.event_ndims
            )
        unconnected.update(i for i, d in enumerate(found) if d is None)
        found = [
            tf.zeros_like(source) if d is None else d
            for source, d in zip(sources, found)
        ]
        num_stacked = len(found) - len(totals)
        totals = [t + d for t, d in zip(totals, found[num_stacked:])]
        x = tf.ensure_shape(x, y.shape)
        dx = loop.check(dx, "gradient not finite before step", k)
        dx = tf.ensure_shape(dx, y.shape)
        return (x, dx, totals), found[:num_stacked]

    totals = [tf.zeros_like(c) for c in _floating(flat_conditioning)]
    (_, dx, totals), d_stacked = scan.scan(
        step,
        (y, dy, totals),
        stacked,
        num_steps=loop.num_steps,
        outs=scan.specs(_floating(tf.nest.flatten(prepared))),
        reverse=not loop.inverse,
    )
    # `None` rather than zeros, which would be propagated further, for example
    # through the gradient of a matrix inverse.
    found = iter(
        None if i in unconnected else d
        for i, d in enumerate([*d_stacked, *totals])
    )
    flat = [*tf.nest.flatten(prepared), *flat_conditioning]
    gradients = [next(found) if t.dtype.is_floating else None for t in flat]
    return [_first_order_only(d) for d in (dx, *gradients)]


def _differentiate(tape, bijector, x, y, dy, d_log_det, sources, event_ndims):
    """Returns `x`, its gradient and those of `sources`."""
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
    """Recovers the input of a bijector from its output, and the gradients.

    The parts of a chain are treated one by one, the last first. The network of
    a `joint.SplitBijector` runs once and serves both the inverse and the
    gradient. Any other part is inverted and then evaluated again. The tape is
    recording, and has recorded how `bijector` was made of `sources`.

    Returns:
        Tuple of the input, its gradient, and the list of those of the sources,
        `None` where nothing depends on one.
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
        after = (
            part.inverse_event_ndims if inverse else part.forward_event_ndims
        )
        (towards,) = joint.stages(part, event_ndims, inverse)
        (back,) = joint.stages(part, after(event_ndims), not inverse)
    with tape.stop_recording():
        # A new tensor: TFP's cache knows the output of the one that it returns,
        # and `towards` would compute nothing that the tape could record.
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


def _first_order_only(gradient):
    """Returns a gradient that refuses to be differentiated, or `None`."""
    if gradient is None:
        return None

    def refuse(*_):
        raise NotImplementedError(
            "Expected a gradient of the first order. Received a second-order "
            "one, which `Repeated` has only with gradient='store'"
        )

    @tf.custom_gradient
    def identity(gradient):
        return tf.identity(gradient), refuse

    return identity(gradient)
