# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of `tfp_glow.models`."""

import keras
import pytest

import tfp_glow as tfg
from tests.models import tiny


@pytest.fixture(scope="session")
def digits():
    dataset = tfg.datasets.load("digits", "train", 512, shuffle=False)
    return next(iter(dataset)).numpy()


@pytest.fixture(scope="session")
def history(digits):
    """The `History` of the training of `trained`."""
    model = tfg.GlowModel(
        [8, 8, 1], num_levels=2, num_steps=1, num_filters=8, bins=17, seed=0
    )
    model.compile(keras.optimizers.Adam(1e-2))
    return model.fit(
        digits[:448],
        batch_size=64,
        epochs=6,
        validation_data=(digits[448:],),
        verbose=0,
    )


@pytest.fixture
def trained(history):
    """A model trained on digits. Its weights are restored after the test."""
    model = history.model
    before = model.get_weights()
    yield model
    model.set_weights(before)


@pytest.fixture(scope="session")
def traced():
    """Untrained models by depth, whose loops are traced once for all tests."""
    sizes = {"eager": 1, "deep": 2}
    return {
        name: tiny.model(num_levels=n, num_steps=n) for name, n in sizes.items()
    }


@pytest.fixture
def eager(traced):
    """An untrained model whose steps are run without tracing them."""
    yield from untrained(traced["eager"])


@pytest.fixture
def deep(traced):
    """An untrained model of two levels of two steps, run eagerly."""
    yield from untrained(traced["deep"])


def untrained(model):
    """Compiles a model, and restores its weights and noise after a test."""
    weights, noise = model.get_weights(), model._seed_generator.state.numpy()
    model.compile(keras.optimizers.Adam(1e-3), run_eagerly=True)
    yield model
    model.set_weights(weights)
    model._seed_generator.state.assign(noise)
