# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Directions of the latent space that have names, for the page's sliders."""

import dataclasses

import numpy as np

from tfp_glow.analysis import latents
from tfp_glow.analysis.latents import codes

_MIN_IMAGES = 30  # Fewer do not tell a direction.
_MAX_CLASSES = 12  # More would be too many sliders.
_NUM_DIRECTIONS = {1: 4, 2: 3}  # By the number of levels; 2 each for more.
_NUM_SAMPLES = 300


@dataclasses.dataclass(frozen=True, eq=False)
class Slider:
    """A direction, and how the page shows it.

    Attributes:
        name: `str`, unique.
        title, group: `str`.
        low, high: `str`, the ends of the slider.
        max: `float`, largest strength.
        direction: float64 `[D]`, the change of the latents at strength 1.
    """

    name: str
    title: str
    group: str
    low: str
    high: str
    max: float
    direction: np.ndarray

    def to_dict(self):
        """Returns the facts that the page needs."""
        values = dataclasses.asdict(self)
        del values["direction"]
        return values


def find(model, images, labels, class_names):
    """Returns the `Slider`s of a model.

    They are the looks of pictures, which need no labels; the classes, if the
    data have a few that the model is not given; and the principal directions of
    its levels. The first two are differences of mean latents, the directions of
    `latents.attribute`.

    Args:
        model: `GlowModel`.
        images: integers `[N, H, W, C]` in `[0, model.bins)`.
        labels: integers `[N]` or `None`.
        class_names: list of `str`, or `None` if the classes are too many or
            mean nothing.
    """
    found = []
    if len(images) >= _MIN_IMAGES:
        given = labels if model.num_classes else None
        encoded = codes.encoded(model, images, given)
        found += _looks(model, images, encoded)
        if class_names and model.num_classes is None:
            found += _classes(labels, encoded, class_names[:_MAX_CLASSES])
    return found + _directions(model)


def measure(images):
    """Returns numbers `[N]` that describe looks of images, by their titles.

    Pictures of ink on an empty background have other looks than photographs.

    Args:
        images: array `[N, H, W, C]` in `[0, 1]`.

    Returns:
        Dictionary from `(title, low end, high end)` to arrays `[N]`.
    """
    gray = np.mean(images, axis=-1)
    rows, columns = np.indices(gray.shape[1:])
    x, y = ((v - np.mean(v)) / v.shape[0] for v in (columns, rows))
    edges = (gray[:, 0], gray[:, -1], gray[:, :, 0], gray[:, :, -1])
    if np.mean([np.median(edge) for edge in edges]) < 0.02:
        ink = gray / np.maximum(np.sum(gray, (1, 2), keepdims=True), 1e-6)

        def moment(values):
            return np.sum(ink * values, axis=(1, 2))

        dx, dy = (v - moment(v)[:, np.newaxis, np.newaxis] for v in (x, y))
        return {
            ("Ink", "thin", "bold"): np.mean(gray, axis=(1, 2)),
            ("Slant", "left", "right"): -moment(dx * dy) / moment(dy**2),
            ("Width", "narrow", "wide"): moment(dx**2),
            ("Center", "low", "high"): -moment(y),
        }
    looks = {
        ("Brightness", "dark", "bright"): np.mean(gray, axis=(1, 2)),
        ("Contrast", "flat", "strong"): np.std(gray, axis=(1, 2)),
        ("Side light", "left", "right"): np.mean(gray * x, (1, 2)),
        ("Top light", "below", "above"): -np.mean(gray * y, (1, 2)),
    }
    if images.shape[-1] == 3:
        red, _, blue = np.moveaxis(np.mean(images, axis=(1, 2)), -1, 0)
        looks[("Warmth", "cool", "warm")] = red - blue
        most = np.max(images, axis=-1)
        saturation = 1.0 - np.min(images, axis=-1) / np.maximum(most, 1e-6)
        looks[("Saturation", "gray", "colorful")] = saturation.mean((1, 2))
    return looks


def _looks(model, images, encoded):
    """Returns sliders from the lowest to the highest third of each measure."""
    found = []
    looks = measure(images / (model.bins - 1.0))
    for (title, low, high), values in looks.items():
        if not np.ptp(values) > 0:
            continue
        thirds = np.argsort(np.argsort(values)) * 3 // len(values)
        direction = encoded[thirds == 2].mean(0) - encoded[thirds == 0].mean(0)
        name = title.lower().replace(" ", "-")
        found.append(Slider(name, title, "Looks", low, high, 2.0, direction))
    return found


def _classes(labels, encoded, class_names):
    """Returns sliders from all other classes to each one."""
    found = []
    for label, title in enumerate(class_names):
        inside = labels == label
        if 2 <= np.sum(inside) <= len(labels) - 2:
            direction = encoded[inside].mean(0) - encoded[~inside].mean(0)
            name = f"class-{label}"
            found.append(Slider(name, title, "Classes", "", "", 3.0, direction))
    return found


def _directions(model):
    """Returns the principal directions of each level, the coarsest first."""
    found = []
    num_levels = model.glow.num_levels
    conditioning = None
    if model.num_classes:  # Equal weights of all classes.
        weights = np.full([1, model.num_classes], 1.0 / model.num_classes)
        conditioning = weights.astype(np.float32)
    for level in reversed(range(num_levels)):
        result = latents.principal_directions(
            model,
            level,
            num=_NUM_DIRECTIONS.get(num_levels, 2),
            strengths=(0.0,),
            conditioning=conditioning,
            num_samples=_NUM_SAMPLES,
        )
        found += [
            Slider(
                f"level-{level}-direction-{i}",
                f"Level {level + 1}, {'abcd'[i]}",
                "Main directions",
                "",
                "",
                4.0,
                direction,
            )
            for i, direction in enumerate(result.directions)
        ]
    return found
