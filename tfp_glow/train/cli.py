# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The command line: `python -m tfp_glow COMMAND --flag=value ...`.

`python -m tfp_glow --help` must not wait for TensorFlow, so this module imports
the commands only when one is run or its help is printed.
"""

import dataclasses
import importlib
import inspect
import re
import sys
import types
import typing

from absl import flags

# Functions of `commands` and what they do.
COMMANDS = {
    "train": "Trains a Glow in a folder, or resumes its training.",
    "evaluate": "Prints the bits per dimension of a split, next to three "
    "baselines.",
    "sample": "Writes a picture of new samples.",
    "reconstruct": "Writes a picture of images and, below them, of their "
    "reconstructions.",
    "export": "Writes the best model as a SavedModel, which TensorFlow alone "
    "can load.",
}

_USAGE = """Trains Glow normalizing flows on images, and evaluates them.

Usage: python -m tfp_glow COMMAND --flag=value ...

Commands:
{commands}

python -m tfp_glow COMMAND --help lists the flags of a command."""

_TYPES = {str: "string", int: "integer", float: "float", bool: "boolean"}


def main(argv=None):
    """Runs a command.

    Args:
        argv: list of `str`, the arguments without the program's name; by
            default those of the process.

    Returns:
        `int`, the exit status: 0, 1 for an error, 2 for wrong usage, 130 after
        an interruption.
    """
    argv = sys.argv[1:] if argv is None else argv
    usage = _USAGE.format(
        commands="\n".join(
            f"  {name:12}{description}"
            for name, description in COMMANDS.items()
        )
    )
    if not argv or argv[0] in ("help", "--help", "-h"):
        print(usage)
        return 0 if argv else 2
    name = argv[0]
    if name not in COMMANDS:
        return _fail(2, f"Unknown command {name!r}.\n\n{usage}")
    commands = importlib.import_module("tfp_glow.train.commands")
    command = getattr(commands, name)
    values = flags.FlagValues()
    required = _define_flags(command, values)
    try:
        rest = values(argv)[1:]
        if rest:
            raise flags.Error(f"Unexpected argument {rest[0]!r}.")
        if values.help:
            print(_command_help(name, values))
            return 0
        for flag in required:
            if not values[flag].value:
                raise flags.Error(f"Flag --{flag} must have a value.")
    except flags.Error as error:
        help_command = f"python -m tfp_glow {name} --help"
        return _fail(2, f"{error}\n{help_command} lists the flags.")
    given = {f: values[f].value for f in values if values[f].present}
    try:
        command(**given)
    except (ValueError, TypeError, OSError, FloatingPointError) as error:
        return _fail(1, f"{type(error).__name__}: {error}")
    except KeyboardInterrupt:
        return _fail(
            130, "Interrupted. The files of the last complete epoch remain."
        )
    return 0


def _define_flags(command, values):
    """Defines a flag for every argument of a function, and `--help`.

    Args:
        command: function of `commands`. Its `**settings` stand for all fields
            of `Settings`.
        values: `flags.FlagValues` to define them in.

    Returns:
        List of the names of the flags without a default.
    """
    options, required = [], []
    arguments = inspect.getdoc(command).partition("Args:\n")[2]
    entries = re.findall(
        r"^ {4}(\w+): (.+(?:\n {8}.+)*)", arguments, flags=re.MULTILINE
    )
    descriptions = dict(entries)
    for name, parameter in inspect.signature(command).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            settings = importlib.import_module("tfp_glow.train.settings")
            options += [
                (field.name, field.type, field.default, field.metadata["help"])
                for field in dataclasses.fields(settings.Settings)
            ]
            continue
        default = parameter.default
        if default is parameter.empty:
            required.append(name)
            default = None
        help = " ".join(descriptions[name].split()).rstrip(".")
        options.append((name, parameter.annotation, default, help))
    options.append(("help", bool, False, "show this text"))
    for name, kind, default, help in options:
        if typing.get_origin(kind) in (typing.Union, types.UnionType):
            kind = typing.get_args(kind)[0]  # Of `kind | None`.
        choices = typing.get_args(kind)  # Of `Literal`.
        arguments = [default, choices, help] if choices else [default, help]
        define = getattr(flags, f"DEFINE_{_TYPES.get(kind, 'enum')}")
        define(name, *arguments, flag_values=values)
    return required


def _command_help(name, values):
    lines = [COMMANDS[name], "", f"Flags of {name}:"]
    for flag in values:
        default = values[flag].default
        shown = "" if default is None else f"={default}"
        lines.append(f"  --{flag}{shown}")
        lines.append(f"      {values[flag].help}")
    return "\n".join(lines)


def _fail(status, message):
    print(message, file=sys.stderr)
    return status
