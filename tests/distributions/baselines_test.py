# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.baselines`."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfp_glow.distributions import baselines
from tfp_glow.distributions import dequantized


def draw(count, shape=(3, 2, 1), bins=5, seed=0):
    generator = np.random.default_rng(seed)
    return np.minimum(generator.poisson(1.0, [count, *shape]), bins - 1)


@pytest.mark.parametrize("bins", [2, 17, 256])
def test_uniform_is_exactly_the_logarithm_of_the_gray_levels(bins):
    images = draw(7, bins=min(bins, 5))
    bits = baselines.bits_per_dim(baselines.uniform(images, bins), images)
    assert bits.shape == (7,)
    np.testing.assert_allclose(bits, math.log2(bins), rtol=1e-6)


def test_histogram_is_that_of_counts_plus_one():
    images, bins = draw(50), 5
    distribution = baselines.histogram(images, bins)
    probs = distribution.distribution.probs_parameter().numpy()
    assert probs.shape == (3, 2, 1, bins)
    np.testing.assert_allclose(probs.sum(axis=-1), 1.0, rtol=1e-6)
    for y in range(3):
        for x in range(2):
            counts = np.bincount(images[:, y, x, 0], minlength=bins)
            expected = (counts + 1) / (50 + bins)
            np.testing.assert_allclose(probs[y, x, 0], expected, rtol=1e-5)


def test_histogram_gives_its_pixels_product():
    images, bins = draw(50), 5
    new = draw(4, seed=1)
    new[0] = bins - 1
    expected = np.zeros(4)
    for i, image in enumerate(new):
        for place, level in np.ndenumerate(image):
            count = np.sum(images[(slice(None), *place)] == level)
            expected[i] -= math.log2((count + 1) / (50 + bins)) / image.size
    bits = baselines.bits_per_dim(baselines.histogram(images, bins), new)
    assert np.isfinite(bits).all()
    np.testing.assert_allclose(bits, expected, rtol=1e-5)


def test_gaussian_approaches_the_entropy_of_gaussian_data():
    size, bins, count = 4, 256, 20_000
    generator = np.random.default_rng(0)
    factor = np.tril(generator.normal(0.0, 0.02, [size, size]), -1)
    factor += np.diag([0.05, 0.08, 0.06, 0.07])
    values = generator.standard_normal([2 * count, size]) @ factor.T
    images = np.floor((values + 0.5) * bins).astype(int)
    assert images.min() >= 0
    assert images.max() < bins
    images = images.reshape([-1, 2, 2, 1])
    # In nats, of the continuous values, in units of a gray level.
    entropy = (
        0.5 * size * math.log(2 * math.pi * math.e)
        + np.log(np.diag(factor)).sum()
        + size * math.log(bins)
    )
    distribution = baselines.gaussian(images[:count], bins)
    bits = baselines.bits_per_dim(distribution, images[count:])
    assert isinstance(distribution, dequantized.Dequantized)
    assert bits.shape == (count,)
    expected = entropy / (size * math.log(2))
    np.testing.assert_allclose(bits.mean(), expected, atol=0.01)


def test_gaussian_has_the_moments_of_the_dequantized_images():
    images, bins = draw(100), 5
    noise = np.random.default_rng(1).random([2000, *images.shape])
    values = ((images + noise) / bins - 0.5).reshape([-1, 6])
    normal = baselines.gaussian(images, bins).distribution.distribution
    np.testing.assert_allclose(normal.mean(), values.mean(axis=0), atol=1e-3)
    # The images are the whole population, not a sample of it.
    covariance = normal.covariance().numpy()
    within = np.eye(6) / (12 * bins**2)
    covariance = (covariance - within) * 99 / 100 + within
    np.testing.assert_allclose(
        covariance, np.cov(values, rowvar=False), atol=1e-4
    )


@pytest.mark.parametrize(
    "fit", [baselines.gaussian, baselines.diagonal_gaussian]
)
def test_gaussians_allow_pixels_that_never_change(fit):
    images = draw(100)
    images[:, 0] = 3
    bits = baselines.bits_per_dim(fit(images, 5), images)
    assert np.isfinite(bits).all()


def test_diagonal_gaussian_has_the_variances_of_the_full_one():
    images, bins = draw(100), 5
    full = baselines.gaussian(images, bins).distribution.distribution
    diagonal = baselines.diagonal_gaussian(images, bins).distribution
    assert diagonal.event_shape == (3, 2, 1)
    for name in ("mean", "variance"):
        np.testing.assert_allclose(
            np.ravel(getattr(diagonal, name)()),
            getattr(full, name)(),
            rtol=1e-5,
        )


def test_gaussian_of_images_too_large_is_an_error():
    images = np.zeros([2, 65, 64, 1], int)
    with pytest.raises(ValueError, match=r"at most 4096 values.*4160"):
        baselines.gaussian(images, 256)


@pytest.mark.parametrize("name", ["per-pixel histogram", "uniform"])
def test_exact_baselines_do_not_depend_on_the_batches(name):
    images = draw(50).astype(np.uint8)
    distribution = baselines.BASELINES[name](images, 5)
    whole = baselines.bits_per_dim(distribution, images)
    parts = baselines.bits_per_dim(distribution, images, batch_size=16)
    np.testing.assert_allclose(whole, parts, rtol=1e-6)


def test_the_bound_of_a_gaussian_repeats():
    images = draw(50)
    distribution = baselines.gaussian(images, 5)
    first, second = (
        baselines.bits_per_dim(distribution, images) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", list(baselines.BASELINES))
def test_baselines_are_distributions_to_sample_from(name):
    distribution = baselines.BASELINES[name](draw(50), 5)
    samples = distribution.sample(3, seed=(0, 1))
    assert samples.dtype == tf.int32
    assert samples.shape == (3, 3, 2, 1)
    assert 0 <= samples.numpy().min() <= samples.numpy().max() < 5
