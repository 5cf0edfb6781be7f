# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Writing files so that they are either whole or not there."""

import contextlib
import os
import shutil
import tempfile

# Of the names of what is not finished.
_PREFIX = ".writing-"


@contextlib.contextmanager
def replacing(path):
    """Gives a temporary name beside `path`, and renames it to `path` at the end.

    If the block raises, a full disk or Ctrl-C included, the temporary file is
    removed and whatever was at `path` stays as it was.

    Args:
        path: `str` or `os.PathLike`; its folder must exist.

    Yields:
        `str`, a path in the same folder with the same ending.
    """
    folder, name = os.path.split(os.path.abspath(path))
    # Only the last component, so that `model.weights.h5` keeps both endings.
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
    """Gives a temporary folder beside `path`, and renames it to `path` at the end.

    If the block raises, a full disk or Ctrl-C included, the temporary folder is
    removed and nothing is at `path`.

    Args:
        path: `str` or `os.PathLike`; its folder must exist, and it must not.

    Yields:
        `str`, an empty folder in the same folder.

    Raises:
        FileExistsError: if there is anything at `path`, before the block or
            after it.
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
    """Raises `FileExistsError` if there is anything at `path`."""
    if os.path.lexists(path):
        raise FileExistsError(
            f"Expected the path of a new folder. Received: {path}, which "
            "exists already"
        )


def is_empty(folder):
    """Whether nothing finished is in a folder."""
    return all(name.startswith(_PREFIX) for name in os.listdir(folder))


def remove_unfinished(folder):
    """Removes what processes that were killed have left of their writing.

    Args:
        folder: `str` or `os.PathLike`, in which no process is writing now.
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
