# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests that moves are fast for images of 32x32 pixels and the default model."""

import time

import numpy as np
import pytest

import tfp_glow as tfg
from tests.explorer import support
from tfp_glow import explorer


@pytest.mark.slow
def test_every_move_takes_less_than_a_second():
    random = np.random.default_rng(0)
    blocks = random.integers(40, 216, [300, 8, 8, 3]).repeat(4, 1).repeat(4, 2)
    images = blocks + random.integers(-20, 20, blocks.shape)
    model = tfg.GlowModel([32, 32, 3], seed=0)
    model.initialize(images[:64])
    page = explorer.Explorer(model, (images, None), (images, None), "blocks")
    seconds = {}

    def timed(name, request):
        start = time.process_time()
        view = getattr(page, name)(request)
        # CPU time, because other programs may be running.
        seconds.setdefault(name, []).append(time.process_time() - start)
        return view

    a, b = (timed("open", {"index": i})["state"] for i in (0, 1))
    state = timed("start", {})["state"]
    state["strengths"] = {"contrast": 0.5, "level-0-direction-0": 1.0}
    data = support.file(support.PIL.Image.new("RGB", (900, 600), "blue"))
    mask = np.zeros([32, 32], int)
    mask[8:24, 8:24] = 1
    fill = {"state": a, "mask": mask.tolist()}
    for _ in range(3):
        timed("show", {"state": state})
        timed("draw", {"state": state, "frozen": [True, False, False]})
        timed("gallery", {})
        timed("upload", {"data": data})
        timed("interpolate", {"a": a, "b": b, "share": 0.3, "path": "linear"})
        fill["progress"] = timed("fill", fill)["progress"]
    for name, times in seconds.items():
        print(f"{name}: {max(times):.3f} s at most")
        # The first of each, too, must not wait for tracing.
        assert max(times) < 1.0, name
