# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests that a training that was killed ends as if it had not been."""

import csv
import io
import os
import random
import shutil
import subprocess
import sys
import time
import zipfile

import h5py
import keras
import numpy as np
import pytest

import tfp_glow as tfg
from tests import processes
from tfp_glow.train import callbacks
from tfp_glow.train import commands
from tfp_glow.train import run_folder

SETTINGS = {
    "num_levels": 1,
    "num_steps": 1,
    "num_filters": 4,
    "batch_size": 16,
    "init_batches": 2,
    "learning_rate": 1e-2,
    "warmup_steps": 2,
    "bins": 32,
    "flip": True,
}


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Leaves the pictures out, which take as long as the training."""
    monkeypatch.setattr(commands, "write_pictures", lambda folder: None)
    monkeypatch.setattr(
        callbacks.SampleGrid,
        "on_epoch_end",
        lambda *args, **kwargs: None,
    )


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """Settings of runs of 4 steps an epoch."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 100, [80, 4, 4]) + 50 * np.arange(4)
    path = tmp_path_factory.mktemp("data") / "images.npz"
    np.savez(path, images=images)
    return {**SETTINGS, "dataset": str(path)}


@pytest.fixture(scope="module")
def expected(settings, tmp_path_factory):
    """The folder of a run of 4 epochs without interruption."""
    out = tmp_path_factory.mktemp("runs") / "expected"
    with pytest.MonkeyPatch.context() as patch:
        no_pictures.__wrapped__(patch)
        commands.train(str(out), epochs=4, **settings)
    return out


class Killed(BaseException):
    """Ends a training where a test wants it."""


def kill_before(monkeypatch, name, epoch):
    """Ends the training before `name` is written in an epoch, from 1 on."""
    save = keras.callbacks.ModelCheckpoint._save_model

    def save_or_die(self, epoch, batch, logs):
        if self.filepath.endswith(name) and epoch + 1 == fatal:
            raise Killed
        save(self, epoch, batch, logs)

    fatal = epoch
    monkeypatch.setattr(
        keras.callbacks.ModelCheckpoint, "_save_model", save_or_die
    )


def metrics(run):
    """The rows, without the only column that may differ between runs."""
    with open(run / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        assert float(row.pop("seconds")) > 0
    return rows


def arrays(path):
    """All that a model file holds, the optimizer's state included, by name."""
    found = {}
    with zipfile.ZipFile(path) as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content) as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item[()]})
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    return found


def assert_equal_runs(run, expected):
    assert metrics(run) == metrics(expected)
    assert sorted(os.listdir(run)) == sorted(os.listdir(expected))
    for name in ("last.keras", "model.keras"):
        ours, theirs = arrays(run / name), arrays(expected / name)
        assert ours.keys() == theirs.keys()
        assert any(key.endswith("vars/initialized") for key in ours)
        assert "optimizer/vars/0" in ours
        for key, value in theirs.items():
            np.testing.assert_array_equal(ours[key], value, err_msg=key)


# Files that an interrupted epoch leaves.


@pytest.mark.slow
def test_a_run_killed_between_its_files_ends_as_one_never_interrupted(
    settings, expected, tmp_path, monkeypatch
):
    run = tmp_path / "run"
    for epoch, name in ((1, "model.keras"), (3, "last.keras")):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            kill_before(patch, name, epoch)
            commands.train(str(run), epochs=4, **settings)
        assert len(metrics(run)) == epoch  # The row of the epoch is there.
        assert (run / "last.keras").exists() == (epoch > 1)
    commands.train(str(run), epochs=4, **settings)
    assert_equal_runs(run, expected)


@pytest.mark.slow
def test_more_epochs_end_as_if_asked_for_at_once(settings, expected, tmp_path):
    for epochs in (3, 4):
        commands.train(str(tmp_path / "run"), epochs=epochs, **settings)
    assert_equal_runs(tmp_path / "run", expected)


@pytest.mark.slow
def test_what_is_newer_than_the_checkpoint_is_dropped(
    settings, expected, tmp_path, monkeypatch
):
    run = tmp_path / "run"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_before(patch, "last.keras", 3)
        commands.train(str(run), epochs=4, **settings)
    # Were it kept, nothing after it would be the best.
    best = metrics(run)[2]["val_bits_per_dim"]
    text = (run / "metrics.csv").read_text().replace(best, "0.5")
    (run / "metrics.csv").write_text(text + "3,4.1")
    (run / ".writing-1-last.keras").touch()
    (run / ".writing-2-saved_model" / "assets").mkdir(parents=True)
    commands.train(str(run), epochs=4, **settings)
    assert_equal_runs(run, expected)


@pytest.mark.slow
def test_a_first_epoch_that_was_cut_off_is_done_again(
    settings, expected, tmp_path
):
    run = shutil.copytree(expected, tmp_path / "run")
    (run / "last.keras").unlink()
    (run / "metrics.csv").write_text("epoch,bits_per")
    commands.train(str(run), epochs=4, **settings)
    assert_equal_runs(run, expected)


@pytest.mark.parametrize("end", range(1, 60, 7))
def test_half_a_line_is_never_read(expected, tmp_path, end):
    text = (expected / "metrics.csv").read_bytes()
    lines = text.splitlines(keepends=True)
    for i, line in enumerate(lines):
        half = b"".join([*lines[:i], line[: min(end, len(line) - 1)]])
        (tmp_path / "metrics.csv").write_bytes(half)
        rows = run_folder.RunFolder(tmp_path).history
        whole = run_folder.RunFolder(expected).history
        assert rows == whole[: max(0, i - 1)]


def test_a_checkpoint_without_its_row_is_an_error(settings, expected, tmp_path):
    run = shutil.copytree(expected, tmp_path / "run")
    metrics_file = run / "metrics.csv"
    lines = metrics_file.read_text().splitlines(keepends=True)
    metrics_file.write_text("".join(lines[:-1]))
    before = metrics_file.read_bytes()
    with pytest.raises(ValueError, match=r"a row of step 16.*\[4, 8, 12\]"):
        commands.train(str(run), epochs=5, **settings)
    assert metrics_file.read_bytes() == before


def test_a_model_that_is_loaded_goes_on_with_the_noise_of_its_step(tmp_path):
    images = np.zeros([16, 4, 4, 1], np.uint8)

    def fit(model, epochs):
        model.fit(images, epochs=epochs, batch_size=8, shuffle=False, verbose=0)

    model = tfg.GlowModel(
        [4, 4, 1], num_levels=1, num_steps=1, num_filters=4, bins=16, seed=5
    )
    model.compile(keras.optimizers.SGD(1e-3))
    fit(model, epochs=2)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for part in (model, loaded):
        fit(part, epochs=2)
    for ours, theirs in zip(loaded.weights, model.weights):
        np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)


@pytest.fixture
def no_training(monkeypatch):
    """Makes training an error."""

    def fail(*args, **kwargs):
        raise AssertionError("trained")

    monkeypatch.setattr(tfg.FlowModel, "fit", fail)


# Runs that are complete, or not begun.


def test_a_folder_with_half_a_config_is_new(settings, tmp_path, no_training):
    (tmp_path / ".writing-1-config.json").write_text("{")
    with pytest.raises(AssertionError, match="trained"):
        commands.train(str(tmp_path), **settings)
    assert os.listdir(tmp_path) == ["config.json"]


@pytest.fixture
def worse(expected, tmp_path):
    """A run of 4 epochs, the second of which was the best."""
    run = shutil.copytree(expected, tmp_path / "worse")
    lines = (run / "metrics.csv").read_text().splitlines()
    for i, value in enumerate(["4.5", "4.25", "4.75", "4.25"]):
        old = metrics(expected)[i]["val_bits_per_dim"]
        lines[i + 1] = lines[i + 1].replace(old, value)
    (run / "metrics.csv").write_text("\n".join([*lines, ""]))
    return run


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"epochs": 4}, "it has had 4 epochs"),
        ({"epochs": 3}, "it has had 4 epochs"),
        ({"max_minutes": 1e-6}, "its time, 1e-06 minutes, is over"),
        ({"patience": 2}, "nothing better has come for 2 epochs"),
        ({"patience": 1}, "nothing better has come for 2 epochs"),
        ({"patience": 0}, "nothing better has come for 2 epochs"),
    ],
)
def test_a_complete_run_is_not_trained_and_says_so(
    worse, no_training, capsys, limits, reason
):
    commands.train(str(worse), **{"epochs": 100, **limits})
    line = capsys.readouterr().out.splitlines()[0]
    assert line == f"{worse} is complete: {reason}."


@pytest.mark.parametrize(
    "limits", [{"epochs": 5}, {"max_minutes": 9.0}, {"patience": 3}]
)
def test_a_run_within_its_limits_is_trained(worse, no_training, limits):
    with pytest.raises(AssertionError, match="trained"):
        commands.train(str(worse), **{"epochs": 100, **limits})


@pytest.mark.slow
def test_patience_counts_epochs_before_an_interruption(
    settings, tmp_path, capsys
):
    settings = {**settings, "learning_rate": 0.0, "patience": 3}
    for epochs in (2, 9, 9):
        commands.train(str(tmp_path / "run"), epochs=epochs, **settings)
    assert len(metrics(tmp_path / "run")) == 4
    assert (
        "is complete: nothing better has come for 3 epochs"
        in capsys.readouterr().out
    )


# Processes.


class Run:
    """A training by the command line in a folder, and what it has written."""

    def __init__(self, folder):
        self.folder = folder

    def arguments(self):
        flags = {
            "num_levels": 1,
            "num_steps": 1,
            "num_filters": 4,
            "batch_size": 256,
            "epochs": 26,
            "out": self.folder,
        }
        return [
            "train",
            "--flip",
            *(f"--{name}={value}" for name, value in flags.items()),
        ]

    def start(self):
        return processes.Process(
            processes.command, *self.arguments(), log=f"{self.folder}.log"
        )

    def finish(self):
        with self.start() as process:
            process.finish()

    def finish_by_an_interpreter_of_its_own(self):
        return subprocess.run(
            [sys.executable, "-m", "tfp_glow", *self.arguments()],
            env={**os.environ, "PYTHONPATH": str(processes.ROOT)},
            stdout=subprocess.PIPE,
            check=True,
            text=True,
            timeout=processes.TIMEOUT,
        ).stdout

    def kill(self, event, delay):
        """Kills it some seconds after a number has risen.

        Or at the next checkpoint if that is earlier, so that a run of 26 epochs
        outlives ten times on a machine of any speed.

        Args:
            event: callable without arguments that returns the number.
            delay: `float`.

        Returns:
            `bool`, whether it was still running.
        """
        process = self.start()
        before = event()
        while process.is_running():
            now = event()
            if now > before:
                break
            before = now
            time.sleep(0.001)
        end = time.monotonic() + delay
        checkpoint = self.time_of_checkpoint()
        while (
            time.monotonic() < end and self.time_of_checkpoint() == checkpoint
        ):
            time.sleep(0.001)
        is_running = process.is_running()
        process.kill()
        return is_running

    def count_rows(self):
        path = self.folder / "metrics.csv"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def time_of_checkpoint(self):
        path = self.folder / "last.keras"
        return path.stat().st_mtime_ns if path.exists() else 0

    def count_half_written_best(self):
        return len(list(self.folder.glob(".writing-*-model.keras")))

    def count_half_written_checkpoints(self):
        return len(list(self.folder.glob(".writing-*-last.keras")))


@pytest.mark.slow
def test_a_run_killed_ten_times_ends_as_one_never_interrupted(tmp_path):
    expected, run = Run(tmp_path / "expected"), Run(tmp_path / "run")
    processes.Process(os.getpid, log=tmp_path / "log").finish()  # The server.
    began = time.monotonic()
    expected.finish()
    duration = time.monotonic() - began

    generator = random.Random(0)
    # The event to wait for, and the longest wait after it, in whole runs.
    moments = [
        (time.monotonic, 0.2),
        (time.monotonic, 0.4),
        (run.count_rows, 0.002),
        (run.count_half_written_checkpoints, 0.001),
        (run.time_of_checkpoint, 0.05),
        (run.count_half_written_best, 0.001),
        (time.monotonic, 0.7),
        (run.time_of_checkpoint, 0.05),
        (time.monotonic, 0.6),
        (time.monotonic, 0.9),
    ]
    for event, longest in moments:
        assert run.kill(event, longest * duration * generator.random())
    assert 1 <= run.count_rows() - 1 < 26
    output = run.finish_by_an_interpreter_of_its_own()

    assert f"Resuming {run.folder} after" in output
    assert_equal_runs(run.folder, expected.folder)
    # Their titles name the folders, which differ.
    for name in ("samples.png", "reconstructions.png"):
        assert (run.folder / name).exists()
