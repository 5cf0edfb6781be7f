# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the lines that `fit` prints."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests.models import tiny
from tfp_glow.models import messages
from tfp_glow.models import strategies

tfd = tfp.distributions
X = np.random.default_rng(0).normal(size=[20, 2]).astype(np.float32)


def normal():
    loc = tf.Variable([0.0, 0.0], name="loc")
    model = tfg.FlowModel(tfd.MultivariateNormalDiag(loc, name="points"))
    model.compile(tfg.recipe.make_optimizer(warmup_steps=0))
    return model


def test_fit_tells_what_it_trains_and_for_how_long(capsys):
    model = normal()
    model.fit(X, batch_size=8, epochs=2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "Data:    20 events of shape (2,)",
        "Model:   points: 3 parameters",
        "Memory:  0 MiB for weights, gradients and the optimizer, and more for "
        "activations",
        "Epoch:   3 steps; at most 2 epochs",
    ]
    assert lines[4:6] == ["Tracing the training step ...", "Epoch 1/2"]
    assert "Stopped" not in "".join(lines)
    model.fit(X, batch_size=8, epochs=2)
    assert "Tracing" not in capsys.readouterr().out


def test_a_silent_fit_prints_nothing(capsys):
    stop = keras.callbacks.EarlyStopping("loss", min_delta=9.0)
    normal().fit(X, epochs=9, verbose=0, callbacks=[stop])
    printed = capsys.readouterr()
    assert printed.out + printed.err == ""


def test_only_the_chief_prints(capsys, monkeypatch):
    monkeypatch.setattr(strategies, "is_chief", lambda strategy: False)
    normal().fit(X, verbose=2)
    assert not re.search("Data:|Tracing", capsys.readouterr().out)


def test_a_glow_tells_its_size_and_how_long_tracing_takes(capsys, eager):
    eager.compile(run_eagerly=True)
    batches = tf.data.Dataset.from_tensor_slices(tiny.gray(8)).batch(4, True)
    eager.fit(batches, verbose=2)
    number = f"{eager.count_params():,}"
    num_bytes = 4 * (5 * eager.count_params())
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "Data:    batches of 4 events of shape (4, 4, 1)",
        f"Model:   1 level of 1 step, width 4: {number} parameters",
    ]
    assert lines[2].startswith(f"Memory:  {num_bytes / 2**20:.0f} MiB")
    assert lines[2].endswith("about 0 MiB for activations of a batch")
    # Without tracing nothing is said of it.
    assert lines[3] == "Epoch:   2 steps; at most 1 epoch"
    assert "Tracing" not in "".join(lines)
    told = messages.tracing(eager)
    assert told == "Tracing the training step, about 2 seconds ..."
    eager.compile(jit_compile=True)
    assert "about 14 seconds" in messages.tracing(eager)


def test_the_memory_is_that_of_all_variables():
    loc = tf.Variable(tf.zeros([2**20]), name="loc")
    model = tfg.FlowModel(tfd.MultivariateNormalDiag(loc))
    for optimizer, copies in (("recipe", 5), ("sgd", 2), ("adam", 4)):
        model.compile(optimizer)
        model.optimizer.build(model.trainable_variables)
        assert f"Memory:  {4 * copies} MiB" in messages.about(model)


@pytest.mark.parametrize(
    ("callback", "reason"),
    [
        (
            keras.callbacks.EarlyStopping("loss", min_delta=9.0, patience=1),
            "EarlyStopping of loss",
        ),
        (tfg.callbacks.StopAfter(0.0), "a callback"),
    ],
)
def test_training_that_stops_early_says_why(capsys, callback, reason):
    history = normal().fit(X, epochs=9, verbose=2, callbacks=[callback])
    lines = capsys.readouterr().out.splitlines()
    epoch = len(history.epoch)
    assert epoch < 9
    assert lines[-1] == f"Stopped by {reason} in epoch {epoch} of 9."


def test_ctrl_c_is_told_and_passed_on(capsys):
    def interrupt(batch, logs):
        raise KeyboardInterrupt

    stop = keras.callbacks.LambdaCallback(on_train_batch_end=interrupt)
    with pytest.raises(KeyboardInterrupt):
        normal().fit(X, epochs=9, callbacks=[stop])
    assert capsys.readouterr().out.endswith(
        "\nStopped by Ctrl-C in epoch 1 of 9.\n"
    )


def test_data_of_unknown_size_are_told_without_it():
    spec = normal()._spec
    dataset = tf.data.Dataset.from_tensor_slices(X).batch(8)
    line = messages.data(spec, dataset)
    assert line == "Data:    batches of events of shape (2,)"
