# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs every notebook in its quick mode, and looks at what is committed."""

import importlib.metadata
import os
import pathlib
import re
import runpy
import sys

import nbformat
import pytest

from tests import install_cell

_COLAB = pathlib.Path(__file__).parents[1] / "colab"
_PATHS = sorted(_COLAB.glob("*.ipynb"))
_ANSWER = re.compile(
    r"<details>\n<summary>Answer</summary>\n\n"
    r"```python\n(.+)\n```\n\n</details>",
    re.DOTALL,
)
_every = pytest.mark.parametrize("path", _PATHS, ids=lambda path: path.stem)


def _read(path):
    return nbformat.read(path, as_version=4)


@pytest.mark.slow
@_every
def test_every_cell_and_every_hidden_answer_runs(path, monkeypatch):
    monkeypatch.setenv("TFP_GLOW_QUICK", "1")
    notebook = _read(path)
    for cell in notebook.cells:
        if cell.source.startswith("<details>"):
            [cell.source] = _ANSWER.fullmatch(cell.source).groups()
            cell.update(cell_type="code", outputs=[], execution_count=None)
    execute = runpy.run_path(str(_COLAB / "execute.py"))
    execute["execute"](notebook)
    execute["thumbnail"](notebook)


@_every
def test_a_notebook_is_committed_with_its_outputs_and_no_error(path):
    cells = [cell for cell in _read(path).cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    assert [cell.execution_count for cell in cells] == list(
        range(1, len(cells) + 1)
    )
    assert any(output.output_type == "display_data" for output in outputs)
    assert not any(output.output_type == "error" for output in outputs)
    assert not any(output.get("name") == "stderr" for output in outputs)
    assert path.stat().st_size < 1_000_000


@_every
def test_a_notebook_has_the_parts_that_a_reader_expects(path):
    cells = _read(path).cells
    assert cells[0].source.startswith("# ")
    assert "minute" in cells[0].source
    assert install_cell.source(path) == install_cell.source(_PATHS[0])
    assert any(_ANSWER.fullmatch(cell.source) for cell in cells)
    assert cells[-1].source.startswith("## Where to go next")


def test_the_readme_and_the_site_name_every_notebook():
    names = {path.name for path in _PATHS}
    for page in ("README.md", "docs/index.md"):
        text = (_COLAB.parent / page).read_text(encoding="utf-8")
        assert set(re.findall(r"\w+\.ipynb", text)) == names


def test_the_install_cell_refuses_an_old_python(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 12))
    with pytest.raises(RuntimeError, match=r"requires Python 3\.11 to 3\.13"):
        install_cell.run("tfp_glow.whl", monkeypatch)


def test_the_install_cell_refuses_keras_2(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.15.0")
    with pytest.raises(RuntimeError, match=r"requires Keras 3.*Keras 2\.15\.0"):
        install_cell.run("tfp_glow.whl", monkeypatch, installed=True)


def test_the_install_cell_asks_for_a_source(monkeypatch):
    with pytest.raises(RuntimeError, match=r"names no repository yet"):
        install_cell.run(None, monkeypatch)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("missing.whl", r"pip could not install tfp_glow from missing\.whl"),
        ("not-an-installed-package", "No network: pip could not download"),
    ],
)
def test_the_install_cell_says_why_pip_failed(source, message, monkeypatch):
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(RuntimeError, match=message) as caught:
        install_cell.run(source, monkeypatch)
    assert str(caught.value.__cause__)
