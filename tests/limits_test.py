# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests that the code stays short to follow: frames, files, classes, options."""

import ast
import inspect
import pathlib
import sys

import keras
import numpy as np
import pytest

import tfp_glow as tfg

_PACKAGE = pathlib.Path(tfg.__file__).parent
_SOURCES = sorted(_PACKAGE.rglob("*.py"))


def test_few_own_frames_lie_between_log_prob_and_the_arithmetic():
    model = tfg.GlowModel(
        [8, 8, 3], num_levels=2, num_steps=2, num_filters=8, seed=0
    )
    images = np.zeros([2, 8, 8, 3], np.uint8)
    deepest = []

    def is_own(frame):
        return frame.f_code.co_filename.startswith(str(_PACKAGE))

    def profile(frame, event, _):
        nonlocal deepest
        if event != "call" or not is_own(frame):
            return
        names = []
        while frame is not None:
            if is_own(frame):
                names.append(f"{frame.f_code.co_filename}:{frame.f_lineno}")
            frame = frame.f_back
        deepest = max(deepest, names, key=len)

    sys.setprofile(profile)
    try:
        model.log_prob(images)
    finally:
        sys.setprofile(None)
    assert 5 < len(deepest) <= 14, "\n".join(reversed(deepest))


def test_a_flow_model_overrides_few_methods_of_keras():
    overridden = {
        name
        for parent in tfg.FlowModel.__mro__
        if parent.__module__.startswith("tfp_glow")
        for name, value in vars(parent).items()
        if not name.startswith("__")
        and callable(value)
        and callable(getattr(keras.Model, name, None))
    }
    assert "call" in overridden
    assert len(overridden) <= 12, sorted(overridden)


@pytest.mark.parametrize(
    "path", _SOURCES, ids=[str(p.relative_to(_PACKAGE)) for p in _SOURCES]
)
def test_files_and_classes_are_short(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 400
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            assert node.end_lineno - node.lineno + 1 <= 350, node.name


def test_public_constructors_have_few_parameters():
    classes = [
        value
        for value in (getattr(tfg, name) for name in dir(tfg))
        if inspect.isclass(value)
    ]
    assert tfg.Glow in classes
    for value in classes:
        parameters = inspect.signature(value.__init__).parameters
        assert len(parameters) - 1 <= 16, value
