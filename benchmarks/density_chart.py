# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The charts of `density.py` and `ablations.py`: validation curves."""

import matplotlib.figure

from benchmarks import density_case
from benchmarks import density_report
from tfp_glow import _files

# Colors that color-blind readers distinguish, and lines that nobody confuses.
_STYLES = {
    "ours": dict(color="#0072b2"),
    "paper": dict(color="#0072b2", ls="--"),
    "tfb_glow": dict(color="#d55e00"),
    "normflows": dict(color="tab:gray", ls="-."),
    **{
        name: dict(
            color={
                "reverse": "#e69f00",
                "shuffle": "#cc79a7",
                "learned": "#0072b2",
            }[permutation]
        )
        for name, (permutation, _) in density_case.ABLATIONS.items()
    },
}
# Height of the chart in bits/dim: the first steps are far above the others.
_RANGE = 1.6


def save(path, results):
    """Draws validation against seconds and steps, a row for each data set.

    Args:
        path: `str`, ending in .png.
        results: dictionary of runs, without pilot runs, to their results.
    """
    datasets = list(dict.fromkeys(run.dataset for run in results))
    figure = matplotlib.figure.Figure(
        figsize=(10, 3.6 * len(datasets)), layout="constrained"
    )
    all_axes = figure.subplots(len(datasets), 2, sharey="row", squeeze=False)
    for axes_of_row, dataset in zip(all_axes, datasets):
        part = {r: v for r, v in results.items() if r.dataset == dataset}
        for axes, column in zip(axes_of_row, ("seconds", "steps")):
            _draw(axes, part, column)
            axes.set_title(dataset, fontsize=10)
        axes_of_row[0].set_ylabel("validation, bits/dim")
    _finish(figure, all_axes, path)


def save_ablations(path, results):
    """Draws validation against steps: additive couplings, affine couplings.

    Args:
        path: `str`, ending in .png.
        results: dictionary of runs of `density_case.ABLATIONS` to results.
    """
    figure = matplotlib.figure.Figure(figsize=(10, 3.8), layout="constrained")
    all_axes = figure.subplots(1, 2, sharey=True, squeeze=False)
    for axes, coupling in zip(all_axes[0], ("additive", "affine")):
        part = {
            run: result
            for run, result in results.items()
            if density_case.ABLATIONS[run.case][1] == coupling
        }
        _draw(axes, part, "steps")
        axes.set_title(f"{coupling} couplings", fontsize=10)
    all_axes[0, 0].set_ylabel("validation, bits/dim")
    _finish(figure, all_axes, path)


def _draw(axes, results, column):
    """Draws a curve for each run, and a horizontal line for the Gaussian."""
    index = ("seconds", "steps").index(column)
    labels, lowest, drawn = set(), [], []
    for run, result in results.items():
        points = [
            (point[index], point[2])
            for point in result["curve"]
            if point[2] is not None
        ]
        if not points:
            continue
        label = density_report.LABELS[run.case]
        # A legend leaves out labels that start with an underscore.
        shown = f"_{label}" if label in labels else label
        labels.add(label)
        lowest.append(min(bits for _, bits in points))
        if run.case == "gaussian":
            axes.axhline(lowest[-1], color="black", ls=":", label=shown)
        else:
            drawn += points
            style = _STYLES[run.case]
            axes.plot(*zip(*points), label=shown, lw=1.2, alpha=0.8, **style)
    if lowest:
        top = min(lowest) + _RANGE
        axes.set_ylim(min(lowest) - 0.1, top)
    axes.set_xlabel("seconds of training" if index == 0 else "steps")
    if index == 1:
        axes.set_xscale("log")
        visible = [step for step, bits in drawn if bits < top]
        if visible:
            axes.set_xlim(left=0.8 * min(visible))
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _finish(figure, all_axes, path):
    by_label = {}
    for axes in all_axes.flat:
        for handle, label in zip(*axes.get_legend_handles_labels()):
            for coupling in ("additive", "affine"):
                label = label.removesuffix(f", {coupling}")
            by_label.setdefault(label, handle)
    figure.legend(
        by_label.values(),
        by_label.keys(),
        loc="outside lower center",
        ncols=len(by_label) or 1,
        frameon=False,
        fontsize=9,
    )
    with _files.replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
