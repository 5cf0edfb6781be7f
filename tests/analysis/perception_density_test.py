# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `density.of`: anything with `log_prob` as a density of images."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests.models import tiny
from tfp_glow.analysis import density
from tfp_glow.distributions import baselines

tfd = tfp.distributions


def _normal(loc=0.0, scale=0.2, shape=(2, 2, 1)):
    return tfd.Independent(
        tfd.Normal(tf.fill(shape, loc), scale), reinterpreted_batch_ndims=3
    )


def test_a_continuous_distribution_is_that_of_dequantized_images():
    levels = np.array([[0, 255], [128, 3]]).reshape([1, 2, 2, 1])
    noise = np.array([[0.1, 0.9], [0.5, 0.0]]).reshape([2, 2, 1])
    for model in (_normal(), tfg.Dequantized(_normal(), 256)):
        result = density.of(model).log_prob(levels, noise)
        values = ((levels + noise) / 256 - 0.5).astype(np.float32)
        expected = _normal().log_prob(values) - 4 * np.log(256)
        np.testing.assert_allclose(result, expected, rtol=1e-5)


def test_a_distribution_of_integers_needs_no_noise():
    images = tiny.gray(50, bins=4)
    histogram = baselines.histogram(images, 4)
    own = density.of(histogram, bins=4)
    assert own.bins == 4
    np.testing.assert_allclose(
        own.log_prob(images[:7], 0.9, batch_size=3),
        histogram.log_prob(images[:7].astype(np.int32)),
    )


def test_a_model_is_traced_once():
    model = tiny.model()
    assert density.of(model) is density.of(model)
    assert density.of(density.of(model)) is density.of(model)
    assert density.of(model).bins == 17


def test_a_dequantizer_transforms_the_noise():
    def squares(images):
        return tfp.bijectors.Square()

    model = tfg.Dequantized(_normal(), 256, squares)
    levels = tiny.gray(3, (2, 2, 1), bins=256)
    result = density.of(model).log_prob(levels, 0.3)
    # The noise 0.3 ** 2 has the density 1 / (2 * 0.3) in four values.
    plain = density.of(_normal()).log_prob(levels, 0.3**2)
    np.testing.assert_allclose(result, plain + 4 * np.log(0.6), rtol=1e-5)


def test_levels_are_the_nearest():
    own = density.of(_normal(), bins=5)
    np.testing.assert_array_equal(own.to_levels([0, 0.3, 1, 2]), [0, 1, 4, 4])


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (3.0, TypeError, "float"),
        (tfd.Normal(0.0, 1.0), ValueError, "event shape"),
        (lambda: tiny.model(num_classes=2), TypeError, "given"),
    ],
)
def test_other_objects_are_refused(model, error, message):
    with pytest.raises(error, match=message):
        density.of(model() if callable(model) else model)


def test_other_bins_than_the_models_are_refused():
    with pytest.raises(ValueError, match="256, the model's own"):
        density.of(tfg.Dequantized(_normal(), 256), bins=17)
