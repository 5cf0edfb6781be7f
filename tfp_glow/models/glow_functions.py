# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Functions of a `GlowModel`'s distribution, which it compiles and exports.

The argument `bijector_kwargs` holds the conditioning, if there is any.
"""

import tensorflow as tf

from tfp_glow import _tf
from tfp_glow.bijectors import precision
from tfp_glow.models import export


def log_prob(flow, images, **kwargs):
    """Computes log-probabilities of images, with fixed noise."""
    return flow.log_prob(images, seed=_tf.stateless_seed(0), **kwargs)


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


def exported(distribution, spec, conditioning_kwargs):
    """Returns the functions of a SavedModel.

    Args:
        distribution: `Dequantized` distribution of a `Glow`.
        spec: `event_spec.EventSpec` of its events.
        conditioning_kwargs: callable from conditioning to keyword arguments of
            the functions above.

    Returns:
        Dictionary of names to `export.Function`s.
    """
    flow = export.self_contained(distribution)
    integer = tf.TensorSpec([], tf.int32)
    images = {"images": tf.TensorSpec(spec.event_specs.shape, tf.int32)}
    latents = {"latents": tf.TensorSpec([None, spec.event_size], tf.float64)}
    noise = {
        "size": integer,
        "temperature": tf.TensorSpec([], tf.float32),
        "seed": integer,
    }
    conditioning = {}
    if spec.is_conditional:
        conditioning["conditioning"] = spec.conditioning_spec

    def made(function, inputs, output):
        def compute(*values):
            given = values[len(inputs) :]
            kwargs = conditioning_kwargs(*given) if given else {}
            return function(flow, *values[: len(inputs)], **kwargs)

        return export.Function(compute, {**inputs, **conditioning}, output)

    return {
        "log_prob": made(log_prob, images, "log_prob"),
        "sample": made(sample, noise, "images"),
        "encode": made(encode, images, "latents"),
        "decode": made(decode, latents, "images"),
    }
