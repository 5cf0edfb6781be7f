# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`FolderSource` and `ArraySource`: images from your own files."""

import os
import zipfile
from concurrent import futures

import numpy as np
import tensorflow as tf

from tfp_glow import _checks

SPLITS = ("train", "validation", "test")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif")


class FolderSource:
    """A folder of images, or of the folders train, validation and test.

    Images directly in the folder are divided 80 / 10 / 10 by a fixed
    permutation of their sorted names. Every file is decoded once when the
    source is opened, to find the sizes and to name the files that do not fit.
    """

    levels = 256
    num_classes = None
    size_note = ""

    def __init__(self, path):
        """Lists and checks the images of folder `path`."""
        self.name = path
        parts = [s for s in SPLITS if os.path.isdir(os.path.join(path, s))]
        if "train" in parts:
            self._files = {s: _images(os.path.join(path, s)) for s in parts}
        else:
            names = np.array(_images(path))
            if len(names) < len(SPLITS):
                raise _checks.invalid_value(
                    "name",
                    path,
                    f"at least 3 images to divide into {SPLITS}; there are "
                    f"{len(names)}",
                )
            parts = _divide(len(names))
            self._files = {s: names[i].tolist() for s, i in parts.items()}
        self._find_shape()

    def _find_shape(self):
        names = [name for part in self._files.values() for name in part]
        with futures.ThreadPoolExecutor() as pool:
            shapes = dict(zip(names, pool.map(_image_shape, names)))
        first, shape = next(iter(shapes.items()))
        self.image_shape = shape
        for name, other in shapes.items():
            note = f"{first} has shape {shape} and {name} has shape {other}"
            if other[2] != shape[2]:
                raise _checks.invalid_value(
                    "name",
                    self.name,
                    f"images with equal numbers of channels; {note}",
                )
            if other != shape and not self.size_note:
                self.image_shape = (None, None, shape[2])
                self.size_note = note

    @property
    def num_examples(self):
        return {split: len(names) for split, names in self._files.items()}

    def read(self, split):
        """Returns the images of a split."""
        return tf.data.Dataset.from_tensor_slices(self._files[split]).map(
            lambda name: {"image": _decode(name)},
            num_parallel_calls=tf.data.AUTOTUNE,
        )


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
        if name.lower().endswith(SUFFIXES) and not name.startswith(".")
    ]
    if not names:
        raise _checks.invalid_value(
            "name",
            path,
            f"a folder of images ({', '.join(SUFFIXES)}), or of such folders "
            "called train, validation and test; there is no image in it",
        )
    return names


def _decode(name):
    return tf.io.decode_image(tf.io.read_file(name), expand_animations=False)


def _image_shape(name):
    try:
        return tuple(_decode(name).shape)
    except tf.errors.OpError as error:
        raise _checks.invalid_value("name", name, "a readable image") from error


class ArraySource:
    """The images of a `.npy` or `.npz` file, integers in [0, 256).

    A `.npy` file holds one array [N, H, W, C] or [N, H, W], divided 80 / 10 /
    10 by a fixed permutation. A `.npz` file holds either such an array `images`
    with, optionally, `labels` [N], or arrays `train`, `validation` and `test`
    with, optionally, `train_labels`, `validation_labels` and `test_labels`.
    """

    levels = 256
    num_classes = None
    size_note = ""

    def __init__(self, path):
        """Reads and checks the arrays of file `path`."""
        self.name = path
        arrays = self._arrays()
        if ("images" in arrays) == ("train" in arrays):
            raise self._invalid(
                "either an array `images` or arrays `train`, `validation` and "
                f"`test`; there are {sorted(arrays)}"
            )
        keys = [s for s in ("images", *SPLITS) if s in arrays]
        images = {s: self._checked_images(s, arrays[s]) for s in keys}
        labels = self._checked_labels(arrays, images)
        if "images" in images:
            parts = _divide(len(images["images"]))
            images = {s: images["images"][i] for s, i in parts.items()}
            if labels:
                labels = {s: labels["images"][i] for s, i in parts.items()}
        shapes = {split: x.shape[1:] for split, x in images.items()}
        if len(set(shapes.values())) > 1:
            raise self._invalid(f"splits of equal image shape; got {shapes}")
        self._images, self._labels = images, labels
        self.image_shape = shapes["train"]
        if labels:
            self.num_classes = 1 + int(max(y.max() for y in labels.values()))

    def _invalid(self, expected):
        return _checks.invalid_value("name", self.name, expected)

    def _arrays(self):
        try:
            loaded = np.load(self.name, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"images": loaded}
            with loaded:
                return dict(loaded)
        except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise self._invalid(
                f"a NumPy file of numbers; reading it failed with: {error}"
            ) from error

    def _checked_images(self, key, x):
        if x.dtype.kind not in "iu":
            is_nan = x.dtype.kind == "f" and np.isnan(x).any()
            raise self._invalid(
                f"integers in [0, bins), bins at most {self.levels}; `{key}` "
                f"has dtype {x.dtype}{' and contains NaN' if is_nan else ''}"
            )
        if x.ndim not in (3, 4):
            raise self._invalid(
                "images of shape [N, H, W, C] or [N, H, W]; "
                f"`{key}` has shape {x.shape}"
            )
        minimum_size = len(SPLITS) if key == "images" else 1
        if x.size == 0 or len(x) < minimum_size:
            raise self._invalid(
                f"at least {minimum_size} images that are not empty; `{key}` "
                f"has shape {x.shape}"
            )
        if x.min() < 0 or x.max() >= self.levels:
            raise self._invalid(
                f"integers in [0, {self.levels}); `{key}` has minimum "
                f"{x.min()} and maximum {x.max()}"
            )
        x = x.astype(np.uint8)
        return x if x.ndim == 4 else x[..., np.newaxis]

    def _checked_labels(self, arrays, images):
        names = {
            s: "labels" if s == "images" else f"{s}_labels" for s in images
        }
        if not any(name in arrays for name in names.values()):
            return {}
        labels = {}
        for split, name in names.items():
            expected = f"`{name}` to hold {len(images[split])} integers from 0"
            if name not in arrays:
                raise self._invalid(f"{expected}; it is missing")
            y = arrays[name]
            is_class = y.dtype.kind in "iu" and y.shape == (len(images[split]),)
            if not is_class or y.min() < 0:
                raise self._invalid(
                    f"{expected}; it has dtype {y.dtype} and shape {y.shape}"
                )
            labels[split] = y.astype(np.int64)
        return labels

    @property
    def num_examples(self):
        return {split: len(x) for split, x in self._images.items()}

    def read(self, split):
        """Returns the images, and labels if there are any, of a split."""
        elements = {"image": self._images[split]}
        if self._labels:
            elements["label"] = self._labels[split]
        return tf.data.Dataset.from_tensor_slices(elements)
