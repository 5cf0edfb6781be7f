# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Principal directions of a level of the latent space."""

import dataclasses

import numpy as np
import sklearn.decomposition

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow.analysis.latents import codes
from tfp_glow.analysis.latents import flow
from tfp_glow.analysis.latents import grids


@dataclasses.dataclass(frozen=True, eq=False)
class Directions(grids.Grid):
    """A `Grid` of images along the principal directions of a level.

    Attributes:
        directions: float64 `[num, D]`, of length 1 and 0 outside of the level,
            so that a strength is in standard deviations of the latents.
        shares: float64 `[num]`, of the variance of the images that this level
            causes.
        level: `int`.
    """

    directions: np.ndarray
    shares: np.ndarray
    level: int


def principal_directions(
    model,
    level,
    num=4,
    strengths=(-3, -2, -1, 0, 1, 2, 3),
    latents=None,
    conditioning=None,
    num_samples=1000,
    seed=0,
):
    """Finds the directions of a level that change images most.

    Draws the latents `z` of the level, and keeps those of the other levels.
    Principal components of the decoded images have coordinates `x`, and a
    linear regression of `z` on them gives the directions:

    ```none
    direction[k] ~ sum{ x[i, k] z[i] : i }
    ```

    This is how GANSpace carries the principal components of a GAN's features
    back to its latents (Härkönen et al., 2020, section 2.2); a flow needs no
    features, because its images have as many dimensions as its latents.

    Args:
        model: `GlowModel`.
        level: `int`, 0 for the finest.
        num: `int`, number of directions.
        strengths: sequence of finite `float`, of the grid's columns.
        latents: `[1, D]` or a list of levels, the latents in whose place the
            level varies; `None` for zeros, the mode of the latents.
        conditioning: as in `encode`, `[1]` or `[1, ...]`.
        num_samples: `int`, number of draws, more than `num`.
        seed: `int` or `None`.

    Returns:
        `Directions`.
    """
    [level] = codes.levels(model, level)
    strengths = np.asarray(strengths, np.float64)
    is_varied = codes.in_levels(model, [level])
    [num, num_samples] = _checks.positive_integer(
        num=num, num_samples=num_samples
    )
    largest = min(np.sum(is_varied), num_samples - 1)
    if num > largest:
        expected = (
            f"at most {largest}, by the size of the level and num_samples"
        )
        raise _checks.invalid_value("num", num, expected)
    if latents is None:
        latents = np.zeros([1, model.event_size])
    latents = codes.merged(model, latents)
    if len(latents) != 1:
        expected = "the latents of one image"
        raise _checks.invalid_value("latents", latents.shape, expected)
    vectors = flow.vectors(model, conditioning, 1)
    generator = np.random.default_rng(_tf.known_seed(seed))
    drawn = np.repeat(latents, num_samples, axis=0)
    noise = generator.standard_normal([num_samples, np.sum(is_varied)])
    drawn[:, is_varied] = noise
    if vectors is not None:
        vectors = np.repeat(vectors, num_samples, axis=0)
    images = flow.of(model).decode(drawn, vectors)
    components = sklearn.decomposition.PCA(num, random_state=0)
    coordinates = components.fit_transform(images.reshape(num_samples, -1))
    directions = np.zeros([num, model.event_size])
    directions[:, is_varied] = coordinates.T @ noise
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    moved = latents + strengths[:, np.newaxis] * directions[:, np.newaxis]
    shares = components.explained_variance_ratio_
    grid = grids.decoded(
        model,
        moved,
        None
        if vectors is None
        else np.broadcast_to(
            vectors[0], [num, len(strengths), *vectors.shape[1:]]
        ),
        title=f"Principal directions of level {level}, and their shares",
        columns="strength, in standard deviations of the latents",
        row_labels=tuple(f"{i}: {100 * s:.0f} %" for i, s in enumerate(shares)),
        column_labels=tuple(f"{x:+g}" for x in strengths),
    )
    return Directions(
        **vars(grid), directions=directions, shares=shares, level=level
    )
