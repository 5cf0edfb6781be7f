# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs the first cell of the notebooks, which installs the package."""

import importlib.util
import pathlib
import re

import nbformat

_NOTEBOOK = pathlib.Path(__file__).parents[1] / "colab" / "01_flows.ipynb"


def source(path=_NOTEBOOK):
    """Returns the code of the cell in the notebook at `path`."""
    cells = nbformat.read(path, as_version=4).cells
    [cell] = [cell for cell in cells if cell.metadata.get("cellView")]
    return cell.source


def run(package, monkeypatch, installed=False):
    """Runs the cell with its variable set to `package`, if that is given."""
    code = source()
    if package:
        before, after = re.split(r'^SOURCE = "[^"]*"', code, flags=re.MULTILINE)
        code = f"{before}SOURCE = {package!r}{after}"
    if not installed:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    exec(code, {})
