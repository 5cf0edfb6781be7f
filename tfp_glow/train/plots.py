# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pictures of samples, reconstructions and training.

Matplotlib is imported only when a picture is written.
"""

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


def save_image_grid(path, images, bins, columns=None, min_width=512):
    """Writes the grid of `image_grid` as a PNG file.

    Pixels are repeated until the picture is at least `min_width` wide.
    """
    import matplotlib.image

    grid = image_grid(images, bins, columns)
    zoom = max(1, math.ceil(min_width / grid.shape[1]))
    grid = grid.repeat(zoom, axis=0).repeat(zoom, axis=1)
    with _files.replacing(path) as temporary:
        matplotlib.image.imsave(temporary, grid)


def save_curve(path, history):
    """Plots bits per dimension against time, as a PNG file.

    Args:
        path: `str`.
        history: dictionary of equally long lists `seconds`, `bits_per_dim` and
            `val_bits_per_dim`.
    """
    import matplotlib.figure

    figure = matplotlib.figure.Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    minutes = np.asarray(history["seconds"]) / 60.0
    train, validation = history["bits_per_dim"], history["val_bits_per_dim"]
    axes.plot(minutes, train, label="train", lw=1)
    axes.plot(minutes, validation, label="validation", lw=1.5)
    best = np.argmin(validation)
    label = f"best: {validation[best]:.3f}"
    axes.plot(minutes[best], validation[best], "o", label=label)
    # Cut off the first epochs, whose high values would flatten the others.
    top = np.quantile(validation, 0.9)
    low = min(*train, *validation)
    span = top - low or 1.0  # A single epoch spans no range.
    axes.set_ylim(low - 0.05 * span, top + 0.1 * span)
    axes.set_xlabel("minutes of training")
    axes.set_ylabel("bits per dimension")
    axes.legend(frameon=False)
    with _files.replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
