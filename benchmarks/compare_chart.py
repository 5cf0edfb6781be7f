# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The chart of `compare.py`: memory and time against depth."""

import matplotlib.figure

from benchmarks import compare_report
from tfp_glow import _files

_BATCH_SIZE = 16
_PANELS = (
    ("peak_mib", "memory above the imports (MiB)", "linear"),
    ("first_step_seconds", "time to the first step (s)", "log"),
    ("step_seconds", "time of a step (s)", "linear"),
)
_STYLES = {
    "invert": dict(color="#0072B2", marker="o", lw=2),
    "recompute": dict(color="#56B4E9", marker="s"),
    "store": dict(color="#009E73", marker="^"),
    "tfb_glow": dict(color="#D55E00", marker="D"),
    "normflows": dict(color="#777777", marker="X"),
}


def save(path, medians):
    """Draws the medians against the number of steps, at a batch of 16.

    Args:
        path: `str`, ending in .png.
        medians: see `compare_report.medians`.
    """
    figure = matplotlib.figure.Figure(figsize=(10, 3.8), layout="constrained")
    all_axes = figure.subplots(1, len(_PANELS))
    depths = sorted({k for _, k, batch in medians if batch == _BATCH_SIZE})
    for axes, (measure, title, scale) in zip(all_axes, _PANELS):
        for case, style in _STYLES.items():
            points = [
                (k, medians[case, k, _BATCH_SIZE][measure])
                for k in depths
                if (case, k, _BATCH_SIZE) in medians
            ]
            if points:
                label = compare_report.LABELS[case]
                axes.plot(*zip(*points), label=label, ms=5, **style)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("steps per level, K")
        axes.set_xscale("log", base=2)
        axes.set_xticks(depths, depths)
        axes.minorticks_off()
        axes.set_yscale(scale)
        if scale == "linear":
            axes.set_ylim(bottom=0)
        else:
            axes.yaxis.set_major_formatter("{x:g}")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = all_axes[0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=len(_STYLES),
        frameon=False,
        fontsize=9,
    )
    with _files.replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
