# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of options of `compile`, and of callbacks that read its metrics."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_glow as tfg
from tests.models import tiny
from tfp_glow.models import recipe


def negative(labels, log_probs):
    return -log_probs


class Lowest(keras.metrics.Metric):
    """The lowest log-probability."""

    def __init__(self, name="lowest"):
        super().__init__(name=name)
        self.value = self.add_weight(initializer="zeros", name="value")

    def update_state(self, labels, log_probs, sample_weight=None):
        self.value.assign(tf.minimum(self.value, tf.reduce_min(log_probs)))

    def result(self):
        return self.value


def test_without_an_optimizer_the_recipe_is_trained_with(eager):
    eager.compile(run_eagerly=True, metrics=[negative])
    made, expected = eager.optimizer, recipe.make_optimizer()
    assert type(made) is recipe.AveragedAdam
    names = ("name", "learning_rate")
    configs = [
        {k: v for k, v in one.get_config().items() if k not in names}
        for one in (made, expected)
    ]
    assert configs[0] == configs[1]
    history = eager.fit(tiny.gray(4), verbose=0).history
    assert "negative" in history
    assert eager.run_eagerly


def test_arguments_of_compile_are_those_of_keras(eager):
    sgd = keras.optimizers.SGD()
    eager.compile(sgd, None, run_eagerly=True, steps_per_execution=2)
    assert eager.optimizer is sgd
    assert eager.steps_per_execution == 2
    eager.compile("rmsprop")
    assert type(eager.optimizer) is keras.optimizers.RMSprop
    eager.compile(optimizer=None, jit_compile=True)
    assert eager.optimizer is None
    assert eager.jit_compile
    with pytest.raises(TypeError, match="Did you mean 'jit_compile'"):
        eager.compile(jit_compil=True)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"loss": "mse"}, "no loss.*loss='mse'"),
        ({"loss": "mse", "metrics": ["mae"]}, "no loss"),
        ({"loss": negative}, "no loss.*negative"),
        ({"metrics": ["mae"]}, "metrics of log-probabilities.*'mae'"),
        ({"metrics": ["accuracy"]}, "metrics of log-probabilities"),
        ({"weighted_metrics": [keras.metrics.Mean()]}, "metrics of log-prob"),
        (
            {"metrics": {"a": keras.losses.mean_squared_error}},
            "metrics of log-probabilities",
        ),
    ],
)
def test_losses_and_metrics_of_keras_are_an_error(eager, kwargs, message):
    with pytest.raises(ValueError, match=message):
        eager.compile("sgd", run_eagerly=True, **kwargs)
    assert not eager.compiled
    eager.compile("sgd", run_eagerly=True)
    assert len(eager.evaluate(tiny.gray(4), verbose=0)) == 3


def test_a_compiled_model_that_was_not_trained_can_be_saved(eager, tmp_path):
    eager.compile("adam")
    eager.save(tmp_path / "flow.keras")
    loaded = keras.models.load_model(tmp_path / "flow.keras")
    assert loaded.compiled
    assert len(loaded.optimizer.variables) == len(eager.optimizer.variables)


def test_metrics_receive_log_probabilities():
    # Not the fixture, since Keras keeps the metrics of an earlier `compile`.
    model = tiny.model()
    model.compile(
        "sgd",
        metrics=[Lowest()],
        weighted_metrics=[negative],
        run_eagerly=True,
    )
    x, weights = tiny.gray(4), np.array([0.0, 0.0, 1.0, 0.0])
    result = model.evaluate(
        x, sample_weight=weights, verbose=0, return_dict=True
    )
    log_prob = np.asarray(model.log_prob(x))
    np.testing.assert_allclose(result["lowest"], log_prob.min(), rtol=1e-5)
    np.testing.assert_allclose(result["negative"], -log_prob[2], rtol=1e-5)


@pytest.mark.parametrize(
    ("monitor", "mode"),
    [
        ("val_bits_per_dim", "min"),
        ("bits_per_dim", "min"),
        ("val_nats", "min"),
        ("nats", "min"),
        ("val_accuracy", "max"),
        ("val_loss", "auto"),
    ],
)
def test_callbacks_know_in_which_direction_a_metric_improves(
    eager, monitor, mode
):
    callbacks = [
        keras.callbacks.EarlyStopping(monitor),
        keras.callbacks.ReduceLROnPlateau(monitor),
        keras.callbacks.EarlyStopping(monitor, mode="max"),
    ]
    eager.fit(tiny.gray(4), epochs=0, callbacks=callbacks, verbose=0)
    assert [c.mode for c in callbacks] == [mode, mode, "max"]


def test_early_stopping_monitors_bits_per_dim(eager):
    callback = keras.callbacks.EarlyStopping(
        "val_bits_per_dim", patience=1, min_delta=9.0
    )
    x = tiny.gray(4)
    history = eager.fit(
        x, epochs=4, validation_data=(x,), callbacks=callback, verbose=0
    )
    assert history.epoch == [0, 1]


def test_numbers_of_fit_that_are_not_possible_are_an_error(eager):
    for kwargs in (
        {"batch_size": 0},
        {"batch_size": "8"},
        {"epochs": "2"},
        {"validation_split": 2.0},
    ):
        [name] = kwargs
        with pytest.raises(ValueError, match=f"`{name}`"):
            eager.fit(tiny.gray(4), verbose=0, **kwargs)


def test_set_random_seed_repeats_weights_noise_and_samples():
    def run():
        keras.utils.set_random_seed(3)
        model = tiny.model(seed=None)
        model.compile("sgd", run_eagerly=True)
        model.fit(tiny.gray(4), verbose=0)
        flow = tfg.vector_flow(2, num_steps=1, num_filters=4)
        return [*tiny.values(model), model.sample(2), *flow.variables]

    tiny.assert_equal_weights(run(), run())


def test_histograms_have_readable_names(eager):
    paths = {w.path for layer in eager.layers for w in layer.weights}
    assert "glow.level_0.act_norm.shift" in paths


@pytest.mark.parametrize(
    "make",
    [
        lambda dtype: tiny.model(dtype=dtype),
        lambda dtype: tfg.Glow([4, 4, 1], num_levels=1, dtype=dtype),
        lambda dtype: tfg.vector_flow(2, dtype=dtype),
        lambda dtype: tfg.FlowModel(tiny.vector_flow(), dtype=dtype),
    ],
)
@pytest.mark.parametrize("dtype", ["float16", tf.bfloat16])
def test_densities_of_16_bits_are_an_error(make, dtype):
    with pytest.raises(ValueError, match=r"`dtype`\. Expected.*float32"):
        make(dtype)


def test_one_event_is_not_a_batch(eager):
    with pytest.raises(ValueError, match=r"a batch of events.*\(4, 4, 1\)"):
        eager(tiny.gray()[0])
