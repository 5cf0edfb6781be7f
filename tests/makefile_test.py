# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the environment of `make`, and of what it says if it cannot install."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
OLD = """
[ "$1" = --version ] && echo Python 3.9.2
"""
NO_VENV = f"""
case "$*" in *venv*) exit 1;; esac
exec {sys.executable} "$@"
"""
# pip runs, and the index that it is given does not answer.
NO_PIP = f"""
[ "$2" != venv ] || exec {sys.executable} -c "
import pathlib
pathlib.Path('.venv/bin').mkdir(parents=True)
pathlib.Path('.venv/bin/python').symlink_to('$0')"
exec {sys.executable} "$@"
"""


def first_error(folder, script, target):
    """The first line of `make` with a script as Python, if it fails."""
    for name in ("Makefile", "setup.py", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    python = folder / "python3"
    python.write_text(f"#!/bin/sh\n{script}")
    python.chmod(0o755)
    made = subprocess.run(
        ["make", target, f"PYTHON={python}"],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": "http://127.0.0.1:9/",
            "PIP_RETRIES": "1",
        },
        capture_output=True,
        text=True,
    )
    assert made.returncode != 0
    assert not (folder / ".venv/installed").exists()
    return made.stderr.splitlines()[0]


@pytest.mark.parametrize(
    ("script", "target", "expected"),
    [
        (OLD, "demo", "Expected Python 3.11 to 3.13. Received: Python 3.9.2"),
        ("exit 127", "demo", "Expected Python 3.11 to 3.13. Received: none"),
        (NO_VENV, "demo", "lacks the module venv"),
        (NO_PIP, "demo", "No network: pip could not download the packages."),
        (NO_PIP, "test", "No network: pip could not download the packages."),
    ],
    ids=["old", "missing", "no_venv", "no_network", "no_network_for_tests"],
)
def test_the_first_line_of_a_failure_says_what_is_missing(
    tmp_path, script, target, expected
):
    assert expected in first_error(tmp_path, script, target)


def test_commands_may_keep_compiled_modules_where_the_environment_forbids_it():
    printed = subprocess.run(
        ["make", "--silent", "--eval=show: ; @env", "show"],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "KEPT": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert "KEPT=1" in printed
    assert not any("PYTHONDONTWRITEBYTECODE" in line for line in printed)
