# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs README's examples, and looks for what it points to."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
# Sizes at which an example runs in seconds.
SMALLER = {
    "num_steps=8": "num_steps=1",
    "epochs=20": "epochs=1",
    "epochs=40": "epochs=2",
}


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_runs(number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example = EXAMPLES[number]
    for size, smaller in SMALLER.items():
        example = example.replace(size, smaller)
    exec(compile(example, f"README example {number}", "exec"), {})


def test_the_examples_are_found_and_made_smaller():
    assert len(EXAMPLES) == 3
    assert all(any(size in e for e in EXAMPLES) for size in SMALLER)


def test_pictures_exist():
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", README)
    assert pictures
    assert all((ROOT / picture).is_file() for picture in pictures)


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"\bmake ([a-z]+)\b", README))
    assert {"demo", "test", "benchmark"} <= targets
    assert all(
        re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets
    )
