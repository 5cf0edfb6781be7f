# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Evaluates and keeps a model with the averaged weights of its optimizer."""

import contextlib

import keras
import tensorflow as tf

from tfp_glow.models import recipe


class SwapEMAWeights(keras.callbacks.SwapEMAWeights):
    """Evaluates a model with the optimizer's averaged weights.

    Keras' callback of this name swaps two variables by sums and differences.
    Their rounding errors would make a run depend on how often it is evaluated.
    This callback swaps them exactly.
    """

    def _tf_swap_variables(self, optimizer):
        if optimizer.iterations == 0:
            return  # The averages are zero until the first step.
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
        with averaged_weights(self.model):
            # Keras' method would hide what callbacks add to the logs.
            for callback in self.callbacks:
                callback.on_epoch_end(epoch, logs)


@contextlib.contextmanager
def averaged_weights(model):
    """A context in which a model has the averages of its optimizer.

    Raises `ValueError` unless the optimizer, made with `use_ema=True`, has
    trained the model.
    """
    optimizer = _innermost(getattr(model, "optimizer", None))
    built = getattr(optimizer, "built", False)
    if not (built and optimizer.use_ema):
        raise ValueError(
            "Expected a model compiled with an optimizer made with "
            "`use_ema=True` that has been trained. Received: "
            f"{optimizer}, built={built}"
        )
    variables = model.trainable_variables
    kept = [tf.identity(v.value) for v in variables]
    optimizer.finalize_variable_values(variables)
    try:
        yield
    finally:
        for variable, value in zip(variables, kept):
            variable.assign(value)


@contextlib.contextmanager
def evaluated(model, callbacks):
    """A context that gives callbacks of `fit` which evaluate the averages.

    They are `callbacks` unless `recipe.make_optimizer` made the optimizer, or
    if they swap weights already. Otherwise, the model is validated with its
    averaged weights, and callbacks see them at the end of an epoch. Ctrl-C
    leaves them in the model, as `fit` does.
    """
    optimizer = _innermost(getattr(model, "optimizer", None))
    if not isinstance(optimizer, recipe.EarlyAverage) or any(
        isinstance(c, keras.callbacks.SwapEMAWeights) for c in callbacks
    ):
        yield callbacks
        return
    # These need the weights themselves, or their place in Keras' own list.
    kinds = (
        keras.callbacks.BackupAndRestore,
        keras.callbacks.History,
        keras.callbacks.ProgbarLogger,
    )
    last = [c for c in callbacks if isinstance(c, kinds)]
    inner = [c for c in callbacks if not isinstance(c, kinds)]
    swap = SwapEMAWeights()
    try:
        yield [swap, WithAveragedWeights(inner), *last]
    except BaseException as error:
        swap.on_test_end()  # In case the validation was interrupted.
        if isinstance(error, KeyboardInterrupt):
            optimizer.finalize_variable_values(model.trainable_variables)
        raise


def _innermost(optimizer):
    """Returns the optimizer inside Keras' `LossScaleOptimizer`, if it is one."""
    return getattr(optimizer, "inner_optimizer", optimizer)
