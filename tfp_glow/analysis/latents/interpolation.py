# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Interpolates between the latents of two images."""

import numpy as np

from tfp_glow import _checks
from tfp_glow.analysis.latents import codes
from tfp_glow.analysis.latents import flow
from tfp_glow.analysis.latents import grids


def interpolate(
    model, start, end, num=9, method="spherical", conditioning=None
):
    """Walks from images to others through the latent space.

    ```none
    linear:     z(t) = (1 - t) a + t b
    spherical:  z(t) = |z(t)| (sin((1 - t) w) a / |a| + sin(t w) b / |b|) / sin w
                |z(t)| = (1 - t) |a| + t |b|,  w the angle between a and b
    ```

    Normal latents in many dimensions have nearly the same norm. The linear
    path leaves it, and the spherical path keeps it (Shoemake, 1985; White,
    Sampling generative networks, 2016).

    Args:
        model: `GlowModel`.
        start, end: integer images `[N, H, W, C]`.
        num: `int` of at least 2, images of a path, with both ends.
        method: `"spherical"` or `"linear"`.
        conditioning: labels `[N]` of both ends if the model has classes, or a
            pair of them, for `start` and `end`. Between different classes the
            flow is given weights of the two.

    Returns:
        `Grid` of `N` rows and `num` columns.
    """
    _checks.choice("method", method, METHODS)
    [num] = _checks.integers(2, "at least 2 images", num=num)
    if len(start) != len(end):
        raise ValueError(
            "Expected as many images in `end` as in `start`. Received: "
            f"{len(end)} and {len(start)}"
        )
    given = _pair(model, conditioning)
    ends = [
        codes.encoded(model, images, labels)
        for images, labels in zip((start, end), given)
    ]
    t = np.linspace(0.0, 1.0, num)
    vectors = [flow.vectors(model, labels, len(start)) for labels in given]
    vectors = None if vectors[0] is None else _linear(*vectors, t)
    return grids.decoded(
        model,
        METHODS[method](*ends, t),
        vectors,
        title=f"{method.capitalize()} interpolation of latents",
        columns="part of the way",
        row_labels=tuple(f"pair {i}" for i in range(len(start))),
        column_labels=("start", *(f"{x:.3g}" for x in t[1:-1]), "end"),
    )


def _pair(model, conditioning):
    """Returns the conditioning of the start and of the end."""
    if conditioning is None or not model.is_conditional:
        return conditioning, conditioning
    one = 1 if model.num_classes else 2
    if np.ndim(conditioning[0]) == one:
        return tuple(conditioning)
    return conditioning, conditioning


def _linear(a, b, t):
    """Returns points `[N, len(t), ...]` from `a` to `b`, `[N, ...]`."""
    t = t.reshape([-1] + [1] * (a.ndim - 1))
    return (1.0 - t) * a[:, np.newaxis] + t * b[:, np.newaxis]


def _spherical(a, b, t):
    norms = [np.linalg.norm(x, axis=-1, keepdims=True) for x in (a, b)]
    a, b = (x / np.maximum(norm, 1e-12) for x, norm in zip((a, b), norms))
    cosine = np.sum(a * b, axis=-1)[:, np.newaxis, np.newaxis]
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    if np.any(angle > np.pi - 1e-6):
        raise ValueError(
            "Expected latents that are not opposite, since no spherical path "
            "between those is the shortest. Received some that are. Use "
            "method='linear'"
        )
    weight = t[:, np.newaxis]
    # `sinc` keeps the ratio of sines finite for equal directions.
    sine = np.sinc(angle / np.pi)
    first = (1.0 - weight) * np.sinc((1.0 - weight) * angle / np.pi) / sine
    second = weight * np.sinc(weight * angle / np.pi) / sine
    points = first * a[:, np.newaxis] + second * b[:, np.newaxis]
    return points * _linear(*norms, t)


METHODS = {"linear": _linear, "spherical": _spherical}
