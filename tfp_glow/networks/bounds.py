# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Smooth limits of what networks see and say."""

import tensorflow as tf

# In units of the normalised activations; see `CouplingNetwork`.
INPUT_BOUND = 4.0
OUTPUT_BOUND = 5.0


def bound(x, limit):
    """`limit * tanh(x / limit)`, or `x` if there is no limit."""
    return x if limit is None else limit * tf.math.tanh(x / limit)


def check_bounds(**bounds):
    """Raises `ValueError` unless each is a positive number or `None`."""
    for name, value in bounds.items():
        if value is not None and not value > 0:
            raise ValueError(
                f"Invalid value received for argument `{name}`. Expected a "
                f"positive number or None. Received: {name}={value!r}"
            )
