# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The command `check`, as a function; see `commands`."""

import os

from tfp_glow import _lazy
from tfp_glow.train import commands

# The command line reads the flags without waiting for these.
stability = _lazy.module("tfp_glow.analysis.stability")


def check(
    run: str | None = None,
    preset: str | None = None,
    split: commands.Split = "test",
    num: int = 8,
    attack_steps: int = 20,
    exact: bool | None = None,
    seed: int = 0,
    out: str | None = None,
):
    """Measures how exact a model's likelihoods and inverses are.

    Prints a table, and writes `stability.json` and `stability.html`. Returns
    the `Report` of `tfg.stability.check`.

    Args:
        run, preset: see `commands.open_model`.
        split: split to read.
        num: images of every kind.
        attack_steps: steps of each attack in a cell of gray levels; 0 leaves
            the attacks out.
        exact: whether to compute an exact Jacobian (default: of images of at
            most 1024 values).
        seed: random seed of the inputs.
        out: folder to write (default: stability in the run, or in the current
            folder for a preset). Its files of the same names are replaced.
    """
    folder, settings, model = commands.open_model(run, preset)
    images, labels = settings.examples(split)
    out = out or os.path.join(folder, "stability")
    with commands.output_folder(out) as temporary:
        print(f"Checking {num} images of every kind ...", flush=True)
        report = stability.check(
            model,
            images,
            labels,
            num_images=num,
            num_attack_steps=attack_steps,
            exact=exact,
            seed=seed,
        )
        print(report.summary(), flush=True)
        page = os.path.join(temporary, "stability.html")
        report.write_page(page, f"Stability of {preset or folder}")
        report.to_json(os.path.join(temporary, "stability.json"))
    return report
