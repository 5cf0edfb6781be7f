# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the study of all illusions, and of the page that shows it."""

import html.parser
import json
import math

import numpy as np
import pytest
import skimage.filters

import tfp_glow as tfg
from tfp_glow.analysis import pages
from tfp_glow.analysis import perception
from tfp_glow.analysis.perception import report
from tfp_glow.analysis.perception import stimuli
from tfp_glow.analysis.perception import study

_SIZE = 8
_FEW = dict(num_values=16, num_draws=2)


def _flow(channels, seed=0, **arguments):
    size = dict(num_levels=1, num_steps=1, num_filters=4)
    arguments = size | arguments
    return tfg.GlowModel([_SIZE, _SIZE, channels], seed=seed, **arguments)


def _patches(channels, count=600):
    """Smooth patches, since neighbors in photographs are alike."""
    noise = np.random.default_rng(0).normal(
        size=[count, _SIZE, _SIZE, channels]
    )
    smooth = skimage.filters.gaussian(noise, (0, 1.5, 1.5, 0))
    levels = 128 + 40 * (smooth + 0.2 * noise) / smooth.std()
    return np.clip(levels, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def gray():
    patches = _patches(1)
    return study.subjects([_flow(1), _flow(1, 1)], patches, patches[:9])


@pytest.fixture(scope="module")
def results(gray):
    patches = _patches(3)
    color = study.subjects([_flow(3)], patches, patches[:9], [_flow(3, 1)])
    rows = [
        study.run_row(gray, stimuli.contrast(_SIZE, target_size=2), **_FEW),
        study.run_row(gray, stimuli.white(_SIZE, stripe=2), **_FEW),
        study.run_row(color, stimuli.saturation(_SIZE, target_size=2), **_FEW),
    ]
    sweep = study.sweep(
        gray,
        "Contrast",
        "brightness",
        lambda x: (stimuli.contrast(_SIZE, dark=x, target_size=2), {}),
        [0.1, 0.5],
        **_FEW,
    )
    matches = study.saturation_matches(
        color, _SIZE, {"red": ({"target_size": 2}, _FEW)}
    )
    held_out = {1: study.held_out_bits(gray), 3: study.held_out_bits(color)}
    return {
        "rows": rows,
        "sweeps": [sweep],
        "matches": matches,
        "held_out": held_out,
        "num_seeds": [2, 1],
    }


def test_a_gaussian_sees_contrast_and_independent_pixels_do_not(results):
    contrast, *_ = results["rows"]
    verdicts = contrast.verdicts()
    assert verdicts["Gaussian"] == "a"
    assert verdicts["independent pixels"] is None
    assert verdicts["local contrast"] == "a"


def test_local_contrast_fails_white(results):
    white = results["rows"][1]
    assert white.verdicts()["local contrast"] == "b" != white.stimulus.higher


def test_every_seed_is_compared_and_reported(results):
    contrast, _, saturation = results["rows"]
    assert len(contrast.comparisons["flow"]) == 2
    assert len(contrast.comparisons["untrained flow"]) == 2
    assert len(saturation.comparisons["flow of shuffled pixels"]) == 1
    assert set(contrast.controls) == {"turned", "inverted", "no context"}
    assert set(saturation.controls) == {"turned", "no context"}
    assert contrast.round_trip < 1e-9


def test_without_context_only_the_noise_differs(gray, results):
    [gaussian] = gray.densities["Gaussian"]
    stimulus = stimuli.contrast(_SIZE, target_size=2)
    few = dict(_FEW, noise=study.NOISE)
    comparisons = [study._without_context(gaussian, stimulus, **few)]
    for row in results["rows"]:
        comparisons += row.controls["no context"]
    for comparison in comparisons:
        assert comparison.predicted is None
        assert comparison.difference != 0.0
        assert comparison.standard_error > 0.0


def test_the_match_has_more_saturation_on_the_saturated_surround(results):
    [change] = results["matches"]["red"]["Gaussian"]
    assert change > 1.0
    [change] = results["matches"]["red"]["independent pixels"]
    assert change == pytest.approx(0.0, abs=0.5)


def test_a_verdict_needs_all_seeds(gray):
    stimulus = stimuli.contrast(_SIZE, target_size=2)
    [gaussian] = gray.densities["Gaussian"]
    there = perception.compare(gaussian, stimulus, **_FEW)
    turned = perception.compare(gaussian, stimulus.inverted(), **_FEW)
    assert (there.predicted, turned.predicted) == ("a", "b")
    assert study.verdict([there, there]) == "a"
    assert study.verdict([there, turned]) is None


class _Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.images, self.data, self.open = [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "img":
            self.images.append(attrs)
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["script"]:
            self.data += data


def test_the_page_is_whole_and_needs_no_other_file(results):
    text = report.page(results, human=pages.png_bytes(np.zeros([2, 2, 1])))
    page = _Page(text)
    assert not page.open
    # Two patches, two targets and three charts a stimulus; a sweep, the
    # matches, two histograms and the human judgments.
    assert len(page.images) == 3 * 7 + 1 + 1 + 2 + 1
    for image in page.images:
        assert image["src"].startswith("data:image/") and image["alt"]
    assert "http" not in text.replace("http://www.w3.org", "")
    assert json.loads(page.data) == json.loads(
        json.dumps(report.numbers(results))
    )
    for row in results["rows"]:
        assert row.stimulus.sees in html.unescape(text)


def test_the_summary_counts_predictions(results):
    kinds = [
        report.kind(row.verdicts()["flow"], row.stimulus.higher)
        for row in results["rows"]
    ]
    text = " ".join(report.page(results).split())
    assert (
        f"3 illusions the flow predicts {kinds.count('agrees')} as people "
        f"see them and {kinds.count('opposite')} the opposite way"
    ) in text
    assert report.kind("b", "a") == "opposite"
    assert report.kind(None, "a") == "undecided"


def test_matches_that_are_not_reached_are_said():
    assert report._percents([math.nan]) == "not reached"
    assert report._percents([math.nan, 3.0]) == "reached in 1 of 2 seeds"
    assert report._percents([30.2]) == "+30"
    assert report._percents([20.0, 40.0]) == "+30 (+20 to +40)"


def test_flows_of_other_patches_are_refused(tmp_path):
    for flow in (_flow(1, bins=17), tfg.GlowModel([8, 4, 1], num_levels=1)):
        with pytest.raises(ValueError, match="256 gray levels"):
            study.subjects([flow], _patches(1), _patches(1))


def test_flows_of_other_channels_are_refused(tmp_path):
    for gray, color in ([[_flow(3)], [_flow(3)]], [[_flow(1)], []]):
        with pytest.raises(ValueError, match="channels"):
            report.write(tmp_path / "page.html", gray, color)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_write_makes_the_page_or_nothing(tmp_path):
    path = tmp_path / "report.html"
    with pytest.raises(ValueError, match="256 gray levels"):
        report.write(path, [_flow(1, bins=17)], [_flow(3)])
    assert not list(tmp_path.iterdir())
    gray, color = (
        tfg.GlowModel(
            [16, 16, channels], num_levels=1, num_steps=1, num_filters=4
        )
        for channels in (1, 3)
    )
    numbers = report.write(path, [gray], [color])
    assert len(numbers["stimuli"]) == 6
    assert len(_Page(path.read_text()).images) > 50
