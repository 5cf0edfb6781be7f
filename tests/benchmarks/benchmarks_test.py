# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the comparison with other Glows, which itself takes an hour."""

import gzip
import json
import os
import pathlib
import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest
import tensorflow as tf

from benchmarks import cache
from benchmarks import compare
from benchmarks import compare_case
from benchmarks import compare_chart
from benchmarks import compare_environment
from benchmarks import compare_report
from benchmarks import xla_inputs

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_SIZES = dict(num_filters=64, image_size=32, num_levels=3)
_TIMES = ("step_seconds", "log_prob_seconds", "sample_seconds")


def _record(case, num_steps=32, batch_size=16, seconds=1.0, **measured):
    """Makes the record of one process."""
    return {
        "case": case,
        "num_steps": num_steps,
        "batch_size": batch_size,
        "code": compare.fingerprint(case),
        **_SIZES,
        "initialize_seconds": 0.5,
        "first_step_seconds": 10.0 * seconds,
        "peak_mib": 100.0 * seconds,
        "peak_total_mib": 100.0 * seconds + 600.0,
        "num_weights": 1000,
        **dict.fromkeys(_TIMES, seconds),
        **measured,
    }


def _plan(cases=("invert",), depths=(32,), rounds=1):
    return compare.plan(list(cases), list(depths), rounds, **_SIZES)


@pytest.fixture
def processes(monkeypatch):
    """Replaces the processes; the runs asked for are appended to the list."""
    runs = []

    def run_process(run):
        runs.append(run)
        if "check" in run.measures:
            return {"checked": True}
        return _record(run.case)

    monkeypatch.setattr(compare, "run_process", run_process)
    return runs


def test_medians_are_over_the_rounds_of_equal_runs():
    records = [_record("store", seconds=s) for s in (1.0, 7.0, 2.0)]
    records.append(_record("store", num_steps=4, seconds=5.0))
    medians = compare_report.medians(records)
    assert set(medians) == {("store", 32, 16), ("store", 4, 16)}
    row = medians["store", 32, 16]
    assert row["rounds"] == 3
    assert row["step_seconds"] == 2.0
    assert row["start_seconds"] == 20.5


def test_table_has_a_line_for_every_case_and_marks_missing_measurements():
    floor = _record("floor")
    del floor["sample_seconds"]
    records = [floor, _record("invert"), _record("invert", 4)]
    lines = compare_report.table(compare_report.medians(records)).splitlines()
    assert [line.split("  ")[0] for line in lines[1:4]] == [
        "tfp_glow, invert",
        "tfp_glow, invert",
        "networks alone",
    ]
    assert " - " in lines[3]
    assert " - " not in lines[2]
    assert max(map(len, lines)) <= 130


def test_targets_are_ratios_that_are_met_missed_or_not_measured():
    medians = compare_report.medians(
        [
            _record("invert", seconds=0.8),
            _record("recompute", seconds=1.0),
            _record("tfb_glow", seconds=2.0),
        ]
    )
    lines = compare_report.targets_table(medians).splitlines()
    step = next(line for line in lines if line.startswith("step / tfb.Glow"))
    assert "0.400 / 0.40 met" in step
    assert "0.500 / 0.40 missed" in step
    assert step.endswith(" -")


def test_targets_compare_depths_of_one_mode():
    medians = compare_report.medians(
        [_record("invert", 4), _record("invert", 64, seconds=1.2)]
    )
    ratios = {
        target.name: target.ratio(medians, "invert")
        for target in compare_report.TARGETS
    }
    assert ratios["first step, K=64 / K=4"] == pytest.approx(1.2)
    assert ratios["total memory, K=64 / K=4"] == pytest.approx(720 / 700)
    assert ratios["log_prob / networks"] is None


def test_every_case_has_a_label_and_a_module():
    assert set(compare_report.LABELS) == set(compare_case.MODULES)
    for module in compare_case.MODULES.values():
        path = _ROOT / "benchmarks" / "compare_cases" / f"{module}.py"
        assert path.exists()
    assert set(compare_environment.REQUIREMENTS) <= set(compare_case.MODULES)


def test_rounds_take_all_cases_in_turn():
    runs = _plan(["invert", "normflows"], [4, 8], rounds=2)
    assert [run.round for run in runs] == [0] * 6 + [1] * 4
    cases = [run.case for run in runs]
    assert cases == ["invert", "normflows"] * 5
    assert [run.measures for run in runs[:3]] == [
        ("check",),
        ("check",),
        ("train",),
    ]
    assert len({run.key for run in runs}) == len(runs)


def test_plan_covers_every_target():
    runs = _plan(compare_case.MODULES, [4, 8, 16, 32, 64])
    medians = compare_report.medians(
        {
            name: value
            for name, value in _record(
                run.case, run.sizes.num_steps, run.sizes.batch_size
            ).items()
            if name not in ("log_prob_seconds", "sample_seconds")
            or name.removesuffix("_seconds") in run.measures
        }
        for run in runs
        if "check" not in run.measures
    )
    for target in compare_report.TARGETS:
        for mode in target.limits:
            assert target.ratio(medians, mode) is not None, target.name


def test_plan_leaves_out_cases_that_take_minutes_to_start():
    deep = [run.case for run in _plan(compare_case.MODULES, [64])]
    assert deep.count("tfb_glow") == 1  # The check.
    assert deep.count("tfb_glow_threads") == 1
    assert deep.count("normflows") == 2


def test_unknown_case_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'inverted'.*mean 'invert'"):
        _plan(["store", "inverted"])


@pytest.mark.parametrize("depths, rounds", [([0], 1), ([4], 0)])
def test_numbers_must_be_positive(depths, rounds):
    with pytest.raises(ValueError, match="positive"):
        _plan(depths=depths, rounds=rounds)


def test_finished_processes_are_not_repeated(processes, tmp_path):
    path = str(tmp_path / "new" / "results.json")
    assert compare.run_all(_plan(), path) == []
    assert len(processes) == 2
    compare.run_all(_plan(rounds=2), path)
    assert [run.round for run in processes] == [0, 0, 1]
    assert len(cache.JsonFile(path).values()) == 3


def test_failures_are_returned_and_tried_again(tmp_path, monkeypatch, capsys):
    path = str(tmp_path / "results.json")

    def run_process(run):
        raise RuntimeError("exit status 1\nout of paper")

    with monkeypatch.context() as patch:
        patch.setattr(compare, "run_process", run_process)
        failed = compare.run_all(_plan(["invert", "store"]), path)
    # Nothing is measured of a case whose check failed.
    assert [(run.case, run.measures) for run in failed] == [
        ("invert", ("check",)),
        ("store", ("check",)),
    ]
    assert "out of paper" in capsys.readouterr().out
    assert not os.path.exists(path)


def test_report_is_made_of_results_of_the_sizes_asked_for(tmp_path, capsys):
    results = [
        {"case": "invert", "checked": True},
        _record("invert", 4),
        _record("tfb_glow", 4),
        {**_record("normflows", 4), "num_filters": 8},
        {**_record("store", 4), "code": "of another day"},
    ]
    chart = tmp_path / "docs" / "chart.png"
    compare.report(results, str(chart), **_SIZES)
    printed = capsys.readouterr().out
    assert "\ntfb.Glow  " in printed
    assert "\nnormflows  " not in printed
    assert "tfp_glow, store" not in printed
    assert chart.exists()
    compare.report(results, str(chart), **{**_SIZES, "num_levels": 1})
    assert "No results" in capsys.readouterr().out


def test_chart_is_a_wide_picture_with_colors(tmp_path):
    path = tmp_path / "chart.png"
    records = [
        _record(case, num_steps, seconds=num_steps)
        for case in ("invert", "tfb_glow", "normflows")
        for num_steps in (4, 8)
    ]
    compare_chart.save(path, compare_report.medians(records))
    pixels = matplotlib.image.imread(path)[..., :3]
    assert pixels.shape[1] > 2 * pixels.shape[0] > 600
    assert (pixels.max(-1) - pixels.min(-1)).max() > 0.5


def test_an_interrupted_installation_is_repeated(tmp_path, monkeypatch):
    commands = []

    def run(command, check):
        assert check
        commands.append(command)
        (tmp_path / "peers" / "normflows").mkdir(exist_ok=True)
        if "pip" in command and len(commands) == 2:
            raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(compare_environment, "FOLDER", tmp_path / "peers")
    monkeypatch.setattr(compare_environment.subprocess, "run", run)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(subprocess.CalledProcessError):
        compare_environment.python_of("normflows")
    python = compare_environment.python_of("normflows")
    assert len(commands) == 4
    assert compare_environment.python_of("normflows") == python
    assert len(commands) == 4
    assert compare_environment.python_of("store") == sys.executable


def test_results_that_are_not_finite_are_refused():
    with pytest.raises(FloatingPointError, match="nan"):
        compare_case.repeated(lambda: float("nan"))


@pytest.mark.slow
def test_a_process_measures_a_small_glow_of_ours():
    sizes = compare_case.Sizes(
        num_steps=1, batch_size=2, num_filters=4, image_size=8, num_levels=2
    )
    run = compare.Run("invert", sizes, compare_case.MEASURES)
    result = compare.run_process(run)
    for name in (*_TIMES, "build_seconds", "first_run_seconds", "peak_mib"):
        assert result[name] > 0, name
    assert result["last_loss"] < result["first_loss"]
    assert result["versions"]["keras"]


def test_a_process_that_fails_says_why():
    run = compare.Run("floor", compare_case.Sizes(), ("nothing",))
    with pytest.raises(RuntimeError, match="unknown measures: nothing"):
        compare.run_process(run)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["invert", "store_bfloat16_products"])
def test_programs_of_a_model_are_exported(case, tmp_path):
    process = subprocess.run(
        [
            sys.executable,
            str(_ROOT / "benchmarks" / "export_xla.py"),
            f"--cases={case}",
            f"--out={tmp_path}",
            "--num_steps=2",
            "--batch_size=2",
            "--num_filters=4",
            "--image_size=8",
            "--num_levels=1",
            "--num_losses=3",
        ],
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    losses = json.loads((tmp_path / case / "losses.json").read_text())
    assert losses == sorted(losses, reverse=True)
    assert len(set(losses)) == 3
    sizes = {}
    for name in ("step", "log_prob", "sample"):
        folder = tmp_path / case / name
        program = gzip.decompress((folder / "program.hlo.gz").read_bytes())
        assert b"while" in program
        facts = json.loads((folder / "facts.json").read_text())
        assert facts["flops"] > 0
        values = xla_inputs.load(folder)
        sizes[name] = sum(value.size for value in values[1:])
        kernels = json.loads((folder / "kernels.json").read_text())
        if name == "step":
            assert values[facts["learning_rate"]].shape == ()
            assert {"hidden", "zero"} == {
                "hidden" if kernel["std"] > 0.01 else "zero"
                for kernel in kernels.values()
            }
    # Weights, their two moments and average, and the count of steps.
    assert sizes["step"] > 2 * sizes["log_prob"] > 1000
    with np.load(tmp_path / "photographs.npz") as archive:
        photographs = [archive[name] for name in archive.files]
    [batch] = xla_inputs.batches(photographs, (2, 8), num_batches=1)
    np.testing.assert_array_equal(values[0].shape, (2, 192))
    assert batch.shape == (2, 8, 8, 3) and batch.dtype == np.float32
    assert batch.min() >= -0.5 and batch.max() < 0.5


def test_noise_in_the_place_of_a_kernel_has_its_mean_and_deviation():
    values = np.random.default_rng(0).normal(1.0, 2.0, (3, 3, 16, 16))
    kernel = tf.Variable(values, dtype=tf.float32)
    assert xla_inputs.is_kernel(values)
    assert not xla_inputs.is_kernel(values[0])
    description = xla_inputs.replace(kernel, seed=1)
    assert np.all(kernel != values)
    np.testing.assert_array_equal(kernel, xla_inputs.draw(**description))
    np.testing.assert_allclose(np.mean(kernel), values.mean(), atol=0.1)
    np.testing.assert_allclose(np.std(kernel), values.std(), atol=0.1)
    zeros = tf.Variable(tf.zeros([3, 3, 2, 2]))
    xla_inputs.replace(zeros, seed=1)
    np.testing.assert_array_equal(zeros, 0.0 * zeros)
