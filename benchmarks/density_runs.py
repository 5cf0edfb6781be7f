# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Trains in processes of their own, and keeps the results.

A folder of results contains a file for each finished `density_case.Run`, and
one for the images of each data set.
"""

import dataclasses
import functools
import json
import os
import pathlib

import numpy as np

import tfp_glow as tfg
from benchmarks import cache
from benchmarks import compare_environment
from benchmarks import compare_process
from benchmarks import density_case
from tfp_glow import _files
from tfp_glow.bijectors import levels


@dataclasses.dataclass(frozen=True)
class Data:
    """Arguments of `tfg.datasets.load`, and minutes of training a run."""

    name: str
    image_size: int | None
    minutes: float
    pilot_minutes: float

    @property
    def info(self):
        """The `tfg.datasets.DatasetInfo`."""
        return tfg.datasets.info(self.name, image_size=self.image_size)

    @property
    def num_levels(self):
        """Levels of every flow, as `train` chooses them."""
        return levels.default_num_levels(self.info.image_shape)


DATASETS = {
    "digits": Data("digits", None, minutes=3.0, pilot_minutes=1.0),
    "photos": Data("photos", 32, minutes=6.0, pilot_minutes=2.0),
    "photos16": Data("photos", 16, minutes=3.0, pilot_minutes=0.0),
}


@functools.cache
def fingerprint(case):
    """Returns eight digits that change with the code that trains a case."""
    module = density_case.MODULES[case]
    here = pathlib.Path(__file__).parent
    sources = [
        here / "density_case.py",
        here / "density_cases" / f"{module}.py",
    ]
    peer = here / "compare_cases" / f"{module}.py"
    if module != "ours" and peer.exists():
        sources.append(peer)
    return compare_process.digest(sources, with_package=module == "ours")


def load(folder, runs, any_code=False):
    """Reads the results of those runs that a folder contains.

    Args:
        folder: `str`, which need not exist.
        runs: list of `density_case.Run`s.
        any_code: `bool`, whether results of other code count too.

    Returns:
        Dictionary of runs to dictionaries, as `density_case.measure` returns.
    """
    found = cache.JsonFolder(folder)
    results = {run: found[run.name] for run in runs if run.name in found}
    return {
        run: result
        for run, result in results.items()
        if any_code or result["code"] == fingerprint(run.case)
    }


def run_all(runs, folder, any_code=False):
    """Trains the runs that a folder does not contain yet, and adds them.

    Args:
        runs: list of `density_case.Run`s.
        folder: `str`, which need not exist.
        any_code: `bool`, whether results of other code count as finished.

    Returns:
        List of the runs that failed; they will be tried by the next call.
    """
    os.makedirs(folder, exist_ok=True)

    def measure(run):
        return {
            **dataclasses.asdict(run),
            "code": fingerprint(run.case),
            **run_process(run, data_path(folder, run.dataset)),
        }

    finished = load(folder, runs, any_code)
    todo = {run.name: run for run in runs if run not in finished}
    return cache.run_all(todo, cache.JsonFolder(folder), measure)


def run_process(run, data):
    """Runs `density_case.py` in a process and returns what it prints.

    Args:
        run: `density_case.Run`.
        data: `str`, see `data_path`.

    Raises:
        RuntimeError: if it fails, with the last lines of its output.
    """
    script = pathlib.Path(__file__).with_name("density_case.py")
    fields = json.dumps(dataclasses.asdict(run))
    return compare_process.output_of(
        [
            compare_environment.python_of(run.case),
            str(script),
            f"--run={fields}",
            f"--data={data}",
        ]
    )


def data_path(folder, dataset):
    """Returns the .npz file of a data set; writes it if needed."""
    data = DATASETS[dataset]
    path = os.path.join(folder, f"{dataset}.npz")
    if not os.path.exists(path):
        splits = {
            split: np.stack(
                list(
                    tfg.datasets.load(
                        data.name,
                        split,
                        image_size=data.image_size,
                        shuffle=False,
                    ).as_numpy_iterator()
                )
            )
            for split in ("train", "validation", "test")
        }
        with _files.replacing(path) as temporary:
            np.savez(temporary, bins=data.info.bins, **splits)
    return path
