# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Draws the picture of README: digits by class, and morphs between classes.

`python docs/morph.py` trains a class-conditional Glow on the scanned digits in
`runs/classes`, in about two minutes, and writes `docs/digits.png`.
"""

import pathlib

import matplotlib.colors
import matplotlib.figure
import numpy as np

from tfp_glow.analysis import latents
from tfp_glow.models import saving
from tfp_glow.train import commands

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_RUN = _ROOT / "runs" / "classes"
_PICTURE = _ROOT / "docs" / "digits.png"

_MORPHS = [(0, 6), (1, 7), (5, 3), (7, 2), (3, 8), (6, 4)]
_FRAMES = 10
_TEMPERATURE = 0.6
_INK = matplotlib.colors.LinearSegmentedColormap.from_list(
    "ink", ["#ffffff", "#1f2a5c"]
)


def main():
    """Trains the model, unless it is trained, and draws the picture."""
    commands.train(str(_RUN), conditional=True, patience=30)
    draw(saving.load_model(_RUN / "model.keras"), _PICTURE)
    print(f"Wrote {_PICTURE}")


def draw(model, path):
    """Draws samples of every class beside morphs between pairs of classes."""
    rows, classes = len(_MORPHS), model.num_classes
    samples = model.sample(
        rows * classes,
        temperature=_TEMPERATURE,
        conditioning=np.tile(np.arange(classes), rows),
        seed=0,
    )
    panels = {
        "Samples of each class": _grid(samples, rows),
        "Morphs: the noise stays, the class changes": _grid(
            _morphs(model), rows
        ),
    }
    figure = matplotlib.figure.Figure((10, 3.2), layout="constrained")
    figure.get_layout_engine().set(wspace=0.08)
    for axes, (title, grid) in zip(figure.subplots(1, 2), panels.items()):
        axes.imshow(
            grid,
            cmap=_INK,
            vmin=0,
            vmax=model.bins - 1,
            interpolation="bicubic",
        )
        axes.set_title(title, fontsize=13)
        axes.axis("off")
    figure.savefig(path, dpi=100)


def _morphs(model):
    """Draws rows of frames `[N, H, W, 1]` in gray levels.

    A morph is a sequence of weighted means of two classes.
    """
    classes = np.transpose(_MORPHS)
    samples = model.sample(
        len(_MORPHS), temperature=_TEMPERATURE, conditioning=classes[0], seed=0
    )
    noise = model.encode(samples, classes[0])
    first, last = np.eye(model.num_classes)[classes]
    weights = np.linspace(first, last, _FRAMES, axis=1)
    images = latents.morph(model, noise, weights).images
    return images.reshape(-1, *model.image_shape)


def _grid(images, rows):
    """Arranges images `[N, H, W, 1]` in rows, with white margins."""
    images = np.clip(np.asarray(images)[..., 0], 0, None)
    images = np.pad(images, [(0, 0), (1, 1), (1, 1)])
    images = images.reshape([rows, -1, *images.shape[1:]])
    return np.concatenate(np.concatenate(images, axis=1), axis=1)


if __name__ == "__main__":
    main()
