# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Messages that `train` prints before and after the epochs."""

import os
import shlex

import tensorflow as tf

from tfp_glow.models import messages
from tfp_glow.train import callbacks


def header(path, settings, info, model):
    """Returns lines about the data, the model, the training and the device.

    The optimizer of the model has been built.
    """
    size = "x".join(map(str, info.image_shape))
    counts = ", ".join(
        f"{count:,} {split}" for split, count in info.num_examples.items()
    )
    steps = messages.count(settings.steps_per_epoch(info), "step")
    batch = min(settings.batch_size, info.num_examples["train"])
    limits = [messages.count(settings.epochs, "epoch")]
    if settings.max_minutes is not None:
        limits.append(messages.count(settings.max_minutes, "minute"))
    if settings.patience is not None:
        patience = messages.count(settings.patience, "epoch")
        limits.append(f"{patience} without improvement")
    return "\n".join(
        [
            f"Data:    {info.name}: {counts} images of {size}, "
            f"{info.bins} gray levels",
            messages.about(model, batch),
            f"Epoch:   {steps} of {batch} images; at most {', or '.join(limits)}",
            f"Device:  {_device(model.distribute_strategy)}",
            f"Ctrl-C stops, and {_train(path)} goes on.",
        ]
    )


def source(folder):
    """Returns the name, the model and the data of a run, for titles."""
    settings = folder.settings
    data = settings.dataset
    if os.path.isabs(data):
        data = os.path.basename(data)
    name = os.path.basename(os.path.abspath(folder.path))
    levels = messages.count(settings.num_levels, "level")
    steps = messages.count(settings.num_steps, "step")
    return f"{name[-30:]}: Glow, {levels} of {steps}, trained on {data[-30:]}"


def _device(strategy):
    if gpus := tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(gpus[0])
        name = f"GPU {details.get('device_name', '')}".strip()
    else:
        cores = messages.count(len(os.sched_getaffinity(0)), "core")
        name = f"CPU, {cores}"
    count = strategy.num_replicas_in_sync
    return f"{count} times {name}" if count > 1 else name


def why_complete(settings, seconds, validations):
    """Returns why there is nothing left to train, and flags that train more.

    Both are empty if there is something left.

    Args:
        settings: `Settings`.
        seconds: `float`, time of training.
        validations: list of the validation losses of all epochs.
    """
    minutes, patience = settings.max_minutes, settings.patience
    reasons, flags = [], []
    if len(validations) >= settings.epochs:
        epochs = messages.count(len(validations), "epoch")
        reasons.append(f"it has had {epochs}")
        flags.append(f"--epochs={2 * settings.epochs}")
    if minutes is not None and seconds >= 60.0 * minutes:
        limit = messages.count(minutes, "minute")
        reasons.append(f"its time, {limit}, is over")
        flags.append(f"--max_minutes={2 * minutes:g}")
    count = callbacks.epochs_without_improvement(validations)
    if patience is not None and 0 < count >= patience:
        epochs = messages.count(count, "epoch")
        reasons.append(f"nothing better has come for {epochs}")
        flags.append(f"--patience={2 * count}")
    return " and ".join(reasons), flags


def commands(path, settings, flags):
    """Returns lines with the commands that go on with a run and show it."""
    lines = [f"Look:    python -m tfp_glow sample --run={shlex.quote(path)}"]
    # A cosine has reached a rate of 0 after the last epoch.
    if settings.decay != "cosine" or not any("epochs" in f for f in flags):
        lines.insert(0, f"Go on:   {' '.join([_train(path), *flags])}")
    return "\n".join(lines)


def _train(path):
    return f"python -m tfp_glow train --out={shlex.quote(path)}"
