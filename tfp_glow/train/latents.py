# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The commands `interpolate`, `attributes`, `vary` and `inpaint`, as functions.

See `commands`. Each writes a picture of images of a split, whose positions in the
split are the labels of the rows, and returns its path and the `Grid`.
"""

import dataclasses
import os
import typing

import numpy as np

from tfp_glow import _lazy
from tfp_glow.train import commands

# The command line reads the flags without waiting for these.
_checks = _lazy.module("tfp_glow._checks")
images_ = _lazy.module("tfp_glow.analysis.perception.images")
latents = _lazy.module("tfp_glow.analysis.latents")
pictures = _lazy.module("tfp_glow.train.pictures")


def interpolate(
    run: str | None = None,
    preset: str | None = None,
    method: typing.Literal["spherical", "linear"] = "spherical",
    num: int = 9,
    num_pairs: int = 4,
    split: commands.Split = "test",
    seed: int = 0,
    out: str | None = None,
):
    """Writes a picture of paths between images in the latent space.

    Args:
        run, preset: see `commands.open_model`.
        method: spherical keeps the norm of the latents, linear does not.
        num: images of a path, with both ends.
        num_pairs: number of paths.
        split: split to read.
        seed: random seed of the choice of images.
        out: .png file to write (default: in the run, with the settings in its
            name).
    """
    pictures.check_request(out, num_pairs)
    _checks.integers(2, "at least 2 images", num=num)
    folder, settings, model = commands.open_model(run, preset)
    chosen, images, labels = _choose(settings, split, 2 * num_pairs, seed)
    ends = images[:num_pairs], images[num_pairs:]
    if labels is not None:
        labels = labels[:num_pairs], labels[num_pairs:]
    grid = latents.interpolate(model, *ends, num, method, labels)
    pairs = zip(chosen[:num_pairs], chosen[num_pairs:])
    rows = [f"{start} to {end}" for start, end in pairs]
    name = f"interpolate_{method}_{split}_seed{seed}.png"
    return _write(grid, rows, out or os.path.join(folder, name))


def attributes(
    run: str | None = None,
    preset: str | None = None,
    positive: str | None = None,
    negative: str | None = None,
    labels: str | None = None,
    method: typing.Literal["mean", "logistic"] = "mean",
    strengths: list[float] | None = None,
    num: int = 4,
    split: commands.Split = "test",
    seed: int = 0,
    out: str | None = None,
):
    """Writes a picture of images with more or less of an attribute.

    Args:
        run, preset, out: see `interpolate`.
        positive: label of training images with the attribute, or several with
            commas between them (default: the last label).
        negative: the same for images without the attribute (default: all
            other labels).
        labels: .npy file of a label for each training image, in the order of
            the data set (default: the classes of the data set).
        method: mean is the difference of the classes' means, logistic the
            direction of a logistic regression.
        strengths: how far to move, with commas between them; 1 is the distance
            of the classes' means (default: -2,-1,0,1,2).
        num: number of images.
        split: split of the images.
        seed: random seed of the choice of images.
    """
    pictures.check_request(out, num)
    folder, settings, model = commands.open_model(run, preset)
    images, conditioning = settings.examples("train")
    known = _labels(settings, labels, len(images))
    classes = [_parsed(x, known) for x in (positive, negative)]
    found = latents.attribute(
        model,
        images,
        known,
        np.max(known) if classes[0] is None else classes[0],
        classes[1],
        method,
        conditioning,
    )
    chosen, images, conditioning = _choose(settings, split, num, seed)
    strengths = np.ravel((-2, -1, 0, 1, 2) if strengths is None else strengths)
    grid = latents.vary(model, images, found, strengths, conditioning)
    name = f"attributes_{positive or 'last'}_{negative or 'others'}_{method}"
    name = f"{name}_{split}_seed{seed}.png".replace(",", "-")
    rows = [f"image {i}" for i in chosen]
    return _write(grid, rows, out or os.path.join(folder, name))


def vary(
    run: str | None = None,
    preset: str | None = None,
    by: typing.Literal["noise", "directions", "class"] = "noise",
    level: int = 0,
    temperature: float = 1.0,
    num: int = 4,
    num_draws: int = 6,
    split: commands.Split = "test",
    seed: int = 0,
    out: str | None = None,
):
    """Writes a picture of images, one level or the class of which varies.

    Args:
        run, preset, out: see `interpolate`.
        by: noise draws the latents of the level; directions are those in which
            the level changes one image most; class draws every image as all
            classes, if the run is conditional.
        level: level of the latents, 0 for the finest.
        temperature: factor of the noise.
        num: number of images, or of directions.
        num_draws: draws of the noise for each image.
        split: split of the images.
        seed: random seed of the choice of images and of the noise.
    """
    pictures.check_request(out, num)
    folder, settings, model = commands.open_model(run, preset)
    count = 1 if by == "directions" else num
    chosen, images, labels = _choose(settings, split, count, seed)
    rows = [f"image {i}" for i in chosen]
    name = f"vary_{by}" + f"_level{level}" * (by != "class")
    if by == "noise":
        grid = latents.resample(
            model, images, level, temperature, num_draws, seed, labels
        )
        name += f"_t{temperature:g}"
    elif by == "class":
        parts = latents.encode(model, images, labels)
        grid = latents.morph(model, parts)
    else:
        grid = latents.principal_directions(
            model,
            level,
            num,
            latents=latents.encode(model, images, labels),
            conditioning=labels,
            seed=seed,
        )
        rows = grid.row_labels
    name = f"{name}_{split}_seed{seed}.png"
    return _write(grid, rows, out or os.path.join(folder, name))


def inpaint(
    run: str | None = None,
    preset: str | None = None,
    mask: str | None = None,
    num: int = 4,
    num_steps: int = 100,
    num_samples: int = 16,
    split: commands.Split = "test",
    seed: int = 0,
    out: str | None = None,
):
    """Writes a picture of images with a hole, and of what may be in it.

    Args:
        run, preset, out: see `interpolate`.
        mask: picture of the images' size, white in the hole (default: the
            central quarter of the image).
        num: number of images.
        num_steps: steps of the sampler.
        num_samples: fillings of each image.
        split: split of the images.
        seed: random seed of the choice of images and of the fillings.
    """
    pictures.check_request(out, num)
    folder, settings, model = commands.open_model(run, preset)
    chosen, images, labels = _choose(settings, split, num, seed)
    if mask is None:
        height, width, _ = model.image_shape
        hole = np.zeros([height, width], bool)
        hole[height // 4 : -height // 4, width // 4 : -width // 4] = True
    else:
        hole, _ = images_.read_mask(mask, images[0])
    grid = latents.inpaint(
        model, images, hole, labels, num_steps, num_samples, seed
    )
    error = np.sqrt(np.mean((grid.mean - images)[:, grid.mask] ** 2))
    print(
        f"in the hole: {np.mean(grid.hole_bits_per_dim):.3f} bits/dim of the "
        f"images' own pixels, given the others;\nthe mean filling is "
        f"{error:.3g} gray levels from them (root mean square)"
    )
    name = f"inpaint_{split}_steps{num_steps}_seed{seed}.png"
    rows = [f"image {i}" for i in chosen]
    return _write(grid, rows, out or os.path.join(folder, name))


def _choose(settings, split, num, seed):
    """Chooses images of a split: their positions, they, and their labels."""
    total = settings.data_info().num_examples[split]
    if num > total:
        expected = f"at most {total} images, those of the split {split}"
        raise _checks.invalid_value("num", num, expected)
    generator = np.random.default_rng(_checks.seed(seed))
    chosen = generator.choice(total, num, replace=False).tolist()
    images, labels = settings.examples(split)
    return chosen, images[chosen], None if labels is None else labels[chosen]


def _labels(settings, path, num):
    """Returns labels of the training images, from a file if there is one."""
    if path is not None:
        known = np.load(path, allow_pickle=False)
        if known.shape != (num,):
            expected = f"a file of {num} labels, one for a training image"
            raise _checks.invalid_value("labels", path, expected)
        return known
    if not settings.data_info().num_classes:
        raise ValueError(
            f"Expected data with labels. Received: {settings.dataset!r} "
            "without. Pass --labels=FILE.npy with a label for each training "
            "image, or keep the images of each class in a folder of their own"
        )
    return dataclasses.replace(settings, conditional=True).examples("train")[1]


def _write(grid, rows, path):
    """Writes a `Grid` as a picture, and returns its path and the grid."""
    grid = dataclasses.replace(grid, row_labels=tuple(rows))
    grid.save(path)
    print(f"Wrote {path}", flush=True)
    return path, grid


def _parsed(text, labels):
    """Returns the labels that a flag names, of the type of `labels`."""
    if text is None:
        return None
    words = str(text).split(",")
    try:
        return np.array(words).astype(labels.dtype).tolist()
    except ValueError:
        expected = f"labels as {np.unique(labels).tolist()[:20]}"
        raise _checks.invalid_value("positive", text, expected) from None
