# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a model's files hold: variables by name, and a version of the format.

| version | what it is |
|---|---|
| 1 | variables by the names of `adoption.stable_names`, and `initialized` |
| 2 | the same; in a `GlowModel`'s configuration `coupling` in the place of `additive` |
"""

import os
import zipfile

import numpy as np

VERSION = 2
KEY = "format_version"


def check_file(path):
    """Raises `ValueError` unless a model file is there, and whole."""
    if not os.path.exists(path):
        raise ValueError(f"Expected a model file at {path}. Found no file")
    if not os.fspath(path).endswith(".keras"):
        return  # HDF5 is checked by who reads it.
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except zipfile.BadZipFile:
        damaged = "its end"
    if damaged:
        raise damaged_file(path, damaged)


def damaged_file(path, where):
    """The `ValueError` for a file that is not whole."""
    return ValueError(
        f"Expected a whole model file. Received: {path}, which is damaged "
        f"or truncated at {where}"
    )


def check_version(version):
    """Raises `ValueError` for files of later versions of this package."""
    if version > VERSION:
        raise ValueError(
            f"Expected a file of format {VERSION} or earlier. Received: format "
            f"{version}, which a later version of tfp_glow wrote"
        )


def write(store, variables):
    """Writes variables by name.

    Args:
        store: what Keras hands to `save_own_variables`.
        variables: dictionary of `keras.Variable`s.
    """
    store[KEY] = np.int32(VERSION)
    for name, variable in variables.items():
        store[name] = variable


def read(store, variables):
    """Reads all variables, or none.

    Args:
        store: what Keras hands to `load_own_variables`.
        variables: dictionary of `keras.Variable`s, which are assigned to.

    Raises:
        ValueError: if the store is of a later format, or of other variables.
    """
    received = set(store.keys())
    if KEY in received:
        received.remove(KEY)
        check_version(int(np.asarray(store[KEY])))
    if received != variables.keys():
        differing = sorted(received ^ variables.keys())
        raise ValueError(
            "The file holds the weights of another distribution. Expected "
            f"{len(variables)} variables. Received: {len(received)}; names "
            f"in one alone are {', '.join(differing[:5])}"
        )
    for name, variable in variables.items():
        if variable.shape != store[name].shape:
            raise ValueError(
                "The file holds the weights of another distribution. "
                f"Expected `{name}` of shape {variable.shape}. "
                f"Received: {store[name].shape}"
            )
    for name, variable in variables.items():
        variable.assign(store[name])
