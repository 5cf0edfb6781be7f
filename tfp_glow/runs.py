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
"""

import collections
import csv
import importlib.metadata
import json
import math
import os
import platform
import zipfile

import keras
import numpy as np

from tfp_glow import callbacks
from tfp_glow import checks
from tfp_glow import datasets
from tfp_glow import evaluation
from tfp_glow import files
from tfp_glow import models
from tfp_glow import plots

Setting = collections.namedtuple("Setting", ["kind", "default", "help"])

# The settings of `train`, with absl's names for their kinds.
SETTINGS = {
    "dataset": Setting(
        "string",
        "digits",
        "digits, photos, a TFDS name, a folder of images, an .npy or .npz file",
    ),
    "image_size": Setting("integer", None, "side to crop or pad images to"),
    "bins": Setting("integer", None, "grey levels (the data set's own)"),
    "flip": Setting("boolean", False, "flip training images at random"),
    "num_levels": Setting(
        "integer", None, "levels, L in the paper (up to 3, as the size allows)"
    ),
    "num_steps": Setting("integer", 8, "steps of a level, K in the paper"),
    "num_filters": Setting("integer", 64, "width of the couplings' networks"),
    "permutation": Setting(
        "string", "learned", "learned (1x1 convolution), reverse or shuffle"
    ),
    "additive": Setting("boolean", False, "additive, not affine couplings"),
    "scale": Setting(
        "string",
        "sigmoid",
        "scale of a coupling: sigmoid, half_sigmoid, bounded_exp or exp",
    ),
    "batch_size": Setting("integer", 64, "images in a step"),
    "init_batches": Setting("integer", 4, "batches that initialise ActNorm"),
    "learning_rate": Setting("float", 2e-3, "Adam's, after the warm-up"),
    "warmup_steps": Setting("integer", 100, "steps of linear warm-up"),
    "ema": Setting(
        "float", 0.99, "momentum of the weights' average that is evaluated"
    ),
    "epochs": Setting("integer", 100, "epochs at most"),
    "max_minutes": Setting(
        "float", None, "minutes of training at most, resumed ones included"
    ),
    "patience": Setting(
        "integer", None, "epochs without a better validation before stopping"
    ),
    "seed": Setting("integer", 0, "seed of weights, data order and noise"),
}
# What may differ when a run is resumed.
_LIMITS = ("epochs", "max_minutes", "patience")
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

    Args:
        out: `str`, the folder, made if need be.
        **settings: see `SETTINGS` for names and defaults.

    Raises:
        ValueError: before any work, if a setting is invalid or the folder
            holds a run of other settings.
        OSError: if the folder cannot be written.
        FloatingPointError: if the loss is not finite; the files of the last
            finished epoch remain.
    """
    defaults = {name: setting.default for name, setting in SETTINGS.items()}
    for name in settings:
        checks.choice("settings", name, SETTINGS)
    settings = {**defaults, **settings}
    counts = ("batch_size", "init_batches", "epochs")
    checks.positive_integer(**{name: settings[name] for name in counts})
    info = _describe_data(settings)
    _fill_in(settings, info)
    config = {
        "settings": settings,
        "image_shape": list(info.image_shape),
        "num_examples": info.num_examples,
        "versions": _versions(),
    }
    model = _make_model(settings, info)
    training, validation = (_load(settings, s) for s in ("train", "validation"))
    _prepare_folder(out, config)
    model.compile(_make_optimizer(settings))
    step = 0
    if os.path.exists(_path(out, "last.keras")):
        model = load_model(_path(out, "last.keras"))
        step = int(model.optimizer.iterations)
    history = _truncate_metrics(out, step)
    seconds = float(history[-1]["seconds"]) if history else 0.0
    if step:
        print(f"Resuming {out} after {len(history)} epochs.", flush=True)
    if seconds < _time_limit(settings):
        model.fit(
            training,
            validation_data=validation,
            epochs=settings["epochs"],
            initial_epoch=len(history),
            init_batches=settings["init_batches"],
            verbose=0,
            callbacks=_make_callbacks(out, settings, history, seconds),
        )
    draw(out)


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


def evaluate(run, split="test", num_draws=4, num_samples=1000):
    """Measures a run's best model on a split, beside three baselines.

    Prints a table and writes `evaluation.json`.

    Args:
        run: `str`, folder of the run.
        split: `"test"`, `"validation"` or `"train"`.
        num_draws, num_samples: see `evaluation.evaluate`.

    Returns:
        Dictionary of the results, as in the file.
    """
    checks.positive_integer(num_draws=num_draws, num_samples=num_samples)
    settings, model = _open(run)
    results = {
        "dataset": settings["dataset"],
        "split": split,
        **evaluation.evaluate(
            model,
            _images(settings, split),
            _images(settings, "train"),
            num_draws,
            num_samples,
        ),
    }
    print(evaluation.table(results), flush=True)
    _write_json(_path(run, "evaluation.json"), results)
    return results


def sample(run, num=64, temperature=0.7, seed=0, out=None):
    """Draws images from a run's best model, as a picture.

    Args:
        run: `str`, folder of the run.
        num: `int`, how many.
        temperature: see `GlowModel.sample`.
        seed: `int`.
        out: `str`, a .png; `samples.png` in the folder by default.

    Returns:
        `str`, the path of the picture.
    """
    _, model = _open(run)
    images = model.sample(num, temperature=temperature, seed=seed)
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
    checks.positive_integer(num=num)
    settings, model = _open(run)
    images = _images(settings, split, num)
    decoded = model.decode(model.encode(images)).numpy()
    path = out or _path(run, "reconstructions.png")
    plots.save_image_grid(
        path, np.concatenate([images, decoded]), model.bins, columns=len(images)
    )
    return path, float(np.max(np.abs(decoded - images)))


def read_settings(path):
    """Reads the settings from a run's `config.json`.

    Raises:
        ValueError: if the file is something else.
    """
    with open(path) as file:
        try:
            return dict(json.load(file)["settings"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"Expected the config.json of a run. Received: {path}, which "
                "holds something else"
            ) from error


def load_model(path):
    """Loads a model file.

    Raises:
        ValueError: if it is missing, or damaged, truncated for one.
    """
    if not os.path.exists(path):
        raise ValueError(f"Expected a trained model at {path}. Found no file")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except zipfile.BadZipFile:
        damaged = "its end"
    if damaged:
        raise ValueError(
            f"Expected a whole model file. Received: {path}, which is damaged "
            f"or truncated at {damaged}"
        )
    return keras.models.load_model(path)


def _path(run, name):
    return os.path.join(run, name)


def _describe_data(settings):
    info = datasets.info(
        settings["dataset"],
        bins=settings["bins"],
        image_size=settings["image_size"],
    )
    for split in ("train", "validation", "test"):
        if not info.num_examples.get(split):
            raise ValueError(
                f"Expected images in the splits train, validation and test of "
                f"{settings['dataset']!r}. Received: {info.num_examples}"
            )
    return info


def _fill_in(settings, info):
    settings["dataset"] = info.name  # A `str`, for a path too.
    settings["bins"] = info.bins
    if settings["num_levels"] is None:
        settings["num_levels"] = _default_num_levels(info.image_shape)


def _default_num_levels(image_shape):
    """At most 3, and as many as leave at least 2 x 2 pixels at the top."""
    height, width, _ = image_shape
    for levels in (3, 2):
        size = 2 ** (levels + 1)
        if min(height, width) >= size and not (
            height % 2**levels or width % 2**levels
        ):
            return levels
    return 1


def _make_model(settings, info):
    names = (
        "num_levels",
        "num_steps",
        "num_filters",
        "permutation",
        "additive",
        "scale",
        "seed",
    )
    return models.GlowModel(
        info.image_shape,
        bins=info.bins,
        **{name: settings[name] for name in names},
    )


def _make_optimizer(settings):
    # Past its first step the cosine is over and `alpha` holds the rate, so
    # this is a linear warm-up and a constant rate from then on.
    rate = settings["learning_rate"]
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=1,
        alpha=1.0,
        warmup_target=rate,
        warmup_steps=settings["warmup_steps"],
    )
    return keras.optimizers.Adam(
        schedule,
        global_clipnorm=100.0,
        use_ema=True,
        ema_momentum=settings["ema"],
    )


def _load(settings, split):
    return datasets.load(
        settings["dataset"],
        split,
        batch_size=settings["batch_size"],
        bins=settings["bins"],
        image_size=settings["image_size"],
        seed=settings["seed"],
        flip=settings["flip"] and split == "train",
    )


def _images(settings, split, num=None):
    """The images of a split as one array, in a fixed order."""
    dataset = datasets.load(
        settings["dataset"],
        split,
        bins=settings["bins"],
        image_size=settings["image_size"],
        shuffle=False,
    )
    dataset = dataset if num is None else dataset.take(num)
    return np.stack(list(dataset.as_numpy_iterator()))


def _time_limit(settings):
    minutes = settings["max_minutes"]
    return math.inf if minutes is None else 60.0 * minutes


def _make_callbacks(out, settings, history, seconds):
    result = [callbacks.Clock(seconds)]
    if math.isfinite(_time_limit(settings)):
        result.append(callbacks.StopAfter(_time_limit(settings), seconds))
    best = keras.callbacks.ModelCheckpoint(
        _path(out, "model.keras"),
        monitor="val_bits_per_dim",
        mode="min",
        save_best_only=True,
        initial_value_threshold=min(
            (float(row["val_bits_per_dim"]) for row in history), default=None
        ),
    )
    tensorboard = _path(out, "tensorboard")
    result += [
        # Before the models, so that a row without its model can be dropped.
        keras.callbacks.CSVLogger(_path(out, "metrics.csv"), append=True),
        # Training goes on from the weights themselves; what is evaluated,
        # kept as the best and sampled is their average.
        keras.callbacks.ModelCheckpoint(_path(out, "last.keras")),
        callbacks.SwapEMAWeights(swap_on_epoch=True),
        best,
        keras.callbacks.TensorBoard(tensorboard, write_graph=False),
        callbacks.SampleGrid(_path(tensorboard, "samples")),
        callbacks.PrintProgress(),
    ]
    if settings["patience"] is not None:
        result.append(
            keras.callbacks.EarlyStopping(
                monitor="val_bits_per_dim",
                mode="min",
                patience=settings["patience"],
            )
        )
    return result


def _prepare_folder(out, config):
    """Makes the folder and its `config.json`, unless it holds this run."""
    path = _path(out, "config.json")
    if os.path.exists(path):
        old = read_settings(path)
        new = config["settings"]
        differing = [
            f"{key}={old.get(key)!r} there, {new[key]!r} here"
            for key in new
            if key not in _LIMITS and old.get(key) != new[key]
        ]
        if differing:
            raise ValueError(
                f"Expected --out to be a new folder or a run of the same "
                f"settings. Received: {out}, with {'; '.join(differing)}"
            )
        return
    try:
        os.makedirs(out, exist_ok=True)
        if os.listdir(out):
            raise ValueError(
                "Expected --out to be a new or empty folder, or that of a "
                f"run. Received: {out}, which holds other files"
            )
        _write_json(path, config)
    except OSError as error:
        raise OSError(
            "Expected --out to be a folder that can be written. Received: "
            f"{out}. {error}"
        ) from error


def _open(run):
    path = _path(run, "config.json")
    if not os.path.exists(path):
        raise ValueError(
            f"Expected --run to be the folder of a run. Received: {run}, which "
            "has no config.json"
        )
    return read_settings(path), load_model(_path(run, "model.keras"))


def _read_metrics(run):
    path = _path(run, "metrics.csv")
    if not os.path.exists(path):
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def _truncate_metrics(run, step):
    """Drops rows written after `last.keras`, of an epoch that was cut off."""
    rows = _read_metrics(run)
    kept = [row for row in rows if int(row["step"] or step + 1) <= step]
    if len(kept) < len(rows):
        with (
            files.replacing(_path(run, "metrics.csv")) as temporary,
            open(temporary, "w", newline="") as file,
        ):
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(kept)
    return kept


def _write_json(path, value):
    with files.replacing(path) as temporary, open(temporary, "w") as file:
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
