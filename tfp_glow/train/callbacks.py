# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Keras callbacks for training flows."""

import math
import time
import warnings

import keras
import tensorflow as tf

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow.models import averages
from tfp_glow.models import glow_model
from tfp_glow.models import strategies
from tfp_glow.train import plots

SwapEMAWeights = averages.SwapEMAWeights
WithAveragedWeights = averages.WithAveragedWeights


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

    Unless there is a progress bar, a long epoch prints how far it is every
    `6 * interval` seconds. The seconds are those of `Clock`, if it comes before
    in the list of callbacks. `best` is the lowest validation loss of earlier
    epochs. With `batch_size` the lines have images per second
    of training steps. The time left is that of the remaining epochs, or less if
    training ends after `max_seconds`.
    """

    def __init__(
        self,
        interval=5.0,
        best=math.inf,
        batch_size=None,
        max_seconds=None,
        has_bar=False,
    ):
        super().__init__()
        self.interval = interval
        self.best = best
        self.batch_size = batch_size
        self.has_bar = has_bar
        self.max_seconds = math.inf if max_seconds is None else max_seconds

    def on_train_begin(self, logs=None):
        self._best = self.best
        self._printed = -math.inf
        self._line = None
        self._is_traced = False
        self._clock = Clock()
        self._clock.set_model(self.model)
        self._clock.on_train_begin()
        self._start = self._told = time.monotonic()

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._steps = epoch, 0
        self._start = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        now = time.monotonic()
        if not self._is_traced:  # The first step would distort the rate.
            self._is_traced, self._start = True, now
            return
        self._steps += 1
        self._seconds = now - self._start
        if not self.has_bar and now - self._told >= 6 * self.interval:
            self._told = now
            steps = self.params["steps"]
            print(
                f"epoch {self._epoch + 1:4d}  {batch + 1} of {steps} steps"
                f"{self._rate()}",
                flush=True,
            )

    def on_epoch_end(self, epoch, logs=None):
        if "seconds" not in logs:
            logs = dict(logs)
            self._clock.on_epoch_end(epoch, logs)
        validation = logs.get("val_bits_per_dim", math.nan)
        self._best = min(self._best, validation)
        self._line = (
            f"epoch {epoch + 1:4d}  step {logs['step']:6d}  "
            f"{_minutes(logs['seconds']):>6}  bits/dim: "
            f"train {logs['bits_per_dim']:.3f}  validation {validation:.3f}  "
            f"best {self._best:.3f}{self._rate()}"
        )
        epochs = (self.params or {}).get("epochs", math.inf) - epoch - 1
        left = min(
            epochs * (time.monotonic() - self._start),
            self.max_seconds - logs["seconds"],
        )
        if epochs and 0 < left < math.inf:
            self._line += f"  {_minutes(left)} left"
        if logs["seconds"] - self._printed >= self.interval:
            self._printed = logs["seconds"]
            self._told = time.monotonic()
            self.on_train_end()

    def on_train_end(self, logs=None):
        if self._line:
            print(self._line, flush=True)
            self._line = None

    def _rate(self):
        if not (self.batch_size and self._steps):
            return ""
        return f"  {self.batch_size * self._steps / self._seconds:.0f} images/s"


def _minutes(seconds):
    return "{}:{:02d}".format(*divmod(int(seconds), 60))


class ProgressBar(keras.callbacks.ProgbarLogger):
    """Keras' progress bar, which is shown even with `verbose=0`."""

    def set_params(self, params):
        super().set_params({**params, "verbose": 1})


class WatchRoundTrip(keras.callbacks.Callback):
    """Watches whether a `GlowModel` inverts a few images, in float32.

    After every epoch it adds `round_trip` to the logs, the largest difference
    between the images and `forward(inverse(images))` in gray levels. If that is
    above a limit or not finite, it warns, and then does what `action` says.

    Example:

    ```python
    watch = tfg.callbacks.WatchRoundTrip(images[:16], action="recompute")
    model = tfg.GlowModel(images.shape[1:], gradient="invert")
    model.compile()
    model.fit(images, callbacks=[watch], epochs=2)
    ```
    """

    ACTIONS = ("warn", "stop", "recompute")

    def __init__(self, images, conditioning=None, limit=1.0, action="warn"):
        """Makes the callback.

        Args:
            images: integers `[N, H, W, C]`, the model's gray levels.
            conditioning: that of the images, if the model has any.
            limit: positive `float`, in gray levels.
            action: `"warn"` in every epoch above the limit; `"stop"` the
                training; or `"recompute"`, which replaces the gradients of a
                model with `gradient="invert"`, because these rely on the
                inverse, and warns once. Training goes on with more memory.

        Raises:
            ValueError: also at the start of `fit`, for images that do not fit
                the model, and for `"recompute"` with other gradients.
        """
        super().__init__()
        self.images = images
        self.conditioning = conditioning
        self.limit = _checks.number(
            "limit", limit, "a positive number", lambda x: 0.0 < x < math.inf
        )
        _checks.choice("action", action, self.ACTIONS)
        self.action = action

    def on_train_begin(self, logs=None):
        model = self.model
        if not isinstance(model, glow_model.GlowModel):
            raise TypeError(
                "Expected a `GlowModel` to watch. Received: "
                f"{type(model).__name__}"
            )
        model._spec.check(self.images, self.conditioning)
        gradient = model.glow.steps(0).gradient
        if self.action == "recompute" and gradient != "invert":
            expected = f"'warn' or 'stop' for a model of gradient={gradient!r}"
            raise _checks.invalid_value("action", self.action, expected)
        # Values that are not finite are reported here, and raise no error.
        glow = model.glow.copy(validate_args=False)

        def difference(images):
            values = model.distribution.dequantize(images)
            kwargs = model.conditioning_kwargs(self.conditioning)
            kwargs = kwargs.get("bijector_kwargs", {})
            # TFP's cache would return the values themselves.
            latents = tf.identity(glow.inverse(values, **kwargs))
            back = glow.forward(latents, **kwargs)
            return model.bins * tf.reduce_max(tf.abs(back - values))

        self._difference = _tf.compiled(difference)

    def on_epoch_end(self, epoch, logs=None):
        difference = float(self._difference(tf.constant(self.images)))
        if logs is not None:
            logs["round_trip"] = difference
        if difference <= self.limit:
            return
        consequence = ""
        if self.action == "stop":
            consequence = ". Training stops"
            self.model.stop_training = True
        elif self.action == "recompute":
            if self.model.glow.steps(0).gradient == "recompute":
                return
            consequence = ". Training goes on with gradient='recompute'"
            self._recompute()
        warnings.warn(
            f"The round trip of images has an error of {difference:.3g} gray "
            f"levels after epoch {epoch + 1}, above the limit {self.limit:g}"
            f"{consequence}",
            stacklevel=2,
        )

    def _recompute(self):
        self.model.glow.set_gradient("recompute")
        self.model._config["gradient"] = "recompute"  # Files hold it.
        # `fit` looks the function up before every step.
        self.model.make_train_function(force=True)


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
