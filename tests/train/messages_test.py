# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.train.messages`."""

import pytest

import tfp_glow as tfg
from tfp_glow.train import messages
from tfp_glow.train.settings import Settings


def test_a_header_has_the_data_the_model_and_the_length():
    info = tfg.datasets.DatasetInfo(
        "flowers", (8, 8, 3), 256, None, {"train": 1200, "test": 40}
    )
    model = tfg.GlowModel([8, 8, 3], num_levels=1, num_steps=2, num_filters=8)
    model.compile()
    model.optimizer.build(model.trainable_variables)
    # Weights, gradients, two moments and the average, of 4 bytes.
    size = f"{4 * 5 * model.count_params() / 2**20:.0f} MiB"
    number = f"{model.count_params():,} parameters"
    made = Settings(num_levels=1, batch_size=64, max_minutes=2.5, patience=1)
    # Activations: 64 images of 16 pixels, 2 steps, 4 * (12 + 8) floats each.
    lines = messages.header("a run", made, info, model).splitlines()
    assert lines[:4] == [
        "Data:    flowers: 1,200 train, 40 test images of 8x8x3, 256 gray levels",
        f"Model:   1 level of 2 steps, width 8: {number}",
        f"Memory:  {size} for weights, gradients and the optimizer, and about "
        "1 MiB for activations of a batch",
        "Epoch:   18 steps of 64 images; at most 100 epochs, or 2.5 minutes, or "
        "1 epoch without improvement",
    ]
    assert lines[4].startswith("Device:  ")
    again = "python -m tfp_glow train --out='a run'"
    assert lines[5] == f"Ctrl-C stops, and {again} goes on."


@pytest.mark.parametrize(
    ("validations", "seconds", "reason", "flags"),
    [
        ([3.0, 2.0], 1.0, "", []),
        ([3.0, 2.0], 60.0, "its time, 1 minute, is over", ["--max_minutes=2"]),
        (
            [1.0, 2.0, 3.0],
            1.0,
            "nothing better has come for 2 epochs",
            ["--patience=4"],
        ),
        ([5, 4, 3, 2, 1], 1.0, "it has had 5 epochs", ["--epochs=10"]),
    ],
)
def test_a_reason_to_stop_has_the_flag_that_goes_on(
    validations, seconds, reason, flags
):
    made = Settings(epochs=5, max_minutes=1.0, patience=2)
    found = messages.why_complete(made, seconds, validations)
    assert found == (reason, flags)
    assert messages.why_complete(made, 60.0, [1, 2, 3, 4, 5]) == (
        "it has had 5 epochs and its time, 1 minute, is over and nothing better "
        "has come for 4 epochs",
        ["--epochs=10", "--max_minutes=2", "--patience=8"],
    )


def test_commands_can_be_pasted_into_a_shell():
    printed = messages.commands("my run", Settings(), ["--epochs=200"])
    assert printed.splitlines() == [
        "Go on:   python -m tfp_glow train --out='my run' --epochs=200",
        "Look:    python -m tfp_glow sample --run='my run'",
    ]


def test_a_cosine_that_has_ended_does_not_go_on():
    made = Settings(decay="cosine")
    assert "Go on" not in messages.commands("a", made, ["--epochs=200"])
    assert "Go on" in messages.commands("a", made, ["--max_minutes=2"])
