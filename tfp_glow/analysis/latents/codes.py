# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Encodes images to the latents of each level, and decodes them."""

import numpy as np
import tensorflow as tf

from tfp_glow import _checks
from tfp_glow.analysis import density
from tfp_glow.analysis.latents import flow
from tfp_glow.models import glow_model


def encode(model, images, conditioning=None):
    """Computes the latents of images, level by level.

    Args:
        model: `GlowModel`.
        images: integers `[N, H, W, C]` in `[0, model.bins)`.
        conditioning: labels `[N]` if the model has classes, otherwise see
            `GlowModel.log_prob`.

    Returns:
        List of float64 arrays `[N, *shape]`, one for each of the shapes
        `model.glow.latent_shapes`, the finest level first.
    """
    vectors = encoded(model, images, conditioning)
    parts = model.glow.split_latents(tf.constant(vectors, tf.float64))
    return [part.numpy() for part in parts]


def decode(model, parts, conditioning=None):
    """Computes the images of latents, neither rounded nor clipped.

    Args:
        model: `GlowModel`.
        parts: list of arrays as `encode` returns it, or an array
            `[N, H * W * C]` as `GlowModel.encode` returns it.
        conditioning: as in `encode`. For a model of classes it may also be
            weights `[N, num_classes]`, to decode between classes.

    Returns:
        float64 array `[N, H, W, C]`, in gray levels.
    """
    latents = merged(model, parts)
    vectors = flow.vectors(model, conditioning, len(latents))
    return flow.of(model).decode(latents, vectors)


def encoded(model, images, conditioning=None):
    """Returns the latents of images, float64 `[N, H * W * C]`."""
    if not isinstance(model, glow_model.GlowModel):
        raise TypeError(
            f"Expected a GlowModel. Received: {type(model).__name__}"
        )
    model._spec.check(images, conditioning)
    given = [images] if conditioning is None else [images, conditioning]
    return density.in_batches(
        model.encode, *map(np.asarray, given), batch_size=flow.BATCH_SIZE
    )


def merged(model, parts):
    """Returns latents, a list of levels or an array, as `[N, H * W * C]`."""
    if isinstance(parts, list | tuple):
        parts = [tf.cast(part, tf.float64) for part in parts]
        parts = model.glow.merge_latents(parts)
    latents = np.asarray(parts, np.float64)
    if latents.ndim != 2 or latents.shape[1] != model.event_size:
        raise ValueError(
            "Invalid shape received for the latents. Expected a list of levels "
            f"or an array, [N, {model.event_size}]. Received: {latents.shape}"
        )
    return latents


def levels(model, levels):
    """Returns a list of levels of a model, or raises `ValueError`."""
    numbers = np.atleast_1d(np.asarray(levels))
    count = model.glow.num_levels
    if (
        numbers.ndim != 1
        or not numbers.size
        or numbers.dtype.kind not in "iu"
        or not np.all((numbers >= 0) & (numbers < count))
    ):
        expected = f"integers from 0, the finest level, to {count - 1}"
        raise _checks.invalid_value("levels", levels, expected)
    return numbers.tolist()


def in_levels(model, numbers):
    """Returns which latents are in some levels, `bool` `[H * W * C]`."""
    parts = [
        np.full(shape, level in numbers, bool).ravel()
        for level, shape in enumerate(model.glow.latent_shapes)
    ]
    return np.concatenate(parts)
