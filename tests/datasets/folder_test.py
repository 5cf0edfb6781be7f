# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of which files of a folder are used, with which splits and labels."""

import os

import numpy as np
import PIL.Image
import pytest

from tests.datasets import photographs
from tests.datasets import support
from tfp_glow import datasets
from tfp_glow.datasets import folder

SPLITS = ("train", "validation", "test")


def test_a_flat_folder_is_divided(tmp_path, capsys):
    support.save_images(tmp_path, [(4, 4, 3)] * 40)
    (tmp_path / "notes.txt").write_text("not an image")
    parts = [support.values(datasets.load(tmp_path, split)) for split in SPLITS]
    assert [len(part) for part in parts] == [32, 4, 4]
    assert sorted(i for part in parts for i in part) == list(range(40))
    again = [
        support.values(datasets.load(str(tmp_path), split)) for split in SPLITS
    ]
    assert again[1:] == parts[1:]
    info = datasets.info(tmp_path)
    assert info.image_shape == (4, 4, 3)
    assert info.num_examples == {"train": 32, "validation": 4, "test": 4}
    assert capsys.readouterr().out == (
        f"{tmp_path}: 40 image files found, 40 used.\n"
    )


def test_photographs_of_all_kinds_are_used(tmp_path, capsys):
    photographs.make_folder(tmp_path)
    info = datasets.info(tmp_path, image_size=16)
    assert info.image_shape == (16, 16, 3)
    assert info.num_classes is None
    assert info.num_examples == {"train": 48, "validation": 5, "test": 5}
    batches = [
        datasets.load(tmp_path, split, batch_size=64, image_size=16)
        for split in SPLITS
    ]
    printed = capsys.readouterr().out.splitlines()
    found, converted, resized, few = printed
    assert "60 image files found, 58 used, 2 skipped: 'notes.png' " in found
    assert "(not an image), 'phone/IMG_0006.jpg' (damaged: " in found
    assert {
        "6 turned upright by EXIF",
        "4 composited on white (alpha)",
        "4 scaled from 16 bits",
        "1 made RGB from CMYK",
        "1 reduced to the first frame",
        "7 made RGB from gray",
    } == set(converted[len(f"{tmp_path}: ") : -1].split(", "))
    assert resized.endswith(
        "images of different sizes become 16x16 (the central part of these "
        "proportions, resized)."
    )
    assert "batches of 48 images instead of 64" in few
    for batch, size in zip(batches, (48, 5, 5)):
        (images,) = batch
        assert images.shape == (size, 16, 16, 3)
        assert np.std(images, axis=(1, 2, 3)).min() > 0
    assert capsys.readouterr().out == ""


def test_a_folder_may_have_a_folder_per_split(tmp_path):
    for split, size in zip(SPLITS, (5, 2, 1)):
        support.save_images(tmp_path / split, [(4, 4, 1)] * size)
    info = datasets.info(str(tmp_path))
    assert info.num_examples == {"train": 5, "validation": 2, "test": 1}
    assert support.values(datasets.load(tmp_path, "validation")) == [0, 1]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"train": 20}, [16, 2, 2]),
        ({"train": 20, "val": 3}, [18, 3, 2]),
        ({"Train": 20, "Test": 3}, [18, 2, 3]),
        ({"test": 2}, [None, None, 2]),
    ],
)
def test_missing_splits_are_tenths_of_train(tmp_path, capsys, given, expected):
    support.save_images(tmp_path, [(4, 4, 3)] * 3)
    for name, size in given.items():
        support.save_images(tmp_path / name, [(4, 4, 3)] * size)
    sizes = datasets.info(tmp_path).num_examples
    assert [sizes.get(split) for split in SPLITS] == expected
    assert "'000.png' (not in the folder of a split)" in capsys.readouterr().out
    if "train" in sizes:
        taken = {"val": "validation", "test": "test"}
        for name in map(str.lower, given):
            taken.pop(name, None)
        values = [
            value
            for split in ("train", *taken.values())
            for value in support.values(datasets.load(tmp_path, split))
        ]
        assert sorted(values) == list(range(20))


def test_folders_are_classes(tmp_path, capsys):
    for label, name in enumerate(("cat", "dog", "owl")):
        support.save_images(
            tmp_path / name / "more", [(4, 4, 1)] * 7, first=10 * label
        )
    info = datasets.info(tmp_path)
    assert info.num_classes == 3
    assert "3 classes by subfolder: 0 'cat', 1 'dog', 2 'owl'." in (
        capsys.readouterr().out
    )
    seen = 0
    for split in SPLITS:
        for x, y in datasets.load(tmp_path, split, as_supervised=True):
            assert int(x[0, 0, 0]) // 10 == int(y)
            seen += 1
    assert seen == 21


def test_classes_of_splits_are_the_same(tmp_path):
    for split, names in {"train": "abc", "val": "bc", "test": "c"}.items():
        for name in names:
            support.save_images(
                tmp_path / split / name, [(4, 4, 1)], first="abc".index(name)
            )
    assert datasets.info(tmp_path).num_classes == 3
    for split in SPLITS:
        for x, y in datasets.load(tmp_path, split, as_supervised=True):
            assert int(x[0, 0, 0]) == int(y)


def test_folders_beside_images_are_not_classes(tmp_path):
    for path in (tmp_path, tmp_path / "a", tmp_path / "b"):
        support.save_images(path, [(4, 4, 1)] * 2)
    assert datasets.info(tmp_path).num_classes is None
    with pytest.raises(ValueError, match="has no labels"):
        datasets.load(tmp_path, as_supervised=True)


def test_without_an_image_size_images_of_many_sizes_become_64x64(
    tmp_path, capsys
):
    support.save_images(tmp_path, [(4, 4, 3), (6, 5, 3), (4, 4, 3)])
    assert datasets.info(tmp_path).image_shape == (64, 64, 3)
    assert next(iter(datasets.load(tmp_path))).shape == (64, 64, 3)
    assert "images of different sizes become 64x64" in capsys.readouterr().out


@pytest.mark.parametrize("size", [256, 257])
def test_without_an_image_size_large_images_become_64x64(tmp_path, size):
    support.save_images(tmp_path, [(4, size, 1)] * 3)
    expected = (4, 256, 1) if size == 256 else (64, 64, 1)
    assert datasets.info(tmp_path).image_shape == expected


@pytest.mark.parametrize("kind", ["nothing", "text", "two", "train"])
def test_a_folder_without_enough_images_is_an_error(tmp_path, kind):
    expected = "none that can be used: 0 image files found"
    if kind == "text":
        expected = r"2 image files found, 0 used, 2 skipped: '0.png' \(not an"
        for i in range(2):
            (tmp_path / f"{i}.png").write_text("text")
    elif kind == "two":
        support.save_images(tmp_path, [(4, 4, 3)] * 2)
        expected = "at least 3 images to divide .*there are 2"
    elif kind == "train":
        (tmp_path / "train").mkdir()
    with pytest.raises(ValueError, match=expected):
        datasets.load(tmp_path)


def _damage(path, kind):
    whole = (path / "000.png").read_bytes()
    broken = path / "broken.png"
    if kind in ("dangling", "loop", "device"):
        targets = {"dangling": "no", "loop": broken, "device": "/dev/zero"}
        broken.symlink_to(targets[kind])
    elif kind == "pipe":
        os.mkfifo(broken)
    elif kind == "huge":
        (path / "broken.ppm").write_bytes(b"P6 20000 20000 255 ...")
    elif kind == "floats":
        PIL.Image.new("F", (4, 4)).save(path / "broken.tiff")
    elif kind.startswith("half a "):
        broken = path / f"broken.{kind.split()[-1]}"
        PIL.Image.effect_noise((64, 64), 50).save(broken)
        content = broken.read_bytes()
        broken.write_bytes(content[: len(content) // 2])
    elif kind == "heic":
        (path / "broken.heic").write_bytes(b"no picture")
    else:
        pixels = whole.index(b"IDAT") + 6
        contents = {
            "empty": b"",
            "text": b"text",
            "bits": whole[:pixels] + b"\xff\xff" + whole[pixels + 2 :],
        }
        broken.write_bytes(contents[kind])


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("empty", "empty file"),
        ("text", "not an image"),
        ("half a png", "damaged: "),
        ("half a jpeg", "damaged: image file is truncated"),
        ("half a gif", "damaged: "),
        ("half a bmp", "damaged: "),
        ("half a tiff", "damaged: "),
        ("half a webp", "damaged: "),
        ("bits", "damaged: "),
        ("dangling", "broken link: no such file"),
        ("loop", "broken link: too many levels"),
        ("device", "not a regular file"),
        ("pipe", "not a regular file"),
        ("huge", "more than 89,478,485 pixels"),
        ("floats", "mode F instead of 8 or 16 bits"),
        ("heic", "Pillow cannot read HEIC"),
    ],
)
def test_an_unusable_file_is_skipped_by_name(tmp_path, capsys, kind, reason):
    support.save_images(tmp_path, [(4, 4, 3)] * 5)
    _damage(tmp_path, kind)
    info = datasets.info(tmp_path)
    assert sum(info.num_examples.values()) == 5
    found, *rest = capsys.readouterr().out.splitlines()
    assert "6 image files found, 5 used, 1 skipped: 'broken." in found
    assert f"({reason}" in found
    assert not rest


def test_five_of_many_skipped_files_are_named(tmp_path, capsys):
    support.save_images(tmp_path, [(4, 4, 3)] * 3)
    for i in range(7):
        (tmp_path / f"x{i}.png").write_text("text")
    datasets.info(tmp_path)
    printed = capsys.readouterr().out
    assert "7 skipped: 'x0.png' (not an image), " in printed
    assert printed.endswith("'x4.png' (not an image), and 2 more.\n")


def test_an_unreadable_folder_is_named(tmp_path, capsys, monkeypatch):
    for name in ("a", "b", "c"):
        support.save_images(tmp_path / name, [(4, 4, 3)] * 2)
    scandir = os.scandir

    def deny(path):
        if str(path).endswith("b"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", deny)
    assert sum(datasets.info(tmp_path).num_examples.values()) == 4
    assert "4 used, 1 skipped: 'b' (permission denied)" in (
        capsys.readouterr().out
    )


def test_links_to_folders_are_followed_once(tmp_path):
    support.save_images(tmp_path / "all" / "real", [(4, 4, 3)] * 3)
    support.save_images(tmp_path / "elsewhere", [(4, 4, 3)] * 2)
    (tmp_path / "all" / "real" / "loop").symlink_to(tmp_path / "all")
    (tmp_path / "all" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "all" / "again").symlink_to(tmp_path / "elsewhere")
    assert sum(datasets.info(tmp_path / "all").num_examples.values()) == 5


def test_an_image_that_breaks_later_is_replaced(tmp_path, capsys):
    support.save_images(tmp_path, [(4, 4, 1)] * 40)
    expected = support.values(datasets.load(tmp_path, "test"))
    dataset = datasets.load(tmp_path, "test")
    (tmp_path / f"{expected[1]:03}.png").write_text("text")
    expected[1] = expected[2]
    capsys.readouterr()
    assert support.values(dataset) == expected
    assert "Another image replaces one." in capsys.readouterr().out


def test_all_images_of_a_split_are_read_once(tmp_path):
    support.save_images(tmp_path, [(2, 2, 1)] * 20)
    for split in SPLITS:
        dataset = datasets.load(tmp_path, split, seed=0)
        before = sorted(support.values(dataset))
        renamed = [file.rename(f"{file}.old") for file in tmp_path.iterdir()]
        assert sorted(support.values(dataset)) == before
        for file in renamed:
            file.rename(str(file).removesuffix(".old"))


def test_slow_decoding_shows_how_far_it_is(tmp_path, capsys, monkeypatch):
    support.save_images(tmp_path, [(2, 2, 1)] * 5)
    monkeypatch.setattr(folder, "_SECONDS", 0.0)
    dataset = datasets.load(tmp_path)
    capsys.readouterr()
    for _ in range(2):
        support.values(dataset)
    lines = [f"{tmp_path}: {i} of 3 images decoded." for i in (1, 2)]
    assert sorted(capsys.readouterr().out.splitlines()) == lines


def test_a_file_without_permission_is_skipped(tmp_path, capsys, monkeypatch):
    support.save_images(tmp_path, [(2, 2, 1)] * 5)
    open_image = PIL.Image.open

    def deny(path, **options):
        if str(path).endswith("3.png"):
            raise PermissionError(13, "Permission denied", str(path))
        return open_image(path, **options)

    monkeypatch.setattr(PIL.Image, "open", deny)
    assert sum(datasets.info(tmp_path).num_examples.values()) == 4
    assert "'003.png' (permission denied)" in capsys.readouterr().out


def test_headers_are_read_once(tmp_path, monkeypatch):
    support.save_images(tmp_path, [(2, 2, 1)] * 5)
    datasets.info(tmp_path)
    monkeypatch.setattr(PIL.Image, "open", None)
    assert datasets.info(tmp_path).image_shape == (2, 2, 1)
