# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Counts the seeds for which training with the default settings diverges.

`python benchmarks/seeds.py` trains the default model with the default recipe,
as `train` does without flags, for some seeds on the digits and the photographs,
and prints a table. A run has diverged if its loss is not finite, or if its loss
in any 10 steps is above that of its first 10. Finished runs are kept in the
file of results, and the next call does not repeat them.
"""

import collections
import json
import pathlib
import sys

import keras
import numpy as np
from absl import app
from absl import flags
from absl import logging

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tfp_glow as tfg
from benchmarks import cache
from tfp_glow.train.settings import Settings

Task = collections.namedtuple("Task", ["dataset", "num_steps", "batch_size"])

TASKS = (Task("digits", 1000, 32), Task("photos", 300, 16))
# Steps over which a loss is averaged before it is judged.
_WINDOW = 10

_SEEDS = flags.DEFINE_integer("seeds", 20, "number of random seeds")
_LEARNING_RATE = flags.DEFINE_float(
    "learning_rate",
    Settings.learning_rate,
    "learning rate; a higher one shows runs that diverge",
)
_WARMUP_STEPS = flags.DEFINE_integer(
    "warmup_steps",
    Settings.warmup_steps,
    "steps of warm-up; fewer show runs that diverge",
)
_RESULTS = flags.DEFINE_string(
    "seeds_results",
    "benchmarks/results/seeds.json",
    "file of results",
)


class Trainer:
    """Trains one model after another with the same program.

    The program is traced once. Each seed only assigns new values to its
    variables.
    """

    def __init__(self, task, **settings):
        self.task = task
        made = Settings(
            dataset=task.dataset, batch_size=task.batch_size, **settings
        )
        self.info = made.data_info()
        self.settings = made.completed(self.info)
        self.images = np.stack(
            list(
                tfg.datasets.load(
                    task.dataset, "train", shuffle=False
                ).as_numpy_iterator()
            )
        )
        self.model = self._fresh_model(0)
        self.model.compile(self.settings.make_optimizer(self.info))

    def losses(self, seed):
        """Returns the losses of the steps, up to the first not finite."""
        keras.utils.set_random_seed(seed)
        for own, fresh in zip(
            self.model.variables, self._fresh_model(seed).variables, strict=True
        ):
            own.assign(fresh)
        for variable in self.model.optimizer.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))
        record = _Record()
        try:
            self.model.fit(
                self._batches(seed),
                batch_size=self.task.batch_size,
                shuffle=False,
                init_batches=self.settings.init_batches,
                callbacks=[record],
                verbose=0,
            )
        except FloatingPointError as error:
            print(error, flush=True)
            record.means.append(np.nan)
        # Keras reports the mean over all steps so far.
        sums = np.arange(1, len(record.means) + 1) * np.array(record.means)
        return np.diff(sums, prepend=0.0)

    def _fresh_model(self, seed):
        return self.settings.updated(seed=seed).make_model(self.info)

    def _batches(self, seed):
        generator = np.random.default_rng(seed)
        num_images = self.task.num_steps * self.task.batch_size
        epochs = -(-num_images // len(self.images))
        order = [generator.permutation(len(self.images)) for _ in range(epochs)]
        return self.images[np.concatenate(order)[:num_images]]


class _Record(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.means = []

    def on_train_batch_end(self, batch, logs=None):
        self.means.append(float(logs["loss"]))


def summary(losses):
    """Summarizes the losses of a run."""
    parts = np.split(losses, range(_WINDOW, len(losses), _WINDOW))
    start, *later = [float(np.mean(part)) for part in parts]
    later = later or [np.nan]
    highest = float(np.max(later))
    return {
        "start": start,
        "highest": highest,
        "end": later[-1],
        # `not <=` also holds if a loss is NaN.
        "diverged": not highest <= start,
    }


def table(results):
    """Formats a line for every data set, from the summaries of its seeds."""
    lines = [
        f"{'':8}{'steps':>6}{'batch':>6}{'seeds':>6}{'diverged':>9}"
        f"{'bits/dim at start':>19}{'highest after':>15}{'at end':>15}"
    ]
    for task, rows in results.items():
        diverged = sum(row["diverged"] for row in rows)
        ranges = [
            f"{min(row[key] for row in rows):.2f} to "
            f"{max(row[key] for row in rows):.2f}"
            for key in ("start", "highest", "end")
        ]
        lines.append(
            f"{task.dataset:8}{task.num_steps:6}{task.batch_size:6}"
            f"{len(rows):6}{diverged:9}{ranges[0]:>19}{ranges[1]:>15}"
            f"{ranges[2]:>15}"
        )
    return "\n".join(lines)


def main(_):
    logging.set_verbosity(logging.WARNING)
    kept = cache.JsonFile(_RESULTS.value)
    recipe = {
        "learning_rate": _LEARNING_RATE.value,
        "warmup_steps": _WARMUP_STEPS.value,
        "initialization": Settings.initialization,
    }
    results = {}
    for task in TASKS:
        trainer, results[task] = None, []
        for seed in range(_SEEDS.value):
            key = json.dumps({**task._asdict(), **recipe, "seed": seed})
            if key not in kept:
                trainer = trainer or Trainer(task, **recipe)
                kept[key] = summary(trainer.losses(seed))
                print(f"{key}: {kept[key]}", flush=True)
            results[task].append(kept[key])
    print(table(results))


if __name__ == "__main__":
    app.run(main)
