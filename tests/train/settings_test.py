# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.train.settings`."""

import dataclasses
import inspect
import json

import pytest

import tfp_glow as tfg
from tfp_glow.train import recipe
from tfp_glow.train import settings
from tfp_glow.train.settings import Settings


def test_the_recipe_has_a_setting_for_every_argument():
    parameters = inspect.signature(recipe.make_optimizer).parameters
    found = Settings(ema=0.5).arguments("optimizer")
    assert {*found, "total_steps"} == {*parameters}
    assert found["ema"] == 0.5


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


def test_settings_that_a_resumed_run_must_keep_are_told_apart():
    old = Settings(num_steps=3)
    limits = dict(epochs=2, max_minutes=1.0, patience=3, strategy="mirrored")
    assert old.conflicts(old.updated(**limits)) == []
    assert old.conflicts(old.updated(num_steps=4, flip=True)) == [
        "flip=False there, True here",
        "num_steps=3 there, 4 here",
    ]
    cosine = old.updated(decay="cosine")
    assert cosine.conflicts(cosine.updated(**limits)) == [
        "epochs=100 there, 2 here"
    ]


@pytest.mark.parametrize(
    ("image_shape", "levels"),
    [
        ((8, 8, 1), 2),
        ((4, 4, 1), 1),
        ((2, 2, 1), 1),
        ((16, 16, 3), 3),
        ((32, 32, 3), 3),
        ((28, 28, 1), 2),
        ((12, 32, 1), 2),
        ((6, 6, 1), 1),
        ((18, 18, 1), 1),
    ],
)
def test_levels_are_as_many_as_the_size_allows(image_shape, levels):
    assert settings.default_num_levels(image_shape) == levels
