# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Compares time and memory with `tfb.Glow` and normflows, at several depths.

`python benchmarks/compare.py` measures each model in a process of its own, in
rounds over all models. It prints a table of the medians and a table of the
targets, and draws a chart. It takes about an hour on two CPU cores. Finished
processes are kept in the file of results. The next call repeats one only if the
code that it measured has changed.
"""

import dataclasses
import functools
import os
import pathlib
import subprocess
import sys

from absl import app
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from benchmarks import cache
from benchmarks import compare_case
from benchmarks import compare_chart
from benchmarks import compare_environment
from benchmarks import compare_process
from benchmarks import compare_report
from tfp_glow import _checks

_CASES = flags.DEFINE_list(
    "cases", list(compare_case.MODULES), "cases to compare"
)
_NUM_STEPS = flags.DEFINE_list(
    "num_steps", ["4", "8", "16", "32", "64"], "numbers of steps per level, K"
)
_ROUNDS = flags.DEFINE_integer("rounds", 3, "number of rounds")
_NUM_FILTERS = flags.DEFINE_integer(
    "num_filters", 64, "width of the networks, W"
)
_IMAGE_SIZE = flags.DEFINE_integer(
    "image_size", 32, "side length of the images"
)
_NUM_LEVELS = flags.DEFINE_integer("num_levels", 3, "number of levels, L")
_RESULTS = flags.DEFINE_string(
    "results", "runs/compare.json", "file of results"
)
_CHART = flags.DEFINE_string("chart", "docs/depth.png", "picture to write")
_DRAW_ONLY = flags.DEFINE_bool(
    "draw_only", False, "only show the results in the file"
)

_BATCH_SIZE = 16
_HEADLINE_STEPS = 32  # At this depth everything is measured, not only training.
_FLOOR_STEPS, _FLOOR_BATCH_SIZE = 16, 64  # Networks take most of the time.
_MOST_STEPS = {"tfb_glow": 32}  # Deeper takes minutes to start.
# These are measured at that depth only.
_HEADLINE_CASES = ("tfb_glow_threads", "floor", "floor_in_turn")
_CHECK_SIZES = compare_case.Sizes(
    num_steps=2, batch_size=4, num_filters=8, image_size=8, num_levels=2
)


@dataclasses.dataclass(frozen=True)
class Run:
    """One process: a case, its sizes, what it measures, and in which round."""

    case: str
    sizes: compare_case.Sizes
    measures: tuple
    round: int = 0

    @property
    def key(self):
        """The key of the run in the file of results."""
        s = self.sizes
        return (
            f"{self.case}, {'+'.join(self.measures)}, K={s.num_steps}, "
            f"batch {s.batch_size}, W={s.num_filters}, "
            f"{s.image_size} pixels, L={s.num_levels}, round {self.round}, "
            f"code {fingerprint(self.case)}"
        )


@functools.cache
def fingerprint(case):
    """Returns eight digits that change with the code that a case measures."""
    module = compare_case.MODULES[case]
    here = pathlib.Path(__file__).parent
    return compare_process.digest(
        [here / "compare_case.py", here / "compare_cases" / f"{module}.py"],
        with_package=module in ("ours", "floor"),
    )


def plan(cases, depths, rounds, **sizes):
    """Lists the processes to run, in order: checks, then round by round.

    Args:
        cases: names of cases.
        depths: numbers of steps. The comparison with only the networks runs
            if its number of steps is among them.
        rounds: positive `int`.
        **sizes: the other fields of `compare_case.Sizes`.

    Returns:
        List of `Run`s.

    Raises:
        ValueError: if a case is unknown, or a number is not positive.
    """
    for case in cases:
        _checks.choice("cases", case, tuple(compare_case.MODULES))
    _checks.positive_integer(rounds=rounds, **sizes)
    for num_steps in depths:
        _checks.positive_integer(num_steps=num_steps)
    wanted = []
    for num_steps in depths:
        headline = num_steps == _HEADLINE_STEPS
        measures = compare_case.MEASURES if headline else ("train",)
        wanted += [
            (case, num_steps, _BATCH_SIZE, measures)
            for case in cases
            if num_steps <= _MOST_STEPS.get(case, num_steps)
            and (case not in _HEADLINE_CASES or headline)
        ]
    if _FLOOR_STEPS in depths:
        wanted += [
            (case, _FLOOR_STEPS, _FLOOR_BATCH_SIZE, ("train",))
            for case in cases
            if compare_case.MODULES[case] in ("ours", "floor")
        ]
    return [Run(case, _CHECK_SIZES, ("check",)) for case in cases] + [
        Run(
            case,
            compare_case.Sizes(
                num_steps=num_steps, batch_size=batch_size, **sizes
            ),
            measures,
            i,
        )
        for i in range(rounds)
        for case, num_steps, batch_size, measures in wanted
    ]


def run_process(run):
    """Runs `compare_case.py` in a process and returns what it prints.

    Raises:
        RuntimeError: if it fails, with the last lines of its output.
    """
    script = pathlib.Path(__file__).with_name("compare_case.py")
    return compare_process.output_of(
        [
            compare_environment.python_of(run.case),
            str(script),
            f"--case={run.case}",
            f"--measure={','.join(run.measures)}",
            *(f"--{k}={v}" for k, v in dataclasses.asdict(run.sizes).items()),
        ]
    )


def run_all(runs, path):
    """Runs what the file of results does not contain yet, and adds it there.

    Args:
        runs: list of `Run`s.
        path: `str`, the file, which need not exist.

    Returns:
        List of the `Run`s that failed; they will be tried by the next call.
        A case whose check failed is not measured.
    """
    results = cache.JsonFile(path)

    def measure(run):
        return {
            "case": run.case,
            **dataclasses.asdict(run.sizes),
            "round": run.round,
            "code": fingerprint(run.case),
            **run_process(run),
        }

    def passed_its_check(run, failed):
        return not any(
            f.case == run.case and "check" in f.measures for f in failed
        )

    todo = {run.key: run for run in runs if run.key not in results}
    return cache.run_all(todo, results, measure, passed_its_check)


def report(results, chart, **sizes):
    """Prints both tables and draws the chart.

    Args:
        results: the records that `run_all` wrote.
        chart: `str`, path of the picture.
        **sizes: which results to use: fields of `compare_case.Sizes`.
    """
    medians = compare_report.medians(
        record
        for record in results
        if "checked" not in record
        and record["code"] == fingerprint(record["case"])
        and all(record[name] == size for name, size in sizes.items())
    )
    if not medians:
        print("No results of these sizes.")
        return
    print(f"\n{compare_report.table(medians)}")
    print(f"\n{compare_report.targets_table(medians)}")
    os.makedirs(os.path.dirname(chart) or ".", exist_ok=True)
    compare_chart.save(chart, medians)
    print(f"\nDrawn: {chart}")


def main(_):
    sizes = dict(
        num_filters=_NUM_FILTERS.value,
        image_size=_IMAGE_SIZE.value,
        num_levels=_NUM_LEVELS.value,
    )
    try:
        depths = [int(text) for text in _NUM_STEPS.value]
        runs = plan(_CASES.value, depths, _ROUNDS.value, **sizes)
    except ValueError as error:
        sys.exit(str(error))
    path = _RESULTS.value
    try:
        failed = [] if _DRAW_ONLY.value else run_all(runs, path)
    except subprocess.CalledProcessError as error:
        sys.exit(f"Cannot install a peer, which --cases can leave out: {error}")
    report(cache.JsonFile(path).values(), _CHART.value, **sizes)
    if failed:
        sys.exit("Failed: " + "; ".join(run.key for run in failed))


if __name__ == "__main__":
    app.run(main)
