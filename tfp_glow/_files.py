# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Writes files and folders so that they are either complete or absent."""

import contextlib
import fcntl
import os
import pathlib
import secrets
import shutil
import socket
import time

# Prefix of the names of unfinished files and folders.
_PREFIX = ".writing-"
# The file that tells who holds the lock of a folder.
_LOCK = ".lock"


@contextlib.contextmanager
def replacing(path):
    """Yields a temporary path, and renames that file to `path` at the end.

    The temporary file is in the folder of `path`, which must exist. If the
    block raises, on a full disk or Ctrl-C for example, the file is removed and
    any file at `path` stays as it was. A file that is replaced must be
    writable, and its permissions stay. A link stays, and its target is
    replaced.
    """
    target = os.path.realpath(path)
    temporary = _temporary(target)
    # Find out before the block whether the file and the folder can be written.
    try:
        if os.path.exists(target):
            open(target, "ab").close()
        open(temporary, "xb").close()
    except OSError as error:
        error.filename = os.fspath(path)
        raise
    try:
        yield temporary
        _flush_to_disk(temporary)
        if os.path.exists(target):
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
        raise


@contextlib.contextmanager
def filling(folder):
    """Yields a temporary folder, and moves its files to `folder` at the end.

    Files of the same names are replaced, `.json` files last, because those list
    the others. If the block raises, the files of `folder` stay as they were.
    """
    temporary = _temporary(os.path.join(folder, "files"))
    os.mkdir(temporary)
    try:
        yield temporary
        paths = [p for p in pathlib.Path(temporary).rglob("*") if p.is_file()]
        for path in paths:
            _flush_to_disk(path)
        for path in sorted(paths, key=lambda path: path.suffix == ".json"):
            target = pathlib.Path(folder) / path.relative_to(temporary)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def new_folder(path):
    """Yields a temporary folder, and renames it to `path` at the end.

    The temporary folder has the parent of `path`, which must exist. If the
    block raises, on a full disk or Ctrl-C for example, the folder is removed.
    Raises `FileExistsError` if `path` exists before or after the block.
    """
    check_absent(path)
    temporary = _temporary(path)
    os.mkdir(temporary)
    try:
        yield temporary
        for inner, _, names in os.walk(temporary):
            for name in names:
                _flush_to_disk(os.path.join(inner, name))
        # A rename would replace an empty folder.
        check_absent(path)
        os.rename(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


@contextlib.contextmanager
def locked(folder):
    """Makes a folder if it is missing, and holds its lock inside the block.

    The lock also ends with the process. If the folder is new and still empty at
    the end, it is removed. Raises `BlockingIOError`, which tells the holder, if
    the lock is held already.
    """
    folder = pathlib.Path(folder).absolute()
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _lock_file(folder / _LOCK) as file:
            since = time.strftime("%Y-%m-%d %H:%M:%S")
            file.write(
                f"process {os.getpid()} on {socket.gethostname()} since {since}"
            )
            file.flush()
            yield
    finally:
        for path in new:
            with contextlib.suppress(OSError):
                path.rmdir()


@contextlib.contextmanager
def _lock_file(path):
    """Yields an empty file, locked, which is removed at the end."""
    while True:
        with open(path, "a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                raise BlockingIOError(
                    "Expected a folder in which nothing else is writing. "
                    f"Received: {path.parent}, in use by {file.read()}. Wait "
                    "for it or stop it, or choose another folder"
                ) from error
            except OSError:
                pass  # Some network file systems have no locks.
            if not _is_at(path, file):
                continue  # The last holder removed it in between.
            try:
                file.truncate(0)
                yield file
            finally:
                path.unlink(missing_ok=True)
            return


def _is_at(path, file):
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def check_absent(path):
    """Raises `FileExistsError` if `path` exists, even as a broken link."""
    if os.path.lexists(path):
        raise exists_already(path)


def exists_already(path):
    """Returns the error for a `path` that should be new."""
    return FileExistsError(
        f"Expected the path of a new folder. Received: {path}, which exists "
        "already"
    )


def is_empty(folder):
    """Returns whether a folder contains no finished files."""
    return all(name.startswith((_PREFIX, _LOCK)) for name in os.listdir(folder))


def remove_unfinished(folder):
    """Removes what killed processes left; no process may be writing there."""
    for path in pathlib.Path(folder).glob(f"{_PREFIX}*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _temporary(path):
    """Returns a new path in the same folder that ends in the whole name.

    Keras looks at both endings of `model.weights.h5`.
    """
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(folder, f"{_PREFIX}{secrets.token_hex(4)}-{name}")


def _flush_to_disk(path):
    with open(path, "rb") as file:
        os.fsync(file.fileno())
