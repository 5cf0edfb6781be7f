# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.models.presets`."""

import json
import os

import keras
import numpy as np
import pytest

import tfp_glow as tfg
from benchmarks import shipped_models
from tests import helpers
from tests.models import tiny
from tfp_glow.models import presets
from tfp_glow.train import settings


@keras.saving.register_keras_serializable("tests")
class Kind(tfg.GlowModel):
    """A model of another class."""


@pytest.fixture
def model():
    model = tiny.model()
    model.initialize(tiny.gray())
    helpers.perturb(model.glow)
    return model


def assert_same(one, other):
    assert one.get_config() == other.get_config()
    tiny.assert_equal_weights(tiny.values(one), tiny.values(other))
    assert one.initialized == other.initialized


def test_a_preset_is_loaded_without_the_optimizer(model, tmp_path):
    model.compile("adam", run_eagerly=True)
    model.fit(tiny.gray(), verbose=0)
    model.save_to_preset(tmp_path / "preset")
    assert sorted(path.name for path in tmp_path.glob("*/*")) == [
        "config.json",
        "metadata.json",
        "model.weights.h5",
    ]
    loaded = tfg.GlowModel.from_preset(tmp_path / "preset")
    assert type(loaded) is tfg.GlowModel
    assert not loaded.compiled
    assert_same(loaded, model)


def test_keras_reads_presets_and_writes_them(model, tmp_path):
    presets.save(model, tmp_path / "ours", metrics={"bits_per_dim": 1.5})
    text = (tmp_path / "ours/metrics.json").read_text()
    assert json.loads(text) == {"bits_per_dim": 1.5}
    assert_same(keras.saving.load_model(tmp_path / "ours"), model)
    model.save(tmp_path / "keras", zipped=False)
    assert_same(tfg.GlowModel.from_preset(str(tmp_path / "keras")), model)


def test_a_preset_keeps_its_class(tmp_path):
    Kind([2, 2, 1], num_levels=1, num_steps=1, num_filters=2).save_to_preset(
        tmp_path / "kind"
    )
    assert type(tfg.GlowModel.from_preset(tmp_path / "kind")) is Kind
    tiny.model().save_to_preset(tmp_path / "glow")
    with pytest.raises(
        ValueError, match=r"a preset of Kind\. Received: .*glow"
    ):
        Kind.from_preset(tmp_path / "glow")


@pytest.mark.parametrize("name", shipped_models.NAMES)
def test_a_model_of_the_package_has_its_published_bits_per_dim(name):
    before = sum(os.times()[:2])
    model = tfg.GlowModel.from_preset(name)
    assert sum(os.times()[:2]) - before < 3.0  # Seconds of CPU time.
    metrics = json.loads((presets.WEIGHTS / name / "metrics.json").read_text())
    # The training that the command line repeats is that of the model.
    trained_by = settings.Settings().updated(**metrics["settings"])
    assert trained_by == tfg.presets.get(name).settings
    images = tfg.datasets.load(
        metrics["dataset"],
        "test",
        batch_size=metrics["first_images"]["num"],
        image_size=model.image_shape[:2],
    )
    nats = model.log_prob(next(iter(images)), seed=0).numpy().mean()
    bits_per_dim = tfg.bits_per_dim(nats, model.event_size)
    assert bits_per_dim == pytest.approx(
        metrics["first_images"]["bits_per_dim"], rel=1e-3
    )
    best = min(row["bits_per_dim"] for row in metrics["baselines"].values())
    assert metrics["bits_per_dim"] < best - 0.2


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("photo_patch", "Did you mean 'photo_patches'"),
        ("photo_patch_grey", "Did you mean 'photo_patches_grey'"),
        ("no/such/folder", "the path of an existing folder"),
        (__file__, "the path of an existing folder"),
    ],
)
def test_a_preset_that_does_not_exist_is_an_error(
    monkeypatch, preset, expected
):
    monkeypatch.setattr(
        presets,
        "names",
        lambda: ["digits", "photo_patches", "photo_patches_grey"],
    )
    with pytest.raises(ValueError, match=f"`preset`.*{expected}"):
        tfg.GlowModel.from_preset(preset)


def test_missing_files_are_named(model, tmp_path):
    path = tmp_path / "preset"
    path.mkdir()
    with pytest.raises(
        ValueError, match=r"config\.json and model\.weights\.h5"
    ):
        tfg.GlowModel.from_preset(path)
    path.rmdir()
    model.save_to_preset(path)
    (path / "model.weights.h5").unlink()
    with pytest.raises(ValueError, match=r"lacks model\.weights\.h5$"):
        tfg.GlowModel.from_preset(path)


def test_hugging_face_needs_its_package(monkeypatch):
    module = "keras.src.saving.saving_lib.huggingface_hub"
    monkeypatch.setattr(module, None)
    with pytest.raises(ImportError, match="huggingface_hub"):
        tfg.GlowModel.from_preset("hf://user/model")


def test_an_earlier_folder_is_never_replaced(model, tmp_path):
    model.save_to_preset(tmp_path / "preset")
    with pytest.raises(FileExistsError, match="exists already"):
        model.save_to_preset(tmp_path / "preset")


def test_a_preset_is_written_whole_or_not_at_all(model, tmp_path):
    with pytest.raises(TypeError, match="not JSON serializable"):
        presets.save(model, tmp_path / "preset", metrics={"wrong": np.eye(2)})
    assert not list(tmp_path.iterdir())
