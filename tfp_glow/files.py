# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Writing files so that they are either whole or not there."""

import contextlib
import os
import tempfile


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
        dir=folder, prefix=".writing-", suffix=f"-{name}"
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


def _flush_to_disk(path):
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
