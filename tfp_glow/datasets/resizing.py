# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`cover`: resizes the images of a `tf.data.Dataset` with antialiasing."""

import tensorflow as tf

# Images that wait for random crops are at most this many times longer.
MAX_RATIO = 4


def cover(dataset, size, crop, source):
    """Crops and resizes images, so that they have a size or exceed it a little.

    Args:
        dataset: `tf.data.Dataset` of dictionaries with `image`, uint8 [H, W, C].
        size: height and width.
        crop: `"center"`, to crop to the proportions of `size` first; `"random"`,
            to keep up to `MAX_RATIO` times more of the longer dimension; or
            `"none"`, to squeeze all of the image.
        source: has `image_shape` and `levels`, the number of gray levels.
    """
    if source.image_shape[:2] == size:
        return dataset

    ratio = MAX_RATIO if crop == "random" else 1

    def resize(image):
        old, new = tf.shape(image)[:2], tf.constant(size)
        if crop != "none":
            scale = tf.reduce_max(new / old)
            new = tf.cast(tf.round(scale * tf.cast(old, scale.dtype)), tf.int32)
            new = tf.clip_by_value(new, size, [ratio * n for n in size])
            part = tf.round(tf.cast(new, scale.dtype) / scale)
            old = tf.clip_by_value(tf.cast(part, tf.int32), 1, old)
            image = tf.image.resize_with_crop_or_pad(image, old[0], old[1])

        def resized():
            result = tf.image.resize(image, new, "bicubic", antialias=True)
            levels = tf.clip_by_value(result, 0.0, source.levels - 1.0)
            return tf.cast(tf.round(levels), image.dtype)

        return tf.cond(tf.reduce_all(old == new), lambda: image, resized)

    return dataset.map(
        lambda example: {**example, "image": resize(example["image"])},
        tf.data.AUTOTUNE,
    )
