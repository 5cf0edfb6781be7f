# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`open_source`: finds the images that a name or a path stands for."""

import importlib
import os
import re

from tfp_glow import _checks
from tfp_glow.datasets import files
from tfp_glow.datasets import folder

# Embedded data sets: each is an `EmbeddedBuilder` in the module of its name.
EMBEDDED = ("digits", "photos", "photos_grey")


def open_source(name, image_size=None, data_dir=None):
    """Opens a data set, without preparing it yet.

    Args:
        name, data_dir: as in `tfp_glow.datasets.load`.
        image_size: `None`, or a pair of `int` for data sets of several sizes.

    Returns:
        A source: `name`, `levels` (number of gray levels), `image_shape`
        `(H, W, C)` with `H = W = None` where sizes vary, `num_classes` or
        `None`, `num_examples` (`dict` of split to `int`) and `read(split, size,
        crop, keep)`, a `tf.data.Dataset` of dictionaries with `image` and, if
        there are classes, `label`. Images cover the size, see `resizing.cover`.
        `keep` tells that they are read often and fit in memory.
    """
    if is_name(name):
        from tfp_glow.datasets import tfds_source

        return tfds_source.TfdsSource(name, image_size, data_dir)
    path = os.path.expanduser(os.fsdecode(name))
    if os.path.isdir(path):
        return folder.FolderSource(path)
    if os.path.isfile(path) and path.lower().endswith((".npy", ".npz")):
        return files.ArraySource(path)
    expected = (
        f"one of {EMBEDDED}, a name that TFDS knows, or the path of an existing"
        " folder of images, .npy file or .npz file"
    )
    known = _tfds_names() if _may_be_name(name) else ()
    parent = os.path.dirname(path)
    if os.path.exists(path):
        expected += (
            "; this is another file (archives need to be unpacked, and of "
            "pictures the folder is expected)"
        )
    elif os.path.isdir(parent):
        known = [os.path.join(parent, other) for other in os.listdir(parent)]
    raise _checks.invalid_value("name", name, expected, known)


def is_name(name):
    """Returns whether a data set is one of TFDS, or an embedded one."""
    return bool(
        _may_be_name(name) and re.split("[/:]", name)[0] in _tfds_names()
    )


def _may_be_name(name):
    # TFDS takes seconds to import, and some paths cannot be its names.
    return isinstance(name, str) and re.match(r"\w", name)


def _tfds_names():
    """Returns the names of TFDS's data sets, including the embedded ones."""
    import tensorflow_datasets as tfds

    for module in EMBEDDED:
        # TFDS registers a builder when its class is made.
        importlib.import_module(f"tfp_glow.datasets.{module}")
    return tfds.list_builders(with_community_datasets=False)
