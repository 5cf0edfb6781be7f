# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Measures which scores of `tfg.typicality` find images of another kind.

`python benchmarks/typicality.py` trains the default model on digits and on gray
photographs of 16x16 pixels, and a background model for each, on mutated images.
It prints the area under the ROC of every score and kind of image, and draws
docs/typicality.png. The usual images are those of the test split. Finished runs
are kept in the folder of results, and the next call does not repeat them.
"""

import dataclasses
import functools
import pathlib
import sys

import keras
import numpy as np
import skimage.data
import skimage.transform
from absl import app
from absl import flags
from absl import logging

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tfp_glow as tfg
from benchmarks import cache
from benchmarks import typicality_chart

_SEEDS = flags.DEFINE_integer("seeds", 3, "number of random seeds")
_STEPS = flags.DEFINE_integer("steps", 1500, "training steps of each model")
_RESULTS = flags.DEFINE_string(
    "results", "benchmarks/results/typicality", "folder of results"
)
_PICTURE = flags.DEFINE_string("out", "docs/typicality.png", "picture")

_NUM_IMAGES = 300
_BATCH_SIZE = 32
# Images of a batch whose typicality is that of their mean.
_TYPICAL_BATCH = 10
# The probability that a value of the background's images is replaced.
_MUTATION_RATE = 0.2
_TEXTURES = ("brick", "grass", "gravel")
_TARGET = 0.95


@dataclasses.dataclass(frozen=True)
class Task:
    """A data set of images of one size."""

    dataset: str
    size: int
    bins: int

    def images(self, split):
        images = tfg.datasets.load(
            self.dataset, split, shuffle=False, image_size=self.size
        )
        return np.stack(list(images.as_numpy_iterator()))


TASKS = (Task("digits", 8, 17), Task("photos_grey", 16, 256))


def image_sets(task):
    """Returns arrays of images by their kind; the first kind is usual."""
    random = np.random.default_rng(0)
    shape = [_NUM_IMAGES, task.size, task.size, 1]
    usual = task.images("test")
    sets = {task.dataset: random.permutation(usual)[:_NUM_IMAGES]}
    if task.dataset == "digits":
        photographs = Task("photos_grey", 64, 256).images("test")
        sets["photographs"] = np.stack(
            [
                skimage.transform.resize(
                    image / 255.0, shape[1:], anti_aliasing=True
                )
                for image in random.permutation(photographs)[:_NUM_IMAGES]
            ]
        )
        levels = np.round(sets["photographs"] * (task.bins - 1))
        sets["photographs"] = levels.astype(np.int32)
    else:
        for name in _TEXTURES:
            texture = getattr(skimage.data, name)()[..., None]
            views = np.lib.stride_tricks.sliding_window_view(
                texture, (task.size, task.size), axis=(0, 1)
            )
            at = random.integers(0, views.shape[:2], [_NUM_IMAGES, 2])
            # The windows come last in a view, after the channel.
            sets[name] = np.moveaxis(views[at[:, 0], at[:, 1]], 1, -1)
    sets["noise"] = random.integers(0, task.bins, shape)
    levels = random.integers(0, task.bins, [_NUM_IMAGES, 1, 1, 1])
    sets["constant"] = np.broadcast_to(levels, shape)
    return sets


def train(task, images, seed, steps):
    """Returns the default model, trained on an array of images."""
    keras.utils.set_random_seed(seed)
    model = tfg.GlowModel([task.size, task.size, 1], bins=task.bins, seed=seed)
    model.compile()
    random = np.random.default_rng(seed)
    num_images = steps * _BATCH_SIZE
    order = [
        random.permutation(len(images))
        for _ in range(-(-num_images // len(images)))
    ]
    model.fit(
        images[np.concatenate(order)[:num_images]],
        batch_size=_BATCH_SIZE,
        shuffle=False,
        init_batches=4,
        verbose=0,
    )
    return model


def measure(task, seed, steps):
    """Trains two models and returns their scores of all kinds of images."""
    images = task.images("train")
    model = train(task, images, seed, steps)
    mutated = tfg.typicality.mutate(images, _MUTATION_RATE, task.bins, seed)
    background = train(task, mutated, seed, steps)
    sample = np.random.default_rng(0).permutation(images)[:1000]
    entropy = tfg.typicality.bits_per_dim(model, sample).mean()
    typical = functools.partial(
        tfg.typicality.typicality, model, entropy=entropy
    )
    functions = {
        "likelihood": functools.partial(tfg.typicality.bits_per_dim, model),
        "typicality": typical,
        f"typicality of {_TYPICAL_BATCH}": functools.partial(
            typical, batch_size=_TYPICAL_BATCH
        ),
        "likelihood ratio": functools.partial(
            tfg.typicality.likelihood_ratio, model, background
        ),
        "input complexity": functools.partial(
            tfg.typicality.input_complexity, model
        ),
    }
    scores = {
        name: {
            kind: np.round(function(images=images), 3).tolist()
            for kind, images in image_sets(task).items()
        }
        for name, function in functions.items()
    }
    areas = {}
    for name, of_kinds in scores.items():
        usual, *_ = of_kinds.values()
        areas[name] = {
            kind: tfg.typicality.roc(usual, other).auroc
            for kind, other in list(of_kinds.items())[1:]
        }
    result = {"entropy": entropy, "auroc": areas}
    # The picture shows these.
    has_scores = seed == 0 and task.dataset == "photos_grey"
    return result | ({"scores": scores} if has_scores else {})


def table(runs):
    """Formats the areas under the ROC: their mean and range over the seeds."""
    kinds = list(runs[0]["auroc"]["likelihood"])
    lines = [" " * 20 + "".join(f"{kind:>19}" for kind in kinds)]
    best = dict.fromkeys(kinds, 0.0)
    for name in runs[0]["auroc"]:
        line = f"{name:20}"
        for kind in kinds:
            areas = [run["auroc"][name][kind] for run in runs]
            best[kind] = max(best[kind], np.mean(areas))
            text = f"{np.mean(areas):.3f} ({min(areas):.2f}-{max(areas):.2f})"
            line += f"{text:>19}"
        lines.append(line)
    missed = [kind for kind in kinds if best[kind] < _TARGET]
    lines.append(f"below {_TARGET} with every score: {missed or 'none'}")
    return "\n".join(lines)


def main(_):
    logging.set_verbosity(logging.WARNING)
    kept = cache.JsonFolder(_RESULTS.value)
    results = {task.dataset: [] for task in TASKS}
    for seed in range(_SEEDS.value):
        for task in TASKS:
            key = f"{task.dataset}_{_STEPS.value}_steps_seed_{seed}"
            if key not in kept:
                print(key, flush=True)
                kept[key] = measure(task, seed, _STEPS.value)
            results[task.dataset].append(kept[key])
    for name, runs in results.items():
        print(f"\n{name}, {len(runs)} seeds: mean AUROC (range)")
        print(table(runs))
    typicality_chart.draw(_PICTURE.value, results["photos_grey"][0])


if __name__ == "__main__":
    app.run(main)
