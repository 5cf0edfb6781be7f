# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Functions of a `GlowModel`'s distribution, which it compiles and exports.

The argument `bijector_kwargs` holds the conditioning, if there is any.
"""

import tensorflow as tf

from tfp_glow import _tf
from tfp_glow.bijectors import precision
from tfp_glow.models import export


def encode(flow, images, bijector_kwargs=None):
    """Computes float64 latent vectors of the centers of gray levels."""
    values = flow.dequantize(tf.cast(images, tf.float64))
    return _exact_glow(flow).inverse(values, **bijector_kwargs or {})


def decode(flow, latents, bijector_kwargs=None):
    """Computes float64 images, in gray levels, of latent vectors."""
    values = _exact_glow(flow).forward(latents, **bijector_kwargs or {})
    return flow.to_grey_levels(values)


def generate(flow, size, temperature, seed, bijector_kwargs=None):
    """Draws continuous images; `seed` is a pair of integers."""
    continuous = flow.distribution
    noise = temperature * continuous.distribution.sample(size, seed=seed)
    return continuous.bijector.forward(noise, **bijector_kwargs or {})


def sample(flow, size, temperature, seed, **kwargs):
    """Draws integer images; `seed` is one integer."""
    seed = _tf.stateless_seed(seed)
    return flow.quantize(generate(flow, size, temperature, seed, **kwargs))


def _exact_glow(flow):
    return precision.astype(flow.distribution.bijector, tf.float64)


def signatures(spec):
    """Returns the functions, inputs and outputs of a SavedModel.

    Args:
        spec: `event_spec.EventSpec` of the images.
    """
    integer = tf.TensorSpec([], tf.int32)
    images = {"images": tf.TensorSpec(spec.event_specs.shape, tf.int32)}
    latents = {"latents": tf.TensorSpec([None, spec.event_size], tf.float64)}
    noise = {
        "size": integer,
        "temperature": tf.TensorSpec([], tf.float32),
        "seed": integer,
    }
    return {
        "log_prob": (export.log_prob, images, "log_prob"),
        "sample": (sample, noise, "images"),
        "encode": (encode, images, "latents"),
        "decode": (decode, latents, "images"),
    }
