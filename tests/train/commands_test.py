# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.train.commands` and of the folders they write."""

import csv
import dataclasses
import json
import os
import pathlib
import shutil

import keras
import matplotlib.image
import numpy as np
import PIL.Image
import pytest

import tfp_glow as tfg
from tfp_glow.distributions import baselines
from tfp_glow.train import callbacks
from tfp_glow.train import commands
from tfp_glow.train import plots
from tfp_glow.train import run_folder
from tfp_glow.train.settings import Settings

TINY = {
    "num_levels": 1,
    "num_steps": 1,
    "num_filters": 4,
    "batch_size": 16,
    "init_batches": 2,
    "learning_rate": 1e-2,
    "warmup_steps": 2,
    "bins": 32,
}
STEPS_PER_EPOCH = 4


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The path of 80 images 4x4, brighter to the right; 64 are for training."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 100, [80, 4, 4]) + 50 * np.arange(4)
    path = tmp_path_factory.mktemp("data") / "images.npz"
    np.savez(path, images=images)
    return str(path)


@pytest.fixture(scope="module")
def settings(data):
    return {**TINY, "dataset": data}


@pytest.fixture(scope="module")
def finished(settings, tmp_path_factory):
    """The folder of a run of 2 epochs, to be read only."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    commands.train(str(out), epochs=2, **settings)
    return out


@pytest.fixture
def run(finished, tmp_path):
    """A copy of it, to be changed."""
    return pathlib.Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def no_pictures(monkeypatch):
    """Leaves the pictures out, which take as long as the training."""
    monkeypatch.setattr(commands, "write_pictures", lambda folder: None)
    monkeypatch.setattr(
        callbacks.SampleGrid,
        "on_epoch_end",
        lambda *args, **kwargs: None,
    )


@pytest.fixture
def no_training(monkeypatch):
    """Makes training an error."""

    def fail(*args, **kwargs):
        raise AssertionError("trained")

    monkeypatch.setattr(tfg.FlowModel, "fit", fail)


def metrics(run):
    with open(run / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


def settings_of(run):
    return json.loads((run / "config.json").read_text())["settings"]


def weights(path):
    model = keras.models.load_model(path)
    return {v.name: v.numpy() for v in model.weights}


def assert_equal_weights(first, second):
    assert set(first) == set(second)
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)


def examples(settings, split):
    """Images of a split, and labels if the settings are conditional."""
    return Settings(**settings).examples(split)


def assert_shows(path, images):
    """Asserts that a picture is the grid of images, enlarged."""
    grid = plots.image_grid(images, bins=32)
    picture = matplotlib.image.imread(path)[..., :3]
    zoom = picture.shape[1] // grid.shape[1]
    assert picture.shape[1] == zoom * grid.shape[1] >= 600
    picture = picture[-zoom * len(grid) :]  # The title is above it.
    np.testing.assert_allclose(255 * picture[::zoom, ::zoom], grid, atol=1e-3)


def bits_per_dim(nats):
    return -np.mean(nats) / (16 * np.log(2))


# Training.


def test_a_run_holds_the_files_that_the_class_names(finished):
    table = [
        line.split("|")[1].split(",")
        for line in run_folder.RunFolder.__doc__.splitlines()
        if line.strip().startswith("| `")  # Python 3.13 removes the indent.
    ]
    named = {name.strip(" `/") for names in table for name in names}
    later = {"evaluation.json", "saved_model"}
    assert named == {*os.listdir(finished), *later}
    tensorboard = sorted(os.listdir(finished / "tensorboard"))
    assert tensorboard == ["samples", "train", "validation"]
    for name in tensorboard:
        (events,) = (finished / "tensorboard" / name).iterdir()
        assert events.stat().st_size > 100


def test_the_config_says_what_repeats_the_run(finished, settings):
    config = json.loads((finished / "config.json").read_text())
    assert set(config) == {
        "settings",
        "image_shape",
        "num_examples",
        "versions",
    }
    assert config["settings"] == {
        **dataclasses.asdict(Settings()),
        **settings,
        "epochs": 2,
    }
    assert config["image_shape"] == [4, 4, 1]
    assert config["num_examples"] == {"train": 64, "validation": 8, "test": 8}
    assert config["versions"]["keras"] == keras.__version__
    assert config["versions"]["numpy"] == np.__version__


def test_metrics_have_a_row_for_every_epoch(finished):
    rows = metrics(finished)
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert [int(row["step"]) for row in rows] == [4, 8]
    seconds = [float(row["seconds"]) for row in rows]
    assert 0 < seconds[0] < seconds[1]
    for row in rows:
        assert float(row["bits_per_dim"]) == pytest.approx(float(row["loss"]))
        assert 3 < float(row["val_bits_per_dim"]) < 8


def test_the_models_are_the_newest_and_the_best_average(finished):
    last = keras.models.load_model(finished / "last.keras")
    assert int(last.optimizer.iterations) == 8
    assert last.initialized
    best = keras.models.load_model(finished / "model.keras")
    validation, _ = examples(settings_of(finished), "validation")
    bits = best.evaluate(validation, verbose=0, return_dict=True)["loss"]
    lowest = min(float(row["val_bits_per_dim"]) for row in metrics(finished))
    assert bits == pytest.approx(lowest, rel=1e-5)


def test_the_pictures_are_pictures(finished):
    for name in ("samples.png", "reconstructions.png", "curve.png"):
        assert matplotlib.image.imread(finished / name).shape[1] >= 600


def test_training_from_the_config_gives_the_same_run(
    finished, tmp_path, no_pictures
):
    again = tmp_path / "again"
    commands.train(str(again), **settings_of(finished))
    for one, other in zip(metrics(finished), metrics(again), strict=True):
        del one["seconds"], other["seconds"]
        assert one == other
    for name in ("last.keras", "model.keras"):
        assert_equal_weights(weights(finished / name), weights(again / name))


@pytest.fixture
def trained_settings(monkeypatch):
    """The settings that trainings were asked for, which are not done."""
    received = []
    monkeypatch.setattr(
        commands,
        "_train",
        lambda _, settings, strategy: received.append(settings),
    )
    return received


def test_a_config_gives_the_defaults_and_settings_override_it(
    tmp_path, trained_settings
):
    earlier = dict(
        dataset="photos", num_steps=5, flip=True, epochs=7, image_size=16
    )
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"settings": earlier}))
    # A given setting counts even if it is the default.
    commands.train(tmp_path / "run", config=path, num_steps=8, flip=False)
    assert trained_settings == [Settings("photos", epochs=7, image_size=16)]


def test_a_preset_gives_the_defaults_and_settings_override_it(
    tmp_path, trained_settings
):
    commands.train(tmp_path, preset="celebahq256", num_steps=2)
    preset = tfg.presets.get("celebahq256").settings
    assert trained_settings == [dataclasses.replace(preset, num_steps=2)]
    with pytest.raises(ValueError, match=r"`name`.*Did you mean 'cifar10'"):
        commands.train(tmp_path, preset="cifar")


def test_a_finished_run_is_not_trained_again(run, settings, no_pictures):
    before = (run / "last.keras").read_bytes()
    commands.train(str(run), epochs=2, **settings)
    assert len(metrics(run)) == 2
    assert (run / "last.keras").read_bytes() == before


# Resuming.


def test_more_epochs_resume_a_run(run, finished, capsys, no_pictures):
    before = metrics(run)
    # Settings that are given again must agree, and those left out are kept.
    commands.train(run, epochs=4, patience=100, max_minutes=60.0, num_filters=4)
    assert settings_of(run) == {
        **settings_of(finished),
        "epochs": 4,
        "patience": 100,
        "max_minutes": 60.0,
    }
    assert f"Resuming {run} after epoch 2." in capsys.readouterr().out
    rows = metrics(run)
    assert rows[:2] == before
    assert [int(row["step"]) for row in rows] == [4, 8, 12, 16]
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "3"]
    seconds = [float(row["seconds"]) for row in rows]
    assert seconds == sorted(seconds)
    last = keras.models.load_model(run / "last.keras")
    assert int(last.optimizer.iterations) == 16
    # Resuming did not initialize the trained weights again.
    bits = [float(row["bits_per_dim"]) for row in rows]
    assert bits[2] < bits[1] + 0.05


def test_a_first_epoch_that_was_cut_off_leaves_no_row(
    run, settings, monkeypatch
):
    os.remove(run / "last.keras")
    started = {}

    def fit(model, *args, initial_epoch, **kwargs):
        started.update(epoch=initial_epoch, rows=metrics(run))

    monkeypatch.setattr(tfg.FlowModel, "fit", fit)
    monkeypatch.setattr(commands, "write_pictures", lambda folder: None)
    commands.train(str(run), epochs=2, **settings)
    assert started == {"epoch": 0, "rows": []}


@pytest.mark.slow
def test_time_of_earlier_parts_counts(run, settings, no_pictures):
    rows = metrics(run)
    rows[-1]["seconds"] = "599.999"
    with open(run / "metrics.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    # A millisecond is left, which the first step takes.
    commands.train(str(run), epochs=9, max_minutes=10.0, **settings)
    rows = metrics(run)
    assert len(rows) == 3
    assert int(rows[2]["step"]) == 9
    assert float(rows[2]["seconds"]) > 600
    # An epoch that ran out of time counts as one.
    commands.train(str(run), epochs=4, max_minutes=None)
    assert [int(row["step"]) for row in metrics(run)] == [4, 8, 9, 13]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"num_filters": 8}, "num_filters=4 there, 8 here"),
        ({"learning_rate": 0.5}, "learning_rate=0.01 there, 0.5 here"),
        (
            {"coupling": "additive", "seed": 1},
            "coupling='affine' there, 'additive' here; seed",
        ),
        ({"dataset": "digits"}, "images.npz' there, 'digits' here"),
        ({"preset": "cifar10"}, "image_size=None there, 32 here"),
    ],
)
def test_a_run_of_other_settings_is_left_alone(
    run, settings, no_training, other, message
):
    before = {
        path: path.read_bytes() for path in run.iterdir() if path.is_file()
    }
    with pytest.raises(ValueError, match="a run of the same settings") as error:
        commands.train(str(run), epochs=2, **{**settings, **other})
    assert message in str(error.value)
    assert before == {
        path: path.read_bytes() for path in run.iterdir() if path.is_file()
    }


def test_a_run_of_a_version_without_a_setting_resumes(
    run, settings, no_pictures
):
    config = json.loads((run / "config.json").read_text())
    classes = ("conditional", "conditioned", "classifier_weight")
    noise = ("dequantizer", "num_noise_samples")
    for name in ("optimizer", "decay", "beta_2", "clipnorm", *classes, *noise):
        del config["settings"][name]
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="optimizer='adam' there, 'adamax' h"):
        commands.train(str(run), epochs=3, optimizer="adamax", **settings)
    commands.train(str(run), epochs=3, **settings)
    assert [int(row["step"]) for row in metrics(run)] == [4, 8, 12]
    assert commands.reconstruct(str(run), num=2)[1] < 1e-9


@pytest.mark.slow
def test_a_cosine_is_not_resumed_with_more_epochs(
    tmp_path, settings, no_pictures
):
    settings = {**settings, "decay": "cosine"}
    for _ in range(2):
        commands.train(str(tmp_path), epochs=1, **settings)
    with pytest.raises(ValueError, match="epochs=1 there, 2 here"):
        commands.train(str(tmp_path), epochs=2, **settings)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.999])
@pytest.mark.parametrize("name", ["last.keras", "model.keras"])
def test_a_truncated_model_is_an_error(run, settings, name, share, no_training):
    content = (run / name).read_bytes()
    (run / name).write_bytes(content[: int(share * len(content))])
    message = rf"a whole model file.*{name}, which is damaged or truncated"
    with pytest.raises(ValueError, match=message):
        if name == "last.keras":
            commands.train(str(run), epochs=4, **settings)
        else:
            commands.sample(str(run))


def test_a_model_with_a_flipped_bit_is_an_error(run):
    content = bytearray((run / "model.keras").read_bytes())
    content[len(content) // 2] ^= 1
    (run / "model.keras").write_bytes(content)
    with pytest.raises(ValueError, match="damaged or truncated at"):
        commands.sample(str(run))


def change_settings(run, **changes):
    config = json.loads((run / "config.json").read_text())
    config["settings"].update(changes)
    (run / "config.json").write_text(json.dumps(config))


def test_a_model_that_is_not_of_the_run_is_an_error(run, no_training):
    change_settings(run, bins=16)
    message = r"Expected bins=16, which config\.json has, in .*: bins=32"
    for command in (commands.sample, commands.evaluate, commands.train):
        with pytest.raises(ValueError, match=message):
            command(str(run))


def test_a_model_of_weights_that_are_not_finite_is_an_error(run):
    model = keras.models.load_model(run / "model.keras")
    model.trainable_variables[0].assign(
        model.trainable_variables[0] * float("nan")
    )
    model.save(run / "model.keras")
    message = r"Expected finite weights in .*keras\. Received: values of glow\."
    for command in (commands.sample, commands.export):
        with pytest.raises(ValueError, match=message):
            command(str(run))


def test_many_samples_are_drawn_in_batches(run, monkeypatch):
    sizes = []
    sample = tfg.GlowModel.sample

    def record(model, n, **kwargs):
        sizes.append(n)
        return sample(model, n, **kwargs)

    def picture(num, seed):
        commands.sample(str(run), num, seed=seed, out=str(run / "x.png"))
        return matplotlib.image.imread(run / "x.png")

    monkeypatch.setattr(tfg.GlowModel, "sample", record)
    first = picture(256, seed=0)
    assert sizes == [128, 128]
    np.testing.assert_array_equal(picture(256, seed=0), first)
    half = len(first) // 2
    assert not np.array_equal(first[:half], first[-half:])
    message = r"at most 1342177, .* 250 million pixels and take 7 GiB"
    with pytest.raises(ValueError, match=message):
        commands.sample(str(run), num=10_000_000)


@pytest.mark.parametrize("name", ["x.exe", "none/x.png", "tensorboard"])
def test_a_picture_that_cannot_be_written_is_an_error(tmp_path, finished, name):
    for command in (commands.sample, commands.reconstruct):
        with pytest.raises(ValueError, match=r"ends in \.png, in a folder"):
            command(str(finished), out=str(finished / name))


# Invalid settings and folders.


def test_a_folder_with_other_files_is_left_alone(
    tmp_path, settings, no_training
):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ValueError, match=r"new or empty folder.*other files"):
        commands.train(str(tmp_path), **settings)
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_another_programs_config_is_left_alone(tmp_path, settings, no_training):
    for text in ("{}", "[1, 2]", "{", '{"settings": 3}'):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(ValueError, match=r"the config\.json of a run"):
            commands.train(str(tmp_path), **settings)
        with pytest.raises(ValueError, match=r"the config\.json of a run"):
            commands.sample(str(tmp_path))
        assert (tmp_path / "config.json").read_text() == text


def test_a_remote_folder_is_an_error(
    tmp_path, settings, no_training, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for command in (commands.train, commands.evaluate):
        kwargs = settings if command is commands.train else {}
        with pytest.raises(ValueError, match=r"local path.*: ram://run"):
            command("ram://run", **kwargs)
    assert not os.listdir(tmp_path)


def test_a_folder_that_cannot_be_made_is_an_error(
    tmp_path, settings, no_training
):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(
        OSError, match=r"a folder that can be written.*file/run"
    ):
        commands.train(str(tmp_path / "file" / "run"), **settings)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_step": 3}, r"num_step.*Did you mean 'num_steps'"),
        ({"learning_rat": 3}, "Did you mean 'learning_rate'"),
        ({"coupling": "afine"}, "Did you mean 'affine'"),
        ({"strategy": "miror"}, "Did you mean 'mirrored'"),
        ({"permutation": "rverse"}, "Did you mean 'reverse'"),
        ({"initialization": "whitn"}, "Did you mean 'whiten'"),
        ({"dataset": "digit"}, "Did you mean 'digits'"),
        ({"num_levels": 3}, r"divisible by 2\*\*num_levels=8"),
        ({"image_size": 5}, r"divisible by 2\*\*num_levels=2.*\(5, 5, 1\)"),
        ({"bins": 100}, "divisors of the 256"),
        ({"batch_size": 0}, "`batch_size`"),
        ({"init_batches": 0}, "`init_batches`"),
        ({"epochs": 0}, "`epochs`"),
        ({"num_steps": -1}, "`num_steps`"),
        ({"num_filters": 0}, "`num_filters`"),
        ({"optimizer": "adams"}, "Did you mean 'adam'"),
        ({"decay": "cosine", "epochs": 1, "warmup_steps": 4}, "`total_steps`"),
        ({"clipnorm": -1.0}, "`clipnorm`"),
        ({"conditional": True}, r"`conditional`.*images\.npz', which has no l"),
        ({"conditioned": "prior"}, "Did you mean 'priors'"),
        ({"conditioned": "priors"}, "'all' without `conditional`"),
        ({"classifier_weight": 0.1}, "`classifier_weight`"),
        ({"dequantizer": "learnt"}, "Did you mean 'learned'"),
        ({"num_noise_samples": 0}, "`num_noise_samples`"),
    ],
)
def test_an_invalid_setting_is_an_error_before_the_folder_is_made(
    tmp_path, settings, no_training, wrong, message
):
    with pytest.raises(ValueError, match=message):
        commands.train(str(tmp_path / "run"), **{**settings, **wrong})
    assert os.listdir(tmp_path) == []


def test_data_without_a_training_split_is_an_error(tmp_path, no_training):
    image = PIL.Image.new("L", (4, 4))
    (tmp_path / "data" / "test").mkdir(parents=True)
    image.save(tmp_path / "data" / "test" / "0.png")
    with pytest.raises(
        ValueError, match="the splits train, validation and test"
    ):
        commands.train(str(tmp_path / "run"), dataset=str(tmp_path / "data"))
    assert os.listdir(tmp_path) == ["data"]


def test_the_recipe_of_the_settings_is_trained_with(
    tmp_path, data, monkeypatch
):
    def fit(model, *args, **kwargs):
        found.append(model.optimizer)

    found = []
    monkeypatch.setattr(tfg.FlowModel, "fit", fit)
    monkeypatch.setattr(commands, "write_pictures", lambda folder: None)
    settings = {
        **TINY,
        "dataset": data,
        "optimizer": "adamax",
        "decay": "cosine",
        "beta_2": 0.98,
        "clipnorm": 0.0,
        "ema": 0.9,
    }
    commands.train(tmp_path / "run", epochs=3, **settings)
    (optimizer,) = found
    assert isinstance(optimizer, keras.optimizers.Adamax)
    rates = []
    for step in (0, 1, 2, 7, 12):  # 3 epochs of 4 steps.
        optimizer.iterations.assign(step)
        rates.append(float(optimizer.learning_rate))
    np.testing.assert_allclose(rates, [0, 5e-3, 1e-2, 5e-3, 0], atol=1e-8)
    assert optimizer.beta_2 == 0.98
    assert optimizer.global_clipnorm is None
    assert optimizer.ema_momentum == 0.9


# Results of a run.


@pytest.fixture(scope="module")
def evaluation(finished, tmp_path_factory):
    """A run that was evaluated, and the results."""
    run = tmp_path_factory.mktemp("evaluated") / "run"
    shutil.copytree(finished, run)
    return run, commands.evaluate(str(run), num_draws=3, num_samples=130)


def test_evaluation_measures_the_best_model(evaluation):
    run, results = evaluation
    settings = settings_of(run)
    test, train = (examples(settings, split)[0] for split in ("test", "train"))
    model = keras.models.load_model(run / "model.keras")
    nats = np.mean([model.log_prob(test, seed=i) for i in range(3)], axis=0)
    bits = -nats / (16 * np.log(2))
    assert results["bits_per_dim"] == pytest.approx(bits.mean(), rel=1e-5)
    error = bits.std(ddof=1) / np.sqrt(8)
    assert results["standard_error"] == pytest.approx(error, rel=1e-4)
    assert (results["split"], results["num_images"]) == ("test", 8)

    assert set(results["baselines"]) == set(baselines.BASELINES)
    for name, row in results["baselines"].items():
        baseline = baselines.BASELINES[name](train, 32)
        bits = baselines.bits_per_dim(baseline, test)
        assert row["bits_per_dim"] == pytest.approx(bits.mean(), rel=1e-5)
    assert results["baselines"]["uniform"]["bits_per_dim"] == 5.0


def test_evaluation_checks_codes_and_samples(evaluation):
    run, results = evaluation
    assert 0 <= results["reconstruction_error"] < 1e-9
    samples = results["samples"]
    assert samples["num"] == 130
    assert samples["temperature"] == 1.0
    assert samples["share_not_finite"] == 0.0
    model = keras.models.load_model(run / "model.keras")
    values = np.concatenate(
        [
            model.sample_values(125, seed=0),
            model.sample_values(5, seed=125),
        ]
    )
    assert samples["largest_excursion"] == pytest.approx(
        np.abs(values).max() / 0.5, rel=1e-4
    )


def test_evaluation_is_written_and_tabulated(evaluation):
    run, results = evaluation
    assert json.loads((run / "evaluation.json").read_text()) == results
    lines = commands.evaluation.table(results).splitlines()
    rows = {line[:26].strip(): line[26:].split() for line in lines}
    for name, row in (
        ("Glow (upper bound)", results),
        *results["baselines"].items(),
    ):
        assert rows[name] == [
            f"{row['bits_per_dim']:.3f}",
            f"{row['standard_error']:.3f}",
        ]


def test_evaluation_prints_its_table(run, capsys, monkeypatch):
    monkeypatch.setattr(baselines, "MAX_GAUSSIAN_SIZE", 15)
    results = commands.evaluate(
        str(run), split="validation", num_draws=1, num_samples=1
    )
    out = capsys.readouterr().out
    assert "Gaussian (upper bound)               images too large" in out
    assert "validation: 8 images of 4x4x1, 32 gray levels" in out
    assert f"Glow (upper bound)        {results['bits_per_dim']:10.3f}" in out
    assert set(results["baselines"]) == {"per-pixel histogram", "uniform"}


def test_more_samples_of_the_noise_tighten_the_bound(evaluation):
    run, results = evaluation
    assert results["num_noise_samples"] == 1
    tighter = commands.evaluate(
        str(run), num_draws=1, num_samples=1, num_noise_samples=3
    )
    assert tighter["num_noise_samples"] == 3
    test, _ = examples(settings_of(run), "test")
    model = keras.models.load_model(run / "model.keras")
    draws = [model.distribution.log_prob(test, seed=(i, 0)) for i in range(3)]
    bits = bits_per_dim(np.logaddexp.reduce(draws) - np.log(3))
    assert tighter["bits_per_dim"] == pytest.approx(bits, rel=1e-5)
    assert bits < bits_per_dim(draws)


@pytest.mark.parametrize(
    "argument", ["num_draws", "num_samples", "num_noise_samples"]
)
def test_counts_of_an_evaluation_are_checked(finished, argument):
    with pytest.raises(ValueError, match=f"`{argument}`"):
        commands.evaluate(str(finished), **{argument: 0})


def test_samples_are_drawn(run, tmp_path):
    path = str(tmp_path / "mine.png")
    assert commands.sample(str(run), 4, 0.5, seed=3, out=path) == path
    model = keras.models.load_model(run / "model.keras")
    assert_shows(path, model.sample(4, 0.5, seed=3))


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({}, "samples_t0.7_seed0.png"),
        ({"temperature": [0.5], "seed": 3}, "samples_t0.5_seed3.png"),
        ({"num": 4}, "samples_t0.7_seed0_num4.png"),
    ],
)
def test_samples_do_not_replace_those_of_the_training(run, arguments, name):
    before = set(os.listdir(run))
    content = (run / "samples.png").read_bytes()
    assert commands.sample(str(run), **arguments) == str(run / name)
    assert set(os.listdir(run)) - before == {name}
    for command in (commands.sample, commands.reconstruct):
        with pytest.raises(ValueError, match="the training's own pictures"):
            command(str(run), num=2, out=str(run / "samples.png"))
    assert (run / "samples.png").read_bytes() == content


def test_the_newest_run_is_taken_and_named(run, monkeypatch, capsys):
    monkeypatch.chdir(run.parent)
    with pytest.raises(ValueError, match="the folder runs here has none"):
        commands.export()
    for name, time in (("a", 10), ("b", 30), ("c", 20)):
        (run.parent / "runs" / name).mkdir(parents=True)
        model = shutil.copy(run / "model.keras", run.parent / "runs" / name)
        os.utime(model, (time, time))
    shutil.copy(run / "config.json", run.parent / "runs" / "b")
    assert commands.export() == os.path.join("runs", "b", "saved_model")
    assert "The newest run is runs/b." in capsys.readouterr().out


def test_reconstructions_are_drawn_below_the_images(run, tmp_path):
    path, error = commands.reconstruct(
        str(run), split="train", num=5, out=str(tmp_path / "mine.png")
    )
    assert path == str(tmp_path / "mine.png")
    assert 0 <= error < 1e-9
    picture = matplotlib.image.imread(path)
    # 5 columns and 2 rows of 4 x 4 pixels, each with a margin of one.
    zoom = 600 // 26 + 1
    grid = picture[-11 * zoom :, -26 * zoom :]
    rows = grid[::zoom, ::zoom][1:11]
    np.testing.assert_array_equal(rows[:4], rows[5:9])
    assert rows[:4].std() > 0.1
    with pytest.raises(ValueError, match="`num`"):
        commands.reconstruct(str(run), num=0)


@pytest.mark.parametrize("name", ["evaluate", "sample", "reconstruct"])
def test_a_folder_without_a_run_is_an_error(tmp_path, name):
    with pytest.raises(ValueError, match=r"folder of a run.*no config\.json"):
        getattr(commands, name)(str(tmp_path))


def test_a_run_without_a_model_is_an_error(run):
    os.remove(run / "model.keras")
    with pytest.raises(ValueError, match=r"model\.keras\. Found no file"):
        commands.sample(str(run))


# Runs of classes.


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """Settings, and a folder of a run of 3 classes, to be read only."""
    labels = np.arange(80) * 7 % 3
    images = np.random.default_rng(0).integers(0, 100, [80, 4, 4])
    path = tmp_path_factory.mktemp("classes")
    data = str(path / "images.npz")
    # A class is a brightness.
    images += 70 * labels[:, np.newaxis, np.newaxis]
    np.savez(data, images=images, labels=labels)
    settings = {
        **TINY,
        "dataset": data,
        "conditional": True,
        "conditioned": "priors",
        "classifier_weight": 0.5,
    }
    commands.train(str(path / "run"), epochs=1, **settings)
    return settings, path / "run"


@pytest.fixture
def run_of_classes(classes, tmp_path):
    """A copy of the folder, to be changed."""
    return pathlib.Path(shutil.copytree(classes[1], tmp_path / "run"))


def test_a_run_of_classes_is_trained_and_resumed(
    classes, run_of_classes, no_pictures
):
    settings, _ = classes
    assert settings_of(run_of_classes)["conditional"]
    with pytest.raises(ValueError, match="conditional=True there, False here"):
        commands.train(
            str(run_of_classes),
            **{**settings, "conditional": False, "conditioned": "all"},
        )
    commands.train(str(run_of_classes), epochs=2, **settings)
    rows = metrics(run_of_classes)
    assert [int(row["step"]) for row in rows] == [4, 8]
    assert all(0 <= float(row["val_accuracy"]) <= 1 for row in rows)
    # The classifier's cross-entropy is part of the loss only.
    assert all(row["loss"] > row["bits_per_dim"] for row in rows)
    model = keras.models.load_model(run_of_classes / "model.keras")
    assert model.num_classes == 3
    assert model.has_classifier


def test_pictures_of_classes_show_them_in_turn_or_one(classes, tmp_path):
    _, run = classes
    model = keras.models.load_model(run / "model.keras")
    for label, labels in ((None, [0, 1, 2, 0]), (2, [2, 2, 2, 2])):
        path = commands.sample(
            str(run), 4, 1.0, 3, out=str(tmp_path / "x.png"), label=label
        )
        images = model.sample(4, 1.0, conditioning=labels, seed=3)
        assert_shows(path, images)
    _, error = commands.reconstruct(str(run), num=5, out=path)
    assert error < 1e-9


@pytest.mark.parametrize("label", [3, -1, 1.5])
def test_a_label_outside_the_classes_is_an_error(classes, label):
    with pytest.raises(ValueError, match=r"`label`.*integer in \[0, 3\)"):
        commands.sample(str(classes[1]), label=label)


def test_a_label_for_a_run_without_classes_is_an_error(finished):
    with pytest.raises(ValueError, match=r"`label`.*not conditional.*label=0"):
        commands.sample(str(finished), label=0)


def test_an_evaluation_of_classes_is_given_labels(classes, run_of_classes):
    settings, _ = classes
    path = run_of_classes / "model.keras"
    model = keras.models.load_model(path)
    # After one epoch it hardly distinguishes the classes.
    for name, variable in model.named_variables.items():
        if "conditioning" in name:
            rows = np.linspace(-1, 1, variable.shape[0])[:, np.newaxis]
            variable.assign(np.broadcast_to(rows, variable.shape))
    model.save(path)
    results = commands.evaluate(
        str(run_of_classes), split="train", num_draws=2, num_samples=10
    )
    images, labels = examples(settings, "train")
    nats = [model.log_prob(images, labels, seed=i) for i in range(2)]
    bits = bits_per_dim(nats)
    assert results["bits_per_dim"] == pytest.approx(bits, rel=1e-5)
    scores = model.class_log_probs(images, seed=0)
    counts = 1 + np.bincount(labels, minlength=3)
    joint = scores + np.log(counts / np.sum(counts))
    marginal = bits_per_dim(np.logaddexp.reduce(joint, axis=-1))
    assert results["marginal"]["bits_per_dim"] == pytest.approx(
        marginal, rel=1e-5
    )
    # Every class is about a third of the images.
    by_bayes_rule = np.mean(np.argmax(scores, axis=-1) == labels)
    by_classifier = np.mean(
        np.argmax(model.class_logits(images), axis=-1) == labels
    )
    assert results["accuracy"] == {
        "bayes_rule": pytest.approx(by_bayes_rule, abs=1 / 64),
        "classifier": pytest.approx(by_classifier),
    }
    written = json.loads((run_of_classes / "evaluation.json").read_text())
    assert written == results
    again = commands.evaluate(
        str(run_of_classes), "train", 2, 10, num_noise_samples=1
    )
    assert again["bits_per_dim"] == pytest.approx(bits, rel=1e-5)
    lines = commands.evaluation.table(results).splitlines()
    for method, share in (
        ("Bayes' rule:", results["accuracy"]["bayes_rule"]),
        ("the classifier:", by_classifier),
    ):
        assert f"classes by {method:15} {100 * share:.1f} % right" in lines
    rows = {line[:26].strip(): line[26:].split() for line in lines}
    assert rows["Glow (upper bound)"][0] == f"{marginal:.3f}"
    assert rows["given the class"][0] == f"{bits:.3f}"
    best = min(row["bits_per_dim"] for row in results["baselines"].values())
    assert rows["below the best baseline:"] == [
        f"{best - marginal:.3f}",
        "bits/dim",
    ]
