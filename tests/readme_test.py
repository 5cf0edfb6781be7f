# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs the examples of README and of the other pages, and checks links."""

import functools
import pathlib
import re
import runpy

import numpy as np
import pytest

import tfp_glow as tfg
from tfp_glow.train import cli
from tfp_glow.train import commands

ROOT = pathlib.Path(__file__).parents[1]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
}
EXAMPLES = [
    pytest.param(example, id=f"{page}-{number}")
    for page, text in PAGES.items()
    for number, example in enumerate(
        re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    )
]
# Sizes at which an example runs in seconds.
SMALLER = {
    "num_classes=10)": "num_classes=10, num_steps=1, num_filters=8)",
    "GlowModel([8, 8, 3])": "GlowModel([8, 8, 3], num_steps=1, num_filters=8)",
    "epochs=20": "epochs=1",
    "epochs=40": "epochs=2",
}
MAX_README_LINES = 200
MAX_PICTURE_BYTES = 300_000
MAX_SVG_BYTES = 100_000


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs(example, tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    # An example adds a command, which must not stay.
    monkeypatch.setattr(cli, "COMMANDS", dict(cli.COMMANDS))
    monkeypatch.setattr(commands, "count", None, raising=False)
    for size, smaller in SMALLER.items():
        example = example.replace(size, smaller)
    exec(compile(example, request.node.name, "exec"), {})


def test_the_examples_are_found_and_made_smaller():
    examples = [
        example for parameter in EXAMPLES for example in parameter.values
    ]
    assert len(examples) >= 3
    assert all(any(size in e for e in examples) for size in SMALLER)


@pytest.mark.parametrize("page", PAGES)
def test_names_exist(page):
    for name in set(re.findall(r"\btfg\.(\w+(?:\.\w+)*)", PAGES[page])):
        functools.reduce(getattr, name.split("."), tfg)


def test_readme_is_a_front_door():
    assert len(PAGES["README.md"].splitlines()) <= MAX_README_LINES


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings(page):
    for link in re.findall(r"\]\((?!https?:)([^)]*)\)", PAGES[page]):
        name, _, anchor = link.partition("#")
        path = ((ROOT / page).parent / name).resolve() if name else ROOT / page
        assert path.is_file(), link
        headings = re.findall(r"^#+ (.*)$", path.read_text("latin-1"), re.M)
        anchors = {
            re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
            for heading in headings
        }
        assert not anchor or anchor in anchors, link


def test_pictures_are_shown_and_small():
    shown = {
        ((ROOT / page).parent / link).resolve()
        for page, text in PAGES.items()
        for link in re.findall(r"!\[.*?\]\((.*?)\)", text)
    }
    pictures = {
        path
        for path in (ROOT / "docs").rglob("*")
        if path.suffix in (".png", ".svg")
    }
    assert pictures and pictures == shown
    sizes = {path.name: path.stat().st_size for path in pictures}
    assert max(sizes.values()) < MAX_PICTURE_BYTES, sizes


def test_the_picture_of_readme_can_be_drawn(tmp_path):
    model = tfg.GlowModel(
        [8, 8, 1],
        num_levels=1,
        num_steps=1,
        num_filters=4,
        num_classes=10,
        bins=17,
    )
    model.initialize(np.zeros([2, 8, 8, 1], np.int32), np.zeros(2, np.int32))
    draw = runpy.run_path(str(ROOT / "docs" / "morph.py"))["draw"]
    draw(model, tmp_path / "digits.png")
    assert (tmp_path / "digits.png").stat().st_size > 0


def test_the_architecture_can_be_drawn(tmp_path):
    draw = runpy.run_path(str(ROOT / "docs" / "architecture.py"))["draw"]
    for name in ("a.svg", "b.svg"):
        draw(tmp_path / name)
    drawn = (tmp_path / "a.svg").read_bytes()
    assert drawn == (tmp_path / "b.svg").read_bytes()
    assert len(drawn) < MAX_SVG_BYTES
    assert (ROOT / "docs" / "architecture.svg").stat().st_size < MAX_SVG_BYTES


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    text = "\n".join(PAGES.values())
    targets = set(re.findall(r"(?:^|`)make ([a-z-]+)\b", text, re.MULTILINE))
    defined = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert {"demo", "test", "test-all", "benchmark"} <= targets <= defined
