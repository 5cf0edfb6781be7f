# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`study`: all illusions under all models, with controls and sweeps."""

import dataclasses
import math

import numpy as np

from tfp_glow import models
from tfp_glow.analysis import density
from tfp_glow.analysis.perception import match
from tfp_glow.analysis.perception import ranks
from tfp_glow.analysis.perception import stimuli
from tfp_glow.distributions import baselines
from tfp_glow.distributions import units

FLOW = "flow"
_SWEEP = dict(num_values=64, num_draws=8)
# Standard deviation of the added noise, in gray levels.
NOISE = 4.0


@dataclasses.dataclass(frozen=True, eq=False)
class Subjects:
    """Models of patches, of one number of channels.

    Attributes:
        flows: list of `GlowModel`s, which differ in their training seed.
        densities: dictionary of a name to a list of `ImageDensity`, among them
            `FLOW`, one for each of `flows`.
        held_out: integer patches of photographs that no model has seen.
    """

    flows: list
    densities: dict
    held_out: np.ndarray


def subjects(flows, training, held_out, shuffled=()):
    """Returns `Subjects`: flows, and the baselines, fitted to patches.

    The baselines are the same flows untrained, a Gaussian with a full
    covariance matrix, and one of independent pixels.

    Args:
        flows: list of `GlowModel`s of square patches with 256 gray levels.
        training, held_out: integer patches `[N, H, W, C]`, which the flows were
            trained on, or not.
        shuffled: list of flows that were trained on patches whose pixels were
            shuffled, each patch in its own way.
    """
    size, _, channels = flows[0].image_shape
    for flow in [*flows, *shuffled]:
        if flow.image_shape != (size, size, channels) or flow.bins != 256:
            raise ValueError(
                f"Expected flows of {size}x{size}x{channels} patches with 256 "
                f"gray levels. Received: {flow.image_shape}, {flow.bins} levels"
            )
    # Some of every photograph, since the photographs follow one another.
    first = training[:: max(1, len(training) // 256)]
    others = {
        "untrained flow": [_untrained(flow, first) for flow in flows],
        "flow of shuffled pixels": list(shuffled),
        "Gaussian": [baselines.gaussian(training, 256)],
        "independent pixels": [baselines.diagonal_gaussian(training, 256)],
    }
    densities = {
        name: [density.of(model) for model in found]
        for name, found in ({FLOW: flows} | others).items()
        if found
    }
    return Subjects(flows, densities, held_out)


def _untrained(flow, images):
    model = models.GlowModel.from_config(flow.get_config())
    model.initialize(images)
    return model


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """One stimulus under all models.

    Attributes:
        stimulus: `Stimulus`.
        comparisons: dictionary of a model's name to a list of `Comparison`s,
            one for each training seed.
        controls: dictionary of a control's name to such a list of the flow.
        local_contrast: pair of `float`, of the targets a and b.
        bits_per_dim: `float`, of both patches under the flow.
        round_trip: `float`, the largest |x - decode(encode(x))| of both patches
            in gray levels.
    """

    stimulus: stimuli.Stimulus
    comparisons: dict
    controls: dict
    local_contrast: tuple
    bits_per_dim: float
    round_trip: float

    def verdicts(self):
        """Returns the predicted target by model, `"a"`, `"b"` or `None`."""
        a, b = self.local_contrast
        return {
            name: verdict(found) for name, found in self.comparisons.items()
        } | {"local contrast": "a" if a > b else "b"}

    def to_dict(self):
        """Returns the numbers, as plain values."""
        return {
            "stimulus": self.stimulus.name,
            "people_see_as_higher": self.stimulus.higher,
            "predicted": self.verdicts(),
            "local_contrast": list(self.local_contrast),
            "bits_per_dim": self.bits_per_dim,
            "round_trip_error": self.round_trip,
            **{
                part: {
                    name: [comparison.to_dict() for comparison in found]
                    for name, found in getattr(self, part).items()
                }
                for part in ("comparisons", "controls")
            },
        }


def verdict(comparisons):
    """Returns the target that all seeds predict, or `None` if undecided."""
    [predicted, *others] = {c.predicted for c in comparisons}
    return None if others else predicted


def run_row(subjects, stimulus, noise=NOISE, **arguments):
    """Returns the `Row` of a stimulus."""
    arguments |= {"noise": noise}
    stimulus = stimulus.with_channels(subjects.held_out.shape[-1])

    def compare_all(name, stimulus):
        return [
            ranks.compare(model, stimulus, **arguments)
            for model in subjects.densities[name]
        ]

    comparisons = {
        name: compare_all(name, stimulus) for name in subjects.densities
    }
    controls = {"turned": compare_all(FLOW, stimulus.turned())}
    if stimulus.a.property == "brightness":
        controls["inverted"] = compare_all(FLOW, stimulus.inverted())
    controls["no context"] = [
        _without_context(model, stimulus, **arguments)
        for model in subjects.densities[FLOW]
    ]
    patches = [stimulus.a, stimulus.b]
    flow = subjects.flows[0]
    levels = subjects.densities[FLOW][0].to_levels([p.image for p in patches])
    decoded = flow.decode(flow.encode(levels))
    own = [
        np.interp(c.patch.value, c.values, c.bits_per_dim)
        for c in (comparisons[FLOW][0].a.curve, comparisons[FLOW][0].b.curve)
    ]
    return Row(
        stimulus,
        comparisons,
        controls,
        tuple(stimuli.local_contrast(patch) for patch in patches),
        float(np.mean(own)),
        float(np.max(np.abs(decoded - levels))),
    )


def _without_context(model, stimulus, seed=0, **arguments):
    """Compares equal patches, whose difference is that of the noise."""
    stimulus = stimulus.without_context()
    a, b = (
        ranks.percentile_rank(model, patch, seed=s, **arguments)
        for patch, s in ((stimulus.a, seed), (stimulus.b, seed + 1))
    )
    return ranks.comparison(stimulus, a, b)


@dataclasses.dataclass(frozen=True)
class Sweep:
    """How a difference of ranks depends on one parameter.

    Attributes:
        title, x_label: `str`.
        x: list of `float`, the parameter.
        differences: dictionary of a model's name to an array `[seeds, len(x)]`,
            target a less target b.
    """

    title: str
    x_label: str
    x: list
    differences: dict

    def to_dict(self):
        """Returns the numbers, as plain values."""
        values = dataclasses.asdict(self)
        values["differences"] = {
            name: array.tolist() for name, array in self.differences.items()
        }
        return values


def sweep(subjects, title, x_label, make, x, names=(FLOW, "Gaussian"), **fixed):
    """Varies a stimulus or an argument of `compare`.

    Args:
        subjects: `Subjects`.
        title, x_label: see `Sweep`.
        make: callable from a value of `x` to a stimulus and a dictionary of
            arguments of `compare`.
        x: list of `float`.
        names: models to compare.
        **fixed: more arguments of `compare`.
    """
    differences = {name: [] for name in names}
    channels = subjects.held_out.shape[-1]
    for value in x:
        stimulus, varied = make(value)
        arguments = _SWEEP | {"noise": NOISE} | fixed | varied
        for name in names:
            differences[name].append(
                [
                    ranks.compare(
                        model, stimulus.with_channels(channels), **arguments
                    ).difference
                    for model in subjects.densities[name]
                ]
            )
    differences = {n: np.transpose(d) for n, d in differences.items()}
    return Sweep(title, x_label, list(x), differences)


def gray_sweeps(subjects, size):
    """Returns `Sweep`s of the gray illusions."""
    large = [2, 4, 6, 8, 10]
    log_2 = size * size * math.log(2.0)

    def white(**parameters):
        return stimuli.white(size, **parameters), {}

    rows = [
        (
            "Contrast: surround",
            "brightness of the dark surround (light: 1 less that)",
            lambda x: (stimuli.contrast(size, dark=x, light=1.0 - x), {}),
            [0.0, 0.1, 0.2, 0.3, 0.4, 0.5],
        ),
        (
            "Contrast: target",
            "side of the target, in pixels",
            lambda x: (stimuli.contrast(size, target_size=x), {}),
            large,
        ),
        (
            "Contrast: added noise",
            "standard deviation, in gray levels",
            lambda x: (stimuli.contrast(size), {"noise": x}),
            [0.0, 2.0, 4.0, 8.0, 16.0],
        ),
        (
            "Contrast: temperature",
            "log10 of the temperature",
            lambda x: (stimuli.contrast(size), {"temperature": 10.0**x}),
            [0.0, 0.5, 1.0, 1.5, 2.0, math.log10(log_2), 2.75, 3.25],
        ),
        (
            "White: stripes",
            "width of a stripe, in pixels",
            lambda x: white(stripe=x),
            [2, 4, 6, 8],
        ),
        (
            "White: target",
            "length of the target, in pixels",
            lambda x: white(target_length=x),
            large,
        ),
        (
            "White: added noise",
            "standard deviation, in gray levels",
            lambda x: (stimuli.white(size), {"noise": x}),
            [0.0, 2.0, 4.0, 8.0, 16.0],
        ),
        (
            "Checkerboard: checks",
            "side of a check, in pixels",
            lambda x: (stimuli.checkerboard(size, check=x), {}),
            [2, 4, 6, 8],
        ),
    ]
    return [sweep(subjects, *row) for row in rows]


# The experiment with saturation: how it is varied, and the arguments of the
# stimulus and of the match.
MATCHES = {
    "red": (dict(), dict()),
    "yellow": (dict(hue=1 / 6), dict()),
    "green": (dict(hue=1 / 3), dict()),
    "blue": (dict(hue=2 / 3), dict()),
    "red, no noise": (dict(), dict(noise=0.0)),
    "red, noise of 16 gray levels": (dict(), dict(noise=16.0)),
    "red, target of 4 pixels": (dict(target_size=4), dict()),
    "red, target of 8 pixels": (dict(target_size=8), dict()),
    "red, surrounds 0.3 and 0.6": (dict(low=0.3, high=0.6), dict()),
    "red, temperature 100": (dict(), dict(temperature=100.0)),
    "red, temperature 1": (dict(), dict(temperature=1.0)),
}


def saturation_matches(subjects, size, conditions=None):
    """Returns by how many percent saturation must rise for equal ranks.

    The target on the saturated surround is changed until its rank is that of
    the target on the grayish one. `conditions` are by default `MATCHES`.

    Returns:
        Dictionary of a condition of `MATCHES` to a dictionary of a model's name
        to a list of `float`, one for each training seed; NaN where no
        saturation has the rank.
    """
    results = {}
    for condition, (parameters, arguments) in (conditions or MATCHES).items():
        stimulus = stimuli.saturation(size, **parameters)
        arguments = {
            "noise": NOISE,
            "num_draws": 8,
            "num_values": 256,
        } | arguments
        results[condition] = {
            name: [
                _change(model, stimulus, **arguments)
                for model in subjects.densities[name]
            ]
            for name in subjects.densities
        }
    return results


def _change(model, stimulus, **arguments):
    try:
        return match.match_percentile(
            model, stimulus.a, stimulus.b, **arguments
        ).change_percent
    except ValueError:
        return math.nan


def held_out_bits(subjects):
    """Returns the bits per dimension of unseen photographs, array `[N]`."""
    model = subjects.densities[FLOW][0]
    log_probs = model.log_prob(subjects.held_out, model.draw_noise(0))
    return units.bits_per_dim(log_probs, model.event_size)
