# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Checks the stability of trained models, for each scale function.

`python benchmarks/stability.py` trains models of photographs and runs
`tfg.stability.check` on unseen ones: the default one and those of other scale
functions, at 8 steps a level, and the default one at 32. The attacks on images
have 20 steps, and once 200. It prints tables.
Finished models are kept in the file of results, and the next call does not
repeat them.
"""

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

_STEPS = flags.DEFINE_integer("steps", 250, "training steps at 8 steps a level")
_DEEP_STEPS = flags.DEFINE_integer("deep_steps", 60, "training steps at 32")
_RESULTS = flags.DEFINE_string(
    "results", "benchmarks/results/stability.json", "file of results"
)
# Couplings by the names of their scale functions.
_COUPLINGS = {
    "sigmoid": "affine",
    "half_sigmoid": "affine_half_sigmoid",
    "bounded_exp": "affine_bounded_exp",
    "exp": "affine_exp",
}


def measure(coupling, num_steps, training_steps, num_attack_steps):
    """Trains a model, and returns the results of its check."""
    keras.utils.set_random_seed(0)
    model = tfg.GlowModel(
        [32, 32, 3], num_steps=num_steps, coupling=coupling, seed=0
    )
    model.compile()
    batches = dict(batch_size=32, image_size=32)
    train = tfg.datasets.load("photos", "train", seed=0, **batches)
    model.fit(train.repeat(), steps_per_epoch=training_steps, verbose=0)
    test = tfg.datasets.load("photos", "test", shuffle=False, **batches)
    images = np.concatenate(list(test.as_numpy_iterator()))
    bits, *_ = model.evaluate(images, batch_size=32, verbose=0)
    report = tfg.stability.check(
        model, images, num_attack_steps=num_attack_steps
    )
    print(report.summary(), flush=True)
    return {"test_bits_per_dim": bits, **report.to_dict()}


def main(_):
    logging.set_verbosity(logging.WARNING)
    results = cache.JsonFile(_RESULTS.value)
    plan = [(name, 8, _STEPS.value, 20) for name in _COUPLINGS]
    plan.append(("sigmoid", 8, _STEPS.value, 200))
    plan.append(("sigmoid", 32, _DEEP_STEPS.value, 20))
    rows = {}
    for name, *sizes in plan:
        num_steps, training_steps, attack_steps = sizes
        attack = ", long attack" * (attack_steps > 20)
        key = f"{name}, K={num_steps}, {training_steps} training steps{attack}"
        if key not in results:
            print(f"{key} ...", flush=True)
            results[key] = measure(_COUPLINGS[name], *sizes)
            keras.backend.clear_session()
        rows[f"{name}, K={num_steps}{attack}"] = results[key]
    for title, number in (
        ("Round trip in float32: median, gray levels", lambda kind: kind["round_trip"]["float32"]["1"]["median"]),
        ("Round trip in float32: maximum", lambda kind: kind["round_trip"]["float32"]["1"]["max"]),
        ("Round trip with the float64 flow: median", lambda kind: kind["round_trip"]["float64 flow"]["1"]["median"]),
        ("log_prob in float32: largest error, bits/dim", lambda kind: kind["log_prob_error"]["float32"]["max_bits_per_dim"]),
    ):  # fmt: skip
        print(f"\n{title}\n{'':20}" + "".join(f"{row:>27}" for row in rows))
        for kind in next(iter(rows.values()))["inputs"]:
            numbers = [number(row["inputs"][kind]) for row in rows.values()]
            print(f"{kind:20}" + "".join(f"{n:20.2g}" for n in numbers))
    print(f"\n{'':20}" + "".join(f"{row:>27}" for row in rows))
    for name, number in (
        ("test bits/dim", lambda row: row["test_bits_per_dim"]),
        ("condition number", lambda row: row["jacobian"]["inputs"]["data"]["condition_number"]),
        ("attack, gray levels", lambda row: row["attack"]["round_trip"]["attacked"][-1]),
        ("attack, nats", lambda row: row["attack"]["log_prob"]["attacked"][-1]),
        ("CPU seconds", lambda row: row["cpu_seconds"]),
    ):  # fmt: skip
        numbers = [number(row) for row in rows.values()]
        print(f"{name:20}" + "".join(f"{n:20.3g}" for n in numbers))


if __name__ == "__main__":
    app.run(main)
