# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.glow_distribution` and `tfp_glow.vector_flow`."""

import copy

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers
from tfp_glow.bijectors import initialization

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


def flow_of_public_blocks(num_steps=2, num_filters=8, dtype=tf.float64):
    """Returns a flow of two-dimensional data, made of public blocks."""
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
    assert flow.bijector.steps(0).num_steps == 3
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
    flow = helpers.perturb(flow_of_public_blocks(num_steps=1), stddev=0.15)
    axis = np.linspace(-14.0, 14.0, 401)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    density = np.exp(flow.log_prob(grid))
    border = max(density[0].max(), density[:, 0].max())
    border = max(border, density[-1].max(), density[:, -1].max())
    assert border < 1e-6  # Almost all mass lies on the grid.
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
    # The integral of the density over a cube of side 2 around the mean equals
    # the fraction of samples inside.
    samples = flow.sample(40_000, seed=0).numpy()
    center = samples.mean(axis=0)
    inside = np.all(np.abs(samples - center) < 1.0, axis=(1, 2, 3)).mean()
    points = np.random.default_rng(0).uniform(-1.0, 1.0, [40_000, 2, 2, 1])
    density = np.exp(flow.log_prob(center + points)) * 2.0**4
    error = 4.0 * (density.std() / 200.0 + np.sqrt(inside) / 200.0)
    assert error < 0.03 < inside
    np.testing.assert_allclose(inside, density.mean(), atol=error)


def fit(flow, data, num_steps, learning_rate=0.02):
    """Returns the mean negative log-likelihood before and after a fit."""
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
    first, last = fit(
        flow_of_public_blocks(2, 16, tf.float32), data, num_steps=150
    )
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


def small_flow(event_size=3, coupling="spline", **kwargs):
    kwargs = dict(num_steps=2, num_filters=8, seed=0, dtype=tf.float64) | kwargs
    return tfg.vector_flow(event_size, coupling=coupling, **kwargs)


@pytest.mark.parametrize(
    "event_size, coupling, dtype, tolerance",
    [(2, "spline", tf.float64, 1e-8), (3, "affine", tf.float32, 1e-3)],
)
def test_log_prob_of_a_vector_flow_is_that_of_the_latent_and_the_log_det(
    event_size, coupling, dtype, tolerance
):
    flow = small_flow(event_size, coupling, dtype=dtype)
    data = helpers.normal([50, event_size], 3, dtype)
    initialization.initialize_distribution(flow, data)
    helpers.perturb(flow, stddev=0.1)
    x = helpers.normal([4, event_size], dtype=dtype)
    z = flow.bijector.inverse(x)
    assert z.dtype == dtype
    assert np.max(np.abs(z - x)) > 0.1
    log_det = helpers.log_det_by_autodiff(flow.bijector.inverse, x)
    assert np.std(log_det) > 1e-2
    normal = -0.5 * np.sum(np.square(z) + np.log(2.0 * np.pi), axis=-1)
    log_prob = flow.log_prob(tf.identity(x))
    assert log_prob.dtype == dtype
    np.testing.assert_allclose(log_prob, normal + log_det, atol=tolerance)
    back = flow.bijector.forward(tf.identity(z))
    np.testing.assert_allclose(back, x, atol=tolerance)


@pytest.mark.parametrize("event_size", [2, 7])
def test_vector_flows_have_any_size_of_two_or_more(event_size):
    flow = small_flow(event_size, "affine")
    assert flow.event_shape == [event_size]
    assert flow.batch_shape == []
    x = flow.sample([2, 4], seed=0)
    assert x.shape == [2, 4, event_size]
    log_prob = flow.log_prob(x)
    assert log_prob.shape == [2, 4]
    assert np.isfinite(log_prob).all()


def test_initialization_normalizes_the_input_of_the_first_step():
    flow = small_flow(num_steps=1, coupling="additive")
    x = 5.0 + helpers.normal([200, 3]) * [0.1, 1.0, 30.0]
    initialization.initialize_distribution(flow, x)
    # The coupling is the identity, and the 1x1 convolution is a rotation.
    z = flow.bijector.inverse(x).numpy()
    np.testing.assert_allclose(np.mean(z, axis=0), np.zeros(3), atol=1e-6)
    np.testing.assert_allclose(np.sum(np.var(z, axis=0)), 3.0, atol=1e-3)


def test_correlated_columns_are_whitened():
    flow = small_flow(num_steps=1, coupling="additive", initialization="whiten")
    mixing = np.eye(3) + 0.4 * helpers.normal([3, 3], seed=1)
    x = helpers.normal([2000, 3]) @ mixing
    assert np.max(np.abs(np.corrcoef(x.numpy().T) - np.eye(3))) > 0.2
    initialization.initialize_distribution(flow, x)
    z = flow.bijector.inverse(x).numpy()
    np.testing.assert_allclose(np.cov(z.T), np.eye(3), atol=0.05)


def test_a_vector_flow_is_conditioned_on_vectors():
    flow = helpers.perturb(small_flow(2, "affine", conditioning_size=3))
    x, c = helpers.normal([4, 2]), helpers.normal([4, 3], 1)
    log_prob = flow.log_prob(x, bijector_kwargs={"conditioning": c})
    other = flow.log_prob(x, bijector_kwargs={"conditioning": c + 1.0})
    assert np.all(log_prob != other)
    with pytest.raises(ValueError, match="conditioning"):
        flow.log_prob(tf.identity(x))


@pytest.mark.slow
def test_training_lowers_the_nats_of_eight_gaussians():
    density = tfg.toy.distribution("8gaussians")
    model = tfg.FlowModel(
        tfg.vector_flow(2, num_steps=4, num_filters=16, seed=0)
    )
    model.compile(keras.optimizers.Adam(5e-3))
    x = density.sample(20_000, seed=(0, 0))
    model.initialize(x[:1000])
    test = density.sample(5_000, seed=(0, 1))
    at_first = -np.mean(model.log_prob(test))
    model.fit(x, batch_size=200, epochs=1, verbose=0)
    nats = -np.mean(model.log_prob(test))
    assert nats < at_first - 0.1
    assert nats > density.entropy() - 0.02


def test_a_flow_that_was_called_is_saved_by_tensorflow(tmp_path):
    flow, other = small_flow(seed=0), small_flow(seed=1)
    x = helpers.normal([2, 3])
    expected = flow.log_prob(x)
    for distribution in (flow, other):
        distribution.sample(seed=[0, 1])
    checkpoint = tf.train.Checkpoint(flow=flow).write(str(tmp_path / "flow"))
    tf.train.Checkpoint(flow=other).read(checkpoint).assert_consumed()
    np.testing.assert_allclose(other.log_prob(x), expected, rtol=1e-5)

    module = tf.Module()
    module.flow = flow
    module.log_prob = tf.function(
        flow.log_prob, [tf.TensorSpec([None, 3], x.dtype)], autograph=False
    )
    tf.saved_model.save(module, str(tmp_path / "saved"))
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    np.testing.assert_allclose(loaded.log_prob(x), expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["vectors", "given", "images"])
def test_a_deep_copy_has_the_same_values_and_variables_of_its_own(name):
    size = dict(num_steps=1, num_filters=2)
    x, kwargs = tf.ones([3, 2]), {}
    if name == "vectors":
        flow = tfg.vector_flow(2, **size)
    elif name == "given":
        flow = tfg.vector_flow(2, conditioning_size=1, **size).given([[0.5]])
    else:
        noise = tfg.NoiseFlow.trainable([2, 2, 1], bins=4, **size)
        flow = tfg.glow_distribution([2, 2, 1], num_levels=1, **size)
        flow = tfg.Dequantized(flow, 4, noise)
        x, kwargs = tf.ones([3, 2, 2, 1], tf.int32), {"seed": 0}
    helpers.perturb(flow)
    log_prob = flow.log_prob(x, **kwargs)
    twin = copy.deepcopy(flow)
    np.testing.assert_array_equal(twin.log_prob(x, **kwargs), log_prob)
    assert len(twin.variables) == len(flow.variables)
    helpers.perturb(twin)
    assert np.all(twin.log_prob(x, **kwargs) != log_prob)
    np.testing.assert_array_equal(flow.log_prob(x, **kwargs), log_prob)


def test_gradient_is_passed_on_to_the_steps():
    assert small_flow().bijector.bijector.gradient == "store"
    for gradient in ("invert", "recompute"):
        flow = small_flow(gradient=gradient)
        assert flow.bijector.bijector.gradient == gradient


def test_seed_decides_the_variables_of_a_vector_flow():
    one, same, other = (
        [v.numpy() for v in small_flow(seed=seed).trainable_variables]
        for seed in (1, 1, 2)
    )
    for value, equal in zip(one, same):
        np.testing.assert_array_equal(value, equal)
    assert any(np.any(v != w) for v, w in zip(one, other))


def test_a_flow_of_single_numbers_is_a_density_given_its_conditioning():
    flow = tfg.vector_flow(
        1, 2, num_filters=4, conditioning_size=2, seed=0, dtype=tf.float64
    )
    helpers.perturb(flow)
    given = flow.given(helpers.normal([3, 2]))
    grid = np.linspace(-40.0, 40.0, 20_001)[:, np.newaxis, np.newaxis]
    prob = given.prob(grid).numpy()  # [20001, 3]
    np.testing.assert_allclose(0.004 * prob.sum(axis=0), 1.0, rtol=1e-4)
    assert np.all(np.ptp(prob, axis=1).max() > 0.01)
    x = given.sample(seed=(0, 1))
    z = given.bijector.inverse(
        tf.identity(x), conditioning=given.parameters["conditioning"]
    )
    again = given.bijector.forward(
        tf.identity(z), conditioning=given.parameters["conditioning"]
    )
    np.testing.assert_allclose(again, x, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"event_size": 0}, "`event_size`. Expected a positive integer"),
        ({"event_size": 2.0}, "`event_size`. Expected a positive integer"),
        ({"num_steps": 0}, "`num_steps`. Expected a positive integer"),
        ({"num_filters": 0}, "`num_filters`. Expected a positive integer"),
        ({"conditioning_size": 0}, "`conditioning_size`. Expected a positive"),
        ({"coupling": "splines"}, "`coupling`.*Did you mean 'spline'"),
        ({"gradient": "inverse"}, "`gradient`.*Did you mean 'invert'"),
    ],
)
def test_arguments_of_vector_flow_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        small_flow(**arguments)


def test_bits_per_dim_converts_nats():
    np.testing.assert_allclose(
        tfg.bits_per_dim(tf.constant([-6.0 * np.log(2.0), 0.0]), 3),
        [2.0, 0.0],
        rtol=1e-6,
    )
