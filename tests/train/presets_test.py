# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.presets`."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

import tfp_glow as tfg
from tfp_glow.train import presets

PAPERS = [
    name
    for name in presets.names()
    if presets.get(name).published_bits_per_dim is not None
]


def paper_weights(preset):
    """Number of weights of the paper's code, from its layers."""
    settings = preset.settings
    width, num_levels = settings.num_filters, settings.num_levels
    num_channels, count = 3, 0
    for level in range(num_levels):
        num_channels *= 4
        seen = num_channels // 2
        changed = seen if settings.coupling == "additive" else num_channels
        # A kernel sees one more channel, which marks the edge; every output
        # has a shift and a scale.
        network = 9 * (seen + 1) * width + 2 * width
        network += width * width + 2 * width
        network += 9 * (width + 1) * changed + 2 * changed
        step = 2 * num_channels + num_channels**2 + network
        count += settings.num_steps * step
        if level < num_levels - 1:
            count += 9 * (seen + 1) * num_channels + 2 * num_channels
            num_channels = seen
    # The top prior is a convolution of nothing but the edge.
    outputs = 2 * num_channels
    return count + 9 * (outputs + 1) * outputs + 2 * outputs


def more_weights_here(preset):
    """How many more there are here, for the reasons that `presets` gives."""
    settings = preset.settings
    num_levels = settings.num_levels
    channels = [6 * 2**level for level in range(1, num_levels + 1)]
    # Two triangles, kept as whole matrices, and a diagonal.
    more = settings.num_steps * sum(c**2 + c for c in channels)
    outputs = 2 * channels[-1]
    pixels = math.prod(preset.image_shape[:2]) // 4**num_levels
    tails = sum(channels[:-1]) // 2 + channels[-1]
    slopes = 2 * num_levels
    top = pixels * outputs - 9 * (outputs + 1) * outputs - 2 * outputs
    return more + top + tails + slopes


def count(variables):
    return sum(math.prod(v.shape) for v in variables)


@pytest.fixture
def graph(monkeypatch):
    """A graph, in which weights take no memory and steps no time."""
    # Initial rotations, which nobody asks for, would take most of the time.
    monkeypatch.setattr(np.linalg, "qr", lambda matrix: (matrix, None))
    with tf.Graph().as_default() as graph:
        yield graph


@pytest.mark.parametrize("name", PAPERS)
def test_a_preset_has_the_weights_of_the_papers_model(name, graph):
    preset = presets.get(name)
    weights = count(preset.model().trainable_variables)
    assert weights == paper_weights(preset) + more_weights_here(preset)
    assert weights == pytest.approx(paper_weights(preset), rel=0.05)


def test_the_papers_model_of_cifar10_has_45_million_weights():
    assert round(paper_weights(presets.get("cifar10")) / 1e6) == 45


# Affine and additive couplings; the other presets differ in sizes.
@pytest.mark.parametrize(
    "name", ["cifar10", pytest.param("celebahq256", marks=pytest.mark.slow)]
)
def test_a_presets_training_step_is_traced(name, graph):
    preset = presets.get(name)
    model = preset.model()
    model.compile(preset.optimizer())
    images = tf.zeros([2, *preset.image_shape], tf.uint8)
    assert model.train_step(images)["bits_per_dim"].graph is graph
    # Two momenta and an average of every weight, and the step.
    weights = count(model.trainable_variables)
    assert count(model.optimizer.variables) == 3 * weights + 1
    assert model.bins == preset.settings.bins


@pytest.mark.slow
def test_a_preset_with_overrides_is_trained():
    preset = presets.get("celebahq256")
    model = preset.model(
        image_shape=(8, 8, 3), num_levels=2, num_steps=1, num_filters=4
    )
    model.compile(preset.optimizer(learning_rate=0.1, warmup_steps=0))
    images = np.random.default_rng(0).integers(0, 32, [2, 8, 8, 3])
    bits = model.fit(images, batch_size=2, epochs=2, verbose=0).history["loss"]
    assert np.isfinite(bits).all()
    assert bits[1] != bits[0]


# Their settings.


@pytest.mark.parametrize("name", PAPERS)
def test_the_settings_are_those_of_a_run(name):
    preset = presets.get(name)
    settings = preset.settings
    assert not settings.conditional
    head, _, config = settings.dataset.partition("/")
    configs = tfds.builder_cls(head).builder_configs
    assert config in configs if config else not configs
    optimizer = preset.optimizer()
    assert isinstance(optimizer, keras.optimizers.Adamax)
    optimizer.iterations.assign(settings.warmup_steps)
    assert float(optimizer.learning_rate) == pytest.approx(1e-3)


def test_published_bits_are_the_papers():
    published = {
        name: presets.get(name).published_bits_per_dim for name in PAPERS
    }
    assert published == {
        "cifar10": 3.35,
        "imagenet32": 4.09,
        "imagenet64": 3.81,
        "lsun64": 2.38,
        "lsun64_tower": 2.46,
        "lsun64_church": 2.67,
        "celebahq256": 1.03,
    }


@pytest.mark.parametrize(
    ("name", "num_devices"), [("imagenet64", 8), ("celebahq256", 40)]
)
def test_the_warm_up_is_10_of_the_papers_epochs(name, num_devices):
    settings = presets.get(name).settings
    images_of_32x32 = 64 * num_devices
    pixels = settings.batch_size * settings.image_size**2
    assert pixels == images_of_32x32 * 32**2
    steps = 50_000 / images_of_32x32
    assert settings.warmup_steps == math.ceil(10 * steps)
    assert settings.beta_2 == 1 - 1 / math.ceil(steps)


@pytest.mark.parametrize("name", sorted({*presets.names()} - {*PAPERS}))
def test_the_training_of_a_model_that_ships_can_be_repeated(name):
    preset = presets.get(name)
    info = preset.settings.data_info()
    assert info.image_shape == preset.image_shape
    assert info.bins == preset.settings.bins
    # The clock decides nothing.
    assert preset.settings.max_minutes is None
    assert preset.published_bits_per_dim is None
    assert presets.get(name.replace("_", "-")) is preset


@pytest.mark.parametrize(
    ("name", "near"),
    [("cifar", "cifar10"), ("celeba256", "celebahq256"), (None, "")],
)
def test_a_preset_that_does_not_exist_is_an_error_with_the_nearest(name, near):
    with pytest.raises(ValueError, match=f"`name`.*Did you mean '{near}"):
        tfg.presets.get(name)


def test_presets_cannot_be_changed():
    preset = presets.get("cifar10")
    with pytest.raises(AttributeError):
        preset.published_bits_per_dim = 3.0
    with pytest.raises(AttributeError):
        preset.settings.bins = 8
