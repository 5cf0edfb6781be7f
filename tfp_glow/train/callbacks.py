# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Keras callbacks for training flows."""

import math
import time

import keras
import tensorflow as tf

from tfp_glow.models import strategies
from tfp_glow.train import plots


class StopAfter(keras.callbacks.Callback):
    """Stops training after some seconds, even in the middle of an epoch.

    Earlier processes may have `already_spent` some of the `seconds`.
    """

    def __init__(self, seconds, already_spent=0.0):
        super().__init__()
        self.seconds = seconds - already_spent

    def on_train_begin(self, logs=None):
        self._end = time.monotonic() + self.seconds

    def on_train_batch_end(self, batch, logs=None):
        is_over = time.monotonic() >= self._end
        # All workers must stop at the same step.
        if strategies.any_worker(self.model.distribute_strategy, is_over):
            self.model.stop_training = True


class Clock(keras.callbacks.Callback):
    """Adds `step` and `seconds` of training to the logs of an epoch.

    Callbacks after this one see them, for example `keras.callbacks.CSVLogger`.
    The seconds begin at `already_spent`, those of earlier processes.
    """

    def __init__(self, already_spent=0.0):
        super().__init__()
        self.already_spent = already_spent

    def on_train_begin(self, logs=None):
        self._start = time.monotonic() - self.already_spent

    def on_epoch_end(self, epoch, logs=None):
        logs["step"] = int(self.model.optimizer.iterations.numpy())
        logs["seconds"] = round(time.monotonic() - self._start, 3)


class SwapEMAWeights(keras.callbacks.SwapEMAWeights):
    """Evaluates a model with the optimizer's averaged weights.

    Keras' callback of this name swaps two variables by sums and differences.
    Their rounding errors would make a run depend on how often it is evaluated.
    This callback swaps them exactly.
    """

    def _tf_swap_variables(self, optimizer):
        for variable, average in zip(
            optimizer._trainable_variables,
            optimizer._model_variables_moving_average,
        ):
            value = tf.identity(variable)
            variable.assign(average)
            average.assign(value)


class WithAveragedWeights(keras.callbacks.CallbackList):
    """A list of callbacks that see the averaged weights at an epoch's end.

    Later callbacks see the weights themselves, even in the last epoch. Keras'
    `SwapEMAWeights(swap_on_epoch=True)` would leave the average in the model.
    """

    def on_epoch_end(self, epoch, logs=None):
        with self.model.averaged_weights():
            super().on_epoch_end(epoch, logs)


class EarlyStopping(keras.callbacks.Callback):
    """Stops training after `patience` epochs without a new low of `monitor`.

    Unlike Keras' callback of this name, it continues from the epochs of an
    earlier process. `history` is a list of their values.
    """

    def __init__(self, patience, history=(), monitor="val_bits_per_dim"):
        super().__init__()
        self.patience = patience
        self.history = history
        self.monitor = monitor

    def on_train_begin(self, logs=None):
        self._values = [*self.history]

    def on_epoch_end(self, epoch, logs=None):
        self._values.append(logs[self.monitor])
        if 0 < epochs_without_improvement(self._values) >= self.patience:
            self.model.stop_training = True


def epochs_without_improvement(history):
    """Returns how many values of a list follow the first lowest one."""
    return len(history) - 1 - history.index(min(history)) if history else 0


class PrintProgress(keras.callbacks.Callback):
    """Prints a line per epoch, at most one in `interval` seconds.

    Requires `Clock` before it in the list of callbacks. `best` is the lowest
    validation loss of earlier epochs.
    """

    def __init__(self, interval=5.0, best=math.inf):
        super().__init__()
        self.interval = interval
        self.best = best

    def on_train_begin(self, logs=None):
        self._best = self.best
        self._printed = -math.inf
        self._line = None

    def on_epoch_end(self, epoch, logs=None):
        if "seconds" not in logs:
            raise ValueError(
                "Expected `tfg.callbacks.Clock` before `PrintProgress` in the "
                f"list of callbacks. Received: only {sorted(logs)} in the logs"
            )
        validation = logs.get("val_bits_per_dim", math.nan)
        self._best = min(self._best, validation)
        minutes, seconds = divmod(int(logs["seconds"]), 60)
        self._line = (
            f"epoch {epoch + 1:4d}  step {logs['step']:6d}  "
            f"{minutes:3d}:{seconds:02d}  bits/dim: "
            f"train {logs['bits_per_dim']:.3f}  validation {validation:.3f}  "
            f"best {self._best:.3f}"
        )
        if logs["seconds"] - self._printed >= self.interval:
            self._printed = logs["seconds"]
            self.on_train_end()

    def on_train_end(self, logs=None):
        if self._line:
            print(self._line, flush=True)
            self._line = None


class SampleGrid(keras.callbacks.Callback):
    """Writes a grid of `num` samples to TensorBoard after every epoch.

    All grids use the same latent noise, so that they show how one set of
    images changes. `temperature`, `seed`, `conditioning`: see
    `GlowModel.sample`.
    """

    def __init__(
        self, log_dir, num=25, temperature=0.7, seed=0, conditioning=None
    ):
        super().__init__()
        self.log_dir = log_dir
        self.num = num
        self.options = dict(
            temperature=temperature, seed=seed, conditioning=conditioning
        )

    def on_train_begin(self, logs=None):
        self._writer = tf.summary.create_file_writer(self.log_dir)

    def on_epoch_end(self, epoch, logs=None):
        images = self.model.sample(self.num, **self.options)
        grid = plots.image_grid(images, self.model.bins)
        step = self.model.optimizer.iterations.numpy()
        with self._writer.as_default():
            tf.summary.image("samples", grid[tf.newaxis], step=step)

    def on_train_end(self, logs=None):
        self._writer.close()
