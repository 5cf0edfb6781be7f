# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Figures of curves, comparisons, matches, maps and enhanced photographs.

Matplotlib is imported only when a figure is drawn. Figures of patches are 8 inches
wide, so that a notebook shows their text in its own size.
"""

import textwrap

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


def legend(figure):
    """Puts the legend above the axes, where it hides nothing."""
    figure.legend(
        loc="outside upper center", ncols=2, frameon=False, fontsize="small"
    )


def show(axes, image, title="", mask=None):
    """Shows an image `[H, W, C]` in [0, 1], perhaps with a mask's outline."""
    image = np.broadcast_to(image, [*image.shape[:2], 3])
    axes.imshow(image, interpolation="nearest")
    if mask is not None:
        # White on black is visible on every color.
        for color, width in (("black", 2.5), ("white", 1.0)):
            axes.contour(mask, [0.5], colors=color, linewidths=width)
    axes.set_title(title, fontsize="medium")
    axes.set_axis_off()


def curve(likelihood_curve, temperature=None):
    """Draws the patch, the likelihood curve and the percentile ranks."""
    result = figure(8, 2.6)
    left, middle, right = result.subplots(1, 3, width_ratios=[1, 2, 2])
    patch = likelihood_curve.patch
    show(left, patch.image, "patch and target", patch.mask)
    _likelihoods(middle, likelihood_curve, "a")
    _ranks(right, likelihood_curve, "a", temperature)
    return result


def comparison(result):
    """Draws both patches of a `Comparison`, their curves and their ranks."""
    stimulus = result.stimulus
    figure_ = figure(8, 3)
    axes = figure_.subplots(1, 4, width_ratios=[1, 1, 2, 2])
    for name, ax, label in zip("ab", axes, stimulus.labels):
        rank = getattr(result, name)
        show(ax, rank.curve.patch.image, textwrap.fill(label, 15))
        _likelihoods(axes[2], rank.curve, name, label)
        _ranks(axes[3], rank.curve, name, rank.temperature, label)
    figure_.legend(
        *axes[3].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=2,
        frameon=False,
    )
    figure_.suptitle(stimulus.name)
    return figure_


def match(result):
    """Draws the patches of a `Match`, and the ranks that it makes equal."""
    a, b = result.a, result.b
    patch = b.curve.patch
    figure_ = figure(8, 2.6)
    axes = figure_.subplots(1, 4, width_ratios=[1, 1, 1, 2.5])
    first = a.curve.patch
    show(axes[0], first.image, f"a: {first.value:.3g}", first.mask)
    show(axes[1], patch.image, f"b: {patch.value:.3g}", patch.mask)
    matched = patch.with_value(result.value)
    show(
        axes[2],
        matched.image,
        f"b matched: {result.value:.3g}\n({result.change_percent:+.0f} %)",
        patch.mask,
    )
    for name, rank in (("a", a), ("b", b)):
        _ranks(axes[3], rank.curve, name, rank.temperature, name)
    axes[3].plot(
        result.value, a.rank, "D", color=COLORS["b"], label="b matched"
    )
    axes[3].axhline(a.rank, color=COLORS["neutral"], lw=0.8, ls=":")
    axes[3].legend(frameon=False, fontsize="small")
    return figure_


def likelihood_map(result):
    """Draws the photograph and the overlay of a `LikelihoodMap`."""
    figure_ = figure(*_size_of_panels(result.image, 2))
    left, right = figure_.subplots(1, 2)
    show(left, result.image, "photograph")
    pixels, colors = overlay(result)
    height, width = result.patch_size
    show(right, pixels, f"{width}x{height} patches, at their centers")
    bar = figure_.colorbar(colors, ax=right, extend="both", shrink=0.8)
    bar.set_label("bits per dimension (lower is more likely)")
    if share := result.non_finite_share:
        caption = f"white: not finite, {100 * share:.3g} % of the patches"
        figure_.supxlabel(caption, fontsize="medium")
    return figure_


def overlay(result):
    """Returns the overlay of a `LikelihoodMap` and its `ScalarMappable`."""
    import matplotlib

    colors = matplotlib.cm.ScalarMappable(
        # A few extreme patches do not take the colors of the others.
        matplotlib.colors.Normalize(*np.percentile(result.finite, [1, 99])),
        matplotlib.colormaps["viridis"].with_extremes(bad="white"),
    )
    values = np.ma.masked_invalid(result.bits_per_dim)
    blocks = colors.to_rgba(values)[..., :3]
    blocks = blocks.repeat(result.stride, 0).repeat(result.stride, 1)
    rows, columns = (
        (side - result.stride) // 2 + np.arange(count)
        for side, count in zip(result.patch_size, blocks.shape)
    )
    pixels = np.mean(result.image, axis=-1, keepdims=True).repeat(3, axis=-1)
    place = np.ix_(rows, columns)
    pixels[place] = 0.3 * pixels[place] + 0.7 * blocks
    return pixels, colors


def enhanced(result):
    """Draws the photograph, the image of an `Enhanced`, and the change."""
    figure_ = figure(*_size_of_panels(result.image, 3))
    axes = figure_.subplots(1, 3)
    for ax, image, title, bits in (
        (axes[0], result.original, "photograph", result.bits_per_dim_before),
        (axes[1], result.image, "enhanced", result.bits_per_dim_after),
    ):
        show(ax, image, f"{title}: {bits:.2f} bits per dimension")
    change = 255.0 * np.mean(result.image - result.original, axis=-1)
    limit = max(np.max(np.abs(change)), 1.0)
    shown = axes[2].imshow(change, cmap="PuOr", vmin=-limit, vmax=limit)
    axes[2].set_axis_off()
    title = "change"
    if result.mask is not None:
        title += ", none in the outlined mask"
        axes[2].contour(result.mask, levels=[0.5], colors="black")
    axes[2].set_title(title, fontsize="medium")
    bar = figure_.colorbar(shown, ax=axes[2], shrink=0.8)
    bar.set_label("gray levels of 256")
    caption = (
        f"eta = {result.eta:g}; of the decoded values "
        f"{100 * result.non_finite_share:.3g} % were not finite, "
        f"{100 * result.clipped_share:.3g} % were clipped"
    )
    if result.num_filled:
        caption += f"; {result.num_filled} pixels show the photograph instead"
    figure_.supxlabel(caption, fontsize="medium")
    return figure_


def _size_of_panels(image, count):
    """Returns a figure's size in inches, for photographs side by side."""
    height, width = image.shape[:2]
    panel = np.clip(4.5 * height / width, 2.0, 8.0)
    return 4.5 * count + 1.0, panel + 0.8


def _likelihoods(axes, likelihood_curve, name, label=None):
    """Draws bits per dimension, and the range of two standard errors."""
    values, bits = likelihood_curve.values, likelihood_curve.bits_per_dim
    axes.plot(values, bits, color=COLORS[name], label=label)
    draws = likelihood_curve.bits_per_dim_of_draws
    if len(draws) > 1:
        error = 2.0 * np.std(draws, axis=0, ddof=1) / np.sqrt(len(draws))
        low, high = bits - error, bits + error
        axes.fill_between(
            values, low, high, color=COLORS[name], alpha=0.25, lw=0
        )
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
