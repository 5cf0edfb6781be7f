# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Draws the architecture of Glow: `python docs/architecture.py`."""

import pathlib

import matplotlib
import matplotlib.figure
import matplotlib.patches

_PICTURE = pathlib.Path(__file__).with_name("architecture.svg")

# Colors of Okabe and Ito, lightened, which color-blind readers tell apart.
_DATA = "#f7e2b5"
_FIXED = "#e4e4e4"
_LEARNED = "#bfdcf0"
_LATENT = "#bfe5d8"
_LINE = "#404040"


def draw(path):
    """Writes the picture as an SVG file with a white background.

    Args:
        path: file to write.
    """
    figure = matplotlib.figure.Figure([9.6, 5.6])
    axes = figure.add_axes([0, 0, 1, 1], xlim=(0, 96), ylim=(-3, 53))
    axes.axis("off")
    _draw_levels(axes)
    _draw_step(axes)
    _draw_coupling(axes)
    # Every run writes the same bytes: no date, and names from a fixed salt.
    with matplotlib.rc_context({"svg.hashsalt": "glow"}):
        figure.savefig(path, format="svg", metadata={"Date": None})


def _box(axes, x, y, width, height, text, color):
    """A rounded box around its center."""
    axes.add_patch(
        matplotlib.patches.FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.8",
            facecolor=color,
            edgecolor=_LINE,
            linewidth=1.0,
        )
    )
    axes.text(x, y, text, ha="center", va="center", size=9)


def _arrow(axes, *points):
    """A line through points with a head at the last one."""
    xs, ys = zip(*points)
    axes.plot(xs[:-1], ys[:-1], color=_LINE, linewidth=1.2)
    axes.annotate(
        "",
        points[-1],
        points[-2],
        arrowprops={
            "arrowstyle": "-|>",
            "color": _LINE,
            "shrinkA": 0,
            "shrinkB": 0,
            "linewidth": 1.2,
        },
    )


def _title(axes, x, text, note):
    axes.text(x, 50, text, ha="center", size=11, weight="bold")
    axes.text(x, 47.4, note, ha="center", size=8.5, color=_LINE)


def _draw_levels(axes):
    """The levels, for images of 32x32x3, from the image down."""
    _title(axes, 22, "Glow", "three levels, for images of 32x32x3")
    _box(axes, 13, 43.4, 21, 3.6, "image   32x32x3", _DATA)
    levels = [
        (37.2, "16x16x12", "z1   16x16x6"),
        (23.2, "8x8x24", "z2   8x8x12"),
        (9.2, "4x4x48", "z3   4x4x48"),
    ]
    for y, shape, latent in levels:
        _arrow(axes, (13, y + 4.4), (13, y + 1.8))
        _box(axes, 13, y, 21, 3.6, f"squeeze   {shape}", _FIXED)
        _arrow(axes, (13, y - 1.8), (13, y - 3.6))
        _box(axes, 13, y - 5.4, 21, 3.6, "K steps", _LEARNED)
        if y == levels[-1][0]:
            _latent(axes, y - 5.4, 23.5, latent, "(h - m) s")
        else:
            axes.plot([13, 13], [y - 7.2, y - 9.6], color=_LINE, linewidth=1.2)
            _latent(axes, y - 8.4, 13, latent, "(x - m(h)) s(h)")
            axes.text(14.5, y - 10.4, "h", size=8, color=_LINE)
            axes.text(26, y - 8.0, "x", size=8, color=_LINE)
    text = "x, h = halves of the channels.  z1, z2, z3: 3,072 standard normal values"
    axes.text(2.5, -1.4, text, size=8.5, color=_LINE)


def _latent(axes, y, start, shape, formula):
    """An arrow to the right, to a part of the latent vector."""
    _arrow(axes, (start, y), (28.5, y))
    _noted(axes, 36, y, 15, shape, formula, _LATENT)


def _noted(axes, x, y, width, text, note, color):
    """A box with a note below its text."""
    _box(axes, x, y, width, 5.6, "", color)
    center = {"ha": "center", "va": "center"}
    axes.text(x, y + 1.1, text, size=9, **center)
    axes.text(x, y - 1.2, note, size=7.5, color=_LINE, **center)


def _draw_step(axes):
    """The three bijectors of a step."""
    _title(axes, 57, "One of K steps", "channels are mixed, halves interact")
    rows = [
        (36.4, "ActNorm", "scale and shift per channel"),
        (26.4, "Invertible1x1Conv", "channels times a matrix"),
        (16.4, "AffineCoupling", "one half changes the other"),
    ]
    _arrow(axes, (57, 43.4), (57, 39.2))
    for y, name, note in rows:
        _noted(axes, 57, y, 21, name, note, _LEARNED)
        _arrow(axes, (57, y - 2.8), (57, y - 7.2))


def _draw_coupling(axes):
    """One half of the channels transforms the other."""
    _title(axes, 83.5, "Coupling", "inverts without inverting the network")
    for x, name in ((75, "1"), (91, "2")):
        _box(axes, x, 41.6, 7, 3.6, f"x{name}", _DATA)
        _box(axes, x, 9.4, 7, 3.6, f"y{name}", _DATA)
    _arrow(axes, (75, 39.8), (75, 11.2))
    _arrow(axes, (91, 39.8), (91, 24.0))
    _arrow(axes, (91, 19.4), (91, 11.2))
    _arrow(axes, (75, 32.6), (78.2, 32.6))
    _box(axes, 82.6, 32.6, 8.8, 4.6, "network", _LEARNED)
    axes.plot([82.6, 82.6], [30.3, 21.7], color=_LINE, linewidth=1.2)
    _arrow(axes, (82.6, 21.7), (87.2, 21.7))
    axes.text(81.8, 25.4, "s, t", ha="right", size=9)
    _box(axes, 91, 21.7, 7.6, 4.6, "s x2 + t", _FIXED)
    text = "log-determinant: sum of log s"
    axes.text(83.5, 3.8, text, ha="center", size=8.5, color=_LINE)


if __name__ == "__main__":
    draw(_PICTURE)
    print(f"Wrote {_PICTURE}")
