# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs notebooks, and writes them with their outputs and thumbnails.

    make notebooks                                 # all of them
    python colab/execute.py colab/07_trust.ipynb   # some

The picture of the cell with the tag `thumbnail` becomes `docs/thumbnails/NAME.png`.
A notebook that fails is left as it was.
"""

import base64
import io
import os
import pathlib
import re
import sys
import tempfile
import time

import nbclient
import nbformat
from PIL import Image

from tfp_glow import _files

_COLAB = pathlib.Path(__file__).resolve().parent
_THUMBNAILS = _COLAB.parent / "docs" / "thumbnails"
_SIZE = (360, 240)
# TensorFlow's C++ code logs about the machine when it is imported.
_LOG = re.compile(
    r"^(?:WARNING: All log messages before absl|I\d{4} ).*\n", re.M
)


def execute(notebook):
    """Runs all cells in an empty folder, which they must leave empty.

    Raises:
      nbclient.exceptions.CellExecutionError: If a cell fails.
      RuntimeError: If a cell writes to stderr, or leaves a file.
    """
    with tempfile.TemporaryDirectory() as folder:
        nbclient.NotebookClient(
            notebook,
            timeout=1800,
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": folder}},
        ).execute()
        if left := os.listdir(folder):
            raise RuntimeError(f"The notebook left files. Received: {left}")
    for cell in notebook.cells:
        for output in list(cell.get("outputs", [])):
            if output.get("name") == "stderr":
                cell.outputs.remove(output)
                if text := _LOG.sub("", output.text):
                    raise RuntimeError(
                        f"A cell wrote to stderr:\n{cell.source}\n{text}"
                    )


def reduce_colors(notebook):
    """Stores pictures with 256 colors, in about half of the space."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if png := output.get("data", {}).get("image/png"):
                picture = _on_white(png).quantize(256)
                file = io.BytesIO()
                picture.save(file, "PNG", optimize=True)
                output.data["image/png"] = base64.b64encode(
                    file.getvalue()
                ).decode()


def _on_white(png):
    """Returns a base64-encoded picture as an opaque PIL image."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")


def thumbnail(notebook):
    """Scales the last picture of the tagged cell onto white, as a PIL image."""
    [cell] = [
        cell
        for cell in notebook.cells
        if "thumbnail" in cell.metadata.get("tags", [])
    ]
    *_, png = [
        output.data["image/png"]
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    picture = _on_white(png)
    picture.thumbnail(_SIZE, Image.Resampling.LANCZOS)
    whole = Image.new("RGB", _SIZE, "white")
    left, top = [(a - b) // 2 for a, b in zip(_SIZE, picture.size)]
    whole.paste(picture, (left, top))
    return whole


def main(paths):
    """Runs the notebooks of `paths`, or all of them."""
    _THUMBNAILS.mkdir(exist_ok=True)
    for path in map(pathlib.Path, paths or sorted(_COLAB.glob("*.ipynb"))):
        notebook = nbformat.read(path, as_version=4)
        started = time.monotonic()
        execute(notebook)
        seconds = time.monotonic() - started
        small = _THUMBNAILS / f"{path.stem}.png"
        with _files.replacing(str(small)) as temporary:
            thumbnail(notebook).save(temporary, format="PNG", optimize=True)
        reduce_colors(notebook)
        with _files.replacing(str(path)) as temporary:
            nbformat.write(notebook, temporary)
        size = path.stat().st_size / 1000
        print(f"{path.name}: {seconds:.0f} s, {size:.0f} kB", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
