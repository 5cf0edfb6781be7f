# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Renders published stimuli with stimupy, in an environment of its own.

`python human_render.py OUT.npz murray2020.white ...` writes two arrays `[H, W]`
for each stimulus: `murray2020.white/image`, intensities in [0, 1], and
`murray2020.white/mask`, in which 1 and 2 are the two targets. stimupy is under
the GPL, so this project neither contains nor requires it.
"""

import importlib
import sys
import warnings

import numpy as np


def main(path, *names):
    arrays = {}
    for name in names:
        paper, function = name.split(".")
        module = importlib.import_module(f"stimupy.papers.{paper}")
        with warnings.catch_warnings():
            # stimupy rounds sizes to whole pixels and says so.
            warnings.simplefilter("ignore")
            stimulus = getattr(module, function)()
        arrays[f"{name}/image"] = np.clip(stimulus["img"], 0.0, 1.0)
        arrays[f"{name}/mask"] = stimulus["target_mask"].astype(np.uint8)
    np.savez_compressed(path, **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
