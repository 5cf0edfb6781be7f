# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Lines that `fit` and `train` print about a model and its training."""

import math

import keras
import tensorflow as tf

from tfp_glow.bijectors import levels
from tfp_glow.models import data as data_
from tfp_glow.models import strategies


def count(number, noun):
    """Returns `"1 epoch"`, `"2,000 epochs"` or `"7.5 minutes"`."""
    return f"{number:,.12g} {noun}" + "s" * (number != 1)


def data(spec, x):
    """Returns a line about the data `x` of `fit`, as `EventSpec` describes it."""
    shapes = [str(s.shape[1:]) for s in tf.nest.flatten(spec.event_specs)]
    events = f"events of shape {' and '.join(shapes)}"
    if isinstance(x, tf.data.Dataset):
        _, size = data_.size(x)
        events = f"batches of {f'{size:,} ' if size else ''}{events}"
    elif not isinstance(x, keras.utils.PyDataset):
        events = f"{len(tf.nest.flatten(x)[0]):,} {events}"
    return f"Data:    {events}"


def about(model, batch_size=None):
    """Returns two lines about the size of a model that is ready to be trained.

    `batch_size` is an `int`, or `None` if it is not known.
    """
    title, glow = model.distribution.name, getattr(model, "glow", None)
    if glow is not None:
        num_levels = count(glow.num_levels, "level")
        num_steps = count(glow.parameters["num_steps"], "step")
        width = glow.parameters["num_filters"]
        title = f"{num_levels} of {num_steps}, width {width}"
    variables = [
        *model.variables,
        *model.trainable_variables,  # Their gradients take as much.
        *model.optimizer.variables,
    ]
    num_bytes = sum(
        math.prod(v.shape) * tf.as_dtype(v.dtype).size for v in variables
    )
    activations = "more for activations"
    if glow is not None and batch_size:
        num_mebibytes = batch_size * levels.activation_bytes(glow) / 2**20
        activations = (
            f"about {num_mebibytes:,.0f} MiB for activations of a batch"
        )
    return (
        f"Model:   {title}: {count(model.count_params(), 'parameter')}\n"
        f"Memory:  {num_bytes / 2**20:,.0f} MiB for weights, gradients and the "
        f"optimizer, and {activations}"
    )


def tracing(model):
    """Returns a line that says how long the first training step may take."""
    line, glow = "Tracing the training step", getattr(model, "glow", None)
    if model.jit_compile:
        line += " and compiling it with XLA"
    if glow is not None:
        # As measured on a CPU. The number of steps does not matter.
        seconds = round(2.5 * glow.num_levels) + 12 * model.jit_compile
        line += f", about {count(seconds, 'second')}"
    return f"{line} ..."


def narrators(model, arguments, callbacks):
    """Prints what is known before `fit`; returns callbacks that tell the rest.

    Only the chief prints, and only if `verbose` of the `arguments` is not 0.
    """
    is_chief = strategies.is_chief(model.distribute_strategy)
    if arguments.get("verbose") == 0 or not is_chief:
        return []
    print(data(model._spec, arguments["x"]))
    _, batch_size = data_.size(arguments["x"], arguments.get("batch_size"))
    print(about(model, batch_size), flush=True)
    return [Narrator(callbacks, model.train_function is not None)]


class Narrator(keras.callbacks.Callback):
    """Says how long training is, that it starts, and why it ends early.

    `callbacks` are those that may end it. Keras traces the training step unless
    `is_traced`.
    """

    def __init__(self, callbacks, is_traced):
        super().__init__()
        self._callbacks = callbacks
        self._is_traced = is_traced
        self._epoch = 0

    def on_train_begin(self, logs=None):
        steps, epochs = self.params["steps"], self.params["epochs"]
        steps = f"{count(steps, 'step')}; " if steps else ""
        print(f"Epoch:   {steps}at most {count(epochs, 'epoch')}", flush=True)
        if not (self._is_traced or self.model.run_eagerly):
            print(tracing(self.model), flush=True)

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch + 1

    def on_train_end(self, logs=None):
        if self.model.stop_training:
            stopped = [
                f"{type(c).__name__} of {c.monitor}"
                for c in self._callbacks
                if getattr(c, "stopped_epoch", 0)
            ]
            self.end(f"by {stopped[0] if stopped else 'a callback'}")

    def end(self, cause):
        """Says in which epoch training has stopped, and because of what."""
        # The progress bar may not have ended its line.
        epochs = self.params["epochs"]
        print(f"\nStopped {cause} in epoch {self._epoch} of {epochs}.")
