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
glow_model = _lazy.module("tfp_glow.models.glow_model")
pictures = _lazy.module("tfp_glow.train.pictures")
presets = _lazy.module("tfp_glow.train.presets")

_Split = typing.Literal["train", "validation", "test"]
_OWN_PICTURES = ("curve.png", "reconstructions.png", "samples.png")


def interpolate(
    run: str | None = None,
    preset: str | None = None,
    method: typing.Literal["spherical", "linear"] = "spherical",
    num: int = 9,
    num_pairs: int = 4,
    split: _Split = "test",
    seed: int = 0,
    out: str | None = None,
):
    """Writes a picture of paths between images in the latent space.

    Args:
        run: folder of the run (default: the newest in the folder runs).
        preset: model of the package in the place of a run, digits, photo_patches
            or photo_patches_grey.
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
    run = _Run(run, preset, out)
    chosen = run.choose(split, 2 * num_pairs, seed)
    images, labels = run.examples(split, chosen)
    ends = images[:num_pairs], images[num_pairs:]
    if labels is not None:
        labels = labels[:num_pairs], labels[num_pairs:]
    grid = latents.interpolate(run.model, *ends, num, method, labels)
    pairs = zip(chosen[:num_pairs], chosen[num_pairs:])
    rows = [f"{start} to {end}" for start, end in pairs]
    return run.write(grid, f"interpolate_{method}_{split}_seed{seed}", rows)


def attributes(
    run: str | None = None,
    preset: str | None = None,
    positive: str | None = None,
    negative: str | None = None,
    labels: str | None = None,
    method: typing.Literal["mean", "logistic"] = "mean",
    strengths: list[float] | None = None,
    num: int = 4,
    split: _Split = "test",
    seed: int = 0,
    out: str | None = None,
):
    """Writes a picture of images with more or less of an attribute.

    Args:
        run: folder of the run (default: the newest in the folder runs).
        preset: model of the package in the place of a run, digits, photo_patches
            or photo_patches_grey.
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
        out: .png file to write (default: in the run, with the settings in its
            name).
    """
    pictures.check_request(out, num)
    run = _Run(run, preset, out)
    images, conditioning = run.settings.examples("train")
    known = run.labels(labels, len(images))
    classes = [_parsed(x, known) for x in (positive, negative)]
    found = latents.attribute(
        run.model,
        images,
        known,
        np.max(known) if classes[0] is None else classes[0],
        classes[1],
        method,
        conditioning,
    )
    chosen = run.choose(split, num, seed)
    images, conditioning = run.examples(split, chosen)
    strengths = np.ravel((-2, -1, 0, 1, 2) if strengths is None else strengths)
    grid = latents.vary(run.model, images, found, strengths, conditioning)
    name = f"attributes_{positive or 'last'}_{negative or 'others'}_{method}"
    name = f"{name}_{split}_seed{seed}".replace(",", "-")
    return run.write(grid, name, [f"image {i}" for i in chosen])


def vary(
    run: str | None = None,
    preset: str | None = None,
    by: typing.Literal["noise", "directions", "class"] = "noise",
    level: int = 0,
    temperature: float = 1.0,
    num: int = 4,
    num_draws: int = 6,
    split: _Split = "test",
    seed: int = 0,
    out: str | None = None,
):
    """Writes a picture of images, one level or the class of which varies.

    Args:
        run: folder of the run (default: the newest in the folder runs).
        preset: model of the package in the place of a run, digits, photo_patches
            or photo_patches_grey.
        by: noise draws the latents of the level; directions are those in which
            the level changes one image most; class draws every image as all
            classes, if the run is conditional.
        level: level of the latents, 0 for the finest.
        temperature: factor of the noise.
        num: number of images, or of directions.
        num_draws: draws of the noise for each image.
        split: split of the images.
        seed: random seed of the choice of images and of the noise.
        out: .png file to write (default: in the run, with the settings in its
            name).
    """
    pictures.check_request(out, num)
    run = _Run(run, preset, out)
    is_one = by == "directions"
    chosen = run.choose(split, 1 if is_one else num, seed)
    images, labels = run.examples(split, chosen)
    rows = [f"image {i}" for i in chosen]
    name = f"vary_{by}" + f"_level{level}" * (by != "class")
    if by == "noise":
        grid = latents.resample(
            run.model, images, level, temperature, num_draws, seed, labels
        )
        name += f"_t{temperature:g}"
    elif by == "class":
        parts = latents.encode(run.model, images, labels)
        grid = latents.morph(run.model, parts)
    else:
        grid = latents.principal_directions(
            run.model,
            level,
            num,
            latents=latents.encode(run.model, images, labels),
            conditioning=labels,
            seed=seed,
        )
        rows = grid.row_labels
    return run.write(grid, f"{name}_{split}_seed{seed}", rows)


def inpaint(
    run: str | None = None,
    preset: str | None = None,
    mask: str | None = None,
    num: int = 4,
    num_steps: int = 100,
    num_samples: int = 16,
    split: _Split = "test",
    seed: int = 0,
    out: str | None = None,
):
    """Writes a picture of images with a hole, and of what may be in it.

    Args:
        run: folder of the run (default: the newest in the folder runs).
        preset: model of the package in the place of a run, digits, photo_patches
            or photo_patches_grey.
        mask: picture of the images' size, white in the hole (default: the
            central quarter of the image).
        num: number of images.
        num_steps: steps of the sampler.
        num_samples: fillings of each image.
        split: split of the images.
        seed: random seed of the choice of images and of the fillings.
        out: .png file to write (default: in the run, with the settings in its
            name).
    """
    pictures.check_request(out, num)
    run = _Run(run, preset, out)
    chosen = run.choose(split, num, seed)
    images, labels = run.examples(split, chosen)
    if mask is None:
        height, width, _ = run.model.image_shape
        hole = np.zeros([height, width], bool)
        hole[height // 4 : -height // 4, width // 4 : -width // 4] = True
    else:
        hole, _ = images_.read_mask(mask, images[0])
    grid = latents.inpaint(
        run.model, images, hole, labels, num_steps, num_samples, seed
    )
    error = np.sqrt(np.mean((grid.mean - images)[:, grid.mask] ** 2))
    print(
        f"in the hole: {np.mean(grid.hole_bits_per_dim):.3f} bits/dim of the "
        f"images' own pixels, given the others;\nthe mean filling is "
        f"{error:.3g} gray levels from them (root mean square)"
    )
    name = f"inpaint_{split}_steps{num_steps}_seed{seed}"
    return run.write(grid, name, [f"image {i}" for i in chosen])


class _Run:
    """A model with the settings of its training, of a run or of a preset."""

    def __init__(self, run, preset, out):
        if run is not None and preset is not None:
            raise ValueError(
                "Expected --run or --preset, not both. Received: "
                f"--run={run}, --preset={preset}"
            )
        self._folder, self._out = "", out
        if preset is None:
            folder, self.settings, self.model = commands.open_run(run)
            self._folder = folder.path
        else:
            self.model = glow_model.GlowModel.from_preset(preset)
            self.settings = presets.get(preset).settings
        if out is None:
            return
        parent, name = os.path.split(os.path.abspath(out))
        is_run = os.path.exists(os.path.join(parent, "config.json"))
        if is_run and name in _OWN_PICTURES:
            expected = "another name than those of the training's own pictures"
            raise _checks.invalid_value("out", out, expected)

    def choose(self, split, num, seed):
        """Chooses `num` images of a split, as a list of their positions."""
        total = self.settings.data_info().num_examples[split]
        if num > total:
            expected = f"at most {total} images, those of the split {split}"
            raise _checks.invalid_value("num", num, expected)
        generator = np.random.default_rng(_checks.seed(seed))
        return generator.choice(total, num, replace=False).tolist()

    def examples(self, split, chosen):
        """Returns chosen images, and the conditioning of the model or `None`."""
        images, labels = self.settings.examples(split)
        return images[chosen], None if labels is None else labels[chosen]

    def labels(self, path, num):
        """Returns labels of the training images, from a file if there is one."""
        if path is not None:
            known = np.load(path, allow_pickle=False)
            if known.shape != (num,):
                expected = f"a file of {num} labels, one for a training image"
                raise _checks.invalid_value("labels", path, expected)
            return known
        if not self.settings.data_info().num_classes:
            raise ValueError(
                f"Expected data with labels. Received: "
                f"{self.settings.dataset!r} without. Pass --labels=FILE.npy with "
                "a label for each training image, or keep the images of "
                "each class in a folder of their own"
            )
        labeled = dataclasses.replace(self.settings, conditional=True)
        return labeled.examples("train")[1]

    def write(self, grid, name, rows):
        """Writes a `Grid` as a picture, and returns its path and the grid."""
        path = self._out or os.path.join(self._folder, f"{name}.png")
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
