# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Plans the training runs of `density.py` and `ablations.py`."""

import collections

import numpy as np

from benchmarks import density_case
from benchmarks import density_report
from benchmarks import density_runs
from tfp_glow import _checks

CASES = ("ours", "paper", "tfb_glow", "normflows", "gaussian")

# Several, because two rates may differ by less than two seeds of one rate.
_PILOT_SEEDS = (1000, 1001, 1002)
_DEFAULT_BATCH_SIZE = 64
_BATCH_SIZES = {"ours": 32, "normflows": 128}


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
    """Lists the training runs on a data set, seed by seed.

    Args:
        dataset: `str`, a key of `density_runs.DATASETS`.
        cases: names of cases.
        seeds: sequence of `int`s.
        learning_rates: dictionary of a case to a list of `float`s; a case that
            it lacks is left out, except the Gaussian, which needs none.
        minutes: `float`, or `None` for those of the data set.
        is_pilot: `bool`; there are no pilots of the Gaussian.
        batch_size: `int`, or `None` for each case's own.
        **sizes: `num_steps` and `num_filters`.

    Returns:
        List of `density_case.Run`s.

    Raises:
        ValueError: if a name is unknown, or a number is not positive.
    """
    _checks.choice("datasets", dataset, tuple(density_runs.DATASETS))
    for case in cases:
        _checks.choice("cases", case, tuple(density_case.MODULES))
    _checks.positive_integer(**sizes)
    if batch_size is not None:
        _checks.positive_integer(batch_size=batch_size)
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


def rates_in_doubt(pilots, results):
    """Finds the learning rates that may be best, for cases with all pilot runs.

    A rate is left out if its pilot runs are worse than those of the best rate,
    seed by seed, by more than two standard errors of the difference.

    Args:
        pilots: list of `density_case.Run`s, on one data set.
        results: see `density_runs.load`.

    Returns:
        Dictionary of a case to a list of `float`s.
    """
    rates = {}
    for case in {run.case for run in pilots}:
        runs = [run for run in pilots if run.case == case]
        if all(run in results for run in runs):
            bits = _validation(runs, results)
            best = min(bits, key=lambda rate: np.mean(bits[rate]))
            rates[case] = [
                rate
                for rate, values in bits.items()
                if rate == best or _may_be_as_low(values, bits[best])
            ]
    return rates


def _may_be_as_low(values, lowest):
    worse = density_report.difference(values, lowest)
    return np.mean(worse) <= 2 * density_report.standard_error(worse)


def of_best_rates(results):
    """Removes the results of the worse learning rates of every case.

    The best rate has the lowest mean on validation. Only rates with the largest
    number of seeds are compared.

    Args:
        results: dictionary of runs, without pilot runs, to their results.

    Returns:
        A part of the dictionary.
    """
    best = {}
    for case in {run.case for run in results}:
        runs = [run for run in results if run.case == case]
        bits = _validation(runs, results)
        most = max(map(len, bits.values()))
        complete = [rate for rate in bits if len(bits[rate]) == most]
        best[case] = min(complete, key=lambda rate: np.mean(bits[rate]))
    return {
        run: result
        for run, result in results.items()
        if run.learning_rate == best[run.case]
    }


def _validation(runs, results):
    """Returns validation bits/dim of all seeds, by learning rate."""
    bits = collections.defaultdict(list)
    for run in runs:
        value = results[run]["best_validation"]
        bits[run.learning_rate].append(density_report.number(value))
    return bits


def make(dataset, do, **arguments):
    """Trains what is not finished on a data set: pilot runs, then the rest.

    Args:
        dataset: see `plan`.
        do: callable that trains a list of runs and returns those that failed
            and the results of the others.
        **arguments: of `plan`, and `pilot_minutes`.

    Returns:
        Dictionary of finished runs to their results, only those with the best
        learning rate of each case and no pilot runs; and the list of runs that
        failed.
    """
    pilot_minutes = arguments.pop("pilot_minutes")
    if pilot_minutes is None:
        pilot_minutes = density_runs.DATASETS[dataset].pilot_minutes
    rates, cases = arguments.pop("learning_rates"), arguments["cases"]
    failed = []
    if pilot_minutes and len(rates) > 1:
        pilots = plan(
            dataset,
            **{**arguments, "seeds": _PILOT_SEEDS, "minutes": pilot_minutes},
            learning_rates=dict.fromkeys(cases, rates),
            is_pilot=True,
        )
        failed, results = do(pilots)
        chosen = rates_in_doubt(pilots, results)
    else:
        chosen = dict.fromkeys(cases, rates[:1])
    runs = plan(dataset, **arguments, learning_rates=chosen)
    failed_too, results = do(runs)
    return of_best_rates(results), failed + failed_too


def trainer(folder, draw_only, any_code):
    """Returns the argument `do` of `make`, for a folder of results."""

    def do(runs):
        if draw_only:
            return [], density_runs.load(folder, runs, any_code=True)
        failed = density_runs.run_all(runs, folder, any_code)
        return failed, density_runs.load(folder, runs, any_code)

    return do
