# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Installs other libraries into environments of their own."""

import os
import pathlib
import subprocess
import sys

_ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDER = _ROOT / ".venv-peers"
REQUIREMENTS = {
    "normflows": ("normflows==1.7.3", "torch==2.13.0", "numpy>=2.0,<2.4"),
}


def python_of(case):
    """Returns the interpreter for a case, and installs its packages if needed.

    Args:
        case: `str`. A key of `REQUIREMENTS` has an environment of its own.

    Returns:
        `str`, a path.

    Raises:
        subprocess.CalledProcessError: if they cannot be installed.
    """
    if case not in REQUIREMENTS:
        return sys.executable
    return environment(case, *REQUIREMENTS[case])


def environment(name, *packages):
    """Returns the interpreter of an environment with packages, a path."""
    folder = FOLDER / name
    python = str(folder / "bin" / "python")
    wanted = "\n".join(packages)
    # Written last, so that an interrupted installation is repeated.
    marker = folder / "installed"
    if marker.exists() and marker.read_text() == wanted:
        return python
    print(f"Installing {name} into {os.path.relpath(folder)}.", flush=True)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / ".gitignore").write_text("*\n")
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [python, "-m", "pip", "install", "--quiet", *packages],
    ):
        subprocess.run(command, check=True)
    marker.write_text(wanted)
    return python
