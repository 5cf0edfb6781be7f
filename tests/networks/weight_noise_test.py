# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_glow as tfg
from tfp_glow.networks import weight_noise

IMAGES = np.random.default_rng(0).integers(0, 16, [64, 4, 4, 1])


def noisy(kernel, seed, is_convolution=True):
    with weight_noise.training(0.3, tf.constant([0, seed])):
        return weight_noise.noisy(kernel, is_convolution).numpy()


@pytest.mark.parametrize(
    ("shape", "is_convolution"),
    [((2, 3, 3, 5, 4), True), ((3, 3, 5, 4), True), ((2, 5, 4), False)],
)
def test_every_element_changes_by_the_standard_deviation(shape, is_convolution):
    kernel = tf.random.stateless_normal(shape, [0, 0])
    changes = noisy(kernel, 0, is_convolution) / kernel - 1.0
    np.testing.assert_allclose(np.abs(changes), 0.3, atol=1e-5)
    # Both signs, alike at all positions of a convolution.
    assert len(np.unique(np.sign(changes))) == 2
    if is_convolution:
        np.testing.assert_array_equal(
            np.sign(changes), np.sign(changes[..., :1, :1, :, :]) + 0 * changes
        )


# The signs of 70 channels come from three integers.
@pytest.mark.parametrize("shape", [(2, 1, 1, 2, 2), (1, 1, 70, 1)])
def test_noise_has_no_mean_and_no_correlation(shape):
    kernel = tf.ones(shape)
    changes = [noisy(kernel, seed).ravel() - 1.0 for seed in range(400)]
    # Independent elements would have a standard error of 0.05.
    np.testing.assert_allclose(np.mean(changes, axis=0), 0.0, atol=0.3 * 0.2)
    correlations = np.corrcoef(changes, rowvar=False)
    identity = np.eye(len(correlations))
    np.testing.assert_allclose(correlations, identity, atol=0.2)


def test_kernels_of_one_step_have_noise_of_their_own():
    kernel = tf.ones([1, 1, 8, 8])
    with weight_noise.training(0.3, tf.constant([0, 0])):
        first = weight_noise.noisy(kernel, True)
        second = weight_noise.noisy(kernel, True)
    assert np.any(first != second)
    np.testing.assert_array_equal(first, noisy(kernel, 0))
    assert weight_noise.noisy(kernel, True) is kernel


def test_steps_whose_seeds_are_neighbors_share_no_noise():
    kernel = tf.ones([1, 1, 8, 8])
    found = []
    for seed in range(3):
        with weight_noise.training(0.3, tf.constant([0, seed])):
            found += [weight_noise.noisy(kernel, True) for _ in range(3)]
    assert len(np.unique(np.reshape(found, [9, -1]), axis=0)) == 9


def trained(**kwargs):
    model = tfg.GlowModel(
        [4, 4, 1], bins=16, num_levels=1, num_steps=2, num_filters=8, seed=0,
        **kwargs,
    )  # fmt: skip
    # Otherwise Adam makes large steps of gradients that are rounding errors.
    model.compile(keras.optimizers.Adam(1e-2, epsilon=1e-3))
    model.fit(IMAGES, batch_size=32, epochs=2, shuffle=False, verbose=0)
    return model


def test_only_training_is_noisy_and_every_gradient_sees_the_same_noise():
    model = trained(weight_noise=0.5, gradient="store")
    np.testing.assert_array_equal(model(IMAGES), model(IMAGES))
    np.testing.assert_array_equal(
        model.log_prob(IMAGES, seed=1), model.log_prob(IMAGES, seed=1)
    )
    same_noise = trained(weight_noise=0.5, gradient="invert")
    for one, same in zip(
        model.trainable_variables, same_noise.trainable_variables
    ):
        np.testing.assert_allclose(one, same, atol=1e-5)


def test_steps_of_a_model_differ_by_the_noise_of_the_weights_alone():
    # A density of floats needs no other noise.
    flow = tfg.vector_flow(2, num_steps=2, num_filters=8, seed=0)
    model = tfg.FlowModel(flow, weight_noise=0.5)
    x = tf.random.stateless_normal([16, 2], [0, 0])
    model.initialize(x)
    for variable in model.trainable_variables:
        variable.assign_add(
            tf.random.stateless_normal(variable.shape, [0, 1], stddev=0.1)
        )
    first, second = (model(tf.identity(x), training=True) for _ in range(2))
    assert np.any(first != second)
    quiet = tfg.FlowModel(flow)
    quiet.compile()
    np.testing.assert_array_equal(
        quiet(tf.identity(x), training=True), quiet(tf.identity(x))
    )


@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf, "much"])
def test_noise_that_is_no_size_is_an_error(value):
    with pytest.raises(ValueError, match=r"weight_noise.*non-negative number"):
        tfg.GlowModel([4, 4, 1], weight_noise=value)


def test_files_hold_the_size():
    model = tfg.GlowModel([4, 4, 1], num_steps=1, weight_noise=0.3)
    assert model.get_config()["weight_noise"] == 0.3
