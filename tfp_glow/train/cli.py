# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The command line: `python -m tfp_glow [GROUP] COMMAND --flag=value ...`.

`python -m tfp_glow --help` must not wait for TensorFlow, so this module imports
the commands only when one is run or its help is printed.
"""

import dataclasses
import difflib
import importlib
import inspect
import os
import re
import sys
import types
import typing

from absl import flags

# Commands, with the first lines of their docstrings. The command `NAME` is a
# function of the module `commands`, and `GROUP NAME` of the module `GROUP`.
COMMANDS = {
    "train": "Trains a Glow in a folder, or resumes its training.",
    "evaluate": "Compares bits per dimension of a split with three baselines.",
    "sample": "Writes a picture of new samples.",
    "reconstruct": "Writes a picture of images above their reconstructions.",
    "export": "Writes the best model as a SavedModel for TensorFlow alone.",
    "perception match": "Changes a region of a photograph to look as another.",
    "perception curve": "Shows how likely a region's possible values are.",
    "perception map": "Shows how likely the parts of a photograph are.",
    "perception enhance": "Makes latent vectors of a photograph more likely.",
    "perception report": "Writes a page that studies six illusions.",
}
_GROUPS = {"perception": "Compares a model's likelihood with perception."}
_TITLE = "Trains Glow normalizing flows on images, and evaluates them."
_HELP = ("help", "--help", "-h")

_TYPES = {str: "string", int: "integer", float: "float", bool: "boolean"}
# An entry `name: text` in the part "Args" of a docstring.
_ARGUMENT = re.compile(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)


def main(argv=None):
    """Runs a command and returns the exit status of the process.

    The status is 1 after an error, 2 for wrong usage and 130 after an
    interruption. `argv` is a list of `str` without the program's name.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    group = words.pop(0) if words and words[0] in _GROUPS else ""
    if not words or words[0] in _HELP:
        print(_usage(group))
        return 0 if words else 2
    function, *arguments = words
    name = f"{group} {function}".strip()
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, [*COMMANDS, *_GROUPS], n=1)
        question = f" Did you mean {near[0]!r}?" if near else ""
        message = f"Unknown command {name!r}.{question}"
        return _fail(2, f"{message}\n\n{_usage(group)}")
    module = importlib.import_module(f"tfp_glow.train.{group or 'commands'}")
    command = getattr(module, function)
    values = flags.FlagValues()
    options = _options(command)
    for option in options:
        _define(values, *option)
    flags.DEFINE_boolean("help", False, "show this text", flag_values=values)
    try:
        if rest := values([name, *arguments])[1:]:
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
        return _fail(130, "Interrupted. The files that were complete remain.")
    return 0


def _usage(group):
    """Returns the help of a group of commands, or of the whole program."""
    prefix = f"{group} " if group else ""
    rows = {
        name.removeprefix(prefix): line
        for name, line in (COMMANDS | _GROUPS).items()
        if name.startswith(prefix)
    }
    lines = [f"  {n:12}{line}" for n, line in rows.items() if " " not in n]
    listed = "\n".join(lines)
    call = f"python -m tfp_glow {prefix}COMMAND"
    return f"""{_GROUPS.get(group, _TITLE)}

Usage: {call} --flag=value ...

Commands:
{listed}

{call} --help lists the flags of a command."""


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
