# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Predicted against human directions: tables in Markdown, and a chart."""

import matplotlib.figure
import matplotlib.lines
import numpy as np
from scipy import stats

from benchmarks import human_directions
from benchmarks import human_models
from benchmarks import human_stimuli
from tfp_glow import _files

# Ranks that differ by less are called equal, whatever their standard errors.
# For the local contrast it is a difference in intensity, of 1.
SMALLEST = 0.02

_GROUPS = {
    human_directions.CONTRAST: dict(color="#0072b2", marker="o"),
    human_directions.ASSIMILATION: dict(color="#d55e00", marker="s"),
    human_directions.CONTROL: dict(color="#595959", marker="^"),
}
_AXES = {
    "murray2020": (
        "Murray (2020), 16x16 pixels",
        "share of choices for the expected target",
    ),
    "RHS2007": (
        "Robinson, Hammon & de Sa (2007), targets of 6 pixels",
        "strength of the effect on people",
    ),
}
_NUM_RESAMPLES = 2000


class Results:
    """Predictions of all models, in one condition at one temperature.

    Args:
        models: dictionary of names to lists, one for each seed, of what
            `human_models.predictions` returns.
        noise: `float`, one of `human_models.NOISES`.
        temperature: a key of `human_models.TEMPERATURES`.
        scale: `str`, of the patches, or `None` for the first of a stimulus.
        control: `bool`, whether to take the patches without context.
    """

    def __init__(
        self, models, noise=4.0, temperature="D ln 2", scale=None, control=False
    ):
        self.models = models
        self._temperature = temperature
        self._condition = (
            (lambda direction: "no context")
            if control
            else lambda direction: (
                f"{scale or first_scale(direction)}, noise {noise:g}"
            )
        )

    def rows(self, model, direction):
        """Returns pairs of difference and standard error, one for each seed.

        Differences are positive if target 1 is predicted to look lighter.
        """
        condition = self._condition(direction)
        return [
            seed[direction.key][condition][self._temperature]
            for seed in self.models[model]
        ]

    def bits_per_dim(self, model, direction):
        """Returns the bits/dim of the patches, a mean over targets and seeds."""
        condition = self._condition(direction)
        return np.mean(
            [
                seed[direction.key][condition]["bits_per_dim"]
                for seed in self.models[model]
            ]
        )

    def has(self, direction):
        """Returns whether the stimulus has patches of this scale."""
        [seed, *_] = next(iter(self.models.values()))
        return self._condition(direction) in seed[direction.key]

    def mean(self, model, direction):
        """Returns the difference, positive for what people see as lighter."""
        sign = 1 if direction.lighter == 1 else -1
        return sign * float(
            np.mean([d for d, _ in self.rows(model, direction)])
        )

    def verdict(self, model, direction):
        """Returns `"yes"` if people see it so, `"no"` if not, `"-"` for ties."""
        lighter = predicted(self.rows(model, direction))
        if lighter is None:
            return "-"
        return "yes" if lighter == direction.lighter else "no"

    def counts(self, model, group):
        """Counts the verdicts on a group, as text."""
        found = [
            self.verdict(model, d)
            for d in human_directions.DIRECTIONS
            if d.group == group
        ]
        if group == human_directions.CONTROL:
            return f"{found.count('-')} of {len(found)}"
        return " / ".join(str(found.count(v)) for v in ("yes", "no", "-"))


def first_scale(direction):
    """Returns the scale of the patches that are reported."""
    return human_stimuli.NATIVE if direction.paper == "murray2020" else "6"


def predicted(rows):
    """Returns the target that looks lighter by all seeds, or `None`.

    Args:
        rows: pairs of difference and standard error, one for each seed. A
            difference counts if it is above `SMALLEST` and above twice its
            standard error.
    """
    signs = {
        int(np.sign(d)) if abs(d) > max(SMALLEST, 2.0 * error) else 0
        for d, error in rows
    }
    return {1: 1, -1: 2}.get(signs.pop()) if len(signs) == 1 else None


def rank_correlation(human, model, seed=0):
    """Computes Spearman's correlation and its 95 % bootstrap interval.

    The interval is over stimuli. Resamples in which all values of a side are
    equal have no correlation and are left out. Without any it is NaN.
    """
    human, model = np.asarray(human), np.asarray(model)
    generator = np.random.default_rng(seed)
    found = []
    for index in generator.integers(
        len(human), size=[_NUM_RESAMPLES, len(human)]
    ):
        if np.ptp(human[index]) > 0.0 and np.ptp(model[index]) > 0.0:
            found.append(stats.spearmanr(human[index], model[index]).statistic)
    if np.ptp(model) == 0.0 or not found:
        return (np.nan, np.nan, np.nan)
    return (
        stats.spearmanr(human, model).statistic,
        *np.percentile(found, [2.5, 97.5]),
    )


def tables(models, bits):
    """Returns all tables as Markdown.

    Args:
        models: see `Results`.
        bits: dictionary of names to lists of bits/dim of test patches.
    """
    return "\n\n".join(
        [
            _summary(models, bits),
            _stimuli(models),
            _scales(models),
            _conditions(models),
        ]
    )


def _summary(models, bits):
    results, control = Results(models), Results(models, control=True)
    lines = []
    for model in models:
        contrast, assimilation, controls = (
            results.counts(model, group) for group in _GROUPS
        )
        flat = max(
            abs(control.mean(model, d)) for d in human_directions.DIRECTIONS
        )
        lines.append(
            [
                model,
                ", ".join(f"{b:.2f}" for b in bits[model]).replace("nan", "-"),
                contrast,
                assimilation,
                controls,
                *(_correlation(results, model, paper) for paper in _AXES),
                _correlation(results, model, None),
                f"{flat:.3f}",
            ]
        )
    return _markdown(
        "yes / no / undecided; controls: undecided",
        [
            "model",
            "test bits/dim",
            "contrast",
            "assimilation",
            "controls",
            "rho, Murray",
            "rho, RHS2007",
            "rho, both",
            "largest without context",
        ],
        lines,
    )


def _correlation(results, model, paper):
    directions = [
        d for d in human_directions.DIRECTIONS if paper in (None, d.paper)
    ]
    largest = {
        paper: max(
            abs(d.human)
            for d in human_directions.DIRECTIONS
            if d.paper == paper
        )
        for paper in _AXES
    }
    differences = [
        np.mean([row[0] for row in results.rows(model, d)]) for d in directions
    ]
    rho, low, high = rank_correlation(
        [d.human / largest[d.paper] for d in directions],
        # Errors of rounding would otherwise have a rank.
        np.round(differences, 2),
    )
    return "-" if np.isnan(rho) else f"{rho:+.2f} ({low:+.2f} to {high:+.2f})"


def _stimuli(models):
    results = Results(models)
    lines = []
    for group in _GROUPS:
        for d in human_directions.DIRECTIONS:
            if d.group == group:
                lines.append(
                    [
                        d.name,
                        group,
                        d.lighter,
                        _size(d),
                        *(_cell(results, model, d) for model in models),
                    ]
                )
    return _markdown(
        "difference of the ranks, positive for the target that people see as "
        "lighter, and whether it agrees with people",
        ["stimulus", "group", "lighter", "share or strength", *models],
        lines,
    )


def _cell(results, model, direction):
    if not results.has(direction):
        return ""
    mean = results.mean(model, direction)
    return f"{mean:+.2f} {results.verdict(model, direction)}"


def _scales(models):
    model = next(iter(models))
    scales = (human_stimuli.NATIVE, *map(str, human_stimuli.SCALES))
    by_scale = [Results(models, scale=scale) for scale in scales]
    first = Results(models)
    lines = [
        [
            d.name,
            d.group,
            *(_cell(results, model, d) for results in by_scale),
            f"{first.bits_per_dim(model, d):.1f}",
        ]
        for group in _GROUPS
        for d in human_directions.DIRECTIONS
        if d.group == group
    ]
    units = [s if s == human_stimuli.NATIVE else f"{s} pixels" for s in scales]
    return _markdown(
        f"{model}, by the longer side of the target, and bits/dim of the first",
        ["stimulus", "group", *units, "bits/dim"],
        lines,
    )


def _conditions(models):
    lines = []
    for model in models:
        for temperature in human_models.TEMPERATURES:
            for noise in human_models.NOISES:
                results = Results(models, noise, temperature)
                counts = [results.counts(model, group) for group in _GROUPS]
                lines.append([model, temperature, f"{noise:g}", *counts])
    return _markdown(
        "yes / no / undecided, by temperature and noise in gray levels",
        ["model", "temperature", "noise", *_GROUPS],
        lines,
    )


def _markdown(title, header, lines):
    rows = [header, ["---"] * len(header), *lines]
    text = "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)
    return f"{title}:\n\n{text}"


def save_chart(path, models, model="flow", other="Gaussian"):
    """Draws predicted against human directions, a panel for each paper."""
    results = Results(models)
    figure = matplotlib.figure.Figure(figsize=(11, 9), layout="constrained")
    panels = figure.subplots(2, 2, width_ratios=[3, 1])
    for (axes, names), (paper, labels) in zip(panels, _AXES.items()):
        axes.axhline(0.0, color="black", lw=0.8)
        if paper == "murray2020":
            axes.axvline(0.5, color="black", lw=0.8, ls=":")
        directions = [
            d for d in human_directions.DIRECTIONS if d.paper == paper
        ]
        for direction in directions:
            _point(axes, results, direction, model, other)
        axes.set_title(labels[0])
        axes.set_xlabel(labels[1])
        axes.set_ylabel("difference of percentile ranks,\n> 0 as people see it")
        axes.set_ylim(-1.1, 1.1)
        names.set_axis_off()
        for number, direction in enumerate(directions, 1):
            names.text(
                0.0,
                1.0 - number / 15,
                f"{number}  {direction.name}",
                color=_GROUPS[direction.group]["color"],
                transform=names.transAxes,
            )
    black = dict(color="black", marker="o")
    styles = _GROUPS | {
        f"filled: {model}, mean and range of seeds": black,
        f"open: {other}": black | dict(mfc="none"),
    }
    handles = [
        matplotlib.lines.Line2D([], [], ls="", label=label, **style)
        for label, style in styles.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5)
    figure.draw_without_rendering()  # So that points have their places.
    for axes, paper in zip(panels[:, 0], _AXES):
        _number(axes, results, paper, (model, other))
    with _files.replacing(path) as new:
        figure.savefig(new, format="png", dpi=110)


def _point(axes, results, direction, model, other):
    style = _GROUPS[direction.group]
    sign = 1 if direction.lighter == 1 else -1
    seeds = [sign * d for d, _ in results.rows(model, direction)]
    x = _size(direction)
    axes.plot([x, x], [min(seeds), max(seeds)], color=style["color"], lw=2)
    axes.plot(x, np.mean(seeds), ls="", ms=8, **style)
    open_style = style | dict(mfc="none")
    axes.plot(x, results.mean(other, direction), ls="", ms=8, **open_style)


def _number(axes, results, paper, models):
    """Numbers the points of the first model where nothing else is."""
    directions = [d for d in human_directions.DIRECTIONS if d.paper == paper]
    points, *others = (
        axes.transData.transform(
            [(_size(d), results.mean(model, d)) for d in directions]
        )
        for model in models
    )
    taken = [*points, *np.concatenate(others)]
    places = [(13, 0), (-13, 0), (0, 14), (0, -14), (11, 12), (-11, 12)]
    places += [(11, -12), (-11, -12), (0, 26), (0, -26)]
    for number, point in enumerate(points, 1):
        offset = max(
            places,
            key=lambda offset: min(
                15.0, *(np.linalg.norm(point + offset - t) for t in taken)
            ),
        )
        taken.append(point + offset)
        axes.annotate(
            number,
            axes.transData.inverted().transform(point + offset),
            ha="center",
            va="center",
            fontsize="small",
        )


def _size(direction):
    """Returns the size of the effect on people."""
    return direction.strength if direction.share is None else direction.share
