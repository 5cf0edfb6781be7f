# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Writes files and folders so that they are either complete or absent."""

import contextlib
import os
import shutil
import tempfile

# Prefix of the names of unfinished files and folders.
_PREFIX = ".writing-"


@contextlib.contextmanager
def replacing(path):
    """Yields a temporary path, and renames that file to `path` at the end.

    If the block raises, on a full disk or Ctrl-C for example, the temporary
    file is removed and any file at `path` stays as it was.

    Args:
        path: `str` or `os.PathLike`; its folder must exist.

    Yields:
        `str`, a path in the same folder with the same ending.
    """
    folder, name = os.path.split(os.path.abspath(path))
    # The temporary name ends in the whole name, because Keras looks at both
    # endings of `model.weights.h5`.
    handle, temporary = tempfile.mkstemp(
        dir=folder, prefix=_PREFIX, suffix=f"-{name}"
    )
    os.close(handle)
    try:
        yield temporary
        _flush_to_disk(temporary)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
        raise


@contextlib.contextmanager
def new_folder(path):
    """Yields a temporary folder, and renames it to `path` at the end.

    If the block raises, on a full disk or Ctrl-C for example, the temporary
    folder is removed and nothing is at `path`.

    Args:
        path: `str` or `os.PathLike`; its parent must exist, and it must not.

    Yields:
        `str`, the path of an empty folder in the same parent.

    Raises:
        FileExistsError: if `path` exists before or after the block.
    """
    check_absent(path)
    folder, name = os.path.split(os.path.abspath(path))
    temporary = tempfile.mkdtemp(dir=folder, prefix=_PREFIX, suffix=f"-{name}")
    try:
        yield temporary
        for inner, _, names in os.walk(temporary):
            for name in names:
                _flush_to_disk(os.path.join(inner, name))
        os.chmod(temporary, 0o777 & ~_umask())
        # A rename would replace an empty folder.
        check_absent(path)
        os.rename(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def check_absent(path):
    """Raises `FileExistsError` if `path` exists, even as a broken link."""
    if os.path.lexists(path):
        raise FileExistsError(
            f"Expected the path of a new folder. Received: {path}, which "
            "exists already"
        )


def is_empty(folder):
    """Returns whether a folder contains no finished files."""
    return all(name.startswith(_PREFIX) for name in os.listdir(folder))


def remove_unfinished(folder):
    """Removes unfinished files that killed processes left in a folder.

    Args:
        folder: `str` or `os.PathLike`. No process may be writing in it.
    """
    for entry in os.scandir(folder):
        if not entry.name.startswith(_PREFIX):
            continue
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.remove(entry.path)


def _flush_to_disk(path):
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
