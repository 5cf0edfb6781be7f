# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Data-dependent initialization of whatever a flow is composed of."""

import abc
import contextlib
import contextvars
import functools
import threading
import warnings

import tensorflow as tf

# The bijectors that an initialization has met so far; `None` outside of one.
_MET = contextvars.ContextVar("met", default=None)
_LOCK = threading.RLock()


class DataDependent:
    """A bijector that can set its variables from a batch of data.

    `initialize(x)` sets them so that the outputs of `x` are normalized, and
    returns these outputs. The data are an input of the method that `data_enter`
    names: `"forward"`, or `"inverse"` for a bijector such as `Glow`, whose
    inverse takes images. Among the bases of a class this one comes first.
    """

    data_enter = "forward"

    @abc.abstractmethod
    def initialize(self, x, **kwargs):
        """Sets the variables from inputs, `[N, ...]`; returns the outputs."""


def initialize_distribution(distribution, x, **kwargs):
    """Initializes all bijectors that `log_prob(x)` evaluates.

    Every `DataDependent` bijector with variables is set from the first values
    that reach it, wherever it is: in a mixture, in a joint distribution, in a
    function that makes a distribution. A warning names bijectors that no data
    reach. It also names those that data reach only against the direction of
    `data_enter`, or only inside `tf.function` or `tf.vectorized_map`.

    Args:
        distribution: `tfd.Distribution`.
        x: `Tensor` of events, `[N, ...]`, nested as events are.
        **kwargs: further arguments of `log_prob`.
    """
    met = {}
    with _hooks(met):
        # TFP's cache does not know a new tensor.
        distribution.log_prob(tf.nest.map_structure(tf.identity, x), **kwargs)
    parts = [m for m in distribution.submodules if isinstance(m, DataDependent)]
    inner = {id(m) for b, _ in met.values() for m in b.submodules}
    for part in parts:
        if id(part) not in inner:
            met.setdefault(id(part), (part, not part.variables))
    missed = [bijector.name for bijector, is_set in met.values() if not is_set]
    if missed:
        warnings.warn(
            "Expected data to reach all bijectors that are initialized from "
            f"data. They did not reach {', '.join(sorted(missed))}, which "
            "therefore start unnormalized. Call `initialize(x)` of each of "
            "these bijectors before training, with the values that it gets.",
            stacklevel=3,
        )


@contextlib.contextmanager
def _hooks(met):
    """A context in which `DataDependent` bijectors initialize themselves."""
    with _LOCK, _meeting(met):
        # Other calls would pass through these if they were ordinary methods.
        for name, hook in _HOOKS.items():
            setattr(DataDependent, name, hook)
        try:
            yield
        finally:
            for name in _HOOKS:
                delattr(DataDependent, name)


@contextlib.contextmanager
def _meeting(met):
    token = _MET.set(met)
    try:
        yield
    finally:
        _MET.reset(token)


def _meet(bijector, direction, x, name=None, **kwargs):
    """Returns `bijector.forward(x)` or `inverse(x)`, after an initialization."""
    evaluate = getattr(super(DataDependent, bijector), direction)
    met = _MET.get()
    if met is None:
        return evaluate(x, name or direction, **kwargs)
    _, is_set = met.get(id(bijector), (None, not bijector.variables))
    # A traced function may run more often than now, or never.
    sets = direction == bijector.data_enter and tf.executing_eagerly()
    met[id(bijector)] = bijector, is_set or sets
    with _meeting(None):  # A bijector initializes its own parts.
        if sets and not is_set:
            return bijector.initialize(tf.convert_to_tensor(x), **kwargs)
        return evaluate(x, name or direction, **kwargs)


def _meet_log_det(bijector, direction, x, event_ndims=None, **kwargs):
    if _MET.get() is None or not tf.executing_eagerly():
        method = f"{direction}_log_det_jacobian"
        evaluate = getattr(super(DataDependent, bijector), method)
        return evaluate(x, event_ndims, **kwargs)
    # The log-determinants are not used, and evaluating them takes time.
    event_ndims = event_ndims or getattr(
        bijector, f"{direction}_min_event_ndims"
    )
    return tf.zeros(x.shape[: x.shape.rank - event_ndims], x.dtype)


_HOOKS = {
    "forward": functools.partialmethod(_meet, "forward"),
    "inverse": functools.partialmethod(_meet, "inverse"),
    "forward_log_det_jacobian": functools.partialmethod(
        _meet_log_det, "forward"
    ),
    "inverse_log_det_jacobian": functools.partialmethod(
        _meet_log_det, "inverse"
    ),
}
