# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""A penalty for flows that stretch distances, or whose inverses do."""

import tensorflow as tf

from tfp_glow import _checks
from tfp_glow.bijectors import structure
from tfp_glow.distributions import dequantized

# The penalty counts in the steps that are multiples of this.
INTERVAL = 10
_EPSILON = 0.1


def check(distribution, weight):
    """Returns the weight of a penalty as `float`, if the distribution has one."""
    weight = _checks.number("stability_penalty", weight)
    continuous = dequantized.continuous(distribution)
    if weight and not isinstance(continuous, structure.TRANSFORMED):
        expected = (
            "0, because only a `tfd.TransformedDistribution`, also a "
            f"dequantized one, has a penalty, and not {distribution.name!r}"
        )
        raise _checks.invalid_value("stability_penalty", weight, expected)
    return weight


def penalty(distribution, x, seed, bijector_kwargs=None):
    """Computes finite differences of a flow `F` and its inverse.

    ```none
    |F(x) - F(x + eps d)|**2 / eps**2 + |x - F^-1(F(x) + eps d)|**2 / eps**2
    ```

    for one random unit vector `d` per event and direction, and `eps = 0.1`. `F`
    leads from events to latent variables. In expectation over `d` and for a
    small `eps`, the terms are the mean squared singular values of the Jacobians.

    Args:
        distribution: `tfd.TransformedDistribution`, or a `Dequantized` one,
            whose images are taken at the centers of gray levels.
        x: batch of events.
        seed: pair of `int`, as a `Tensor`.
        bijector_kwargs: keyword arguments of the bijector, or `None`.

    Returns:
        Floating `Tensor` `[N]`.

    References:
        Behrmann et al., Understanding and mitigating exploding inverses in
        invertible neural networks, 2021, section 4.1.
    """
    if isinstance(distribution, dequantized.Dequantized):
        x = distribution.dequantize(x)
    bijector = dequantized.continuous(distribution).bijector
    kwargs = bijector_kwargs or {}
    latents = bijector.inverse(x, **kwargs)
    moved = bijector.inverse(_step(x, seed), **kwargs)
    back = bijector.forward(_step(latents, tf.add(seed, 1)), **kwargs)
    return _squares(latents - moved) + _squares(x - back)


def _step(x, seed):
    """Moves every event by `eps` in a random direction."""
    direction = tf.random.stateless_normal(tf.shape(x), seed, dtype=x.dtype)
    axes = list(range(1, x.shape.rank))
    return x + _EPSILON * tf.math.l2_normalize(direction, axes)


def _squares(change):
    axes = list(range(1, change.shape.rank))
    return tf.reduce_sum((change / _EPSILON) ** 2, axes)
