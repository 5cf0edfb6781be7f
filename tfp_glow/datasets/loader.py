# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`load` makes an input pipeline of integer images and `info` describes it."""

import dataclasses
import math
import os

import numpy as np

from tfp_glow import _checks
from tfp_glow.datasets import files
from tfp_glow.datasets import image_files
from tfp_glow.datasets import pipeline
from tfp_glow.datasets import sources

# Without `image_size`, images of one size up to this one keep it.
_MAX_OWN_SIZE = 256
_DEFAULT_SIZE = 64
_MAX_PIXELS = 2**26  # Larger images are mistakes, and would take all memory.


@dataclasses.dataclass(frozen=True)
class DatasetInfo:
    """Describes the images that `load` returns for the same arguments.

    `name` may be a path and `image_shape` is `(H, W, C)`. Images have `bins`
    gray levels, `[0, bins)`. Without labels, `num_classes` is `None`.
    `num_examples` maps each split to its number of images.
    """

    name: str
    image_shape: tuple
    bins: int
    num_classes: int | None
    num_examples: dict


def info(name, bins=None, image_size=None, data_dir=None):
    """Returns the `DatasetInfo` of a data set, which it prepares on first use.

    The arguments and errors are those of `load`. For example,
    `tfg.datasets.info("digits").image_shape` is `(8, 8, 1)`.
    """
    source, bins, size = _resolve(name, bins, image_size, data_dir)
    return DatasetInfo(
        name=os.fsdecode(name),
        image_shape=(*size, source.image_shape[2]),
        bins=bins,
        num_classes=source.num_classes,
        num_examples=source.num_examples,
    )


def load(
    name,
    split="train",
    batch_size=None,
    bins=None,
    image_size=None,
    seed=None,
    *,
    initial_epoch=None,
    as_supervised=False,
    flip=False,
    crop="center",
    data_dir=None,
    shuffle=None,
    drop_remainder=None,
):
    """Loads a data set of integer images, which it prepares on first use.

    `name` is one of:

    - `"digits"`: scikit-learn's scans, 8x8x1 with 17 gray levels; `"photos"`:
      crops of the photographs in scikit-image and scikit-learn, 32x32x3 unless
      `image_size` says otherwise, gamma-encoded, with the photograph as label;
      `"photos_grey"`: gray crops of the same photographs, and of camera.
    - A TFDS name, with or without config: `"cifar10"`,
      `"downsampled_imagenet/64x64"`. Without a validation split, validation is
      the last 10 % of train, and train is the first 90 %. With validation but
      no test, test is validation, and validation is carved out of train in the
      same way. With train only, train is divided 80 / 10 / 10.
    - The path of a folder with images in any format that Pillow reads, also in
      subfolders. If all of them are in subfolders, these are the classes.
      Subfolders train, validation (or val) and test hold the splits. TFDS names
      take precedence; write `"./mnist"` for a folder called mnist.
    - The path of a `.npy` file with images [N, H, W, C] or [N, H, W], or a
      `.npz` file with either arrays `train`, `validation`, `test` (and
      `train_labels`, ...) or an array `images` (and `labels`). Values are
      integers in [0, 256).

    Folders and arrays without splits are divided 80 / 10 / 10 by a fixed
    permutation. If only validation or test is missing, it is a tenth of train.

    Images in folders become upright RGB images of 8 bits, or gray ones if all
    are gray. Transparent parts become white, and an animation counts as its
    first frame. Files that cannot be read or have more than 89 million pixels
    (`PIL.Image.MAX_IMAGE_PIXELS`) are skipped. A line says how many, which and
    why, and another one what was converted.

    Images of another size than `image_size` are cropped to its proportions and
    resized, with antialiasing. Only `photos` and `photos_grey` cut crops of that
    size out of the photographs without resizing them.

    Shuffled data of at most 1 GiB is cached in memory, and so are all images of
    folders. Larger data is shuffled within a window of 1 GiB. Every epoch has a
    new order and new augmentations.
    A seed makes them reproducible, together with `tf.random.set_seed` if you
    use that. With several workers, pass a seed.

    Args:
        name: `str` or path, see above.
        split: `"train"`, `"validation"` or `"test"`.
        batch_size: `int`, or `None` for single images. A training split of
            fewer images is one batch.
        bins: `int`, number of gray levels to return, a divisor of the source's
            number: `floor(x * bins / levels)`. For example 32 of 256 levels
            keep 5 bits. `None` for the source's number.
        image_size: `int` or `(H, W)`. `None` for the source's size, or 64 if
            images differ in size or exceed 256 pixels.
        seed: `int`, seed of order, flips and crops, or `None` for a fresh one.
        initial_epoch: `int` from 0, to return all epochs from that one on, one
            after another without end. The order of an epoch then depends only
            on its number and the seed, which is required, so that training can
            resume with the same images. `None` to return one epoch, whose order
            depends on how many came before it in the process.
        as_supervised: `bool`, whether to return labels also.
        flip: `bool`, whether to mirror a random half of the training images.
        crop: part of an image that is resized to `image_size`: the `"center"`,
            as large as the image allows; the same at new `"random"` positions
            in every epoch, for the training split only; or, with `"none"`, all
            of the image, squeezed to `image_size` without keeping proportions.
        data_dir: folder of prepared TFDS data sets, or `None` for TFDS's own.
        shuffle: `bool`, or `None` to shuffle the training split only.
        drop_remainder: `bool`, whether to drop a last batch of fewer images, or
            `None` to drop it from the training split only.

    Returns:
        `tf.data.Dataset` of uint8 images [H, W, C], or [batch_size, H, W, C],
        or of pairs of these and int64 labels [] or [batch_size].

    Raises:
        ValueError: if an argument is invalid, or the data set lacks the split
            or the labels.

    Example, which continues in a new process with epochs 10 to 19:

    ```python
    images = tfg.datasets.load(
        "photos", batch_size=64, bins=32, seed=0, initial_epoch=10
    )
    model.fit(images, initial_epoch=10, epochs=20, steps_per_epoch=312)
    ```
    """
    _checks.choice("split", split, files.SPLITS)
    is_train = split == "train"
    shuffle = is_train if shuffle is None else shuffle
    drop_remainder = is_train if drop_remainder is None else drop_remainder
    options = _checks.booleans(
        as_supervised=as_supervised,
        flip=flip,
        shuffle=shuffle,
        drop_remainder=drop_remainder,
    )
    if batch_size is not None:
        [batch_size] = _checks.positive_integer(batch_size=batch_size)
    if seed is not None or initial_epoch is not None:
        expected = "an integer or None"
        if initial_epoch is not None:
            expected = "an integer, because `initial_epoch` is given"
        [seed] = _checks.integers(-math.inf, expected, seed=seed)
    if initial_epoch is not None:
        [initial_epoch] = _checks.integers(
            0, "an integer from 0, or None", initial_epoch=initial_epoch
        )
    _checks.choice("crop", crop, image_files.CROPS)
    if flip and not is_train:
        expected = f"False for split {split!r}; only 'train' is augmented"
        raise _checks.invalid_value("flip", flip, expected)
    source, bins, size = _resolve(name, bins, image_size, data_dir)
    if crop == "random" and is_train:
        old = source.image_shape[:2]
        if None not in old and old[0] * size[1] == old[1] * size[0]:
            expected = (
                f"'center', since the images of {source.name!r} have the "
                f"proportions of `image_size`, {size}"
            )
            raise _checks.invalid_value("crop", crop, expected)
    elif crop == "random":
        crop = "center"
    if as_supervised and source.num_classes is None:
        expected = f"False for {source.name!r}, which has no labels"
        raise _checks.invalid_value("as_supervised", as_supervised, expected)
    num_examples = source.num_examples
    if split not in num_examples:
        expected = f"one of {list(num_examples)} for {source.name!r}"
        raise _checks.invalid_value("split", split, expected)
    _say_resizing(source, size, crop)
    num_images = num_examples[split]
    if batch_size and drop_remainder and num_images < batch_size:
        files.say(
            f"{source.name}: batches of {num_images} images instead of "
            f"{batch_size}, because split {split!r} has no more."
        )
        batch_size = num_images
    return pipeline.make_dataset(
        source,
        split,
        size=size,
        bins=bins,
        batch_size=batch_size,
        seed=seed,
        initial_epoch=initial_epoch,
        crop=crop,
        **options,
    )


def _resolve(name, bins, image_size, data_dir):
    """Opens the source; fills in `bins` and `image_size`."""
    if bins is not None:
        [bins] = _checks.positive_integer(bins=bins)
    size = None
    if image_size is not None:
        expected = "a positive integer or a pair (height, width) of them"
        pair = image_size if np.ndim(image_size) else [image_size, image_size]
        if len(pair) != 2:
            raise _checks.invalid_value("image_size", image_size, expected)
        size = tuple(
            _checks.integers(1, expected, image_size=n)[0] for n in pair
        )
        if math.prod(size) > _MAX_PIXELS:
            expected = f"at most {_MAX_PIXELS:,} pixels"
            raise _checks.invalid_value("image_size", image_size, expected)
    source = sources.open_source(name, size, data_dir)
    valid = [n for n in range(2, source.levels + 1) if source.levels % n == 0]
    if bins is not None and bins not in valid:
        expected = (
            f"one of {valid}, the divisors of the {source.levels} gray levels "
            f"of {source.name!r}"
        )
        raise _checks.invalid_value("bins", bins, expected)
    old = source.image_shape[:2]
    if size is None:
        is_small = None not in old and max(old) <= _MAX_OWN_SIZE
        size = old if is_small else (_DEFAULT_SIZE, _DEFAULT_SIZE)
    return source, bins or source.levels, size


def _say_resizing(source, size, crop):
    old = source.image_shape[:2]
    if old == size:
        return
    how = {
        "center": "the central part of these proportions, resized",
        "random": "a random part of these proportions, resized",
        "none": "all of the image, squeezed",
    }[crop]
    if None not in old and old[0] * size[1] == old[1] * size[0]:
        how = "resized"
    old = "different sizes" if None in old else f"{old[1]}x{old[0]} pixels"
    files.say(
        f"{source.name}: images of {old} become {size[1]}x{size[0]} ({how})."
    )
