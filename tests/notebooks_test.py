# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs every notebook in its quick mode, and looks at what is committed."""

import pathlib

import nbclient
import nbformat
import pytest

NOTEBOOKS = sorted(
    (pathlib.Path(__file__).parents[1] / "colab").glob("*.ipynb")
)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_of_a_notebook_runs(path, tmp_path, monkeypatch):
    monkeypatch.setenv("TFP_GLOW_QUICK", "1")
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_with_its_outputs_and_no_error(path):
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    assert [cell.execution_count for cell in cells] == list(
        range(1, len(cells) + 1)
    )
    assert any(output.output_type == "display_data" for output in outputs)
    assert not any(output.output_type == "error" for output in outputs)
    assert not any(
        output.output_type == "stream" and output.name == "stderr"
        for output in outputs
    )


def test_there_is_a_notebook():
    assert [path.name for path in NOTEBOOKS] == ["train_glow.ipynb"]
