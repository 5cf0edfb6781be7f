# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Published stimuli as pairs of patches that a model of patches can judge."""

import pathlib
import subprocess

import numpy as np
import skimage.measure

from benchmarks import compare_environment
from benchmarks import human_directions
from tfp_glow import _files
from tfp_glow.analysis.perception import patches
from tfp_glow.analysis.perception import stimuli

SIZE = 16
NATIVE = "native"
# Longer sides of the targets in pixels: a quarter, about a third and half of a
# patch. They are even, as `SIZE` is, so that targets can be in the middle.
SCALES = (4, 6, 8)

_RENDER = pathlib.Path(__file__).with_name("human_render.py")
# Points per pixel and direction over which a patch is averaged.
_SAMPLES = 48


def load(path):
    """Renders all stimuli of `human_directions`, unless the file has them.

    Returns:
        Dictionary of names to pairs of image and mask, arrays `[H, W]`.
    """
    names = [d.key for d in human_directions.DIRECTIONS]
    path = pathlib.Path(path)
    if not path.exists():
        python = compare_environment.environment("stimupy", "stimupy==1.2.*")
        path.parent.mkdir(parents=True, exist_ok=True)
        with _files.replacing(path) as new:
            # NumPy would add the suffix that a temporary name lacks.
            archive = f"{new}.npz"
            subprocess.run([python, _RENDER, archive, *names], check=True)
            pathlib.Path(archive).replace(new)
    with np.load(path) as arrays:
        return {n: (arrays[f"{n}/image"], arrays[f"{n}/mask"]) for n in names}


def views(direction, image, mask):
    """Returns the stimulus at all scales, a dictionary to `Stimulus`.

    The first one is the one to report. It is `NATIVE` for Murray's stimuli,
    which were made as 16x16 pixels: a patch then shows both targets, and one of
    them varies. In the others the target is in the middle of the patch, `SCALES`
    pixels long.
    """
    masks = [target_mask(mask, target) for target in (1, 2)]
    # Both targets are magnified alike.
    longest = max(np.max(_extent(mask)) for mask in masks)
    is_native = direction.paper == "murray2020"
    result = {}
    for scale in (NATIVE, *SCALES) if is_native else (6, 4, 8):
        side = SIZE if scale == NATIVE else SIZE * longest / scale
        result[str(scale)] = stimuli.Stimulus(
            direction.key,
            *(_patch(image, mask, side, scale == NATIVE) for mask in masks),
            labels=("target 1", "target 2"),
            higher="ab"[direction.lighter - 1],
            sees=direction.reason,
            source=direction.paper,
        )
    return result


def target_mask(mask, target):
    """Returns where a target is, its piece nearest to the middle."""
    labels = skimage.measure.label(mask == target)
    middle = (np.array(mask.shape) - 1) / 2.0
    nearest = min(
        skimage.measure.regionprops(labels),
        key=lambda region: np.linalg.norm(region.centroid - middle),
    )
    return labels == nearest.label


def _extent(mask):
    return np.ptp(np.argwhere(mask), axis=0) + 1


def _patch(image, mask, side, is_inside):
    """Cuts a square around a target, which lies inside the image if asked."""
    pixel = side / SIZE
    # Whole pixels, so that a target is as wide as it is, if not in the middle.
    margin = np.round((side - _extent(mask)) / 2 / pixel) * pixel
    start = np.argwhere(mask).min(axis=0) - margin
    if is_inside:
        start = np.clip(start, 0, np.array(mask.shape) - side)
    value = image[mask].mean()
    inside = resample(mask.astype(float), start, side) >= 0.5
    # Pixels that the target shares with its surround would change with it.
    ground = resample(image, start, side)
    ground[inside] = value
    return patches.Patch(ground[..., np.newaxis], inside, value)


def resample(image, start, side):
    """Averages a square part of an image over `SIZE` x `SIZE` areas.

    Beyond its border an image continues with the values at the border.
    """
    points = (np.arange(SIZE * _SAMPLES) + 0.5) / (SIZE * _SAMPLES) * side
    rows, columns = (
        np.clip(np.floor(first + points).astype(int), 0, length - 1)
        for first, length in zip(start, image.shape)
    )
    fine = image[np.ix_(rows, columns)]
    return fine.reshape(SIZE, _SAMPLES, SIZE, _SAMPLES).mean(axis=(1, 3))
