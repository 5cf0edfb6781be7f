# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The command `python -m tfp_glow explore`, as a function. See `commands`."""

import contextlib
import os
import sys
import webbrowser

import numpy as np

from tfp_glow import _lazy

# The command line reads the flags without waiting for these.
_checks = _lazy.module("tfp_glow._checks")
datasets = _lazy.module("tfp_glow.datasets")
explorer = _lazy.module("tfp_glow.explorer")
glow_model = _lazy.module("tfp_glow.models.glow_model")
commands = _lazy.module("tfp_glow.train.commands")
presets = _lazy.module("tfp_glow.train.presets")
weights = _lazy.module("tfp_glow.models.presets")

_NUM_IMAGES = 600  # Of each split. More would take longer and change little.


def explore(
    run: str | None = None,
    preset: str | None = None,
    host: str = "127.0.0.1",
    port: int = 7860,
    browser: bool = True,
):
    """Opens a page on which one plays with the latent space of a model.

    The page runs until Ctrl-C. Only programs of this machine reach it, unless
    `host` says otherwise.

    Args:
        run: folder of the run (default: the newest in the folder runs).
        preset: digits, photo_patches or photo_patches_grey, a model that ships
            with the package, in place of a run.
        host: address to listen on; 0.0.0.0 lets other machines use the page,
            which has no password.
        port: port to listen on; 0 for any that is free.
        browser: whether to open the page in a browser.
    """
    if run and preset:
        raise ValueError(
            f"Expected --run or --preset, not both. Received: --run={run}, "
            f"--preset={preset}"
        )
    with explorer.Server(host, port) as server:
        server.explorer = make(run, preset)
        with contextlib.suppress(KeyboardInterrupt):
            if not server.is_loopback:
                print("Other machines can use the page. It has no password.")
            print(f"Explore at {server.url}   Ctrl-C ends.", flush=True)
            if browser and _has_display():
                webbrowser.open(server.url)
            server.serve_forever()


def make(run=None, preset=None):
    """Returns the `Explorer` of a run or a preset."""
    if preset is not None:
        preset = preset.replace("-", "_")
        _checks.choice("preset", preset, weights.names())
        settings = presets.get(preset).settings
        model = glow_model.GlowModel.from_preset(preset)
    else:
        _, settings, model = commands.open_run(run)
    info = settings.data_info()
    has_labels = info.num_classes is not None
    splits = []
    for split, seed in (("train", 0), ("test", 1)):
        examples = datasets.load(
            settings.dataset,
            split,
            bins=settings.bins,
            image_size=settings.image_size,
            as_supervised=has_labels,
            shuffle=True,
            seed=seed,
        )
        examples = list(examples.take(_NUM_IMAGES).as_numpy_iterator())
        if has_labels:
            splits.append(tuple(np.stack(x) for x in zip(*examples)))
        else:
            splits.append((np.stack(examples), None))
    print("Finding directions of the latent space ...", flush=True)
    names = None
    if has_labels and (model.num_classes or settings.dataset == "digits"):
        names = [str(i) for i in range(info.num_classes)]
    return explorer.Explorer(model, *splits, settings.dataset, names)


def _has_display():
    """Returns whether a browser can be opened. It would be one of the terminal."""
    names = ("DISPLAY", "WAYLAND_DISPLAY")
    return sys.platform == "darwin" or any(map(os.environ.get, names))
