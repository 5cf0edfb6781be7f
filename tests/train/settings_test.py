# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.train.settings`."""

import dataclasses
import inspect
import json
import os
import pathlib
import typing

import numpy as np
import pytest
import tensorflow as tf

import tfp_glow as tfg
from tfp_glow.bijectors import steps
from tfp_glow.bijectors import transformers
from tfp_glow.models import recipe
from tfp_glow.models import strategies
from tfp_glow.train import settings
from tfp_glow.train.settings import Settings


def test_the_recipe_has_a_setting_for_every_argument():
    parameters = inspect.signature(recipe.make_optimizer).parameters
    found = Settings(ema=0.5).arguments("optimizer")
    assert {*found, "total_steps"} == {*parameters}
    assert found["ema"] == 0.5
    for name, value in Settings().arguments("optimizer").items():
        assert value == parameters[name].default


@pytest.mark.parametrize(
    ("setting", "table"),
    [
        ("permutation", steps.PERMUTATIONS),
        ("coupling", transformers.TRANSFORMERS),
        ("initialization", steps.INITIALIZATIONS),
        ("optimizer", recipe.OPTIMIZERS),
        ("decay", recipe.DECAYS),
        ("strategy", strategies.NAMES),
    ],
)
def test_the_choices_of_a_setting_are_the_names_in_a_table(setting, table):
    kind = {f.name: f.type for f in dataclasses.fields(Settings)}[setting]
    assert typing.get_args(kind) == tuple(table)


def test_an_option_of_the_model_is_set_by_the_setting_of_its_name():
    info = tfg.datasets.DatasetInfo("name", (4, 4, 1), 17, 3, {})
    made = Settings(
        bins=17,
        num_levels=1,
        num_steps=2,
        num_filters=4,
        coupling="additive",
        permutation="reverse",
        conditional=True,
        seed=7,
    )
    model = made.make_model(info)
    config = model.get_config()
    assert made.arguments("model").items() <= config.items()
    assert config["num_classes"] == 3


def test_settings_survive_json():
    made = Settings(flip=True, max_minutes=1.5, coupling="additive")
    values = json.loads(json.dumps(dataclasses.asdict(made)))
    assert Settings().updated(**values) == made


def test_settings_become_plain_values():
    made = Settings(
        pathlib.Path("digits"),
        flip=np.bool_(True),
        num_steps=np.int64(2),
        num_levels=np.array(1),
        batch_size=tf.constant(8),
        learning_rate=np.float32(0.5),
        clipnorm=1,
    )
    plain = Settings(
        os.path.abspath("digits"),
        flip=True,
        num_steps=2,
        num_levels=1,
        batch_size=8,
        learning_rate=0.5,
        clipnorm=1.0,
    )
    assert json.dumps(dataclasses.asdict(made)) == json.dumps(
        dataclasses.asdict(plain)
    )


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"num_filters": 8.0}, "an integer from 1 to 4294967295"),
        ({"batch_size": True}, "an integer from 1 to 4294967295"),
        ({"patience": -1}, "an integer from 0 to 4294967295"),
        ({"num_steps": None}, "an integer from 1 to 4294967295"),
        ({"seed": -1}, "an integer from 0 to 4294967295"),
        ({"warmup_steps": 0.5}, "an integer from 0 to 4294967295"),
        ({"learning_rate": "0.1"}, "a non-negative number"),
        ({"max_minutes": float("nan")}, "a positive number"),
        ({"max_minutes": 0.0}, "a positive number"),
        ({"max_minutes": float("inf")}, "a positive number"),
        ({"learning_rate": 1e300}, "a non-negative number, at most 1e"),
        ({"warmup_steps": 10**12}, "an integer from 0 to 4294967295"),
        ({"flip": "no"}, "True or False"),
        ({"dataset": None}, "a name or a path"),
        ({"flip": 1}, "True or False"),
    ],
)
def test_settings_of_another_type_are_errors(setting, expected):
    [name] = setting
    with pytest.raises(ValueError, match=rf"`{name}`. Expected {expected}"):
        Settings(**setting)


@pytest.mark.parametrize("num_channels", [2, 4])
def test_images_that_pictures_cannot_show_are_errors(tmp_path, num_channels):
    path = tmp_path / "x.npy"
    np.save(path, np.zeros([5, 4, 4, num_channels], np.uint8))
    message = rf"one channel or three.*alpha.*\(4, 4, {num_channels}\)"
    with pytest.raises(ValueError, match=message):
        Settings(path).data_info()


def test_a_resumed_run_keeps_the_settings_that_it_must():
    old = Settings(num_steps=3, dataset=pathlib.Path("x.npz"))
    limits = dict(epochs=2, max_minutes=1.0, patience=3, strategy="mirrored")
    assert old.resumed() == old
    same = dict(num_steps=3, dataset="x.npz", num_levels=None)
    assert old.resumed(**limits, **same) == old.updated(**limits)
    message = "flip=False there, True here; num_steps=3 there, 4 here$"
    with pytest.raises(ValueError, match=message):
        old.resumed(flip=True, num_steps=4, **limits)
    with pytest.raises(ValueError, match=r"epochs=100 there, 2 here$"):
        old.updated(decay="cosine").resumed(**limits)


def test_data_are_found_again_from_another_folder(tmp_path, monkeypatch):
    np.save(tmp_path / "digits.npy", np.zeros([8, 4, 4], np.uint8))
    monkeypatch.chdir(tmp_path)
    for name in ("digits", "digits.npy"):
        made = Settings(name)
        found = made.completed(made.data_info()).dataset
        assert found == (name if name == "digits" else str(tmp_path / name))


@pytest.mark.parametrize(
    ("side", "levels", "is_said"),
    [(32, 3, False), (28, 2, True), (8, 2, False)],
)
def test_fewer_levels_than_three_are_said(
    tmp_path, capsys, side, levels, is_said
):
    path = tmp_path / "x.npy"
    np.save(path, np.zeros([9, side, side], np.uint8))
    plain = settings.Settings(dataset=str(path))
    assert plain.completed(plain.data_info()).num_levels == levels
    line = f"Images of {side}x{side} pixels take 2 of 3 levels"
    assert (line in capsys.readouterr().out) == is_said


def test_a_batch_may_exceed_the_images(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros([9, 4, 4], np.uint8))
    plain = settings.Settings(dataset=str(tmp_path / "x.npy"), batch_size=8)
    assert plain.steps_per_epoch(plain.data_info()) == 1
    images = plain.load("train", batch_size=8, seed=0, initial_epoch=0)
    assert next(iter(images)).shape == (7, 4, 4, 1)


def test_examples_are_the_same_with_random_crops(tmp_path):
    x = np.broadcast_to(np.arange(9, dtype=np.uint8), [20, 4, 9])
    np.save(tmp_path / "x.npy", x)
    arguments = dict(dataset=str(tmp_path / "x.npy"), image_size=4)
    examples = [
        settings.Settings(crop=crop, **arguments).examples("train")[0]
        for crop in ("random", "center")
    ]
    np.testing.assert_array_equal(*examples)
    random = settings.Settings(crop="random", **arguments).load("train")
    assert len({int(image[0, 0, 0]) for image in random}) > 1
