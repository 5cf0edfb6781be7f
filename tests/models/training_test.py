# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `fit` and of what it does before the first step."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_glow as tfg
from tests.models import tiny


def test_training_reduces_the_loss_on_digits(history):
    losses = history.history["loss"]
    assert losses[-1] < losses[0] - 0.2
    assert losses[-1] < math.log2(17) - 0.5
    validation = history.history["val_bits_per_dim"]
    assert validation[-1] < validation[0] - 0.2
    assert history.history["bits_per_dim"] == pytest.approx(losses)


def test_fit_accepts_arrays_tensors_and_data_sets(eager):
    x = tiny.gray(8)
    labels = np.arange(8)
    images = tf.data.Dataset.from_tensor_slices(x)
    pairs = tf.data.Dataset.from_tensor_slices((x, labels))
    data = {
        "array": (x, {"batch_size": 4}),
        "array and labels": (x, {"y": labels, "batch_size": 4}),
        "tensor": (tf.constant(x, tf.int64), {"batch_size": 4}),
        "images": (images.batch(4), {}),
        "images and labels": (pairs.batch(4), {}),
        "repeated": (images.batch(4).repeat(), {"steps_per_epoch": 2}),
        "of unknown size": (
            images.batch(4).filter(lambda _: True),
            {"steps_per_epoch": 2},
        ),
    }
    losses = {}
    start = eager.get_weights()
    for name, (source, kwargs) in data.items():
        eager.set_weights(start)
        eager._seed_generator.state.assign([0, 0])
        eager.compile(keras.optimizers.SGD(1e-3), run_eagerly=True)
        history = eager.fit(source, shuffle=False, verbose=0, **kwargs)
        assert int(eager.optimizer.iterations) == 2, name
        losses[name] = history.history["loss"]
    for name, loss in losses.items():
        assert loss == losses["array"], name


def test_fit_accepts_validation_data_and_callbacks(eager):
    epochs = []
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: epochs.append(sorted(logs))
    )
    for data in (
        {"validation_data": (tiny.gray(4), np.arange(4))},
        {"validation_data": tf.data.Dataset.from_tensors(tiny.gray(4))},
        {"validation_split": 0.5},
    ):
        for callbacks in (callback, [callback]):
            eager.fit(tiny.gray(8), callbacks=callbacks, verbose=0, **data)
    names = [
        f"{split}{name}"
        for split in ("", "val_")
        for name in ("bits_per_dim", "loss", "nats")
    ]
    assert epochs == [names] * 6


def test_fit_weighs_the_samples(eager):
    weights = np.array([0.0, 0.0, 0.0, 1.0])
    x = tiny.gray(4)
    eager.initialize(x)
    before = eager.get_weights()
    eager.fit(x, sample_weight=0 * weights, verbose=0)
    tiny.assert_equal_weights(eager.get_weights(), before)
    eager.fit(x, sample_weight=weights, verbose=0)
    changed = [
        not np.array_equal(a, b) for a, b in zip(eager.get_weights(), before)
    ]
    assert any(changed)


def test_weights_of_validation_data_are_used_without_labels(eager):
    x, weights = tiny.gray(4), np.array([0.0, 0.0, 1.0, 0.0])
    eager.optimizer.learning_rate = 0.0
    history = eager.fit(
        x, validation_data=(x, None, weights), verbose=0
    ).history
    expected = -np.asarray(eager.log_prob(x))[2]
    np.testing.assert_allclose(history["val_nats"], [expected], rtol=1e-5)


def test_fit_does_not_shuffle_a_data_set(eager, monkeypatch):
    x = np.arange(16, dtype=np.uint8).reshape([16, 1, 1, 1]).repeat(4, 1)
    x = x.repeat(4, 2)
    seen = []

    def call(inputs, training=False):
        seen.extend(inputs.numpy()[:, 0, 0, 0].tolist())
        return tfg.GlowModel.call(eager, inputs, training=training)

    monkeypatch.setattr(eager, "call", call)
    eager.initialize(tiny.gray())
    eager.fit(tf.data.Dataset.from_tensor_slices(x).batch(4), verbose=0)
    assert seen == list(range(16))


def test_equal_seeds_train_to_identical_weights():
    results = []
    for _ in range(2):
        model = tiny.model(seed=5)
        model.compile("adam", run_eagerly=True)
        model.fit(tiny.gray(8), batch_size=4, shuffle=False, verbose=0)
        results.append(tiny.values(model))
    tiny.assert_equal_weights(*results)


# Initialization.


def test_initialization_normalizes_the_activations():
    model = tiny.model(num_levels=2)
    x = tiny.gray(64)
    model.initialize(x)
    assert model.initialized
    values, _ = model.distribution.draw(x, (0, 0), first_row=0)
    h = tfg.Squeeze().forward(values)
    for level in range(2):
        if level == 1:
            h = tfg.Squeeze().forward(tf.split(h, 2, axis=-1)[0])
        steps = model.glow.steps(level)
        name = f"glow.level_{level}.act_norm"
        norm = tfg.ActNorm(
            shift=model.named_variables[f"{name}.shift"].value,
            log_scale=model.named_variables[f"{name}.log_scale"].value,
        )
        y = norm.forward(h)
        np.testing.assert_allclose(np.mean(y, axis=(0, 1, 2)), 0, atol=1e-4)
        # An estimate counts one sample a channel of the usual variance.
        variance = np.var(h, axis=(0, 1, 2))
        num_channels, num_rows = h.shape[-1], np.prod(h.shape[:-1])
        estimate = num_rows * variance + num_channels * np.mean(variance)
        estimate /= num_rows + num_channels
        np.testing.assert_allclose(
            np.var(y, axis=(0, 1, 2)), variance / estimate, rtol=1e-3
        )
        h = steps.forward(h)


def test_fit_initializes_before_its_first_step(eager):
    x = tiny.gray(40)
    other = tiny.model()
    other.initialize(x[:32])
    eager.optimizer.learning_rate = 0.0
    eager.fit(x, verbose=0, shuffle=False)
    tiny.assert_equal_weights(tiny.values(eager), tiny.values(other))


def test_fit_initializes_once(trained, digits, monkeypatch):
    assert trained.initialized

    def fail(x):
        raise AssertionError("initialized again")

    monkeypatch.setattr(trained, "initialize", fail)
    trained.fit(digits[:64], batch_size=64, verbose=0)


@pytest.mark.parametrize(("batches", "events"), [(1, 4), (3, 12), (9, 20)])
@pytest.mark.parametrize("kind", ["array", "dataset"])
def test_fit_initializes_from_as_many_batches_as_asked(
    eager, monkeypatch, kind, batches, events
):
    x = tiny.gray(20)
    received = []

    def initialize(data):
        received.append(np.asarray(data))
        raise InterruptedError  # Before training, which is not tested.

    monkeypatch.setattr(eager, "initialize", initialize)
    source, kwargs = x, {"batch_size": 4}
    if kind == "dataset":
        source, kwargs = tf.data.Dataset.from_tensor_slices(x).batch(4), {}
    with pytest.raises(InterruptedError):
        eager.fit(source, init_batches=batches, verbose=0, **kwargs)
    np.testing.assert_array_equal(received[0], x[:events])


@pytest.mark.parametrize("init_batches", [0, -1, 1.5, None])
def test_init_batches_that_are_no_count_are_an_error(eager, init_batches):
    with pytest.raises(ValueError, match="`init_batches`"):
        eager.fit(tiny.gray(), init_batches=init_batches)
    assert not eager.initialized


def test_using_a_model_never_initializes_it():
    model = tiny.model()
    before = tiny.values(model)
    model.sample(2, seed=0)
    model.log_prob(tiny.gray(2))
    model.decode(model.encode(tiny.gray(2)))
    assert not model.initialized
    tiny.assert_equal_weights(tiny.values(model), before)


@pytest.mark.parametrize("method", ["fit", "train_on_batch"])
def test_a_training_step_is_traced_once(monkeypatch, method):
    model = tiny.model()
    model.compile(keras.optimizers.Adam(1e-3))
    calls = []
    step = tfg.GlowModel.train_step
    monkeypatch.setattr(
        tfg.GlowModel,
        "train_step",
        lambda self, data: calls.append(1) or step(self, data),
    )
    arguments = {"verbose": 0} if method == "fit" else {}
    getattr(model, method)(tiny.gray(4), **arguments)
    assert len(calls) == 1
