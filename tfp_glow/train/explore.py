# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The command `python -m tfp_glow explore`, as a function. See `commands`."""

import contextlib
import dataclasses
import os
import sys
import webbrowser

from tfp_glow import _lazy
from tfp_glow.train import commands

# The command line reads the flags without waiting for this.
explorer = _lazy.module("tfp_glow.explorer")

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
        run, preset: see `commands.open_model`.
        host: address to listen on; 0.0.0.0 lets other machines use the page,
            which has no password.
        port: port to listen on; 0 for any that is free.
        browser: whether to open the page in a browser.
    """
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
    _, settings, model = commands.open_model(run, preset)
    info = settings.data_info()
    has_labels = info.num_classes is not None
    labeled = dataclasses.replace(settings, conditional=has_labels)
    splits = [
        labeled.examples(split, _NUM_IMAGES, shuffle=True, seed=seed)
        for split, seed in (("train", 0), ("test", 1))
    ]
    print("Finding directions of the latent space ...", flush=True)
    names = None
    if has_labels and (model.num_classes or settings.dataset == "digits"):
        names = [str(i) for i in range(info.num_classes)]
    return explorer.Explorer(model, *splits, settings.dataset, names)


def _has_display():
    """Returns whether a browser can be opened. It would be one of the terminal."""
    names = ("DISPLAY", "WAYLAND_DISPLAY")
    return sys.platform == "darwin" or any(map(os.environ.get, names))
