# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Small models and data that several test modules share."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg

tfb = tfp.bijectors
tfd = tfp.distributions


def model(**kwargs):
    """A model that is quick to trace; the noise of its training is seeded."""
    config = dict(num_levels=1, num_steps=1, num_filters=4, bins=17, seed=0)
    return tfg.GlowModel(**{"image_shape": [4, 4, 1], **config, **kwargs})


def gray(count=8, shape=(4, 4, 1), bins=17, seed=0):
    generator = np.random.default_rng(seed)
    return generator.integers(0, bins, [count, *shape]).astype(np.uint8)


def values(model):
    return [v.numpy() for v in model.named_variables.values()]


def assert_equal_weights(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second):
        np.testing.assert_array_equal(one, other)


def normal(size, dtype=tf.float32):
    normal = tfd.Normal(tf.zeros([], dtype), tf.ones([], dtype))
    return tfd.Sample(normal, [size])


def vector_flow():
    """Blocks over vectors, data towards latent, and two of one name."""
    blocks = [
        tfg.AffineCoupling.trainable([2], num_filters=8, seed=1),
        tfg.ActNorm.trainable(2),
        tfg.Invertible1x1Conv.trainable(2, seed=0),
        tfg.ActNorm.trainable(2),
    ]
    return tfd.TransformedDistribution(normal(2), tfb.Invert(tfb.Chain(blocks)))


def crescent(count, seed=0):
    x = np.random.default_rng(seed).standard_normal([count, 2])
    x[:, 1] = 0.3 * x[:, 1] + x[:, 0] ** 2
    return 5.0 + 2.0 * x
