# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Models that predict which target looks lighter, and their predictions."""

import functools
import math
import os
import pathlib
import subprocess
import sys

import numpy as np

import tfp_glow as tfg
from tfp_glow import _files
from tfp_glow.analysis import density
from tfp_glow.analysis import perception
from tfp_glow.distributions import baselines
from tfp_glow.train import run_folder

PRESET = "photo_patches_grey"
DATASET = "photos_grey"
BINS = 256
TEMPERATURES = {"D ln 2": None, "1": 1.0}
# Standard deviations in gray levels of noise on the patches. The first one is
# used for all patches, and the other one for those that are reported.
NOISES = (4.0, 0.0)
NUM_VALUES = 32
NUM_DRAWS = 8

# Images from which an untrained flow is initialized, as in training.
_NUM_INIT = 512
_NUM_TEST = 1000


@functools.cache
def images(split):
    """Returns the gray patches of a split, uint8 [N, 16, 16, 1]."""
    dataset = tfg.datasets.load(DATASET, split, image_size=16, shuffle=False)
    return np.stack(list(dataset.as_numpy_iterator()))


def shuffled(patches, seed=0):
    """Returns patches, each with a permutation of its pixels of its own."""
    generator = np.random.default_rng(seed)
    pixels = patches.reshape([len(patches), -1])
    return generator.permuted(pixels, axis=1).reshape(patches.shape)


def train(folder, seeds):
    """Trains a flow on patches and one on shuffled patches for each seed.

    Returns:
        Two lists of run folders. Finished runs are not repeated.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / "shuffled.npz"
    if not archive.exists():
        with _files.replacing(archive) as new, open(new, "wb") as file:
            splits = ("train", "validation", "test")
            np.savez_compressed(
                file, **{s: shuffled(images(s)) for s in splits}
            )
    runs = {"flow": [], "shuffled": [f"--dataset={archive}"]}
    for name, flags in runs.items():
        runs[name] = [folder / f"{name}_{seed}" for seed in seeds]
        for out, seed in zip(runs[name], seeds):
            command = [sys.executable, "-m", "tfp_glow", "train"]
            command += [f"--preset={PRESET}", f"--seed={seed}", f"--out={out}"]
            subprocess.run([*command, *flags], check=True)
    return runs["flow"], runs["shuffled"]


def load(name):
    """Loads a run folder, a preset of the package or the folder of one."""
    if os.path.exists(os.path.join(name, "model.keras")):
        return run_folder.RunFolder(name).best()
    return tfg.GlowModel.from_preset(name)


def untrained(model, seed):
    """Returns a model of the same configuration that only saw its first data."""
    model = type(model).from_config(model.get_config() | {"seed": seed})
    order = np.random.default_rng(seed).permutation(len(images("train")))
    model.initialize(images("train")[order[:_NUM_INIT]])
    return model


def make(flows, shuffled_flows):
    """Yields all models as pairs of a name and a list of one for each seed.

    A model is a function of a `Stimulus` and a noise; see `predictions`.
    """
    loaded = [load(name) for name in flows]
    yield "flow", [Density(model, i) for i, model in enumerate(loaded)]
    yield (
        "untrained flow",
        [Density(untrained(m, i), i) for i, m in enumerate(loaded)],
    )
    if shuffled_flows:
        loaded = [load(name) for name in shuffled_flows]
        yield "shuffled flow", [Density(m, i) for i, m in enumerate(loaded)]
    train = images("train")
    yield "Gaussian", [Density(baselines.gaussian(train, BINS))]
    yield (
        "diagonal Gaussian",
        [Density(baselines.diagonal_gaussian(train, BINS))],
    )
    yield "local contrast", [LocalContrast()]


class Density:
    """Predicts by percentile ranks, whose noise depends on a seed."""

    def __init__(self, model, seed=0):
        self._density = density.of(model)
        self._seed = seed

    def __call__(self, stimulus, noise):
        curves = [
            perception.likelihood_curve(
                self._density, patch, NUM_VALUES, NUM_DRAWS, noise, self._seed
            )
            for patch in (stimulus.a, stimulus.b)
        ]
        result = {}
        for name, temperature in TEMPERATURES.items():
            ranks = [curve.rank(None, temperature)[0] for curve in curves]
            draws = [curve.rank_draws(None, temperature) for curve in curves]
            deviation = np.std(np.subtract(*draws), ddof=1)
            result[name] = (
                ranks[0] - ranks[1],
                float(deviation / np.sqrt(NUM_DRAWS)),
            )
        result["bits_per_dim"] = [
            float(
                np.interp(curve.patch.value, curve.values, curve.bits_per_dim)
            )
            for curve in curves
        ]
        return result

    def bits_per_dim(self):
        """Bits per dimension of test patches, from one draw of the noise."""
        test = images("test")[:_NUM_TEST]
        noise = np.random.default_rng(0).random(test.shape, np.float32)
        log_probs = self._density.log_prob(test, noise)
        return float(
            np.mean(tfg.bits_per_dim(log_probs, self._density.event_size))
        )


class LocalContrast:
    """Predicts that the target looks lighter that has the darker ring."""

    def __call__(self, stimulus, noise):
        difference = np.subtract(
            *map(perception.local_contrast, (stimulus.a, stimulus.b))
        )
        return dict.fromkeys(TEMPERATURES, (float(difference), 0.0))

    def bits_per_dim(self):
        return math.nan


def predictions(model, views):
    """Predicts all stimuli by one model of one seed.

    Args:
        model: what `make` yields.
        views: dictionary of stimuli to what `human_stimuli.views` returns.

    Returns:
        Dictionary of stimuli to dictionaries of conditions, as `"6, noise 4"`
        or `"no context"`, to temperatures, to pairs: by how much target 1 has
        the higher percentile rank, and the standard error over draws of the
        noise; and `"bits_per_dim"` to those of both patches, if there are any.
    """
    result = {}
    for key, scales in views.items():
        first, *others = scales
        conditions = {
            f"{scale}, noise {noise:g}": (scales[scale], noise)
            for scale, noise in [(first, n) for n in NOISES]
            + [(other, NOISES[0]) for other in others]
        }
        control = scales[first].without_context()
        conditions["no context"] = (control, NOISES[0])
        result[key] = {
            name: model(*arguments) for name, arguments in conditions.items()
        }
    return result
