# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.Dequantized`."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import samplers

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


def uniform_images(event_shape=(2, 2, 1), bins=8, dtype=tf.float64, **kwargs):
    low = tf.fill(event_shape, tf.constant(-0.5, dtype))
    pixels = tfd.Independent(tfd.Uniform(low, -low), len(event_shape))
    return tfg.Dequantized(pixels, bins=bins, **kwargs)


def logistic_pixel(bins=8, dtype=tf.float64):
    """One pixel whose gray levels have known probabilities."""
    logistic = tfd.Logistic(tf.constant([0.1], dtype), scale=0.15)
    return tfg.Dequantized(tfd.Independent(logistic, 1), bins=bins)


def logistic_masses(bins=8):
    """Probability of each cell, and of what lies below and above them all."""
    edges = np.linspace(-0.5, 0.5, bins + 1)
    cdf = 1.0 / (1.0 + np.exp(-(edges - 0.1) / 0.15))
    return np.diff(cdf), cdf[0], 1.0 - cdf[-1]


@pytest.mark.parametrize("bins", [2, 17, 256])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_uniform_images_have_log2_of_bins_bits_per_dimension(bins, dtype):
    images = uniform_images(bins=bins, dtype=dtype)
    x = np.random.default_rng(0).integers(bins, size=[5, 2, 2, 1])
    bits = tfg.bits_per_dim(images.log_prob(x, seed=0), event_size=4)
    assert bits.dtype == dtype
    np.testing.assert_allclose(bits, np.full([5], np.log2(bins)), rtol=1e-6)


def test_mean_log_prob_is_a_bound_and_mean_probability_is_exact():
    images, num_draws = logistic_pixel(), 20_000
    levels = np.arange(8, dtype=np.int32)
    x = np.tile(levels, [num_draws, 1])[..., np.newaxis]
    log_probs = images.log_prob(x, seed=0, first_row=0).numpy()
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


def test_samples_are_gray_levels_with_the_masses_of_their_cells():
    images, num_samples = logistic_pixel(), 40_000
    x = images.sample(num_samples, seed=0)
    assert x.dtype == tf.int32 == images.dtype
    assert x.shape == [num_samples, 1]
    assert np.min(x) == 0
    assert np.max(x) == 7
    masses, below, above = logistic_masses()
    masses[0] += below  # Clipped to the nearest gray level.
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
    centers = images.to_gray_levels(images.dequantize(x))
    np.testing.assert_allclose(centers, x, atol=1e-4)


@pytest.mark.parametrize("bins", [2, 17, 256])
def test_quantize_undoes_dequantize_at_the_edge_of_a_cell(bins):
    images = uniform_images(bins=bins)
    x = np.arange(bins)
    for noise in (0.0, 1.0 - 1e-12):
        values = images.dequantize(x, tf.constant(noise, tf.float64))
        np.testing.assert_array_equal(images.quantize(values), x)


def test_gray_levels_are_not_clipped():
    images = uniform_images(bins=4)
    np.testing.assert_allclose(
        images.to_gray_levels(tf.constant([-1.0, 0.0, 1.0])), [-2.5, 1.5, 5.5]
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
    x = np.array([[2], [3], [2]])
    one, same, other, random, again = (
        images.log_prob(x, seed=seed).numpy() for seed in (0, 0, 1, None, None)
    )
    np.testing.assert_array_equal(one, same)
    assert np.all(one != other)
    assert np.all(random != again)
    assert one[0] == one[2]  # With a seed, the same images have the same noise.
    assert random[0] != random[2]


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
def test_validate_args_rejects_values_that_are_no_gray_levels(value):
    images = uniform_images(event_shape=[2], validate_args=True)
    assert np.all(np.isfinite(images.log_prob([0, 7], seed=0)))
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"gray levels in \[0, 8\)"
    ):
        images.log_prob([0, value], seed=0)


@pytest.mark.parametrize("bins", [0, -1, 2.0, True, "256"])
def test_bins_must_be_a_positive_integer(bins):
    with pytest.raises(
        ValueError, match=r"`bins`. Expected at least 2 gray levels"
    ):
        uniform_images(bins=bins)


def test_one_gray_level_is_too_few():
    with pytest.raises(ValueError, match=r"at least 2 gray levels.*bins=1"):
        uniform_images(bins=1)


# Noise.


def two_pixels(**kwargs):
    """Two logistic pixels, whose probabilities are known."""
    logistic = tfd.Logistic(tf.constant([0.1, -0.2], tf.float64), scale=0.15)
    return tfg.Dequantized(tfd.Independent(logistic, 1), bins=4, **kwargs)


def two_pixels_log_mass(x):
    edges = np.linspace(-0.5, 0.5, 5)[:, np.newaxis]
    cdf = 1.0 / (1.0 + np.exp(-(edges - [0.1, -0.2]) / 0.15))
    masses = np.diff(cdf, axis=0)
    return np.log(masses[x[..., 0], 0] * masses[x[..., 1], 1])


# All of their images.
IMAGES_OF_TWO = np.stack(np.meshgrid(range(4), range(4)), axis=-1)


def power_of_image(x):
    """Noise that tends to 0 or to 1, by the image."""
    return tfb.Power(0.7 + 0.2 * tf.cast(x, tf.float64))


def exact_noise(x):
    """The posterior of the noise of `two_pixels`, given the image."""
    x = tf.cast(x, tf.float64)
    loc, scale = tf.constant([0.1, -0.2], tf.float64), 0.15
    low = tf.sigmoid((x / 4.0 - 0.5 - loc) / scale)
    high = tf.sigmoid(((x + 1.0) / 4.0 - 0.5 - loc) / scale)
    return tfb.Chain(
        [
            tfb.Shift(-x),
            tfb.Scale(tf.constant(4.0, tf.float64)),
            tfb.Shift(loc + 0.5),
            tfb.Scale(tf.constant(scale, tf.float64)),
            tfb.Invert(tfb.Sigmoid()),
            tfb.Shift(low),
            tfb.Scale(high - low),
        ]
    )


def test_one_uniform_draw_is_the_plain_bound_bit_for_bit():
    images = two_pixels()
    x = IMAGES_OF_TWO
    seed = samplers.sanitize_seed((0, 3), salt="dequantize")
    noise = samplers.uniform(x.shape, dtype=tf.float64, seed=seed)
    expected = images.distribution.log_prob((x + noise) / 4 - 0.5)
    np.testing.assert_array_equal(
        images.log_prob(x, seed=3, first_row=0), expected - 2.0 * np.log(4.0)
    )


@pytest.mark.parametrize("dequantizer", [None, power_of_image])
def test_bound_rises_with_the_number_of_draws_to_the_probability(dequantizer):
    num_repeats = 1000
    x = np.tile(IMAGES_OF_TWO, [num_repeats, 1, 1, 1])
    exact = np.mean(two_pixels_log_mass(IMAGES_OF_TWO))
    bounds, errors = [], []
    for seed, m in enumerate((1, 3, 9, 150)):
        images = two_pixels(dequantizer=dequantizer, num_noise_samples=m)
        values = np.mean(
            images.log_prob(x, seed=seed, first_row=0), axis=(1, 2)
        )
        bounds.append(np.mean(values))
        errors.append(np.std(values) / np.sqrt(num_repeats))
    assert np.all(np.diff(bounds) > 5.0 * np.array(errors[:-1]))
    assert exact - 0.01 < bounds[-1] < exact + 4.0 * errors[-1]
    assert bounds[0] < exact - 0.02


def test_mean_weight_of_shaped_noise_is_the_probability():
    num_draws = 20_000
    images = two_pixels(dequantizer=power_of_image)
    x = np.tile(IMAGES_OF_TWO, [num_draws, 1, 1, 1])
    weights = np.exp(images.log_prob(x, seed=0, first_row=0))
    error = np.std(weights, axis=0) / np.sqrt(num_draws)
    exact = np.exp(two_pixels_log_mass(IMAGES_OF_TWO))
    assert np.all(np.abs(np.mean(weights, axis=0) - exact) < 4.0 * error)
    assert np.all(error < 0.02 * exact)


@pytest.mark.parametrize("num_noise_samples", [1, 3])
def test_bound_is_tight_for_noise_of_the_posterior(num_noise_samples):
    images = two_pixels(
        dequantizer=exact_noise, num_noise_samples=num_noise_samples
    )
    np.testing.assert_allclose(
        images.log_prob(IMAGES_OF_TWO, seed=0),
        two_pixels_log_mass(IMAGES_OF_TWO),
        rtol=1e-10,
    )


@pytest.mark.parametrize("num_noise_samples", [1, 3])
def test_gradients_reach_the_weights_of_flow_and_noise(num_noise_samples):
    scale, power = (tf.Variable(v, dtype=tf.float64) for v in (0.15, 1.3))
    logistic = tfd.Sample(tfd.Logistic(tf.zeros([], tf.float64), scale), [2])
    images = tfg.Dequantized(
        logistic,
        bins=4,
        dequantizer=lambda x: tfb.Power(power),
        num_noise_samples=num_noise_samples,
    )

    @tf.function
    def total():
        return tf.reduce_sum(images.log_prob(IMAGES_OF_TWO, seed=0))

    with tf.GradientTape() as tape:
        value = total()
    for variable, gradient in zip(
        (scale, power), tape.gradient(value, (scale, power))
    ):
        variable.assign_add(1e-6)
        above = total()
        variable.assign_sub(2e-6)
        below = total()
        variable.assign_add(1e-6)
        np.testing.assert_allclose(gradient, (above - below) / 2e-6, rtol=1e-6)


def test_xla_compiles_the_gradient_of_batches_of_any_size():
    scale = tf.Variable(0.15, dtype=tf.float64)
    logistic = tfd.Sample(tfd.Logistic(tf.zeros([], tf.float64), scale), [2])
    images = tfg.Dequantized(
        logistic, 4, dequantizer=power_of_image, num_noise_samples=2
    )

    @tf.function(
        jit_compile=True, input_signature=[tf.TensorSpec([None, 2], tf.int32)]
    )
    def gradient(x):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(images.log_prob(x, seed=0))
        return tape.gradient(total, scale)

    x = IMAGES_OF_TWO.reshape([16, 2]).astype(np.int32)
    assert np.isfinite(gradient(x)) and np.isfinite(gradient(x[:3]))


def test_draws_of_a_seed_repeat_eagerly_and_traced():
    images = two_pixels(dequantizer=power_of_image, num_noise_samples=3)
    x = tf.constant(IMAGES_OF_TWO)
    one, same, other = (images.log_prob(x, seed=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert np.all(one != other)
    log_prob = tf.function(
        lambda x: images.log_prob(x, seed=0),
        input_signature=[tf.TensorSpec([None, 4, 2], tf.int64)],
    )
    np.testing.assert_allclose(log_prob(x), one, rtol=1e-12)


@pytest.mark.parametrize("dequantizer", [None, power_of_image])
def test_rows_get_the_draws_of_their_places_in_a_larger_batch(dequantizer):
    images = two_pixels(dequantizer=dequantizer, num_noise_samples=3)
    x = IMAGES_OF_TWO.reshape([16, 2])
    whole, part, first = (
        images.log_prob(x[i:j], seed=1, first_row=i)
        for i, j in ((0, 16), (5, 9), (0, 4))
    )
    np.testing.assert_allclose(part, whole[5:9], rtol=1e-12)
    np.testing.assert_allclose(first, whole[:4], rtol=1e-12)
    assert np.all(images.log_prob(x[5:9], seed=1, first_row=0) != part)


@pytest.mark.parametrize("dequantizer", [None, power_of_image])
def test_an_image_gets_the_noise_of_a_seed_wherever_it_is(dequantizer):
    images = two_pixels(dequantizer=dequantizer, num_noise_samples=2)
    x = IMAGES_OF_TWO.reshape([16, 2]).astype(np.int32)
    log_prob = tf.function(
        lambda x: images.log_prob(x, seed=1),
        input_signature=[tf.TensorSpec([None, 2], tf.int32)],
        jit_compile=True,
    )
    expected = log_prob(x).numpy()
    for order in (slice(None, None, -1), [7], [3, 3, 5]):
        for y in (x[order], x[order].astype(np.uint8)):
            np.testing.assert_allclose(
                images.log_prob(y, seed=1), expected[order], rtol=1e-12
            )
    together = images.log_prob(IMAGES_OF_TWO, seed=1)
    np.testing.assert_allclose(tf.reshape(together, [16]), expected, rtol=1e-12)
    by_one = tf.vectorized_map(lambda x: images.log_prob(x, seed=1), x)
    np.testing.assert_allclose(by_one, expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_noise_of_different_images_is_uniform_and_independent(dtype):
    images = uniform_images([4, 4, 1], bins=8, dtype=dtype)
    # One differs in a gray level, one in all of them, one by much.
    x = np.random.default_rng(0).integers(0, 4, [1, 4, 4, 1]).repeat(4, axis=0)
    x[1, 0, 0, 0] += 1
    x[2] += 4
    x[3] = 7 - x[3]
    values = [images.draw(x, seed=seed)[0] for seed in range(500)]
    noise = (np.stack(values) + 0.5) * 8 - x
    assert np.all((noise >= 0) & (noise < 1))
    by_image = np.moveaxis(noise, 1, 0).reshape([4, -1])
    share = np.mean(by_image[..., np.newaxis] < np.arange(1, 8) / 8, axis=1)
    np.testing.assert_allclose(share, [np.arange(1, 8) / 8] * 4, atol=0.025)
    for columns in (by_image, noise[:, 0].reshape([500, -1]).T):
        error = 5.0 / np.sqrt(columns.shape[1])
        products = np.corrcoef(columns) - np.eye(len(columns))
        np.testing.assert_allclose(products, 0.0, atol=error)
    cells = np.floor(4 * by_image).astype(int)
    for other in cells[1:]:
        counts = np.bincount(4 * cells[0] + other, minlength=16)
        np.testing.assert_allclose(counts / len(other), 1 / 16, atol=0.015)


def test_conditioning_belongs_to_rows_whatever_the_number_of_draws():
    def network(x, shift):
        return tf.concat([shift, tf.zeros_like(x)], axis=-1)

    coupling = tfg.AffineCoupling(network, event_ndims=1)
    flow = tfd.TransformedDistribution(
        standard_normal([2]), tfb.Invert(coupling)
    )
    images = tfg.Dequantized(flow, bins=4, num_noise_samples=3)
    x, shift = [[0, 1], [2, 3]], tf.constant([[0.5], [-1.0]], tf.float64)
    both = images.log_prob(x, seed=0, bijector_kwargs={"shift": shift})
    first = images.log_prob(x[:1], seed=0, bijector_kwargs={"shift": shift[:1]})
    np.testing.assert_allclose(both[:1], first, rtol=1e-12)


@pytest.mark.parametrize("bins", [2, 3, 5, 17, 100, 256, 65536])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_shaped_noise_never_rounds_to_the_next_gray_level(bins, dtype):
    # Noise at both ends, whatever the uniform noise is.
    images = uniform_images(
        bins=bins,
        dtype=dtype,
        dequantizer=lambda x: tfb.Power(tf.constant(100.0, dtype)),
    )
    numpy_dtype = dtype.as_numpy_dtype
    below_1 = 1.0 - np.finfo(numpy_dtype).eps
    levels = np.array([0, 1, bins // 2 - 1, bins // 2, bins - 2, bins - 1])
    for uniform in (0.0, 1e-3, below_1):
        x = np.tile(levels[:, np.newaxis, np.newaxis, np.newaxis], [2, 2, 1])
        noise, log_density = helpers.noise_of(
            images, x, tf.fill(x.shape, tf.constant(uniform, dtype))
        )
        assert np.all(noise >= 0) and np.all(noise < 1)
        assert np.all(np.isfinite(log_density))
        cells = np.floor(x.astype(numpy_dtype) + noise.numpy())
        np.testing.assert_array_equal(cells, x)


def test_a_copy_has_another_number_of_draws():
    images = two_pixels(dequantizer=power_of_image)
    copy = images.copy(num_noise_samples=7)
    assert (images.num_noise_samples, copy.num_noise_samples) == (1, 7)
    assert copy.dequantizer is images.dequantizer


@pytest.mark.parametrize("value", [0, -1, 1.5, True])
def test_fewer_than_one_draw_raises(value):
    with pytest.raises(
        ValueError, match=r"`num_noise_samples`. Expected a positive integer"
    ):
        two_pixels(num_noise_samples=value)


def test_a_dequantizer_that_makes_no_bijector_raises():
    with pytest.raises(TypeError, match=r"`dequantizer`.*Received: str"):
        two_pixels(dequantizer="learned")
    images = two_pixels(dequantizer=lambda x: x)
    with pytest.raises(TypeError, match=r"return a `tfb.Bijector`"):
        images.log_prob(IMAGES_OF_TWO)


def test_validate_args_rejects_noise_that_leaves_the_cell():
    twice = tfb.Scale(tf.constant(2.0, tf.float64))
    images = two_pixels(dequantizer=lambda x: twice, validate_args=True)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"noise in \[0, 1\]"
    ):
        images.log_prob(IMAGES_OF_TWO, seed=0)


def test_the_bounds_of_all_images_sum_to_at_most_one():
    # All 81 images of 2x2 pixels and 3 gray levels.
    images = np.indices([3] * 4, np.int32).reshape([4, 81]).T
    images = images.reshape([81, 2, 2, 1])
    normal = tfd.Normal(tf.fill([2, 2, 1], 0.1), 0.1)
    edges = np.linspace(-0.5, 0.5, 4, dtype=np.float32)
    mass = np.diff([normal.cdf(edge) for edge in edges], axis=0)[..., 0]
    pixels = np.arange(4)
    exact = np.prod(
        mass.reshape([3, 4])[images.reshape([81, 4]), pixels], axis=-1
    )
    gaps = []
    for num_noise_samples in (1, 4, 16):
        bound = tfg.Dequantized(
            tfd.Independent(normal, 3), 3, num_noise_samples=num_noise_samples
        )
        draws = np.mean(
            [
                bound.log_prob(images, seed=(0, i), first_row=0)
                for i in range(40)
            ],
            axis=0,
        )
        assert np.exp(draws).sum() < min(1.0, exact.sum() + 0.01)
        gaps.append(np.sum(exact * (np.log(exact) - draws)))
    # The gap is about the variance of the weights, halved, over their number.
    assert gaps[0] > 2.5 * gaps[1] > 6.0 * gaps[2] > 0.0
