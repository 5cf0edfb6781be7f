# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.bijectors.initialization`."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers
from tfp_glow.bijectors import initialization

tfb = tfp.bijectors


def assert_normalised(y):
    y = np.reshape(y, [-1, y.shape[-1]])
    np.testing.assert_allclose(np.mean(y, axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(np.var(y, axis=0), 1.0, atol=1e-2)


def data(shape=(200, 4)):
    return 7.0 + 3.0 * helpers.normal(shape)


def first_norm(glow):
    """The activation norm of the first step, with its present values."""
    p = glow._levels[0].steps.stacked_parameters["act_norm"]
    return tfg.ActNorm(p["shift"][0], p["log_scale"][0])


def test_every_block_of_a_chain_is_set_from_its_own_input():
    first = tfg.ActNorm.trainable(4, dtype=tf.float64)
    conv = tfg.Invertible1x1Conv.trainable(4, seed=0, dtype=tf.float64)
    helpers.perturb(conv)
    second = tfg.ActNorm.trainable(4, dtype=tf.float64)
    chain = tfb.Chain([second, tfb.Chain([conv, first])])
    x = data()
    y = initialization.initialize_forward(chain, x)
    assert_normalised(first.forward(x))
    assert_normalised(second.forward(conv.forward(first.forward(x))))
    np.testing.assert_array_equal(y, chain.forward(tf.identity(x)))


def test_networks_of_couplings_are_set_too():
    coupling = tfg.AffineCoupling.trainable(
        [4], num_filters=5, seed=0, dtype=tf.float64
    )
    x = data()
    initialization.initialize_forward(tfb.Chain([coupling]), x)
    network = coupling.network
    assert_normalised(network.hidden[0](4.0 * np.tanh(x[:, :2] / 4.0)))


@pytest.mark.parametrize("wrap", [lambda b: b, lambda b: tfb.Chain([b])])
def test_an_inverted_inverse_is_walked_forward(wrap):
    norm = tfg.ActNorm.trainable(4, dtype=tf.float64)
    x = data()
    y = initialization.initialize_inverse(wrap(tfb.Invert(norm)), x)
    assert_normalised(y)
    np.testing.assert_array_equal(y, norm.forward(tf.identity(x)))


def test_a_block_met_from_its_output_stays_as_it_is():
    norm = tfg.ActNorm.trainable(4, dtype=tf.float64)
    helpers.perturb(norm)
    before = norm.shift.numpy()
    y = data()
    x = initialization.initialize_inverse(norm, y)
    np.testing.assert_array_equal(norm.shift, before)
    np.testing.assert_array_equal(x, norm.inverse(tf.identity(y)))


def test_a_glow_is_set_from_images_not_from_latents():
    images = data([20, 4, 4, 1])
    glow = tfg.Glow(
        [4, 4, 1],
        num_levels=1,
        num_steps=1,
        num_filters=4,
        seed=0,
        dtype=tf.float64,
    )
    initialization.initialize_forward(glow, tf.zeros([20, 16], tf.float64))
    assert not np.any(first_norm(glow).shift)
    latents = initialization.initialize_inverse(glow, images)
    norm = first_norm(glow)
    assert_normalised(norm.forward(tfg.Squeeze().forward(images)))
    np.testing.assert_array_equal(latents, glow.inverse(tf.identity(images)))


def test_a_glow_behind_other_bijectors_is_set_from_what_they_make():
    glow = tfg.Glow(
        [4, 4, 1], num_levels=1, num_steps=1, num_filters=4, dtype=tf.float64
    )
    chain = tfb.Chain([tfb.Shift(tf.constant(100.0, tf.float64)), glow])
    initialization.initialize_inverse(chain, data([20, 4, 4, 1]))
    norm = first_norm(glow)
    np.testing.assert_allclose(norm.shift, 93.0, atol=3.0)


def test_bijectors_without_initialize_are_only_evaluated():
    x = data()
    y = initialization.initialize_forward(tfb.Exp(), x)
    np.testing.assert_array_equal(y, tf.exp(x))
