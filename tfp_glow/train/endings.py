# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""How a command ends: with a status, after at most two lines about an error.

This module is imported before TensorFlow.
"""

import _thread
import contextlib
import os
import select
import signal
import sys
import threading
import traceback

# Seconds after Ctrl-C in which files are closed.
_PATIENCE = 5.0
_INTERRUPTED_STATUS = 130
_INTERRUPTED = "Interrupted. The files that were complete remain."
# The errors of checks, whose messages tell all that a user needs.
_CHECKED = (ValueError, TypeError, OSError, FloatingPointError)


def status(function):
    """Calls a function and returns the exit status of the process.

    The function returns the status. It is 1 after an error and 130 after an
    interruption, which are told on stderr. With the environment variable
    `TFP_GLOW_DEBUG=1` the traceback is printed too. If the output is a closed
    pipe, the status is 1 and nothing is told. `AssertionError`, a mistake of
    this package, is raised.
    """
    with _interruptible() as interruption:
        try:
            result = function()
            sys.stdout.flush()
            return result
        except KeyboardInterrupt:
            return interruption.end()
        except AssertionError:
            raise
        except Exception as error:
            if isinstance(error, BrokenPipeError) and _output_has_ended():
                return 1  # `head` ends the output when it has its lines.
            if os.environ.get("TFP_GLOW_DEBUG") == "1":
                traceback.print_exc()
            if interruption.has_begun:  # A library has raised another error.
                return interruption.end()
            return fail(1, _told(error))


def fail(number, message):
    """Prints a message on stderr and returns the number, a status."""
    print(message, file=sys.stderr, flush=True)
    return number


def _told(error):
    """Returns the name and the message of an error, in one line or two."""
    # TensorFlow's errors have an attribute, and their last line tells the cause.
    lines = str(getattr(error, "message", None) or error).splitlines()
    if lines and "Graph execution error" in lines[0]:
        lines = [line for line in lines if line.strip() and "{{" not in line]
        lines = lines[-1:]
    name = type(error).__name__.lstrip("_")
    message = " ".join(" ".join(lines).split())
    told = f"{name}: {message}" if message else name
    if not isinstance(error, _CHECKED):
        told += "\nTFP_GLOW_DEBUG=1 as an environment variable shows where."
    return told


def _output_has_ended():
    """Returns whether the output is a closed pipe, and then drops the rest.

    Python would flush it again at exit, and print an error.
    """
    try:
        output = sys.stdout.fileno()
    except OSError:  # It is not a file.
        return False
    poll = select.poll()
    poll.register(output, 0)  # For errors only.
    if not poll.poll(0):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), output)
    return True


class _Interruption:
    """Ctrl-C, which ends the process even if libraries ignore exceptions."""

    def __init__(self):
        self.has_begun = False
        self._has_ended = False
        self._again = []
        self._is_told = threading.Lock()
        self._timer = threading.Timer(_PATIENCE, lambda: os._exit(self.end()))
        self._timer.daemon = True

    def begin(self, *arguments):
        """Raises `KeyboardInterrupt`, as the handler of a signal."""
        if self._has_ended:
            return
        if not self.has_begun:
            self.has_begun = True
            self._timer.start()
        signal.default_int_handler(*arguments)

    def end(self):
        """Tells the user, once, and returns the status."""
        self._has_ended = True
        self._timer.cancel()
        if self._is_told.acquire(blocking=False):
            fail(_INTERRUPTED_STATUS, _INTERRUPTED)
        return _INTERRUPTED_STATUS

    def instead_of(self, hook):
        """Returns a hook of `sys` for exceptions that Python ignores.

        Destructors and callbacks from C++ cause them. After Ctrl-C they are not
        printed, and `KeyboardInterrupt` is raised again.
        """

        def replacement(*arguments):
            if not self.has_begun:
                hook(*arguments)
                return
            again = threading.Timer(0.01, _thread.interrupt_main)
            again.daemon = True
            self._again.append(again)
            again.start()

        return replacement

    def forget(self):
        """Makes sure that `KeyboardInterrupt` is not raised again."""
        self._has_ended = True
        for again in self._again:
            again.cancel()
            again.join()


@contextlib.contextmanager
def _interruptible():
    """A context in which Ctrl-C is an `_Interruption`, which is yielded."""
    interruption = _Interruption()
    is_main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    # Others decide about Ctrl-C if they have set a handler, as `nohup` does.
    if not is_main or handler is not signal.default_int_handler:
        yield interruption
        return
    hooks = sys.excepthook, sys.unraisablehook
    sys.excepthook, sys.unraisablehook = map(interruption.instead_of, hooks)
    signal.signal(signal.SIGINT, interruption.begin)
    try:
        yield interruption
    finally:
        sys.excepthook, sys.unraisablehook = hooks
        interruption.forget()
        signal.signal(signal.SIGINT, handler)
