# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Draws histograms of bits per dimension and the ROC of scores."""

import matplotlib.figure
import numpy as np

import tfp_glow as tfg
from tfp_glow import _files

# Okabe and Ito's colors, which color-blind readers can tell apart.
_COLORS = {
    "photos_grey": "#000000",
    "constant": "#D55E00",
    "brick": "#CC79A7",
    "gravel": "#56B4E9",
    "grass": "#009E73",
    "noise": "#0072B2",
}
_NAMES = {"photos_grey": "photographs (test)", "constant": "constant images"}
# The first line is wide, so that others on top of it leave it visible.
_SCORES = {
    "input complexity": dict(color="#D55E00", lw=5, alpha=0.6),
    "likelihood": dict(color="#0072B2", lw=2),
    "likelihood ratio": dict(color="#CC79A7", lw=2, ls="-."),
    "typicality": dict(color="#000000", lw=2, ls="--"),
}


def draw(path, run):
    """Draws a run with scores of all its images, as a PNG file."""
    figure = matplotlib.figure.Figure(figsize=(10, 7), layout="constrained")
    (left, right), below = figure.subplots(2, 2)
    scores = run["scores"]
    _histograms(left, scores["likelihood"])
    left.axvline(run["entropy"], color="gray", ls=":", lw=1.5)
    left.annotate(
        "training\nentropy",
        (run["entropy"], 0.97),
        xycoords=("data", "axes fraction"),
        xytext=(4, 0),
        textcoords="offset points",
        va="top",
        color="dimgray",
        fontsize=8,
    )
    left.set_title("Likelihood: constant images are the most likely")
    left.set_xlabel("bits per dimension")
    _histograms(right, scores["input complexity"])
    right.set_title("Input complexity: simple images stand out")
    right.set_xlabel("bits per dimension, less those of a PNG file")
    right.legend(frameon=False, fontsize=9)
    for axes, kind in zip(below, ("constant", "grass")):
        _curves(axes, scores, kind)
    figure.suptitle(
        "A Glow of gray photographs, 16x16 pixels, and images of other kinds",
        fontweight="bold",
    )
    with _files.replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)


def _histograms(axes, scores):
    values = np.concatenate([*scores.values()])
    edges = np.linspace(values.min(), values.max(), 50)
    for kind, color in _COLORS.items():
        axes.hist(
            scores[kind],
            edges,
            histtype="stepfilled",
            facecolor=color + "30",
            edgecolor=color,
            lw=1.5,
            label=_NAMES.get(kind, kind),
        )
    axes.set_ylabel(f"images of {len(scores['photos_grey'])}")


def _curves(axes, scores, kind):
    for name, style in _SCORES.items():
        usual, other = (scores[name][k] for k in ("photos_grey", kind))
        roc = tfg.typicality.roc(usual, other)
        axes.plot(
            roc.false_positive_rate,
            roc.true_positive_rate,
            label=f"{name}: {roc.auroc:.3f}",
            clip_on=False,
            **style,
        )
    axes.plot([0, 1], [0, 1], ":", color="gray", lw=1)
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1),
        xlabel="share of photographs called unusual",
        ylabel=f"share of {_NAMES.get(kind, kind)} found",
        title=f"Photographs against {_NAMES.get(kind, kind)}: AUROC",
    )
    axes.legend(
        loc="center",
        bbox_to_anchor=(0.5, 0.35),
        facecolor="white",
        edgecolor="white",
        framealpha=1,
    )
