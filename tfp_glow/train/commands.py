# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""A run: a folder with a trained Glow and all that is known of its training.

| file | what it is |
|---|---|
| `config.json` | settings, data, seed and versions: what repeats the run |
| `metrics.csv` | a row per epoch, bits per dimension |
| `model.keras` | the averaged weights that were best on the validation split |
| `last.keras` | the newest, with the optimizer's state: `train` resumes them |
| `tensorboard/` | curves and grids of samples |
| `samples.png`, `reconstructions.png`, `curve.png` | pictures |
| `evaluation.json` | what `evaluate` found on the test split |
| `saved_model/` | what `export` wrote of `model.keras`, for TensorFlow alone |
"""

import csv
import importlib.metadata
import json
import math
import os
import platform

import keras
import numpy as np

from tfp_glow import _checks
from tfp_glow import _files
from tfp_glow import datasets
from tfp_glow.models import saving
from tfp_glow.models import strategies
from tfp_glow.train import callbacks
from tfp_glow.train import evaluation
from tfp_glow.train import plots
from tfp_glow.train import recipe
from tfp_glow.train import training

SETTINGS = training.SETTINGS
# What may differ when a run is resumed.
_LIMITS = ("epochs", "max_minutes", "patience", "strategy")
_MONITOR = "val_bits_per_dim"
_GRID = 25  # Samples after an epoch, for TensorBoard.
_PACKAGES = (
    "tfp_glow",
    "tensorflow",
    "tensorflow-probability",
    "keras",
    "tensorflow-datasets",
    "numpy",
)


def train(out, **settings):
    """Trains a Glow, or resumes its training, in a folder.

    A training that was killed resumes with the epoch that was cut off, and
    ends with the same weights and metrics as if it had not been, bit for bit
    on a CPU with the same number of threads and without `max_minutes`: what
    happens in an epoch depends on the seed, the number of the epoch and
    `last.keras` alone. That is written last, and a row or a `model.keras` that
    is newer is dropped, or written again.

    With `strategy="multi_worker"` every worker calls this with the same
    arguments, before TensorFlow has run anything. The folder is one that all
    of them see; the first worker, the chief, writes its files.

    Args:
        out: `str`, the folder, made if need be.
        **settings: see `SETTINGS` for names and defaults.

    Raises:
        ValueError: before any work, if a setting is invalid, the folder holds
            a run of other settings, or workers' settings differ.
        OSError: if the folder cannot be written.
        ConnectionError: if another worker is lost. Started again, all of them
            resume.
        FloatingPointError: if the loss is not finite; the files of the last
            finished epoch remain.
    """
    for name in settings:
        _checks.choice("settings", name, SETTINGS)
    settings = training.complete(settings)
    counts = ("batch_size", "init_batches", "epochs")
    _checks.positive_integer(**{name: settings[name] for name in counts})
    recipe.check(**training.recipe_settings(settings))
    strategy = strategies.make(settings["strategy"])
    with strategies.lost_workers(strategy):
        _train(out, settings, strategy)


def _train(out, settings, strategy):
    is_chief = strategies.is_chief(strategy)
    with strategies.chief_first(strategy):  # It may make or download them.
        info = training.describe_data(settings)
    training.fill_in(settings, info)
    config = {
        "settings": settings,
        "image_shape": list(info.image_shape),
        "num_examples": info.num_examples,
        "versions": _versions(),
    }
    _check_folder(out, config)
    has_checkpoint = os.path.exists(_path(out, "last.keras"))
    strategies.check_same(
        strategy, settings=settings, has_checkpoint=has_checkpoint
    )
    with strategy.scope():
        model, history = _last_checkpoint(out)
        if model is None:
            optimizer = training.make_optimizer(settings, info)
            model = training.make_model(settings, info)
            model.compile(optimizer)
    train_set = training.load(settings, "train", initial_epoch=len(history))
    validation_set = training.load(settings, "validation")
    if is_chief:
        _prepare_folder(out, config, history)
    reason = _why_complete(model, settings, history)
    if reason:
        print(f"{out} is complete: {reason}.", flush=True)
    else:
        if history:
            print(f"Resuming {out} after {len(history)} epochs.", flush=True)
        model.fit(
            train_set,
            validation_data=validation_set,
            epochs=settings["epochs"],
            initial_epoch=len(history),
            steps_per_epoch=training.steps_per_epoch(settings, info),
            init_batches=settings["init_batches"],
            verbose=0,
            callbacks=_make_callbacks(
                out, settings, history, is_chief, model.num_classes
            ),
        )
    if is_chief:
        draw(out)
    strategies.wait_for_all(strategy)


def draw(run):
    """Makes the run's three pictures anew."""
    history = _read_metrics(run)
    columns = ("seconds", "bits_per_dim", "val_bits_per_dim")
    plots.save_curve(
        _path(run, "curve.png"),
        {key: [float(row[key]) for row in history] for key in columns},
    )
    sample(run)
    reconstruct(run, split="validation")


def evaluate(
    run, split="test", num_draws=4, num_samples=1000, num_noise_samples=None
):
    """Measures a run's best model on a split, beside three baselines.

    Prints a table and writes `evaluation.json`.

    Args:
        run: `str`, folder of the run.
        split: `"test"`, `"validation"` or `"train"`.
        num_draws, num_samples, num_noise_samples: see `evaluation.evaluate`.

    Returns:
        Dictionary of the results, as in the file.
    """
    evaluation.check_counts(num_draws, num_samples, num_noise_samples)
    settings, model = _open(run)
    images, labels = _examples(settings, split)
    training_images, training_labels = _examples(settings, "train")
    results = {
        "dataset": settings["dataset"],
        "split": split,
        **evaluation.evaluate(
            model,
            images,
            training_images,
            num_draws,
            num_samples,
            num_noise_samples,
            labels,
            training_labels,
        ),
    }
    print(evaluation.table(results), flush=True)
    _write_json(_path(run, "evaluation.json"), results)
    return results


def sample(run, num=64, temperature=0.7, seed=0, out=None, label=None):
    """Draws images from a run's best model, as a picture.

    Args:
        run: `str`, folder of the run.
        num: `int`, how many.
        temperature: see `GlowModel.sample`.
        seed: `int`.
        out: `str`, a .png; `samples.png` in the folder by default.
        label: `int`, the class of all images of a conditional run, or `None`
            for one class after another, round and round.

    Returns:
        `str`, the path of the picture.

    Raises:
        ValueError: before any work, if `label` is no class of the run.
    """
    _checks.positive_integer(num=num)
    _, model = _open(run)
    labels = training.labels_in_turn(num, model.num_classes)
    if label is not None:
        _check_label(label, model.num_classes)
        labels = np.full(num, label)
    images = model.sample(
        num, temperature=temperature, conditioning=labels, seed=seed
    )
    path = out or _path(run, "samples.png")
    plots.save_image_grid(path, images, model.bins)
    return path


def reconstruct(run, split="test", num=16, out=None):
    """Draws images of a split above what decoding their codes gives.

    Args:
        run: `str`, folder of the run.
        split: `str`.
        num: `int`, how many.
        out: `str`, a .png; `reconstructions.png` in the folder by default.

    Returns:
        The path of the picture, and the largest difference in grey levels.
    """
    _checks.positive_integer(num=num)
    settings, model = _open(run)
    images, labels = _examples(settings, split, num)
    decoded = model.decode(model.encode(images, labels), labels).numpy()
    path = out or _path(run, "reconstructions.png")
    plots.save_image_grid(
        path, np.concatenate([images, decoded]), model.bins, columns=len(images)
    )
    return path, float(np.max(np.abs(decoded - images)))


def export(run, out=None):
    """Writes a run's best model as a SavedModel, see `GlowModel.export`.

    Args:
        run: `str`, folder of the run.
        out: `str`, a folder that does not exist; `saved_model` in that of the
            run by default.

    Returns:
        `str`, the path of the SavedModel.

    Raises:
        FileExistsError: before any work, if there is anything at that path.
        ValueError: if `run` is no folder of a run, or has no model yet.
    """
    path = out or _path(run, "saved_model")
    _files.check_absent(path)
    _, model = _open(run)
    model.export(path)
    return path


def read_settings(path):
    """Reads the settings from a run's `config.json`.

    Raises:
        ValueError: if the file is something else.
    """
    with open(path) as file:
        try:
            settings = dict(json.load(file)["settings"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"Expected the config.json of a run. Received: {path}, which "
                "holds something else"
            ) from error
    # Of versions before there was a choice of couplings.
    if settings.pop("additive", False):
        settings["coupling"] = "additive"
    return settings


def load_model(path):
    """Loads a model file.

    Raises:
        ValueError: if it is missing, or damaged, truncated for one.
    """
    saving.check_file(path)
    return keras.models.load_model(path)


def _path(run, name):
    return os.path.join(run, name)


def _examples(settings, split, num=None):
    """Images of a split, in a fixed order, and labels or `None`, as arrays."""
    dataset = datasets.load(
        settings["dataset"],
        split,
        bins=settings["bins"],
        image_size=settings["image_size"],
        as_supervised=settings["conditional"],
        shuffle=False,
    )
    dataset = dataset if num is None else dataset.take(num)
    examples = list(dataset.as_numpy_iterator())
    if not settings["conditional"]:
        return np.stack(examples), None
    images, labels = zip(*examples)
    return np.stack(images), np.stack(labels)


def _check_label(label, num_classes):
    if num_classes is None or label not in range(num_classes):
        expected = (
            "None, since the run is not conditional"
            if num_classes is None
            else f"an integer in [0, {num_classes})"
        )
        raise ValueError(
            "Invalid value received for argument `label`. Expected "
            f"{expected}. Received: label={label}"
        )


def _make_callbacks(out, settings, history, is_chief, num_classes):
    seconds = _seconds(history)
    best = min(_validations(history), default=None)
    tensorboard = _path(out, "tensorboard")
    time_limit = training.time_limit(settings)
    result = [callbacks.Clock(seconds)]
    if math.isfinite(time_limit):
        result.append(callbacks.StopAfter(time_limit, seconds))
    if settings["patience"] is not None:
        result.append(_make_early_stopping(settings, history))
    # Training goes on from the weights themselves; what is evaluated, kept as
    # the best and sampled is their average.
    result.append(callbacks.SwapEMAWeights())
    if not is_chief:
        return result
    return [
        *result,
        keras.callbacks.CSVLogger(_path(out, "metrics.csv"), append=True),
        keras.callbacks.TensorBoard(tensorboard, write_graph=False),
        callbacks.WithAveragedWeights(
            [
                keras.callbacks.ModelCheckpoint(
                    _path(out, "model.keras"),
                    monitor=_MONITOR,
                    mode="min",
                    save_best_only=True,
                    initial_value_threshold=best,
                ),
                callbacks.SampleGrid(
                    _path(tensorboard, "samples"),
                    num=_GRID,
                    conditioning=training.labels_in_turn(_GRID, num_classes),
                ),
            ]
        ),
        # After all other files, since an epoch is done when this is written.
        keras.callbacks.ModelCheckpoint(_path(out, "last.keras")),
        callbacks.PrintProgress(best=math.inf if best is None else best),
    ]


def _make_early_stopping(settings, history):
    return callbacks.EarlyStopping(
        _MONITOR,
        _validations(history),
        mode="min",
        patience=settings["patience"],
    )


def _why_complete(model, settings, history):
    """Why there is nothing left to train, or `None`."""
    if len(history) >= settings["epochs"]:
        return f"it has had {len(history)} epochs"
    if _seconds(history) >= training.time_limit(settings):
        return f"its {settings['max_minutes']} minutes are over"
    if settings["patience"] is not None and history:
        stopping = _make_early_stopping(settings, history)
        stopping.set_model(model)
        stopping.on_train_begin()
        if model.stop_training:
            return f"{stopping.wait} epochs have brought nothing better"
    return None


def _check_folder(out, config):
    """Raises `ValueError` unless the folder is new or holds this run."""
    path = _path(out, "config.json")
    if os.path.exists(path):
        old = training.complete(read_settings(path))
        new = config["settings"]
        limits = {*_LIMITS}
        # Another number of epochs is another cosine.
        if new["decay"] == "cosine":
            limits.remove("epochs")
        differing = [
            f"{key}={old[key]!r} there, {new[key]!r} here"
            for key in new
            if key not in limits and old[key] != new[key]
        ]
        if differing:
            raise ValueError(
                f"Expected --out to be a new folder or a run of the same "
                f"settings. Received: {out}, with {'; '.join(differing)}"
            )
    elif os.path.isdir(out) and not _files.is_empty(out):
        raise ValueError(
            "Expected --out to be a new or empty folder, or that of a "
            f"run. Received: {out}, which holds other files"
        )


def _prepare_folder(out, config, history):
    """Makes the folder, or leaves what `history` says was done in it."""
    try:
        os.makedirs(out, exist_ok=True)
        _files.remove_unfinished(out)
        if not os.path.exists(_path(out, "config.json")):
            _write_json(_path(out, "config.json"), config)
        if os.path.exists(_path(out, "metrics.csv")):
            _write_metrics(out, history)
    except OSError as error:
        raise OSError(
            "Expected --out to be a folder that can be written. Received: "
            f"{out}. {error}"
        ) from error


def _last_checkpoint(out):
    """The model of `last.keras` and the rows up to it, or `None` and `[]`.

    Raises:
        ValueError: if the file is damaged, or lacks its row.
    """
    path = _path(out, "last.keras")
    if not os.path.exists(path):
        return None, []
    model = load_model(path)
    step = int(model.optimizer.iterations.numpy())
    rows = _read_metrics(out)
    history = [row for row in rows if int(row["step"]) <= step]
    if not history or int(history[-1]["step"]) != step:
        raise ValueError(
            f"Expected a row of step {step}, at which last.keras was written, "
            f"in {_path(out, 'metrics.csv')}. Received: steps "
            f"{[int(row['step']) for row in rows]}"
        )
    return model, history


def _open(run):
    path = _path(run, "config.json")
    if not os.path.exists(path):
        raise ValueError(
            f"Expected --run to be the folder of a run. Received: {run}, which "
            "has no config.json"
        )
    settings = training.complete(read_settings(path))
    return settings, load_model(_path(run, "model.keras"))


def _seconds(history):
    return float(history[-1]["seconds"]) if history else 0.0


def _validations(history):
    return [float(row[_MONITOR]) for row in history]


def _read_metrics(run):
    path = _path(run, "metrics.csv")
    if not os.path.exists(path):
        return []
    with open(path, newline="") as file:
        # A process that was killed may have written a part of the last line.
        lines = [line for line in file if line.endswith("\n")]
    return list(csv.DictReader(lines))


def _write_metrics(run, rows):
    with (
        _files.replacing(_path(run, "metrics.csv")) as temporary,
        open(temporary, "w", newline="") as file,
    ):
        if rows:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)


def _write_json(path, value):
    with _files.replacing(path) as temporary, open(temporary, "w") as file:
        json.dump(value, file, indent=2)
        file.write("\n")


def _versions():
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions
