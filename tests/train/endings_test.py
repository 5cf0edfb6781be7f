# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.train.endings`."""

import signal
import subprocess
import sys
import zlib

import pytest
import tensorflow as tf

from tests import processes
from tfp_glow.train import endings

_HINT = "TFP_GLOW_DEBUG=1 as an environment variable shows where."
_INTERRUPTED = "Interrupted. The files that were complete remain."


def ending(capsys, error):
    """The status after an error, and what is printed."""

    def fail():
        raise error

    status = endings.status(fail)
    captured = capsys.readouterr()
    assert captured.out == ""
    return status, captured.err


def graph_error():
    """An error of a program, in the middle of which TensorFlow tells why."""

    @tf.function
    def divide(x):
        return tf.debugging.check_numerics(1.0 / x, "level 0")

    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        divide(tf.constant(0.0))
    return raised.value


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("Expected this.\n Received: that"), None),
        (TypeError("Expected this"), None),
        (OSError(28, "No space left on device"), None),
        (FloatingPointError("Expected a finite loss"), None),
        (BrokenPipeError(32, "Broken pipe"), None),
        (KeyError("EXE"), "KeyError: 'EXE'"),
        (MemoryError(), "MemoryError"),
        (RecursionError("too deep"), "RecursionError: too deep"),
        (zlib.error("Error -3"), "error: Error -3"),
        (
            tf.errors.ResourceExhaustedError(
                None, None, "OOM\n when allocating"
            ),
            "ResourceExhaustedError: OOM when allocating",
        ),
    ],
)
def test_an_error_is_told_in_a_line_with_status_1(capsys, error, line):
    expected = f"{line}\n{_HINT}\n"
    if line is None:
        words = " ".join(str(error).split())
        expected = f"{type(error).__name__}: {words}\n"
    assert ending(capsys, error) == (1, expected)


def test_an_error_of_a_program_is_told_by_its_cause(capsys):
    status, told = ending(capsys, graph_error())
    assert status == 1
    assert told.splitlines() == [
        "InvalidArgumentError: level 0 : Tensor had Inf values",
        _HINT,
    ]


def test_the_traceback_is_shown_on_demand(capsys, monkeypatch):
    monkeypatch.setenv("TFP_GLOW_DEBUG", "1")
    status, told = ending(capsys, ValueError("Expected this"))
    lines = told.splitlines()
    assert status == 1
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "ValueError: Expected this"
    assert any("endings_test.py" in line for line in lines)


def test_an_error_of_our_own_is_not_hidden():
    def fail():
        raise AssertionError("a bug")

    with pytest.raises(AssertionError, match="a bug"):
        endings.status(fail)


def test_an_interruption_has_a_status_of_its_own(capsys):
    assert ending(capsys, KeyboardInterrupt()) == (130, _INTERRUPTED + "\n")


# Functions that hide an interruption, as libraries do.
_PROGRAMS = {
    "at once": "press()",
    "in a destructor": """
class Hiding:
    def __del__(self):
        press()
Hiding()
wait()
""",
    "as another error": """
try:
    press()
except KeyboardInterrupt:
    raise RuntimeError("while importing")
""",
    "before an error in a destructor": """
class Failing:
    def __del__(self):
        raise RuntimeError("while importing")
try:
    press()
except KeyboardInterrupt:
    Failing()
    raise
""",
    "for good": """
try:
    press()
except KeyboardInterrupt:
    pass
wait()
""",
}


@pytest.mark.parametrize("place", _PROGRAMS)
def test_an_interruption_ends_the_process_wherever_it_comes(place):
    # The module runs by itself, so that nothing waits for TensorFlow.
    program = f"""
import os, runpy, signal, sys, time
module = runpy.run_path({endings.__file__!r})
status = module["status"]
status.__globals__["_PATIENCE"] = 0.2
def press():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)
def wait():
    time.sleep(5)
    print("went on")
def function():
    exec({_PROGRAMS[place]!r}, dict(press=press, wait=wait))
found = status(function)
time.sleep(0.1)  # Nothing may interrupt the process once more.
sys.exit(found)
"""
    process = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=processes.TIMEOUT,
    )
    assert process.returncode == 130
    assert process.stdout == ""
    assert process.stderr == _INTERRUPTED + "\n"


def test_the_handler_of_ctrl_c_stays_as_it_was():
    before = signal.getsignal(signal.SIGINT), sys.unraisablehook
    endings.status(lambda: 0)
    assert (signal.getsignal(signal.SIGINT), sys.unraisablehook) == before


def test_a_closed_pipe_ends_the_program_quietly():
    program = f"""
import runpy, sys
status = runpy.run_path({endings.__file__!r})["status"]
sys.exit(status(lambda: print("x" * 100_000)))
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        told = process.stderr.read().decode()
    assert process.returncode == 1
    assert told == ""
