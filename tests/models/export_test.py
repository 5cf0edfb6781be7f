# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.models.export`, and of all that exports."""

import collections
import dataclasses
import errno
import json
import os
import pickle
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests import helpers
from tests import processes
from tfp_glow.models import export
from tfp_glow.train import cli
from tfp_glow.train import commands
from tfp_glow.train import run_folder
from tfp_glow.train import settings

tfb = tfp.bijectors
tfd = tfp.distributions


def glow(**kwargs):
    config = dict(num_levels=2, num_steps=2, num_filters=4, bins=17, seed=0)
    # SavedModels cannot hold this gradient, so `export` must replace it.
    config["gradient"] = "invert"
    return tfg.GlowModel([4, 4, 1], **{**config, **kwargs})


def normal(size):
    return tfd.Sample(tfd.Normal(0.0, 1.0), [size])


def real_nvp():
    """A RealNVP whose network only a closure holds."""
    network = keras.Sequential(
        [keras.layers.Dense(8, "tanh"), keras.layers.Dense(4)]
    )
    coupling = tfb.RealNVP(
        2,
        shift_and_log_scale_fn=lambda x, _: tf.split(network(x), 2, axis=-1),
    )
    return tfg.FlowModel(tfd.TransformedDistribution(normal(4), coupling))


def conditional():
    made = tfb.AutoregressiveNetwork(
        2,
        event_shape=[2],
        hidden_units=[8],
        conditional=True,
        conditional_event_shape=[3],
    )
    return tfg.FlowModel(
        tfd.TransformedDistribution(
            normal(2), tfb.MaskedAutoregressiveFlow(made, name="maf")
        ),
        conditioning_fn=lambda c: {"bijector_kwargs": {"conditional_input": c}},
        conditioning_shape=[3],
    )


def nested():
    loc = tf.Variable(0.0, name="loc")
    return tfg.FlowModel(
        tfd.JointDistributionNamed(
            {
                "b": lambda: tfd.Normal(loc, 1.0),
                "a": lambda b: normal_around(b[..., tf.newaxis] * [1.0, 2.0]),
            }
        )
    )


def normal_around(loc):
    return tfd.Independent(tfd.Normal(loc, 1.0), 1)


def integer():
    scale = tf.Variable([1.0, 0.5, 0.25], name="scale")
    flow = tfd.TransformedDistribution(normal(3), tfb.Scale(scale))
    return tfg.FlowModel(tfg.Dequantized(flow, bins=5, validate_args=True))


def floats(*shape, dtype=np.float32):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


def integers(bins, *shape):
    return np.random.default_rng(0).integers(0, bins, shape, np.int32)


IMAGES = integers(17, 6, 4, 4, 1)
PARTS = {"a": floats(5, 2), "b": floats(5)}
MODELS = {
    "glow": glow,
    "real_nvp": real_nvp,
    "conditional": conditional,
    "nested": nested,
    "integer": integer,
}
# The calls of a program without this package: a model's functions, its signatures
# if there is a dictionary, and the gradients of functions.
CALLS = {
    ("glow", "log_prob"): [(IMAGES,), (IMAGES[:1],), (IMAGES[2:5],)],
    ("glow", "sample"): [(5, 0.7, 3), (1, 0.7, 3), (5, 1.0, 4), (2, 0.0, 3)],
    ("glow", "encode"): [
        (IMAGES,),
        (IMAGES[:1].astype(np.uint8),),
        (IMAGES.astype(np.int64),),
        (IMAGES.tolist(),),
    ],
    ("glow", "decode"): [
        (floats(count, 16, dtype=np.float64),) for count in (4, 1)
    ],
    ("real_nvp", "log_prob"): [(floats(5, 4),), (floats(1, 4),)],
    ("real_nvp", "sample"): [(5, 3), (1, 4)],
    ("conditional", "log_prob"): [
        (floats(count, 2), floats(count, 3)) for count in (5, 2)
    ],
    ("conditional", "sample"): [(5, 3, floats(5, 3)), (2, 4, floats(2, 3))],
    ("nested", "log_prob"): [(PARTS,)],
    ("nested", "sample"): [(5, 3)],
    ("integer", "log_prob"): [(integers(5, 7, 3),)],
    ("integer", "sample"): [(5, 3)],
}
SIGNATURES = {
    ("glow", "log_prob"): {"images": IMAGES},
    ("glow", "sample"): {"size": 2, "temperature": 0.5, "seed": 1},
    ("conditional", "log_prob"): {
        "events": floats(5, 2),
        "conditioning": floats(5, 3),
    },
    ("nested", "serving_default"): PARTS,
    ("nested", "sample"): {"size": 2, "seed": 1},
}
# Calls that the files refuse, with a part of the message.
REFUSED = {
    "a gray level": ("encode", IMAGES + 17, "gray levels in [0, 17)"),
    "a negative": ("encode", IMAGES - 17, "gray levels in [0, 17)"),
    "its likelihood": ("log_prob", IMAGES + 17, "gray levels in [0, 17)"),
    "an overflow": ("encode", IMAGES + np.int64(2**32), "at most 32 bits"),
    "a likelihood": ("log_prob", IMAGES + np.int64(2**32), "at most 32 bits"),
    "floats": ("encode", IMAGES + 0.7, "matching concrete function"),
    "floats too": ("log_prob", IMAGES + 0.7, "matching concrete function"),
    "a shape": ("encode", IMAGES[:, :3], "matching concrete function"),
}
GRADIENTS = {
    ("glow", "decode"): floats(4, 16, dtype=np.float64),
    ("real_nvp", "log_prob"): floats(5, 4),
}

_LOAD = """
import pickle, sys

for name in ("keras", "tensorflow_probability", "tf_keras", "tfp_glow"):
    sys.modules[name] = None  # So that its import fails.
    try:
        __import__(name)
    except ImportError:
        continue
    sys.exit(f"{name} was imported")

import tensorflow as tf

folder = sys.argv[1]
with open(f"{folder}/calls", "rb") as file:
    names, calls, signatures, gradients, refused = pickle.load(file)
models = {name: tf.saved_model.load(f"{folder}/{name}") for name in names}

def gradient(function, x):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(function(x) ** 2)
    return tape.gradient(y, x)

def refusal(function, images):
    try:
        return f"Accepted: {function(images)}"
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        return str(error)

results = (
    {
        (name, function): [getattr(models[name], function)(*a) for a in args]
        for (name, function), args in calls.items()
    },
    {
        (name, function): models[name].signatures[function](
            **{key: tf.constant(value) for key, value in inputs.items()}
        )
        for (name, function), inputs in signatures.items()
    },
    {
        (name, function): gradient(getattr(models[name], function), x)
        for (name, function), x in gradients.items()
    },
)
results = [
    *tf.nest.map_structure(lambda value: value.numpy(), results),
    {
        name: refusal(getattr(models["glow"], function), images)
        for name, (function, images, _) in refused.items()
    },
]
with open(f"{folder}/results", "wb") as file:
    pickle.dump(results, file)
"""

Exported = collections.namedtuple(
    "Exported",
    [
        "folder",
        "models",
        "before",
        "calls",
        "signatures",
        "gradients",
        "refused",
        "log",
    ],
)


def state(model):
    return [v.numpy() for v in model.variables]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Models, and what another program says that their files compute."""
    folder = tmp_path_factory.mktemp("exported")
    models, before = {}, {}
    for name, make in MODELS.items():
        models[name] = helpers.perturb(make())
        before[name] = state(models[name])
        models[name].export(folder / name)
    with open(folder / "calls", "wb") as file:
        pickle.dump((list(models), CALLS, SIGNATURES, GRADIENTS, REFUSED), file)
    process = subprocess.run(
        [sys.executable, "-c", _LOAD, str(folder)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=processes.TIMEOUT,
    )
    assert process.returncode == 0, process.stderr
    with open(folder / "results", "rb") as file:
        results = pickle.load(file)
    return Exported(folder, models, before, *results, process.stderr)


def call(model, function, args):
    if function == "sample":
        if isinstance(model, tfg.GlowModel):
            size, temperature, seed, *conditioning = args
            return model.sample(size, temperature, *conditioning, seed=seed)
        size, seed, *conditioning = args
        return model.sample(size, *conditioning, seed=seed)
    return getattr(model, function)(*args)


def assert_equal(result, expected):
    """Asserts equal structures, and arrays equal up to rounding errors."""
    tf.nest.assert_same_structure(result, expected)
    for array, other in zip(tf.nest.flatten(result), tf.nest.flatten(expected)):
        assert (array.dtype, array.shape) == (other.dtype, other.shape)
        tolerance = 1e-10 if array.dtype == np.float64 else 1e-5
        np.testing.assert_allclose(array, other, tolerance, tolerance)


# Without this package.


@pytest.mark.parametrize(("name", "function"), CALLS)
def test_functions_give_the_numbers_of_the_model(exported, name, function):
    results = exported.calls[name, function]
    for args, result in zip(CALLS[name, function], results, strict=True):
        args = [np.asarray(a) if isinstance(a, list) else a for a in args]
        expected = call(exported.models[name], function, args)
        assert_equal(result, tf.nest.map_structure(np.asarray, expected))


def test_samples_depend_on_size_temperature_and_seed(exported):
    five, one, hot, cold = exported.calls["glow", "sample"]
    assert five.shape == (5, 4, 4, 1)
    assert one.shape == (1, 4, 4, 1)
    assert np.any(five != hot)
    np.testing.assert_array_equal(cold[0], cold[1])


def test_signatures_name_what_goes_in_and_what_comes_out(exported):
    models, results = exported.models, exported.signatures
    expected = {
        ("glow", "log_prob"): {"log_prob": models["glow"].log_prob(IMAGES)},
        ("glow", "sample"): {"images": models["glow"].sample(2, 0.5, seed=1)},
        ("conditional", "log_prob"): {
            "log_prob": models["conditional"].log_prob(
                *SIGNATURES["conditional", "log_prob"].values()
            )
        },
        ("nested", "serving_default"): {
            "log_prob": models["nested"].log_prob(PARTS)
        },
        ("nested", "sample"): dict(models["nested"].sample(2, seed=1)),
    }
    assert_equal(results, tf.nest.map_structure(np.asarray, expected))


@pytest.mark.parametrize(("name", "function"), GRADIENTS)
def test_gradients_are_those_of_the_model(exported, name, function):
    x = tf.constant(GRADIENTS[name, function])
    model = exported.models[name]
    with tf.GradientTape() as tape:
        tape.watch(x)
        compute = model.decode if function == "decode" else model.predict_step
        y = tf.reduce_sum(compute(x) ** 2)
    expected = tape.gradient(y, x).numpy()
    assert np.all(expected != 0)
    np.testing.assert_allclose(
        exported.gradients[name, function], expected, rtol=1e-3
    )


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_cast_silently_is_refused(exported, name):
    assert REFUSED[name][-1] in exported.refused[name]


@pytest.mark.slow
def test_labels_are_not_cut_or_wrapped(tmp_path):
    model = glow(num_levels=1, num_steps=1, num_classes=3)
    model.export(tmp_path / "flow")
    loaded = tf.saved_model.load(tmp_path / "flow")
    labels = np.array([0, 2])
    expected = model.sample(2, 0.7, labels, seed=1)
    drawn = loaded.sample(np.int64(2), np.float64(0.7), 1, labels)
    np.testing.assert_array_equal(drawn, expected)
    np.testing.assert_array_equal(loaded.sample(2, 0.7, 1, [0, 2]), expected)
    latents = np.zeros([2, 16])
    assert loaded.decode(latents, labels).shape == (2, 4, 4, 1)
    for function, *inputs in (
        (loaded.decode, latents),
        (loaded.sample, 2, 0.7, 1),
        (loaded.log_prob, IMAGES[:2]),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match="32 bits"):
            function(*inputs, labels + 2**32)
        with pytest.raises(ValueError, match="matching concrete function"):
            function(*inputs, labels + 0.5)


def test_loading_says_nothing(exported):
    for sign in ("WARNING:", "Warning", "Traceback", "gradient"):
        lines = [line for line in exported.log.splitlines() if sign in line]
        # TensorFlow's own, before its logs are set up.
        assert [line for line in lines if "InitializeLog" not in line] == []


def test_exporting_does_not_change_the_model(exported):
    for name, model in exported.models.items():
        for value, before in zip(state(model), exported.before[name]):
            np.testing.assert_array_equal(value, before)
        assert not model.initialized
        assert len(model.trainable_variables) > 0
    assert exported.models["glow"].glow.parameters["gradient"] == "invert"


# Requests that fail.


@pytest.fixture
def tiny():
    return tfg.FlowModel(
        tfd.TransformedDistribution(
            normal(2), tfb.Scale(tf.Variable([2.0, 3.0]))
        )
    )


@pytest.mark.parametrize("kind", ["file", "folder", "broken link"])
def test_a_path_that_exists_is_an_error_before_any_work(
    tmp_path, monkeypatch, tiny, kind
):
    path = tmp_path / "there"
    make = {
        "file": path.touch,
        "folder": path.mkdir,
        "broken link": lambda: path.symlink_to(tmp_path / "nothing"),
    }[kind]
    make()

    def fail():
        raise AssertionError("work")

    monkeypatch.setattr(tiny, "exported_functions", fail)
    with pytest.raises(FileExistsError, match="there, which exists already"):
        tiny.export(path)
    assert os.listdir(tmp_path) == ["there"]


@pytest.mark.parametrize("format", ["onnx", "tf_savedmodel", None])
def test_another_format_is_an_error(tmp_path, tiny, format):
    with pytest.raises(ValueError, match=r"`format`.*\['tf_saved_model'\]"):
        tiny.export(tmp_path / "flow", format=format)
    assert os.listdir(tmp_path) == []


def test_a_path_in_no_folder_is_an_error(tmp_path, tiny):
    with pytest.raises(FileNotFoundError):
        tiny.export(tmp_path / "no" / "flow")


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()],
)
def test_an_interrupted_export_leaves_nothing(
    tmp_path, monkeypatch, tiny, error
):
    save = tf.saved_model.save
    written = []

    def save_and_fail(module, path, *args):
        save(module, path, *args)
        written.extend(os.listdir(path))
        raise error

    monkeypatch.setattr(tf.saved_model, "save", save_and_fail)
    with pytest.raises(type(error)) as raised:
        tiny.export(tmp_path / "flow")
    assert raised.value is error
    assert "saved_model.pb" in written
    assert os.listdir(tmp_path) == []

    monkeypatch.undo()
    tiny.export(str(tmp_path / "flow"), format="tf_saved_model")
    assert os.listdir(tmp_path) == ["flow"]


def test_a_remote_folder_is_written_once(tmp_path, monkeypatch, tiny):
    monkeypatch.chdir(tmp_path)
    tiny.export("ram://exported/flow")
    loaded = tf.saved_model.load("ram://exported/flow")
    assert loaded.log_prob(np.zeros([3, 2])).shape == (3,)
    with pytest.raises(FileExistsError, match="exists already"):
        tiny.export("ram://exported/flow")
    monkeypatch.setattr(tiny, "exported_functions", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tiny.export("ram://exported/other")
    assert os.listdir(tmp_path) == []


def test_values_that_are_no_gray_levels_are_an_error(exported):
    loaded = tf.saved_model.load(exported.folder / "integer")
    assert loaded.log_prob([[0, 4, 2]]).shape == (1,)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"in \[0, 5\)"):
        loaded.log_prob([[0, 5, 2]])


# Nested events.


def test_parts_are_named_by_keys_fields_and_positions():
    spec = tf.TensorSpec([])
    point = collections.namedtuple("Point", ["x", "y"])
    names = {
        ("events",): spec,
        ("a", "b"): {"b": spec, "a": spec},
        ("x", "y"): point(spec, spec),
        ("events_0", "events_1"): [spec, spec],
        ("a_0", "a_1", "b_x", "b_y"): {
            "b": point(spec, spec),
            "a": (spec, spec),
        },
    }
    for expected, structure in names.items():
        (named,) = export._named_specs("log_prob", {"events": structure})
        tf.nest.assert_same_structure(named, structure)
        assert tuple(s.name for s in tf.nest.flatten(named)) == expected


def test_parts_of_one_name_are_an_error(tmp_path):
    model = tfg.FlowModel(
        tfd.JointDistributionNamed(
            {"conditioning": tfd.Normal(tf.Variable(0.0), 1.0)}
        ),
        conditioning_fn=lambda c: {},
        conditioning_shape=[],
    )
    with pytest.raises(
        ValueError, match=r"different names.*'conditioning', 'c"
    ):
        model.export(tmp_path / "flow")
    assert os.listdir(tmp_path) == []


# Runs.


@pytest.fixture
def run(tmp_path):
    """Folder of a run, as `export` sees it, and its model."""
    model = helpers.perturb(glow(num_levels=1, num_steps=1))
    model.save(tmp_path / "model.keras")
    names = {field.name for field in dataclasses.fields(settings.Settings)}
    config = model.get_config()
    made = {n: config[n] for n in names & config.keys() if n != "seed"}
    made = dataclasses.asdict(settings.Settings(**made))
    (tmp_path / "config.json").write_text(json.dumps({"settings": made}))
    return tmp_path, model


@pytest.mark.parametrize("out", [None, "mine"])
def test_the_best_model_of_a_run_is_exported(run, monkeypatch, capsys, out):
    folder, model = run
    asked = []
    monkeypatch.setattr(
        tfg.GlowModel, "export", lambda *args: asked.append(args)
    )
    argv = ["export", f"--run={folder}"]
    path = str(folder / "saved_model")
    if out is not None:
        path = str(folder / out)
        argv.append(f"--out={path}")
    assert cli.main(argv) == 0
    assert path in capsys.readouterr().out
    ((best, received),) = asked
    assert received == path
    for value, expected in zip(state(best), state(model), strict=True):
        np.testing.assert_array_equal(value, expected)


def test_a_run_is_exported_once(run, monkeypatch, capsys):
    folder, _ = run
    (folder / "saved_model").mkdir()

    def fail(folder):
        raise AssertionError("work")

    monkeypatch.setattr(run_folder.RunFolder, "best", fail)
    assert cli.main(["export", f"--run={folder}"]) == 1
    assert capsys.readouterr().err == (
        "FileExistsError: Expected the path of a new folder. Received: "
        f"{folder / 'saved_model'}, which exists already\n"
    )


def test_a_run_without_a_model_is_an_error(run):
    folder, _ = run
    (folder / "model.keras").unlink()
    with pytest.raises(ValueError, match=r"model\.keras"):
        commands.export(str(folder))
    assert sorted(os.listdir(folder)) == ["config.json"]
