# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Flows as TFP distributions."""

import math

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow.bijectors import Glow

tfd = tfp.distributions


def glow_distribution(image_shape, *, dtype=tf.float32, **kwargs):
    """A Glow as a TFP distribution over continuous images.

    Args:
        image_shape: `(H, W, C)`.
        dtype: floating dtype of the events.
        **kwargs: further arguments of `Glow`: `num_levels`, `num_steps`,
            `num_filters`, `seed` and so on.

    Returns:
        A `tfd.TransformedDistribution` of a standard normal of `H * W * C`
        dimensions, with event shape `(H, W, C)`.

    Example:

    ```python
    flow = tfg.glow_distribution([8, 8, 3], num_levels=2, num_steps=4)
    images = flow.sample(5, seed=0)  # [5, 8, 8, 3]
    flow.log_prob(images)  # [5], in nats
    ```
    """
    bijector = Glow(image_shape, dtype=dtype, **kwargs)
    normal = tfd.Normal(tf.zeros([], dtype), tf.ones([], dtype))
    base = tfd.Sample(normal, sample_shape=[math.prod(image_shape)])
    return tfd.TransformedDistribution(base, bijector, name="glow")
