# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The commands of `python -m tfp_glow`, as functions.

The command line derives its flags from a function's signature, and their help
from the part "Args" of its docstring. To add a command, write a function here
and add its name to `cli.COMMANDS`.

Commands raise `ValueError` if an argument is invalid, or if the folder `run`
has no settings or no model.
"""

import contextlib
import dataclasses
import glob
import os
import sys
import typing

from tfp_glow import _files
from tfp_glow import _lazy
from tfp_glow.train.settings import Settings

# The command line reads the flags without waiting for these.
keras = _lazy.module("keras")
_checks = _lazy.module("tfp_glow._checks")
glow_model = _lazy.module("tfp_glow.models.glow_model")
strategies = _lazy.module("tfp_glow.models.strategies")
evaluation = _lazy.module("tfp_glow.train.evaluation")
messages = _lazy.module("tfp_glow.train.messages")
pictures = _lazy.module("tfp_glow.train.pictures")
plots = _lazy.module("tfp_glow.train.plots")
presets = _lazy.module("tfp_glow.train.presets")
run_callbacks = _lazy.module("tfp_glow.train.run_callbacks")
run_folder = _lazy.module("tfp_glow.train.run_folder")

_NUM_SAMPLES = 64
_NUM_RECONSTRUCTIONS = 16
_TEMPERATURE = 0.7

Split = typing.Literal["train", "validation", "test"]


def train(
    out: str,
    config: str | None = None,
    preset: str | None = None,
    **settings,
):
    """Trains a Glow in a folder, or resumes its training.

    A resumed run needs no argument but `out`: it keeps its settings, and others
    that are given must agree with them, except `epochs`, `max_minutes`,
    `patience` and `strategy`. It repeats the epoch that was interrupted. It ends with the same
    weights and metrics as a run without interruption, bit for bit on a CPU with
    the same number of threads and without `max_minutes`, because an epoch
    depends only on the seed, its number and `last.keras`.

    With `strategy="multi_worker"`, every worker calls this function with the
    same arguments before TensorFlow runs any operation. All of them see the
    folder; the first worker, the chief, writes its files.

    Sets the global random seeds of Python, NumPy and TensorFlow.

    Args:
        out: folder of the run, created or resumed.
        config: config.json of another run; its settings become the defaults.
        preset: training run by name, cifar10, imagenet32, imagenet64, lsun64,
            lsun64_tower, lsun64_church or celebahq256 of the paper, or
            photo_patches, photo_patches_grey or digits, which train the models
            of `GlowModel.from_preset`; its settings become the defaults.
        **settings: see `Settings` for names and defaults.

    Raises:
        ValueError: before any work, if a setting is invalid, if the folder
            holds a run of other settings, or if the settings of workers differ.
        BlockingIOError: before any work, if another process trains there.
        OSError: if the folder cannot be written.
        ConnectionError: if another worker is lost. Restart all of them.
        FloatingPointError: if the loss is not finite. The files of the last
            complete epoch remain.
    """
    if config and preset:
        raise ValueError(
            "Expected --config or --preset, not both. Received: --config="
            f"{config}, --preset={preset}"
        )
    if config:
        defaults = run_folder.read_settings(config)
    else:
        defaults = presets.get(preset).settings if preset else Settings()
    folder = run_folder.RunFolder(out)
    folder.check()
    if folder.has("config.json"):
        if config or preset:
            settings = {**dataclasses.asdict(defaults), **settings}
        settings = folder.settings.resumed(**settings)
    else:
        settings = defaults.updated(**settings)
    keras.utils.set_random_seed(settings.seed)
    strategy = strategies.make(settings.strategy)
    is_chief = strategies.is_chief(strategy)
    lock = folder.lock() if is_chief else contextlib.nullcontext()
    with strategies.lost_workers(strategy), lock:
        _train(folder, settings, strategy)


def _train(folder, settings, strategy):
    is_chief = strategies.is_chief(strategy)
    with strategies.chief_first(strategy):  # It may prepare or download data.
        info = settings.data_info()
    settings = settings.completed(info)
    strategies.check_same(
        strategy,
        settings=dataclasses.asdict(settings),
        has_checkpoint=folder.has("last.keras"),
    )
    with strategy.scope():
        if folder.has("last.keras"):
            model, history = folder.last()
        else:
            optimizer = settings.make_optimizer(info)
            model, history = settings.make_model(info), []
            model.compile(
                optimizer, stability_penalty=settings.stability_penalty
            )
            model.optimizer.build(model.trainable_variables)
    start = len(history)
    seconds = max(run_folder.column(history, "seconds"), default=0.0)
    validations = run_folder.column(history, run_callbacks.MONITOR)
    batches = dict(batch_size=settings.batch_size, seed=settings.seed)
    train_set = settings.load(
        "train", initial_epoch=start, flip=settings.flip, **batches
    )
    validation_set = settings.load("validation", **batches)
    if is_chief:
        folder.prepare(settings, info, history)
    reason, longer = messages.why_complete(settings, seconds, validations)
    if reason:
        print(f"{folder.path} is complete: {reason}.", flush=True)
    else:
        steps = settings.steps_per_epoch(info)
        if is_chief:
            print(messages.header(folder.path, settings, info, model))
            if start:
                print(f"Resuming {folder.path} after epoch {start}.")
            sys.stdout.flush()
        model.fit(
            train_set,
            validation_data=validation_set,
            epochs=settings.epochs,
            initial_epoch=start,
            steps_per_epoch=steps,
            init_batches=min(settings.init_batches, steps),
            verbose=0,
            callbacks=run_callbacks.make(
                folder,
                settings,
                seconds,
                validations,
                model,
                batch_size=min(settings.batch_size, info.num_examples["train"]),
            ),
        )
    if is_chief:
        if not reason:
            history = folder.history
            seconds = run_folder.column(history, "seconds")
            validations = run_folder.column(history, run_callbacks.MONITOR)
            reason, longer = messages.why_complete(
                settings, max(seconds, default=0.0), validations
            )
            print(f"Stopped: {reason or 'as asked'}. Drawing ...", flush=True)
        write_pictures(folder)
        files = [f for f in os.listdir(folder.path) if not f.startswith(".")]
        files = ", ".join(sorted(files))
        print(f"Wrote {files} to {folder.path}", flush=True)
        print(messages.commands(folder.path, settings, longer), flush=True)
    strategies.wait_for_all(strategy)


def write_pictures(folder):
    """Writes the three pictures of a `RunFolder`."""
    settings, source = folder.settings, messages.source(folder)
    pictures.write_curve(
        folder.file("curve.png"), folder.history, settings, source
    )
    model = folder.best()
    pictures.write_samples(
        folder.file("samples.png"),
        model,
        _NUM_SAMPLES,
        _TEMPERATURE,
        seed=0,
        source=source,
    )
    pictures.write_reconstructions(
        folder.file("reconstructions.png"),
        model,
        *settings.examples("validation", _NUM_RECONSTRUCTIONS),
        source=f"validation images, {source}",
    )


def evaluate(
    run: str | None = None,
    split: Split = "test",
    num_draws: int = 4,
    num_samples: int = 1000,
    num_noise_samples: int | None = None,
):
    """Compares bits per dimension of a split with three baselines.

    Prints a table, writes the results to `evaluation.json` and returns them, a
    dictionary that `evaluation.evaluate` describes.

    Args:
        run: folder of the run (default: the newest in the folder runs).
        split: split to evaluate.
        num_draws: draws of the dequantization noise, over which the
            log-likelihood is averaged.
        num_samples: samples at temperature 1 to check.
        num_noise_samples: noise samples per draw; more tighten the bound
            (default: as in training).
    """
    counts = dict(num_draws=num_draws, num_samples=num_samples)
    if num_noise_samples is not None:
        counts["num_noise_samples"] = num_noise_samples
    _checks.positive_integer(**counts)
    folder, settings, model = open_run(run)
    examples = [settings.examples(name) for name in (split, "train")]
    results = evaluation.evaluate(model, *examples, **counts)
    results = {"dataset": settings.dataset, "split": split, **results}
    print(evaluation.table(results), flush=True)
    folder.write_json("evaluation.json", results)
    return results


def sample(
    run: str | None = None,
    num: int = _NUM_SAMPLES,
    temperature: float | list[float] = _TEMPERATURE,
    seed: int = 0,
    out: str | None = None,
    label: int | None = None,
):
    """Writes a picture of new samples.

    Returns its path.

    Args:
        run: folder of the run (default: the newest in the folder runs).
        num: number of images.
        temperature: factor of the latent noise; several, with commas between
            them, are those of the levels, the finest first.
        seed: random seed of the noise.
        out: .png file to write (default: in the run, with the temperature and
            the seed in its name).
        label: class of all images, if the run is conditional (default: every
            class in turn).
    """
    pictures.check_request(out, num)
    _checks.seed(seed)
    is_list = isinstance(temperature, list | tuple)
    for number in temperature if is_list else [temperature]:
        _checks.number("temperature", number)
    folder, _, model = open_run(run)
    listed = pictures.listed(temperature).replace(",", "-")
    name = f"samples_t{listed}_seed{seed}"
    name += f"_num{num}" * (num != _NUM_SAMPLES)
    name += f"_label{label}" * (label is not None)
    path = out or folder.file(f"{name}.png")
    source = messages.source(folder)
    pictures.write_samples(path, model, num, temperature, seed, label, source)
    print(f"Wrote {num} samples to {path}", flush=True)
    return path


def reconstruct(
    run: str | None = None,
    split: Split = "test",
    num: int = _NUM_RECONSTRUCTIONS,
    out: str | None = None,
):
    """Writes a picture of images above their reconstructions.

    Returns its path and the largest difference in gray levels.

    Args:
        run: folder of the run (default: the newest in the folder runs).
        split: split to read.
        num: number of images.
        out: .png file to write (default: in the run, with the split in its
            name).
    """
    pictures.check_request(out, num)
    folder, settings, model = open_run(run)
    name = f"reconstructions_{split}"
    name += f"_num{num}" * (num != _NUM_RECONSTRUCTIONS)
    path = out or folder.file(f"{name}.png")
    error = pictures.write_reconstructions(
        path,
        model,
        *settings.examples(split, num),
        source=f"{split} images, {messages.source(folder)}",
    )
    print(
        f"Wrote {path}; largest difference {error:.2g} gray levels", flush=True
    )
    return path, error


def export(run: str | None = None, out: str | None = None):
    """Writes the best model as a SavedModel for TensorFlow alone.

    See `GlowModel.export`. Returns the path of the SavedModel. Raises
    `FileExistsError` before any work if it exists.

    Args:
        run: folder of the run (default: the newest in the folder runs).
        out: new folder to write (default: saved_model in the run).
    """
    run = run or _newest_run()
    path = out or run_folder.RunFolder(run).file("saved_model")
    _files.check_absent(path)
    _, _, model = open_run(run)
    model.export(path)
    print(f"Wrote {path}; tf.saved_model.load reads it", flush=True)
    return path


def _newest_run():
    models = glob.glob(os.path.join("runs", "*", "model.keras"))
    if not models:
        raise ValueError(
            "Expected a value for --run, the folder of a run, because the "
            "folder runs here has none. Received: none"
        )
    path = os.path.dirname(max(models, key=os.path.getmtime))
    print(f"The newest run is {path}.", flush=True)
    return path


def open_run(run):
    """Returns the `RunFolder`, `Settings` and best model of a run.

    `None` is the newest run in the folder runs.
    """
    folder = run_folder.RunFolder(run or _newest_run())
    return folder, folder.settings, folder.best()


def open_model(run, preset):
    """Returns the folder, the `Settings` and the model of a run or a preset.

    That of a preset is the current folder.

    Args:
        run: folder of the run (default: the newest in the folder runs).
        preset: model of the package in the place of a run, digits, photo_patches
            or photo_patches_grey.
    """
    if run and preset:
        raise ValueError(
            f"Expected --run or --preset, not both. Received: --run={run}, "
            f"--preset={preset}"
        )
    if not preset:
        folder, settings, model = open_run(run)
        return folder.path, settings, model
    preset = preset.replace("-", "_")
    model = glow_model.GlowModel.from_preset(preset)
    return "", presets.get(preset).settings, model


@contextlib.contextmanager
def output_folder(out):
    """Yields a temporary folder, and moves its files to `out` at the end.

    Other files of the folder `out` stay, also if the block raises.
    """
    if not os.path.isdir(os.path.dirname(os.path.abspath(out))):
        raise ValueError(
            f"Expected a folder to write in an existing one. Received: {out}"
        )
    writing = _files.filling if os.path.isdir(out) else _files.new_folder
    with writing(out) as folder:
        yield folder
        names = ", ".join(sorted(os.listdir(folder)))
    print(f"Wrote {names} to {out}", flush=True)
