# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.plots`."""

import os

import matplotlib.figure
import matplotlib.image
import numpy as np
import pytest

from tfp_glow.train import plots

CURVE = {
    "seconds": [10.0, 60.0, 130.0],
    "bits_per_dim": [5.0, 3.0, 2.5],
    "val_bits_per_dim": [6.0, 3.5, 3.75],
}


def test_a_grid_has_a_white_pixel_around_every_image():
    images = np.array([[[0, 1]], [[2, 3]], [[4, 5]]])[..., np.newaxis]
    grid = plots.image_grid(images, bins=6)
    assert grid.dtype == np.uint8
    expected = [
        [255, 255, 255, 255, 255, 255, 255],
        [255, 0, 51, 255, 102, 153, 255],
        [255, 255, 255, 255, 255, 255, 255],
        [255, 204, 255, 255, 255, 255, 255],
        [255, 255, 255, 255, 255, 255, 255],
    ]
    for channel in range(3):
        np.testing.assert_array_equal(grid[..., channel], expected)


def test_columns_and_margin_are_as_asked():
    images = np.zeros([5, 2, 3, 1], int)
    assert plots.image_grid(images, 2).shape == (2 * 3 + 1, 3 * 4 + 1, 3)
    assert plots.image_grid(images, 2, columns=5).shape == (4, 21, 3)
    assert plots.image_grid(images, 2, columns=1).shape == (16, 5, 3)
    grid = plots.image_grid(images, 2, columns=2, margin=0)
    assert grid.shape == (6, 6, 3)
    np.testing.assert_array_equal(grid[4:, 3:], 255)
    np.testing.assert_array_equal(grid[:4], 0)


def test_colors_stay_where_they_are():
    images = np.zeros([1, 1, 1, 3], int)
    images[..., 0], images[..., 2] = 255, 7
    grid = plots.image_grid(images, bins=256)
    np.testing.assert_array_equal(grid[1, 1], [255, 0, 7])


def test_values_are_rounded_and_those_out_of_range_clipped():
    values = np.array([-1e9, -0.4, 0.6, 15.4, 16.0, 17.3, np.inf])
    grid = plots.image_grid(
        values.reshape([-1, 1, 1, 1]), bins=17, columns=7, margin=0
    )
    np.testing.assert_array_equal(grid[0, :, 0], [0, 0, 16, 239, 255, 255, 255])


@pytest.mark.parametrize("channels", [2, 4])
def test_other_numbers_of_channels_are_an_error(channels):
    with pytest.raises(ValueError, match=rf"one channel.*4, 4, {channels}\)"):
        plots.image_grid(np.zeros([2, 4, 4, channels]), bins=17)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_saved_grid_is_the_grid_with_repeated_pixels(tmp_path, channels):
    images = np.random.default_rng(0).integers(0, 17, [6, 4, 5, channels])
    path = str(tmp_path / "grid.png")
    plots.save_image_grid(path, images, bins=17, columns=3, min_width=100)
    grid = plots.image_grid(images, bins=17, columns=3)
    assert grid.shape[1] == 19
    picture = matplotlib.image.imread(path)[..., :3]
    assert picture.shape[1] == 6 * 19
    np.testing.assert_allclose(
        255 * picture, np.kron(grid, np.ones([6, 6, 1])), atol=1e-3
    )
    assert os.listdir(tmp_path) == ["grid.png"]


def test_a_title_and_labels_are_outside_of_the_grid(tmp_path):
    images = np.random.default_rng(0).integers(0, 17, [6, 4, 5, 3])
    path = str(tmp_path / "grid.png")
    plots.save_image_grid(
        path,
        images,
        bins=17,
        columns=3,
        title="one\ntwo",
        row_labels=["data", "decoded"],
    )
    grid = plots.image_grid(images, 17, columns=3).repeat(32, 0).repeat(32, 1)
    picture = 255 * matplotlib.image.imread(path)[..., :3]
    height, width, _ = grid.shape
    assert width >= 600
    np.testing.assert_allclose(picture[-height:, -width:], grid, atol=1e-3)
    text = picture < 128
    rows = text[:-height].any(axis=(1, 2))  # Two lines of text.
    assert np.sum(np.diff(rows.astype(int)) == 1) == 2
    rows = text[-height:, :-width].any(axis=(1, 2))
    assert np.sum(np.diff(rows.astype(int)) == 1) == 2
    assert not text[:, 0].any()


def test_a_wide_grid_is_not_enlarged(tmp_path):
    path = str(tmp_path / "grid.png")
    plots.save_image_grid(path, np.zeros([1, 2, 600, 1]), bins=2)
    assert matplotlib.image.imread(path).shape[:2] == (4, 602)


def test_a_saved_curve_is_a_picture(tmp_path):
    path = str(tmp_path / "curve.png")
    plots.save_curve(path, CURVE)
    picture = matplotlib.image.imread(path)
    assert picture.shape == (480, 840, 4)
    assert picture[..., :3].std() > 0.01
    assert os.listdir(tmp_path) == ["curve.png"]


def test_the_best_epoch_is_named(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(
        matplotlib.figure.Figure,
        "savefig",
        lambda self, *args, **kwargs: figures.append(self),
    )
    plots.save_curve(
        str(tmp_path / "curve.png"), CURVE, "a run", {"near": 3.9, "far": 9.0}
    )
    (axes,) = figures[0].axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == [
        "training, current weights",
        "validation, averaged weights",
        "best validation: 3.500",
        "near: 3.900",
        "far: 9.000, above the axes",
    ]
    assert axes.get_title() == "a run"
    (minute,), (bits,) = axes.lines[2].get_data()
    assert (minute, bits) == (1.0, 3.5)
    low, high = axes.get_ylim()
    assert low < 2.5
    assert 3.9 < high < 6.0


@pytest.mark.parametrize("train", [1.0, 2.0, 3.0])
def test_a_curve_of_one_epoch_can_be_drawn(tmp_path, train):
    history = {
        "seconds": [1.0],
        "bits_per_dim": [train],
        "val_bits_per_dim": [2.0],
    }
    path = str(tmp_path / "curve.png")
    plots.save_curve(path, history)
    assert matplotlib.image.imread(path).shape == (480, 840, 4)
