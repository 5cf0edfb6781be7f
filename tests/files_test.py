# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.files`."""

import errno
import os
import stat

import pytest

from tfp_glow import _files


@pytest.fixture
def path(tmp_path):
    """A file that exists, alone in its folder."""
    path = tmp_path / "model.weights.h5"
    path.write_bytes(b"before")
    return path


def write(name, content):
    with open(name, "wb") as file:
        file.write(content)


def test_the_file_is_replaced_when_the_block_ends(path):
    with _files.replacing(path) as temporary:
        write(temporary, b"after")
        assert path.read_bytes() == b"before"
    assert path.read_bytes() == b"after"
    assert os.listdir(path.parent) == [path.name]


def test_a_file_that_was_not_there_is_made(tmp_path):
    with _files.replacing(tmp_path / "new.csv") as temporary:
        write(temporary, b"new")
    assert (tmp_path / "new.csv").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["new.csv"]


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()],
)
def test_an_interrupted_write_leaves_the_file_as_it_was(path, error):
    with (
        pytest.raises(type(error)) as raised,
        _files.replacing(path) as temporary,
    ):
        write(temporary, b"half of")
        raise error
    assert raised.value is error
    assert path.read_bytes() == b"before"
    assert os.listdir(path.parent) == [path.name]


def test_a_failed_write_to_a_new_path_leaves_nothing(tmp_path):
    with (
        pytest.raises(RuntimeError),
        _files.replacing(tmp_path / "x") as temporary,
    ):
        write(temporary, b"half of")
        raise RuntimeError
    assert os.listdir(tmp_path) == []


def test_the_block_may_remove_the_temporary_file_and_fail(path):
    with (
        pytest.raises(RuntimeError, match="mine"),
        _files.replacing(path) as temporary,
    ):
        os.remove(temporary)
        raise RuntimeError("mine")
    assert path.read_bytes() == b"before"


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_are_those_of_an_ordinary_new_file(tmp_path, umask):
    before = os.umask(umask)
    try:
        with _files.replacing(tmp_path / "ours") as temporary:
            write(temporary, b"x")
        (tmp_path / "ordinary").write_bytes(b"x")
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    modes = [
        stat.S_IMODE((tmp_path / name).stat().st_mode)
        for name in ("ours", "ordinary")
    ]
    assert modes[0] == modes[1] == 0o666 & ~umask


def test_the_temporary_file_is_beside_the_path_with_its_endings(path):
    with _files.replacing(path) as temporary:
        assert os.path.dirname(temporary) == str(path.parent)
        assert temporary.endswith("model.weights.h5")
        assert temporary != str(path)


def test_a_path_without_a_folder_is_in_the_working_directory(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with _files.replacing("x.txt") as temporary:
        write(temporary, b"x")
    assert (tmp_path / "x.txt").read_bytes() == b"x"


@pytest.mark.parametrize("context", [_files.replacing, _files.new_folder])
def test_a_missing_folder_is_an_error(tmp_path, context):
    with pytest.raises(FileNotFoundError), context(tmp_path / "no" / "x"):
        pass


def test_a_link_stays_and_its_target_is_replaced(tmp_path, path):
    link = tmp_path / "link"
    link.symlink_to(path)
    with _files.replacing(link) as temporary:
        assert os.path.dirname(temporary) == str(path.parent)
        write(temporary, b"after")
    assert link.is_symlink()
    assert path.read_bytes() == b"after"


def test_a_replaced_file_keeps_its_permissions(path):
    path.chmod(0o640)
    with _files.replacing(path) as temporary:
        write(temporary, b"after")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_what_cannot_be_replaced_is_an_error_that_names_it(tmp_path):
    for path, error in (
        (tmp_path, IsADirectoryError),
        (tmp_path / "no" / "x", FileNotFoundError),
    ):
        with pytest.raises(error) as raised, _files.replacing(path):
            pass
        assert raised.value.filename == str(path)
    assert os.listdir(tmp_path) == []


# Folders.


def fill(folder):
    os.mkdir(os.path.join(folder, "inner"))
    for name in ("a", os.path.join("inner", "b")):
        write(os.path.join(folder, name), b"new")


def test_a_folder_is_there_when_the_block_ends(tmp_path):
    path = tmp_path / "new"
    with _files.new_folder(path) as temporary:
        assert os.path.dirname(temporary) == str(tmp_path)
        assert os.listdir(temporary) == []
        fill(temporary)
        assert not path.exists()
    assert (path / "inner" / "b").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["new"]


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_permissions_are_those_of_an_ordinary_new_folder(tmp_path, umask):
    before = os.umask(umask)
    try:
        with _files.new_folder(tmp_path / "new"):
            pass
    finally:
        os.umask(before)
    mode = stat.S_IMODE((tmp_path / "new").stat().st_mode)
    assert mode == 0o777 & ~umask


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()],
)
def test_an_interrupted_folder_leaves_nothing(tmp_path, error):
    with (
        pytest.raises(type(error)) as raised,
        _files.new_folder(tmp_path / "new") as temporary,
    ):
        fill(temporary)
        raise error
    assert raised.value is error
    assert os.listdir(tmp_path) == []


def test_a_folder_that_exists_is_an_error_before_the_block(path):
    entered = []
    with (
        pytest.raises(
            FileExistsError, match=r"model\.weights\.h5, which exists"
        ),
        _files.new_folder(path) as temporary,
    ):
        entered.append(temporary)
    assert entered == []
    assert path.read_bytes() == b"before"
    assert os.listdir(path.parent) == [path.name]


def test_a_folder_that_another_made_meanwhile_is_left_alone(tmp_path):
    path = tmp_path / "new"
    with (
        pytest.raises(FileExistsError),
        _files.new_folder(path) as temporary,
    ):
        fill(temporary)
        path.mkdir()
    assert os.listdir(tmp_path) == ["new"]
    assert os.listdir(path) == []


def test_what_is_unfinished_is_removed_and_nothing_else(tmp_path):
    with pytest.raises(KeyError), _files.replacing(tmp_path / "a.csv") as name:
        write(f"{name}2", b"as if killed")
        raise KeyError
    (tmp_path / ".writing-3-saved_model" / "variables").mkdir(parents=True)
    (tmp_path / ".writing-4-x").symlink_to(tmp_path / "model")
    assert _files.is_empty(tmp_path)
    (tmp_path / ".hidden").touch()
    (tmp_path / "model").mkdir()
    assert not _files.is_empty(tmp_path)
    assert len(os.listdir(tmp_path)) == 5
    _files.remove_unfinished(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".hidden", "model"]


def test_files_of_a_folder_are_replaced_and_others_stay(tmp_path):
    for name in ("a", "old"):
        write(tmp_path / name, b"before")
    with _files.filling(tmp_path) as temporary:
        fill(temporary)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "inner" / "b").read_bytes() == b"new"
    assert (tmp_path / "old").read_bytes() == b"before"
    assert sorted(os.listdir(tmp_path)) == ["a", "inner", "old"]


def test_an_interruption_leaves_the_files_of_a_folder(tmp_path):
    write(tmp_path / "a", b"before")
    with pytest.raises(RuntimeError), _files.filling(tmp_path) as temporary:
        fill(temporary)
        raise RuntimeError
    assert (tmp_path / "a").read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["a"]
