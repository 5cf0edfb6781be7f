# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Scale functions of an affine coupling, by name, as logarithms."""

import math

import tensorflow as tf

_MAX_SCALE = 2.0

# From the network's raw output to the logarithm of the scale.
LOG_SCALES = {
    # In (0, 1), near 0.88 at raw = 0: the paper's code.
    "sigmoid": lambda raw: tf.math.log_sigmoid(raw + 2.0),
    # In (1/2, 1): the inverse grows at most twofold.
    "half_sigmoid": lambda raw: tf.math.log(
        0.5 * tf.math.sigmoid(raw + 2.0) + 0.5
    ),
    # In [1/2, 2], 1 at raw = 0.
    "bounded_exp": lambda raw: math.log(_MAX_SCALE) * tf.math.tanh(raw),
    # Unbounded, 1 at raw = 0.
    "exp": lambda raw: raw,
}
