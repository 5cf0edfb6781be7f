# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`FolderSource` and `ArraySource`: images from your own files."""

import os
import zipfile
import zlib
from concurrent import futures

import numpy as np
import PIL.Image
import PIL.ImageOps
import tensorflow as tf

from tfp_glow import _checks

SPLITS = ("train", "validation", "test")
_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")
# Pillow's modes, and those to which images are converted.
_MODES = dict.fromkeys(("1", "L"), "L")
_MODES |= dict.fromkeys(("RGB", "P", "CMYK", "YCbCr"), "RGB")
# `np.load` raises these errors for damaged files and other formats.
_NUMPY_ERRORS = (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error)


class FolderSource:
    """A folder of images, or of the folders train, validation and test.

    Every file is decoded once when the source is opened, to find the sizes and
    to name the files that do not fit.
    """

    levels = 256
    num_classes = None
    size_note = ""

    def __init__(self, path):
        self.name = path
        parts = [s for s in SPLITS if os.path.isdir(os.path.join(path, s))]
        if parts:
            self._files = {s: _images(os.path.join(path, s)) for s in parts}
        else:
            names = _images(path)
            if len(names) < len(SPLITS):
                expected = (
                    f"at least 3 images to divide into {SPLITS}; there are "
                    f"{len(names)}"
                )
                raise _checks.invalid_value("name", path, expected)
            parts = _divide(len(names))
            self._files = {s: [names[i] for i in parts[s]] for s in SPLITS}
        names = [name for part in self._files.values() for name in part]
        with futures.ThreadPoolExecutor() as pool:
            shapes = list(pool.map(lambda name: _decode(name).shape, names))
        self.image_shape = shapes[0]
        for name, shape in zip(names, shapes):
            note = (
                f"{names[0]} has shape {shapes[0]} and {name} has shape {shape}"
            )
            if shape[2] != shapes[0][2]:
                expected = f"images with equal numbers of channels; {note}"
                raise _checks.invalid_value("name", path, expected)
            if shape != shapes[0] and not self.size_note:
                self.image_shape = (None, None, shape[2])
                self.size_note = note

    @property
    def num_examples(self):
        return {split: len(names) for split, names in self._files.items()}

    def read(self, split):
        def decode(name):
            image = tf.numpy_function(_decode, [name], tf.uint8, stateful=False)
            shape = (None, None, self.image_shape[2])
            return {"image": tf.ensure_shape(image, shape)}

        names = [os.fsencode(name) for name in self._files[split]]
        dataset = tf.data.Dataset.from_tensor_slices(names)
        return dataset.map(decode, num_parallel_calls=tf.data.AUTOTUNE)


def _divide(num_examples):
    """Divides at least 3 indices 80 / 10 / 10 by a fixed permutation."""
    # `RandomState` has a stream that NumPy promises never to change.
    order = np.random.RandomState(0).permutation(num_examples)
    tenth = max(1, num_examples // 10)
    validation, test, train = np.split(order, [tenth, 2 * tenth])
    return {"train": train, "validation": validation, "test": test}


def _images(path):
    names = [
        os.path.join(path, name)
        for name in sorted(os.listdir(path))
        if name.lower().endswith(_SUFFIXES) and not name.startswith(".")
    ]
    if not names:
        expected = (
            f"a folder of images ({', '.join(_SUFFIXES)}), or of such folders "
            "called train, validation and test; there is no image in it"
        )
        raise _checks.invalid_value("name", path, expected)
    return names


def _decode(name):
    """Returns the upright image in a file, uint8 [H, W, C], C one or three."""
    image, has_16_bits = open_image(name)
    has_alpha = image.has_transparency_data
    if image.mode in _MODES and not has_alpha and not has_16_bits:
        mode = _MODES[image.mode]
        image = PIL.ImageOps.exif_transpose(image).convert(mode)
        return np.asarray(image).reshape(*image.size[::-1], -1)
    found = "16 bits" if has_16_bits else f"mode {image.mode!r}"
    found += " and an alpha channel" if has_alpha else ""
    expected = (
        "an image of 8 bits without an alpha channel, which Pillow makes by "
        f"`image.convert('RGB')`; this one has {found}"
    )
    raise _checks.invalid_value("name", name, expected)


def open_image(path, argument="name"):
    """Returns a file's image, as Pillow decodes it, and if it has 16 bits.

    Raises `ValueError`, which names the argument, if it cannot be read.
    """
    try:
        with PIL.Image.open(path) as image:
            has_16_bits = ";16" in str(image.tile)
            image.load()
            return image, has_16_bits
    except (OSError, SyntaxError, ValueError) as error:
        expected = f"a readable image; reading it failed with: {error}"
        raise _checks.invalid_value(argument, path, expected) from error


class ArraySource:
    """The images of a `.npy` or `.npz` file, integers in [0, 256)."""

    levels = 256
    num_classes = None

    def __init__(self, path):
        self.name = path
        arrays = self._arrays()
        if ("images" in arrays) == ("train" in arrays):
            raise self._invalid(
                "either an array `images` or arrays `train`, `validation` and "
                f"`test`; there are {sorted(arrays)}"
            )
        keys = [s for s in ("images", *SPLITS) if s in arrays]
        label_keys = [f"{s}_labels".removeprefix("images_") for s in keys]
        parts = {s: {"image": self._images(s, arrays[s])} for s in keys}
        if any(key in arrays for key in label_keys):
            for part, key in zip(parts.values(), label_keys):
                y = arrays.get(key)
                part["label"] = self._labels(key, y, len(part["image"]))
            labels = [part["label"] for part in parts.values()]
            self.num_classes = 1 + int(max(map(np.max, labels)))
        if "images" in parts:
            whole = parts["images"]
            parts = {
                split: {key: x[indices] for key, x in whole.items()}
                for split, indices in _divide(len(whole["image"])).items()
            }
        shapes = {split: x["image"].shape[1:] for split, x in parts.items()}
        if len(set(shapes.values())) > 1:
            raise self._invalid(f"splits of equal image shape; got {shapes}")
        self.image_shape = shapes["train"]
        self._parts = parts

    @property
    def num_examples(self):
        return {split: len(x["image"]) for split, x in self._parts.items()}

    def read(self, split):
        return tf.data.Dataset.from_tensor_slices(self._parts[split])

    def _arrays(self):
        try:
            loaded = np.load(self.name, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"images": loaded}
            with loaded:
                return dict(loaded)
        except _NUMPY_ERRORS as error:
            raise self._invalid(
                f"a NumPy file of numbers; reading it failed with: {error}"
            ) from error

    def _images(self, key, x):
        """Returns an array of images as uint8 [N, H, W, C], or raises."""
        minimum_size = len(SPLITS) if key == "images" else 1
        expected = ""
        received = f"shape {x.shape}"
        if x.dtype.kind not in "iu":
            is_nan = x.dtype.kind == "f" and np.isnan(x).any()
            expected = f"integers in [0, bins), bins at most {self.levels}"
            received = f"dtype {x.dtype}{' and contains NaN' if is_nan else ''}"
        elif x.ndim not in (3, 4):
            expected = "images of shape [N, H, W, C] or [N, H, W]"
        elif x.size == 0 or len(x) < minimum_size:
            expected = f"at least {minimum_size} images that are not empty"
        elif x.min() < 0 or x.max() >= self.levels:
            expected = f"integers in [0, {self.levels})"
            received = f"minimum {x.min()} and maximum {x.max()}"
        if expected:
            raise self._invalid(f"{expected}; `{key}` has {received}")
        x = x.astype(np.uint8)
        return x if x.ndim == 4 else x[..., np.newaxis]

    def _labels(self, key, y, size):
        """Returns labels as int64 [size], or raises `ValueError`."""
        expected = f"`{key}` to hold {size} integers from 0"
        if y is None:
            raise self._invalid(f"{expected}; it is missing")
        if y.dtype.kind not in "iu" or y.shape != (size,) or y.min() < 0:
            raise self._invalid(
                f"{expected}; it has dtype {y.dtype} and shape {y.shape}"
            )
        return y.astype(np.int64)

    def _invalid(self, expected):
        return _checks.invalid_value("name", self.name, expected)
