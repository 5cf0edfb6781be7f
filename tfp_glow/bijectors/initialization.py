# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Data-dependent initialization of whatever a flow is composed of."""

import abc
import contextlib
import contextvars
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
    function that makes a distribution. Bijectors that no data reach are named
    in a warning. So are those of which the inverse gets the data, and those
    that are only reached inside of `tf.function` or `tf.vectorized_map`.

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


def _forward(self, x, name="forward", **kwargs):
    return _meet(self, "forward", x, name, kwargs)


def _inverse(self, y, name="inverse", **kwargs):
    return _meet(self, "inverse", y, name, kwargs)


def _forward_log_det(self, x, event_ndims=None, **kwargs):
    return _meet_log_det(self, "forward", x, event_ndims, kwargs)


def _inverse_log_det(self, y, event_ndims=None, **kwargs):
    return _meet_log_det(self, "inverse", y, event_ndims, kwargs)


_HOOKS = {
    "forward": _forward,
    "inverse": _inverse,
    "forward_log_det_jacobian": _forward_log_det,
    "inverse_log_det_jacobian": _inverse_log_det,
}


@contextlib.contextmanager
def _hooks(met):
    """A context in which `DataDependent` bijectors initialize themselves."""
    with _LOCK, _meeting(met):
        # Not ordinary methods, so that other calls do not pass through them.
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


def _meet(bijector, direction, x, name, kwargs):
    """Returns `bijector.forward(x)` or `inverse(x)`, after an initialization."""
    evaluate = getattr(super(DataDependent, bijector), direction)
    met = _MET.get()
    if met is None:
        return evaluate(x, name, **kwargs)
    _, is_set = met.get(id(bijector), (None, not bijector.variables))
    # A traced function may run more often than now, or never.
    sets = direction == bijector.data_enter and tf.executing_eagerly()
    met[id(bijector)] = bijector, is_set or sets
    with _meeting(None):  # A bijector initializes its own parts.
        if sets and not is_set:
            return bijector.initialize(tf.convert_to_tensor(x), **kwargs)
        return evaluate(x, name, **kwargs)


def _meet_log_det(bijector, direction, x, event_ndims, kwargs):
    if _MET.get() is None or not tf.executing_eagerly():
        method = f"{direction}_log_det_jacobian"
        evaluate = getattr(super(DataDependent, bijector), method)
        return evaluate(x, event_ndims, **kwargs)
    # Log-determinants do not matter here, and evaluating them takes time.
    event_ndims = event_ndims or getattr(
        bijector, f"{direction}_min_event_ndims"
    )
    return tf.zeros(x.shape[: x.shape.rank - event_ndims], x.dtype)
