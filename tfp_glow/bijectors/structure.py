# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Takes chains of bijectors and wrapped distributions apart."""

import tensorflow_probability as tfp

tfb = tfp.bijectors
tfd = tfp.distributions

# If a part of a chain is not a composite tensor, as couplings, `Repeated` and
# `Glow` are not, TFP makes an instance of this base class and not of `tfb.Chain`.
# The other classes do the same.
BLOCKWISE = tfb.Blockwise.__bases__[0]
CHAIN = tfb.Chain.__bases__[0]
INVERT = tfb.Invert.__bases__[0]
TRANSFORMED = tfd.TransformedDistribution.__bases__[0]


def parts(bijector, event_ndims, inverse=False):
    """Returns the parts of nested `tfb.Chain`s and `tfb.Invert`s.

    Args:
        bijector: `tfb.Bijector`.
        event_ndims: `int`, dimensions of an event of the input.
        inverse: `bool`; if true, the parts of the inverse.

    Returns:
        A list of tuples in the order of application: the part, whether its
        inverse is applied, and the dimensions of an event of its input.
    """
    found, stack = [], [(bijector, inverse)]
    while stack:
        part, inverted = stack.pop()
        if isinstance(part, INVERT):
            stack.append((part.bijector, not inverted))
        elif isinstance(part, CHAIN):
            # The top of the stack, its end, is applied first.
            inner = part.bijectors[::-1] if inverted else part.bijectors
            stack.extend((b, inverted) for b in inner)
        else:
            found.append((part, inverted, event_ndims))
            direction = "inverse" if inverted else "forward"
            event_ndims = getattr(part, f"{direction}_event_ndims")(event_ndims)
    return found
