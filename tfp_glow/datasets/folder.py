# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`FolderSource`: the images in a folder and its subfolders."""

import collections
import functools
import itertools
import os
import time
from concurrent import futures

import numpy as np
import tensorflow as tf

from tfp_glow import _checks
from tfp_glow.datasets import files
from tfp_glow.datasets import image_files

_SPLIT_FOLDERS = {split: split for split in files.SPLITS}
_SPLIT_FOLDERS["val"] = "validation"
_NUM_NAMED = 5
_SECONDS = 10.0  # Between lines on the progress of decoding.


class FolderSource:
    """The images in a folder and its subfolders.

    Subfolders train, validation (or val) and test hold the splits. If all
    images of the folder, or of its splits, are in subfolders, those are the
    classes.

    Opening a folder reads the headers of the files and prints which ones are
    used, and what is converted.
    """

    levels = 256

    def __init__(self, path):
        self.name = path
        paths, skipped = _find(path)
        with image_files.strict_limits(), futures.ThreadPoolExecutor() as pool:
            found = list(pool.map(image_files.inspect, paths))
        headers = {}
        for name, header in zip(paths, found):
            if isinstance(header, image_files.Header):
                headers[name] = header
            else:
                skipped.append((name, header))
        splits, label_names = _arrange(path, list(headers))
        used = [name for part in splits.values() for name, _ in part]
        outside = sorted(set(headers) - set(used))
        skipped += [(x, "not in the folder of a split") for x in outside]
        counts = f"{len(paths):,} image files found, {len(used):,} used"
        if skipped:
            shown = [
                f"{os.path.relpath(name, path)!r} ({reason})"
                for name, reason in sorted(skipped)[:_NUM_NAMED]
            ]
            if more := len(skipped) - len(shown):
                shown.append(f"and {more:,} more")
            counts += f", {len(skipped):,} skipped: {', '.join(shown)}"
        if not used:
            expected = (
                "a folder of images that Pillow can read, such as .png, .jpg, "
                ".webp or .tif, or of folders of images; this folder has "
                f"none that can be used: {counts}"
            )
            raise _checks.invalid_value("name", path, expected)
        self._splits = files.carve(path, splits)
        self.num_classes = len(label_names) or None
        headers = [headers[name] for name in used]
        shapes = {header.shape[:2] for header in headers}
        shape = shapes.pop() if len(shapes) == 1 else (None, None)
        num_channels = max(header.shape[2] for header in headers)
        self.image_shape = (*shape, num_channels)
        notes = collections.Counter(n for h in headers for n in h.notes)
        notes["made RGB from gray"] = sum(
            h.shape[2] < num_channels for h in headers
        )
        files.say(f"{path}: {counts}.")
        if +notes:
            converted = ", ".join(f"{n} {note}" for note, n in (+notes).items())
            files.say(f"{path}: {converted}.")
        if label_names:
            shown = [f"{i} {x!r}" for i, x in enumerate(label_names[:10])]
            files.say(
                f"{path}: {len(label_names):,} classes by subfolder: "
                f"{', '.join(shown)}{', ...' if label_names[10:] else '.'}"
            )

    @property
    def num_examples(self):
        return {split: len(names) for split, names in self._splits.items()}

    def read(self, split, size, crop, keep):
        names = self._splits[split]
        num_channels = self.image_shape[2]

        count = _counter(self.name, len(names))

        def decode(index):
            count()
            # The next image replaces one that cannot be decoded after all.
            for i in [*range(index, len(names)), *range(index)]:
                path, label = names[i]
                try:
                    image = image_files.read(path, size, crop, num_channels)
                    return image, np.int64(label)
                except ValueError as e:
                    error = e
                    files.say(f"Another image replaces one. {error}")
            raise error

        decode = functools.cache(decode) if keep else decode

        def read(index):
            image, label = tf.numpy_function(
                lambda i: decode(int(i)),
                [index],
                [tf.uint8, tf.int64],
                stateful=False,
            )
            image = tf.ensure_shape(image, (None, None, num_channels))
            label = tf.ensure_shape(label, ())
            return {"image": image, "label": label}

        dataset = tf.data.Dataset.range(len(names))
        return dataset.map(read, num_parallel_calls=tf.data.AUTOTUNE)


def _counter(path, total):
    """Returns a function that counts to a total and sometimes prints how far."""
    numbers, due = itertools.count(1), []

    def count():
        number, now = next(numbers), time.monotonic()
        due[:] = due or [now + _SECONDS]
        if number < total and now >= due[0]:
            due[:] = [now + _SECONDS]
            line = f"{path}: {number:,} of {total:,} images decoded."
            print(line, flush=True)

    return count


def _find(path):
    """Returns paths of image files below a folder, and pairs of what is skipped.

    Every folder counts once, also if links lead to it again. Hidden files and
    folders do not count.
    """
    paths, skipped, seen = [], [], set()

    def note(error):
        skipped.append((error.filename, error.strerror.lower()))

    for folder, folders, names in os.walk(path, onerror=note, followlinks=True):
        status = os.stat(folder)
        identity = (status.st_dev, status.st_ino)
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        if identity in seen:
            folders.clear()
            continue
        seen.add(identity)
        for name in sorted(names):
            suffix = os.path.splitext(name)[1].lower()
            if suffix in image_files.suffixes() and not name.startswith("."):
                paths.append(os.path.join(folder, name))
    return paths, skipped


def _arrange(path, names):
    """Divides paths into splits and classes by their folders.

    Returns a dictionary of split to pairs of path and label, and the sorted
    names of the classes. Without classes the labels are 0.
    """
    parts = {name: os.path.relpath(name, path).split(os.sep) for name in names}
    splits = collections.defaultdict(list)
    for name, (first, *rest) in parts.items():
        split = _SPLIT_FOLDERS.get(first.lower()) if rest else None
        splits[split].append((name, rest if split else [first, *rest]))
    if splits.keys() - {None}:
        splits.pop(None, None)
    examples = [example for part in splits.values() for example in part]
    labels = sorted({rest[0] for _, rest in examples})
    if len(labels) < 2 or any(len(rest) == 1 for _, rest in examples):
        labels = []
    return {
        split or "train": [
            (name, labels.index(rest[0]) if labels else 0)
            for name, rest in splits[split]
        ]
        for split in (None, *files.SPLITS)
        if split in splits
    }, labels
