# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Where images come from: a name or path, opened as a `Source`."""

import contextlib
import functools
import io
import os
import re
import uuid

import numpy as np
import tensorflow_datasets as tfds
from etils import epath
from tensorflow_datasets.core.utils import tqdm_utils

from tfp_glow.datasets import digits
from tfp_glow.datasets import errors
from tfp_glow.datasets import files
from tfp_glow.datasets import photos

EMBEDDED = {"digits": digits.Digits, "photos": photos.Photos}


def open_source(name, image_size=None, data_dir=None):
    """Opens a data set, without preparing it yet.

    A name that TFDS knows comes before a path of the same spelling; write
    `"./mnist"` for a folder called mnist.

    Args:
        name: `str` or path, as in `tfp_glow.datasets.load`.
        image_size: `None` or a pair of integers, for data sets that come in
            several sizes.
        data_dir: folder of prepared TFDS data sets, or `None` for TFDS's own.

    Returns:
        A source: `levels` (number of grey levels), `image_shape` `(H, W, C)`
        with `H = W = None` where sizes vary, `num_classes` or `None`,
        `num_examples` (`dict` of split to `int`), `size_note` (what is known of
        the sizes, for messages) and `read(split)`, a `tf.data.Dataset` of
        dictionaries with `image` and, if there are classes, `label`.

    Raises:
        ValueError: if there is no such data set or path.
    """
    path = os.path.expanduser(os.fspath(name))
    known = tfds.list_builders(with_community_datasets=False)
    if isinstance(name, str) and re.split("[/:]", name)[0] in known:
        return TfdsSource(name, image_size, data_dir)
    if os.path.isdir(path):
        return files.FolderSource(path)
    if os.path.isfile(path) and path.endswith((".npy", ".npz")):
        return files.ArraySource(path)
    raise errors.invalid_value(
        "name",
        name,
        "'digits', 'photos', a name that TFDS knows, or the path of an existing"
        " folder of images, .npy file or .npz file",
        known,
    )


class TfdsSource:
    """A TFDS data set, one of our own or any other with an `image` feature.

    A split that the data set lacks is made: validation is the last 10 % of
    train, which keeps the first 90 %. If there is validation but no test, test
    is validation, and validation is carved out of train as before. If there is
    train alone, it is divided 80 / 10 / 10.
    """

    def __init__(self, name, image_size, data_dir):
        """Finds the builder and checks its features; prepares nothing."""
        self.name = name
        if data_dir is not None:
            data_dir = os.path.expanduser(os.fspath(data_dir))
        builder_name = name
        if name == "photos" and image_size is not None:
            builder_name = f"photos/{photos.config_name(image_size)}"
        try:
            self._builder = tfds.builder(builder_name, data_dir=data_dir)
        except (ValueError, tfds.core.DatasetNotFoundError) as error:
            head = re.split("[/:]", name)[0]
            configs = tfds.builder_cls(head).builder_configs
            names = [head, *(f"{head}/{config}" for config in configs)]
            raise errors.invalid_value(
                "name", name, f"one of {names}", names
            ) from error
        self.levels = getattr(self._builder, "LEVELS", 256)
        features = dict(self._builder.info.features)
        image = features.get("image")
        is_image = isinstance(image, tfds.features.Image)
        if not is_image or image.np_dtype != np.uint8:
            raise errors.invalid_value(
                "name",
                name,
                "a data set with a feature `image` of 8-bit images; this one "
                f"has the features {sorted(features)}",
            )
        self.image_shape = tuple(image.shape)
        self.size_note = f"the images of {name!r} differ in size"
        labels = [key for key in ("label", "photograph") if key in features]
        self._label = labels[0] if labels else None
        label = features.get(self._label)
        is_class = isinstance(label, tfds.features.ClassLabel)
        self.num_classes = label.num_classes if is_class else None

    @functools.cached_property
    def _splits(self):
        """TFDS's name of each split; prepares the data set on first use."""
        if type(self._builder) in EMBEDDED.values():
            self._builder = _prepare_quietly(self._builder)
        else:
            self._builder.download_and_prepare()
        return _carve(self._builder.info.splits)

    @property
    def num_examples(self):
        names = self._splits  # First, since this prepares the data set.
        splits = self._builder.info.splits
        return {split: splits[x].num_examples for split, x in names.items()}

    def read(self, split):
        """Returns the images, and labels if there are any, of a split."""
        name = self._splits[split]
        dataset = self._builder.as_dataset(
            split=name,
            # TFDS's own cache complains when it is read in part.
            read_config=tfds.ReadConfig(try_autocache=False),
        )
        keys = {"image": "image"}
        if self.num_classes:
            keys["label"] = self._label
        return dataset.map(lambda e: {k: e[v] for k, v in keys.items()})


def _carve(splits):
    if "train" not in splits or {"validation", "test"} <= set(splits):
        return {k: k for k in ("train", "validation", "test") if k in splits}
    if "test" not in splits and "validation" not in splits:
        return {
            "train": "train[:80%]",
            "validation": "train[80%:90%]",
            "test": "train[90%:]",
        }
    return {
        "train": "train[:90%]",
        "validation": "train[90%:]",
        "test": "test" if "test" in splits else "validation",
    }


def _prepare_quietly(builder):
    """Prepares an embedded data set, also where another process does too.

    Each process writes to a folder of its own; the first to finish renames it
    into place. TFDS does so too, but names its folder by Python's global random
    generator, which workers seed alike.

    Returns:
        A builder of the prepared data set.
    """
    if builder.data_path.exists():
        return builder
    scratch = epath.Path(builder.data_dir_root) / f"incomplete_{uuid.uuid4()}"
    make = functools.partial(type(builder), config=builder.builder_config)
    try:
        mine = make(data_dir=scratch)
        with _no_progress_bar(), contextlib.redirect_stdout(io.StringIO()):
            mine.download_and_prepare()
        builder.data_path.parent.mkdir(parents=True, exist_ok=True)
        try:
            mine.data_path.rename(builder.data_path)
        except OSError:
            if not builder.data_path.exists():
                raise
    finally:
        scratch.rmtree(missing_ok=True)
    return make(data_dir=builder.data_dir_root)


@contextlib.contextmanager
def _no_progress_bar():
    was_active = tqdm_utils._active
    tfds.disable_progress_bar()
    try:
        yield
    finally:
        tfds.display_progress_bar(was_active)
