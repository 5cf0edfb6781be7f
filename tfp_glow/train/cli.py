# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The command line: `python -m tfp_glow COMMAND --flag=value ...`.

`python -m tfp_glow --help` must not wait for TensorFlow, so this module imports
the commands only when one is run or its help is printed.
"""

import dataclasses
import importlib
import inspect
import os
import re
import sys
import types
import typing

from absl import flags

# Functions of `commands` with the first lines of their docstrings.
COMMANDS = {
    "train": "Trains a Glow in a folder, or resumes its training.",
    "evaluate": "Compares bits per dimension of a split with three baselines.",
    "sample": "Writes a picture of new samples.",
    "reconstruct": "Writes a picture of images above their reconstructions.",
    "export": "Writes the best model as a SavedModel for TensorFlow alone.",
}

_LINES = "\n".join(f"  {name:12}{line}" for name, line in COMMANDS.items())
_USAGE = f"""Trains Glow normalizing flows on images, and evaluates them.

Usage: python -m tfp_glow COMMAND --flag=value ...

Commands:
{_LINES}

python -m tfp_glow COMMAND --help lists the flags of a command."""

_TYPES = {str: "string", int: "integer", float: "float", bool: "boolean"}
# An entry `name: text` in the part "Args" of a docstring.
_ARGUMENT = re.compile(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)


def main(argv=None):
    """Runs a command and returns the exit status of the process.

    The status is 1 after an error, 2 for wrong usage and 130 after an
    interruption. `argv` is a list of `str` without the program's name.
    """
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("help", "--help", "-h"):
        print(_USAGE)
        return 0 if argv else 2
    name = argv[0]
    if name not in COMMANDS:
        return _fail(2, f"Unknown command {name!r}.\n\n{_USAGE}")
    command = getattr(importlib.import_module("tfp_glow.train.commands"), name)
    values = flags.FlagValues()
    options = _options(command)
    for option in options:
        _define(values, *option)
    flags.DEFINE_boolean("help", False, "show this text", flag_values=values)
    try:
        if rest := values(argv)[1:]:
            raise flags.Error(f"Expected flags only. Received: {rest[0]!r}")
        if values.help:
            print(_command_help(name, values))
            return 0
        for flag, _, default, _ in options:
            if default is inspect.Parameter.empty and not values[flag].value:
                raise flags.Error(
                    f"Expected a value for --{flag}. Received: none"
                )
    except flags.Error as error:
        help_command = f"python -m tfp_glow {name} --help"
        return _fail(2, f"{error}\n{help_command} lists the flags.")
    given = {f: values[f].value for f, *_ in options if values[f].present}
    for flag, value in given.items():
        if isinstance(value, str):  # Shells expand only `--out ~/run`.
            given[flag] = os.path.expanduser(value)
    try:
        command(**given)
    except (ValueError, TypeError, OSError, FloatingPointError) as error:
        return _fail(1, f"{type(error).__name__}: {error}")
    except KeyboardInterrupt:
        message = "Interrupted. The files of the last complete epoch remain."
        return _fail(130, message)
    return 0


def _options(command):
    """Returns name, type, default and help of every argument of a command."""
    documented = dict(_ARGUMENT.findall(inspect.getdoc(command)))
    options = []
    for name, parameter in inspect.signature(command).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:  # These are `**settings`.
            settings = importlib.import_module("tfp_glow.train.settings")
            for field in dataclasses.fields(settings.Settings):
                help = field.metadata["help"]
                options.append((field.name, field.type, field.default, help))
        else:
            help = " ".join(documented[name].split()).rstrip(".")
            annotation, default = parameter.annotation, parameter.default
            options.append((name, annotation, default, help))
    return options


def _define(values, name, kind, default, help):
    """Defines a flag in `values`, of a type or `Literal`, perhaps `| None`."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        kind, _ = typing.get_args(kind)
    default = None if default is inspect.Parameter.empty else default
    if choices := typing.get_args(kind):
        flags.DEFINE_enum(name, default, choices, help, flag_values=values)
    else:
        define = getattr(flags, f"DEFINE_{_TYPES[kind]}")
        define(name, default, help, flag_values=values)


def _command_help(name, values):
    lines = [COMMANDS[name], "", f"Flags of {name}:"]
    for flag in values:
        default = values[flag].default
        shown = "" if default is None else f"={default}"
        lines += [f"  --{flag}{shown}", f"      {values[flag].help}"]
    return "\n".join(lines)


def _fail(status, message):
    print(message, file=sys.stderr)
    return status
