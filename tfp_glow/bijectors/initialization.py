# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Data-dependent initialisation of whatever a bijector is composed of."""

import tensorflow_probability as tfp

from tfp_glow.bijectors import gradients
from tfp_glow.bijectors.glow import Glow

# `tfd.TransformedDistribution` makes an instance of its base class if the
# bijector is not a composite tensor, as ours are not.
_TRANSFORMED = tfp.distributions.TransformedDistribution.__bases__[0]


def initialize_distribution(distribution, x, **bijector_kwargs):
    """Sets every norm of a distribution from the data that reach it.

    Args:
        distribution: `tfd.Distribution`, perhaps one transformed several times.
        x: `Tensor`, continuous values.
        **bijector_kwargs: arguments of the bijectors.
    """
    bijectors = []
    while isinstance(distribution, _TRANSFORMED):
        bijectors.append(distribution.bijector)
        distribution = distribution.distribution
    while bijectors and not has_initialize(bijectors[-1]):
        bijectors.pop()
    for bijector in bijectors:
        x = initialize_inverse(bijector, x, **bijector_kwargs)


def has_initialize(bijector):
    """Whether a bijector, or any part of it, can be initialised."""
    return any(
        hasattr(part, "initialize") for part, _ in gradients.parts(bijector)
    )


def initialize_forward(bijector, x, **kwargs):
    """Initialises blocks in the order in which `forward(x)` meets them.

    Walks `tfb.Chain` and `tfb.Invert`. A block with a method `initialize(x)`
    is given its own input; all others are only evaluated.

    Args:
        bijector: `tfb.Bijector`.
        x: `Tensor`, data or what earlier blocks made of it.
        **kwargs: as of `bijector.forward`; those of the parts of a `tfb.Chain`
            are dictionaries by the parts' names.

    Returns:
        `bijector.forward(x)`, after the initialisation.
    """
    if isinstance(bijector, gradients.INVERT):
        return initialize_inverse(bijector.bijector, x, **kwargs)
    if isinstance(bijector, gradients.CHAIN):
        for part in reversed(bijector.bijectors):
            x = initialize_forward(part, x, **kwargs.get(part.name, {}))
        return x
    if hasattr(bijector, "initialize") and not isinstance(bijector, Glow):
        bijector.initialize(x)
    return bijector.forward(x, **kwargs)


def initialize_inverse(bijector, y, **kwargs):
    """The same in the order of `inverse(y)`; returns it.

    Only `Glow` takes data in this direction. A block that is met from its
    output is evaluated and left as it is.
    """
    if isinstance(bijector, gradients.INVERT):
        return initialize_forward(bijector.bijector, y, **kwargs)
    if isinstance(bijector, gradients.CHAIN):
        for part in bijector.bijectors:
            y = initialize_inverse(part, y, **kwargs.get(part.name, {}))
        return y
    if isinstance(bijector, Glow):
        return bijector.initialize(y, **kwargs)
    return bijector.inverse(y, **kwargs)
