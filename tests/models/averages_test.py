# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of averaged weights: what `fit` evaluates, keeps and ends with."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests.models import tiny
from tfp_glow.models import averages
from tfp_glow.models import recipe

tfd = tfp.distributions


X = np.random.default_rng(0).normal(2.0, 1.0, [32, 2]).astype(np.float32)


def normal(learning_rate=0.1):
    """A normal distribution whose averages lag behind its weights."""
    loc = tf.Variable([0.0, 0.0], name="loc")
    model = tfg.FlowModel(tfd.MultivariateNormalDiag(loc))
    made = recipe.make_optimizer(
        learning_rate=learning_rate, warmup_steps=0, ema=0.9
    )
    model.compile(made)
    return model


def values(model):
    return [v.numpy() for v in model.trainable_variables]


def stored(model):
    return [v.numpy() for v in model.optimizer._model_variables_moving_average]


def fit(model, *callbacks, epochs=3, x=X):
    """Trains on 4 batches an epoch and validates; returns the history."""
    return model.fit(
        x,
        batch_size=8,
        epochs=epochs,
        shuffle=False,
        validation_data=(x[:16],),
        callbacks=[*callbacks],
        verbose=0,
    ).history


def bits_per_dim(model, x=X):
    return model.evaluate(x[:16], batch_size=8, verbose=0)[-1]


class Recorder(keras.callbacks.Callback):
    """Remembers the weights and averages after every batch and epoch."""

    def __init__(self):
        super().__init__()
        self.batches, self.epochs = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.batches.append((values(self.model), stored(self.model)))

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(values(self.model))
        logs["mine"] = epoch


def test_fit_evaluates_and_ends_with_the_averages():
    model, recorder = normal(), Recorder()
    history = fit(model, recorder)
    # The history contains what a callback adds to the logs.
    assert history["mine"] == [0, 1, 2]
    for epoch in range(3):
        raw, mean = recorder.batches[4 * epoch + 3]
        assert any(np.any(a != b) for a, b in zip(raw, mean))
        tiny.assert_equal_weights(recorder.epochs[epoch], mean)
    assert history["val_bits_per_dim"][-1] == bits_per_dim(model)
    tiny.assert_equal_weights(values(model), stored(model))


def test_evaluating_changes_nothing_of_the_training():
    runs = []
    for validation in ((X,), None):
        model, recorder = normal(), Recorder()
        model.fit(
            X,
            batch_size=8,
            epochs=3,
            shuffle=False,
            validation_data=validation,
            callbacks=[recorder],
            verbose=0,
        )
        runs.append(
            [v for pair in recorder.batches for v in [*pair[0], *pair[1]]]
        )
    assert len(runs[0]) == 2 * 12
    tiny.assert_equal_weights(*runs)


def test_the_best_checkpoint_has_the_averages(tmp_path):
    path = tmp_path / "best.keras"
    checkpoint = keras.callbacks.ModelCheckpoint(
        path, monitor="val_bits_per_dim", save_best_only=True
    )
    model, x = tiny.model(), tiny.gray(32)
    model.compile(recipe.make_optimizer(learning_rate=0.03, warmup_steps=0))
    history = fit(model, checkpoint, x=x)
    loaded = keras.models.load_model(path)
    assert bits_per_dim(loaded, x) == min(history["val_bits_per_dim"])
    assert isinstance(loaded.optimizer, recipe.AveragedAdam)
    tiny.assert_equal_weights(values(loaded), stored(loaded))


@pytest.mark.parametrize("is_first", [False, True])
def test_early_stopping_restores_the_best_averages(is_first):
    model = normal(learning_rate=1.0)  # So high that it overshoots.
    stop = keras.callbacks.EarlyStopping(
        "val_bits_per_dim", patience=2, restore_best_weights=True
    )
    order = [stop, Recorder()] if is_first else [Recorder(), stop]
    history = fit(model, *order, epochs=30)["val_bits_per_dim"]
    best = int(np.argmin(history))
    assert len(history) == best + 3 < 30
    assert bits_per_dim(model) == history[best] < history[-1]


class BreakdownError(Exception):
    """Raised in the middle of an epoch."""


def test_a_backup_resumes_with_the_weights_and_their_averages(tmp_path):
    expected = normal()
    fit(expected, epochs=3)

    def break_off(batch, logs):
        if int(model.optimizer.iterations) == 10:
            raise BreakdownError

    model = normal()
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    stop = keras.callbacks.LambdaCallback(on_train_batch_end=break_off)
    with pytest.raises(BreakdownError):
        fit(model, backup, stop)
    resumed = normal()
    history = fit(resumed, backup)
    assert len(history["loss"]) == 1  # Two epochs of three were there.
    tiny.assert_equal_weights(resumed.get_weights(), expected.get_weights())
    tiny.assert_equal_weights(
        [v.numpy() for v in resumed.optimizer.variables],
        [v.numpy() for v in expected.optimizer.variables],
    )


@pytest.mark.parametrize("where", ["on_test_batch_end", "on_epoch_end"])
@pytest.mark.parametrize("error", [BreakdownError, KeyboardInterrupt])
def test_an_interruption_leaves_weights_and_averages_in_their_places(
    where, error
):
    def break_off(*args, **kwargs):
        raise error

    recorder = Recorder()
    stop = keras.callbacks.LambdaCallback(**{where: break_off})
    model = normal()
    with pytest.raises(error):
        fit(model, recorder, stop)
    raw, mean = recorder.batches[-1]
    expected = mean if error is KeyboardInterrupt else raw
    tiny.assert_equal_weights(values(model), expected)
    tiny.assert_equal_weights(stored(model), mean)


def test_a_callback_that_swaps_is_not_doubled():
    model, seen = normal(), []
    see = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(values(model))
    )
    history = fit(model, tfg.callbacks.SwapEMAWeights(), see, epochs=1)
    assert history["val_bits_per_dim"][-1] == bits_per_dim(model)
    assert any(np.any(a != b) for a, b in zip(seen[0], stored(model)))


def test_optimizers_of_keras_are_left_to_keras():
    model, seen = normal(), []
    model.compile(keras.optimizers.SGD(0.1, use_ema=True))
    see = keras.callbacks.LambdaCallback(
        on_test_begin=lambda logs: seen.append(values(model)),
        on_epoch_end=lambda epoch, logs: seen.append(values(model)),
    )
    fit(model, see, epochs=1)
    tiny.assert_equal_weights(*seen)
    assert any(np.any(a != b) for a, b in zip(seen[0], stored(model)))


def test_without_a_step_the_weights_stay():
    model = normal()
    model.distribution.loc.assign([1.0, 2.0])
    model.fit(X, epochs=1, initial_epoch=1, verbose=0)
    assert int(model.optimizer.iterations) == 0
    swap = averages.SwapEMAWeights()
    swap.set_model(model)
    swap.on_test_begin()
    with model.averaged_weights():
        np.testing.assert_array_equal(values(model), [[1.0, 2.0]])


def test_averaged_weights_are_swapped_exactly():
    model = keras.Sequential([keras.layers.Dense(3)])
    model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9))
    model.build((None, 2))
    model.optimizer.build(model.trainable_variables)
    generator = np.random.default_rng(0)
    weights, means = (
        [generator.standard_normal(v.shape).astype("float32") for v in values]
        for values in (model.weights, model.weights)
    )
    stored = model.optimizer._model_variables_moving_average
    for i, average in enumerate(means):
        model.weights[i].assign(weights[i])
        stored[i].assign(1e6 * average)  # Sums would lose the weights.
    model.optimizer.iterations.assign(1)
    swap = averages.SwapEMAWeights(swap_on_epoch=True)
    swap.set_model(model)
    swap.on_test_begin()
    for i, average in enumerate(means):
        np.testing.assert_array_equal(model.weights[i], 1e6 * average)
        np.testing.assert_array_equal(stored[i], weights[i])
    swap.on_test_end()
    for i, average in enumerate(means):
        np.testing.assert_array_equal(model.weights[i], weights[i])
        np.testing.assert_array_equal(stored[i], 1e6 * average)


def test_averaged_weights_are_seen_inside_and_the_weights_after():
    model = keras.Sequential([keras.layers.Dense(1, use_bias=False)])
    model.compile(
        keras.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5), "mse"
    )
    model.build((None, 1))
    seen = {"inside": [], "after": []}

    def see(name):
        return keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: seen[name].append(
                float(model.weights[0].numpy()[0, 0])
            )
        )

    x = np.ones([1, 1])
    model.layers[0].kernel.assign([[1.0]])
    inner = averages.WithAveragedWeights([see("inside")])
    model.fit(x, 2 * x, epochs=3, verbose=0, callbacks=[inner, see("after")])
    # A step of rate 1 goes to the other side of 2, as far as before.
    assert seen["after"] == [3.0, 1.0, 3.0]
    assert seen["inside"] == [3.0, 2.0, 2.5]
