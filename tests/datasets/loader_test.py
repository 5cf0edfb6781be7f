# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the arguments of `tfp_glow.datasets.load`."""

import pathlib

import pytest

from tfp_glow import datasets


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "cifra10"}, r"`name`.*Received: name='cifra10'.*'cifar10'"),
        ({"name": "digit"}, "Did you mean 'digits'"),
        ({"name": "cifar10/big"}, r"one of \['cifar10'\].*name='cifar10/big'"),
        ({"name": "no/such/folder"}, "path of an existing folder"),
        ({"name": "ai2_arc"}, r"feature `image`.*\['answerKey'"),
        ({"split": "tests"}, r"`split`.*split='tests'.*Did you mean 'test'"),
        ({"batch_size": 0}, r"`batch_size`.*positive integer.*batch_size=0"),
        ({"bins": 5}, r"one of \[17\].*17 gray levels of 'digits'.*bins=5"),
        ({"bins": 0}, r"`bins`.*positive integer"),
        ({"image_size": 0}, r"`image_size`.*positive integer.*image_size=0"),
        ({"image_size": 10**9}, "`image_size`.*at most 67,108,864 pixels"),
        ({"image_size": (8, 8, 1)}, r"pair \(height, width\)"),
        ({"name": "photos", "image_size": 65}, "up to 64 for 'photos'"),
        ({"seed": 0.5}, r"`seed`.*an integer or None.*seed=0\.5"),
        ({"initial_epoch": 0}, "`seed`.*an integer, because `initial_epoch`"),
        ({"initial_epoch": -1, "seed": 0}, "`initial_epoch`.*from 0, or None"),
        ({"initial_epoch": 0.5, "seed": 0}, "`initial_epoch`.*=0.5"),
        ({"split": "test", "flip": True}, "`flip`.*False for split 'test'"),
        ({"crop": "centered"}, r"`crop`.*Did you mean 'center'"),
        ({"crop": "random"}, "`crop`.*'center', since the images of 'digits'"),
    ],
)
def test_invalid_arguments_are_errors(data_dir, arguments, message):
    arguments = {"name": "digits", "data_dir": data_dir, **arguments}
    with pytest.raises(ValueError, match=message):
        datasets.load(**arguments)


def test_a_training_split_below_the_batch_size_is_one_batch(numbered, capsys):
    dataset = datasets.load(numbered, batch_size=81)
    assert dataset.element_spec.shape == (80, 6, 4, 1)
    assert [len(batch) for batch in dataset] == [80]
    assert "batches of 80 images instead of 81" in capsys.readouterr().out
    assert [len(x) for x in datasets.load(numbered, "test", 81)] == [10]


def test_bins_that_do_not_divide_256_are_errors(numbered):
    with pytest.raises(
        ValueError, match=r"one of \[2, 4, 8, 16, 32, 64, 128, 256\]"
    ):
        datasets.info(numbered, bins=10)
    with pytest.raises(ValueError, match=r"bins=1$"):
        datasets.info(numbered, bins=1)


def test_a_path_that_is_no_data_set_is_an_error(tmp_path):
    (tmp_path / "photographs").mkdir()
    with pytest.raises(ValueError, match=r"Did you mean '.*/photographs'"):
        datasets.info(str(tmp_path / "fotographs"))
    (tmp_path / "x.zip").write_bytes(b"PK")
    with pytest.raises(ValueError, match="archives need to be unpacked"):
        datasets.info(tmp_path / "x.zip")


@pytest.mark.parametrize(
    "arguments",
    [{"bins": 5}, {"split": "tests"}, {"image_size": -1}, {"seed": "a"}],
)
def test_invalid_arguments_are_found_before_preparation(tmp_path, arguments):
    with pytest.raises(ValueError, match="Invalid value received"):
        datasets.load("digits", data_dir=tmp_path, **arguments)
    assert not list(pathlib.Path(tmp_path).iterdir())
