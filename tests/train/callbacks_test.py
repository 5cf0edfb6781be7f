# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.callbacks`."""

import re
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfp_glow as tfg
from tests.models import tiny
from tfp_glow.train import callbacks
from tfp_glow.train import plots

# pyproject.toml ignores a warning in Keras. `pytest.warns` repeats it in the test.
_ignores_array_copies = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)


class Clockwork:
    """A clock that stands still unless a batch makes it tick."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clockwork()
    monkeypatch.setattr(callbacks, "time", clock)
    return clock


@pytest.fixture(scope="module")
def model():
    """A model of one weight, of which training is quick."""
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.zeros([1, 1]), np.zeros([1, 1]), verbose=0)
    return model


def fit(model, *added, epochs=1, clock=None, seconds_per_batch=0.0):
    """Trains on 8 batches an epoch; returns how many batches were done."""
    batches = []

    def end_batch(batch, logs):
        batches.append(batch)
        if clock is not None:
            clock.now += seconds_per_batch

    tick = keras.callbacks.LambdaCallback(on_train_batch_end=end_batch)
    x = np.zeros([8, 1])
    model.fit(
        x,
        x,
        batch_size=1,
        epochs=epochs,
        verbose=0,
        callbacks=[tick, *added],
    )
    return len(batches)


# StopAfter.


@pytest.mark.parametrize(
    ("seconds", "already_spent", "batches"),
    [(5.0, 0.0, 5), (4.5, 0.0, 5), (5.0, 3.0, 2), (5.0, 9.0, 1), (0.0, 0.0, 1)],
)
def test_training_stops_after_the_batch_in_which_time_is_up(
    model, clock, seconds, already_spent, batches
):
    stop = callbacks.StopAfter(seconds, already_spent)
    done = fit(model, stop, epochs=3, clock=clock, seconds_per_batch=1.0)
    assert done == batches


def test_training_that_is_done_in_time_is_not_stopped(model, clock):
    stop = callbacks.StopAfter(24.5)
    done = fit(model, stop, epochs=3, clock=clock, seconds_per_batch=1.0)
    assert done == 24


def test_time_starts_with_training(model, clock):
    stop = callbacks.StopAfter(5.0)
    clock.now += 100.0
    for _ in range(2):
        done = fit(model, stop, clock=clock, seconds_per_batch=1.0)
        assert done == 5


# Clock.


def test_clock_adds_steps_and_seconds_to_the_logs(model, clock):
    model.optimizer.iterations.assign(100)
    seen = []
    see = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(
            (logs["step"], logs["seconds"])
        )
    )
    ours = callbacks.Clock(already_spent=60.0)
    fit(model, ours, see, epochs=2, clock=clock, seconds_per_batch=0.25)
    assert seen == [(108, 62.0), (116, 64.0)]


# EarlyStopping.


def stopped_epochs(stopping, values, start=0):
    """The epochs after which a callback ends training."""
    stopping.set_model(types.SimpleNamespace())
    stopping.on_train_begin()
    stopped = []
    for epoch, value in enumerate(values, start):
        stopping.model.stop_training = False
        stopping.on_epoch_end(epoch, {"loss": value})
        if stopping.model.stop_training:
            stopped.append(epoch)
    return stopped


@pytest.mark.parametrize("patience", [0, 1, 2, 5])
def test_patience_goes_on_from_the_epochs_of_another_process(patience):
    values = np.random.default_rng(patience).integers(0, 99, 20) / 8.0
    expected = stopped_epochs(
        keras.callbacks.EarlyStopping("loss", mode="min", patience=patience),
        values,
    )
    assert 0 < len(expected) < 20
    for cut in range(20):
        resumed = callbacks.EarlyStopping(
            patience, values[:cut].tolist(), monitor="loss"
        )
        found = stopped_epochs(resumed, values[cut:], start=cut)
        assert found == [epoch for epoch in expected if epoch >= cut]


@pytest.mark.parametrize(
    ("history", "count"),
    [
        ([], 0),
        ([3.0], 0),
        ([3.0, 2.0, 2.5], 1),
        ([3.0, 2.0, 2.5, 2.0], 2),  # Equality does not improve.
        ([3.0, 2.0, 2.5, 1.0], 0),
    ],
)
def test_epochs_without_improvement_are_counted(history, count):
    assert callbacks.epochs_without_improvement(history) == count


# PrintProgress.


def progress(rows, **kwargs):
    """Runs the callback over the logs of some epochs."""
    callback = callbacks.PrintProgress(**kwargs)
    callback.on_train_begin()
    for epoch, logs in enumerate(rows):
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, logs)
    callback.on_train_end()


def row(seconds, train, validation, step=10):
    return {
        "seconds": seconds,
        "step": step,
        "bits_per_dim": train,
        "val_bits_per_dim": validation,
    }


def test_a_line_of_progress_has_all_that_matters(capsys):
    progress([row(61.9, 3.25, 3.5, step=1234)])
    assert capsys.readouterr().out == (
        "epoch    1  step   1234    1:01  bits/dim: train 3.250  "
        "validation 3.500  best 3.500\n"
    )


def test_progress_has_the_rate_after_tracing_and_the_time_left(
    capsys, monkeypatch
):
    now = 0.0
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: now)
    callback = callbacks.PrintProgress(batch_size=32, max_seconds=75)
    callback.set_params({"epochs": 3, "steps": 3})
    callback.on_train_begin()
    # The first step is traced for 50 seconds, and each takes 2.
    for epoch, seconds in enumerate([50, 2]):
        callback.on_epoch_begin(epoch)
        for step, step_seconds in enumerate([seconds, 2, 2]):
            now += step_seconds
            callback.on_train_batch_end(step)
        callback.on_epoch_end(epoch, row(now, 3, 3))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "epoch    1  2 of 3 steps  16 images/s"
    assert [line.split("best 3.000")[1] for line in lines[1:]] == [
        "  16 images/s  0:08 left",
        "  16 images/s  0:06 left",
    ]
    # The time runs out before the last epoch.
    now = 70.0
    callback.on_epoch_end(1, row(now, 3, 3))
    assert capsys.readouterr().out.endswith("  0:05 left\n")


def test_best_is_the_lowest_validation_so_far(capsys):
    rows = [row(10, 3, 3.5), row(20, 3, 3.25), row(30, 3, 4.0)]
    progress(rows)
    lines = capsys.readouterr().out.splitlines()
    best = [line.split("best ")[1] for line in lines]
    assert best == ["3.500", "3.250", "3.250"]


def test_best_goes_on_from_earlier_epochs(capsys):
    progress([row(10, 3, 3.5)], best=3.25)
    assert "validation 3.500  best 3.250" in capsys.readouterr().out


def test_lines_are_some_seconds_apart_and_the_last_is_printed(capsys):
    progress([row(t, 3, 3) for t in (1, 2, 5.9, 6, 7, 12, 13)], interval=5.0)
    lines = capsys.readouterr().out.splitlines()
    assert [int(line[5:10]) for line in lines] == [1, 4, 6, 7]


def test_the_last_line_is_printed_once(capsys):
    progress([row(1, 3, 3), row(10, 3, 3)], interval=5.0)
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_training_without_epochs_prints_nothing(capsys):
    progress([])
    assert capsys.readouterr().out == ""


def test_progress_without_validation_is_printed(capsys):
    logs = row(1, 3.0, 0.0)
    del logs["val_bits_per_dim"]
    progress([logs])
    assert "train 3.000  validation nan" in capsys.readouterr().out


# SampleGrid.


@pytest.fixture(scope="module")
def glow():
    return tfg.GlowModel(
        [4, 4, 1], num_levels=1, num_steps=1, num_filters=4, bins=17, seed=0
    )


def sampled_grids(glow, log_dir, steps, **kwargs):
    """Runs the callback over epochs; returns the pictures in its file."""
    callback = callbacks.SampleGrid(str(log_dir), **kwargs)
    iterations = tf.Variable(0, dtype=tf.int64)
    optimizer = types.SimpleNamespace(iterations=iterations)
    callback.set_model(
        types.SimpleNamespace(
            sample=glow.sample, bins=glow.bins, optimizer=optimizer
        )
    )
    callback.on_train_begin()
    for epoch, step in enumerate(steps):
        iterations.assign(step)
        callback.on_epoch_end(epoch)
    callback.on_train_end()
    (path,) = log_dir.iterdir()
    grids = []
    for event in tf.compat.v1.train.summary_iterator(str(path)):
        for value in event.summary.value:
            assert value.tag == "samples"
            picture = tf.make_ndarray(value.tensor)[2]
            grids.append((event.step, tf.io.decode_png(picture).numpy()))
    return grids


def test_a_grid_of_samples_is_written_for_tensorboard(glow, tmp_path):
    grids = sampled_grids(glow, tmp_path, steps=[7, 14], num=4)
    assert [step for step, _ in grids] == [7, 14]
    expected = plots.image_grid(glow.sample(4, 0.7, seed=0), bins=17)
    assert expected.shape == (11, 11, 3)
    for _, grid in grids:
        np.testing.assert_array_equal(grid, expected)


def test_the_images_of_a_grid_are_given_their_conditioning(tmp_path):
    asked = []

    def sample(n, *, conditioning, **kwargs):
        asked.append(conditioning)
        return np.zeros([n, 4, 4, 1])

    model = types.SimpleNamespace(sample=sample, bins=17)
    sampled_grids(model, tmp_path, steps=[1], num=3, conditioning=[0, 1, 0])
    assert asked == [[0, 1, 0]]


def test_the_temperature_and_seed_of_a_grid_are_those_asked_for(glow, tmp_path):
    ((_, grid),) = sampled_grids(
        glow, tmp_path, [1], num=4, temperature=0.5, seed=1
    )
    expected = plots.image_grid(glow.sample(4, 0.5, seed=1), bins=17)
    np.testing.assert_array_equal(grid, expected)


@pytest.mark.parametrize("has_bar", [False, True])
def test_a_progress_bar_replaces_lines_within_an_epoch(
    model, clock, capsys, has_bar
):
    rename = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logs.update(bits_per_dim=logs["loss"])
    )
    progress = callbacks.PrintProgress(interval=0.1, has_bar=has_bar)
    bar = [callbacks.ProgressBar()] if has_bar else []
    added = [*bar, rename, callbacks.Clock(), progress]
    fit(model, *added, clock=clock, seconds_per_batch=1.0)
    printed = capsys.readouterr().out
    assert ("of 8 steps" in printed) != has_bar
    assert ("8/8" in printed) == has_bar
    assert "\nepoch    1  step" in printed


def test_progress_without_a_clock_counts_steps_and_seconds(
    model, clock, capsys
):
    rename = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logs.update(bits_per_dim=logs["loss"])
    )
    printed = {}
    for name, added in {"with": [callbacks.Clock()], "without": []}.items():
        progress = callbacks.PrintProgress(interval=0.1)
        fit(model, rename, *added, progress, clock=clock, seconds_per_batch=1.0)
        printed[name] = re.findall(r"\d+:\d\d  bits", capsys.readouterr().out)
    assert printed["with"] == printed["without"] != []


def watched(gradient="invert"):
    """A model of gray images, compiled."""
    model = tiny.model(gradient=gradient)
    model.compile(keras.optimizers.SGD(1e-4))
    return model


def test_a_good_round_trip_is_logged():
    model, logs = watched(), {}
    watch = tfg.callbacks.WatchRoundTrip(tiny.gray(), action="recompute")
    watch.set_model(model)
    watch.on_train_begin()
    watch.on_epoch_end(0, logs)
    assert 0.0 <= logs["round_trip"] < 1e-3
    assert model.glow.steps(0).gradient == "invert"


@pytest.mark.slow
@_ignores_array_copies
def test_a_bad_round_trip_warns_and_stops_training():
    model = watched()
    stop = tfg.callbacks.WatchRoundTrip(tiny.gray(), limit=1e-9, action="stop")
    with pytest.warns(UserWarning, match=r"after epoch 1.*Training stops"):
        history = model.fit(tiny.gray(), epochs=3, callbacks=[stop], verbose=0)
    assert len(history.epoch) == 1


def test_values_that_are_not_finite_are_a_bad_round_trip():
    model, logs = watched(), {}
    watch = tfg.callbacks.WatchRoundTrip(tiny.gray())
    watch.set_model(model)
    watch.on_train_begin()
    for variable in model.named_variables.values():
        variable.assign(tf.fill(variable.shape, np.nan))
    with pytest.warns(UserWarning, match="error of nan gray levels"):
        watch.on_epoch_end(2, logs)
    assert not model.stop_training and np.isnan(logs["round_trip"])


@_ignores_array_copies
def test_a_bad_round_trip_replaces_gradients_that_rely_on_it(tmp_path):
    model, replaced = watched(), []
    watch = tfg.callbacks.WatchRoundTrip(
        tiny.gray(), limit=1e-9, action="recompute"
    )
    look = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: replaced.append(model.train_function)
    )
    with pytest.warns(UserWarning, match="gradient='recompute'"):
        model.fit(tiny.gray(), epochs=2, callbacks=[watch, look], verbose=0)
    assert model.glow.steps(0).gradient == "recompute"
    assert replaced[0] is not replaced[1]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.glow.steps(0).gradient == "recompute"


def test_watching_refuses_what_it_cannot_watch(model):
    watch = tfg.callbacks.WatchRoundTrip
    for arguments, wrong, error, message in [
        ({}, model, TypeError, "GlowModel"),
        ({}, tiny.model(image_shape=[8, 8, 1]), ValueError, "8, 8, 1"),
        ({"action": "recompute"}, watched("store"), ValueError, "'store'"),
    ]:
        callback = watch(tiny.gray(), **arguments)
        callback.set_model(wrong)
        with pytest.raises(error, match=message):
            callback.on_train_begin()
    with pytest.raises(ValueError, match="limit"):
        watch(tiny.gray(), limit=0.0)
    with pytest.raises(ValueError, match="action"):
        watch(tiny.gray(), action="halt")
