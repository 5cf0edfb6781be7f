# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `GlowModel`: latent vectors and samples."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_glow as tfg
from tests import helpers
from tests.models import tiny
from tfp_glow.bijectors import levels


@pytest.mark.parametrize("stddev", [0.0, 0.05, 0.3])
def test_decoding_a_code_gives_the_image_exactly(trained, digits, stddev):
    helpers.perturb(trained.distribution, stddev)
    x = digits[:32]
    z = trained.encode(x)
    assert (z.shape, z.dtype) == ((32, 64), tf.float64)
    decoded = trained.decode(z)
    assert (decoded.shape, decoded.dtype) == ((32, 8, 8, 1), tf.float64)
    np.testing.assert_allclose(decoded, x, rtol=0, atol=1e-9)


def test_codes_agree_with_the_float32_bijector(trained, digits):
    x = digits[:32]
    z = trained.encode(x)
    rough = trained.glow.inverse(trained.distribution.dequantize(x))
    assert rough.dtype == tf.float32
    np.testing.assert_allclose(z, rough, atol=1e-3)
    parts = trained.glow.split_latents(z)
    assert [tuple(p.shape) for p in parts] == [(32, 4, 4, 2), (32, 2, 2, 8)]


def test_codes_follow_the_weights(trained, digits):
    x = digits[:4]
    before = trained.encode(x)
    helpers.perturb(trained.distribution, 0.1)
    assert np.abs(trained.encode(x) - before).max() > 0.1


@pytest.mark.parametrize("shape", [[2, 15], [16], [1, 2, 16]])
def test_codes_of_another_shape_are_an_error_that_changes_nothing(eager, shape):
    with pytest.raises(ValueError, match=r"\(None, 16\). Received"):
        eager.decode(np.zeros(shape))
    assert eager.decode(np.zeros([2, 16])).shape == (2, 4, 4, 1)


def test_samples_are_gray_levels(trained):
    samples = trained.sample(50, seed=0)
    assert (samples.shape, samples.dtype) == ((50, 8, 8, 1), tf.int32)
    assert 0 <= np.min(samples) < np.max(samples) <= 16


def test_a_seed_makes_samples_repeat(trained):
    first = trained.sample(4, seed=1)
    tf.random.normal([3])  # Whatever else is drawn.
    np.testing.assert_array_equal(trained.sample(4, seed=1), first)
    tf.random.set_seed(7)
    np.testing.assert_array_equal(trained.sample(4, seed=1), first)
    assert np.any(trained.sample(4, seed=2) != first)
    assert np.any(trained.sample(4) != trained.sample(4))


def test_temperature_scales_the_latent_noise(trained):
    cold = trained.sample(4, temperature=0.0).numpy()
    np.testing.assert_array_equal(cold, cold[:1].repeat(4, axis=0))
    origin = trained.distribution.quantize(
        trained.glow.forward(tf.zeros([1, 64]))
    )
    np.testing.assert_array_equal(cold[:1], origin)
    noise = [
        trained.glow.inverse(trained.sample_values(4, t, seed=3))
        for t in (0.5, 1.0)
    ]
    half = levels.scale_latents(trained.glow, noise[1], 0.5)
    np.testing.assert_allclose(noise[0], half, atol=1e-2)


@pytest.mark.parametrize("temperature", [-0.1, float("nan")])
def test_a_negative_temperature_is_an_error(trained, temperature):
    with pytest.raises(ValueError, match=r"`temperature`.*non-negative"):
        trained.sample(1, temperature=temperature)


@pytest.mark.parametrize("n", [0, -1, 2.0])
def test_a_number_of_samples_that_is_no_count_is_an_error(trained, n):
    with pytest.raises(ValueError, match="`n`"):
        trained.sample(n)


def test_the_gradient_of_several_noise_samples_keeps_memory_low():
    for gradient, given in (("store", 1), ("invert", 2)):
        model = tiny.model(num_noise_samples=given)
        assert model.glow.steps(0).gradient == gradient
        assert model.get_config().get("gradient") is None
    model = tiny.model(dequantizer="learned", gradient="recompute")
    assert model.distribution.dequantizer.flow.gradient == "recompute"


def test_a_configuration_has_the_sizes_even_if_their_defaults_change():
    config = tfg.GlowModel([2, 2, 1], num_filters=2, seed=0).get_config()
    sizes = ("num_levels", "num_steps", "num_filters", "initialization")
    assert [config[name] for name in sizes] == [1, 8, 2, "whiten"]
    # Earlier versions did not write the default, which was 3 levels.
    del config["num_levels"]
    with pytest.raises(ValueError, match="num_levels=8"):
        tfg.GlowModel.from_config(config)
