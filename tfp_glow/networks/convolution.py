# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The convolution of the networks, and how its gradients are computed."""

import contextlib
import contextvars
import functools

import tensorflow as tf

_conv2d = functools.partial(tf.nn.conv2d, strides=1, padding="SAME")

# The function that convolves images `[N, H, W, C]` and kernels `[S, S, C, D]`.
CONV2D = contextvars.ContextVar("conv2d", default=_conv2d)


@contextlib.contextmanager
def gradients_as_products(enabled=True):
    """A context in which gradients of convolutions are matrix products.

    XLA on a CPU is slow at the gradients of TensorFlow's convolution. With
    matrix products a training step takes up to a thirtieth of the time. Outside
    XLA, and on a GPU, TensorFlow's own gradients are as fast or faster.
    """
    token = CONV2D.set(_conv2d_with_products if enabled else _conv2d)
    try:
        yield
    finally:
        CONV2D.reset(token)


def _conv2d_with_products(x, kernel):
    if None in x.shape[1:]:
        return _conv2d(x, kernel)
    return _with_products(x, kernel)


@tf.custom_gradient
def _with_products(x, kernel):
    size, _, num_inputs, num_outputs = kernel.shape

    def gradient(dy):
        turned = kernel[::-1, ::-1]
        # The side with fewer channels is shifted: S * S shifts are stored.
        if num_outputs < num_inputs:
            shifts = _rows(_shifts(dy, size))
            by_shift = tf.transpose(turned, [2, 0, 1, 3])
            by_shift = tf.reshape(by_shift, [num_inputs, -1])
            dx = tf.matmul(shifts, by_shift, transpose_b=True)
            d_turned = tf.matmul(_rows(x, 1), shifts, transpose_a=True)
            d_turned = tf.reshape(d_turned, [num_inputs, size, size, -1])
            d_kernel = tf.transpose(d_turned, [1, 2, 0, 3])[::-1, ::-1]
        else:
            dy = _rows(dy, 1)
            d_kernel = tf.matmul(_rows(_shifts(x, size)), dy, transpose_a=True)
            d_kernel = tf.reshape(d_kernel, kernel.shape)
            by_shift = tf.reshape(turned, [-1, num_outputs])
            dx = tf.matmul(dy, by_shift, transpose_b=True)
            dx = tf.reshape(dx, [-1, *x.shape[1:3], size**2, num_inputs])
            dx = _add_shifts(dx, size)
        return tf.reshape(dx, tf.shape(x)), d_kernel

    return _conv2d(x, kernel), gradient


def _windows(x, size):
    """Returns the S * S views of `[N, H, W, ...]` that a kernel meets."""
    margin = [size // 2] * 2
    others = [[0, 0]] * (x.shape.rank - 3)
    padded = tf.pad(x, [[0, 0], margin, margin, *others])
    height, width = x.shape[1:3]
    return [
        padded[:, i : i + height, j : j + width]
        for i in range(size)
        for j in range(size)
    ]


def _shifts(x, size):
    """Returns what every pixel sees through a kernel, `[N, H, W, S * S, C]`."""
    return tf.stack(_windows(x, size), axis=-2)


def _add_shifts(x, size):
    """Adds to every pixel what it sees of each shift: `[N, H, W, C]`."""
    return tf.add_n(
        [view[..., i, :] for i, view in enumerate(_windows(x, size))]
    )


def _rows(x, num_channel_dims=2):
    """Returns a matrix with a row for each pixel of each image."""
    num_columns = x.shape[-num_channel_dims:].num_elements()
    return tf.reshape(x, [-1, num_columns])
