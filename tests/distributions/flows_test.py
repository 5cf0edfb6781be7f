# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.distributions`."""

import keras
import numpy as np
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


def test_bits_per_dim_converts_nats():
    np.testing.assert_allclose(
        tfg.bits_per_dim(tf.constant([-6.0 * np.log(2.0), 0.0]), 3),
        [2.0, 0.0],
        rtol=1e-6,
    )
