# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs commands that measure, and identifies the code that they run."""

import ast
import hashlib
import json
import os
import pathlib
import subprocess

_PACKAGE = pathlib.Path(__file__).parents[1] / "tfp_glow"
_FOLDERS = ("bijectors", "distributions", "models", "networks")
_WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef)


def output_of(command):
    """Returns the JSON in the last line that a command prints.

    The command runs on the CPU, and TensorFlow does not log.

    Raises:
        RuntimeError: if it fails, with the last lines of its output.
    """
    process = subprocess.run(
        command,
        env={
            **os.environ,
            "CUDA_VISIBLE_DEVICES": "",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        },
        capture_output=True,
        text=True,
    )
    if process.returncode != 0:
        last = "\n".join(process.stderr.splitlines()[-8:])
        raise RuntimeError(f"exit status {process.returncode}\n{last}")
    return json.loads(process.stdout.splitlines()[-1])


def digest(sources, with_package):
    """Returns eight digits that change with the code of Python files.

    Comments and docstrings do not count.

    Args:
        sources: list of paths.
        with_package: `bool`, whether to include the files of the package that
            take part in a training step.
    """
    if with_package:
        sources = [*sources, *_PACKAGE.glob("_*.py")]
        for folder in _FOLDERS:
            sources += _PACKAGE.glob(f"{folder}/*.py")
    hashed = hashlib.sha256()
    for source in sorted(sources):
        tree = ast.parse(source.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, _WITH_DOCSTRING) and ast.get_docstring(node):
                node.body = node.body[1:]
        hashed.update(ast.dump(tree).encode())
    return hashed.hexdigest()[:8]
