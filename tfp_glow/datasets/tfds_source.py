# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`TfdsSource`: the images of a TFDS data set."""

import functools
import os
import re

import numpy as np
import tensorflow_datasets as tfds

from tfp_glow import _checks
from tfp_glow.datasets import embedded
from tfp_glow.datasets import files
from tfp_glow.datasets import resizing


class TfdsSource:
    """A TFDS data set, embedded or any other with an `image` feature."""

    def __init__(self, name, image_size, data_dir):
        self.name = name
        self._builder = _find_builder(name, image_size, data_dir)
        features = dict(self._builder.info.features)
        image = features.get("image")
        is_image = isinstance(image, tfds.features.Image)
        if not is_image or image.np_dtype != np.uint8:
            expected = (
                "a data set with a feature `image` of 8-bit images; this one "
                f"has the features {sorted(features)}"
            )
            raise _checks.invalid_value("name", name, expected)
        self.levels = getattr(self._builder, "LEVELS", 256)
        self.image_shape = tuple(image.shape)
        self._label_key = getattr(self._builder, "LABEL", "label")
        label = features.get(self._label_key)
        is_class = isinstance(label, tfds.features.ClassLabel)
        self.num_classes = label.num_classes if is_class else None

    @functools.cached_property
    def _splits(self):
        if isinstance(self._builder, embedded.EmbeddedBuilder):
            self._builder = self._builder.prepared()
        else:
            self._builder.download_and_prepare()
        return _carve(self._builder.info.splits)

    @property
    def num_examples(self):
        names = self._splits  # First, since this prepares the data set.
        infos = self._builder.info.splits
        return {split: infos[x].num_examples for split, x in names.items()}

    def read(self, split, size, crop, keep):
        del keep  # `MEMORY_BYTES` does not count the decoded images of TFDS.
        name = self._splits[split]
        # TFDS's own cache complains when it is read in part.
        config = tfds.ReadConfig(try_autocache=False)
        dataset = self._builder.as_dataset(split=name, read_config=config)
        keys = {"image": "image"}
        if self.num_classes:
            keys["label"] = self._label_key
        dataset = dataset.map(lambda e: {k: e[v] for k, v in keys.items()})
        return resizing.cover(dataset, size, crop, self)


def _find_builder(name, image_size, data_dir):
    if data_dir is not None:
        data_dir = os.path.expanduser(os.fspath(data_dir))
    head = re.split("[/:]", name)[0]
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except (ValueError, tfds.core.DatasetNotFoundError) as error:
        configs = tfds.builder_cls(head).builder_configs
        names = [head, *(f"{head}/{config}" for config in configs)]
        expected = f"one of {names}"
        raise _checks.invalid_value("name", name, expected, names) from error
    is_embedded = isinstance(builder, embedded.EmbeddedBuilder)
    if is_embedded and name == head and image_size is not None:
        config = builder.config_name(image_size)
        return type(builder)(config=config, data_dir=data_dir)
    return builder


def _carve(splits):
    """Maps splits to TFDS's names; carves missing ones out of others."""
    if "train" not in splits or {"validation", "test"} <= set(splits):
        return {split: split for split in files.SPLITS if split in splits}
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
