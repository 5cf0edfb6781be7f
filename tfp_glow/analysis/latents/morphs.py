# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Morphs: the class changes while the latent stays."""

import numpy as np

from tfp_glow.analysis.latents import codes
from tfp_glow.analysis.latents import grids


def morph(model, latents, labels=None):
    """Decodes latents as other classes.

    The noise that a class-conditional flow encodes is the style of a digit, for
    example, which the flow can draw as any other digit.

    Args:
        model: `GlowModel` made with `num_classes`.
        latents: array `[N, D]`, as `model.encode(images, labels)` returns it
            for images and their labels, or a list of levels as from `encode`.
        labels: integers `[M]`, by default all classes. Floats
            `[M, num_classes]` or `[N, M, num_classes]` are weights of the
            classes, for example of the way from one class to another.

    Returns:
        `Grid` of `N` rows and `M` columns.
    """
    if model.num_classes is None:
        raise ValueError(
            "Expected a model of classes, which GlowModel(..., num_classes=10) "
            "makes and `train --conditional` trains. Received: one without"
        )
    latents = codes.merged(model, latents)
    labels = np.arange(model.num_classes) if labels is None else labels
    weights = np.asarray(labels)
    names = ["" for _ in range(weights.shape[-2])] if weights.ndim > 1 else None
    if names is None:
        model._spec.check_conditioning(weights, len(weights))
        names = [str(label) for label in weights]
        weights = np.eye(model.num_classes)[weights]
    shape = (len(latents), len(names), model.num_classes)
    if weights.shape not in (shape, shape[1:]):
        raise ValueError(
            "Expected labels [M], or weights [M, num_classes] or [N, M, "
            f"num_classes] for {shape[0]} latents and {shape[2]} classes. "
            f"Received: shape {weights.shape}"
        )
    return grids.decoded(
        model,
        np.repeat(latents[:, np.newaxis], len(names), axis=1),
        np.broadcast_to(weights, shape).astype(np.float32),
        title="The class changes, the latents stay",
        columns="class",
        row_labels=tuple(f"latents {i}" for i in range(len(latents))),
        column_labels=tuple(names),
    )
