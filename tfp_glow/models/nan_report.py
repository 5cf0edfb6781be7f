# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Reports the step and the layer where values stopped being finite."""

import contextlib
import re

import keras
import numpy as np
import tensorflow as tf

# The messages of `Glow`, of the loop over the steps of a level, of the loss and
# of the recipe's optimizers.
_NOT_FINITE = re.compile(
    r"(?P<level>\w+): (?:gradient )?not finite (?P<side>after|before) "
    r"(?:step\W+(?P<step>\d+)|(?P<part>[\w ,]*\w))"
)


@contextlib.contextmanager
def translated(position):
    """A context in which failed checks raise `FloatingPointError`."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        found = _NOT_FINITE.search(error.message or "")
        if found is None:
            raise
        layer, side = found["part"], found["side"]
        if layer is None:
            layer = f"{found['level'].replace('_', ' ')}, step {found['step']}"
        message = (
            f"Expected a finite loss. Received one that is not, {position}"
            "; the first values that are not finite come after "
            f"{layer}. The weights are those before it"
        )
        # Gradients are checked at the same places.
        if "detected in gradient" in error.message or side == "before":
            message = (
                "Expected a finite gradient. Received one that is not, "
                f"{position}, of the values {side} {layer}"
            )
        raise FloatingPointError(message) from error


class Position(keras.callbacks.Callback):
    """Counts training steps, and stops at a loss that is not finite.

    XLA removes the checks inside a step. There the callback reads the loss.
    """

    def __str__(self):
        if self._validating:
            return f"in the validation after step {self._done}"
        count = self.model.steps_per_execution
        if count == 1:
            return f"at step {self._done + 1}"
        return f"at one of the steps {self._done + 1} to {self._done + count}"

    def on_train_begin(self, logs=None):
        self._done = int(self.model.optimizer.iterations.numpy())
        self._validating = False

    def on_epoch_begin(self, epoch, logs=None):
        self._done_before = self._done

    def on_train_batch_end(self, batch, logs=None):
        if self.model.jit_compile and not np.isfinite(logs["loss"]):
            raise FloatingPointError(
                f"Expected a finite loss. Received {logs['loss']} {self}. With "
                "`jit_compile=False` the first layer whose values are not "
                "finite would be named"
            )
        self._done = self._done_before + batch + 1

    def on_test_begin(self, logs=None):
        self._validating = True

    def on_test_end(self, logs=None):
        self._validating = False
