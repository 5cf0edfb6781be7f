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
import os
import re
import sys
import textwrap
import types
import typing

from absl import flags

from tfp_glow import version
from tfp_glow.train import endings

# Commands, with the first lines of their docstrings. The command `NAME` is a
# function of the module `commands` or of that in `_MODULES`, and `GROUP NAME` is
# one of the module `GROUP`.
COMMANDS = {
    "train": "Trains a Glow in a folder, or resumes its training.",
    "evaluate": "Compares bits per dimension of a split with three baselines.",
    "sample": "Writes a picture of new samples.",
    "reconstruct": "Writes a picture of images above their reconstructions.",
    "export": "Writes the best model as a SavedModel for TensorFlow alone.",
    "explore": "Opens a page on which one plays with the latent space of a model.",
    "check": "Measures how exact a model's likelihoods and inverses are.",
    "interpolate": "Writes a picture of paths between images in the latent space.",
    "attributes": "Writes a picture of images with more or less of an attribute.",
    "vary": "Writes a picture of images, one level or the class of which varies.",
    "inpaint": "Writes a picture of images with a hole, and of what may be in it.",
    "perception match": "Changes a region of a photograph to look as another.",
    "perception curve": "Shows how likely a region's possible values are.",
    "perception map": "Shows how likely the parts of a photograph are.",
    "perception enhance": "Makes latent vectors of a photograph more likely.",
    "perception report": "Writes a page that studies six illusions.",
}
_MODULES = {
    "check": "stability",
    "explore": "explore",
    "interpolate": "latents",
    "attributes": "latents",
    "vary": "latents",
    "inpaint": "latents",
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
# An entry `name: text` in the part "Args" of a docstring.
_ARGUMENT = re.compile(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)


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
    if (
        words[:1] and words[0] in _HELP and words[1:]
    ):  # For example, help train.
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
    module = group or _MODULES.get(function, "commands")
    module = _import_quietly(f"tfp_glow.train.{module}")
    command = getattr(module, function)
    values = flags.FlagValues()
    options = _options(command)
    for option in options:
        _define(values, *option[:4])
    flags.DEFINE_boolean("help", False, "show this text", flag_values=values)
    try:
        if rest := values([name, *arguments])[1:]:
            raise flags.Error(f"Expected flags only. Received: {rest[0]!r}")
        if values.help:
            print(_command_help(name, options, values))
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
    """Returns name, type, default, help and title of a command's arguments."""
    documented = dict(_ARGUMENT.findall(inspect.getdoc(command)))
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
            help = " ".join(documented[name].split()).rstrip(".")
            annotation, default = parameter.annotation, parameter.default
            options.append((name, annotation, default, help, "Essentials"))
    return options


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


def _command_help(name, options, values):
    groups = {title: [] for title in ("Essentials", *_TITLES.values())}
    order = {flag: i for i, flag in enumerate(_ESSENTIAL)}
    for flag, *_, title in sorted(
        options, key=lambda option: order.get(option[0], len(order))
    ):
        groups.setdefault(title, []).append(flag)
    groups = {title: names for title, names in groups.items() if names}
    call = f"python -m tfp_glow {name} --flag=value ..."
    lines = [COMMANDS[name], "", f"Usage: {call}"]
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
