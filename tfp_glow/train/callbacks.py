# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Keras callbacks for training flows."""

import time

import keras
import tensorflow as tf

from tfp_glow.models import strategies
from tfp_glow.train import plots


class StopAfter(keras.callbacks.Callback):
    """Stops training when a time is up, in the middle of an epoch if need be."""

    def __init__(self, seconds, already_spent=0.0):
        """Makes the callback.

        Args:
            seconds: `float`, the time for training.
            already_spent: `float`, seconds of it that an earlier run spent.
        """
        super().__init__()
        self.seconds = seconds - already_spent

    def on_train_begin(self, logs=None):
        self._end = time.monotonic() + self.seconds

    def on_train_batch_end(self, batch, logs=None):
        is_over = time.monotonic() >= self._end
        # Workers must stop at the same step.
        if strategies.any_worker(self.model.distribute_strategy, is_over):
            self.model.stop_training = True


class Clock(keras.callbacks.Callback):
    """Adds `step` and `seconds` of training to an epoch's logs.

    Callbacks after this one see them, `keras.callbacks.CSVLogger` for one.
    """

    def __init__(self, already_spent=0.0):
        """Makes the callback.

        Args:
            already_spent: `float`, seconds that an earlier run spent.
        """
        super().__init__()
        self.already_spent = already_spent

    def on_train_begin(self, logs=None):
        self._start = time.monotonic() - self.already_spent

    def on_epoch_end(self, epoch, logs=None):
        logs["step"] = int(self.model.optimizer.iterations.numpy())
        logs["seconds"] = round(time.monotonic() - self._start, 3)


class SwapEMAWeights(keras.callbacks.SwapEMAWeights):
    """Evaluates with an optimizer's averaged weights, and swaps them exactly.

    Keras' own callback swaps two variables by sums and differences, which
    round, so that a run would depend on how often it is evaluated.
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
    """Callbacks that see the optimizer's averaged weights at an epoch's end.

    Callbacks after this one see the weights themselves, in the last epoch too,
    which Keras' `SwapEMAWeights(swap_on_epoch=True)` ends without them.
    """

    def on_epoch_end(self, epoch, logs=None):
        with self.model.averaged_weights():
            super().on_epoch_end(epoch, logs)


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Keras' own, which goes on from the epochs of an earlier process."""

    def __init__(self, monitor, history=(), **kwargs):
        """Makes the callback.

        Args:
            monitor: `str`, name of the quantity that should improve.
            history: its values in all earlier epochs, `float`s.
            **kwargs: as Keras' callback has them.
        """
        super().__init__(monitor, **kwargs)
        self.history = history

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        for epoch, value in enumerate(self.history):
            # Its patience may have been less than now, and it did not stop.
            self.model.stop_training = False
            self.on_epoch_end(epoch, {self.monitor: value})


class PrintProgress(keras.callbacks.Callback):
    """Prints a line about an epoch, but at most one in some seconds.

    Needs `Clock` before it.
    """

    def __init__(self, interval=5.0, best=float("inf")):
        """Makes the callback.

        Args:
            interval: `float`, seconds between lines.
            best: `float`, the lowest validation of earlier epochs.
        """
        super().__init__()
        self.interval = interval
        self.best = best

    def on_train_begin(self, logs=None):
        self._best = self.best
        self._printed = float("-inf")
        self._line = None

    def on_epoch_end(self, epoch, logs=None):
        validation = logs.get("val_bits_per_dim", float("nan"))
        self._best = min(self._best, validation)
        minutes, seconds = divmod(int(logs["seconds"]), 60)
        self._line = (
            f"epoch {epoch + 1:4d}  step {logs['step']:6d}  "
            f"{minutes:3d}:{seconds:02d}  bits/dim: "
            f"train {logs['bits_per_dim']:.3f}  validation {validation:.3f}  "
            f"best {self._best:.3f}"
        )
        if logs["seconds"] - self._printed >= self.interval:
            self._print(logs["seconds"])

    def on_train_end(self, logs=None):
        if self._line:
            self._print(0.0)

    def _print(self, now):
        print(self._line, flush=True)
        self._line = None
        self._printed = now


class SampleGrid(keras.callbacks.Callback):
    """Writes a grid of samples to TensorBoard after an epoch.

    The latent noise stays the same, so that the pictures show one thing
    changing.
    """

    def __init__(
        self,
        log_dir,
        num=25,
        temperature=0.7,
        every=1,
        seed=0,
        conditioning=None,
    ):
        """Makes the callback.

        Args:
            log_dir: `str`, folder of TensorBoard's files.
            num: `int`, how many images.
            temperature: see `GlowModel.sample`.
            every: `int`, epochs between grids.
            seed: `int`.
            conditioning: see `GlowModel.sample`.
        """
        super().__init__()
        self.log_dir = log_dir
        self.num = num
        self.temperature = temperature
        self.every = every
        self.seed = seed
        self.conditioning = conditioning

    def on_train_begin(self, logs=None):
        self._writer = tf.summary.create_file_writer(self.log_dir)

    def on_epoch_end(self, epoch, logs=None):
        if epoch % self.every:
            return
        images = self.model.sample(
            self.num,
            temperature=self.temperature,
            conditioning=self.conditioning,
            seed=self.seed,
        )
        grid = plots.image_grid(images, self.model.bins)
        with self._writer.as_default():
            tf.summary.image(
                "samples",
                grid[tf.newaxis],
                step=self.model.optimizer.iterations.numpy(),
            )

    def on_train_end(self, logs=None):
        self._writer.close()
