# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tfp_glow.models import xla

tfd = tfp.distributions

_FIVE = tf.data.Dataset.range(5).batch(1)


def _small_model(**compile_arguments):
    model = tfg.GlowModel(
        [4, 4, 1], num_levels=1, num_steps=1, num_filters=4, seed=0
    )
    model.compile(**compile_arguments)
    return model


def _images(num):
    return np.random.default_rng(0).integers(0, 256, [num, 4, 4, 1])


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (dict(x=np.zeros([32_000, 4, 4, 1], np.uint8)), True),
        (dict(x=np.zeros([320, 4, 4, 1], np.uint8), epochs=100), True),
        (dict(x=np.zeros([320, 4, 4, 1], np.uint8)), False),
        (dict(x=np.zeros([6400, 4, 4, 1], np.uint8), batch_size=64), False),
        (dict(x=_FIVE, epochs=200), True),
        (dict(x=_FIVE.repeat()), False),
        (dict(x=_FIVE, steps_per_epoch=1000), True),
    ],
)
def test_long_trainings_of_small_images_are_compiled(arguments, expected):
    model = _small_model()
    xla.choose(model, arguments)
    assert model.jit_compile == expected


@pytest.mark.parametrize(("num_channels", "expected"), [(1, True), (2, False)])
def test_events_of_at_most_1024_dimensions_are_compiled(num_channels, expected):
    model = tfg.GlowModel(
        [32, 32, num_channels], num_levels=1, num_steps=1, num_filters=4
    )
    model.compile()
    xla.choose(model, dict(x=_FIVE, steps_per_epoch=1000))
    assert model.jit_compile == expected


def test_other_models_are_not_compiled():
    arguments = dict(x=_FIVE, steps_per_epoch=10_000)
    large = tfg.GlowModel([32, 32, 3], num_levels=1, num_steps=1, num_filters=4)
    flow = tfd.TransformedDistribution(
        tfd.Sample(tfd.Normal(0.0, 1.0), [2]),
        tfp.bijectors.Shift(tf.Variable([0.0, 0.0])),
    )
    for model in (large, tfg.FlowModel(flow), _small_model(run_eagerly=True)):
        if not model.compiled:
            model.compile()
        xla.choose(model, arguments)
        assert not model.jit_compile


def test_jit_compile_of_the_user_overrules():
    model = _small_model(jit_compile=False)
    model.fit(
        _images(8),
        batch_size=8,
        epochs=1000,
        steps_per_epoch=1,
        callbacks=[_Stop()],
        verbose=0,
    )
    assert not model.jit_compile


class _Stop(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training = True


@pytest.mark.slow
def test_a_compiled_training_learns_the_same(tmp_path):
    x, losses = _images(64), []
    for jit_compile in (False, "auto"):
        model = _small_model(jit_compile=jit_compile)
        model.fit(x, batch_size=8, epochs=2, verbose=0)  # 16 steps
        assert not model.jit_compile
        history = model.fit(
            x, batch_size=8, epochs=200, initial_epoch=198, verbose=0
        )
        assert model.jit_compile == (jit_compile == "auto")
        losses.append(history.history["loss"])
    np.testing.assert_allclose(*losses, rtol=1e-4)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.get_compile_config()["jit_compile"] == "auto"
    history = loaded.fit(
        x, batch_size=8, epochs=201, initial_epoch=200, verbose=0
    )
    assert loaded.jit_compile
