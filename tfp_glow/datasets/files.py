# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`ArraySource`: images in NumPy files; and what sources of files share."""

import contextlib
import functools
import math
import os
import zipfile
import zlib

import numpy as np
import tensorflow as tf

from tfp_glow import _checks
from tfp_glow.datasets import resizing

SPLITS = ("train", "validation", "test")
_MAX_CLASSES = 2**16
# `np.load` raises these errors for damaged files and other formats.
_NUMPY_ERRORS = (
    ValueError,
    OSError,
    EOFError,
    MemoryError,
    RuntimeError,  # The archive is encrypted, or compressed in an unknown way.
    zipfile.BadZipFile,
    zlib.error,
)


@functools.cache
def say(text):
    """Prints a text, unless this process has printed it before."""
    print(text, flush=True)


def carve(name, splits):
    """Moves a tenth of train to each of validation and test that is missing.

    Args:
        name: of the source, for errors.
        splits: dictionary of split to a sequence of examples. Without train, it
            stays as it is.

    Returns:
        The new dictionary, of lists. The permutation is fixed.

    Raises:
        ValueError: if train has too few examples.
    """
    missing = [split for split in SPLITS[1:] if split not in splits]
    if not missing or "train" not in splits:
        return splits
    examples = splits["train"]
    if len(examples) <= len(missing):
        expected = (
            f"at least {len(missing) + 1} images to divide into "
            f"{('train', *missing)}; there are {len(examples)}"
        )
        raise _checks.invalid_value("name", name, expected)
    # `RandomState` has a stream that NumPy promises never to change.
    order = np.random.RandomState(0).permutation(len(examples))
    ends = max(1, len(examples) // 10) * np.arange(1, len(missing) + 1)
    parts = zip((*missing, "train"), np.split(order, ends))
    new = {split: [examples[i] for i in part] for split, part in parts}
    return {split: {**splits, **new}[split] for split in SPLITS}


class ArraySource:
    """The images of a `.npy` or `.npz` file, integers in [0, 256)."""

    levels = 256
    num_classes = None

    def __init__(self, path):
        self.name = path
        arrays = self._arrays()
        given = [s for s in ("images", *SPLITS) if s in arrays]
        parts = {s: {"image": self._images(s, arrays[s])} for s in given}
        label_keys = {s: _label_key(s) for s in given}
        if any(key in arrays for key in label_keys.values()):
            for s, key in label_keys.items():
                size = len(parts[s]["image"])
                parts[s]["label"] = self._labels(key, arrays.get(key), size)
            labels = [part["label"] for part in parts.values()]
            self.num_classes = 1 + int(max(map(np.max, labels)))
        if "images" in parts:
            parts = {"train": parts["images"]}
        shapes = {split: x["image"].shape[1:] for split, x in parts.items()}
        if len(set(shapes.values())) > 1:
            raise self._invalid(f"splits of equal image shape; got {shapes}")
        self.image_shape = next(iter(shapes.values()))
        # Missing splits take their examples from train.
        indices = {s: range(len(part["image"])) for s, part in parts.items()}
        self._parts = {
            split: {
                key: x if i is indices.get(split) else x[i]
                for key, x in parts.get(split, parts.get("train")).items()
            }
            for split, i in carve(path, indices).items()
        }

    @property
    def num_examples(self):
        return {split: len(x["image"]) for split, x in self._parts.items()}

    def read(self, split, size, crop, keep):
        del keep  # The images are in memory.
        images = tf.data.Dataset.from_tensor_slices(self._parts[split])
        return resizing.cover(images, size, crop, self)

    def _arrays(self):
        """Returns the arrays of images and labels in the file."""
        prefix = np.lib.format.MAGIC_PREFIX
        with self._reading(), open(self.name, "rb") as file:
            is_array = file.read(len(prefix)) == prefix
        if is_array:
            with open(self.name, "rb") as file:
                size = os.path.getsize(self.name)
                self._check_header("images", file, size)
            with self._reading():
                # A mapped file takes memory only where it is read.
                return {"images": np.load(self.name, mmap_mode="r")}
        with self._reading():
            archive = np.load(self.name, allow_pickle=False)
        with archive:
            names = set(archive.files)
            if ("images" in names) == ("train" in names):
                raise self._invalid(
                    "either an array `images` or arrays `train`, `validation` "
                    "and `test`, perhaps with `labels` or `train_labels` and so"
                    f" on; there are {sorted(names)}"
                )
            keys = ("images", *SPLITS)
            wanted = names & {*keys, *map(_label_key, keys)}
            return {key: self._member(archive, key) for key in sorted(wanted)}

    def _member(self, archive, key):
        """Returns an array of an archive, unless it is too large."""
        names = archive.zip.namelist()
        member = archive.zip.getinfo(key if key in names else f"{key}.npy")
        with self._reading():
            file = archive.zip.open(member)
        with file:
            self._check_header(key, file, member.file_size)
        with self._reading():
            return archive[key]

    def _check_header(self, key, file, size):
        """Raises unless an array fits into memory and its file, of a size."""
        with self._reading():
            read_header = np.lib.format.read_array_header_2_0
            if np.lib.format.read_magic(file) == (1, 0):
                read_header = np.lib.format.read_array_header_1_0
            shape, _, dtype = read_header(file)
        num_bytes = math.prod(shape) * dtype.itemsize
        if num_bytes > min(size, _memory_bytes()):
            raise self._invalid(
                f"an array `{key}` that fits into its file, of {size:,} bytes, "
                f"and the {_memory_bytes():,} bytes of this machine's memory; "
                f"its header promises {num_bytes:,}"
            )

    @contextlib.contextmanager
    def _reading(self):
        try:
            yield
        except _NUMPY_ERRORS as error:
            raise self._invalid(
                f"a NumPy file of numbers; reading it failed with: {error}"
            ) from error

    def _images(self, key, x):
        """Returns an array of images as uint8 [N, H, W, C], or raises."""
        expected = received = ""
        if x.dtype.kind not in "iu":
            expected = f"integers in [0, bins), bins at most {self.levels}"
            received = f"dtype {x.dtype}"
            if x.dtype.kind == "f" and x.size:
                low, high = np.min(x), np.max(x)
                received += f" and values from {low:.6g} to {high:.6g}"
                if np.isnan(low):
                    received = f"dtype {x.dtype} and contains NaN"
                elif low >= 0.0 and high <= 255.0:
                    x = "x" if high > 1.0 else "255 * x"
                    expected += (
                        f", so save `np.round({x}).astype(np.uint8)`, or learn "
                        "a density of continuous data with `tfg.FlowModel`"
                    )
        elif x.ndim not in (3, 4):
            expected = "images of shape [N, H, W, C] or [N, H, W]"
            received = f"shape {x.shape}"
        elif x.size == 0:
            expected = "at least one image, and none that is empty"
            received = f"shape {x.shape}"
        elif x.min() < 0 or x.max() >= self.levels:
            expected = f"integers in [0, {self.levels})"
            received = f"minimum {x.min()} and maximum {x.max()}"
        if expected:
            raise self._invalid(f"{expected}; `{key}` has {received}")
        x = x.astype(np.uint8)
        return x if x.ndim == 4 else x[..., np.newaxis]

    def _labels(self, key, y, size):
        """Returns labels as int64 [size], or raises `ValueError`."""
        expected = f"`{key}` to hold {size} integers in [0, {_MAX_CLASSES})"
        if y is None:
            raise self._invalid(f"{expected}; it is missing")
        if y.dtype.kind not in "iu" or y.shape != (size,):
            raise self._invalid(
                f"{expected}; it has dtype {y.dtype} and shape {y.shape}"
            )
        if y.min() < 0 or y.max() >= _MAX_CLASSES:
            raise self._invalid(
                f"{expected}, which `np.unique(y, return_inverse=True)[1]` "
                f"makes; it has values from {y.min()} to {y.max()}"
            )
        return y.astype(np.int64)

    def _invalid(self, expected):
        return _checks.invalid_value("name", self.name, expected)


def _label_key(key):
    """Returns the name of the labels of an array of images."""
    return "labels" if key == "images" else f"{key}_labels"


def _memory_bytes():
    """Returns the size of this machine's memory."""
    if not hasattr(os, "sysconf"):
        return math.inf
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
