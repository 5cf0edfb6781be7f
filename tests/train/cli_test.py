# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.train.cli`."""

import dataclasses
import functools
import importlib
import inspect
import json
import os
import re
import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest

import tfp_glow as tfg
from tests import processes
from tfp_glow.train import cli
from tfp_glow.train import commands
from tfp_glow.train.settings import Settings


def place(command):
    """The module and the name of a command's function."""
    module = importlib.import_module(f"tfp_glow.train.{cli.COMMANDS[command]}")
    return module, command.split()[-1]


def defaults(command):
    """The flags of a command with their defaults, from its signature."""
    found = {}
    parameters = inspect.signature(getattr(*place(command))).parameters
    for name, parameter in parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            found.update(dataclasses.asdict(Settings()))
        elif parameter.default is parameter.empty:
            found[name] = None
        else:
            found[name] = parameter.default
    return found


def required(command):
    """The flags that a command needs, with values."""
    parameters = inspect.signature(getattr(*place(command))).parameters
    return {
        name: "x"
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind is not parameter.VAR_KEYWORD
    }


@pytest.fixture
def calls(monkeypatch):
    """Records the calls of the commands, which do nothing."""
    received = []

    def record(command):
        @functools.wraps(getattr(*place(command)))
        def function(**kwargs):
            received.append((command, kwargs))

        monkeypatch.setattr(*place(command), function)

    for command in cli.COMMANDS:
        record(command)
    return received


# Help.


@pytest.mark.parametrize("word", ["help", "--help", "-h"])
@pytest.mark.parametrize("group", ["", "perception"])
def test_help_lists_the_commands(capsys, group, word):
    prefix = f"{group} " if group else ""
    assert cli.main([*group.split(), word]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    usage = f"Usage: python -m tfp_glow {prefix}COMMAND --flag=value"
    assert usage in captured.out
    listed = captured.out.split("Commands:\n")[1].split("\n\n")[0]
    lines = [line.split(maxsplit=1) for line in listed.splitlines()]
    if not group:
        name, _ = lines.pop()
        assert name == "perception"
    assert [prefix + name for name, _ in lines] == [
        name for name in cli.COMMANDS if name.rpartition(" ")[0] == group
    ]
    for name, description in lines:
        function = getattr(*place(prefix + name))
        assert function.__doc__.startswith(description)


@pytest.mark.parametrize("command", ["", "perception", "train", "evaluate"])
def test_help_does_not_wait_for_tensorflow(command):
    words = [*command.split(), "--help"]
    program = f"""
import atexit, runpy, sys
atexit.register(lambda: print("tensorflow" in sys.modules))
sys.argv = ["tfp_glow", *{words}]
sys.orig_argv = ["python", "-m", "tfp_glow", *{words}]
runpy.run_module("tfp_glow", run_name="__main__")
"""
    printed = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(processes.ROOT)},
        capture_output=True,
        text=True,
        timeout=processes.TIMEOUT,
    ).stdout
    assert f"python -m tfp_glow {command}".rstrip() in printed
    assert printed.splitlines()[-1] == "False"


@pytest.mark.parametrize("argv", [[], ["perception"]])
def test_no_command_shows_the_help_and_fails(capsys, argv):
    assert cli.main(argv) == 2
    assert "Commands:" in capsys.readouterr().out


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_help_of_a_command_lists_its_flags_with_defaults(capsys, command):
    assert cli.main([*command.split(), "--help"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    flags = re.findall(r"^  --(\w+)=?(.*)\n {6}\S", captured.out, re.MULTILINE)
    assert dict(flags) == {
        name: "" if default is None else str(default)
        for name, default in defaults(command).items()
    }
    assert max(map(len, captured.out.splitlines())) < 100


def test_the_flags_of_train_are_grouped_with_the_essential_ones_first(capsys):
    assert cli.main(["help", "train"]) == 0
    printed = capsys.readouterr().out
    titles = re.findall(r"^(\w[\w ]*):$", printed, re.MULTILINE)
    assert titles == [
        "Essentials",
        "Data",
        "Model",
        "Optimizer",
        "Length and devices",
    ]
    assert "Essentials:\n  --out\n" in printed


def test_the_version_is_that_of_the_package(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"tfp_glow {tfg.__version__}\n"


def test_choices_are_listed_by_help(capsys):
    cli.main(["train", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "<adam|adamax>" in printed
    assert all(name in printed for name in tfg.presets.names())
    cli.main(["evaluate", "--help"])
    assert "<train|validation|test>: split" in capsys.readouterr().out


def test_commands_do_not_share_their_flags(calls):
    assert cli.main(["sample", "--run=x", "--num=3"]) == 0
    assert cli.main(["reconstruct", "--run=x"]) == 0
    assert [kwargs for _, kwargs in calls] == [
        {"run": "x", "num": 3},
        {"run": "x"},
    ]


# Arguments.


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["trian"], "Unknown command 'trian'. Did you mean 'train'?"),
        (["--out=x"], "Unknown command '--out=x'"),
        (["perceptoin"], "mean 'perception'"),
        (["perception", "mach"], "mean 'perception match'"),
        (["perception", "map"], "Expected a value for --image"),
        (["perception", "curve", "--image=x", "--property=hew"], "=hew"),
        (["train", "--out=x", "--epoch=3"], "epoch"),
        (["train", "--out=x", "digits"], "flags only. Received: 'digits'"),
        (["train", "--out=x", "--epochs=many"], "--epochs=many"),
        (["train", "--out=x", "--learning_rate=fast"], "--learning_rate=fast"),
        (["train"], "Expected a value for --out"),
        (["train", "--out="], "Expected a value for --out"),
        (["evaluate", "--run=x", "--split=all"], "--split=all"),
        (["train", "--out=x", "--coupling=afine"], "--coupling=afine"),
        (["sample", "--run=x", "--label=three"], "--label=three"),
        (["sample", "--run=x", "--num"], "num"),
        (["sample", "--temperature=0.2,"], "--temperature=0.2,"),
        (["reconstruct", "--run=x", "--temperature=1"], "temperature"),
    ],
)
def test_wrong_usage_is_explained_with_status_2(capsys, calls, argv, message):
    assert cli.main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert "Traceback" not in captured.err
    words = " ".join(argv)
    if command := next(filter(words.startswith, cli.COMMANDS), None):
        first, last = captured.err.splitlines()
        assert message in first
        assert last == f"python -m tfp_glow {command} --help lists the flags."
    else:
        assert captured.err.endswith(" --help lists the commands.\n")
        assert len(captured.err.splitlines()) == 2
    assert calls == []


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_only_flags_that_are_given_are_handed_on(calls, command):
    given = required(command)
    flags = [f"--{flag}={value}" for flag, value in given.items()]
    assert cli.main([*command.split(), *flags]) == 0
    assert calls == [(command, given)]


def test_a_tilde_stands_for_the_home_folder(calls, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert cli.main(["sample", "--run=~/run", "--out=~/a.png"]) == 0
    assert calls == [
        ("sample", {"run": "/home/me/run", "out": "/home/me/a.png"})
    ]


def test_a_temperature_is_a_number_or_one_for_each_level(calls):
    for text in ("0.7", "0.2,0.9"):
        assert cli.main(["sample", f"--temperature={text}"]) == 0
    temperatures = [given["temperature"] for _, given in calls]
    assert temperatures == [0.7, [0.2, 0.9]]


def test_flags_have_the_types_of_the_settings(calls):
    argv = ["--epochs", "3", "--learning_rate=5e-4", "--flip", "--bins=32"]
    argv += ["--max_minutes=1.5", "--coupling=additive", "--noconditional"]
    assert cli.main(["train", "--out=x", *argv]) == 0
    ((_, given),) = calls
    assert given == {
        "out": "x",
        "epochs": 3,
        "learning_rate": 5e-4,
        "flip": True,
        "bins": 32,
        "max_minutes": 1.5,
        "coupling": "additive",
        "conditional": False,
    }


def test_an_error_of_a_command_is_told_with_status_1(
    capsys, monkeypatch, tmp_path
):
    @functools.wraps(commands.train)
    def fail(**kwargs):
        raise FloatingPointError("Expected a finite loss")

    monkeypatch.setattr(commands, "train", fail)
    assert cli.main(["train", f"--out={tmp_path}"]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err) == (
        "",
        "FloatingPointError: Expected a finite loss\n",
    )


# All of it.


def test_training_and_its_results_from_a_shell(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, [80, 4, 4])
    np.savez(tmp_path / "images.npz", images=images)
    environment = {**os.environ, "PYTHONPATH": str(processes.ROOT)}
    # The command line silences TensorFlow unless the user decides otherwise.
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    process = subprocess.run(
        f"""
        '{sys.executable}' -m tfp_glow train --dataset=images.npz --out=run \
            --num_steps=1 --num_filters=4 --epochs=1 --batch_size=32 --bins=8
        """,
        shell=True,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=processes.TIMEOUT,
    )
    assert process.returncode == 0, process.stderr
    assert process.stderr == "Loading TensorFlow ...\n"
    lines = process.stdout.splitlines()
    titles = ["Data:", "Model", "Memor", "Epoch", "Devic", "Ctrl-", "Traci"]
    assert [line[:5] for line in lines[:7]] == titles
    assert (
        "images.npz: 64 train, 8 validation, 8 test images of 4x4x1" in lines[0]
    )
    assert "2 steps of 32 images; at most 1 epoch" in lines[3]
    assert lines[7].startswith("epoch    1  step      2")
    assert lines[8:] == [
        "Stopped: it has had 1 epoch. Drawing ...",
        "Wrote config.json, curve.png, last.keras, metrics.csv, model.keras, "
        "reconstructions.png, samples.png, tensorboard to run",
        "Go on:   python -m tfp_glow train --out=run --epochs=2",
        "Look:    python -m tfp_glow sample --run=run",
    ]

    def do(command, *flags):
        call = (processes.command, command, "--run=run", *flags)
        log = tmp_path / f"{command}.log"
        with processes.Process(*call, log=log, folder=tmp_path) as process:
            printed = process.finish()
        assert "Traceback" not in printed
        return printed.splitlines()

    table = do("evaluate", "--num_draws=1", "--num_samples=10")
    flags = ("--num=4", "--temperature=0.5", "--seed=1", "--out=mine.png")
    last = [
        lines[-1]
        for lines in (
            do("sample", *flags),
            do("reconstruct", "--num=3"),
            do("export"),
        )
    ]
    found = f"{tmp_path}/images.npz, test: 8 images of 4x4x1, 8 gray levels"
    assert found in table
    assert last[0] == "Wrote 4 samples to mine.png"
    assert last[1].startswith("Wrote run/reconstructions_test_num3.png; lar")
    assert last[2] == "Wrote run/saved_model; tf.saved_model.load reads it"

    run = tmp_path / "run"
    results = json.loads((run / "evaluation.json").read_text())
    assert 2 < results["bits_per_dim"] < 8
    (uniform,) = (line for line in table if line.startswith("uniform"))
    assert uniform.split()[1] == "3.000"
    assert matplotlib.image.imread(tmp_path / "mine.png").shape[1] >= 600
    assert matplotlib.image.imread(run / "reconstructions.png").ndim == 3
