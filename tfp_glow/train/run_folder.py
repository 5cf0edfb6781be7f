# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The folder of a training run: its files, read and written."""

import contextlib
import csv
import dataclasses
import importlib.metadata
import json
import math
import os
import platform
import re

import numpy as np

from tfp_glow import _files
from tfp_glow import models
from tfp_glow.models import saving
from tfp_glow.train import settings as settings_
from tfp_glow.train.settings import Settings

# The numbers in `metrics.csv` that a resumed run needs.
_COLUMNS = ("epoch", "step", "seconds", "bits_per_dim", "val_bits_per_dim")
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
        """The rows of `metrics.csv`, a list of dictionaries of `str`.

        Raises `ValueError`, which names the line, if it is damaged.
        """
        if not self.has("metrics.csv"):
            return []
        path = self.file("metrics.csv")
        # Some spreadsheets write a byte order mark.
        with (
            _naming(path),
            open(path, newline="", encoding="utf-8-sig") as file,
        ):
            # A killed process may have written only a part of the last line.
            lines = [line for line in file if line.endswith("\n")]
            return _checked_rows(csv.DictReader(lines))

    def best(self):
        """Returns the model in `model.keras`."""
        return self._load("model.keras")

    def last(self):
        """Returns the model in `last.keras` and the history up to it."""
        rows = self.history
        model = self._load("last.keras")
        step = int(model.optimizer.iterations.numpy())
        steps = [int(row["step"]) for row in rows]
        if step not in steps:
            raise ValueError(
                f"Expected a row of step {step}, at which last.keras was "
                f"written, in {self.file('metrics.csv')}. Received: {steps=}"
            )
        return model, rows[: steps.index(step) + 1]

    def _load(self, name):
        """Loads a model and checks that it is one of this run."""
        model = saving.load_model(self.file(name))
        expected = received = None
        if not isinstance(model, models.GlowModel):
            expected, received = "a GlowModel", f"a {type(model).__name__}"
        else:
            config = model.get_config()
            for key, value in self.settings.arguments("model").items():
                if value not in (None, config.get(key, value)):
                    expected = f"{key}={value!r}, which config.json has,"
                    received = f"{key}={config[key]!r}"
            for key, variable in model.named_variables.items():
                if not np.all(np.isfinite(variable.numpy())):
                    expected = "finite weights"
                    received = f"values of {key} that are not"
        if expected:
            raise ValueError(
                f"Expected {expected} in {self.file(name)}. Received: {received}"
            )
        return model

    def check(self):
        """Raises `ValueError` unless a run can begin or resume here."""
        if self.has("config.json") or not os.path.isdir(self.path):
            return
        if not _files.is_empty(self.path):
            raise ValueError(
                "Expected --out to be a new or empty folder, or that of a "
                f"run. Received: {self.path}, which holds other files"
            )

    @contextlib.contextmanager
    def lock(self):
        """Makes the folder, and keeps other trainings out of it.

        Raises `BlockingIOError` if another one holds the lock, and `OSError` if
        the folder cannot be written. See `_files.locked`.
        """
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(_files.locked(self.path))
            except BlockingIOError:
                raise
            except (OSError, ValueError) as error:
                raise _cannot_write(self.path, error) from error
            yield

    def prepare(self, settings, info, history):
        """Writes the settings, and removes what an unfinished epoch left.

        Only the rows in `history` remain in `metrics.csv`.
        """
        try:
            _files.remove_unfinished(self.path)
            if not self.has("config.json") or settings != self.settings:
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
            raise _cannot_write(self.path, error) from error

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
    """Reads a `config.json`. Settings that it lacks have their defaults.

    Raises `ValueError`, which names the line and the setting, if it is damaged.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read()
        values = dict(json.loads(text)["settings"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(
            f"Expected the config.json of a run. Received: {path}, which "
            f"holds something else ({type(error).__name__}: {error})"
        ) from error
    for name, value in {"dataset": None, **values}.items():
        found = re.search(rf'"{re.escape(name)}"\s*:', text)
        line = 1 + text.count("\n", 0, found.start() if found else 0)
        with _naming(f"{path}, line {line}"):
            settings_.checked(name, value)
    with _naming(path):
        return Settings(**values)


def _checked_rows(reader):
    """Returns the rows of a CSV file, if their numbers are those of a run."""
    names = reader.fieldnames or _COLUMNS
    if missing := [name for name in _COLUMNS if name not in names]:
        raise ValueError(
            f"line 1: Expected a column {missing[0]}. Received: {names}"
        )
    rows = []
    for row in reader:
        with _naming(f"line {reader.line_num}"):
            for name, cell in row.items():
                _check_cell(name, cell)
            expected = len(rows)
            if int(row["epoch"]) != expected:
                raise ValueError(
                    f"Expected {expected} in column epoch, once each. "
                    f"Received: {row['epoch']}"
                )
        rows.append(row)
    return rows


def _check_cell(name, cell):
    is_integer = name in ("epoch", "step")
    try:
        is_valid = math.isfinite((int if is_integer else float)(cell))
    except (TypeError, ValueError):
        is_valid = False
    if not is_valid:
        kind = "an integer" if is_integer else "a finite number"
        raise ValueError(
            f"Expected {kind} in column {name}. Received: {cell!r}"
        )


@contextlib.contextmanager
def _naming(place):
    """A context whose errors name a place in a file."""
    try:
        yield
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{place}: {error}") from error


def _cannot_write(path, error):
    return OSError(
        "Expected --out to be a folder that can be written. Received: "
        f"{path}. {error}"
    )


def _versions():
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions
