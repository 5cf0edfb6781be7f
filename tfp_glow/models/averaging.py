# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Exponential moving averages of a model's weights."""

import contextlib

import tensorflow as tf


@contextlib.contextmanager
def averaged_weights(model):
    """A context in which a model has the averages that its optimizer keeps.

    Args:
        model: `keras.Model`.

    Raises:
        ValueError: if the optimizer keeps no averages, or none yet.
    """
    optimizer = getattr(model, "optimizer", None)
    built = optimizer is not None and optimizer.built
    if not getattr(optimizer, "use_ema", False) or not built:
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
