# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Noise of the networks' kernels, which only the steps of a training have."""

import contextlib
import contextvars
import itertools
import math

import tensorflow as tf

# The noise of the step that is traced: its size, and seeds for the kernels.
_NOISE = contextvars.ContextVar("noise", default=None)


@contextlib.contextmanager
def training(stddev, seed):
    """A context in which the networks' kernels are noisy.

    `stddev` is relative to the kernels, and 0 turns noise off. From `seed`, an
    int32 `Tensor` `[2]`, every kernel gets a seed of its own.
    """
    token = _NOISE.set((stddev, _kernel_seeds(seed)) if stddev else None)
    try:
        yield
    finally:
        _NOISE.reset(token)


def _kernel_seeds(seed):
    # The seeds of steps are neighbors, so those of kernels must not be.
    first = tf.random.experimental.stateless_fold_in(seed, 0)
    for index in itertools.count():
        yield first + [0, index]


def is_on():
    """Whether kernels are noisy here."""
    return _NOISE.get() is not None


def noisy(kernel, is_convolution):
    """Returns a kernel with noise, if it is on.

    ```none
    kernel[..., i, j] * (1 + stddev * r[i] * c[j])
    ```

    The signs r and c of inputs and outputs are random, and those of different
    steps of the flow are independent. So the noise of any two elements is
    uncorrelated, as if each had its own, but few random numbers are drawn, all
    of them before the loop over steps.

    Args:
        kernel: `[..., S, S, C, D]`, or `[..., C, D]` for matrix products.
        is_convolution: `bool`.

    References:
        Murray and Edwards, Enhanced MLP performance and fault tolerance
        resulting from synaptic weight noise during training, 1994. Wen et al.,
        Flipout, 2018 (the signs).
    """
    if not is_on():
        return kernel
    stddev, seeds = _NOISE.get()
    *shape, num_inputs, num_outputs = kernel.shape
    if is_convolution:
        shape[-2:] = 1, 1
    # Each bit is a sign: XLA needs long to draw integers on a CPU.
    num_integers = math.ceil((num_inputs + num_outputs) / 32)
    integers = tf.random.stateless_uniform(
        [*shape, num_integers, 1], next(seeds), None, None, tf.int32
    )
    signs = tf.bitwise.left_shift(integers, list(range(32))) < 0
    signs = tf.reshape(signs, [*shape, -1])
    inputs, outputs, _ = tf.split(signs, [num_inputs, num_outputs, -1], axis=-1)
    factor = tf.where(
        tf.expand_dims(inputs, -1) == tf.expand_dims(outputs, -2),
        tf.constant(1.0 + stddev, kernel.dtype),
        tf.constant(1.0 - stddev, kernel.dtype),
    )
    return kernel * factor
