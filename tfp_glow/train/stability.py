# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The command `check`, as a function; see `commands`."""

import os

from tfp_glow import _files
from tfp_glow import _lazy
from tfp_glow.train import commands

# The command line reads the flags without waiting for these.
_checks = _lazy.module("tfp_glow._checks")
glow_model = _lazy.module("tfp_glow.models.glow_model")
presets = _lazy.module("tfp_glow.train.presets")
shipped = _lazy.module("tfp_glow.models.presets")
stability = _lazy.module("tfp_glow.analysis.stability")

_FOLDER = "stability"


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
        run: folder of the run (default: the newest in the folder runs).
        preset: model of the package instead of a run, digits, photo_patches or
            photo_patches_grey.
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
    if run and preset:
        raise ValueError(
            "Expected --run or --preset, not both. Received: "
            f"--run={run}, --preset={preset}"
        )
    if preset:
        _checks.choice("preset", preset, shipped.names())
        model = glow_model.GlowModel.from_preset(preset)
        settings = presets.get(preset).settings
        title = f"Stability of {preset}"
    else:
        folder, settings, model = commands.open_run(run)
        title = f"Stability of {folder.path}"
    out = out or (_FOLDER if preset else folder.file(_FOLDER))
    parent = os.path.dirname(os.path.abspath(out))
    if not os.path.isdir(parent) or (
        os.path.exists(out) and not os.path.isdir(out)
    ):
        raise ValueError(
            f"Expected a folder to write in an existing one. Received: {out}"
        )
    images, labels = settings.examples(split)
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
    writing = _files.filling if os.path.isdir(out) else _files.new_folder
    with writing(out) as temporary:
        report.write_page(os.path.join(temporary, "stability.html"), title)
        report.to_json(os.path.join(temporary, "stability.json"))
    print(f"Wrote stability.html, stability.json to {out}", flush=True)
    return report
