# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Model files: their format's version, and checks before and after writing.

A `.keras` file holds a model's configuration and its variables by name, see
`tracking.Tracked`. Both carry the version of the format. The only version so
far is 1.
"""

import os
import zipfile

import keras

VERSION = 1
KEY = "format_version"


def load_model(path):
    """Loads a model, with its optimizer state, from a `.keras` file.

    Raises `ValueError` if the file is missing, damaged or of a later format.
    """
    check_file(path)
    return keras.models.load_model(path)


def check_file(path):
    """Raises `ValueError` unless a whole `.keras` file is at `path`."""
    if not os.path.exists(path):
        raise ValueError(f"Expected a model file at {path}. Found no file")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except zipfile.BadZipFile:
        damaged = "its end"
    if damaged:
        raise ValueError(
            f"Expected a whole model file. Received: {path}, which is damaged "
            f"or truncated at {damaged}"
        )


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
