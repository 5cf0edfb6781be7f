# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the scores that tell usual images from others."""

import io
import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from PIL import Image

import tfp_glow as tfg
from tests.models import tiny
from tfp_glow.analysis import density
from tfp_glow.distributions import baselines

tfd = tfp.distributions

typicality = tfg.typicality

SHAPE = (8, 8, 1)


def normal(scale=0.05, shape=SHAPE):
    zeros = tf.zeros(shape)
    return tfd.Independent(tfd.Normal(zeros, scale), len(shape))


@pytest.fixture(scope="module")
def gaussian():
    model = tfg.Dequantized(normal(), 256)
    return model, model.sample(500, seed=(0, 1)).numpy()


def test_bits_of_a_gaussian_tend_to_its_entropy(gaussian):
    model, images = gaussian
    bits = typicality.bits_per_dim(model, images)
    # The density of gray levels is 256 times coarser.
    entropy = math.log2(0.05 * math.sqrt(2 * math.pi * math.e) * 256)
    assert abs(bits.mean() - entropy) < 4 * bits.std() / math.sqrt(500)
    # The variance of -log p of one value is 1/2 nat**2.
    deviation = math.sqrt(0.5 / 64) / math.log(2)
    np.testing.assert_allclose(bits.std(), deviation, rtol=0.15)


def test_bits_are_those_of_the_distribution():
    images = tiny.gray(20, bins=4)
    histogram = baselines.histogram(images, 4)
    np.testing.assert_allclose(
        typicality.bits_per_dim(histogram, images),
        -histogram.log_prob(images.astype(np.int32)) / (16 * math.log(2)),
        rtol=1e-6,
    )


def test_the_likelihood_misses_simple_images_and_typicality_finds_them(
    gaussian,
):
    model, images = gaussian
    constant = np.full_like(images[:50], 128)
    bits = [typicality.bits_per_dim(model, x) for x in (images, constant)]
    assert typicality.roc(*bits).auroc == 0.0
    entropy = bits[0].mean()
    scores = [
        typicality.typicality(model, x, entropy) for x in (images, constant)
    ]
    np.testing.assert_allclose(scores[0], np.abs(bits[0] - entropy))
    assert typicality.roc(*scores).auroc == 1.0


def test_batches_tell_more_than_single_images(gaussian):
    model, images = gaussian
    entropy = typicality.bits_per_dim(model, images).mean()
    other = tfg.Dequantized(normal(0.047), 256).sample(500, seed=(0, 2))
    single, batch = (
        typicality.roc(
            *(
                typicality.typicality(model, x, entropy, size)
                for x in (images, other.numpy())
            )
        ).auroc
        for size in (1, 25)
    )
    assert single < 0.65 and batch > 0.9
    assert typicality.typicality(model, images, 1.0, 300).shape == (1,)


def test_the_likelihood_ratio_cancels_what_both_models_see(gaussian):
    model, images = gaussian
    background = tfg.Dequantized(normal(0.1), 256)
    # For normal densities the ratio is a function of the squared values.
    own = np.array(typicality.likelihood_ratio(model, background, images))
    noise = density.of(model).draw_noise(0)
    squares = np.sum(((images + noise) / 256 - 0.5) ** 2, axis=(1, 2, 3))
    expected = squares * (0.05**-2 - 0.1**-2) / 128 - math.log(2)
    np.testing.assert_allclose(own, expected / math.log(2), atol=1e-4)
    same = typicality.likelihood_ratio(model, model, images)
    np.testing.assert_array_equal(same, 0.0)


def test_mutations_are_as_frequent_as_asked():
    images = np.full([50, 8, 8, 1], 200, np.uint8)
    mutated = typicality.mutate(images, 0.3, 256, seed=1)
    assert mutated.dtype == np.uint8
    assert abs(np.mean(mutated != 200) - 0.3 * 255 / 256) < 0.03
    np.testing.assert_array_equal(typicality.mutate(images, 0, 256), images)
    assert typicality.mutate(images, 1, 201).max() == 200


@pytest.mark.parametrize("channels", [1, 3])
def test_png_sizes(channels):
    random = np.random.default_rng(0)
    shape = [64, 64, channels]
    noise, constant = random.integers(0, 256, shape), np.full(shape, 7)
    bits = typicality.png_bits_per_dim(np.stack([noise, constant]))
    # No file of noise is smaller than the noise, or much larger.
    assert 8.0 < bits[0] < 8.3 and bits[1] < 0.3
    file = io.BytesIO()
    image = noise[..., 0] if channels == 1 else noise
    Image.fromarray(image.astype(np.uint8)).save(file, "png", optimize=True)
    assert bits[0] == 8 * len(file.getvalue()) / noise.size


def test_input_complexity_is_a_difference(gaussian):
    model, images = gaussian
    np.testing.assert_allclose(
        typicality.input_complexity(model, images[:9], seed=3),
        typicality.bits_per_dim(model, images[:9], seed=3)
        - typicality.png_bits_per_dim(images[:9]),
    )


def test_a_model_scores_images():
    model = tiny.model()
    bits = typicality.bits_per_dim(model, tiny.gray(3))
    assert bits.shape == (3,) and bits.dtype == np.float64


@pytest.mark.parametrize(
    ("usual", "unusual", "auroc"),
    [([0, 1, 2], [3, 4], 1.0), ([3, 4], [0, 1], 0.0), ([1, 2], [2, 1], 0.5)],
)
def test_auroc(usual, unusual, auroc):
    roc = typicality.roc(usual, unusual)
    assert roc.auroc == auroc
    assert roc.false_positive_rate[0] == 0 and roc.true_positive_rate[-1] == 1
    called = np.array(unusual)[:, None] >= roc.thresholds
    np.testing.assert_array_equal(roc.true_positive_rate, called.mean(axis=0))


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (np.zeros([0, 4, 4, 1], np.uint8), ValueError, "at least one event"),
        (np.zeros([2, 8, 8, 1], np.uint8), ValueError, "4, 4, 1"),
        (np.full([2, 4, 4, 1], 17), ValueError, r"gray levels in \[0, 17\)"),
        (np.zeros([2, 4, 4, 1]), TypeError, "integers"),
    ],
)
def test_other_images_are_refused(images, error, message):
    model = tfg.Dequantized(normal(shape=(4, 4, 1)), 17)
    for score in (typicality.bits_per_dim, typicality.input_complexity):
        with pytest.raises(error, match=message):
            score(model, images)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: typicality.roc([1.0], []), "of both classes.*`unusual`"),
        (lambda: typicality.roc([], [1.0]), "of both classes.*`usual`"),
        (lambda: typicality.roc([1.0, np.nan], [1.0]), "1 of 2 in `usual`"),
        (
            lambda: typicality.mutate(np.zeros([1, 2, 2, 1], int), 1.5, 4),
            r"in \[0, 1\]",
        ),
        (
            lambda: typicality.mutate(np.full([1, 2, 2, 1], 4), 0.5, 4),
            r"in \[0, 4\)",
        ),
        (
            lambda: typicality.png_bits_per_dim(np.zeros([1, 8, 8, 2], int)),
            "one channel or three",
        ),
        (
            lambda: typicality.png_bits_per_dim(np.full([1, 8, 8, 1], 256)),
            r"in \[0, 256\)",
        ),
        (
            lambda: typicality.typicality(normal(), np.zeros([2]), np.nan),
            "entropy",
        ),
        (
            lambda: typicality.typicality(normal(), np.zeros([2]), 1.0, 3),
            "number of images, 2",
        ),
    ],
)
def test_invalid_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
