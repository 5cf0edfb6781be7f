# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`cover`: resizes the images of a `tf.data.Dataset` with antialiasing."""

import tensorflow as tf


def cover(dataset, size, crop, source):
    """Resizes images to cover a size as closely as possible.

    Args:
        dataset: `tf.data.Dataset` of dictionaries with `image`, uint8 [H, W, C].
        size: height and width.
        crop: if `"none"`, images are squeezed to the size. Else they keep their
            proportions and may exceed it in height or in width.
        source: has `image_shape` and `levels`, the number of gray levels.
    """
    if source.image_shape[:2] == size:
        return dataset

    def resize(image):
        old, new = tf.shape(image)[:2], tf.constant(size)
        if crop != "none":
            scale = tf.reduce_max(new / old)
            scaled = tf.round(scale * tf.cast(old, scale.dtype))
            new = tf.maximum(new, tf.cast(scaled, tf.int32))

        def resized():
            result = tf.image.resize(image, new, "bicubic", antialias=True)
            levels = tf.clip_by_value(result, 0.0, source.levels - 1.0)
            return tf.cast(tf.round(levels), image.dtype)

        return tf.cond(tf.reduce_all(old == new), lambda: image, resized)

    return dataset.map(
        lambda example: {**example, "image": resize(example["image"])},
        tf.data.AUTOTUNE,
    )
