# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Makes batches of a source's images: crops, caches, shuffles, augments."""

import math

import tensorflow as tf

from tfp_glow.datasets import resizing

# Images that take at most this many bytes are cached and shuffled as a whole.
MEMORY_BYTES = 2**30


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
    crop,
    shuffle,
    drop_remainder,
):
    """Makes the pipeline of `tfp_glow.datasets.load` from checked arguments.

    `source` comes from `sources.open_source`. `size` is the height and width to
    return. None of `bins`, `shuffle` and `drop_remainder` is `None`.
    """
    divisor = source.levels // bins
    shape = (*size, source.image_shape[2])
    is_random = crop == "random"

    def prepare(example):
        image = example["image"] // divisor
        if not is_random:
            image = tf.image.resize_with_crop_or_pad(image, *size)
            image = tf.ensure_shape(image, shape)
        return (image, example["label"]) if as_supervised else (image,)

    def augment(example, seeds):
        image, *label = example
        if is_random:
            image = tf.image.stateless_random_crop(image, shape, seeds[:2])
        if flip:
            image = tf.image.stateless_random_flip_left_right(image, seeds[2:])
        return (image, *label)

    num_images = source.num_examples[split]
    num_bytes = math.prod(shape) * (resizing.MAX_RATIO if is_random else 1)
    window = max(1, MEMORY_BYTES // num_bytes)
    fits = num_images <= window
    images = source.read(split, size, crop, keep=fits and not shuffle)
    images = images.map(prepare, tf.data.AUTOTUNE)
    if shuffle and fits:
        images = images.cache()

    def make_epoch(order_seed, augment_seed, is_new_each_time):
        dataset = images
        if shuffle:
            dataset = dataset.shuffle(
                min(num_images, window), order_seed, is_new_each_time
            )
        if flip or is_random:
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
        seed_pair = [int(seed) % 2**63, epoch]
        seeds = tf.random.stateless_uniform(
            [2], seed_pair, None, None, tf.int64
        )
        return make_epoch(*tf.unstack(seeds), is_new_each_time=False)

    if initial_epoch is None:
        dataset = make_epoch(seed, seed, is_new_each_time=True)
    else:
        epochs = tf.data.Dataset.counter(initial_epoch)
        dataset = epochs.flat_map(make_numbered_epoch)
    return dataset.prefetch(tf.data.AUTOTUNE)
