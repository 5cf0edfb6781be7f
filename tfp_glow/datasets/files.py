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


class _FileSource:
    levels = 256
    num_classes = None
    size_note = ""

    def _invalid(self, expected):
        return _checks.invalid_value("name", self.name, expected)


class FolderSource(_FileSource):
    """A folder of images, or of the folders train, validation and test.

    Every file is decoded once when the source is opened, to find the sizes and
    to name the files that do not fit.
    """

    def __init__(self, path):
        self.name = path
        parts = [s for s in SPLITS if os.path.isdir(os.path.join(path, s))]
        if "train" in parts:
            self._files = {s: _images(os.path.join(path, s)) for s in parts}
        else:
            names = np.array(_images(path))
            if len(names) < len(SPLITS):
                raise self._invalid(
                    f"at least 3 images to divide into {SPLITS}; there are "
                    f"{len(names)}"
                )
            parts = _divide(len(names))
            self._files = {s: names[i].tolist() for s, i in parts.items()}
        names = [name for part in self._files.values() for name in part]
        with futures.ThreadPoolExecutor() as pool:
            shapes = dict(zip(names, pool.map(_image_shape, names)))
        first, shape = next(iter(shapes.items()))
        self.image_shape = shape
        for name, other in shapes.items():
            note = f"{first} has shape {shape} and {name} has shape {other}"
            if other[2] != shape[2]:
                raise self._invalid(
                    f"images with equal numbers of channels; {note}"
                )
            if other != shape and not self.size_note:
                self.image_shape = (None, None, shape[2])
                self.size_note = note

    @property
    def num_examples(self):
        return {split: len(names) for split, names in self._files.items()}

    def read(self, split):
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
        expected = (
            f"a folder of images ({', '.join(SUFFIXES)}), or of such folders "
            "called train, validation and test; there is no image in it"
        )
        raise _checks.invalid_value("name", path, expected)
    return names


def _decode(name):
    return tf.io.decode_image(tf.io.read_file(name), expand_animations=False)


def _image_shape(name):
    try:
        return tuple(_decode(name).shape)
    except tf.errors.OpError as error:
        raise _checks.invalid_value("name", name, "a readable image") from error


class ArraySource(_FileSource):
    """The images of a `.npy` or `.npz` file, integers in [0, 256)."""

    def __init__(self, path):
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
            images, labels = (
                {s: x["images"][i] for s, i in parts.items() if x}
                for x in (images, labels)
            )
        shapes = {split: x.shape[1:] for split, x in images.items()}
        if len(set(shapes.values())) > 1:
            raise self._invalid(f"splits of equal image shape; got {shapes}")
        self._images, self._labels = images, labels
        self.image_shape = shapes["train"]
        if labels:
            self.num_classes = 1 + int(max(y.max() for y in labels.values()))

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

    def _checked_labels(self, arrays, images):
        names = {s: f"{s}_labels".removeprefix("images_") for s in images}
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
        elements = {"image": self._images[split]}
        if self._labels:
            elements["label"] = self._labels[split]
        return tf.data.Dataset.from_tensor_slices(elements)
