# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pictures of a model's samples and reconstructions, of bounded size."""

import math
import os

import numpy as np

from tfp_glow import _checks
from tfp_glow.datasets import sources
from tfp_glow.distributions import baselines
from tfp_glow.train import evaluation
from tfp_glow.train import plots

# The pictures that a training writes in its folder.
_OWN = ("curve.png", "reconstructions.png", "samples.png")
_COLUMNS = 16  # Of a picture of reconstructions.
_NUM_FOR_BASELINES = 1000  # Images of a split.
_BATCH_SIZE = 128  # Images that are drawn at a time.
_MAX_PIXELS = 2**25  # They take about 1 GiB until the picture is written.


def check_request(path, num):
    """Raises `ValueError` before any work, unless `num` images fit in a file."""
    _checks.positive_integer(num=num)
    expected = "a path that ends in .png, in a folder that exists"
    if path is None:
        return
    path = os.fsdecode(path)
    is_picture = path.lower().endswith(".png") and not os.path.isdir(path)
    if not is_picture or not os.path.isdir(os.path.dirname(path) or "."):
        raise _checks.invalid_value("out", path, expected)
    folder, name = os.path.split(os.path.realpath(path))
    if name in _OWN and os.path.exists(os.path.join(folder, "config.json")):
        expected = "another name than those of the training's own pictures"
        raise _checks.invalid_value("out", path, expected)


def _check_size(num, model):
    """Raises `ValueError` if a picture of `num` images would be too large."""
    height, width, _ = model.image_shape
    largest = _MAX_PIXELS // ((height + 1) * (width + 1))
    if num > largest:
        pixels = num * (height + 1) * (width + 1)
        expected = (
            f"at most {largest}, since a picture of {num} images would have "
            f"{pixels / 1e6:.0f} million pixels and take {pixels / 2**25:.0f} "
            "GiB of memory"
        )
        raise _checks.invalid_value("num", num, expected)


def write_samples(path, model, num, temperature, seed, label=None, source=""):
    """Draws images in batches and writes a picture of them.

    Args:
        path: .png file.
        model: `GlowModel`.
        num, temperature, seed: see `GlowModel.sample`.
        label: class of all images, or `None` for all classes in turn.
        source: `str`, second line of the title.
    """
    _check_size(num, model)
    labels = evaluation.labels_in_turn(num, model.num_classes)
    if label is not None:
        if label not in range(model.num_classes or 0):
            expected = f"an integer in [0, {model.num_classes})"
            if labels is None:
                expected = "None, since the run is not conditional"
            raise _checks.invalid_value("label", label, expected)
        labels = np.full(num, label)
    # Every batch has a seed of its own.
    seeds = np.random.SeedSequence(seed).generate_state(-(-num // _BATCH_SIZE))
    images = []
    for i, other_seed in enumerate(seeds.tolist()):
        batch = slice(i * _BATCH_SIZE, min(num, (i + 1) * _BATCH_SIZE))
        values = model.sample(
            batch.stop - batch.start,
            temperature=temperature,
            conditioning=None if labels is None else labels[batch],
            seed=other_seed if i else seed,
        )
        images.append(values.numpy().astype(np.uint8))
    title = f"{_count(num, 'sample')}, temperature {listed(temperature)}"
    if labels is not None:
        title += f", class {'0, 1, ... in turn' if label is None else label}"
    plots.save_image_grid(
        path,
        np.concatenate(images),
        model.bins,
        title=f"{title}, seed {seed}\n{source}",
    )


def write_reconstructions(path, model, images, labels, source=""):
    """Writes a picture of images above their reconstructions.

    `source` is the second line of the title. Returns the largest difference in
    gray levels.
    """
    _check_size(2 * len(images), model)
    decoded = evaluation.reconstructed(model, images, labels)
    error = float(np.max(np.abs(decoded - images)))
    # Pairs of rows, the last of which are filled with white images.
    columns = min(len(images), _COLUMNS)
    missing = [(0, -len(images) % columns)] + [(0, 0)] * 3
    rows = [
        np.pad(values, missing, constant_values=model.bins - 1).reshape(
            [-1, columns, *values.shape[1:]]
        )
        for values in (images, decoded)
    ]
    pairs = np.concatenate(rows, axis=1)
    plots.save_image_grid(
        path,
        pairs.reshape([-1, *images.shape[1:]]),
        model.bins,
        columns=columns,
        title=f"{_count(len(images), 'image')}, encoded and decoded: "
        f"differences up to {error:.1g} gray levels\n{source}",
        row_labels=["data", "decoded"] * len(pairs),
    )
    return error


def write_curve(path, history, settings, source):
    """Plots a `history` of bits per dimension with baselines."""
    names = ("seconds", "bits_per_dim", "val_bits_per_dim")
    columns = {n: [float(row[n]) for row in history] for n in names}
    found = {"uniform": math.log2(settings.bins)}
    if settings.dataset in sources.EMBEDDED:  # Others may take long to read.
        train, validation = (
            settings.examples(split, _NUM_FOR_BASELINES)[0]
            for split in ("train", "validation")
        )
        histogram = baselines.histogram(train, settings.bins)
        bits = baselines.bits_per_dim(histogram, validation)
        found["per-pixel histogram"] = float(np.mean(bits))
    plots.save_curve(path, columns, source, found)


def listed(temperature):
    """Returns a temperature, or one for each level, as text."""
    return ",".join(f"{t:g}" for t in np.ravel(temperature))


def _count(number, noun):
    return f"{number:,} {noun}" + "s" * (number > 1)
