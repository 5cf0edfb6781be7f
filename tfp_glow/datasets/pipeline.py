# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Makes batches of a source's images: resizes, caches, shuffles, augments."""

import math

import tensorflow as tf
from absl import logging

# Images that take at most this many bytes are cached and shuffled as a whole.
MEMORY_BYTES = 2**30
# The assumed size of an image if sizes vary.
UNKNOWN_IMAGE_BYTES = 2**20


def make_dataset(
    source,
    split,
    *,
    size,
    bins,
    batch_size,
    seed,
    initial_epoch,
    as_supervised,
    flip,
    random_crop,
    shuffle,
    drop_remainder,
):
    """Makes the pipeline of `tfp_glow.datasets.load` from checked arguments.

    Args:
        source: a source, as `sources.open_source` returns.
        size: pair of `int`, height and width to return.
        split, bins, batch_size, seed, initial_epoch, as_supervised, flip,
            random_crop, shuffle, drop_remainder: as in `load`, with no `None`
            for `bins`, `shuffle` and `drop_remainder`.

    Returns:
        `tf.data.Dataset` as `load` returns it.
    """
    _log_resizing(source, size)
    divisor = source.levels // bins
    shape = (*size, source.image_shape[2])

    def prepare(example):
        image = example["image"] // divisor
        if not random_crop:
            image = tf.image.resize_with_crop_or_pad(image, *size)
            image = tf.ensure_shape(image, shape)
        return (image, example["label"]) if as_supervised else (image,)

    def augment(example, seeds):
        image, *label = example
        crop_seed, flip_seed = seeds[:2], seeds[2:]
        if random_crop:
            image = _random_crop(image, shape, crop_seed)
        if flip:
            image = tf.image.stateless_random_flip_left_right(image, flip_seed)
        return (image, *label)

    images = source.read(split).map(prepare, tf.data.AUTOTUNE)
    num_images = source.num_examples[split]
    window = _shuffle_window(source.image_shape if random_crop else shape)
    if shuffle and num_images <= window:
        images = images.cache()

    def make_epoch(order_seed, augment_seed, is_new_each_time):
        dataset = images
        if shuffle:
            dataset = dataset.shuffle(
                min(num_images, window), order_seed, is_new_each_time
            )
        if flip or random_crop:
            seeds = tf.data.Dataset.random(augment_seed, is_new_each_time)
            seeds = seeds.batch(4, drop_remainder=True)
            dataset = tf.data.Dataset.zip(dataset, seeds)
            dataset = dataset.map(augment, tf.data.AUTOTUNE)
        if not as_supervised:
            dataset = dataset.map(lambda image: image)
        if batch_size is not None:
            dataset = dataset.batch(batch_size, drop_remainder=drop_remainder)
        return dataset

    def make_numbered_epoch(epoch):
        # This sets the seed of this function's graph only. Otherwise the order
        # would depend on TensorFlow's global seed, and if that is 0, TensorFlow
        # allows no other seed to be a tensor.
        tf.compat.v1.set_random_seed(1)
        seeds = tf.random.stateless_uniform(
            [2],
            [int(seed) % 2**63, epoch],
            minval=None,
            maxval=None,
            dtype=tf.int64,
        )
        return make_epoch(*tf.unstack(seeds), is_new_each_time=False)

    if initial_epoch is None:
        dataset = make_epoch(seed, seed, is_new_each_time=True)
    else:
        epochs = tf.data.Dataset.counter(initial_epoch)
        dataset = epochs.flat_map(make_numbered_epoch)
    return dataset.prefetch(tf.data.AUTOTUNE)


def is_cropped(image_shape, size):
    """Returns whether images of a shape may be larger than `size`."""
    return any(old is None or old > new for old, new in zip(image_shape, size))


def _shuffle_window(shape):
    """Returns how many images of a shape fit into `MEMORY_BYTES`."""
    num_bytes = UNKNOWN_IMAGE_BYTES if None in shape else math.prod(shape)
    return max(1, MEMORY_BYTES // num_bytes)


def _random_crop(image, shape, seed):
    """Crops at a random position; pads where the image is smaller."""
    crop = tf.minimum(tf.shape(image), shape)
    image = tf.image.stateless_random_crop(image, crop, seed)
    image = tf.image.resize_with_crop_or_pad(image, *shape[:2])
    return tf.ensure_shape(image, shape)


def _log_resizing(source, size):
    """Logs how images are changed to have the size, if they are."""
    old = source.image_shape[:2]
    if None in old:
        old, change = "varying sizes", "cropped or padded"
    else:
        is_made = {
            "cropped": is_cropped(old, size),
            "padded": is_cropped(size, old),
        }
        change = " and ".join(name for name in is_made if is_made[name])
    if change:
        logging.info(
            "Images of %r are %s from %s to %s.", source.name, change, old, size
        )
