# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the program that trains the models of the package."""

import json

import pytest

import tfp_glow as tfg
from benchmarks import shipped_models
from tfp_glow.train import run_folder

ROWS = (
    "epoch,step,seconds,bits_per_dim,val_bits_per_dim\n"
    "0,39,5.0,3.5,3.0\n1,78,9.5,4.5,4.0\n"
)


@pytest.fixture
def calls(monkeypatch):
    """Replaces the commands by ones that write small files; records them."""
    received = []

    def command(name, *arguments):
        received.append((name, *arguments))
        folder = arguments[-1].partition("=")[2]
        run = run_folder.RunFolder(folder)
        if name == "evaluate":
            run.write_json("evaluation.json", {"bits_per_dim": 3.5})
            return
        settings = tfg.presets.get("digits").settings.updated(
            num_levels=1, num_steps=1, num_filters=2
        )
        info = settings.data_info()
        with run.lock():
            run.prepare(settings, info, [])
        settings.make_model(info).save(run.file("model.keras"))
        with open(run.file("metrics.csv"), "w") as file:
            file.write(ROWS)

    monkeypatch.setattr(shipped_models, "command", command)
    return received


def test_a_trained_model_becomes_a_preset(tmp_path, calls):
    weights = tmp_path / "weights"
    metrics = shipped_models.ship("digits", 3, tmp_path, weights)
    run = tmp_path / "digits_3"
    assert calls == [
        ("train", "--preset=digits", "--seed=3", f"--out={run}"),
        ("evaluate", f"--run={run}"),
    ]
    assert json.loads((weights / "digits/metrics.json").read_text()) == metrics
    assert metrics["bits_per_dim"] == 3.5
    assert metrics["validation_bits_per_dim"] == 3.0
    assert (metrics["steps"], metrics["training_seconds"]) == (78, 9.5)
    assert metrics["settings"]["dataset"] == "digits"
    model = tfg.GlowModel.from_preset(weights / "digits")
    images = next(iter(tfg.datasets.load("digits", "test", 16)))
    log_prob = model.log_prob(images, seed=0).numpy().mean()
    assert tfg.bits_per_dim(log_prob, 64) == pytest.approx(
        metrics["first_images"]["bits_per_dim"], rel=1e-5
    )
    # A preset is never replaced, and that is known before the training.
    with pytest.raises(FileExistsError):
        shipped_models.ship("digits", 3, tmp_path, weights)
    assert len(calls) == 2
