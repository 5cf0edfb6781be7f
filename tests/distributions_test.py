# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.distributions`."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers

tfb = tfp.bijectors
tfd = tfp.distributions


def small_glow(**kwargs):
    kwargs = (
        dict(num_levels=1, num_steps=2, num_filters=4, seed=0, dtype=tf.float64)
        | kwargs
    )
    return tfg.glow_distribution([2, 4, 1], **kwargs)


def standard_normal(shape, dtype=tf.float64):
    zero, one = tf.zeros([], dtype), tf.ones([], dtype)
    return tfd.Sample(tfd.Normal(zero, one), shape)


def vector_flow(num_steps=2, num_filters=8, dtype=tf.float64):
    """A flow of two-dimensional data, made by hand of public blocks."""
    parts = []
    for k in range(num_steps):
        for change in ("first", "second"):
            parts.append(
                tfg.AffineCoupling.trainable(
                    [2],
                    num_filters=num_filters,
                    seed=k,
                    dtype=dtype,
                    change=change,
                )
            )
        parts.append(tfg.Invertible1x1Conv.trainable(2, seed=k, dtype=dtype))
        parts.append(tfg.ActNorm.trainable(2, dtype=dtype))
    return tfd.TransformedDistribution(
        standard_normal([2], dtype), tfb.Invert(tfb.Chain(parts))
    )


def uniform_images(event_shape=(2, 2, 1), bins=8, dtype=tf.float64, **kwargs):
    low = tf.fill(event_shape, tf.constant(-0.5, dtype))
    pixels = tfd.Independent(tfd.Uniform(low, -low), len(event_shape))
    return tfg.Dequantized(pixels, bins=bins, **kwargs)


def logistic_pixel(bins=8, dtype=tf.float64):
    """One pixel whose grey levels have known probabilities."""
    logistic = tfd.Logistic(tf.constant([0.1], dtype), scale=0.15)
    return tfg.Dequantized(tfd.Independent(logistic, 1), bins=bins)


def logistic_masses(bins=8):
    """Probability of each cell, and of what lies below and above them all."""
    edges = np.linspace(-0.5, 0.5, bins + 1)
    cdf = 1.0 / (1.0 + np.exp(-(edges - 0.1) / 0.15))
    return np.diff(cdf), cdf[0], 1.0 - cdf[-1]


def test_log_prob_of_a_glow_is_that_of_its_latents_plus_the_log_det():
    flow = helpers.perturb(small_glow())
    images = helpers.normal([3, 2, 4, 1])
    latents = flow.bijector.inverse(images).numpy()
    normal = -0.5 * np.sum(latents**2, axis=-1) - 4.0 * np.log(2.0 * np.pi)
    log_det = helpers.log_det_by_autodiff(flow.bijector.inverse, images)
    np.testing.assert_allclose(
        flow.log_prob(tf.identity(images)), normal + log_det, atol=1e-8
    )


def test_glow_distribution_has_the_shapes_and_dtype_asked_for():
    flow = small_glow(dtype=tf.float32)
    assert flow.event_shape == [2, 4, 1]
    assert flow.batch_shape == []
    assert flow.dtype == tf.float32
    x = flow.sample([3, 2], seed=0)
    assert x.shape == [3, 2, 2, 4, 1]
    assert flow.log_prob(x).shape == [3, 2]
    assert flow.log_prob(x).dtype == tf.float32


def test_glow_distribution_hands_its_arguments_on():
    flow = small_glow(num_steps=3, permutation="reverse", coupling="additive")
    assert len(flow.bijector.steps(0)) == 3
    np.testing.assert_allclose(
        flow.bijector.inverse_log_det_jacobian(np.zeros([2, 4, 1]), 3), 0.0
    )


def test_glow_distribution_shows_the_variables_of_its_flow():
    flow = small_glow()
    ours = {id(v) for v in flow.trainable_variables}
    assert ours == {id(v) for v in flow.bijector.trainable_variables}
    assert ours


def test_samples_of_a_seed_repeat():
    flow = small_glow()
    one, same, other = (flow.sample(2, seed=(0, seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.all(one != other)


def test_density_of_a_scalar_flow_integrates_to_1():
    chain = tfb.Chain(
        [
            tfb.SinhArcsinh(tf.constant(0.4, tf.float64), tailweight=0.8),
            tfg.ActNorm([[0.3]], tf.constant([[0.5]], tf.float64)),
        ]
    )
    flow = tfd.TransformedDistribution(standard_normal([1]), tfb.Invert(chain))
    x = np.linspace(-30.0, 30.0, 60_001)
    density = np.exp(flow.log_prob(x[:, np.newaxis])).reshape(x.shape)
    np.testing.assert_allclose(np.trapezoid(density, x), 1.0, atol=1e-6)


def test_density_of_a_vector_flow_integrates_to_1():
    flow = helpers.perturb(vector_flow(num_steps=1), stddev=0.15)
    axis = np.linspace(-14.0, 14.0, 401)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    density = np.exp(flow.log_prob(grid))
    border = max(density[0].max(), density[:, 0].max())
    border = max(border, density[-1].max(), density[:, -1].max())
    assert border < 1e-6  # All of it lies on the grid.
    total = np.trapezoid(np.trapezoid(density, axis), axis)
    np.testing.assert_allclose(total, 1.0, atol=1e-3)


def test_samples_of_a_glow_fall_where_its_density_says():
    flow = helpers.perturb(
        tfg.glow_distribution(
            [2, 2, 1],
            num_levels=1,
            num_steps=2,
            num_filters=4,
            seed=0,
            dtype=tf.float64,
        )
    )
    # The mean of the density over a cube of side 2 around the mean, times its
    # volume, against the share of samples inside.
    samples = flow.sample(40_000, seed=0).numpy()
    centre = samples.mean(axis=0)
    inside = np.all(np.abs(samples - centre) < 1.0, axis=(1, 2, 3)).mean()
    points = np.random.default_rng(0).uniform(-1.0, 1.0, [40_000, 2, 2, 1])
    density = np.exp(flow.log_prob(centre + points)) * 2.0**4
    error = 4.0 * (density.std() / 200.0 + np.sqrt(inside) / 200.0)
    assert error < 0.03 < inside
    np.testing.assert_allclose(inside, density.mean(), atol=error)


def fit(flow, data, num_steps, learning_rate=0.02):
    """Minus the mean log-probability before and after a small fit."""
    variables = list(flow.trainable_variables)
    optimizer = keras.optimizers.Adam(learning_rate)
    weights = [keras.Variable(initializer=v, trainable=True) for v in variables]
    optimizer.build(weights)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(flow.log_prob(data))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), weights))
        return loss

    losses = [step().numpy() for _ in range(num_steps)]
    return losses[0], losses[-1]


def test_a_vector_flow_of_public_blocks_fits_a_ring_better_than_any_gaussian():
    generator = np.random.default_rng(0)
    angles = generator.uniform(0.0, 2.0 * np.pi, 1000)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    ring += 0.1 * generator.standard_normal(ring.shape)
    covariance = np.cov(ring.T)
    gaussian = (
        1.0 + np.log(2.0 * np.pi) + 0.5 * np.linalg.slogdet(covariance)[1]
    )
    data = tf.constant(ring, tf.float32)
    first, last = fit(vector_flow(2, 16, tf.float32), data, num_steps=150)
    assert last < first - 0.5
    assert last < gaussian - 0.2


def test_an_image_flow_of_public_blocks_fits_correlated_pixels():
    parts = []
    for k in range(2):
        parts += [
            tfg.AffineCoupling.trainable([2, 2, 4], num_filters=8, seed=k),
            tfg.Invertible1x1Conv.trainable(4, seed=k),
            tfg.ActNorm.trainable(4),
        ]
    flow = tfd.TransformedDistribution(
        standard_normal([2, 2, 4], tf.float32),
        tfb.Invert(tfb.Chain([*parts, tfg.Squeeze()])),
    )
    assert flow.event_shape == [4, 4, 1]
    level = 0.5 + helpers.normal([1000, 1, 1, 1], 0, tf.float32)
    data = level + 0.1 * helpers.normal([1000, 4, 4, 1], 1, tf.float32)
    first, last = fit(flow, data, num_steps=60)
    assert last < first - 5.0
    sample = flow.sample(500, seed=0).numpy()
    assert np.mean(np.std(sample, axis=(1, 2, 3))) < 0.6
    np.testing.assert_allclose(np.mean(sample), 0.5, atol=0.3)


@pytest.mark.parametrize("bins", [2, 17, 256])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_uniform_images_have_log2_of_bins_bits_per_dimension(bins, dtype):
    images = uniform_images(bins=bins, dtype=dtype)
    x = np.random.default_rng(0).integers(bins, size=[5, 2, 2, 1])
    bits = tfg.bits_per_dim(images.log_prob(x, seed=0), event_size=4)
    assert bits.dtype == dtype
    np.testing.assert_allclose(bits, np.full([5], np.log2(bins)), rtol=1e-6)


def test_bits_per_dim_converts_nats():
    np.testing.assert_allclose(
        tfg.bits_per_dim(tf.constant([-6.0 * np.log(2.0), 0.0]), 3),
        [2.0, 0.0],
        rtol=1e-6,
    )


def test_mean_log_prob_is_a_bound_and_mean_probability_is_exact():
    images, num_draws = logistic_pixel(), 20_000
    levels = np.arange(8, dtype=np.int32)
    x = np.tile(levels, [num_draws, 1])[..., np.newaxis]
    log_probs = images.log_prob(x, seed=0).numpy()
    masses, _, _ = logistic_masses()
    assert np.all(np.mean(log_probs, axis=0) < np.log(masses))
    np.testing.assert_allclose(np.mean(log_probs, 0), np.log(masses), atol=0.05)
    probabilities = np.mean(np.exp(log_probs), axis=0)
    error = np.std(np.exp(log_probs), axis=0) / np.sqrt(num_draws)
    assert np.all(np.abs(probabilities - masses) < 4.0 * error)
    assert np.all(error < 1e-3)
    np.testing.assert_allclose(np.sum(probabilities), np.sum(masses), atol=2e-3)


def test_bound_is_tight_for_a_density_constant_in_every_cell():
    # Two cells of the four have density 1.6, the others 0.4.
    edges, heights = [-0.5, -0.25, 0.0, 0.25, 0.5], [0.4, 1.6, 1.6, 0.4]
    mixture = tfd.MixtureSameFamily(
        tfd.Categorical(probs=np.array(heights) / 4.0),
        tfd.Uniform(np.array(edges[:-1]), np.array(edges[1:])),
    )
    images = tfg.Dequantized(tfd.Sample(mixture, [3]), bins=4)
    x = np.array([[0, 1, 2], [3, 3, 0]])
    for seed in range(5):
        np.testing.assert_allclose(
            images.log_prob(x, seed=seed),
            np.log([0.1 * 0.4 * 0.4, 0.1 * 0.1 * 0.1]),
            rtol=1e-10,
        )


def test_uniform_probabilities_sum_to_1():
    images = uniform_images(event_shape=[2], bins=3)
    x = np.stack(np.meshgrid(range(3), range(3)), axis=-1)
    np.testing.assert_allclose(
        np.sum(np.exp(images.log_prob(x, seed=0))), 1.0, rtol=1e-12
    )


def test_samples_are_grey_levels_with_the_masses_of_their_cells():
    images, num_samples = logistic_pixel(), 40_000
    x = images.sample(num_samples, seed=0)
    assert x.dtype == tf.int32 == images.dtype
    assert x.shape == [num_samples, 1]
    assert np.min(x) == 0
    assert np.max(x) == 7
    masses, below, above = logistic_masses()
    masses[0] += below  # Clipped to the nearest grey level.
    masses[-1] += above
    shares = np.bincount(x.numpy()[:, 0], minlength=8) / num_samples
    np.testing.assert_allclose(shares, masses, atol=4.0 * 0.5 / 200.0)


@pytest.mark.parametrize("bins", [2, 17, 256])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_quantize_undoes_dequantize_anywhere_in_the_cell(bins, dtype):
    images = uniform_images(bins=bins, dtype=dtype)
    x = np.arange(bins)
    for noise in (0.01, 0.25, 0.5, 0.99):
        values = images.dequantize(x, noise)
        assert values.dtype == dtype
        assert np.min(values) >= -0.5
        assert np.max(values) < 0.5
        np.testing.assert_array_equal(images.quantize(values), x)
    centres = images.grey_levels(images.dequantize(x))
    np.testing.assert_allclose(centres, x, atol=1e-4)


@pytest.mark.parametrize("bins", [2, 17, 256])
def test_quantize_undoes_dequantize_at_the_edge_of_a_cell(bins):
    images = uniform_images(bins=bins)
    x = np.arange(bins)
    for noise in (0.0, 1.0 - 1e-12):
        values = images.dequantize(x, tf.constant(noise, tf.float64))
        np.testing.assert_array_equal(images.quantize(values), x)


def test_grey_levels_are_not_clipped():
    images = uniform_images(bins=4)
    np.testing.assert_allclose(
        images.grey_levels(tf.constant([-1.0, 0.0, 1.0])), [-2.5, 1.5, 5.5]
    )
    np.testing.assert_array_equal(
        images.quantize(tf.constant([-9.0, 0.1, 9.0])), [0, 2, 3]
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64])
def test_any_integer_dtype_gives_the_same_numbers(dtype):
    images = logistic_pixel(bins=256)
    x = np.array([[0], [3], [255]])
    np.testing.assert_array_equal(
        images.log_prob(x.astype(dtype), seed=0),
        images.log_prob(x.astype(np.int16), seed=0),
    )


def test_log_prob_of_a_seed_repeats_and_without_one_it_is_random():
    images = logistic_pixel()
    x = np.array([[2], [2]])
    one, same, other, random, again = (
        images.log_prob(x, seed=seed).numpy() for seed in (0, 0, 1, None, None)
    )
    np.testing.assert_array_equal(one, same)
    assert np.all(one != other)
    assert np.all(random != again)
    assert one[0] != one[1]  # Every event has noise of its own.


def test_samples_of_integers_repeat_with_their_seed():
    images = logistic_pixel(bins=256)
    one, same, other = (images.sample(20, seed=(0, seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert np.any(one != other)


def test_log_prob_is_the_continuous_one_minus_the_logarithm_of_the_cells():
    images = tfg.Dequantized(small_glow(), bins=16)
    x = np.random.default_rng(0).integers(16, size=[3, 2, 4, 1])
    received = []
    flow_log_prob = images.distribution.log_prob

    def log_prob(values):
        received.append(values)
        return flow_log_prob(values)

    images.distribution.log_prob = log_prob
    actual = images.log_prob(x, seed=0)
    (values,) = received
    np.testing.assert_array_equal(images.quantize(values), x)
    np.testing.assert_allclose(
        actual, flow_log_prob(values) - 8.0 * np.log(16.0), rtol=1e-12
    )


def test_sample_and_batch_shapes_broadcast():
    scale = tf.constant([[0.1], [0.2], [0.3]], tf.float64)
    logistic = tfd.Independent(tfd.Logistic(np.zeros([3, 1]), scale), 1)
    images = tfg.Dequantized(logistic, bins=8)
    assert images.batch_shape == [3]
    assert images.event_shape == [1]
    x = images.sample([5, 2], seed=0)
    assert x.shape == [5, 2, 3, 1]
    assert images.log_prob(x, seed=0).shape == [5, 2, 3]
    assert images.log_prob([4], seed=0).shape == [3]


def test_log_prob_and_sample_are_the_same_when_traced():
    images = tfg.Dequantized(small_glow(), bins=16)
    x = np.random.default_rng(0).integers(16, size=[3, 2, 4, 1])
    log_prob = tf.function(
        lambda x: images.log_prob(x, seed=0),
        input_signature=[tf.TensorSpec([None, 2, 4, 1], tf.int64)],
    )
    np.testing.assert_allclose(
        log_prob(x), images.log_prob(x, seed=0), rtol=1e-10
    )
    sample = tf.function(lambda: images.sample(4, seed=(0, 0)))()
    assert sample.shape == [4, 2, 4, 1]
    np.testing.assert_array_equal(sample, images.sample(4, seed=(0, 0)))


def test_every_variable_of_the_flow_receives_a_gradient_through_the_bound():
    images = tfg.Dequantized(helpers.perturb(small_glow()), bins=16)
    x = np.random.default_rng(0).integers(16, size=[3, 2, 4, 1])
    variables = images.trainable_variables
    assert len(variables) == len(images.distribution.trainable_variables) > 0
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(images.log_prob(x, seed=0))
    gradients = tape.gradient(loss, variables)
    assert all(np.any(gradient) for gradient in gradients)


def test_bijector_kwargs_reach_the_flow():
    def network(x, factor=1.0):
        return tf.concat([factor * x, x], axis=-1)

    coupling = tfg.AffineCoupling(network, event_ndims=1)
    flow = tfd.TransformedDistribution(
        standard_normal([2]), tfb.Invert(coupling)
    )
    images = tfg.Dequantized(flow, bins=8)
    one, other = (
        images.log_prob([[1, 7]], seed=0, bijector_kwargs={"factor": factor})
        for factor in (1.0, 5.0)
    )
    assert np.all(one != other)


def test_a_copy_keeps_what_is_not_replaced():
    images = logistic_pixel()
    copy = images.copy(bins=16)
    assert copy.bins == 16
    assert copy.distribution is images.distribution


def test_floats_raise():
    with pytest.raises(
        TypeError, match=r"integers in \[0, 8\). Received: float32"
    ):
        logistic_pixel().log_prob(tf.constant([1.0]))
    # TFP alone would truncate these.
    for method in (logistic_pixel().log_prob, logistic_pixel().prob):
        with pytest.raises(TypeError, match="Received: float64"):
            method(np.array([1.5]))


@pytest.mark.parametrize("value", [-1, 8])
def test_validate_args_rejects_values_that_are_no_grey_levels(value):
    images = uniform_images(event_shape=[2], validate_args=True)
    assert np.all(np.isfinite(images.log_prob([0, 7], seed=0)))
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"grey levels in \[0, 8\)"
    ):
        images.log_prob([0, value], seed=0)


@pytest.mark.parametrize("bins", [0, -1, 2.0, True, "256"])
def test_bins_must_be_a_positive_integer(bins):
    with pytest.raises(
        ValueError, match=r"`bins`. Expected a positive integer"
    ):
        uniform_images(bins=bins)


def test_one_grey_level_is_too_few():
    with pytest.raises(ValueError, match=r"at least 2 grey levels.*bins=1"):
        uniform_images(bins=1)
