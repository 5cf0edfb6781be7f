# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.cli`."""

import json
import os
import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest

import tfp_glow as tfg
from tests import processes
from tfp_glow.train import cli
from tfp_glow.train import commands

FLAGS = {
    "train": {
        "out": None,
        "config": None,
        "preset": None,
        **{
            name: setting.default for name, setting in commands.SETTINGS.items()
        },
    },
    "evaluate": {
        "run": None,
        "split": "test",
        "num_draws": 4,
        "num_samples": 1000,
        "num_noise_samples": None,
    },
    "sample": {
        "run": None,
        "num": 64,
        "temperature": 0.7,
        "seed": 0,
        "label": None,
        "out": None,
    },
    "reconstruct": {"run": None, "num": 16, "split": "test", "out": None},
    "export": {"run": None, "out": None},
}
# A flag without which a command does nothing.
FOLDER = {name: "out" if name == "train" else "run" for name in FLAGS}


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """What the commands ask of `runs`, which does none of it."""
    received = []

    def record(name, result):
        def function(*args, **kwargs):
            received.append((name, args, kwargs))
            return result

        monkeypatch.setattr(commands, name, function)

    record("train", None)
    record("evaluate", {})
    record("sample", "picture.png")
    record("reconstruct", ("picture.png", 1.25e-12))
    record("export", "folder")
    return received


# Help.


@pytest.mark.parametrize("argv", [["help"], ["--help"], ["-h"]])
def test_help_lists_the_commands(capsys, argv):
    assert cli.main(argv) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "Usage: python -m tfp_glow COMMAND --flag=value" in captured.out
    commands = captured.out.split("Commands:\n")[1].split("\n\n")[0]
    lines = [line.split(maxsplit=1) for line in commands.splitlines()]
    assert [name for name, _ in lines] == list(FLAGS)
    for _, description in lines:
        assert description.endswith(".")


def test_no_command_shows_the_help_and_fails(capsys):
    assert cli.main([]) == 2
    assert "Commands:" in capsys.readouterr().out


@pytest.mark.parametrize("command", FLAGS)
def test_help_of_a_command_lists_its_flags_with_defaults(capsys, command):
    assert cli.main([command, "--help"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    lines = captured.out.splitlines()
    assert lines[2] == f"Flags of {command}:"
    flags = {}
    for flag, description in zip(lines[3::2], lines[4::2], strict=True):
        assert flag.startswith("  --")
        assert description.startswith("      ")
        assert description.strip()
        name, _, default = flag[4:].partition("=")
        flags[name] = default
    assert flags.pop("help") == "False"
    assert flags == {
        name: "" if default is None else str(default)
        for name, default in FLAGS[command].items()
    }


def test_commands_do_not_share_their_flags(calls, tmp_path):
    assert cli.main(["sample", f"--run={tmp_path}", "--num=3"]) == 0
    assert cli.main(["reconstruct", f"--run={tmp_path}"]) == 0
    assert [args[1:3] for _, args, _ in calls] == [(3, 0.7), ("test", 16)]


# Arguments.


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["trian"], "Unknown command 'trian'"),
        (["--out=x"], "Unknown command '--out=x'"),
        (["train", "--out=x", "--epoch=3"], "epoch"),
        (["train", "--out=x", "digits"], "Unexpected argument 'digits'"),
        (["train", "--out=x", "--epochs=many"], "--epochs=many"),
        (["train", "--out=x", "--learning_rate=fast"], "--learning_rate=fast"),
        (["train"], "--out must have a value"),
        (["train", "--out="], "--out must have a value"),
        (["evaluate"], "--run must have a value"),
        (["evaluate", "--run=x", "--split=all"], "--split=all"),
        (["evaluate", "--run=x", "--num_draws=0"], "--num_draws=0"),
        (["sample", "--run=x", "--temperature=-1"], "--temperature=-1"),
        (["evaluate", "--run=x", "--num_noise_samples=0"], "samples=0"),
        (["sample", "--run=x", "--num=0"], "--num=0"),
        (["sample", "--run=x", "--label=-1"], "--label=-1"),
        (["sample", "--run=x", "--label=three"], "--label=three"),
        (["sample", "--run=x", "--num"], "num"),
        (["reconstruct", "--run=x", "--temperature=1"], "temperature"),
    ],
)
def test_wrong_usage_is_explained_with_status_2(capsys, calls, argv, message):
    assert cli.main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert "Traceback" not in captured.err
    if argv[0] in FLAGS:
        first, last = captured.err.splitlines()
        assert message in first
        assert last == f"python -m tfp_glow {argv[0]} --help lists the flags."
    else:
        assert "Commands:" in captured.err
    assert calls == []


@pytest.mark.parametrize("command", FLAGS)
def test_the_defaults_are_handed_on(calls, command, tmp_path):
    assert cli.main([command, f"--{FOLDER[command]}={tmp_path}"]) == 0
    ((name, args, kwargs),) = calls
    assert name == command
    if command == "train":
        assert args == (str(tmp_path),)
        defaults = {n: s.default for n, s in commands.SETTINGS.items()}
        assert kwargs == defaults
    else:
        order = {
            "evaluate": [
                "run",
                "split",
                "num_draws",
                "num_samples",
                "num_noise_samples",
            ],
            "sample": ["run", "num", "temperature", "seed", "out", "label"],
            "reconstruct": ["run", "split", "num", "out"],
            "export": ["run", "out"],
        }[command]
        values = {**FLAGS[command], "run": str(tmp_path)}
        assert args == tuple(values[flag] for flag in order)
        assert kwargs == {}


def test_flags_set_the_settings(calls, tmp_path):
    argv = ["--epochs", "3", "--learning_rate=5e-4", "--flip", "--bins=32"]
    argv += ["--max_minutes=1.5", "--scale=exp", "--coupling=affine"]
    argv += ["--conditional", "--conditioned=priors", "--dequantizer=learned"]
    argv += ["--classifier_weight=0.5", "--num_noise_samples=2"]
    assert cli.main(["train", f"--out={tmp_path}", *argv]) == 0
    expected = {
        "epochs": 3,
        "learning_rate": 5e-4,
        "flip": True,
        "bins": 32,
        "max_minutes": 1.5,
        "scale": "exp",
        "coupling": "affine",
        "conditional": True,
        "conditioned": "priors",
        "dequantizer": "learned",
        "classifier_weight": 0.5,
        "num_noise_samples": 2,
    }
    ((_, _, settings),) = calls
    assert expected.items() <= settings.items()


def test_a_config_gives_the_defaults_and_flags_override_it(calls, tmp_path):
    earlier = {
        name: setting.default for name, setting in commands.SETTINGS.items()
    }
    earlier |= {"num_steps": 5, "flip": True, "epochs": 7, "image_size": 16}
    del earlier["seed"]  # Of a version that had none.
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"settings": earlier}))
    # A flag that is given counts, if it is the default too.
    default = commands.SETTINGS["num_steps"].default
    argv = [f"--config={path}", f"--num_steps={default}", "--noflip"]
    assert cli.main(["train", f"--out={tmp_path}", *argv]) == 0
    ((_, _, settings),) = calls
    expected = {**earlier, "num_steps": default, "flip": False, "seed": 0}
    assert settings == expected


def test_a_preset_gives_the_defaults_and_flags_override_it(calls, tmp_path):
    argv = ["--preset=celebahq256", "--num_steps=2", "--coupling=affine"]
    assert cli.main(["train", f"--out={tmp_path}", *argv]) == 0
    ((_, _, settings),) = calls
    assert settings == {
        **{
            name: setting.default for name, setting in commands.SETTINGS.items()
        },
        **tfg.presets.get("celebahq256").settings,
        "num_steps": 2,
        "coupling": "affine",
    }
    assert settings["num_levels"] == 6


def test_a_preset_of_classes_trains_with_labels(calls, tmp_path):
    argv = ["--preset=cifar10_conditional", f"--out={tmp_path}"]
    assert cli.main(["train", *argv]) == 0
    ((_, _, settings),) = calls
    assert settings["conditional"] is True
    assert settings["conditioned"] == "priors"
    assert settings["classifier_weight"] == 0.01


def test_results_are_told(calls, capsys, tmp_path):
    (tmp_path / "b.csv").touch()
    (tmp_path / "a.png").touch()
    assert cli.main(["train", f"--out={tmp_path}"]) == 0
    assert cli.main(["sample", f"--run={tmp_path}", "--num=5"]) == 0
    assert cli.main(["reconstruct", f"--run={tmp_path}"]) == 0
    assert cli.main(["export", f"--run={tmp_path}"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"Wrote a.png, b.csv to {tmp_path}",
        "Wrote 5 samples to picture.png",
        "Wrote picture.png; largest difference 1.2e-12 grey levels",
        "Wrote folder; tf.saved_model.load reads it",
    ]


# Errors.


@pytest.mark.parametrize(
    "error",
    [
        ValueError("Expected this. Received: that"),
        TypeError("Expected this"),
        OSError(28, "No space left on device"),
        FloatingPointError("Expected a finite loss"),
    ],
)
def test_errors_are_one_line_with_status_1(
    capsys, monkeypatch, tmp_path, error
):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(commands, "train", fail)
    assert cli.main(["train", f"--out={tmp_path}"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"{type(error).__name__}: {error}\n"


def test_an_error_of_our_own_is_not_hidden(monkeypatch, tmp_path):
    def fail(*args, **kwargs):
        raise AssertionError("a bug")

    monkeypatch.setattr(commands, "train", fail)
    with pytest.raises(AssertionError, match="a bug"):
        cli.main(["train", f"--out={tmp_path}"])


def test_an_interruption_is_said_to_leave_whole_files(
    capsys, monkeypatch, tmp_path
):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "train", interrupt)
    assert cli.main(["train", f"--out={tmp_path}"]) == 130
    assert capsys.readouterr().err.startswith("Interrupted; the files")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["train", "--out={}/run", "--dataset=digit"], "mean 'digits'"),
        (["train", "--out={}/run", "--config={}/no.json"], "no.json"),
        (["train", "--out={}/run", "--config={}/other.json"], "other.json"),
        (["train", "--out={}/run", "--config={}/broken.json"], "broken.json"),
        (["train", "--out={}/run", "--preset=cifar"], "mean 'cifar10'"),
        (
            ["train", "--out={}/run", "--preset=cifar10", "--config={}/x"],
            "not both",
        ),
        (["train", "--out={}/run", "--num_levels=4"], "2**num_levels=16"),
        (["train", "--out={}"], "holds other files"),
        (["train", "--out={}/other.json/run"], "can be written"),
        (["evaluate", "--run={}"], "no config.json"),
        (["sample", "--run={}/missing"], "no config.json"),
        (["reconstruct", "--run={}"], "no config.json"),
        (["export", "--run={}"], "no config.json"),
        (["export", "--run={}", "--out={}"], "exists already"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    capsys, tmp_path, argv, message
):
    (tmp_path / "other.json").write_text('{"epochs": 3}')
    (tmp_path / "broken.json").write_text('{"settings": {')
    before = sorted(os.listdir(tmp_path))
    assert cli.main([word.replace("{}", str(tmp_path)) for word in argv]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    kinds = ("ValueError", "OSError", "FileExistsError", "FileNotFoundError")
    assert line.split(":")[0] in kinds
    assert message in line
    assert sorted(os.listdir(tmp_path)) == before


# All of it.


def test_training_and_its_results_from_a_shell(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, [80, 4, 4])
    np.savez(tmp_path / "images.npz", images=images)
    process = subprocess.run(
        f"""
        '{sys.executable}' -m tfp_glow train --dataset=images.npz --out=run \
            --num_steps=1 --num_filters=4 --epochs=1 --batch_size=32 --bins=8
        """,
        shell=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(processes.ROOT)},
        capture_output=True,
        text=True,
        timeout=processes.TIMEOUT,
    )
    assert process.returncode == 0, process.stderr
    assert "Traceback" not in process.stderr
    lines = process.stdout.splitlines()
    assert lines[0].startswith("epoch    1  step      2")
    assert lines[1:] == [
        "Wrote config.json, curve.png, last.keras, metrics.csv, model.keras, "
        "reconstructions.png, samples.png, tensorboard to run"
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
    assert "images.npz, test: 8 images of 4x4x1, 8 grey levels" in table
    assert last[0] == "Wrote 4 samples to mine.png"
    assert last[1].startswith("Wrote run/reconstructions.png; largest")
    assert last[2] == "Wrote run/saved_model; tf.saved_model.load reads it"

    run = tmp_path / "run"
    results = json.loads((run / "evaluation.json").read_text())
    assert 2 < results["bits_per_dim"] < 8
    (uniform,) = (line for line in table if line.startswith("uniform"))
    assert uniform.split()[1] == "3.000"
    assert matplotlib.image.imread(tmp_path / "mine.png").shape[1] >= 512
    assert matplotlib.image.imread(run / "reconstructions.png").ndim == 3
