# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The convolution of the networks, and how it is computed."""

import contextlib
import contextvars
import functools

import tensorflow as tf

_conv2d = functools.partial(tf.nn.conv2d, strides=1, padding="SAME")

# The function that convolves images `[N, H, W, C]` and kernels `[S, S, C, D]`.
CONV2D = contextvars.ContextVar("conv2d", default=_conv2d)


@contextlib.contextmanager
def as_products(enabled=True):
    """A context in which convolutions and their gradients are matrix products.

    XLA on a CPU is slow at TensorFlow's convolution, and far slower at its
    gradients. Outside XLA, and on a GPU, TensorFlow's own convolution is as
    fast or faster.
    """
    token = CONV2D.set(_conv2d_as_product if enabled else _conv2d)
    try:
        yield
    finally:
        CONV2D.reset(token)


def _conv2d_as_product(x, kernel):
    if None in x.shape[1:]:
        return _conv2d(x, kernel)
    return _with_gradient(x, kernel)


@tf.custom_gradient
def _with_gradient(x, kernel):
    def gradient(dy):
        turned = tf.transpose(kernel[::-1, ::-1], [0, 1, 3, 2])
        return _product(dy, turned), _kernel_gradient(x, dy, kernel.shape)

    return _product(x, kernel), gradient


def _product(x, kernel):
    """Convolves. The side with fewer channels is shifted `S * S` times."""
    size, _, num_inputs, num_outputs = kernel.shape
    image_shape = x.shape[1:3]
    if num_outputs < num_inputs:
        by_shift = tf.transpose(kernel, [2, 0, 1, 3])
        y = _rows(x) @ tf.reshape(by_shift, [num_inputs, -1])
        y = tf.reshape(y, [-1, *image_shape, size**2, num_outputs])
        return _add_shifts(y, size)
    y = _rows(_shifts(x, size)) @ tf.reshape(kernel, [-1, num_outputs])
    return tf.reshape(y, [-1, *image_shape, num_outputs])


def _kernel_gradient(x, dy, kernel_shape):
    size, _, num_inputs, num_outputs = kernel_shape
    if num_outputs < num_inputs:
        shifts = _rows(_shifts(dy, size))
        turned = tf.matmul(_rows(x), shifts, transpose_a=True)
        turned = tf.reshape(turned, [num_inputs, size, size, num_outputs])
        return tf.transpose(turned, [1, 2, 0, 3])[::-1, ::-1]
    shifts = _rows(_shifts(x, size))
    gradient = tf.matmul(shifts, _rows(dy), transpose_a=True)
    return tf.reshape(gradient, kernel_shape)


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
    """Returns what every pixel sees through a kernel, `[N, H, W, S * S * C]`."""
    return tf.concat(_windows(x, size), axis=-1)


def _add_shifts(x, size):
    """Adds to every pixel what it sees of each shift: `[N, H, W, C]`."""
    return tf.add_n(
        [view[..., i, :] for i, view in enumerate(_windows(x, size))]
    )


def _rows(x):
    """Returns a matrix with a row for each pixel of each image."""
    return tf.reshape(x, [-1, x.shape[-1]])
