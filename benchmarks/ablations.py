# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Repeats the ablations of the paper's figure 3, on photographs of 16x16.

`python benchmarks/ablations.py` trains Glows with three seeds. Between additive
or affine couplings, their channels are reversed, shuffled, or mixed by 1x1
convolutions. It prints a table and draws validation curves. It takes an hour on
two CPU cores, and keeps finished runs as `density.py` does.
"""

import pathlib
import sys

from absl import app
from absl import flags
from absl import logging

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from benchmarks import density_case
from benchmarks import density_chart
from benchmarks import density_plan
from benchmarks import density_report
from tfp_glow import _checks

_DATASET = flags.DEFINE_string("dataset", "photos16", "data set to train on")
_CASES = flags.DEFINE_list(
    "cases", list(density_case.ABLATIONS), "cases to train"
)
_SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2"], "number of random seeds")
_MINUTES = flags.DEFINE_float(
    "minutes",
    None,
    "minutes of a run (default: 3 on photos16)",
    lower_bound=0.0,
)
_LEARNING_RATE = flags.DEFINE_float(
    "learning_rate", 1e-3, "learning rate of all cases"
)
_NUM_STEPS = flags.DEFINE_integer("num_steps", 8, "steps per level, K")
_NUM_FILTERS = flags.DEFINE_integer("num_filters", 64, "width of the networks")
_RESULTS = flags.DEFINE_string(
    "results", "benchmarks/results/density", "folder of results"
)
_CHART = flags.DEFINE_string("chart", "docs/ablations.png", "picture to write")
_DRAW_ONLY = flags.DEFINE_bool(
    "draw_only", False, "only show the results in the folder"
)
_ANY_CODE = flags.DEFINE_bool(
    "any_code", False, "also use results of other versions of the code"
)


def main(_):
    logging.set_verbosity(logging.WARNING)
    try:
        for case in _CASES.value:
            _checks.choice("cases", case, tuple(density_case.ABLATIONS))
        results, failed = density_plan.make(
            _DATASET.value,
            density_plan.trainer(
                _RESULTS.value, _DRAW_ONLY.value, _ANY_CODE.value
            ),
            cases=_CASES.value,
            seeds=[int(text) for text in _SEEDS.value],
            learning_rates=[_LEARNING_RATE.value],
            minutes=_MINUTES.value,
            pilot_minutes=0.0,
            num_steps=_NUM_STEPS.value,
            num_filters=_NUM_FILTERS.value,
        )
    except ValueError as error:
        sys.exit(str(error))
    density_report.show(results, _CHART.value, density_chart.save_ablations)
    if failed:
        sys.exit("Failed: " + "; ".join(run.name for run in failed))


if __name__ == "__main__":
    app.run(main)
