# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Starts processes without the seconds that importing TensorFlow takes.

A server imports the package once, and every process is a fork of it. TensorFlow
has not run anything then, so the process can choose devices, clusters and seeds
as in a new interpreter. Only the seed of Python's hashes comes from the server.
"""

import multiprocessing
import os
import pathlib
import runpy
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
TIMEOUT = 600.0

_FORKS = multiprocessing.get_context("forkserver")
# The commands import the other modules when they run.
_FORKS.set_forkserver_preload(
    [
        "tfp_glow.train.callbacks",
        "tfp_glow.train.pictures",
        "tfp_glow.train.commands",
        "matplotlib.figure",
    ]
)


class Process:
    """A process that calls a function, and ends with the `with` block.

    Args:
        function: callable, defined in a module.
        *args: its arguments, which can be pickled.
        log: path of the file for its output.
        folder: path of the working directory.
        environment: dictionary of environment variables.
    """

    def __init__(
        self, function, *args, log, folder=ROOT, environment=frozenset()
    ):
        self.log = pathlib.Path(log)
        self._process = _FORKS.Process(
            target=_call, args=(log, folder, dict(environment), function, args)
        )
        with pytest.MonkeyPatch.context() as patch:
            # The first process starts the server.
            patch.setenv("PYTHONPATH", str(ROOT))
            self._process.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def is_running(self):
        return self._process.is_alive()

    def kill(self):
        self._process.kill()
        self._process.join()

    def finish(self, expected_status=0):
        """Waits for the end of the process and returns its output."""
        self._process.join(TIMEOUT)
        printed = self.log.read_text()
        assert self._process.exitcode == expected_status, printed
        return printed


def _call(log, folder, environment, function, args):
    with open(log, "w") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.chdir(folder)
    os.environ.update(environment)
    function(*args)


def command(*arguments):
    """Runs `python -m tfp_glow` with arguments, then ends the process."""
    sys.argv = ["tfp_glow", *arguments]
    runpy.run_module("tfp_glow", run_name="__main__")
