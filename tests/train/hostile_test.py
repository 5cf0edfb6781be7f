# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Wrong and hostile uses of the command line, and what they print.

Every use ends with status 1 or 2 and one or two lines, and loses no file. One
use of each kind runs in `make test`, all of them in `make test-all`.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import zipfile

import keras
import numpy as np
import pytest

import tfp_glow as tfg
from tests import processes
from tfp_glow.models import recipe
from tfp_glow.train import cli
from tfp_glow.train import run_folder
from tfp_glow.train.settings import Settings

NEW = "train --out=new --dataset=images.npz --num_steps=1"
RESUME = "train --out=run --epochs=3"
SAMPLE = "sample --run=run"

# A use is typed, and a part of its message follows.
FLAG_VALUES = [
    (f"{NEW} --max_minutes=0", "`max_minutes`. Expected a positive number"),
    (f"{NEW} --max_minutes=-1", "`max_minutes`. Expected a positive number"),
    (f"{NEW} --max_minutes=nan", "`max_minutes`. Expected a positive number"),
    (f"{NEW} --max_minutes=inf", "`max_minutes`. Expected a positive number"),
    (f"{NEW} --patience=-1", "`patience`. Expected an integer from 0"),
    (f"{NEW} --warmup_steps=1e12", "--warmup_steps=1e12"),
    (f"{NEW} --warmup_steps=1000000000000", "from 0 to 4294967295"),
    (f"{NEW} --seed=1000000000000000000000", "from 0 to 4294967295"),
    (f"{NEW} --seed=-1", "`seed`. Expected an integer from 0"),
    (f"{NEW} --learning_rate=inf", "`learning_rate`"),
    (f"{NEW} --learning_rate=1e300", "`learning_rate`"),
    (f"{NEW} --learning_rate=-1", "`learning_rate`"),
    (f"{NEW} --num_noise_samples=100000", "an integer from 1 to 1000"),
    (f"{NEW} --ema=1", "`ema`. Expected a number in [0, 1.0)"),
    (f"{NEW} --beta_2=2", "`beta_2`. Expected a number in [0, 1.0)"),
    (f"{NEW} --batch_size=0", "`batch_size`. Expected an integer from 1"),
    (f"{NEW} --bins=3", "divisors of the 256"),
    (f"{NEW} --num_levels=9", "2**num_levels=512"),
    (f"{NEW} --num_levels=1000000000", "`image_shape`"),
    (f"{NEW} --num_steps=1000000000", "GiB, the memory of this machine"),
    (f"{NEW} --num_filters=1000000000", "GiB, the memory of this machine"),
    (f"{NEW} --num_steps={'9' * 5000}", "--num_steps=999"),
    (f"{NEW} --conditional", "which has no labels"),
    (f"{NEW} --coupling=afine", "--coupling=afine"),
    (f"{NEW} --dataset=digit", "Did you mean 'digits'"),
    (f"{NEW} --preset=photo-patch", "Did you mean 'photo_patches'"),
    (f"{NEW} --preset=cifar10 --config=x", "not both"),
    (f"{NEW} --config=no.json", "no.json"),
    (f"{NEW} --epoch=3", "epoch"),
    (f"{NEW} digits", "flags only. Received: 'digits'"),
    ("train --out=", "Expected a value for --out"),
    (f"{RESUME} --num_steps=2", "num_steps=1 there, 2 here"),
    (f"{RESUME} --preset=cifar10", "image_size=None there, 32 here"),
    (f"{SAMPLE} --num=0", "`num`. Expected a positive integer"),
    (f"{SAMPLE} --num=10000000", "250 million pixels and take 7 GiB"),
    (f"{SAMPLE} --temperature=inf", "`temperature`"),
    (f"{SAMPLE} --temperature=nan", "`temperature`"),
    (f"{SAMPLE} --temperature=1e38", "not finite"),
    (f"{SAMPLE} --seed=-1", "`seed`. Expected a non-negative integer"),
    (f"{SAMPLE} --label=3", "the run is not conditional"),
    ("evaluate --run=run --num_draws=0", "`num_draws`"),
    ("evaluate --run=run --num_noise_samples=0", "samples=0"),
    ("evaluate --run=run --split=all", "--split=all"),
    ("trian --out=new", "Did you mean 'train'"),
]
FOLDERS = [
    (f"{NEW} --out=images.npz", "a folder that can be written"),
    (f"{NEW} --out=images.npz/new", "a folder that can be written"),
    (f"{NEW} --out=/proc/new", "a folder that can be written"),
    (f"{NEW} --out={'n' * 300}", "a folder that can be written"),
    (f"{NEW} --out=.", "which holds other files"),
    (f"{NEW} --out=gs://bucket/new", "a local path"),
    (f"{SAMPLE} --out=x.exe", "ends in .png"),
    (f"{SAMPLE} --out=none/x.png", "in a folder that exists"),
    (f"{SAMPLE} --out=run", "ends in .png"),
    ("reconstruct --run=run --out=images.npz", "ends in .png"),
    ("evaluate --run=.", "no config.json"),
    ("sample --run=none", "no config.json"),
    ("reconstruct --run=images.npz", "no config.json"),
    ("export --run=.", "no config.json"),
    ("export --run=run --out=run", "exists already"),
    ("export --run=run --out=none/new", "none/"),
]
# The uses below follow damage to the files of the run.


def settings(**changes):
    """Changes settings in `config.json`, or removes those that are `None`."""

    def damage():
        path = pathlib.Path("run/config.json")
        config = json.loads(path.read_text())
        values = config["settings"] | changes
        config["settings"] = {k: v for k, v in values.items() if v is not None}
        path.write_text(json.dumps(config))

    return damage


def replaced(name, old, new):
    """Replaces text in a file."""

    def damage():
        path = pathlib.Path("run", name)
        text = path.read_bytes()
        assert old in text
        path.write_bytes(text.replace(old, new, 1))

    return damage


def written(name, content):
    """Writes a file."""
    return lambda: pathlib.Path("run", name).write_bytes(content)


def archived(part, edit, name="model.keras"):
    """Edits a part of a model file, or removes it with `None`."""

    def damage():
        with zipfile.ZipFile(f"run/{name}") as archive:
            parts = {n: archive.read(n) for n in archive.namelist()}
        if edit is None:
            del parts[part]
        else:
            parts[part] = edit(parts[part])
        with zipfile.ZipFile(f"run/{name}", "w") as archive:
            for n, content in parts.items():
                archive.writestr(n, content)

    return damage


def configured(**changes):
    """Changes arguments of the model in its file."""

    def edit(content):
        config = json.loads(content)
        config["config"].update(changes)
        return json.dumps(config).encode()

    return archived("config.json", edit)


def truncated(name, share=0.5):
    def damage():
        content = pathlib.Path("run", name).read_bytes()
        size = int(share * len(content))
        pathlib.Path("run", name).write_bytes(content[:size])

    return damage


def not_finite():
    path = "run/model.keras"
    model = keras.models.load_model(path)
    model.trainable_variables[0].assign(
        np.nan * model.trainable_variables[0].numpy()
    )
    model.save(path)


def another_model():
    layers = [keras.Input([3]), keras.layers.Dense(2)]
    keras.Sequential(layers).save("run/model.keras")


def other_data():
    os.remove("images.npz")
    np.savez("images.npz", images=np.zeros([80, 8, 8], np.uint8))


CONFIGS = [
    (
        settings(flip="no"),
        RESUME,
        "line 1: Invalid value received for argument `flip`",
    ),
    (settings(bins=16), SAMPLE, "Expected bins=16, which config.json"),
    (settings(bins=16), RESUME, "Expected bins=16, which config.json"),
    (settings(dataset=None), "evaluate --run=run", "`dataset`"),
    (settings(dataset=5), "evaluate --run=run", "`dataset`"),
    (settings(num_steps="4"), SAMPLE, "`num_steps`. Expected an integer"),
    (settings(color=1), SAMPLE, "Received: settings='color'"),
    (settings(dataset="gone"), "evaluate --run=run", "gone"),
    (written("config.json", b""), SAMPLE, "line 1 column 1"),
    (written("config.json", b"[" * 99_999), SAMPLE, "RecursionError"),
    (written("config.json", b"\xff\xfe"), SAMPLE, "can't decode byte"),
    (written("config.json", b"\0" * 9), SAMPLE, "run/config.json"),
    (other_data, "evaluate --run=run", "Received: (8, 8, 8, 1)"),
    (written("c.json", b"{}"), f"{NEW} --config=run/c.json", "run/c.json"),
]
METRICS = [
    (
        replaced("metrics.csv", b"4.25", b"good"),
        RESUME,
        "line 2: Expected a fin",
    ),
    (
        replaced("metrics.csv", b"4.25", b"nan"),
        RESUME,
        "line 2: Expected a fin",
    ),
    (
        replaced("metrics.csv", b"step", b"stop"),
        RESUME,
        "line 1: Expected a co",
    ),
    (
        replaced("metrics.csv", b"\n1,", b"\n0,"),
        RESUME,
        "line 3: Expected 1 in",
    ),
    (written("metrics.csv", b""), RESUME, "a row of step 8"),
    (written("metrics.csv", b"\xff\n" * 9), RESUME, "can't decode byte"),
]
ARCHIVES = [
    (archived("config.json", None), SAMPLE, "no item named 'config.json'"),
    (archived("model.weights.h5", None), SAMPLE, "model.weights.h5"),
    (archived("config.json", lambda _: b"{"), SAMPLE, "JSONDecodeError"),
    (archived("config.json", lambda _: b"[1]"), SAMPLE, "run/model.keras"),
    (archived("config.json", lambda _: b"[" * 99_999), SAMPLE, "RecursionErr"),
    (archived("model.weights.h5", lambda _: b"x" * 99), SAMPLE, "signature"),
    (archived("config.json", None, "last.keras"), RESUME, "run/last.keras"),
    (configured(num_steps="many"), SAMPLE, "`num_steps`. Expected a positive"),
    (configured(num_steps=2), SAMPLE, "another distribution"),
    (configured(num_steps=10**9), SAMPLE, "GiB, the memory of this machine"),
    (configured(num_filters=10**9), SAMPLE, "GiB, the memory of this machine"),
    (configured(num_classes=10**9), SAMPLE, "GiB, the memory of this machine"),
    (configured(num_levels=10**9), SAMPLE, "`image_shape`"),
    (configured(image_shape=[2**20, 2**20, 3]), SAMPLE, "GiB, the memory of"),
    (configured(image_shape=None), SAMPLE, "`image_shape`"),
    (configured(other=2), SAMPLE, "'other'"),
    (configured(format_version=2), SAMPLE, "a later version"),
    (another_model, SAMPLE, "Expected a GlowModel"),
    (not_finite, SAMPLE, "Expected finite weights"),
    (not_finite, "evaluate --run=run", "Expected finite weights"),
    (truncated("model.keras"), SAMPLE, "damaged or truncated"),
    (truncated("model.keras", 0.0), "export --run=run", "damaged or truncated"),
    (truncated("last.keras", 0.9), RESUME, "damaged or truncated"),
    (lambda: os.remove("run/model.keras"), SAMPLE, "Found no file"),
]
KINDS = {
    "flag": [(None, *use) for use in FLAG_VALUES],
    "folder": [(None, *use) for use in FOLDERS],
    "config": CONFIGS,
    "metrics": METRICS,
    "archive": ARCHIVES,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder of data and a run of two epochs, made without training."""
    folder = tmp_path_factory.mktemp("whole")
    images = np.random.default_rng(0).integers(0, 256, [80, 4, 4])
    np.savez(folder / "images.npz", images=images)
    given = Settings(folder / "images.npz", num_steps=1, num_filters=4)
    info = given.data_info()
    given = given.completed(info)
    run = run_folder.RunFolder(folder / "run")
    with run.lock():
        run.prepare(given, info, [])
    columns = "epoch,bits_per_dim,seconds,step,val_bits_per_dim"
    rows = f"{columns}\n0,4.5,1.5,4,4.25\n1,4.25,3.0,8,4.125\n"
    pathlib.Path(run.file("metrics.csv")).write_text(rows)
    model = given.make_model(info)
    model.compile(recipe.make_optimizer())
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(8)
    for name in ("model.keras", "last.keras"):
        model.save(run.file(name))
    return folder


@pytest.fixture
def folder(whole, tmp_path, monkeypatch):
    """A copy, to be changed, as the working directory."""
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "run" / "config.json"
    path.write_text(path.read_text().replace(str(whole), str(tmp_path)))
    return tmp_path


def files(folder):
    return {
        path: path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


USES = [
    pytest.param(*use, marks=pytest.mark.slow if i else (), id=f"{kind}_{i}")
    for kind, uses in KINDS.items()
    for i, use in enumerate(uses)
]


@pytest.mark.parametrize(("damage", "typed", "message"), USES)
def test_a_wrong_use_prints_a_line_and_loses_nothing(
    folder, capsys, monkeypatch, damage, typed, message
):
    def fail(*args, **kwargs):
        raise AssertionError("trained")

    monkeypatch.setattr(tfg.FlowModel, "fit", fail)
    if damage is not None:
        damage()
    capsys.readouterr()
    before = files(folder)
    assert cli.main(typed.split()) in (1, 2)
    captured = capsys.readouterr()
    told = captured.err.split("\n\n")[0]  # A usage may follow.
    assert captured.out == ""
    assert message in told
    assert len(told.splitlines()) <= 2
    assert "Traceback" not in told
    assert files(folder) == before


# Two trainings, and signals.


def test_a_second_training_is_refused_before_anything_is_written(
    folder, capsys
):
    with run_folder.RunFolder("run").lock():
        before = files(folder)
        assert cli.main(RESUME.split()) == 1
        assert files(folder) == before
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert f"{folder}/run, in use by process {os.getpid()} on" in line


def has_begun(run, moment):
    """Whether a training has reached the moment at which Ctrl-C is pressed."""
    if moment == "importing":
        return True
    if moment == "tracing":
        return (run / "config.json").exists()
    if moment == "training":
        return (run / "last.keras").exists()
    return bool(list(run.glob(".writing-*-last.keras")))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "delay"),
    [
        ("importing", 1.0),
        ("importing", 3.0),
        ("tracing", 0.0),
        ("tracing", 2.0),
        ("training", 0.0),
        ("writing", 0.0),
    ],
)
def test_ctrl_c_ends_a_training_whenever_it_comes(folder, moment, delay):
    run = folder / "run"
    shutil.rmtree(run)
    flags = "--out=run --num_filters=4 --batch_size=16 --epochs=1000"
    process = subprocess.Popen(
        [sys.executable, "-m", "tfp_glow", *NEW.split(), *flags.split()],
        env={**os.environ, "PYTHONPATH": str(processes.ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not has_begun(run, moment):
        time.sleep(0.001)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=processes.TIMEOUT)
    assert process.returncode == 130, told
    assert "Traceback" not in told
    assert told.splitlines()[-1].startswith("Interrupted. The files")
    assert told.count("Interrupted") == 1
    if moment == "importing":
        # Within three seconds a fast machine may have begun to train.
        assert delay > 1.0 or not run.exists()
        if not run.exists():
            return
    # The folder can be resumed: its files are whole and the lock is free.
    found = run_folder.RunFolder(run)
    with found.lock():
        assert found.settings.epochs == 1000
        if found.has("last.keras"):
            found.last()
    assert moment != "training" or found.has("last.keras")
