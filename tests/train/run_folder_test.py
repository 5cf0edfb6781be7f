# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the files of a run that people may edit, and of its lock."""

import json
import os
import re
import socket
import subprocess
import sys

import pytest

from tfp_glow import _files
from tfp_glow.train import run_folder

_HEADER = "epoch,bits_per_dim,seconds,step,val_bits_per_dim"
_ROWS = ["0,4.5,1.5,8,4.25", "1,4.0,3.0,16,4.125"]


@pytest.fixture
def folder(tmp_path):
    """A folder of two complete epochs."""
    text = "\n".join([_HEADER, *_ROWS, ""])
    (tmp_path / "metrics.csv").write_text(text)
    settings = {"dataset": "digits", "flip": True, "num_steps": 2}
    text = json.dumps({"settings": settings}, indent=2)
    (tmp_path / "config.json").write_text(text)
    return run_folder.RunFolder(tmp_path)


def replace(path, old, new):
    with open(path) as file:
        text = file.read()
    assert old in text
    with open(path, "w") as file:
        file.write(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("4.25", "good", "line 2: .* number in column val_bits_per_dim.*good"),
        ("4.125", "nan", "line 3: .* number in column val_bits_per_dim.*nan"),
        ("1.5", "", "line 2: Expected a finite number in column seconds"),
        ("16", "16.5", "line 3: Expected an integer in column step.*16.5"),
        ("step", "steps", r"line 1: Expected a column step\. .*'steps'"),
        (",", ";", "line 1: Expected a column epoch"),
        (_ROWS[1], _ROWS[0], "line 3: Expected 1 in column epoch.*: 0"),
        (_ROWS[0], f"{_ROWS[0]}\n{_ROWS[0]}", "line 3: Expected 1 in column"),
        (_ROWS[0], "0,4.5", "line 2: Expected .* column seconds.*None"),
        (_ROWS[0], f"{_ROWS[0]},7", "line 2: Expected .* column None.*7"),
        ("4.0", "4.0\0", "line"),
    ],
)
def test_damaged_metrics_are_errors_that_name_the_place(
    folder, old, new, message
):
    path = folder.file("metrics.csv")
    replace(path, old, new)
    with pytest.raises(ValueError, match=f"{re.escape(path)}: {message}"):
        _ = folder.history


def test_a_byte_order_mark_is_skipped(folder):
    expected = folder.history, folder.settings
    assert [row["step"] for row in expected[0]] == ["8", "16"]
    for name in ("metrics.csv", "config.json"):
        with open(folder.file(name), "r+b") as file:
            text = file.read()
            file.seek(0)
            file.write("\ufeff".encode() + text)
    assert (folder.history, folder.settings) == expected


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("true", '"no"', "line 4: .*`flip`.*True or False.*'no'"),
        (": 2", ': "2"', "line 5: .*`num_steps`.*integer.*'2'"),
        (": 2", ": 2.0", "line 5: .*`num_steps`.*integer.*2.0"),
        ("num_steps", "num_step", "line 5: .*Did you mean 'num_steps'"),
        ('"digits"', "7", "line 3: .*`dataset`.*a name or a path.*7"),
        ('"dataset": "digits",', "", "line 1: .*`dataset`.*None"),
        ("true", "NaN", "line 4: .*`flip`.*nan"),
        ("true", 'true, "conditioned": "priors"', "`conditioned`"),
    ],
)
def test_wrong_settings_are_errors_that_name_the_place(
    folder, old, new, message
):
    path = folder.file("config.json")
    replace(path, old, new)
    with pytest.raises(ValueError, match=f"{re.escape(path)}.*{message}"):
        _ = folder.settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "JSONDecodeError: .*line 1 column 1"),
        (
            b'{"settings": {\n"flip": tru}}',
            "JSONDecodeError: .*line 2 column 9",
        ),
        (b"[" * 100_000, "RecursionError"),
        (b"\xff", "UnicodeDecodeError"),
        (b'{"settings": 3}', "TypeError"),
        (b'{"epochs": 3}', "KeyError: 'settings'"),
    ],
)
def test_another_file_than_a_config_is_an_error(folder, text, message):
    path = folder.file("config.json")
    with open(path, "wb") as file:
        file.write(text)
    with pytest.raises(ValueError, match=f"{re.escape(path)}.*{message}"):
        _ = folder.settings


# The lock.


def test_a_lock_is_refused_to_others_and_says_who_holds_it(tmp_path):
    folder = run_folder.RunFolder(tmp_path / "new" / "run")
    with folder.lock():
        assert _files.is_empty(folder.path)
        holder = rf"process {os.getpid()} on {socket.gethostname()} since 2"
        for _ in range(2):
            with pytest.raises(BlockingIOError, match=holder), folder.lock():
                pass
    # A folder in which nothing was written does not stay.
    assert os.listdir(tmp_path) == []
    with folder.lock():
        folder.write_json("config.json", {})
    assert os.listdir(folder.path) == ["config.json"]
    with folder.lock():
        pass


_HOLD = """
import runpy, sys, time
with runpy.run_path(sys.argv[1])["locked"](sys.argv[2]):
    print("locked", flush=True)
    time.sleep(600)
"""


def test_a_lock_ends_with_its_process(tmp_path):
    folder = run_folder.RunFolder(tmp_path / "run")
    command = [sys.executable, "-c", _HOLD, _files.__file__, folder.path]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"locked\n"
        holder = f"process {process.pid} on"
        with pytest.raises(BlockingIOError, match=holder), folder.lock():
            pass
        process.kill()
    assert os.listdir(folder.path) == [".lock"]
    with folder.lock():
        assert _files.is_empty(folder.path)
    assert os.listdir(folder.path) == []


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    for name in ("file", "file/run", "a\0b", "a" * 300):
        folder = run_folder.RunFolder(tmp_path / name)
        with pytest.raises(OSError, match="can be written"), folder.lock():
            pass
    assert os.listdir(tmp_path) == ["file"]
