# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Finds the data that are nearest to images."""

import dataclasses

import numpy as np
import sklearn.neighbors

from tfp_glow import _checks
from tfp_glow.analysis.latents import codes
from tfp_glow.analysis.latents import grids

# The unit of distances, by the space.
SPACES = {
    "latent": "distance of the latents",
    "pixels": "distance of the pixels, in gray levels",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Neighbors(grids.Grid):
    """A `Grid` of images, and of the data nearest to each.

    Attributes:
        indices: integers `[N, num]`, positions in the data, the nearest first.
        distances: float64 `[N, num]`, Euclidean.
    """

    indices: np.ndarray
    distances: np.ndarray


def nearest(
    model,
    images,
    data,
    num=5,
    space="latent",
    conditioning=None,
    data_conditioning=None,
):
    """Finds the images of a data set that are nearest to others.

    Args:
        model: `GlowModel`.
        images: integers `[N, H, W, C]`.
        data: integers `[M, H, W, C]`.
        num: `int`, neighbors of every image, at most `M`.
        space: `"latent"` or `"pixels"`, in which distances are Euclidean.
        conditioning, data_conditioning: as in `encode`, of images and of data.

    Returns:
        `Neighbors`.
    """
    _checks.choice("space", space, SPACES)
    [num] = _checks.positive_integer(num=num)
    if num > len(data):
        expected = f"at most {len(data)}, the number of data"
        raise _checks.invalid_value("num", num, expected)
    given = ((images, conditioning), (data, data_conditioning))
    # Encoding also checks the pixels.
    latents = [codes.encoded(model, *each) for each in given]
    pixels = [np.reshape(x, [len(x), -1]).astype(float) for x, _ in given]
    points, others = latents if space == "latent" else pixels
    finder = sklearn.neighbors.NearestNeighbors(n_neighbors=num).fit(others)
    distances, indices = finder.kneighbors(points)
    images, data = (np.asarray(x, np.float64) for x, _ in given)
    missing = np.full([len(images), 1], np.nan)
    return Neighbors(
        np.concatenate([images[:, np.newaxis], data[indices]], axis=1),
        None,
        np.concatenate([missing, distances], axis=1),
        SPACES[space],
        model.bins,
        "Images and the data nearest to them",
        "the image, and data by their distance",
        tuple(f"image {i}" for i in range(len(images))),
        ("image", *(f"nearest {i + 1}" for i in range(num))),
        indices,
        distances,
    )
