# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Keeps finished results on disk, so that no call repeats them."""

import datetime
import json
import os
import pathlib

from tfp_glow import _files


class JsonFile:
    """Results by key, as one JSON object in a file.

    Each assignment writes the whole file. It replaces the file only once it is
    complete, so an interruption loses no result.

    Example:

    ```python
    results = cache.JsonFile("runs/results.json")
    for seed in range(3):
        key = f"seed {seed}"
        if key not in results:
            results[key] = measure(seed)
    ```
    """

    def __init__(self, path):
        self._path = path
        self._results = {}
        if os.path.exists(path):
            with open(path) as file:
                self._results = json.load(file)

    def __contains__(self, key):
        return key in self._results

    def __getitem__(self, key):
        return self._results[key]

    def __setitem__(self, key, result):
        results = {**self._results, key: result}
        _write(self._path, results, indent=2)
        self._results = results

    def values(self):
        """All results, in the order in which they were added."""
        return self._results.values()


class JsonFolder:
    """Results by key, as a file `KEY.json` each in a folder."""

    def __init__(self, folder):
        self._folder = pathlib.Path(folder)

    def __contains__(self, key):
        return self._path(key).exists()

    def __getitem__(self, key):
        return json.loads(self._path(key).read_text())

    def __setitem__(self, key, result):
        _write(self._path(key), result)

    def _path(self, key):
        return self._folder / f"{key}.json"


def run_all(runs, results, measure, has_to_run=lambda run, failed: True):
    """Measures one run after another and adds what was found to a cache.

    Args:
        runs: dictionary of keys to runs, those that are not finished.
        results: `JsonFile` or `JsonFolder`.
        measure: callable of a run that returns a dictionary. A `RuntimeError`
            or an `OSError` that it raises is printed, and the next run starts.
        has_to_run: callable of a run and the list of runs that failed before
            it. If it returns `False`, the run is left out.

    Returns:
        List of the runs that failed. The next call tries them again.
    """
    failed = []
    for i, (key, run) in enumerate(runs.items()):
        if not has_to_run(run, failed):
            continue
        print(f"{i + 1} of {len(runs)}: {key}", flush=True)
        try:
            measured = measure(run)
        except (RuntimeError, OSError) as error:
            print(f"  failed: {error}", flush=True)
            failed.append(run)
            continue
        now = datetime.datetime.now().isoformat(timespec="seconds")
        results[key] = {"time": now, **measured}
    return failed


def _write(path, value, indent=None):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with _files.replacing(path) as temporary, open(temporary, "w") as file:
        json.dump(value, file, indent=indent)
