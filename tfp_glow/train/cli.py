# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The command line: `python -m tfp_glow COMMAND --flag=value ...`."""

import os
import sys

import keras
from absl import flags

from tfp_glow.train import commands
from tfp_glow.train import presets

_USAGE = """Trains Glow normalizing flows on images, and shows what they learned.

Usage: python -m tfp_glow COMMAND --flag=value ...

Commands:
{commands}

python -m tfp_glow COMMAND --help lists the flags of a command.
"""


def main(argv=None):
    """Runs a command and returns the exit status: 0, 1 or 2.

    Args:
        argv: list of `str`, the arguments without the program's name; those of
            the process by default.
    """
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("help", "--help", "-h"):
        print(_usage())
        return 0 if argv else 2
    name, *arguments = argv
    if name not in _COMMANDS:
        return _fail(2, f"Unknown command {name!r}.\n\n{_usage()}")
    define, run = _COMMANDS[name]
    values = flags.FlagValues()
    define(values)
    flags.DEFINE_boolean("help", False, "show this", flag_values=values)
    try:
        rest = values([name, *arguments])[1:]
        if rest:
            raise flags.Error(f"Unexpected argument {rest[0]!r}.")
        if values.help:
            print(_command_help(name, run, values))
            return 0
        _require(values, "out" if name == "train" else "run")
    except flags.Error as error:
        help_command = f"python -m tfp_glow {name} --help"
        return _fail(2, f"{error}\n{help_command} lists the flags.")
    try:
        run(values)
    except (ValueError, TypeError, OSError, FloatingPointError) as error:
        return _fail(1, f"{type(error).__name__}: {error}")
    except KeyboardInterrupt:
        return _fail(130, "Interrupted; the files of the last epoch are whole.")
    return 0


def _fail(status, message):
    print(message, file=sys.stderr)
    return status


def _usage():
    return _USAGE.format(
        commands="\n".join(
            f"  {name:12}{run.__doc__}" for name, (_, run) in _COMMANDS.items()
        )
    )


def _command_help(name, run, values):
    lines = [run.__doc__, "", f"Flags of {name}:"]
    for flag in values:
        default = values[flag].default
        shown = "" if default is None else f"={default}"
        lines.append(f"  --{flag}{shown}")
        lines.append(f"      {values[flag].help}")
    return "\n".join(lines)


def _require(values, flag):
    if not values[flag].value:
        raise flags.Error(f"Flag --{flag} must have a value: a folder.")


def _define_train(values):
    flags.DEFINE_string(
        "out", None, "folder of the run, made or resumed", flag_values=values
    )
    flags.DEFINE_string(
        "config",
        None,
        "config.json of another run, whose settings become the defaults",
        flag_values=values,
    )
    flags.DEFINE_string(
        "preset",
        None,
        "training of the paper whose settings become the defaults: "
        + ", ".join(presets.names()),
        flag_values=values,
    )
    for name, (kind, default, description) in commands.SETTINGS.items():
        define = getattr(flags, f"DEFINE_{kind}")
        define(name, default, description, flag_values=values)


def _define_run(values):
    flags.DEFINE_string("run", None, "folder of the run", flag_values=values)


def _define_evaluate(values):
    _define_run(values)
    _define_split(values)
    flags.DEFINE_integer(
        "num_draws",
        4,
        "draws of the dequantisation noise, averaged",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "num_samples",
        1000,
        "samples at temperature 1 to check",
        lower_bound=1,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "num_noise_samples",
        None,
        "noise samples in a draw, which tighten the bound (the run's own)",
        lower_bound=1,
        flag_values=values,
    )


def _define_split(values):
    flags.DEFINE_enum(
        "split",
        "test",
        ["train", "validation", "test"],
        "split to read",
        flag_values=values,
    )


def _define_picture(values, num):
    flags.DEFINE_integer(
        "num", num, "how many images", lower_bound=1, flag_values=values
    )
    flags.DEFINE_string(
        "out", None, "picture to write (a .png in the run)", flag_values=values
    )


def _define_sample(values):
    _define_run(values)
    _define_picture(values, 64)
    flags.DEFINE_float(
        "temperature",
        0.7,
        "factor of the latent noise",
        lower_bound=0.0,
        flag_values=values,
    )
    flags.DEFINE_integer("seed", 0, "seed of the noise", flag_values=values)
    flags.DEFINE_integer(
        "label",
        None,
        "class of all images of a conditional run (one after another)",
        lower_bound=0,
        flag_values=values,
    )


def _define_reconstruct(values):
    _define_run(values)
    _define_picture(values, 16)
    _define_split(values)


def _define_export(values):
    _define_run(values)
    flags.DEFINE_string(
        "out",
        None,
        "new folder to write (saved_model in the run)",
        flag_values=values,
    )


def _train(values):
    """Trains a Glow, or resumes its training."""
    settings = {}
    if values.config and values.preset:
        raise ValueError(
            "Expected --config or --preset, not both. Received: --config="
            f"{values.config}, --preset={values.preset}"
        )
    if values.config:
        settings = commands.read_settings(values.config)
    if values.preset:
        settings = dict(presets.get(values.preset).settings)
    for name in commands.SETTINGS:
        if values[name].present or name not in settings:
            settings[name] = values[name].value
    keras.utils.set_random_seed(settings["seed"])
    commands.train(values.out, **settings)
    print(f"Wrote {', '.join(sorted(os.listdir(values.out)))} to {values.out}")


def _evaluate(values):
    """Prints bits per dimension of a split, beside three baselines."""
    commands.evaluate(
        values.run,
        values.split,
        values.num_draws,
        values.num_samples,
        values.num_noise_samples,
    )


def _sample(values):
    """Draws new images as a picture."""
    path = commands.sample(
        values.run,
        values.num,
        values.temperature,
        values.seed,
        values.out,
        values.label,
    )
    print(f"Wrote {values.num} samples to {path}")


def _reconstruct(values):
    """Draws images, and below them what their latent vectors decode to."""
    path, error = commands.reconstruct(
        values.run, values.split, values.num, values.out
    )
    print(f"Wrote {path}; largest difference {error:.2g} grey levels")


def _export(values):
    """Writes the best model as a SavedModel, which TensorFlow alone can load."""
    path = commands.export(values.run, values.out)
    print(f"Wrote {path}; tf.saved_model.load reads it")


_COMMANDS = {
    "train": (_define_train, _train),
    "evaluate": (_define_evaluate, _evaluate),
    "sample": (_define_sample, _sample),
    "reconstruct": (_define_reconstruct, _reconstruct),
    "export": (_define_export, _export),
}
