# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Takes chains of bijectors and wrapped distributions apart."""

import tensorflow_probability as tfp

tfb = tfp.bijectors
tfd = tfp.distributions

# A `tfb.Chain` of parts that are not composite tensors, as ours, is an instance
# of this base class but not of `tfb.Chain`. The same holds for the other two.
CHAIN = tfb.Chain.__bases__[0]
INVERT = tfb.Invert.__bases__[0]
TRANSFORMED = tfd.TransformedDistribution.__bases__[0]


def parts(bijector, event_ndims, inverse=False):
    """Returns the bijectors that a bijector is composed of.

    Args:
        bijector: `tfb.Bijector`; `tfb.Chain` and `tfb.Invert` are opened.
        event_ndims: `int`, dimensions of an event of the input.
        inverse: `bool`; if true, the parts of its inverse.

    Returns:
        A list of tuples, in the order in which the parts are applied: the
        part, whether its inverse is applied, and the dimensions of an event of
        its input.
    """
    found, stack = [], [(bijector, inverse)]
    while stack:
        part, inverted = stack.pop()
        if isinstance(part, INVERT):
            stack.append((part.bijector, not inverted))
        elif isinstance(part, CHAIN):
            # The part that is applied first comes last on the stack.
            inner = part.bijectors[::-1] if inverted else part.bijectors
            stack.extend((b, inverted) for b in inner)
        else:
            found.append((part, inverted, event_ndims))
            direction = "inverse" if inverted else "forward"
            event_ndims = getattr(part, f"{direction}_event_ndims")(event_ndims)
    return found
