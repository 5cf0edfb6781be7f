# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The folder of a training run: its files, read and written."""

import contextlib
import csv
import dataclasses
import importlib.metadata
import json
import os
import platform

from tfp_glow import _files
from tfp_glow.models import saving
from tfp_glow.train.settings import Settings

_PACKAGES = (
    "tfp_glow",
    "tensorflow",
    "tensorflow-probability",
    "keras",
    "tensorflow-datasets",
    "numpy",
)


class RunFolder:
    """The folder of a training run.

    | file | contents |
    |---|---|
    | `config.json` | settings, data and versions, to repeat the run |
    | `metrics.csv` | a row per epoch, in bits per dimension |
    | `model.keras` | the averaged weights with the best validation loss |
    | `last.keras` | the newest weights and optimizer state, to resume from |
    | `tensorboard/` | curves and grids of samples |
    | `samples.png`, `reconstructions.png`, `curve.png` | pictures |
    | `evaluation.json` | the results of `evaluate` |
    | `saved_model/` | `model.keras` as a SavedModel, written by `export` |

    Except for logs, files are written under a temporary name and then renamed,
    so that each is either whole or absent. `last.keras` is the last file that
    an epoch writes. Newer rows of `metrics.csv` belong to an unfinished epoch.
    """

    def __init__(self, path):
        self.path = os.fspath(path)
        if "://" in self.path:
            raise ValueError(
                "Expected a local path for the folder of a run, which can be "
                f"copied when it is complete. Received: {self.path}"
            )

    def file(self, name):
        """Returns the path of one of the files, whether or not it exists."""
        return os.path.join(self.path, name)

    def has(self, name):
        """Returns whether one of the files exists."""
        return os.path.exists(self.file(name))

    @property
    def settings(self):
        """The `Settings` in `config.json`."""
        if not self.has("config.json"):
            raise ValueError(
                f"Expected the folder of a run. Received: {self.path}, which "
                "has no config.json"
            )
        return read_settings(self.file("config.json"))

    @property
    def history(self):
        """The rows of `metrics.csv`, a list of dictionaries of `str`."""
        if not self.has("metrics.csv"):
            return []
        with open(self.file("metrics.csv"), newline="") as file:
            # A killed process may have written only a part of the last line.
            lines = [line for line in file if line.endswith("\n")]
        return list(csv.DictReader(lines))

    def best(self):
        """Returns the model in `model.keras`."""
        return saving.load_model(self.file("model.keras"))

    def last(self):
        """Returns the model in `last.keras` and the history up to it."""
        model = saving.load_model(self.file("last.keras"))
        step = int(model.optimizer.iterations.numpy())
        rows = self.history
        steps = [int(row["step"]) for row in rows]
        if step not in steps:
            raise ValueError(
                f"Expected a row of step {step}, at which last.keras was "
                f"written, in {self.file('metrics.csv')}. Received: {steps=}"
            )
        return model, rows[: steps.index(step) + 1]

    def check(self, settings):
        """Raises `ValueError` unless a run can begin or resume here."""
        if self.has("config.json"):
            if conflicts := self.settings.conflicts(settings):
                raise ValueError(
                    "Expected --out to be a new folder or a run of the same "
                    f"settings. Received: {self.path}, with "
                    f"{'; '.join(conflicts)}"
                )
        elif os.path.isdir(self.path) and not _files.is_empty(self.path):
            raise ValueError(
                "Expected --out to be a new or empty folder, or that of a "
                f"run. Received: {self.path}, which holds other files"
            )

    def prepare(self, settings, info, history):
        """Creates the folder, or removes what an unfinished epoch left in it.

        Only the rows in `history` remain in `metrics.csv`.
        """
        try:
            os.makedirs(self.path, exist_ok=True)
            _files.remove_unfinished(self.path)
            if not self.has("config.json"):
                config = {
                    "settings": dataclasses.asdict(settings),
                    "image_shape": list(info.image_shape),
                    "num_examples": info.num_examples,
                    "versions": _versions(),
                }
                self.write_json("config.json", config)
            if self.has("metrics.csv"):
                with self._writing("metrics.csv") as file:
                    if history:
                        writer = csv.DictWriter(file, history[0])
                        writer.writeheader()
                        writer.writerows(history)
        except OSError as error:
            raise OSError(
                "Expected --out to be a folder that can be written. Received: "
                f"{self.path}. {error}"
            ) from error

    def write_json(self, name, value):
        """Writes a value to a JSON file."""
        with self._writing(name) as file:
            json.dump(value, file, indent=2)
            file.write("\n")

    @contextlib.contextmanager
    def _writing(self, name):
        path = self.file(name)
        with _files.replacing(path) as new, open(new, "w", newline="") as file:
            yield file


def column(history, name):
    """Returns one column of a history, a list of `float`."""
    return [float(row[name]) for row in history]


def read_settings(path):
    """Reads a `config.json`. Settings that it lacks have their defaults."""
    with open(path) as file:
        try:
            values = dict(json.load(file)["settings"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"Expected the config.json of a run. Received: {path}, which "
                "holds something else"
            ) from error
    return Settings().updated(**values)


def _versions():
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions
