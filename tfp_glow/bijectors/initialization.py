# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Data-dependent initialization of whatever a flow is composed of."""

import abc

from tfp_glow.bijectors import structure


class DataDependent:
    """A bijector that can set its variables from a batch of data.

    `initialize(x)` sets them so that the outputs of `x` are normalized, and
    returns these outputs. The data are an input of the method that `data_enter`
    names: `"forward"`, or `"inverse"` for a bijector such as `Glow`, whose
    inverse takes images.
    """

    data_enter = "forward"

    @abc.abstractmethod
    def initialize(self, x, **kwargs):
        """Sets the variables from inputs, `[N, ...]`; returns the outputs."""


def initialize_distribution(
    distribution, x, bijector_kwargs=None, distribution_kwargs=None, **_
):
    """Initializes the bijectors of nested `tfd.TransformedDistribution`s.

    Every `DataDependent` bijector is set from the values that reach it. Other
    distributions are left as they are.

    Args:
        distribution: `tfd.Distribution`.
        x: `Tensor` of events, `[N, ...]`.
        bijector_kwargs, distribution_kwargs: dictionaries of keyword arguments,
            as `log_prob` takes them; others do not concern bijectors.
    """
    pairs = []
    while isinstance(distribution, structure.TRANSFORMED):
        pairs.append((distribution.bijector, bijector_kwargs or {}))
        distribution = distribution.distribution
        inner = distribution_kwargs or {}
        bijector_kwargs = inner.get("bijector_kwargs")
        distribution_kwargs = inner.get("distribution_kwargs")
    # Nothing is evaluated after the last bijector that data set.
    while pairs and not _depends_on_data(pairs[-1][0]):
        pairs.pop()
    for bijector, kwargs in pairs:
        x = initialize_inverse(bijector, x, **kwargs)


def initialize_forward(bijector, x, **kwargs):
    """Initializes bijectors in the order in which `forward(x)` applies them.

    `tfb.Chain` and `tfb.Invert` are opened. A `DataDependent` bijector whose
    data enter the other side is evaluated and left as it is.

    Args:
        bijector: `tfb.Bijector`.
        x: `Tensor`, data or the output of earlier bijectors.
        **kwargs: as of `bijector.forward`; those of the parts of a `tfb.Chain`
            are dictionaries by the parts' names.

    Returns:
        `bijector.forward(x)`, computed after the initialization.
    """
    return _walk(bijector, x, "forward", kwargs)


def initialize_inverse(bijector, y, **kwargs):
    """Initializes bijectors as `inverse(y)` applies them, and returns that."""
    return _walk(bijector, y, "inverse", kwargs)


def _walk(bijector, x, direction, kwargs):
    if isinstance(bijector, structure.INVERT):
        other = "inverse" if direction == "forward" else "forward"
        return _walk(bijector.bijector, x, other, kwargs)
    if isinstance(bijector, structure.CHAIN):
        bijectors = bijector.bijectors
        if direction == "forward":
            bijectors = reversed(bijectors)
        for part in bijectors:
            x = _walk(part, x, direction, kwargs.get(part.name, {}))
        return x
    if isinstance(bijector, DataDependent) and bijector.data_enter == direction:
        return bijector.initialize(x, **kwargs)
    return getattr(bijector, direction)(x, **kwargs)


def _depends_on_data(bijector):
    event_ndims = bijector.forward_min_event_ndims
    parts = structure.parts(bijector, event_ndims)
    return any(isinstance(part, DataDependent) for part, _, _ in parts)
