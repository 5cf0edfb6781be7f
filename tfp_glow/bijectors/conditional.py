# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Conditioning that broadcasts against the batch of what it conditions."""

import tensorflow as tf
from tensorflow_probability.python.internal import prefer_static as ps

from tfp_glow import _tf
from tfp_glow.bijectors import initialization
from tfp_glow.bijectors import joint


class Conditional(initialization.DataDependent, joint.JointBijector):
    """A `Repeated` whose conditioning broadcasts against the batch of events.

    | | shape |
    |---|---|
    | `x`, `y` | `[..., *event_shape]` |
    | `conditioning` | `[..., *conditioning_shape]` |
    """

    def __init__(self, steps, conditioning_shape, name="conditional"):
        """Makes the bijector from a `Repeated` with conditioning `[N, D]`."""
        parameters = dict(locals())
        self.steps = steps
        self.conditioning_shape = conditioning_shape
        super().__init__(
            forward_min_event_ndims=steps.forward_min_event_ndims,
            dtype=steps.dtype,
            parameters=parameters,
            name=name,
        )

    def __repr__(self):
        return (
            f"<tfp_glow.Conditional {self.name!r} conditioning_shape="
            f"{self.conditioning_shape} steps={self.steps!r}>"
        )

    def initialize(self, x, conditioning=None):
        x, kwargs = self._broadcast(x, conditioning)
        return self.steps.initialize(x, **kwargs)

    def forward_and_log_det(self, x, conditioning=None):
        x, kwargs = self._broadcast(x, conditioning)
        return self.steps.forward_and_log_det(x, **kwargs)

    def inverse_and_log_det(self, y, conditioning=None):
        y, kwargs = self._broadcast(y, conditioning)
        return self.steps.inverse_and_log_det(y, **kwargs)

    def _broadcast(self, x, conditioning):
        event_ndims = self.forward_min_event_ndims
        x, conditioning = broadcast(self, x, event_ndims, conditioning)
        return x, {"conditioning": conditioning}


def checked(bijector, conditioning):
    """Returns conditioning as a tensor of a bijector's dtype.

    A scalar counts as a vector of size 1. Raises `ValueError` unless the last
    dimensions are `bijector.conditioning_shape`.
    """
    shape, received = bijector.conditioning_shape, None
    if conditioning is not None:
        conditioning = tf.cast(conditioning, bijector.dtype)
        received = conditioning.shape
    if shape is None and received is None:
        return None
    if shape == (1,) and received == ():
        return conditioning[tf.newaxis]
    if None in (shape, received) or not received[
        -len(shape) :
    ].is_compatible_with(shape):
        expected = "none"
        if shape is not None:
            expected = (
                f"the shape [..., {', '.join(map(str, shape))}], as in "
                "`flow.given(conditioning)` or in "
                "`bijector_kwargs={'conditioning': conditioning}`"
            )
        raise _invalid(bijector, expected, received)
    return conditioning


def broadcast(bijector, x, event_ndims, conditioning):
    """Broadcasts events and their conditioning against each other.

    Returns the events, `[..., *event_shape]`, and the conditioning with one
    batch dimension, `[N, *conditioning_shape]` for `N` events, or `None`.
    Raises `ValueError` if the batch shapes do not broadcast.
    """
    conditioning = checked(bijector, conditioning)
    if conditioning is None:
        return x, None
    shape = bijector.conditioning_shape
    own, other = x.shape[:-event_ndims], conditioning.shape[: -len(shape)]
    try:
        both = tf.broadcast_static_shape(own, other)
    except ValueError as error:
        expected = f"a batch shape that broadcasts to that of the events, {own}"
        raise _invalid(bijector, expected, other) from error
    if own.rank != 1 or other.rank != 1 or own.as_list() != other.as_list():
        event = ps.stack(_tf.event_shape(x, event_ndims))
        batch = ps.broadcast_shape(
            ps.shape(x)[:-event_ndims], ps.shape(conditioning)[: -len(shape)]
        )
        conditioning = tf.broadcast_to(
            conditioning, ps.concat([batch, shape], axis=0)
        )
        if not (own.is_fully_defined() and own == both):
            x = tf.broadcast_to(x, ps.concat([batch, event], axis=0))
    conditioning = _tf.flatten_batch(conditioning, len(shape))
    # TFP's cache does not know a new tensor. A result that was cached outside
    # of the current tape would have no gradient.
    return x, tf.identity(conditioning)


def _invalid(bijector, expected, received):
    return ValueError(
        f"Invalid conditioning of `{bijector.name}`. Expected {expected}. "
        f"Received: {received}"
    )
