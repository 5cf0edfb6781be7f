# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`Grid`: images in rows and columns, with a number below each."""

import dataclasses

import numpy as np

from tfp_glow import _files
from tfp_glow.analysis.latents import flow

BITS_PER_DIM = "bits per dimension"
_CELL = 0.95  # Width of an image in inches.
_DPI = 120


@dataclasses.dataclass(frozen=True, eq=False)
class Grid:
    """Images in rows and columns.

    Attributes:
        images: float64 `[R, C, H, W, channels]`, in gray levels, not rounded or
            clipped.
        latents: float64 `[R, C, H * W * channels]`, or `None`.
        values: float64 `[R, C]`, the numbers below the images.
        unit: `str`, of these numbers.
        bins: `int`, number of gray levels.
        title: `str`.
        columns: `str`, what the labels of the columns are.
        row_labels, column_labels: tuples of `str`.
    """

    images: np.ndarray
    latents: np.ndarray | None
    values: np.ndarray
    unit: str
    bins: int
    title: str
    columns: str
    row_labels: tuple
    column_labels: tuple

    def plot(self):
        """Draws the grid as a Matplotlib `Figure`."""
        return plot(self)

    def save(self, path):
        """Writes the picture as a PNG file, whole or not at all."""
        with _files.replacing(path) as temporary:
            self.plot().savefig(temporary, format="png", dpi=_DPI)

    def to_dict(self):
        """Returns the numbers and labels, as plain values."""
        return {
            "title": self.title,
            "rows": list(self.row_labels),
            "columns": list(self.column_labels),
            self.unit: np.asarray(self.values).tolist(),
        }


def decoded(model, latents, vectors, **labels):
    """Returns the `Grid` of latents `[R, C, D]`, given vectors `[R, C, ...]`.

    The numbers are bits per dimension.
    """
    rows, columns, size = latents.shape
    if vectors is not None:
        vectors = vectors.reshape(rows * columns, *vectors.shape[2:])
    compiled = flow.of(model)
    images = compiled.decode(latents.reshape(-1, size), vectors)
    return Grid(
        images.reshape(rows, columns, *model.image_shape),
        latents,
        compiled.bits_per_dim(images, vectors).reshape(rows, columns),
        BITS_PER_DIM,
        model.bins,
        **labels,
    )


def repeated(vectors, columns):
    """Returns the vectors of rows `[R, ...]` for all columns, `[R, C, ...]`."""
    if vectors is None:
        return None
    return np.repeat(vectors[:, np.newaxis], columns, axis=1)


def plot(grid):
    """Draws a `Grid` as a Matplotlib `Figure`."""
    import matplotlib.figure

    rows, columns, height, width = grid.images.shape[:4]
    aspect = height / width
    pitch = aspect + 0.24  # Of rows, in widths of an image.
    left = 0.2 + 0.075 * max(map(len, grid.row_labels), default=0)
    lines = (
        grid.title,
        f"columns: {grid.columns}",
        f"below each image: {grid.unit}",
    )
    widths = [0.1 * len(lines[0]), *(0.075 * len(line) for line in lines[1:])]
    figure = matplotlib.figure.Figure(
        (
            left + max(1.08 * columns * _CELL, *widths) + 0.15,
            pitch * rows * _CELL + 1.05,
        ),
        dpi=_DPI,
    )
    inches = figure.get_size_inches()
    axes = figure.add_axes(
        [
            left / inches[0],
            0.05 / inches[1],
            1.08 * columns * _CELL / inches[0],
            pitch * rows * _CELL / inches[1],
        ]
    )
    axes.set_axis_off()
    axes.set_xlim(0, 1.08 * columns)
    axes.set_ylim(pitch * rows, 0)
    levels = np.nan_to_num(grid.images) / (grid.bins - 1)
    levels = np.clip(levels, 0.0, 1.0)
    if levels.shape[-1] == 1:
        levels = levels.repeat(3, axis=-1)
    small, white = dict(fontsize=8, ha="center", va="center"), 0.04
    for row in range(rows):
        y = pitch * row
        for column in range(columns):
            x = 1.08 * column + white
            axes.imshow(
                levels[row, column],
                extent=[x, x + 1, y + aspect, y],
                aspect="auto",
            )
            value = grid.values[row, column]
            if np.isfinite(value):
                text = f"{value:.2f}"
                axes.text(x + 0.5, y + aspect + 0.11, text, **small)
        if grid.row_labels:
            style = dict(fontsize=9, ha="right", va="center")
            axes.text(-0.06, y + aspect / 2, grid.row_labels[row], **style)
    axes.set_xlim(0, 1.08 * columns)
    axes.set_ylim(pitch * rows, 0)
    for column, label in enumerate(grid.column_labels):
        x = 1.08 * column + white + 0.5
        axes.text(x, -0.13, label, **small | {"fontsize": 9})
    for i, line in enumerate(lines):
        style = dict(fontsize=9) if i else dict(weight="bold", fontsize=11)
        figure.text(
            (left + white * _CELL) / inches[0],
            1.0 - (0.2 + 0.21 * i) / inches[1],
            line,
            va="center",
            **style,
        )
    return figure
