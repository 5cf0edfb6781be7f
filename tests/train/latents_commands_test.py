# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the commands `interpolate`, `attributes`, `vary` and `inpaint`."""

import os
import types

import numpy as np
import PIL.Image
import pytest

from tfp_glow.train import commands
from tfp_glow.train import latents
from tfp_glow.train.settings import Settings


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """The settings and the untrained model of a run on two classes."""
    folder = tmp_path_factory.mktemp("latents")
    labels = np.arange(80) % 2
    images = np.random.default_rng(0).integers(0, 60, [80, 4, 4])
    images += 90 * labels[:, np.newaxis, np.newaxis]
    np.savez(folder / "data.npz", images=images, labels=labels)
    settings = Settings(
        dataset=str(folder / "data.npz"),
        conditional=True,
        num_levels=2,
        num_steps=1,
        num_filters=4,
    )
    info = settings.data_info()
    model = settings.completed(info).make_model(info)
    model.initialize(*settings.examples("train"))
    return settings, model


@pytest.fixture
def run(opened, tmp_path, monkeypatch):
    """The folder of a run, empty but for its settings."""
    path = tmp_path / "run"
    path.mkdir()
    (path / "config.json").write_text("{}")
    folder = types.SimpleNamespace(path=str(path))
    monkeypatch.setattr(commands, "open_run", lambda run: (folder, *opened))
    return str(path)


def _is_picture(path):
    with PIL.Image.open(path) as picture:
        return picture.format == "PNG" and picture.width > 200


def test_interpolate_writes_paths_between_images_of_the_split(run):
    path, grid = latents.interpolate(run, num=5, num_pairs=2)
    name = "interpolate_spherical_test_seed0.png"
    assert path == os.path.join(run, name) and _is_picture(path)
    assert grid.images.shape == (2, 5, 4, 4, 1)
    images, _ = commands.open_run(run)[1].examples("test")
    for label, row in zip(grid.row_labels, grid.images):
        for index, found in zip(
            map(int, label.split(" to ")), (row[0], row[-1])
        ):
            np.testing.assert_allclose(found, images[index], atol=1e-3)


def test_attributes_move_by_the_labels_of_the_data_or_of_a_file(run, tmp_path):
    out = str(tmp_path / "a.png")
    path, grid = latents.attributes(
        run, positive="1", strengths=[-1.0, 0.0, 1.0], num=2, out=out
    )
    assert path == out and _is_picture(out)
    assert grid.title == "Attribute: 1 rather than others"
    assert grid.column_labels == ("-1", "+0", "+1")
    labels = np.array(["left", "right"]).repeat(32)
    np.save(tmp_path / "labels.npy", labels)
    _, grid = latents.attributes(
        run,
        positive="left",
        negative="right",
        labels=str(tmp_path / "labels.npy"),
        method="logistic",
        num=1,
    )
    assert grid.title == "Attribute: left rather than right"
    assert "attributes_left_right_logistic_test_seed0.png" in os.listdir(run)


def test_vary_changes_a_level_or_the_class(run):
    _, grid = latents.vary(run, level=1, temperature=0.5, num=2, num_draws=3)
    assert grid.images.shape[:2] == (2, 4)
    fine = grid.latents[:, :, :8]
    np.testing.assert_array_equal(fine, fine[:, :1].repeat(4, 1))
    _, grid = latents.vary(run, by="class", num=2)
    assert grid.column_labels == ("0", "1")
    _, grid = latents.vary(run, by="directions", level=0, num=2)
    assert grid.images.shape[:2] == (2, 7)
    assert {name for name in os.listdir(run) if name.startswith("vary")} == {
        "vary_class_test_seed0.png",
        "vary_directions_level0_test_seed0.png",
        "vary_noise_level1_t0.5_test_seed0.png",
    }


@pytest.mark.slow
def test_inpaint_fills_the_hole_of_a_mask(run, tmp_path, capsys):
    mask = np.zeros([4, 4], np.uint8)
    mask[:2, :2] = 255
    PIL.Image.fromarray(mask).save(tmp_path / "mask.png")
    _, grid = latents.inpaint(
        run, mask=str(tmp_path / "mask.png"), num=2, num_steps=4
    )
    np.testing.assert_array_equal(grid.mask[..., 0], mask > 0)
    assert "inpaint_test_steps4_seed0.png" in os.listdir(run)
    bits = f"in the hole: {np.mean(grid.hole_bits_per_dim):.3f} bits/dim"
    assert capsys.readouterr().out.startswith(bits)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda r: latents.interpolate(r, num=1), "at least 2 images"),
        (lambda r: latents.interpolate(r, num_pairs=99), "at most 8 images"),
        (lambda r: latents.interpolate(r, preset="digits"), "not both"),
        (lambda r: latents.interpolate(r, out="here"), "ends in .png"),
        (lambda r: latents.interpolate(r, out=f"{r}/samples.png"), "another"),
        (lambda r: latents.attributes(r, positive="x"), r"labels as \[0, 1\]"),
        (lambda r: latents.attributes(r, positive="7"), "0 images of positive"),
        (lambda r: latents.attributes(r, positive="0,1"), "0 of negative"),
        (lambda r: latents.vary(r, level=2), "from 0, the finest level, to 1"),
        (lambda r: latents.vary(r, temperature=-1.0), "at least 0"),
        (lambda r: latents.inpaint(r, mask="none.png"), "none.png"),
    ],
)
def test_bad_input_is_explained_and_nothing_written(run, call, message):
    before = os.listdir(run)
    with pytest.raises((ValueError, OSError), match=message):
        call(run)
    assert os.listdir(run) == before


def test_data_without_labels_are_told_how_to_give_them(run, tmp_path):
    _, settings, _ = commands.open_run(run)
    np.save(tmp_path / "data.npy", np.zeros([80, 4, 4, 1], np.uint8))
    plain = settings.updated(
        dataset=str(tmp_path / "data.npy"), conditional=False
    )
    with pytest.raises(ValueError, match=r"Pass --labels=FILE\.npy"):
        latents._labels(plain, None, 64)
