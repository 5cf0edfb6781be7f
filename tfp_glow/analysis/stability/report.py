# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`Report`: the results of a check, as text, JSON or a page."""

import dataclasses
import itertools
import json
import pathlib

import numpy as np

from tfp_glow import _files
from tfp_glow.analysis.stability import flows
from tfp_glow.analysis.stability import page
from tfp_glow.analysis.stability import round_trips

# The largest errors that a kind of images may have.
MAX_MEDIAN_SINGLE = 1.0  # Gray levels.
MAX_MEDIAN_MIXED = 1e-6  # Gray levels.
MAX_LOG_PROB_ERROR = 1e-5  # Bits per dimension.


@dataclasses.dataclass(frozen=True, eq=False)
class Report:
    """The results of `check`.

    Attributes:
        results: dictionary of plain values, which docs/stability.md describes.
        pictures: dictionary of a kind of images to the first one, integers
            `[H, W, C]`.
    """

    results: dict
    pictures: dict

    def failures(self):
        """Returns the targets, and the kinds of images that miss them.

        A dictionary of the target as text to a list of names, which is empty if
        all kinds meet it.
        """
        found = self.results["inputs"]

        def median(kind, precision):
            return found[kind]["round_trip"][precision]["1"]["median"]

        def error(kind):
            errors = found[kind]["log_prob_error"][flows.SINGLE]
            return errors["max_bits_per_dim"]

        targets = {
            "every value is finite": lambda kind: (
                round_trips.share_not_finite(found[kind]) == 0.0
            ),
            f"float32: the median error of a round trip is below "
            f"{MAX_MEDIAN_SINGLE:g} gray level": lambda kind: (
                median(kind, flows.SINGLE) < MAX_MEDIAN_SINGLE
            ),
            f"float64 flow: the median error of a round trip is below {MAX_MEDIAN_MIXED:g} gray levels": lambda kind: (
                median(kind, flows.MIXED) < MAX_MEDIAN_MIXED
            ),
            f"float32: log_prob is exact to {MAX_LOG_PROB_ERROR:g} bits per "
            "dimension": lambda kind: error(kind) < MAX_LOG_PROB_ERROR,
        }
        # A comparison with NaN is false, so NaN misses a target.
        return {
            text: [kind for kind in found if not is_met(kind)]
            for text, is_met in targets.items()
        }

    def guilty(self):
        """Returns the name of the part with the largest condition number."""
        parts = self.results["jacobian"]["parts"]
        return parts[int(np.argmax([p["condition_number"] for p in parts]))]

    def summary(self):
        """Returns a table of the results, lines of text."""
        lines = [
            "",
            "Errors of decode(encode(x)) in gray levels; nine: after nine passes",
            "",
            f"{'':20}{'float32':^30}{'float64 flow':^20}{'not':>8}"
            f"{'log_prob':>12}",
            f"{'':20}{'median':>10}{'max':>10}{'nine, max':>10}{'median':>10}"
            f"{'max':>10}{'finite':>8}{'error, b/d':>12}",
        ]
        for name, found in self.results["inputs"].items():
            single, mixed = (
                found["round_trip"][p] for p in (flows.SINGLE, flows.MIXED)
            )
            share = round_trips.share_not_finite(found)
            error = found["log_prob_error"][flows.SINGLE]["max_bits_per_dim"]
            lines.append(
                f"{name:20}{single['1']['median']:10.2g}{single['1']['max']:10.2g}"
                f"{single['9']['max']:10.2g}{mixed['1']['median']:10.2g}"
                f"{mixed['1']['max']:10.2g}{100 * share:6.3g} %{error:12.2g}"
            )
        told = self.sentences().values()
        lines += ["", *itertools.chain.from_iterable(told), ""]
        lines += [
            f"{text}: {'yes' if not missed else 'no: ' + ', '.join(missed)}"
            for text, missed in self.failures().items()
        ]
        return "\n".join([*lines, ""])

    def sentences(self):
        """Returns results that the table lacks: subjects to sentences."""
        results = self.results
        data = results["jacobian"]["inputs"]["data"]
        levels = results["jacobian"]["levels"]
        guilty = self.guilty()
        invert = results["gradients"]["invert"]["store"]
        jacobian = [
            f"Jacobian on data: singular values from {data['smallest']:.3g} to "
            f"{data['largest']:.3g}, condition number "
            f"{data['condition_number']:.3g}.",
            "Levels: "
            + ", ".join(f"{p['condition_number']:.3g}" for p in levels)
            + f"; the largest part: {guilty['name']}, "
            f"{guilty['condition_number']:.3g}.",
        ]
        exact = results["exact"] or {}
        if "error" in exact:
            jacobian.append(f"Exact Jacobian: {exact['error']}.")
        elif exact:
            jacobian.append(
                f"Exact Jacobian: condition number "
                f"{exact['condition_number']:.3g}; log-det "
                f"{exact['log_det']:.6g}, error of the analytic one "
                f"{exact['log_det_error']:.2g} nats."
            )
            near = exact["shadow"]
            jacobian.append(
                "Shadow: an exact trajectory starts within "
                f"{near['gray_levels']:.2g} gray levels of the image, where "
                f"log_prob differs by {near['log_prob_change']:.2g} nats; "
                f"distance {near['distance']:.2g}, window {near['window']:.2g}."
            )
        found = {"jacobian": jacobian}
        if attacks := results["attack"]:
            trip, answer = attacks["round_trip"], attacks["log_prob"]
            found["attack"] = [
                f"Attack in one cell, {len(trip['attacked']) - 1} steps: round "
                f"trip {trip['attacked'][-1]:.2g} gray levels (random noise "
                f"{trip['random'][-1]:.2g}), log_prob "
                f"{answer['attacked'][-1]:.2g} nats ({answer['random'][-1]:.2g})."
            ]
        found["gradients"] = [
            f"Gradients of invert and store: angle {invert['angle']:.2g} degrees, "
            f"relative distance {invert['relative_distance']:.2g}."
        ]
        return found

    def to_dict(self):
        """Returns the results as plain values, without NaN or infinity."""
        return json.loads(
            json.dumps(self.results), parse_constant=lambda _: None
        )

    def to_json(self, path):
        """Writes the results to a file."""
        _write(path, json.dumps(self.to_dict(), indent=2) + "\n")

    def write_page(self, path, title="Stability of a flow"):
        """Writes a page in HTML that needs no other files."""
        _write(path, page.page(self, title))


def _write(path, text):
    with _files.replacing(path) as temporary:
        pathlib.Path(temporary).write_text(text, encoding="utf-8")
