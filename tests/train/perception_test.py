# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the commands of `tfp_glow perception`."""

import functools
import json
import os
import typing

import numpy as np
import PIL.Image
import pytest

import tfp_glow as tfg
from tfp_glow.analysis.perception import images
from tfp_glow.analysis.perception import patches
from tfp_glow.train import cli
from tfp_glow.train import perception

# Opens every model once, for all tests, so that it is traced once.
_OPEN = perception._open
_OPEN_ONCE = functools.cache(_OPEN)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A folder of a model, a photograph and masks."""
    folder = tmp_path_factory.mktemp("shared")
    random = np.random.default_rng(0)
    for name, channels in (("rgb", 3), ("gray", 1)):
        model = tfg.GlowModel(
            [8, 8, channels], num_levels=1, num_steps=1, num_filters=4, seed=0
        )
        model.initialize(random.integers(60, 200, [64, 8, 8, channels]))
        model.save(folder / f"{name}.keras")
    levels = random.integers(60, 200, [20, 30, 3], np.uint8)
    photograph = PIL.Image.fromarray(levels)
    photograph.save(folder / "photo.png")
    photograph.convert("CMYK").save(folder / "cmyk.tif")
    for name, rows, columns in (
        ("a", slice(9, 11), slice(6, 8)),
        ("b", slice(10, 12), slice(20, 22)),
        ("border", slice(0, 2), slice(0, 2)),
        ("empty", slice(0, 0), slice(0, 0)),
    ):
        mask = np.zeros([20, 30], np.uint8)
        mask[rows, columns] = 255
        PIL.Image.fromarray(mask).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def inputs(shared, tmp_path, monkeypatch):
    """Links to the shared files in the current folder, a new one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(perception, "_open", _OPEN_ONCE)
    for path in shared.iterdir():
        os.symlink(path, tmp_path / path.name)
    return tmp_path


def _result(folder):
    with open(os.path.join(folder, "result.json")) as file:
        return json.load(file)


def test_match_writes_the_photograph_with_the_changed_region(inputs, capsys):
    result = perception.match(
        "photo.png", "a.png", "b.png", "saturation", "rgb.keras", num_draws=2
    )
    assert sorted(os.listdir("perception_match")) == [
        "adjusted.png",
        "match.png",
        "result.json",
    ]
    before, _ = images.read_image("photo.png")
    mask, _ = images.read_mask("b.png", before)
    after, _ = images.read_image("perception_match/adjusted.png")
    np.testing.assert_array_equal(after[~mask], before[~mask])
    changed = result.adjusted(before, mask)[mask]
    np.testing.assert_allclose(after[mask], changed, atol=0.5 / 255 + 1e-9)
    assert np.abs(after - before)[mask].max() > 1.5 / 255
    numbers = _result("perception_match")
    assert numbers["arguments"]["mask_b"] == "b.png"
    assert numbers["value"] == result.value
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "region a",
        "region b",
        "region b with the rank of a",
        "Wrote adjusted.png, match.png, result.json to perception_match",
    ]
    assert lines[2].endswith(f"{result.change_percent:+.1f} %")


def test_curve_says_conversions_and_what_is_likely(inputs, capsys):
    result = perception.curve(
        "cmyk.tif", "a.png", model="gray.keras", num_draws=1, out="mine"
    )
    notes = capsys.readouterr().out.splitlines()
    best = result.curve.values[np.argmin(result.curve.bits_per_dim)]
    assert notes[0] == "cmyk.tif: converted from CMYK to RGB"
    assert notes[1] == "cmyk.tif: converted to gray for the gray model"
    assert "standard error" not in notes[2]
    assert notes[3] == f"most likely brightness: {best:.3f}"
    assert sorted(os.listdir("mine")) == ["curve.png", "result.json"]
    # A single draw has no standard error, and JSON no NaN.
    assert _result("mine")["standard_error"] is None


def test_map_writes_values_and_pictures(inputs, capsys):
    result = perception.map("photo.png", "rgb.keras", stride=4)
    folder = "perception_map"
    assert sorted(os.listdir(folder)) == [
        "bits_per_dim.npy",
        "map.png",
        "overlay.png",
        "result.json",
    ]
    values = np.load(f"{folder}/bits_per_dim.npy")
    np.testing.assert_array_equal(values, result.bits_per_dim)
    overlay, _ = images.read_image(f"{folder}/overlay.png")
    assert overlay.shape == (20, 30, 3)
    assert _result(folder)["num_patches"] == values.size == 24
    line, _ = capsys.readouterr().out.splitlines()
    assert line.startswith(f"24 patches: mean {values.mean():.3f} bits per")


def test_enhance_keeps_the_mask(inputs, capsys):
    result = perception.enhance(
        "photo.png", "a.png", -0.8, "rgb.keras", stride=4
    )
    before, _ = images.read_image("photo.png")
    mask, _ = images.read_mask("a.png", before)
    after, _ = images.read_image("perception_enhance/enhanced.png")
    np.testing.assert_array_equal(after[mask], before[mask])
    assert np.abs(after - before).max() > 1.5 / 255
    assert _result("perception_enhance")["eta"] == result.eta == -0.8
    assert "0 % not finite" in capsys.readouterr().out


def test_report_opens_the_models_and_writes_a_page(inputs, monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(
        perception.perception,
        "write_report",
        lambda path, *models: calls.append((path, models)),
    )
    perception.report("page.html", "gray.keras,gray.keras", "rgb.keras")
    [(path, models)] = calls
    assert path == "page.html"
    shapes = [[model.image_shape for model in group] for group in models]
    assert shapes == [[(8, 8, 1)] * 2, [(8, 8, 3)]]
    assert capsys.readouterr().out.splitlines() == [
        "Comparing the models, which takes minutes.",
        "Wrote page.html",
    ]
    with pytest.raises(ValueError, match="models of images with 1 channels"):
        perception.report(gray="rgb.keras", color="rgb.keras")


def test_a_model_is_a_file_or_the_folder_of_a_preset_or_a_run(inputs):
    model = _OPEN("rgb.keras")
    model.save_to_preset("preset")
    os.mkdir("run")
    model.save("run/model.keras")
    image = np.full([1, 8, 8, 3], 100)
    expected = model.log_prob(image, seed=0)
    for name in ("preset", "run"):
        np.testing.assert_array_equal(
            _OPEN(name).log_prob(image, seed=0), expected
        )


def test_a_folder_that_exists_gets_the_new_results(inputs):
    os.mkdir("mine")
    open("mine/notes.txt", "w").close()
    for stride in (4, 8):
        perception.map("photo.png", "rgb.keras", stride, out="mine")
        assert len(os.listdir("mine")) == 5
        assert _result("mine")["stride"] == stride


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("map --image=.", "a readable image"),
        ("map --image=none.png", "a readable image"),
        ("map --image=photo.png --stride=9", "from 1 to 8"),
        ("map --image=photo.png --out=photo.png", "exists already"),
        ("map --image=photo.png --out=none/mine", "in an existing one"),
        ("map --image=photo.png --model=none.keras", "Found no file"),
        ("map --image=photo.png --model=none", "'hf://user/model'"),
        ("map --image=photo.png --model=.", "save_to_preset"),
        ("enhance --image=photo.png --eta=nan", "`eta`"),
        ("curve --image=photo.png --mask=empty.png", "above half brightness"),
        ("curve --image=photo.png --mask=border.png", "border cuts"),
        ("curve --image=a.png --mask=b.png --property=hue", "gray image"),
        (
            "curve --image=photo.png --mask=b.png --property=hue "
            "--model=gray.keras",
            "a model of RGB images for the hue",
        ),
        (
            "match --image=photo.png --mask_a=a.png --mask_b=a.png",
            "share 4 pixels",
        ),
        (
            "match --image=photo.png --mask_a=a.png --mask_b=b.png "
            "--temperature=1e-9",
            "rank of target a that target b can reach, between",
        ),
    ],
)
def test_bad_input_is_explained_and_leaves_nothing(
    inputs, capsys, arguments, message
):
    before = sorted(os.listdir())
    argv = arguments.split()
    if "--model" not in arguments:
        argv.append("--model=rgb.keras")
    assert cli.main(["perception", *argv]) == 1
    assert message in capsys.readouterr().err
    assert sorted(os.listdir()) == before


def test_the_flag_has_all_properties():
    flag = typing.get_args(perception._Property)
    assert set(flag) == set(patches.PROPERTIES)
