# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fills holes of images with what the model expects there."""

import dataclasses
import weakref

import numpy as np
import sklearn.covariance
import tensorflow as tf

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow.analysis.latents import annealing
from tfp_glow.analysis.latents import flow
from tfp_glow.analysis.latents import grids
from tfp_glow.distributions import units

_NUM_FITTED = 1000  # Samples that tell the moments of the model's images.
_MOVERS = weakref.WeakKeyDictionary()


@dataclasses.dataclass(frozen=True, eq=False)
class Inpainted(grids.Grid):
    """A `Grid` of images, their holes, mean fillings and drawn fillings.

    Attributes:
        samples: float64 `[N, num_samples, H, W, C]`, in `[0, bins - 1]`. Outside
            of the hole they are the images.
        mean: float64 `[N, H, W, C]`, mean of the samples, the filling with the
            least expected squared error.
        mask: `bool` `[H, W, C]`, true in the hole.
        hole_bits_per_dim: float64 `[N]`, bits per dimension of the image's own
            pixels in the hole, given the others.
        acceptance: `float`, share of the sampler's last moves.
    """

    samples: np.ndarray
    mean: np.ndarray
    mask: np.ndarray
    hole_bits_per_dim: np.ndarray
    acceptance: float


def inpaint(
    model,
    images,
    mask,
    conditioning=None,
    num_steps=100,
    num_samples=16,
    seed=None,
):
    """Draws the pixels of a hole, given all other pixels.

    The density of the hole `h` given the rest `r` is `p(h, r) / p(r)`. Particles
    begin with the conditional distribution of a Gaussian that has the moments of
    the model's own samples, and move to `p(h | r)` in steps; see
    `annealing.anneal`. This also estimates `p(r)`, and so the bits per dimension
    of what the image itself has in the hole,

    ```none
    (log p(r) - log p(h, r)) / (d ln 2) + log2 bins
    ```

    for a hole of `d` values. Too few steps or samples make this number too low.
    All pixels have noise within their gray levels, which the images in the result
    lack.

    Args:
        model: `GlowModel`.
        images: integers `[N, H, W, C]`. Pixels in the hole affect
            `hole_bits_per_dim` only.
        mask: `bool` `[H, W]` or `[H, W, C]`, true in the hole.
        conditioning: as in `encode`.
        num_steps: `int`, steps of the sampler.
        num_samples: `int` of at least 2, fillings of every image.
        seed: `int` or `None`.

    Returns:
        `Inpainted`.
    """
    images, mask = np.asarray(images), checked(mask, model.image_shape)
    model._spec.check(images, conditioning)
    [num_steps] = _checks.positive_integer(num_steps=num_steps)
    [num_samples] = _checks.integers(
        2, "at least 2 samples", num_samples=num_samples
    )
    seeds = np.random.SeedSequence(_tf.known_seed(seed)).generate_state(3)
    vectors = flow.vectors(model, conditioning, len(images))
    distribution, size = model.distribution, model.event_size
    noise = np.random.default_rng(seeds[0]).random(images.shape)
    values = distribution.dequantize(images.astype(float), noise).numpy()
    values = values.reshape(-1, size)
    flat = mask.ravel()
    mean, factor = _conditional_gaussian(
        _draws(model, conditioning, int(seeds[1])), values[:, ~flat], flat
    )
    start = values.copy()
    start[:, flat] = mean
    hole = np.zeros([factor.shape[0], size])
    hole[:, flat] = factor.T
    given = [tf.constant(x, tf.float32) for x in (start, hole)]
    given += [] if vectors is None else [tf.constant(vectors)]
    if model not in _MOVERS:
        _MOVERS[model] = annealing.mover(_log_density(flow.of(model)))
    found = annealing.anneal(
        _MOVERS[model],
        given,
        (len(images), num_samples, len(hole)),
        num_steps,
        int(seeds[2]),
    )
    filled = start[:, np.newaxis] + found.particles @ hole
    filled = distribution.to_gray_levels(filled).clip(0, model.bins - 1)
    filled = filled.reshape(len(images), num_samples, *model.image_shape)
    samples = np.where(mask, filled, images[:, np.newaxis])
    bits = _bits_per_dim(
        flow.of(model),
        distribution.to_gray_levels(values).reshape(images.shape),
        vectors,
        found.log_integral + np.sum(np.log(np.diag(factor))),
        len(hole),
        model.bins,
    )
    shown = samples[:, : min(num_samples, 6)]
    grid = _grid(model, images, mask, shown, samples.mean(axis=1), vectors)
    return Inpainted(
        **vars(grid),
        samples=samples,
        mean=samples.mean(axis=1),
        mask=mask,
        hole_bits_per_dim=bits,
        acceptance=found.acceptance,
    )


def checked(mask, image_shape):
    """Returns a mask `[H, W, C]` of a hole, or raises `ValueError`."""
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.shape not in (image_shape, image_shape[:2]):
        raise ValueError(
            f"Expected a bool mask of the model's images, {image_shape} or "
            f"{image_shape[:2]}. Received: {mask.dtype} {mask.shape}"
        )
    if mask.all() or not mask.any():
        raise ValueError(
            "Expected a mask that is true in the hole and false elsewhere. "
            f"Received: one that is {bool(mask.all())} everywhere"
        )
    mask = mask if mask.ndim == 3 else mask[..., np.newaxis]
    return np.broadcast_to(mask, image_shape)


def _draws(model, conditioning, seed):
    """Returns samples `[M, D]` of the model, with the images' conditioning."""
    if conditioning is not None:
        conditioning = np.asarray(conditioning)
        rows = np.arange(_NUM_FITTED) % len(conditioning)
        conditioning = conditioning[rows]
    values = model.sample_values(
        _NUM_FITTED, conditioning=conditioning, seed=seed
    )
    return values.numpy().reshape(_NUM_FITTED, -1)


def _conditional_gaussian(draws, known, flat):
    """Returns means `[N, d]` and a Cholesky factor `[d, d]` of the hole.

    The Gaussian has the mean and the shrunk covariance of the draws.
    """
    fitted = sklearn.covariance.LedoitWolf().fit(draws)
    covariance, mean = fitted.covariance_, fitted.location_
    across = covariance[np.ix_(flat, ~flat)]
    slope = np.linalg.solve(covariance[np.ix_(~flat, ~flat)], across.T)
    rest = covariance[np.ix_(flat, flat)] - across @ slope
    means = mean[flat] + (known - mean[~flat]) @ slope
    return means, np.linalg.cholesky(rest)


def _log_density(compiled):
    """Returns the log-density of particles that stand for holes."""

    def log_density(particles, given):
        start, hole, *vectors = given
        values = start[:, tf.newaxis] + tf.tensordot(particles, hole, 1)
        shape = tf.shape(values)[:2]
        values = tf.reshape(values, [-1, *compiled.event_shape])
        vectors = [tf.repeat(v, shape[1], axis=0) for v in vectors]
        return tf.reshape(compiled.log_density(values, *vectors), shape)

    return log_density


def _bits_per_dim(compiled, images, vectors, log_rest, hole_size, bins):
    """Returns the bits per dimension of holes, given the rest, `[N]`."""
    size = images[0].size
    whole = compiled.bits_per_dim(images, vectors) * size
    rest = units.bits_per_dim(log_rest, 1) + (size - hole_size) * np.log2(bins)
    return (whole - rest) / hole_size


def _grid(model, images, mask, shown, mean, vectors):
    """Returns the `Grid` of images, holes, the mean and some samples."""
    ink = model.bins - 1
    # A checkered hole differs from black, gray and white.
    rows, columns = np.indices(mask.shape[:2])
    checkers = ink * (0.35 + 0.3 * ((rows + columns) % 2))[..., np.newaxis]
    holes = np.where(mask, checkers, images)
    parts = [images, holes, mean, *np.moveaxis(shown, 1, 0)]
    cells = np.stack(parts, axis=1).astype(float)
    compiled = flow.of(model)
    values = [
        np.full(len(images), np.nan)
        if i == 1
        else compiled.bits_per_dim(part, vectors)
        for i, part in enumerate(parts)
    ]
    return grids.Grid(
        cells,
        None,
        np.stack(values, axis=1),
        grids.BITS_PER_DIM,
        model.bins,
        "Holes, filled by the model",
        "the image, its hole, the mean filling, and drawn fillings",
        tuple(f"image {i}" for i in range(len(images))),
        (
            "data",
            "hole",
            "mean",
            *(f"draw {i + 1}" for i in range(shown.shape[1])),
        ),
    )
