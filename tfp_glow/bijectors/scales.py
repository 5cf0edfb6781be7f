# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Scale functions of an affine coupling, by name."""

import math

import tensorflow as tf

_MAX_SCALE = 2.0


# The logarithm is not the scale's own, nor the scale its exponential: each is
# computed directly, so that what is not asked for, as the log-det in the
# backward pass, costs nothing, and a small scale loses no digits.


def _sigmoid(raw):
    raw += 2.0
    return tf.math.sigmoid(raw), tf.math.log_sigmoid(raw)


def _half_sigmoid(raw):
    scale = 0.5 * tf.math.sigmoid(raw + 2.0) + 0.5
    return scale, tf.math.log(scale)


def _bounded_exp(raw):
    return _exp(math.log(_MAX_SCALE) * tf.math.tanh(raw))


def _exp(raw):
    return tf.math.exp(raw), raw


# From the network's raw output to the scale and its logarithm.
SCALES = {
    # In (0, 1), near 0.88 at raw = 0: the paper's code.
    "sigmoid": _sigmoid,
    # In (1/2, 1): the inverse grows at most twofold.
    "half_sigmoid": _half_sigmoid,
    # In [1/2, 2], 1 at raw = 0.
    "bounded_exp": _bounded_exp,
    # Unbounded, 1 at raw = 0.
    "exp": _exp,
}
