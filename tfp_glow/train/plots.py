# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pictures of samples, reconstructions and training.

Matplotlib is imported only when a picture is written.
"""

import itertools
import math

import numpy as np

from tfp_glow import _files


def image_grid(images, bins, columns=None, margin=1):
    """Arranges images in a grid on a white background.

    Args:
        images: array `[N, H, W, C]` in units of a gray level, with one or three
            channels. Values outside `[0, bins)` are clipped.
        bins: `int`, number of gray levels.
        columns: `int`, images per row; by default about as many as rows.
        margin: `int`, pixels between images.

    Returns:
        uint8 array `[height, width, 3]`.
    """
    images = np.asarray(images, np.float32)
    count, height, width, channels = images.shape
    if channels not in (1, 3):
        raise ValueError(
            "Expected images with one channel or three. Received: shape "
            f"{images.shape}"
        )
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    levels = np.clip(np.round(images), 0, bins - 1) * (255.0 / (bins - 1))
    tiles = np.full(
        [rows * columns, height + margin, width + margin, 3], 255, np.uint8
    )
    tiles[:count, margin:, margin:] = np.round(levels)
    tiles = tiles.reshape([rows, columns, *tiles.shape[1:]])
    grid = np.concatenate(np.concatenate(tiles, axis=1), axis=1)
    return np.pad(grid, [(0, margin), (0, margin), (0, 0)], constant_values=255)


def save_image_grid(
    path, images, bins, columns=None, min_width=600, title="", row_labels=()
):
    """Writes the grid of `image_grid` as a PNG file.

    Pixels are repeated until the grid is at least `min_width` wide. The lines
    of `title` are above it, the first in bold, and one of the `row_labels` to
    the left of each row.
    """
    import matplotlib.figure
    from matplotlib import transforms

    grid = image_grid(images, bins, columns)
    zoom = max(1, math.ceil(min_width / grid.shape[1]))
    grid = grid.repeat(zoom, axis=0).repeat(zoom, axis=1)
    height, width, _ = grid.shape
    scale = max(1.0, width / 900)  # Of the text, for pictures that are reduced.
    lines = title.splitlines()
    left = round(72 * scale) if row_labels else 0
    top = round((20 * len(lines) + 8) * scale) if lines else 0
    dpi = 100
    # Half a pixel more, because Matplotlib rounds sizes down.
    size = (left + width + 0.5) / dpi, (top + height + 0.5) / dpi
    figure = matplotlib.figure.Figure(figsize=size, dpi=dpi)
    figure.figimage(grid, left, 0, origin="upper")
    style = dict(va="center", transform=transforms.IdentityTransform())
    for i, line in enumerate(lines):
        weight = "normal" if i else "bold"
        y = height + top - (20 * i + 15) * scale
        # A letter is up to 0.72 pixels wide per point of its size.
        fontsize = min(10 * scale, (left + width) / (0.72 * len(line) + 1))
        style |= dict(fontsize=fontsize, fontweight=weight)
        figure.text(left + zoom, y, line, **style)
    for i, label in enumerate(row_labels):
        y = height * (1 - (i + 0.5) / len(row_labels))
        style |= dict(fontsize=10 * scale, fontweight="normal")
        figure.text(left - 4 * scale, y, label, ha="right", **style)
    with _files.replacing(path) as temporary:
        figure.savefig(temporary)


def save_curve(path, history, title="", baselines=None):
    """Plots bits per dimension against time, as a PNG file.

    Args:
        path: `str`.
        history: dictionary of equally long lists `seconds`, `bits_per_dim` and
            `val_bits_per_dim`, that of the averaged weights.
        title: `str`.
        baselines: dictionary of names and bits per dimension, drawn as broken
            lines, or named as above the axes if they are far from the curves.
    """
    import matplotlib.figure

    figure = matplotlib.figure.Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    minutes = np.asarray(history["seconds"]) / 60.0
    train, validation = history["bits_per_dim"], history["val_bits_per_dim"]
    few = "." if len(minutes) < 20 else ""
    label = "training, current weights"
    axes.plot(minutes, train, few + "-", color="#0072B2", label=label, lw=1)
    label = "validation, averaged weights"
    axes.plot(
        minutes, validation, few + "-", color="#D55E00", label=label, lw=1.5
    )
    best = np.argmin(validation)
    label = f"best validation: {validation[best]:.3f}"
    axes.plot(minutes[best], validation[best], "o", color="k", label=label)
    # Cut off the first epochs, whose high values would flatten the others.
    top = np.quantile([*train, *validation], 0.9)
    low = min(*train, *validation)
    span = top - low or 1.0  # A single epoch spans no range.
    limit = top + span
    styles = itertools.cycle([":", "--", "-."])
    for style, (name, bits) in zip(styles, (baselines or {}).items()):
        label = f"{name}: {bits:.3f}"
        if low <= bits <= limit:
            top = max(top, bits)
        elif bits > limit:
            label += ", above the axes"
        axes.axhline(bits, color="gray", ls=style, lw=1, label=label)
        low = min(low, bits)
    span = top - low or 1.0
    axes.set_ylim(low - 0.05 * span, top + 0.1 * span)
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("minutes of training")
    axes.set_ylabel("bits per dimension")
    axes.legend(frameon=False)
    with _files.replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
