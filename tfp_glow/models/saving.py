# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Model files: their format's version, and checks before and after writing.

A `.keras` file holds a model's configuration and its variables by name, see
`tracking.Tracked`. Both carry the version of the format. The only version so
far is 1.
"""

import contextlib
import os
import re
import textwrap
import types
import zipfile
import zlib

import keras
import tensorflow as tf

from tfp_glow import _checks
from tfp_glow import _files
from tfp_glow.distributions import flows

VERSION = 1
# Names of sharded weights end with these.
_SHARDS = ("weights.json", "weights.h5")
KEY = "format_version"
# Keras hides the cause of an error between the names of its objects.
_CAUSE = re.compile(
    r"Example error message for object .*?:\n\n(.*?)\n\nList of objects"
    r"|Exception encountered: (.*)",
    re.DOTALL,
)


def save(write, path, extension, overwrite=True, **options):
    """Calls a saving method of Keras so that no earlier file is damaged.

    The method is `write(path, **options)`, where the path may be remote, as
    `gs://...`. Names of single files end with `extension`. Unless `overwrite`,
    the user is asked before a file is replaced.

    Raises:
        FileExistsError: if nobody answers whether to replace a file.
        OSError: if the folder does not exist or cannot be written to.
        ValueError: for another extension.
    """
    path = os.fsdecode(path)
    is_sharded = options.get("max_shard_size") is not None
    is_folder = options.get("zipped") is False
    if is_sharded and path.endswith(_SHARDS):
        path = os.path.splitext(path)[0] + ".json"
    if extension == ".keras" and path.endswith((".h5", ".hdf5")):
        raise ValueError(
            "Expected a path that ends in `.keras`. Keras' earlier format, "
            f"HDF5, cannot hold this model. Received: {path}"
        )
    if not overwrite and tf.io.gfile.exists(path) and not _is_confirmed(path):
        return
    if "://" in path:
        write(path, **options)  # A remote file appears when it is complete.
    elif is_sharded and path.endswith(_SHARDS):
        folder, name = os.path.split(os.path.abspath(path))
        with _files.filling(folder) as temporary:
            write(os.path.join(temporary, name), **options)
    elif is_folder and not path.endswith(".keras"):
        os.makedirs(path, exist_ok=True)
        with _files.filling(path) as temporary:
            write(temporary, **options)
    elif path.endswith(extension) and not (is_folder or is_sharded):
        with _files.replacing(path) as temporary:
            write(temporary, **options)
    else:
        write(path, **options)  # Keras' error tells the right name.


def _is_confirmed(path):
    answer = None
    try:
        while answer not in ("y", "n"):
            answer = input(f"{path} exists. Replace it? [y/n] ").strip().lower()
    except (EOFError, RuntimeError) as error:
        raise FileExistsError(
            "Expected an answer to whether a file may be replaced, a path "
            f"without a file, or `overwrite=True`. Received: {path}, which "
            "exists, and no answer"
        ) from error
    return answer == "y"


@contextlib.contextmanager
def new_folder(path):
    """Does the same as `_files.new_folder`, for remote folders too."""
    path = os.fsdecode(path)
    if "://" not in path:
        with _files.new_folder(path) as temporary:
            yield temporary
        return
    if tf.io.gfile.exists(path):
        raise _files.exists_already(path)
    try:
        yield path
    except BaseException:
        if tf.io.gfile.exists(path):
            tf.io.gfile.rmtree(path)
        raise


def set_config(model, spec, **arguments):
    """Sets what Keras writes to files of a model of a `vector_flow`."""
    if made_by := getattr(spec.distribution, "made_by", None):
        arguments["num_classes"] = spec.num_classes
        arguments["vector_flow"] = config(made_by.keywords)
        # Keras makes this by itself only of plain arguments.
        model._auto_config = types.SimpleNamespace(config=arguments)


def with_flow(config, custom_objects=None):
    """Returns the arguments of a model, with a new flow if it needs one."""
    config = dict(config)
    if made_by := config.pop("vector_flow", None):
        made_by = arguments(made_by, custom_objects)
        config["distribution"] = flows.vector_flow(**made_by)
    return config


def check_can_be_saved(model):
    """Raises `NotImplementedError` unless a `.keras` file can hold a model."""
    try:
        model.get_config()
    except NotImplementedError as error:
        raise NotImplementedError(
            "A `.keras` file, a copy or a pickle of a model is made from plain "
            "values, and a distribution is not one. Expected a `vector_flow`, "
            "`save_weights`, or a registered subclass that makes its distribution from plain "
            f"values, as `GlowModel` does. Received: a {type(model).__name__} "
            f"around {model.distribution}"
        ) from error


def check_callbacks(model, callbacks):
    """Raises `NotImplementedError` if callbacks would fail to save a model."""
    for callback in callbacks:
        is_checkpoint = isinstance(callback, keras.callbacks.ModelCheckpoint)
        if is_checkpoint and not callback.save_weights_only:
            check_can_be_saved(model)


def load_model(path):
    """Loads a model, with its optimizer state, from a `.keras` file.

    Raises `ValueError` if the file is missing, damaged or of a later format.
    """
    if not os.path.exists(path):
        raise ValueError(f"Expected a model file at {path}. Found no file")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(part.file_size for part in archive.infolist())
            _checks.memory(size, "a model file")
            damaged = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError):
        damaged = "its end"
    if damaged:
        raise ValueError(
            f"Expected a whole model file. Received: {path}, which is damaged "
            f"or truncated at {damaged}"
        )
    try:
        return keras.models.load_model(path)
    except Exception as error:  # Files cause errors of all kinds.
        found = _CAUSE.search(str(error))
        cause = found[1] or found[2] if found else str(error)
        raise ValueError(
            f"Expected a model file that can be loaded. Received: {path}. "
            f"{type(error).__name__}: {textwrap.shorten(cause, 500)}"
        ) from error


def check_version(version):
    """Raises `ValueError` if a later version of this package wrote a file."""
    if version > VERSION:
        raise ValueError(
            f"Expected a file of format {VERSION} or earlier. Received: format "
            f"{version}, which a later version of tfp_glow wrote"
        )


def config(arguments):
    """Returns the configuration of an object with constructor arguments."""
    return {KEY: VERSION} | {
        name: keras.saving.serialize_keras_object(value)
        if hasattr(value, "get_config")
        else value
        for name, value in arguments.items()
    }


def arguments(config, custom_objects=None):
    """Inverts `config`. Raises `ValueError` if it has a later format."""
    config = dict(config)
    check_version(config.pop(KEY, VERSION))
    return {
        name: keras.saving.deserialize_keras_object(value, custom_objects)
        if isinstance(value, dict)
        else value
        for name, value in config.items()
    }
