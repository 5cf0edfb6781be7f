# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the command `check`."""

import json
import os

import pytest

import tfp_glow as tfg
from tfp_glow.train import cli
from tfp_glow.train import commands
from tfp_glow.train import settings as settings_
from tfp_glow.train import stability


@pytest.fixture
def checked(monkeypatch):
    """Records calls of `tfg.stability.check`, which measures nothing."""
    received = []

    class Report:
        def summary(self):
            return "A table"

        def write_page(self, path, title):
            with open(path, "w") as file:
                file.write(title)

        def to_json(self, path):
            with open(path, "w") as file:
                json.dump({}, file)

    def check(*args, **kwargs):
        received.append((args, kwargs))
        return Report()

    monkeypatch.setattr(tfg.stability, "check", check)
    return received


def test_the_files_of_a_preset_are_written(
    checked, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["check", "--preset=digits", "--num=3"]) == 0
    [((model, images, labels), arguments)] = checked
    assert model.image_shape == images.shape[1:] == (8, 8, 1)
    assert labels is None
    assert arguments["num_images"] == 3
    names = ["stability.html", "stability.json"]
    assert sorted(os.listdir("stability")) == names
    printed = capsys.readouterr().out
    assert "A table" in printed and "stability.html" in printed
    # Other files of the folder stay.
    (tmp_path / "stability" / "mine.txt").touch()
    stability.check(preset="digits", attack_steps=7, exact=False)
    assert checked[-1][1]["num_attack_steps"] == 7
    assert sorted(os.listdir("stability")) == ["mine.txt", *names]


def test_the_files_of_a_run_are_in_its_folder(checked, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    model = tfg.GlowModel(
        [8, 8, 1], bins=17, num_classes=10, num_levels=1, num_steps=1,
        num_filters=2, seed=0,
    )  # fmt: skip
    model.save(run / "model.keras")
    settings = settings_.Settings(
        dataset="digits", conditional=True, bins=17, num_levels=1, num_steps=1,
        num_filters=2,
    )  # fmt: skip
    folder = commands.run_folder.RunFolder(str(run))
    info = settings.data_info()
    folder.prepare(settings.completed(info), info, [])
    stability.check(run=str(run), split="validation")
    [((_, images, labels), _)] = checked
    assert len(images) == len(labels)
    assert (run / "stability" / "stability.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(run="x", preset="digits"), "not both"),
        (dict(run="nothing"), "Expected the folder of a run"),
        (dict(preset="digit"), "'digits'"),
        (dict(preset="digits", out="no/folder"), "in an existing one"),
        (dict(preset="digits", out="a_file"), "exists already"),
    ],
)
def test_invalid_arguments_are_refused_before_work(
    checked, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_file").touch()
    with pytest.raises((ValueError, OSError), match=message):
        stability.check(**arguments)
    assert checked == []
    assert os.listdir(tmp_path) == ["a_file"]
