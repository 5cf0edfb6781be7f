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
        import matplotlib.figure

        rows, columns, height, width = self.images.shape[:4]
        # All positions are in inches, from the upper left corner.
        tall = _CELL * height / width
        left = 0.2 + 0.075 * max(map(len, self.row_labels), default=0)
        xs = left + _CELL * (0.04 + 1.08 * np.arange(columns))
        ys = 1.0 + (tall + 0.24 * _CELL) * np.arange(rows + 1)
        lines = (
            self.title,
            f"columns: {self.columns}",
            f"below each image: {self.unit}",
        )
        widths = [1.08 * _CELL * columns, 0.1 * len(lines[0])]
        widths += [0.075 * len(line) for line in lines[1:]]
        size = left + max(widths) + 0.15, ys[-1] + 0.05
        figure = matplotlib.figure.Figure(size, dpi=_DPI)
        axes = figure.add_axes([0, 0, 1, 1])
        axes.set_axis_off()
        levels = np.nan_to_num(self.images) / (self.bins - 1)
        levels = np.clip(levels, 0.0, 1.0)
        levels = np.broadcast_to(levels, [*levels.shape[:-1], 3])
        centered = dict(ha="center", va="center")
        for (row, column), value in np.ndenumerate(self.values):
            x, y = xs[column], ys[row]
            extent = [x, x + _CELL, y + tall, y]
            axes.imshow(levels[row, column], extent=extent, aspect="auto")
            if np.isfinite(value):
                x, y = x + _CELL / 2, y + tall + 0.11 * _CELL
                axes.text(x, y, f"{value:.2f}", fontsize=8, **centered)
        for y, label in zip(ys + tall / 2, self.row_labels):
            place = dict(ha="right", va="center")
            axes.text(left - 0.06, y, label, fontsize=9, **place)
        for x, label in zip(xs + _CELL / 2, self.column_labels):
            axes.text(x, 0.88, label, fontsize=9, **centered)
        for i, line in enumerate(lines):
            style = dict(fontsize=9) if i else dict(weight="bold", fontsize=11)
            axes.text(xs[0], 0.2 + 0.21 * i, line, va="center", **style)
        axes.set_xlim(0, size[0])
        axes.set_ylim(size[1], 0)
        return figure

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
