# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the comparison with people, which itself takes an hour."""

import json

import matplotlib.image
import numpy as np
import pytest

from benchmarks import human_directions
from benchmarks import human_illusions
from benchmarks import human_models
from benchmarks import human_report
from benchmarks import human_stimuli
from tfp_glow.distributions import baselines

DIRECTIONS = {d.key: d for d in human_directions.DIRECTIONS}


def white(size=160):
    """Vertical stripes 16 pixels wide: target 1 in a black, 2 in a white one."""
    image = np.zeros([size, size])
    image[:, (np.arange(size) // 16) % 2 == 1] = 1.0
    mask = np.zeros([size, size], int)
    mask[64:96, 64:80] = 1
    mask[64:96, 112:128] = 2
    image[mask > 0] = 0.5
    return image, mask


def predict(difference, error=0.0):
    """Predictions of a model that always answers alike."""
    answer = dict.fromkeys(human_models.TEMPERATURES, (difference, error))
    answer["bits_per_dim"] = (4.0, 5.0)
    return {
        d.key: dict.fromkeys(
            (
                f"{human_report.first_scale(d)}, noise 4",
                f"{human_report.first_scale(d)}, noise 0",
                "no context",
            ),
            answer,
        )
        for d in human_directions.DIRECTIONS
    }


def test_directions_name_each_stimulus_once_and_leave_no_doubt():
    assert len(DIRECTIONS) == len(human_directions.DIRECTIONS) == 26
    assert not DIRECTIONS.keys() & human_directions.LEFT_OUT.keys()
    for direction in human_directions.DIRECTIONS:
        assert direction.lighter in (1, 2)
        assert (direction.share is None) != (direction.strength is None)
    assert DIRECTIONS["murray2020.white"].human == pytest.approx(-0.45)
    assert DIRECTIONS["murray2020.argyle_control"].human > 0.0
    assert DIRECTIONS["RHS2007.sbc_large"].human == 11.35


@pytest.mark.parametrize("scale", human_stimuli.SCALES)
def test_targets_have_their_size_and_keep_their_borders(scale):
    views = human_stimuli.views(DIRECTIONS["RHS2007.WE_thick"], *white())
    assert list(views) == ["6", "4", "8"]
    stimulus = views[str(scale)]
    assert stimulus.higher == "a"
    for patch, own in ((stimulus.a, 0.0), (stimulus.b, 1.0)):
        rows, columns = np.nonzero(patch.mask)
        assert rows.min() == 8 - scale / 2
        assert np.ptp(rows) + 1 == scale
        assert np.ptp(columns) + 1 == scale / 2
        assert patch.value == 0.5
        column = patch.image[:, columns.min(), 0]
        np.testing.assert_allclose(column[~patch.mask[:, columns.min()]], own)


def test_native_patches_are_the_stimulus_with_one_target_varying():
    image = np.random.default_rng(0).random([16, 16])
    mask = np.zeros([16, 16], int)
    mask[2:4, 1:3] = 1
    mask[9, 13] = 2
    image[mask > 0] = 0.25
    direction = DIRECTIONS["murray2020.argyle"]
    stimulus = human_stimuli.views(direction, image, mask)["native"]
    for patch, target in ((stimulus.a, 1), (stimulus.b, 2)):
        np.testing.assert_allclose(patch.image[..., 0], image)
        np.testing.assert_array_equal(patch.mask, mask == target)


def test_a_target_of_several_pieces_is_the_one_in_the_middle():
    mask = np.zeros([9, 30], int)
    mask[4, ::6] = 1
    found = human_stimuli.target_mask(mask, 1)
    assert np.argwhere(found).tolist() == [[4, 12]]


def test_an_image_continues_beyond_its_border():
    image = np.linspace(0.0, 1.0, 4)[:, np.newaxis] * np.ones(4)
    patch = human_stimuli.resample(image, np.array([-6.0, -6.0]), 16)
    assert patch[:7].max() == 0.0
    assert patch[-7:].min() == 1.0


@pytest.mark.parametrize(
    ("rows", "target"),
    [
        ([(0.3, 0.01), (0.1, 0.01), (0.05, 0.02)], 1),
        ([(-0.3, 0.01)], 2),
        ([(0.3, 0.01), (-0.3, 0.01)], None),
        ([(0.3, 0.01), (0.3, 0.2)], None),
        ([(0.01, 0.0)], None),
    ],
)
def test_a_prediction_counts_if_all_seeds_agree(rows, target):
    assert human_report.predicted(rows) == target


def test_the_local_contrast_fails_whites_effect():
    views = human_stimuli.views(DIRECTIONS["RHS2007.WE_thick"], *white())
    rule = human_models.LocalContrast()
    difference, error = rule(views["6"], 4.0)["D ln 2"]
    assert human_report.predicted([(difference, error)]) == 2


def test_a_gaussian_predicts_contrast_and_a_diagonal_one_nothing():
    generator = np.random.default_rng(0)
    level = generator.uniform(0, 255, [400, 1, 1, 1])
    noise = generator.normal(0, 20, [400, 16, 16, 1])
    images = np.clip(level + noise, 0, 255).astype(np.uint8)
    image = np.zeros([64, 128])
    image[:, 64:] = 1.0
    mask = np.zeros([64, 128], int)
    mask[26:38, 26:38] = 1
    mask[26:38, 90:102] = 2
    image[mask > 0] = 0.5
    views = human_stimuli.views(DIRECTIONS["RHS2007.sbc_large"], image, mask)
    found = []
    for fit in (baselines.gaussian, baselines.diagonal_gaussian):
        model = human_models.Density(fit(images, human_models.BINS))
        [predicted] = human_models.predictions(model, {"key": views}).values()
        assert predicted.keys() == {
            "6, noise 4",
            "6, noise 0",
            "4, noise 4",
            "8, noise 4",
            "no context",
        }
        assert human_report.predicted([predicted["no context"]["1"]]) is None
        found.append(
            human_report.predicted([predicted["6, noise 4"]["D ln 2"]])
        )
    assert found == [1, None]


def test_shuffling_keeps_the_gray_levels_of_each_patch():
    patches = np.random.default_rng(0).integers(0, 256, [5, 4, 4, 1])
    shuffled = human_models.shuffled(patches)
    assert shuffled.shape == patches.shape
    for one, other in zip(patches, shuffled):
        assert sorted(one.flat) == sorted(other.flat)
    # Each patch has a permutation of its own.
    same = np.broadcast_to(np.arange(16).reshape(4, 4, 1), patches.shape)
    assert len(np.unique(human_models.shuffled(same), axis=0)) == 5


def test_correlation_of_ranks():
    rho, low, high = human_report.rank_correlation([1, 2, 3, 4], [1, 4, 9, 16])
    assert rho == pytest.approx(1.0)
    assert (low, high) == pytest.approx((1.0, 1.0))
    rho, low, high = human_report.rank_correlation([1, 2, 3, 4], [1, 3, 2, 4])
    assert rho == pytest.approx(0.8)
    assert -1.0 <= low < rho < high
    assert np.isnan(human_report.rank_correlation([1, 2, 3], [0, 0, 0])).all()


def test_tables_and_chart_show_all_models(tmp_path):
    models = {
        "flow": [predict(0.5), predict(0.4)],
        "Gaussian": [predict(-0.5, error=0.01)],
    }
    bits = {"flow": [3.0, 3.5], "Gaussian": [float("nan")]}
    # As the file of results gives them.
    models, bits = json.loads(json.dumps([models, bits]))
    text = human_report.tables(models, bits)
    expected = "| flow | 3.00, 3.50 | 2 / 8 / 0 | 3 / 8 / 0 | 0 of 5 |"
    assert expected in text
    assert "| Gaussian | - | 8 / 2 / 0 | 8 / 3 / 0 | 0 of 5 |" in text
    assert "| sbc_large | contrast | 1 | 11.35 | +0.45 yes | -0.50 no |" in text
    assert "| sbc_large | contrast |  |  | +0.45 yes |  | 4.5 |" in text
    path = tmp_path / "chart.png"
    human_report.save_chart(path, models)
    assert matplotlib.image.imread(path).shape[:2] == (990, 1210)


def test_finished_predictions_are_not_repeated(monkeypatch):
    class Model:
        def bits_per_dim(self):
            return 3.25

    finished = {"flow_0_3.250000": "kept"}
    monkeypatch.setattr(human_models, "make", lambda *_: [("flow", [Model()])])
    monkeypatch.setattr(human_stimuli, "views", lambda *_: {})
    stimuli = dict.fromkeys(DIRECTIONS, white())
    found = human_illusions.measure([], [], stimuli, finished)
    assert found == {
        "models": {"flow": ["kept"]},
        "bits_per_dim": {"flow": [3.25]},
    }


def test_every_seed_trains_a_flow_and_a_shuffled_one(tmp_path, monkeypatch):
    commands = []

    def run(command, check):
        assert check
        commands.append(command[1:])

    patches = np.arange(64, dtype=np.uint8).reshape(4, 4, 4, 1)
    monkeypatch.setattr(human_models, "images", lambda split: patches)
    monkeypatch.setattr(human_models.subprocess, "run", run)
    flows, shuffled = human_models.train(tmp_path / "runs", range(2))
    assert [path.name for path in flows] == ["flow_0", "flow_1"]
    assert [path.name for path in shuffled] == ["shuffled_0", "shuffled_1"]
    archive = tmp_path / "runs" / "shuffled.npz"
    with np.load(archive) as arrays:
        assert sorted(arrays) == ["test", "train", "validation"]
        assert arrays["train"].dtype == np.uint8
    train = ["-m", "tfp_glow", "train", "--preset=photo_patches_grey"]
    assert commands[1] == [*train, "--seed=1", f"--out={flows[1]}"]
    assert commands[2] == [
        *train,
        "--seed=0",
        f"--out={shuffled[0]}",
        f"--dataset={archive}",
    ]
