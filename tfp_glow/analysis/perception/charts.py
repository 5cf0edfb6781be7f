# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Small charts of a study, which a narrow screen can show one by one."""

import numpy as np

from tfp_glow.analysis.perception import plots
from tfp_glow.analysis.perception import study

# Okabe and Ito's colors, and markers, by the model.
STYLES = {
    "flow": ("#0072B2", "o"),
    "untrained flow": ("#56B4E9", "v"),
    "flow of shuffled pixels": ("#CC79A7", "^"),
    "Gaussian": ("#D55E00", "s"),
    "independent pixels": ("#E69F00", "D"),
    "turned": ("#009E73", "<"),
    "inverted": ("#009E73", ">"),
    "no context": ("#595959", "x"),
}
_WIDTH, _HEIGHT = 4.6, 3.1  # Inches, at 72 pixels.


def _figure(height=_HEIGHT):
    figure = plots.figure(_WIDTH, height)
    return figure, figure.subplots()


def likelihoods(row):
    """Draws bits per dimension under the flow, the mean over seeds."""
    return _curves(row, lambda curve: curve.bits_per_dim, "bits per dimension")


def ranks(row):
    """Draws percentile ranks under the flow, the mean over seeds."""
    figure = _curves(row, lambda curve: curve.ranks(), "percentile rank")
    figure.axes[0].set_ylim(-0.03, 1.03)
    return figure


def _curves(row, function, y_label):
    """Draws a line for each context, and the range over training seeds."""
    figure, axes = _figure()
    for name, label in zip("ab", row.stimulus.labels):
        curves = [getattr(c, name).curve for c in row.comparisons[study.FLOW]]
        # A quarter of the points is enough for a small chart.
        values = curves[0].values[::4]
        heights = np.stack([function(curve)[::4] for curve in curves])
        mean = np.mean(heights, axis=0)
        color = plots.COLORS[name]
        dashed = "-" if name == "a" else "--"
        axes.plot(values, mean, dashed, color=color, label=label)
        axes.fill_between(
            values,
            heights.min(0),
            heights.max(0),
            color=color,
            alpha=0.25,
            lw=0,
        )
        value = curves[0].patch.value
        marker = "o" if name == "a" else "s"
        axes.plot(value, np.interp(value, values, mean), marker, color=color)
    axes.set_xlabel(plots.UNITS[curves[0].patch.property])
    axes.set_ylabel(y_label)
    plots.legend(figure)
    return figure


def differences(row):
    """Draws how far the ranks differ, by model and control.

    To the right is the way that people see the stimulus.
    """
    figure, axes = _figure()
    found = row.comparisons | row.controls
    for y, (name, comparisons) in enumerate(found.items()):
        color, marker = STYLES[name]
        # Seeds lie above one another.
        heights = y + np.linspace(-0.2, 0.2, len(comparisons) + 2)[1:-1]
        for height, comparison in zip(heights, comparisons):
            axes.errorbar(
                sign(comparison.stimulus.higher or row.stimulus.higher)
                * comparison.difference,
                height,
                xerr=2.0 * comparison.standard_error,
                fmt=marker,
                color=color,
                ms=5,
                lw=1,
            )
    axes.axvline(0.0, color=plots.COLORS["neutral"], lw=0.8)
    axes.set_yticks(range(len(found)), found)
    axes.invert_yaxis()
    axes.set_xlabel("difference of ranks (right: as people see it)")
    # Zero is always in view, and noise does not fill the chart.
    limit = 1.1 * max(0.05, *np.abs(axes.get_xlim()))
    axes.set_xlim(-limit, limit)
    axes.locator_params(axis="x", nbins=5)
    return figure


def summary(rows):
    """Draws both patches of every stimulus beside the models' predictions."""
    figure = plots.figure(9, 1.15 * len(rows) + 0.9)
    grid = figure.subplots(len(rows), 3, width_ratios=[1, 1, 6], squeeze=False)
    for row, axes in zip(rows, grid):
        stimulus = row.stimulus
        plots.show(axes[0], stimulus.a.image)
        plots.show(axes[1], stimulus.b.image)
        for y, (name, found) in enumerate(row.comparisons.items()):
            color, marker = STYLES[name]
            values = [sign(stimulus.higher) * c.difference for c in found]
            axes[2].plot(
                values, np.full(len(found), -y), marker, color=color, label=name
            )
        axes[2].axvline(0.0, color=plots.COLORS["neutral"], lw=0.8)
        axes[2].set_xlim(-1.05, 1.05)
        axes[2].set_ylim(0.7 - len(row.comparisons), 0.7)
        axes[2].set_yticks([])
        axes[2].set_title(
            f"{stimulus.name}: {stimulus.sees}", fontsize="small", loc="left"
        )
        axes[2].tick_params(labelbottom=row is rows[-1])
    grid[-1, 2].set_xlabel(
        "difference of percentile ranks (above 0: as people see it)"
    )
    handles = {}
    for axes in grid[:, 2]:
        handles |= dict(zip(*reversed(axes.get_legend_handles_labels())))
    figure.legend(
        handles.values(),
        handles,
        loc="outside lower center",
        ncols=3,
        frameon=False,
    )
    return figure


def sign(higher):
    """Returns the factor that makes the human direction positive."""
    return 1.0 if higher == "a" else -1.0


def sweep(result):
    """Draws a `Sweep`: means over seeds, and each seed as a mark."""
    figure, axes = _figure()
    for name, rows in result.differences.items():
        color, marker = STYLES[name]
        axes.plot(result.x, rows.mean(axis=0), color=color, label=name)
        for row in rows:
            axes.plot(result.x, row, marker, color=color, ms=4)
    axes.axhline(0.0, color=plots.COLORS["neutral"], lw=0.8)
    axes.set_xlabel(result.x_label)
    axes.set_ylabel("difference of ranks")
    figure.suptitle(result.title, fontsize="medium")
    axes.legend(frameon=False)
    return figure


def matches(results):
    """Draws the changes that `study.saturation_matches` found."""
    figure, axes = _figure(4.6)
    for y, changes in enumerate(results.values()):
        for name, values in changes.items():
            color, marker = STYLES[name]
            axes.plot(
                values,
                np.full(len(values), y),
                marker,
                color=color,
                ms=5,
                label=name if y == 0 else None,
            )
    axes.axvline(24.0, color=plots.COLORS["neutral"], lw=0.8, ls=":")
    axes.set_yticks(range(len(results)), results, fontsize="small")
    axes.invert_yaxis()
    axes.set_xlabel("change in percent (dotted: 24)")
    plots.legend(figure)
    return figure


def typicality(held_out, rows):
    """Draws bits per dimension of unseen photographs and of the stimuli."""
    figure, axes = _figure()
    axes.hist(held_out, bins=30, color="#BBBBBB", label="unseen photographs")
    colors = [color for color, _ in STYLES.values()]
    for row, color in zip(rows, colors):
        axes.axvline(row.bits_per_dim, color=color, label=row.stimulus.name)
    axes.set_xlabel("bits per dimension (the flow of seed 0)")
    axes.set_ylabel("number of patches")
    plots.legend(figure)
    return figure
