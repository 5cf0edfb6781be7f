# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The convolution of the networks, and how its gradients are computed."""

import contextlib
import contextvars

import tensorflow as tf

_AS_PRODUCTS = contextvars.ContextVar("as_products", default=False)


@contextlib.contextmanager
def gradients_as_products(enabled=True):
    """A context in which gradients of `conv2d` are matrix products.

    XLA on a CPU is slow at the gradients of TensorFlow's convolution. With
    matrix products a training step takes up to a thirtieth of the time. Outside
    XLA, and on a GPU, TensorFlow's own gradients are as fast or faster.
    """
    token = _AS_PRODUCTS.set(enabled)
    try:
        yield
    finally:
        _AS_PRODUCTS.reset(token)


def conv2d(x, kernel):
    """Convolves images `[N, H, W, C]`, with zeros around them.

    `kernel` is `[S, S, C, D]` with an odd size S, the result `[N, H, W, D]`.
    """
    if _AS_PRODUCTS.get() and None not in x.shape[1:]:
        return _conv2d_with_products(x, kernel)
    return _conv2d(x, kernel)


def _conv2d(x, kernel):
    return tf.nn.conv2d(x, kernel, strides=1, padding="SAME")


@tf.custom_gradient
def _conv2d_with_products(x, kernel):
    size, _, num_inputs, num_outputs = kernel.shape

    def gradient(dy):
        turned = kernel[::-1, ::-1]
        # What has fewer channels is shifted, since S * S shifts are stored.
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
