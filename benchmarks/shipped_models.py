# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Trains the models that `GlowModel.from_preset` loads, and writes their files.

`python benchmarks/shipped_models.py` trains every one of them by
`python -m tfp_glow train --preset=NAME`, evaluates it on the test split, and
writes the folder `tfp_glow/models/weights/NAME`, which must not exist. Runs that
were interrupted are resumed.
"""

import json
import pathlib
import resource
import subprocess
import sys

import numpy as np
from absl import app
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tfp_glow as tfg
from tfp_glow import _files
from tfp_glow.models import presets
from tfp_glow.train import run_folder

_ROOT = pathlib.Path(__file__).resolve().parents[1]
NAMES = ("photo_patches", "photo_patches_grey", "digits")
# Images whose bits/dim a test computes again.
_NUM_CHECKED = 16

_PRESETS = flags.DEFINE_multi_enum(
    "presets", list(NAMES), NAMES, "preset to train"
)
_SEED = flags.DEFINE_integer("seed", 0, "random seed of the training")
_OUT = flags.DEFINE_string("out", "runs/shipped_models", "folder of the runs")
_WEIGHTS = flags.DEFINE_string(
    "weights", str(presets.WEIGHTS), "folder of the presets to write"
)


def command(*arguments):
    """Runs a command of `python -m tfp_glow`."""
    subprocess.run(
        [sys.executable, "-m", "tfp_glow", *arguments], cwd=_ROOT, check=True
    )


def ship(name, seed, out, weights):
    """Trains a model and writes its preset; returns the preset's metrics."""
    run = run_folder.RunFolder(pathlib.Path(out, f"{name}_{seed}").resolve())
    target = pathlib.Path(weights, name)
    _files.check_absent(target)
    is_new, before = not run.has("config.json"), _cpu_seconds()
    command("train", f"--preset={name}", f"--seed={seed}", f"--out={run.path}")
    cpu_seconds = _cpu_seconds() - before
    command("evaluate", f"--run={run.path}")
    model = run.best()
    metrics = measure(run, model)
    if is_new:
        metrics["training_cpu_seconds"] = cpu_seconds
    target.parent.mkdir(parents=True, exist_ok=True)
    presets.save(model, target, metrics)
    return metrics


def measure(run, model):
    """Returns what `metrics.json` says of the `model` of a finished `run`."""
    evaluation, config = (
        json.loads(pathlib.Path(run.file(name)).read_text("utf-8"))
        for name in ("evaluation.json", "config.json")
    )
    images, _ = run.settings.examples("test", _NUM_CHECKED)
    nats = np.mean(model.log_prob(images, seed=0))
    return {
        **evaluation,
        "first_images": {
            "num": len(images),
            "seed": 0,
            "bits_per_dim": float(tfg.bits_per_dim(nats, model.event_size)),
        },
        "validation_bits_per_dim": min(
            run_folder.column(run.history, "val_bits_per_dim")
        ),
        "steps": int(run.history[-1]["step"]),
        "training_seconds": run_folder.column(run.history, "seconds")[-1],
        "settings": config["settings"],
        "versions": config["versions"],
    }


def _cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main(_):
    for name in _PRESETS.value:
        metrics = ship(name, _SEED.value, _OUT.value, _WEIGHTS.value)
        bits = metrics["bits_per_dim"]
        print(f"{name}: {bits:.3f} bits/dim, test", flush=True)


if __name__ == "__main__":
    app.run(main)
