# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Simple densities of integer images, as baselines for a flow's bits/dim.

Each function fits integer images `[N, H, W, C]` in `[0, bins)`, an array, and
returns a `tfd.Distribution` over int32 images `[H, W, C]`.
"""

import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow.distributions import dequantized
from tfp_glow.distributions import units

tfd = tfp.distributions

# A covariance matrix has D**2 elements; factoring it takes D**3 operations.
MAX_GAUSSIAN_SIZE = 4096


def uniform(images, bins):
    """Returns the distribution in which all images are equally likely."""
    return histogram(images[:0], bins)


def histogram(images, bins):
    """Fits independent pixels, each with the histogram of its position.

    Every count is increased by one, so that no gray level is impossible.
    """
    counts = np.stack(
        [1 + np.sum(images == level, axis=0) for level in range(bins)], axis=-1
    )
    pixels = tfd.Categorical(logits=np.log(counts).astype(np.float32))
    return tfd.Independent(pixels, reinterpreted_batch_ndims=3)


def gaussian(images, bins):
    """Fits a normal distribution to the dequantized images.

    Raises `ValueError` if an image has more than `MAX_GAUSSIAN_SIZE` values.
    """
    event_shape = images.shape[1:]
    size = math.prod(event_shape)
    if size > MAX_GAUSSIAN_SIZE:
        raise ValueError(
            f"Expected images of at most {MAX_GAUSSIAN_SIZE} values for a full "
            f"covariance. Received: {size}, of shape {event_shape}"
        )
    values = ((images + 0.5) / bins - 0.5).reshape([-1, size])
    covariance = np.cov(values, rowvar=False)
    covariance[np.diag_indices(size)] += _noise_variance(bins)
    normal = tfd.MultivariateNormalTriL(
        loc=values.mean(axis=0), scale_tril=np.linalg.cholesky(covariance)
    )
    reshape = tfp.bijectors.Reshape(event_shape, event_shape_in=[size])
    continuous = tfd.TransformedDistribution(normal, reshape)
    return dequantized.Dequantized(continuous, bins)


def diagonal_gaussian(images, bins):
    """Fits independent normal pixels to the dequantized images."""
    values = (images + 0.5) / bins - 0.5
    variance = values.var(axis=0, ddof=1) + _noise_variance(bins)
    normal = tfd.Normal(*np.float32([values.mean(axis=0), np.sqrt(variance)]))
    continuous = tfd.Independent(normal, reinterpreted_batch_ndims=3)
    return dequantized.Dequantized(continuous, bins)


def _noise_variance(bins):
    """The variance of the dequantization noise, uniform over a gray level."""
    return 1.0 / (12.0 * bins**2)


GAUSSIAN = "Gaussian (upper bound)"
BASELINES = {
    GAUSSIAN: gaussian,
    "per-pixel histogram": histogram,
    "uniform": uniform,
}


def bits_per_dim(distribution, images, batch_size=256):
    """Computes the bits per dimension of each image, an array `[N]`.

    For `gaussian` they are upper bounds from one noise sample.
    """
    is_bound = isinstance(distribution, dequantized.Dequantized)
    log_probs = []
    for i in range(0, len(images), batch_size):
        batch = tf.cast(images[i : i + batch_size], tf.int32)
        seed = {"seed": 0} if is_bound else {}
        log_probs.append(distribution.log_prob(batch, **seed).numpy())
    size = math.prod(images.shape[1:])
    return units.bits_per_dim(np.concatenate(log_probs), size)
