# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The callbacks of a training run in a folder."""

import math
import os
import sys

import keras

from tfp_glow.models import messages
from tfp_glow.models import strategies
from tfp_glow.train import callbacks
from tfp_glow.train import evaluation

MONITOR = "val_bits_per_dim"
_GRID_SIZE = 25  # Samples that an epoch writes for TensorBoard.


def make(folder, settings, seconds, validations, model, batch_size):
    """Returns the callbacks of a training run.

    Args:
        folder: `RunFolder`.
        settings: `Settings`.
        seconds, validations: training time of earlier processes, and a list of
            the validation losses of their epochs.
        model: `GlowModel`. The callbacks print and write on the chief only.
        batch_size: `int`.
    """
    minutes, patience = settings.max_minutes, settings.patience
    best = min(validations, default=math.inf)
    result = [callbacks.Clock(seconds)]
    if minutes is not None:
        result.append(callbacks.StopAfter(60.0 * minutes, seconds))
    if patience is not None:
        result.append(callbacks.EarlyStopping(patience, validations, MONITOR))
    # Training continues from the weights themselves. Their average is
    # evaluated, sampled from and, if it is the best, kept.
    result.append(callbacks.SwapEMAWeights())
    if not strategies.is_chief(model.distribute_strategy):
        return result
    keep_best = keras.callbacks.ModelCheckpoint(
        folder.file("model.keras"),
        monitor=MONITOR,
        mode="min",
        save_best_only=True,
        initial_value_threshold=best,
    )
    log_dir = folder.file("tensorboard")
    grid = callbacks.SampleGrid(
        os.path.join(log_dir, "samples"),
        _GRID_SIZE,
        conditioning=evaluation.labels_in_turn(_GRID_SIZE, model.num_classes),
    )
    has_bar = sys.stdout.isatty()
    # `fit` decides whether to use XLA before this.
    says_tracing = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: print(messages.tracing(model), flush=True)
    )
    return [
        says_tracing,
        *([callbacks.ProgressBar()] if has_bar else []),
        *result,
        keras.callbacks.CSVLogger(folder.file("metrics.csv"), append=True),
        keras.callbacks.TensorBoard(log_dir, write_graph=False),
        callbacks.WithAveragedWeights([keep_best, grid]),
        # This file comes last because an epoch is complete once it is written.
        keras.callbacks.ModelCheckpoint(folder.file("last.keras")),
        callbacks.PrintProgress(
            best=best,
            batch_size=batch_size,
            max_seconds=minutes and 60.0 * minutes,
            has_bar=has_bar,
        ),
    ]
