# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Says where in a training values stopped being finite."""

import re

import keras
import numpy as np
import tensorflow as tf

# The second form is that of the loop of a level's steps.
_NOT_FINITE = re.compile(
    r"not finite (?P<side>after) (?P<part>(?!step\])[\w ,]*\w)"
    r"|(?P<loop>\w+): (?:gradient )?not finite (?P<loop_side>after|before) "
    r"step\] \[(?P<step>\d+)"
)


def check_loss(loss):
    """The loss, or in the graph the error that `translated` reads."""
    return tf.debugging.check_numerics(loss, "not finite after the loss")


def translated(error, position):
    """A `FloatingPointError` for an error of a check of values.

    Args:
        error: `tf.errors.InvalidArgumentError`.
        position: `Position` of the training that it stopped.

    Returns:
        The new error, or `None` if the old one is of another kind.
    """
    found = _NOT_FINITE.search(error.message or "")
    if found is None:
        return None
    layer = found["part"] or (
        f"{found['loop'].replace('_', ' ')}, step {found['step']}"
    )
    # The gradients are checked at the same places. By then some weights may
    # have been updated.
    side = found["side"] or found["loop_side"]
    if "detected in gradient" in error.message or side == "before":
        return FloatingPointError(
            "Expected a finite gradient. Received one that is not, "
            f"{position}, of the values {side} {layer}"
        )
    return FloatingPointError(
        f"Expected a finite loss. Received one that is not, {position}"
        "; the first values that are not finite come after "
        f"{layer}. The weights are those before it"
    )


class Position(keras.callbacks.Callback):
    """Knows the current step, and stops at a loss that the graph cannot check.

    XLA drops the checks inside the step, so there the loss itself is read.
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
