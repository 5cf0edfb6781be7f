# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Builds a wheel, installs it as the notebooks do, and draws from a model of it."""

import importlib.util
import os
import pathlib
import subprocess
import sys
import tarfile
import zipfile

import pytest

from tests import install_cell

_ROOT = pathlib.Path(__file__).parents[1]
_USE = """
import pathlib, sys
import tfp_glow as tfg
assert pathlib.Path(tfg.__file__).is_relative_to(sys.argv[1]), tfg.__file__
model = tfg.GlowModel.from_preset("digits")
assert model.sample(2, seed=0).shape == (2, 8, 8, 1)
"""


@pytest.mark.slow
def test_a_wheel_made_from_the_sdist_has_all_files_and_works(
    tmp_path, monkeypatch
):
    if not importlib.util.find_spec("build"):
        pytest.skip("build is not installed")
    python = [sys.executable, "-m"]
    # The wheel is made from the sdist, in a folder without the repository.
    subprocess.run(
        [*python, "build", "--no-isolation", f"--outdir={tmp_path}", _ROOT],
        check=True,
        capture_output=True,
    )
    [wheel], [sdist] = tmp_path.glob("*.whl"), tmp_path.glob("*.tar.gz")
    packaged = {
        path.relative_to(_ROOT).as_posix()
        for path in (_ROOT / "tfp_glow").rglob("*")
        if path.is_file() and path.suffix != ".pyc" and path.name != "BUILD"
    }
    with zipfile.ZipFile(wheel) as archive:
        names = {n for n in archive.namelist() if ".dist-info/" not in n}
        assert names == packaged
        assert any(name.endswith("LICENSE") for name in archive.namelist())
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        assert packaged | {"setup.py", "pyproject.toml", "LICENSE"} <= names
    installed = tmp_path / "installed"
    monkeypatch.setenv("PIP_TARGET", str(installed))
    monkeypatch.setenv("PIP_NO_DEPS", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    install_cell.run(str(wheel), monkeypatch)
    subprocess.run(
        [sys.executable, "-c", _USE, installed],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        check=True,
    )
