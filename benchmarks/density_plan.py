# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which trainings `density.py` and `ablations.py` ask for, and in which order."""

import collections

import numpy as np

from benchmarks import density_case
from benchmarks import density_report
from benchmarks import density_runs
from tfp_glow import checks

CASES = ("ours", "ours_best", "tfb_glow", "normflows", "gaussian")

# Several, since two rates differ by less than two seeds of the same one.
_PILOT_SEEDS = (1000, 1001, 1002)
_DEFAULT_BATCH_SIZE = 64
_BATCH_SIZES = {"ours_best": 32, "normflows": 128}


def plan(
    dataset,
    cases,
    seeds,
    learning_rates,
    minutes=None,
    is_pilot=False,
    batch_size=None,
    **sizes,
):
    """The trainings on a data set, seed by seed.

    Args:
        dataset: `str`, a key of `density_runs.DATASETS`.
        cases: names of cases.
        seeds: sequence of `int`s.
        learning_rates: dictionary of a case to a list of `float`s; a case that
            it lacks is left out, but for the Gaussian, which needs none.
        minutes: `float`, or `None` for those of the data set.
        is_pilot: `bool`; there are no pilots of the Gaussian.
        batch_size: `int`, or `None` for each case's own.
        **sizes: `num_steps` and `num_filters`.

    Returns:
        List of `density_case.Run`s.

    Raises:
        ValueError: if a name is unknown, or a number is not positive.
    """
    checks.choice("datasets", dataset, tuple(density_runs.DATASETS))
    for case in cases:
        checks.choice("cases", case, tuple(density_case.MODULES))
    checks.positive_integer(**sizes)
    if batch_size is not None:
        checks.positive_integer(batch_size=batch_size)
    data = density_runs.DATASETS[dataset]
    if minutes is None:
        minutes = data.pilot_minutes if is_pilot else data.minutes
    runs = []
    for seed in seeds:
        for case in cases:
            rates = learning_rates.get(case, [])
            num_images = batch_size or _BATCH_SIZES.get(
                case, _DEFAULT_BATCH_SIZE
            )
            if case == "gaussian":
                rates, num_images = [] if is_pilot else [None], 0
            runs += [
                density_case.Run(
                    case,
                    dataset,
                    seed,
                    rate,
                    minutes,
                    data.num_levels,
                    batch_size=num_images,
                    is_pilot=is_pilot,
                    **sizes,
                )
                for rate in rates
            ]
    return runs


def best_rates(pilots, results):
    """The learning rate of each case whose pilots are all there.

    It is the one whose mean over the seeds is lowest.

    Args:
        pilots: list of `density_case.Run`s, on one data set.
        results: see `density_runs.load`.

    Returns:
        Dictionary of a case to a list of one `float`.
    """
    rates = {}
    for case in {run.case for run in pilots}:
        runs = [run for run in pilots if run.case == case]
        if all(run in results for run in runs):
            bits = collections.defaultdict(list)
            for run in runs:
                value = results[run]["best_validation"]
                bits[run.learning_rate].append(density_report.number(value))
            rates[case] = [min(bits, key=lambda rate: np.mean(bits[rate]))]
    return rates


def make(dataset, do, **arguments):
    """Trains on a data set what is not finished: the pilots, then the rest.

    Args:
        dataset: see `plan`.
        do: callable of a list of runs that trains them; returns those that
            failed, and the results of the others.
        **arguments: of `plan`, and `pilot_minutes`.

    Returns:
        Dictionary of the finished runs that are no pilots to their results, and
        the list of those that failed.
    """
    pilot_minutes = arguments.pop("pilot_minutes")
    if pilot_minutes is None:
        pilot_minutes = density_runs.DATASETS[dataset].pilot_minutes
    rates, cases = arguments.pop("learning_rates"), arguments["cases"]
    failed = []
    if pilot_minutes:
        pilots = plan(
            dataset,
            **{**arguments, "seeds": _PILOT_SEEDS, "minutes": pilot_minutes},
            learning_rates=dict.fromkeys(cases, rates),
            is_pilot=True,
        )
        failed, results = do(pilots)
        chosen = best_rates(pilots, results)
    else:
        chosen = dict.fromkeys(cases, rates[:1])
    runs = plan(dataset, **arguments, learning_rates=chosen)
    failed_too, results = do(runs)
    return results, failed + failed_too


def trainer(folder, draw_only, any_code):
    """The argument `do` of `make`, for a folder of results."""

    def do(runs):
        if draw_only:
            return [], density_runs.load(folder, runs, any_code=True)
        failed = density_runs.run_all(runs, folder, any_code)
        return failed, density_runs.load(folder, runs, any_code)

    return do
