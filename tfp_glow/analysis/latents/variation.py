# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Varies images along a direction of the latent space."""

import numpy as np

from tfp_glow import _checks
from tfp_glow.analysis.latents import attributes
from tfp_glow.analysis.latents import codes
from tfp_glow.analysis.latents import flow
from tfp_glow.analysis.latents import grids


def vary(model, images, direction, strengths, conditioning=None):
    """Moves the latents of images along a direction.

    Args:
        model: `GlowModel`.
        images: integers `[N, H, W, C]`.
        direction: `Attribute`, or an array `[H * W * C]`.
        strengths: sequence of finite `float`.
        conditioning: as in `encode`.

    Returns:
        `Grid` of `N` rows, and a column for each strength.
    """
    strengths = checked(strengths)
    latents = codes.encoded(model, images, conditioning)
    vectors = flow.vectors(model, conditioning, len(latents))
    name, unit = "A direction of the latents", "the length of the direction"
    if isinstance(direction, attributes.Attribute):
        name = f"Attribute: {direction.name}"
        unit = "the distance of the classes' means"
        direction = direction.direction
    direction = np.asarray(direction, np.float64)
    if direction.shape != latents.shape[1:]:
        expected = f"an array of {latents.shape[1]} numbers"
        raise _checks.invalid_value("direction", direction.shape, expected)
    moved = latents[:, np.newaxis] + strengths[:, np.newaxis] * direction
    return grids.decoded(
        model,
        moved,
        grids.repeated(vectors, len(strengths)),
        title=name,
        columns=f"strength; 1 is {unit}",
        row_labels=tuple(f"image {i}" for i in range(len(latents))),
        column_labels=tuple(f"{x:+g}" for x in strengths),
    )


def checked(strengths):
    """Returns strengths as an array, or raises `ValueError`."""
    strengths = np.asarray(strengths)
    if (
        strengths.ndim != 1
        or not strengths.size
        or strengths.dtype.kind not in "iuf"
        or not np.all(np.isfinite(strengths))
    ):
        expected = "a sequence of finite numbers"
        raise _checks.invalid_value("strengths", strengths.tolist(), expected)
    return strengths.astype(np.float64)
