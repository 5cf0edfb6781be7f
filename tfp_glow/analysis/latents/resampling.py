# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Replaces some levels of an image's latents by new draws."""

import numpy as np

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow.analysis.latents import codes
from tfp_glow.analysis.latents import flow
from tfp_glow.analysis.latents import grids


def resample(
    model,
    images,
    levels,
    temperature=1.0,
    num=6,
    seed=None,
    conditioning=None,
):
    """Draws the latents of some levels, and keeps the others.

    The finest level holds details, and the coarsest the composition.

    Args:
        model: `GlowModel`.
        images: integers `[N, H, W, C]`.
        levels: `int` or a list of them, 0 for the finest.
        temperature: finite `float` of at least 0, which multiplies the noise.
        num: `int`, draws for every image.
        seed: `int` or `None`.
        conditioning: as in `encode`.

    Returns:
        `Grid` of `N` rows. The first column has the images, and the others have
        the draws.
    """
    numbers = codes.levels(model, levels)
    temperature = _checks.number(
        "temperature",
        temperature,
        "a finite number of at least 0",
        lambda x: 0.0 <= x < np.inf,
    )
    [num] = _checks.positive_integer(num=num)
    seed = _tf.known_seed(seed)
    latents = codes.encoded(model, images, conditioning)
    vectors = flow.vectors(model, conditioning, len(latents))
    latents = np.repeat(latents[:, np.newaxis], num + 1, axis=1)
    drawn = codes.in_levels(model, numbers)
    noise = np.random.default_rng(seed).standard_normal(latents[:, 1:].shape)
    noise = flow.of(model).scale_latents(noise, temperature)
    latents[:, 1:, drawn] = noise[..., drawn]
    named = ", ".join(map(str, numbers))
    return grids.decoded(
        model,
        latents,
        grids.repeated(vectors, num + 1),
        title=f"Level {named}, drawn again",
        columns=f"the image, and draws at the temperature {temperature:g}",
        row_labels=tuple(f"image {i}" for i in range(len(latents))),
        column_labels=("data", *(f"draw {i + 1}" for i in range(num))),
    )
