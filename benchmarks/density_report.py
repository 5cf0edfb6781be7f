# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tables of the results of `density.py` and of its targets."""

import collections
import dataclasses
import math
import os

import numpy as np

from benchmarks import density_case

LABELS = {
    "ours": "tfp_glow",
    "paper": "tfp_glow, paper",
    "tfb_glow": "tfb.Glow",
    "normflows": "normflows",
    "gaussian": "Gaussian",
    **{
        name: f"{'1x1' if permutation == 'learned' else permutation}, {coupling}"
        for name, (permutation, coupling) in density_case.ABLATIONS.items()
    },
}
PEERS = ("tfb_glow", "normflows")
# The target for the defaults, in bits/dim below the paper's configuration.
_GAIN, _GAIN_DATASET = 0.10, "photos"


@dataclasses.dataclass(frozen=True)
class Summary:
    """The runs of one case on one data set, one for each seed.

    `images` is the bits/dim of every test image, averaged over the seeds.
    """

    runs: list
    results: list
    images: np.ndarray
    test: float
    error_of_seeds: float

    @property
    def steps(self):
        """The smallest number of training steps of a seed."""
        return min(result["steps"] for result in self.results)

    def mean(self, function):
        """Returns the mean over the seeds of a function of a result."""
        return float(np.mean([function(result) for result in self.results]))

    def validation_at(self, step):
        """Returns the best validation bits/dim of every seed up to a step.

        Values between two validations are interpolated. Before the first they
        are `None`.
        """
        return [best_until(result["curve"], step) for result in self.results]


def summaries(results):
    """Groups the runs by data set and case.

    Args:
        results: dictionary of runs, without pilot runs, to their results.

    Returns:
        Dictionary of data set to dictionary of case to `Summary`.
    """
    groups = collections.defaultdict(list)
    for run in results:
        groups[run.dataset, run.case].append(run)
    by_dataset = collections.defaultdict(dict)
    for (dataset, case), runs in groups.items():
        found = [results[run] for run in runs]
        tests = np.array([[number(v) for v in r["test"]] for r in found])
        by_dataset[dataset][case] = Summary(
            runs=runs,
            results=found,
            images=tests.mean(axis=0),
            test=float(tests.mean()),
            error_of_seeds=standard_error(tests.mean(axis=1)),
        )
    return dict(by_dataset)


def number(value):
    """Returns a value of a result, infinite if it was not finite."""
    return math.inf if value is None else value


def best_until(curve, step):
    """Returns the lowest bits/dim of a curve up to a step, `None` before it.

    Args:
        curve: triples of seconds, steps and bits/dim.
        step: `int`; the result is interpolated between two steps of the curve.
    """
    points = [(at, bits) for _, at, bits in curve if bits is not None]
    if not points or step < points[0][0]:
        return None
    steps, bits = zip(*points)
    return float(np.interp(step, steps, np.minimum.accumulate(bits)))


def table(results):
    """Formats the runs, by data set and then in the order of `LABELS`."""
    lines = []
    for dataset, cases in summaries(results).items():
        any_case = next(iter(cases.values()))
        first, run = any_case.results[0], any_case.runs[0]
        height, width, channels = first["image_shape"]
        lines += [
            f"{dataset}: {len(any_case.images)} test images of "
            f"{height}x{width}x{channels}, {first['bins']} gray levels, "
            f"L={run.num_levels} K={run.num_steps} W={run.num_filters}, "
            f"{run.minutes:g} minutes of training",
            "",
            f"{'':20}{'rate':>8}{'batch':>7}{'weights':>10}{'seeds':>7}"
            f"{'steps':>8}{'validation':>12}{'test':>8}{'seeds+-':>9}"
            f"{'images+-':>10}{'not finite':>12}{'diverged':>10}",
            *(_row(case, cases[case]) for case in LABELS if case in cases),
            "",
        ]
    lines.append(
        "Bits/dim, upper bounds from uniform noise, of the weights that were "
        "best on validation.\nStandard errors over the seeds and over the test "
        "images. Not finite: share of samples at\ntemperature 1; diverged: "
        "seeds whose loss was not finite at some step, which ended them."
    )
    return "\n".join(lines)


def _row(case, summary):
    run, first = summary.runs[0], summary.results[0]
    rate = "-" if run.learning_rate is None else f"{run.learning_rate:g}"
    error = summary.error_of_seeds
    shown_error = f"{error:.4f}" if math.isfinite(error) else "-"
    validation = summary.mean(lambda r: number(r["best_validation"]))
    not_finite = summary.mean(lambda r: r["samples"]["share_not_finite"])
    diverged = sum(r["diverged_at"] is not None for r in summary.results)
    return (
        f"{LABELS[case]:20}{rate:>8}{run.batch_size or 'all':>7}"
        f"{first['num_weights']:10,}{len(summary.runs):7}"
        f"{summary.mean(lambda r: r['steps']):8.0f}{validation:12.3f}"
        f"{summary.test:8.3f}{shown_error:>9}"
        f"{standard_error(summary.images):10.3f}{not_finite:12.1%}"
        f"{diverged:10}"
    )


def targets_table(results):
    """Formats the targets, each with its verdict; empty if there are none."""
    lines = []
    for dataset, cases in summaries(results).items():
        if "ours" not in cases:
            continue
        ours = cases["ours"]
        trained = [s for name, s in cases.items() if name != "gaussian"]
        steps = min(summary.steps for summary in trained)
        for peer in PEERS:
            if peer in cases:
                lines.append(_at_equal_time(dataset, ours, peer, cases[peer]))
                lines.append(
                    _at_equal_steps(dataset, ours, peer, cases[peer], steps)
                )
        if dataset == _GAIN_DATASET and "paper" in cases:
            gain = difference(cases["paper"].test, ours.test)
            lines.append(
                _line(
                    f"{dataset}: below the paper's, equal time",
                    f"{gain:.3f} of {_GAIN:.2f}",
                    gain >= _GAIN,
                )
            )
    return "\n".join(lines)


def show(results, chart, draw):
    """Prints the tables and draws the chart.

    Args:
        results: dictionary of runs to results, of any data sets.
        chart: `str`, path of the picture.
        draw: callable of the path and the results.
    """
    if not results:
        print("No results of this kind.")
        return
    print(f"\n{table(results)}")
    targets = targets_table(results)
    if targets:
        print(f"\n{targets}")
    os.makedirs(os.path.dirname(chart) or ".", exist_ok=True)
    draw(chart, results)
    print(f"\nDrawn: {chart}")


def _at_equal_time(dataset, ours, peer, theirs):
    below = difference(theirs.test, ours.test)
    # Errors of the seeds, and of the test images, which both share.
    error = math.sqrt(
        ours.error_of_seeds**2
        + theirs.error_of_seeds**2
        + standard_error(difference(theirs.images, ours.images)) ** 2
    )
    name = f"{dataset}: below {LABELS[peer]}, equal time"
    if below == math.inf:
        return _line(name, f"{LABELS[peer]} is not finite", True)
    if math.isnan(error):
        return _line(name, f"{below:.3f}, error not known", None)
    return _line(name, f"{below:.3f} of {2 * error:.3f}", below > 2 * error)


def _at_equal_steps(dataset, ours, peer, theirs, steps):
    name = f"{dataset}: no higher than {LABELS[peer]}, {steps} steps"
    pair = ours.validation_at(steps), theirs.validation_at(steps)
    if None in pair[0] + pair[1]:
        return _line(name, "not validated by then", None)
    below = np.mean(pair[1]) - np.mean(pair[0])
    error = math.hypot(*map(standard_error, pair))
    shown = f", seeds +-{error:.3f}" if math.isfinite(error) else ""
    return _line(name, f"{below:.3f} of 0{shown}", below >= 0)


def _line(name, shown, is_met):
    verdict = {True: "met", False: "missed", None: "-"}[is_met]
    return f"{name:48}{shown:>34}  {verdict}"


def difference(theirs, ours):
    """Returns theirs minus ours, NaN where both are infinite."""
    with np.errstate(invalid="ignore"):
        return np.subtract(theirs, ours)


def standard_error(values):
    """Returns the error of a mean, or NaN if it is unknown."""
    if len(values) < 2 or not np.all(np.isfinite(values)):
        return math.nan
    return float(np.std(values, ddof=1) / math.sqrt(len(values)))
