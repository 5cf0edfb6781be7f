# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the default start of training on data that lack variation."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_glow as tfg
from tests import helpers
from tests.models import tiny


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape)


def with_constant_channel():
    images = noise(64, 4, 4, 3)
    images[..., 1] = 100
    return images


# The images that initialize a model, and those that train it.
IMAGES = {
    "a constant channel": (with_constant_channel(), noise(64, 4, 4, 3)),
    "gray": (np.repeat(noise(64, 4, 4, 1), 3, axis=-1), noise(64, 4, 4, 3)),
    "zeros": (np.zeros([64, 4, 4, 1], int),) * 2,
    "one image": (noise(1, 4, 4, 1),) * 2,
    "less than a batch": (noise(5, 4, 4, 1),) * 2,
    "2x2": (noise(64, 2, 2, 1),) * 2,
    "one pixel a channel": (noise(1, 2, 2, 1), noise(64, 2, 2, 1)),
}


def rows(constant=(), size=5, num=64):
    x = helpers.normal([num, size], dtype=tf.float32).numpy()
    x[:, list(constant)] = 7.3
    return x


def with_copy():
    x = rows()
    x[:, 3] = x[:, 1]
    return x


ROWS = {
    "a constant column": (rows([2]), rows()),
    "a copied column": (with_copy(), rows()),
    "one row": (rows()[:1], rows()),
    "equal rows": (np.repeat(rows()[:1], 64, axis=0), rows()),
    "fewer rows than columns": (rows(size=20)[:3], rows(size=20)),
    "two columns, one constant": (rows([0], 2),) * 2,
    "zeros": (np.zeros([64, 2], np.float32),) * 2,
    "large": (1e6 * rows(),) * 2,
    "different scales": (rows() * [1e-2, 1.0, 1e3, 1.0, 1.0],) * 2,
}


SIZE = dict(num_steps=2, num_filters=8, coupling="affine", seed=0)


def some_are_slow(names):
    """Marks all but two names as slow."""
    fast = ("a constant channel", "one pixel a channel")
    fast += ("a constant column", "fewer rows than columns")
    return [
        name if name in fast else pytest.param(name, marks=pytest.mark.slow)
        for name in names
    ]


@pytest.mark.parametrize("name", some_are_slow(IMAGES))
def test_images_that_vary_little_do_not_take_others_far_out(name):
    first, images = (
        tf.cast(part + np.random.default_rng(1).random(part.shape), tf.float32)
        / 256.0
        - 0.5
        for part in IMAGES[name]
    )
    glow = tfg.Glow(images.shape[1:], num_levels=1, **SIZE)
    glow.initialize(first)
    latents = glow.inverse(images)
    assert np.max(np.abs(latents)) < 50.0
    back = glow.forward(tf.identity(latents))
    np.testing.assert_allclose(back, images, atol=1e-4)


@pytest.mark.parametrize("name", some_are_slow(ROWS))
def test_vectors_that_vary_little_do_not_take_others_far_out(name):
    first, x = (np.asarray(part, np.float32) for part in ROWS[name])
    steps = tfg.vector_flow(x.shape[-1], **SIZE).bijector.bijector
    steps.initialize(first)
    latents = steps.forward(x)
    assert np.max(np.abs(latents)) < 50.0
    back = steps.inverse(tf.identity(latents))
    np.testing.assert_allclose(back, x, rtol=1e-4, atol=1e-3)


def train(model, first, x):
    """Returns the mean negative log-likelihood before and after training."""
    model.compile(tfg.recipe.make_optimizer())
    model.initialize(first)
    before = -np.mean(model.log_prob(x))
    x = np.resize(x, [320, *x.shape[1:]])
    model.fit(x, batch_size=16, verbose=0)
    return before, -np.mean(model.log_prob(x))


@pytest.mark.slow
@pytest.mark.parametrize("name", IMAGES)
def test_images_that_vary_little_train(name):
    first, images = IMAGES[name]
    model = tiny.model(image_shape=images.shape[1:], num_steps=2, bins=256)
    before, after = train(model, first, images)
    assert after < before + 1.0 < 100.0 * model.event_size
    difference = model.decode(model.encode(images)) - images
    assert np.max(np.abs(difference)) < 1e-6
    assert np.all(np.isfinite(model.sample_values(100, seed=0)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_vectors_that_vary_little_train(name):
    first, x = (np.asarray(part, np.float32) for part in ROWS[name])
    flow = tfg.vector_flow(x.shape[-1], **SIZE)
    before, after = train(tfg.FlowModel(flow, seed=0), first, x)
    assert after < before + 1.0 < 50.0 * x.shape[-1]
