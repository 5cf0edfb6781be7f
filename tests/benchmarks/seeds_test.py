# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the benchmark of seeds, which itself takes an hour."""

import json

import numpy as np
import pytest

from benchmarks import seeds

TASK = seeds.Task("digits", num_steps=3, batch_size=8)


@pytest.mark.parametrize(
    ("losses", "diverged"),
    [
        (np.linspace(4.0, 2.0, 35), False),
        # One step may be worse than the first.
        (np.r_[np.linspace(4.0, 3.0, 20), 5.0, np.full(14, 2.0)], False),
        (np.r_[np.full(10, 4.0), np.full(10, 4.1), np.full(10, 2.0)], True),
        (np.r_[np.full(25, 2.0), np.nan], True),
        (np.r_[np.full(15, 2.0), np.inf], True),
        (np.r_[np.full(3, 2.0), np.nan], True),
    ],
)
def test_a_loss_above_its_start_or_not_finite_has_diverged(losses, diverged):
    row = json.loads(json.dumps(seeds.summary(losses)))
    assert row["diverged"] is diverged
    assert seeds.table({TASK: [row]}).splitlines()[1].split()[:5] == [
        "digits",
        "3",
        "8",
        "1",
        str(int(diverged)),
    ]


@pytest.mark.slow
def test_a_seed_is_trained_the_same_whatever_came_before():
    trainer = seeds.Trainer(TASK, num_steps=1, num_filters=4, num_levels=1)
    first, other = trainer.losses(3), trainer.losses(4)
    assert len(first) == 3
    assert 3.0 < first[0] < 6.0
    assert first[0] != other[0]
    np.testing.assert_array_equal(trainer.losses(3), first)


@pytest.mark.slow
def test_a_training_that_fails_ends_with_nan():
    trainer = seeds.Trainer(
        TASK,
        num_steps=1,
        num_filters=4,
        num_levels=1,
        learning_rate=1e18,
        warmup_steps=0,
    )
    losses = trainer.losses(0)
    assert np.isnan(losses[-1])
    assert seeds.summary(losses)["diverged"]
    # The next run starts from new weights.
    np.testing.assert_array_equal(trainer.losses(0), losses)
