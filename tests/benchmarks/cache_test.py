# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `benchmarks.cache`."""

import json
import os

import pytest

from benchmarks import cache

_CACHES = pytest.mark.parametrize("make", [cache.JsonFile, cache.JsonFolder])


@_CACHES
def test_results_are_found_by_the_next_call(make, tmp_path):
    path = tmp_path / "new" / "results"
    results = make(path)
    assert "a" not in results
    results["a"] = {"nats": 1.0}
    results["b"] = {"nats": 2.0}
    again = make(path)
    assert "a" in again and "c" not in again
    assert again["a"] == {"nats": 1.0}
    assert again["b"] == results["b"] == {"nats": 2.0}


@_CACHES
def test_an_interruption_keeps_finished_results(make, tmp_path, monkeypatch):
    path = tmp_path / "results"
    results = make(path)
    results["a"] = {"nats": 1.0}
    before = sorted(tmp_path.rglob("*"))

    def interrupted(value, file, **_):
        file.write('{"half": ')
        raise KeyboardInterrupt

    monkeypatch.setattr(json, "dump", interrupted)
    with pytest.raises(KeyboardInterrupt):
        results["b"] = {"nats": 2.0}
    assert sorted(tmp_path.rglob("*")) == before
    assert "b" not in results
    assert make(path)["a"] == {"nats": 1.0}


def test_a_failure_is_returned_and_the_next_run_starts(tmp_path, capsys):
    def measure(run):
        if run == 2:
            raise RuntimeError("out of paper")
        return {"run": run}

    results = cache.JsonFile(tmp_path / "results.json")
    runs = {"one": 1, "two": 2, "three": 3, "four": 4}
    failed = cache.run_all(
        runs,
        results,
        measure,
        has_to_run=lambda run, failed: run < 4 or not failed,
    )
    assert failed == [2]
    assert "2 of 4: two\n  failed: out of paper" in capsys.readouterr().out
    assert [result["run"] for result in results.values()] == [1, 3]
    assert all(result["time"] for result in results.values())
    assert os.listdir(tmp_path) == ["results.json"]
