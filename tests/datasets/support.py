# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Helpers of the tests of `tfp_glow.datasets`."""

import numpy as np
import tensorflow as tf


def values(dataset):
    """The value of the first pixel of every image, in order."""
    return [int(x.flat[0]) for x in dataset.as_numpy_iterator()]


def stack(dataset):
    return np.stack(list(dataset.as_numpy_iterator()))


def save_images(folder, shapes, first=0):
    """Saves images, each of the gray level that is its number."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, shape in enumerate(shapes, first):
        png = tf.io.encode_png(tf.fill(shape, tf.constant(i, tf.uint8)))
        (folder / f"{i:03}.png").write_bytes(png.numpy())
