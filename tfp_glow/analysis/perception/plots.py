# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Figures of curves, comparisons and matches.

Matplotlib is imported only when a figure is drawn.
"""

import numpy as np

# Okabe and Ito's colors, which color-blind people can tell apart.
COLORS = {"a": "#0072B2", "b": "#D55E00", "neutral": "#595959"}
UNITS = {
    "brightness": "brightness of the target",
    "saturation": "saturation of the target",
    "hue": "hue of the target, in turns",
}


def figure(width, height):
    """Returns a Matplotlib `Figure`, whose size is in inches."""
    import matplotlib.figure

    return matplotlib.figure.Figure(
        figsize=(width, height), layout="constrained"
    )


def show(axes, image, title=""):
    """Shows an image `[H, W, C]` in [0, 1] without axes, pixels as squares."""
    image = np.broadcast_to(image, [*image.shape[:2], 3])
    axes.imshow(image, interpolation="nearest")
    axes.set_title(title, fontsize="medium")
    axes.set_axis_off()


def curve(likelihood_curve, temperature=None):
    """Draws the patch, the likelihood curve and the percentile ranks."""
    result = figure(10, 3)
    left, middle, right = result.subplots(1, 3, width_ratios=[1, 2, 2])
    show(left, likelihood_curve.patch.image, "patch")
    _likelihoods(middle, likelihood_curve, "a")
    _ranks(right, likelihood_curve, "a", temperature)
    return result


def comparison(result):
    """Draws both patches of a `Comparison`, their curves and their ranks."""
    stimulus = result.stimulus
    figure_ = figure(11, 3.2)
    axes = figure_.subplots(1, 4, width_ratios=[1, 1, 2, 2])
    for name, ax, label in zip("ab", axes, stimulus.labels):
        rank = getattr(result, name)
        show(ax, rank.curve.patch.image, label)
        _likelihoods(axes[2], rank.curve, name, label)
        _ranks(axes[3], rank.curve, name, rank.temperature, label)
    axes[3].legend(frameon=False, fontsize="small")
    figure_.suptitle(stimulus.name)
    return figure_


def match(result):
    """Draws the patches of a `Match`, and the ranks that it makes equal."""
    a, b = result.a, result.b
    patch = b.curve.patch
    figure_ = figure(11, 3.2)
    axes = figure_.subplots(1, 4, width_ratios=[1, 1, 1, 2.5])
    show(axes[0], a.curve.patch.image, f"a: {a.curve.patch.value:.3g}")
    show(axes[1], patch.image, f"b: {patch.value:.3g}")
    matched = patch.with_value(result.value)
    show(
        axes[2],
        matched.image,
        f"b matched: {result.value:.3g} ({result.change_percent:+.0f} %)",
    )
    for name, rank in (("a", a), ("b", b)):
        _ranks(axes[3], rank.curve, name, rank.temperature, name)
    axes[3].plot(
        result.value, a.rank, "D", color=COLORS["b"], label="b matched"
    )
    axes[3].axhline(a.rank, color=COLORS["neutral"], lw=0.8, ls=":")
    axes[3].legend(frameon=False, fontsize="small")
    return figure_


def _likelihoods(axes, likelihood_curve, name, label=None):
    """Draws bits per dimension, and the range of two standard errors."""
    values, bits = likelihood_curve.values, likelihood_curve.bits_per_dim
    axes.plot(values, bits, color=COLORS[name], label=label)
    _mark(axes, likelihood_curve, bits, name)
    axes.set_xlabel(UNITS[likelihood_curve.patch.property])
    axes.set_ylabel("bits per dimension")
    axes.set_title("lower is more likely", fontsize="medium")


def _ranks(axes, likelihood_curve, name, temperature, label=None):
    ranks = likelihood_curve.ranks(temperature)
    axes.plot(likelihood_curve.values, ranks, color=COLORS[name], label=label)
    _mark(axes, likelihood_curve, ranks, name)
    axes.set_xlabel(UNITS[likelihood_curve.patch.property])
    axes.set_ylabel("percentile rank")
    axes.set_ylim(-0.03, 1.03)
    number = likelihood_curve.temperature(temperature)
    axes.set_title(f"temperature {number:.4g}", fontsize="medium")


def _mark(axes, likelihood_curve, heights, name):
    """Marks the target's own value; circle and square tell a from b."""
    value = likelihood_curve.patch.value
    height = np.interp(value, likelihood_curve.values, heights)
    marker = "o" if name == "a" else "s"
    axes.plot(value, height, marker, color=COLORS[name])
