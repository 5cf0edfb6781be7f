# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The command line: `python -m tfp_glow [GROUP] COMMAND --flag=value ...`.

Help and wrong flags must not wait for TensorFlow, which the commands import only
when they run.
"""

import dataclasses
import difflib
import importlib
import inspect
import operator
import os
import re
import sys
import textwrap
import types
import typing

from absl import flags

from tfp_glow import version
from tfp_glow.train import endings

# Commands and their modules. `GROUP NAME` is the function `NAME` of the module.
COMMANDS = {
    "train": "commands",
    "evaluate": "commands",
    "sample": "commands",
    "reconstruct": "commands",
    "export": "commands",
    "explore": "explore",
    "check": "stability",
    "interpolate": "latents",
    "attributes": "latents",
    "vary": "latents",
    "inpaint": "latents",
    "perception match": "perception",
    "perception curve": "perception",
    "perception map": "perception",
    "perception enhance": "perception",
    "perception report": "perception",
}
_GROUPS = {"perception": "Compares a model's likelihood with perception."}
_TITLE = "Trains Glow normalizing flows on images, and evaluates them."
_HELP = ("help", "--help", "-h")
# The first flags in the help of `train`. The titles of the others are those of
# what their settings are arguments of.
_ESSENTIAL = (
    "out",
    "dataset",
    "image_size",
    "max_minutes",
    "preset",
    "config",
)
_TITLES = {None: "Data", "model": "Model", "optimizer": "Optimizer"}

_TYPES = {str: "string", int: "integer", float: "float", bool: "boolean"}
# An entry `names: text` in the part "Args" of a docstring. Its text may be that of
# another function.
_ARGUMENT = re.compile(r"^ {4}(\w[\w, ]*): (.+(?:\n {8}.+)*)", re.MULTILINE)
_SEE = re.compile(r"see `([\w.]+)`\.")


def main(argv=None):
    """Runs a command and returns the exit status of the process.

    The status is 1 after an error, 2 for wrong usage and 130 after an
    interruption. `argv` is a list of `str` without the program's name.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    return endings.status(lambda: _run(words))


def _run(words):
    group = words.pop(0) if words and words[0] in _GROUPS else ""
    if words[:1] == ["--version"]:
        print(f"tfp_glow {version.__version__}")
        return 0
    if words[1:] and words[0] in _HELP:  # For example, help train.
        words = [*words[1:], "--help"]
    if not words or words[0] in _HELP:
        print(_usage(group))
        return 0 if words else 2
    function, *arguments = words
    name = f"{group} {function}".strip()
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, [*COMMANDS, *_GROUPS], n=1)
        question = f" Did you mean {near[0]!r}?" if near else ""
        message = f"Unknown command {name!r}.{question}"
        call = f"python -m tfp_glow {group}".rstrip()
        return endings.fail(2, f"{message}\n{call} --help lists the commands.")
    # TensorFlow reads it when it is imported, and would log about the machine.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    command = _function(name)
    values = flags.FlagValues()
    options = _options(command)
    for option in options:
        _define(values, *option[:4])
    flags.DEFINE_boolean("help", False, "show this text", flag_values=values)
    try:
        if rest := values([name, *arguments])[1:]:
            raise flags.Error(f"Expected flags only. Received: {rest[0]!r}")
        if values.help:
            print(_command_help(name, command, options, values))
            return 0
        for flag, _, default, *_ in options:
            if default is inspect.Parameter.empty and not values[flag].value:
                raise flags.Error(
                    f"Expected a value for --{flag}. Received: none"
                )
    except flags.Error as error:
        help_command = f"python -m tfp_glow {name} --help"
        return endings.fail(2, f"{error}\n{help_command} lists the flags.")
    given = {f: values[f].value for f, *_ in options if values[f].present}
    for flag, value in given.items():
        if isinstance(value, str):  # Shells expand only `--out ~/run`.
            given[flag] = os.path.expanduser(value)
    if "tensorflow" not in sys.modules:
        print("Loading TensorFlow ...", file=sys.stderr, flush=True)
        _import_quietly("tfp_glow.models")
    command(**given)
    return 0


def _function(name):
    """Returns the function of a command."""
    module = _import_quietly(f"tfp_glow.train.{COMMANDS[name]}")
    return getattr(module, name.split()[-1])


def _first_line(function):
    return inspect.getdoc(function).partition("\n")[0]


def _import_quietly(name):
    """Imports a module without what TensorFlow then logs about the machine.

    TensorFlow 2.21 logs some lines before it reads the level.
    """
    if "tensorflow" in sys.modules or sys.stderr is None:
        return importlib.import_module(name)
    stderr = os.dup(2)
    try:
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 2)
        return importlib.import_module(name)
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def _usage(group):
    """Returns the help of a group of commands, or of the whole program."""
    prefix = f"{group} " if group else ""
    rows = {
        name.removeprefix(prefix): _first_line(_function(name))
        for name in COMMANDS
        if name.rpartition(" ")[0] == group
    }
    if not group:
        rows |= _GROUPS
    listed = "\n".join(f"  {name:12}{line}" for name, line in rows.items())
    call = f"python -m tfp_glow {prefix}COMMAND"
    return f"""{_GROUPS.get(group, _TITLE)}

Usage: {call} --flag=value ...

Commands:
{listed}

{call} --help lists the flags of a command."""


def _options(command):
    """Returns name, type, default, help and title of a command's arguments."""
    documented = _documented(command)
    options = []
    for name, parameter in inspect.signature(command).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:  # These are `**settings`.
            settings = importlib.import_module("tfp_glow.train.settings")
            for field in dataclasses.fields(settings.Settings):
                help, title = field.metadata["help"], _title(field)
                options.append(
                    (field.name, field.type, field.default, help, title)
                )
        else:
            help = documented[name]
            annotation, default = parameter.annotation, parameter.default
            options.append((name, annotation, default, help, "Essentials"))
    return options


def _documented(function):
    """Returns what a docstring tells of the arguments, by their names."""
    documented = {}
    for names, text in _ARGUMENT.findall(inspect.getdoc(function)):
        for name in names.split(", "):
            if other := _SEE.fullmatch(text):
                module = sys.modules[function.__module__]
                other = operator.attrgetter(other[1])(module)
                documented[name] = _documented(other)[name]
            else:
                documented[name] = " ".join(text.split()).rstrip(".")
    return documented


def _title(field):
    """Returns the title above the flag of a setting."""
    if field.name in _ESSENTIAL:
        return "Essentials"
    if field.metadata["may_change"]:
        return "Length and devices"
    return _TITLES[field.metadata["argument_of"]]


def _define(values, name, kind, default, help):
    """Defines a flag in `values`, of a type or `Literal`, perhaps `| None`."""
    kinds = [kind]
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        kinds = typing.get_args(kind)
    default = None if default is inspect.Parameter.empty else default
    if list[float] in kinds:
        flags.DEFINE(_Numbers(), name, default, help, flag_values=values)
    elif choices := typing.get_args(kinds[0]):
        flags.DEFINE_enum(name, default, choices, help, flag_values=values)
    else:
        define = getattr(flags, f"DEFINE_{_TYPES[kinds[0]]}")
        define(name, default, help, flag_values=values)


class _Numbers(flags.ArgumentParser):
    """Parses a number, or several with commas between them."""

    def parse(self, argument):
        numbers = [float(number) for number in str(argument).split(",")]
        return numbers if len(numbers) > 1 else numbers[0]


def _command_help(name, command, options, values):
    groups = {title: [] for title in ("Essentials", *_TITLES.values())}
    order = {flag: i for i, flag in enumerate(_ESSENTIAL)}
    for flag, *_, title in sorted(
        options, key=lambda option: order.get(option[0], len(order))
    ):
        groups.setdefault(title, []).append(flag)
    groups = {title: names for title, names in groups.items() if names}
    call = f"python -m tfp_glow {name} --flag=value ..."
    lines = [_first_line(command), "", f"Usage: {call}"]
    for title, names in groups.items():
        lines += ["", f"{title if len(groups) > 1 else 'Flags'}:"]
        for flag in names:
            default = values[flag].default
            shown = "" if default is None else f"={default}"
            lines.append(f"  --{flag}{shown}")
            lines += textwrap.wrap(
                values[flag].help,
                width=80,
                initial_indent=" " * 6,
                subsequent_indent=" " * 6,
                break_long_words=False,
            )
    return "\n".join(lines)
