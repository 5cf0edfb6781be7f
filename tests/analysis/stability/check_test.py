# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfg.stability.check`, its report and its page."""

import html.parser
import json

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tfp_glow.analysis.stability import report as report_

tfd = tfp.distributions


def images(count):
    return np.random.default_rng(0).integers(0, 16, [count, 4, 4, 1])


@pytest.fixture(scope="module")
def model():
    model = tfg.GlowModel(
        [4, 4, 1],
        bins=16,
        num_levels=1,
        num_steps=2,
        num_filters=4,
        num_classes=3,
        seed=0,
    )
    model.initialize(images(64), np.arange(64) % 3)
    return model


@pytest.fixture(scope="module")
def report(model):
    return tfg.stability.check(
        model,
        images(5),
        num_images=2,
        temperatures=[0.5],
        num_attack_steps=0,
        exact=False,
    )


def test_every_kind_of_images_is_measured(report):
    results = report.results
    kinds = list(results["inputs"])
    assert kinds[:2] == ["data", "samples, T = 0.5"] and len(kinds) == 11
    for kind in kinds:
        found = results["inputs"][kind]
        assert found["round_trip"]["float64 flow"]["9"]["max"] < 1e-9, kind
        assert 0 < found["round_trip"]["float32"]["1"]["max"] < 0.1, kind
        assert found["log_prob_error"]["float32"]["max_relative"] < 1e-4
    assert results["exact"] is results["attack"] is None
    assert [part["name"] for part in results["jacobian"]["parts"]] == [
        "level 0, step 0",
        "level 0, step 1",
        "level 0, prior",
    ]


@pytest.mark.slow
def test_the_exact_jacobian_and_attacks_of_small_images(model):
    results = tfg.stability.check(
        model, images(5), num_images=1, temperatures=[], num_attack_steps=2
    ).results
    exact, found = results["exact"], results["jacobian"]["inputs"]["data"]
    assert found["largest"] == pytest.approx(exact["largest"], rel=0.05)
    assert found["smallest"] == pytest.approx(exact["smallest"], rel=0.05)
    assert exact["log_det_error"] < 1e-10
    assert 0.0 < exact["shadow"]["distance"] < exact["shadow"]["window"]
    assert exact["shadow"]["gray_levels"] < 1e-3
    assert len(results["attack"]["log_prob"]["attacked"]) == 3


def test_bits_per_dim_are_those_of_the_model(model, report):
    # The first and the last of five images, of classes 0 and 1.
    x = model.distribution.dequantize(images(5)[[0, 4]])
    flow = model.distribution.distribution
    kwargs = model.conditioning_kwargs(np.array([0, 1]))
    nats = flow.log_prob(x, **kwargs) - 16 * np.log(16)
    expected = np.mean(tfg.bits_per_dim(nats, 16))
    found = report.results["inputs"]["data"]["bits_per_dim"]
    assert found == pytest.approx(expected, rel=1e-5)


def test_missed_targets_are_named(report):
    results = json.loads(json.dumps(report.results))
    found = results["inputs"]
    found["brick"]["round_trip"]["float32"]["1"]["median"] = 1.5
    found["grass"]["round_trip"]["float64 flow"]["9"]["share_not_finite"] = 0.1
    found["data"]["round_trip"]["float64 flow"]["1"]["median"] = float("nan")
    found["gravel"]["log_prob_error"]["float32"]["max_bits_per_dim"] = 1.0
    changed = report_.Report(results, report.pictures)
    assert list(changed.failures().values()) == [
        ["grass"],
        ["brick"],
        ["data"],
        ["gravel"],
    ]
    assert "no: brick" in changed.summary()
    assert "no" not in [
        line.rpartition(": ")[2][:2]
        for line in report.summary().splitlines()[-5:-2]
    ]


def test_the_page_holds_its_pictures_and_numbers(report, tmp_path):
    found = json.loads(json.dumps(report.results))
    found["inputs"]["data"]["round_trip"]["float32"]["9"]["max"] = float("nan")
    errors = {"attacked": [0.1, float("inf")], "random": [0.1, 0.2]}
    found["attack"] = {"round_trip": errors, "log_prob": errors}
    found["exact"] = {"error": "Expected a finite Jacobian"}
    changed = report_.Report(found, report.pictures)
    changed.write_page(tmp_path / "page.html", "A <title>")
    changed.to_json(tmp_path / "numbers.json")
    text = (tmp_path / "page.html").read_text()
    assert "Expected a finite Jacobian" in text
    assert "A &lt;title&gt;" in text and "A <title>" not in text

    sources = []

    class Parser(html.parser.HTMLParser):
        def handle_starttag(self, tag, attributes):
            attributes = dict(attributes)
            if tag == "img":
                assert attributes["alt"]
                sources.append(attributes["src"])
            assert tag not in ("link", "iframe")

    Parser().feed(text)
    # A picture of every kind, and seven charts.
    assert len(sources) == 11 + 7
    assert all(source.startswith("data:image/") for source in sources)
    numbers = text.split('id="numbers">')[1].split("</script>")[0]
    written = json.loads((tmp_path / "numbers.json").read_text())
    assert json.loads(numbers) == written
    maximum = written["inputs"]["data"]["round_trip"]["float32"]["9"]["max"]
    assert maximum is None


@pytest.mark.slow
def test_a_model_that_explodes_is_reported(model, tmp_path):
    bad = tfg.GlowModel.from_config(model.get_config())
    bad.set_weights(model.get_weights())
    scale = next(
        v for v in bad.glow.steps(0).variables if "log_scale" in v.name
    )
    scale.assign(-200.0 * tf.ones_like(scale))
    report = tfg.stability.check(
        bad, images(2), num_images=2, temperatures=[1.0], num_attack_steps=1
    )
    missed = list(report.failures().values())
    assert missed[0] == missed[1] == list(report.results["inputs"])
    found = report.results["inputs"]["samples, T = 1"]
    assert found["share_not_finite"] == 1.0
    report.write_page(tmp_path / "page.html")
    report.to_json(tmp_path / "numbers.json")
    json.loads((tmp_path / "numbers.json").read_text())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (dict(images=images(2)[:, :2]), ValueError, "batch of events"),
        (dict(images=images(2) + 16), ValueError, r"gray levels in \[0, 16\)"),
        (dict(images=images(0)), ValueError, "at least one event"),
        (dict(images=images(2) / 16.0), TypeError, "integers"),
        (dict(conditioning=[0]), ValueError, "conditioning"),
        (dict(conditioning=[0, 3]), ValueError, r"labels.*\[0, 3\)"),
        (dict(num_images=0), ValueError, "num_images"),
        (dict(num_attack_steps=-1), ValueError, "num_attack_steps"),
        (dict(temperatures=[-1.0]), ValueError, "temperatures"),
        (dict(temperatures=[float("nan")]), ValueError, "temperatures"),
    ],
)
def test_invalid_arguments_are_refused(model, arguments, error, message):
    with pytest.raises(error, match=message):
        tfg.stability.check(model, **{"images": images(2), **arguments})


def test_models_that_cannot_be_checked_are_refused():
    normal = tfd.Sample(tfd.Normal(tf.Variable(0.0), 1.0), [2, 2, 1])
    other = tfg.FlowModel(tfg.Dequantized(normal, bins=16))
    with pytest.raises(TypeError, match="Expected a GlowModel"):
        tfg.stability.check(other, images(2)[:, :2, :2])
    small = dict(num_levels=1, num_steps=1, num_filters=2)
    conditional = tfg.GlowModel([2, 2, 1], conditioning_size=3, **small)
    with pytest.raises(ValueError, match="Expected the conditioning"):
        tfg.stability.check(conditional, images(2)[:, :2, :2])
    large = tfg.GlowModel([32, 32, 3], **small)
    with pytest.raises(ValueError, match=r"at most 1024 dim.*Received: 3072"):
        tfg.stability.check(large, np.zeros([1, 32, 32, 3], int), exact=True)
