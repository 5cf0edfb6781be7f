# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.NoiseFlow`."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers
from tfp_glow.models import export

tfb = tfp.bijectors
tfd = tfp.distributions

# Squeezed, and by a checkerboard: of one channel, of one pixel.
SHAPES = [(4, 2, 1), (3, 2, 1), (1, 1, 2)]


def trainable(image_shape, stddev=0.0, **kwargs):
    kwargs = dict(num_steps=2, num_filters=4, seed=0, dtype=tf.float64) | kwargs
    dequantizer = tfg.NoiseFlow.trainable(image_shape, 17, **kwargs)
    return helpers.perturb(dequantizer, stddev)


def gray_levels(shape, num=3, bins=17):
    return np.random.default_rng(0).integers(bins, size=[num, *shape])


def uniform(shape, num=3, dtype=tf.float64):
    values = np.random.default_rng(1).uniform(size=[num, *shape])
    return tf.constant(values, dtype)


@pytest.mark.parametrize("shape", SHAPES)
def test_untrained_noise_is_uniform(shape):
    # A bijector of the unit cube of log-det 0 keeps the uniform density.
    bijector = trainable(shape)(gray_levels(shape, num=200))
    noise = bijector.forward(uniform(shape, num=200))
    assert np.min(noise) > 0 and np.max(noise) < 1
    log_det = bijector.forward_log_det_jacobian(uniform(shape, num=200), 3)
    np.testing.assert_allclose(log_det, np.zeros([200]), atol=1e-12)
    np.testing.assert_allclose(np.mean(noise), 0.5, atol=0.05)
    np.testing.assert_allclose(np.var(noise), 1 / 12, atol=0.02)


def test_untrained_bound_of_uniform_images_is_exact():
    low = tf.fill([4, 2, 1], tf.constant(-0.5, tf.float64))
    images = tfg.Dequantized(
        tfd.Independent(tfd.Uniform(low, -low), 3),
        bins=17,
        dequantizer=trainable([4, 2, 1]),
    )
    x = gray_levels([4, 2, 1])
    np.testing.assert_allclose(
        images.log_prob(x, seed=0), np.full([3], -8 * np.log(17)), rtol=1e-12
    )


@pytest.mark.parametrize(
    "shape",
    [SHAPES[0], *(pytest.param(s, marks=pytest.mark.slow) for s in SHAPES[1:])],
)
def test_log_density_agrees_with_automatic_differentiation(shape):
    x = gray_levels(shape)
    dequantizer = trainable(shape, 0.1, gradient="store")

    def forward(noise):
        copies = tf.broadcast_to(x, tf.shape(noise))
        return dequantizer(copies).forward(noise)

    images = tfg.Dequantized(
        tfd.Sample(tfd.Normal(tf.zeros([], tf.float64), 1.0), shape),
        bins=17,
        dequantizer=dequantizer,
    )
    _, log_density = helpers.noise_of(images, x, uniform(shape))
    expected = -helpers.log_det_by_autodiff(forward, uniform(shape))
    assert np.std(log_density) > 1e-2
    np.testing.assert_allclose(log_density, expected, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_inverse_undoes_forward(shape):
    bijector = trainable(shape, 0.1)(gray_levels(shape))
    noise = bijector.forward(uniform(shape))
    back = bijector.inverse(tf.identity(noise))
    np.testing.assert_allclose(back, uniform(shape), atol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_noise_depends_on_the_image_and_on_all_of_the_noise(shape):
    dequantizer = trainable(shape, 0.1)
    one, other = (
        dequantizer(tf.fill([3, *shape], level)).forward(uniform(shape))
        for level in (2, 14)
    )
    assert np.all(np.abs(one - other) > 1e-6)


def test_any_leading_dimensions():
    dequantizer = trainable([4, 2, 1], 0.1)
    x, noise = gray_levels([4, 2, 1], num=6), uniform([4, 2, 1], num=6)
    expected = dequantizer(x).forward(noise)
    for lead in ([2, 3], [1, 6], [6, 1, 1]):
        shape = [*lead, 4, 2, 1]
        bijector = dequantizer(x.reshape(shape))
        again = bijector.forward(tf.reshape(noise, shape))
        np.testing.assert_allclose(
            tf.reshape(again, expected.shape), expected, rtol=1e-12
        )
    one = dequantizer(x[0]).forward(noise[0])
    np.testing.assert_allclose(one, expected[0], rtol=1e-12)


@pytest.mark.parametrize("bins", [2, 17, 256])
def test_float32_noise_stays_in_its_cell_however_far_the_flow_goes(bins):
    images = tfg.Dequantized(
        tfg.glow_distribution([4, 4, 1], num_levels=1, num_steps=1),
        bins=bins,
        dequantizer=trainable([4, 4, 1], 0.5, dtype=tf.float32),
    )
    x = gray_levels([4, 4, 1], num=50, bins=bins)
    values = np.random.default_rng(0).uniform(size=x.shape)
    values.flat[:2] = 0.0, 1.0 - 2.0**-23
    noise, log_density = helpers.noise_of(
        images, x, tf.constant(values, tf.float32)
    )
    assert np.min(noise) < 1e-3 and np.max(noise) > 1 - 1e-3
    assert np.all(np.isfinite(log_density))
    cells = np.floor(x.astype(np.float32) + noise.numpy())
    np.testing.assert_array_equal(cells, x)


def test_networks_run_once_for_noise_and_density():
    images = tfg.Dequantized(
        tfd.Sample(tfd.Normal(tf.zeros([], tf.float64), 1.0), [4, 2, 1]),
        bins=17,
        dequantizer=trainable([4, 2, 1]),
    )
    # The first and last convolution of the features, and of a coupling, each
    # with that of the padded edge.
    x = tf.constant(gray_levels([4, 2, 1]))
    assert helpers.count_ops(lambda x: images.log_prob(x, seed=0), x) == 8
    # More draws share the features.
    more = images.copy(num_noise_samples=3)
    assert helpers.count_ops(lambda x: more.log_prob(x, seed=0), x) == 16


@pytest.mark.parametrize(
    ("shape", "num_noise_samples"),
    [((4, 2, 1), 2), pytest.param((3, 2, 2), 1, marks=pytest.mark.slow)],
)
def test_every_variable_receives_the_same_gradient_however_it_is_computed(
    shape, num_noise_samples
):
    dequantizer = trainable(shape, 0.1)
    x, found = tf.constant(gray_levels(shape)), []
    variables = dequantizer.trainable_variables
    assert len(variables) == (37 if shape[0] == 3 else 25)
    for gradient in ("store", "invert"):
        images = tfg.Dequantized(
            tfd.Sample(tfd.Normal(tf.zeros([], tf.float64), 0.3), shape),
            bins=17,
            dequantizer=dequantizer.with_gradient(gradient),
            num_noise_samples=num_noise_samples,
        )

        @tf.function
        def gradients(images=images):
            with tf.GradientTape() as tape:
                total = tf.reduce_sum(images.log_prob(x, seed=0))
            return tape.gradient(total, variables)

        found.append(gradients())
    for variable, one, other in zip(variables, *found):
        assert np.any(one), variable.name
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-9)


def test_learned_noise_makes_the_bound_tighter():
    # A density that changes by much within a gray level.
    pixel = tfd.Logistic(0.03, 0.04)
    continuous = tfd.Sample(pixel, [2, 2, 1])
    dequantizer = tfg.NoiseFlow.trainable(
        [2, 2, 1], bins=4, num_steps=2, num_filters=8, seed=0, gradient="store"
    )
    images = tfg.Dequantized(continuous, 4, dequantizer)
    cdf = pixel.cdf(np.linspace(-0.5, 0.5, 5, dtype=np.float32)).numpy()
    x = images.sample(2000, seed=(0, 0))
    exact = np.log(np.diff(cdf))[x.numpy()].sum((1, 2, 3))
    noise = {"seed": 1, "first_row": 0}
    uniform_gap = exact - images.copy(dequantizer=None).log_prob(x, **noise)
    weights = [
        keras.Variable(initializer=v) for v in dequantizer.trainable_variables
    ]
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(weights)

    @tf.function
    def step(seed):
        with tf.GradientTape() as tape:
            log_prob = images.log_prob(x[:500], seed=seed, first_row=0)
            loss = -tf.reduce_mean(log_prob)
        gradients = tape.gradient(loss, dequantizer.trainable_variables)
        optimizer.apply_gradients(zip(gradients, weights))

    for i in range(120):
        step(tf.constant([1, i]))
    gap = exact - images.log_prob(x, **noise)
    error = np.std(gap) / np.sqrt(len(gap))
    assert -4.0 * error < np.mean(gap) < 0.5 * np.mean(uniform_gap)
    tighter = exact - images.copy(num_noise_samples=20).log_prob(x, **noise)
    assert np.mean(tighter) < np.mean(gap) - 4.0 * error


def flow_model(seed=0, **kwargs):
    flow = tfg.glow_distribution(
        [4, 4, 1], num_levels=1, num_steps=1, num_filters=4, seed=seed
    )
    dequantizer = trainable([4, 4, 1], seed=seed, dtype=tf.float32)
    return tfg.FlowModel(tfg.Dequantized(flow, 17, dequantizer, **kwargs))


def test_a_model_trains_flow_and_dequantizer_and_its_files_hold_both(tmp_path):
    model = flow_model()
    names = list(model.named_variables)
    assert "dequantizer.features.hidden.kernel" in names
    assert "dequantizer.invertible_1x1_conv.lower" in names
    assert "dequantizer.network.last.kernel" in names
    assert "glow.level_0.network.last.kernel" in names
    x = gray_levels([4, 4, 1], num=32)
    model.initialize(x)
    before = [v.numpy() for v in model.trainable_variables]
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(x, batch_size=16, epochs=2, verbose=0)
    for variable, value in zip(model.trainable_variables, before):
        assert np.any(variable.numpy() != value), variable.path
    expected = model.log_prob(x, seed=3)
    np.testing.assert_array_equal(model.log_prob(x, seed=3), expected)
    assert np.all(model.log_prob(x, seed=4) != expected)
    model.save_weights(tmp_path / "flow.weights.h5")
    other = flow_model(seed=1)
    assert np.all(other.log_prob(x, seed=3) != expected)
    other.load_weights(tmp_path / "flow.weights.h5")
    np.testing.assert_allclose(other.log_prob(x, seed=3), expected, rtol=1e-6)


def test_a_model_finds_the_layers_of_a_dequantizer_of_ones_own():
    power = keras.layers.Dense(1, activation="softplus", name="power")

    def dequantizer(x):
        values = tf.cast(x, tf.float32)[..., tf.newaxis]
        return tfb.Power(0.1 + power(values)[..., 0])

    normal = tfd.TransformedDistribution(
        tfd.Sample(tfd.Normal(0.0, 1.0), [2]),
        tfb.Scale(tf.Variable([0.2, 0.3], name="scale")),
    )
    model = tfg.FlowModel(
        tfg.Dequantized(normal, 4, dequantizer, num_noise_samples=2)
    )
    assert set(model.named_variables) == {
        "scale",
        "power.kernel",
        "power.bias",
        "initialized",
    }
    x = gray_levels([2], num=32, bins=4)
    before = [v.numpy() for v in model.trainable_variables]
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(x, verbose=0)
    for variable, value in zip(model.trainable_variables, before):
        assert np.any(variable.numpy() != value), variable.path


def test_initialization_normalizes_what_the_learned_noise_makes():
    model = flow_model()
    helpers.perturb(model.distribution.dequantizer, 0.1)
    x = gray_levels([4, 4, 1], num=500)
    model.initialize(x)
    values, _ = model.distribution.draw(x, seed=1)
    shift, log_scale = (
        model.named_variables[f"glow.level_0.act_norm.{name}"].numpy()[0]
        for name in ("shift", "log_scale")
    )
    h = np.exp(log_scale) * (tfg.Squeeze().forward(values) + shift)
    np.testing.assert_allclose(np.mean(h, (0, 1, 2)), np.zeros(4), atol=0.05)
    np.testing.assert_allclose(np.std(h, (0, 1, 2)), np.ones(4), atol=0.05)


def test_exported_gradients_are_in_the_graph():
    model = flow_model()
    helpers.perturb(model.distribution.dequantizer, 0.1)
    alone = export.self_contained(model.distribution)
    assert alone.dequantizer.flow.gradient == "store"
    x = gray_levels([4, 4, 1])
    np.testing.assert_allclose(
        alone.log_prob(x, seed=0),
        model.distribution.log_prob(x, seed=0),
        rtol=1e-5,
    )


def test_rows_get_the_noise_of_their_places_in_a_larger_batch():
    distribution = flow_model().distribution
    helpers.perturb(distribution.dequantizer, 0.1)
    x = gray_levels([4, 4, 1], num=7)
    whole = distribution.log_prob(x, seed=1, first_row=0)
    part = distribution.log_prob(x[3:5], seed=1, first_row=3)
    np.testing.assert_allclose(part, whole[3:5], rtol=1e-5)


@pytest.mark.slow
def test_compiled_by_xla_noise_and_density_are_the_same():
    dequantizer = trainable([4, 2, 1], 0.1)
    x = tf.constant(gray_levels([4, 2, 1]))

    def noise_and_log_det(x, noise):
        bijector = dequantizer(x)
        return bijector.forward(noise), bijector.forward_log_det_jacobian(
            noise, event_ndims=3
        )

    expected = noise_and_log_det(x, uniform([4, 2, 1]))
    compiled = tf.function(noise_and_log_det, jit_compile=True)
    for one, other in zip(compiled(x, uniform([4, 2, 1])), expected):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


def test_mixed_networks_leave_the_flow_in_its_dtype():
    exact = trainable([4, 4, 1], dtype=tf.float32)
    mixed = trainable(
        [4, 4, 1], dtype=tf.float32, network_dtype="mixed_bfloat16"
    )
    x, noise = gray_levels([4, 4, 1]), uniform([4, 4, 1], dtype=tf.float32)
    one, other = (
        helpers.perturb(d, 0.05)(x).forward(noise) for d in (exact, mixed)
    )
    assert one.dtype == other.dtype == tf.float32
    assert np.any(one != other)
    np.testing.assert_allclose(one, other, atol=0.05)


def test_seed_decides_the_variables():
    one, same, other = (
        [v.numpy() for v in trainable([4, 2, 1], seed=s).variables]
        for s in (0, 0, 1)
    )
    assert all(np.array_equal(a, b) for a, b in zip(one, same))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        (dict(image_shape=[4, 4]), r"`image_shape`. Expected \(height, width"),
        (dict(bins=0), "`bins`. Expected a positive integer"),
        (dict(num_steps=0), "`num_steps`. Expected a positive integer"),
        (dict(num_filters=2.0), "`num_filters`. Expected a positive integer"),
        (dict(gradient="inverse"), "`gradient`.*Did you mean 'invert'"),
    ],
)
def test_bad_arguments_raise(kwargs, message):
    with pytest.raises(ValueError, match=message):
        tfg.NoiseFlow.trainable(**(dict(image_shape=[4, 4, 1]) | kwargs))
