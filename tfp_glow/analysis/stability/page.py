# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The page of a `Report`: verdicts, tables and charts."""

import html

import numpy as np

from tfp_glow.analysis import pages
from tfp_glow.analysis.perception import plots
from tfp_glow.analysis.stability import flows
from tfp_glow.analysis.stability import round_trips

# Okabe and Ito's colors.
_COLORS = {flows.SINGLE: "#D55E00", flows.MIXED: "#0072B2"}
_LEVELS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
_WIDTH = 4.6  # Inches, at 72 pixels.
# Charts show zero, which has no logarithm, and values that are not finite at
# these limits.
_LEAST, _LARGEST = 1e-16, 1e16


def page(report, title):
    """Returns the page as text."""
    results = report.results
    told = {
        subject: html.escape(" ".join(sentences))
        for subject, sentences in report.sentences().items()
    }
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        _introduction(report),
        "<h2>Round trips</h2>",
        "<p>Differences of x and decode(encode(x)), in gray levels. "
        "<em>float32</em> is the flow as it trains. <em>float64 flow</em> is "
        "that of <code>encode</code> and <code>decode</code>: float64 around "
        "networks as they train. The broken line is one gray level. Errors "
        "of 0 are drawn at 1e-16, and those that are not finite at 1e16.</p>",
        '<div class="charts">',
        pages.chart(_round_trips(results, "1"), "Round trips: one pass"),
        pages.chart(_round_trips(results, "9"), "Round trips: nine passes"),
        "</div>",
        _table(report),
        "<h2>The answer</h2>",
        "<p>Differences of log_prob from a flow that computes in float64 "
        "everywhere. Unusual images are thousands of nats from data, where "
        "float32 has few digits left. The broken line is 1e-5 bits per "
        "dimension.</p>",
        '<div class="charts">',
        pages.chart(_answers(results), "Errors of log_prob by kind of images"),
        "</div>",
        "<h2>Which step is to blame</h2>",
        f"<p>{told['jacobian']} A condition number "
        "is the largest singular value of the Jacobian over the smallest: the "
        "factor by which a relative error can grow.</p>",
        '<div class="charts">',
        pages.chart(_parts(results), "Condition numbers of steps and priors"),
        pages.chart(_extremes(results), "Singular values by kind of images"),
        "</div>",
    ]
    if attacks := results["attack"]:
        parts += [
            "<h2>The worst value in a cell</h2>",
            "<p>A gray level stands for a cell of values. An attack searches "
            "the cell of an image for the largest error; random noise tries as "
            f"many values on the corners of the cell. {told['attack']}</p>",
            '<div class="charts">',
            pages.chart(
                _attack(attacks["round_trip"], "round-trip error, gray levels"),
                "Round trip",
            ),
            pages.chart(
                _attack(attacks["log_prob"], "error of log_prob, nats"),
                "Log-density",
            ),
            "</div>",
        ]
    parts += ["<h2>Gradients</h2>", f"<p>{told['gradients']}</p>"]
    return pages.page(title, parts, report.to_dict())


def _introduction(report):
    model = report.results["model"]
    shape = "x".join(map(str, model["image_shape"]))
    lines = ""
    for text, missed in report.failures().items():
        kind, word = ("opposite", "no: ") if missed else ("agrees", "yes")
        names = html.escape(word + ", ".join(missed))
        sign = "\u2717" if missed else "\u2713"
        lines += (
            f'<tr><td class="{kind}" style="white-space:normal">{sign} {names}'
            f"</td><td>{html.escape(text)}</td></tr>"
        )
    return (
        f"<p>Images of {shape}, {model['bins']} gray levels; "
        f"{model['num_levels']} levels of {model['num_steps']} steps. Is it "
        "exact, on every kind of images?</p>"
        f'<div class="scroll"><table>{lines}</table></div>'
    )


def _table(report):
    head = "".join(
        f"<th>{name}</th>"
        for name in (
            "",
            "images",
            "bits/dim",
            "float32: median",
            "99.9 %",
            "max",
            "nine passes: max",
            "float64 flow: median",
            "max",
            "not finite",
            "log_prob: nats",
            "bits/dim",
        )
    )
    lines = ""
    for name, found in report.results["inputs"].items():
        single, mixed = (
            found["round_trip"][p] for p in (flows.SINGLE, flows.MIXED)
        )
        answer = found["log_prob_error"][flows.SINGLE]
        share = round_trips.share_not_finite(found)
        bins = report.results["model"]["bins"]
        picture = pages.png(
            pages.png_bytes(report.pictures[name] / (bins - 1), 2), name
        )
        numbers = (
            f"{found['bits_per_dim']:.4g}",
            f"{single['1']['median']:.2g}",
            f"{single['1']['percentile_99_9']:.2g}",
            f"{single['1']['max']:.2g}",
            f"{single['9']['max']:.2g}",
            f"{mixed['1']['median']:.2g}",
            f"{mixed['1']['max']:.2g}",
            f"{100 * share:.3g} %",
            f"{answer['max_nats']:.2g}",
            f"{answer['max_bits_per_dim']:.2g}",
        )
        cells = "".join(f'<td class="number">{n}</td>' for n in numbers)
        lines += (
            f"<tr><th>{html.escape(name)}</th><td>{picture}</td>{cells}</tr>"
        )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def _axes(names, label, values, row=0.24):
    """Returns a figure and its axes, with a row of some inches for each name."""
    figure = plots.figure(_WIDTH, row * len(names) + 1.3)
    axes = figure.subplots()
    axes.set_xscale("log")
    axes.set_xlim(np.min(values) / 2.0, np.max(values) * 2.0)
    axes.set_xlabel(label)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="x", color="#dddddd", lw=0.7)
    axes.set_axisbelow(True)
    return figure, axes


def _shown(values):
    """Returns numbers that an axis of logarithms can show."""
    values = np.array(values, float)
    values = np.where(np.isfinite(values), values, _LARGEST)
    return np.clip(values, _LEAST, _LARGEST)


def _marks(kinds, label, series, limits=()):
    """Draws numbers of every kind as marks in a row.

    A series is a color and a list of marks, each with numbers, a marker and a
    name. A line joins its first and its last mark.
    """
    drawn = [numbers for _, marks in series for numbers, *_ in marks]
    figure, axes = _axes(kinds, label, np.hstack([*drawn, limits]))
    for i, (color, marks) in enumerate(series):
        y = np.arange(len(kinds)) + 0.3 * i - 0.15 * (len(series) - 1)
        axes.hlines(y, marks[0][0], marks[-1][0], color=color, lw=1.2)
        for numbers, marker, name in marks:
            axes.plot(numbers, y, marker, color=color, ms=5, label=name)
    for limit in limits:
        axes.axvline(limit, color=plots.COLORS["neutral"], lw=0.8, ls="--")
        plots.legend(figure)
    return figure


def _round_trips(results, passes):
    number = {"1": "one pass", "9": "nine passes"}[passes]
    kinds, series = results["inputs"], []
    for precision, color in _COLORS.items():
        found = [f["round_trip"][precision][passes] for f in kinds.values()]
        marks = [
            (_shown([f[name] for f in found]), marker, label)
            for name, marker, label in (
                ("median", "o", f"{precision}: median"),
                ("percentile_99_9", "|", "99.9 %"),
                ("max", "d", "max"),
            )
        ]
        series.append((color, marks))
    label = f"error after {number}, gray levels"
    return _marks([*kinds], label, series, limits=[1.0])


def _answers(results):
    kinds, series = results["inputs"], []
    for (precision, color), marker in zip(_COLORS.items(), "od"):
        found = [f["log_prob_error"][precision] for f in kinds.values()]
        errors = _shown([f["max_bits_per_dim"] for f in found])
        series.append((color, [(errors, marker, precision)]))
    label = "error of log_prob, bits per dimension"
    return _marks([*kinds], label, series, limits=[1e-5])


def _parts(results):
    parts = results["jacobian"]["parts"]
    names = [part["name"] for part in parts]
    values = _shown([part["condition_number"] for part in parts])
    figure, axes = _axes(names, "condition number", values, row=0.17)
    levels = [int(name.split(",")[0].split()[1]) for name in names]
    colors = [_LEVELS[level % len(_LEVELS)] for level in levels]
    axes.barh(range(len(parts)), values, color=colors, height=0.8)
    axes.tick_params(axis="y", labelsize="x-small")
    axes.set_xlim(left=1.0)
    return figure


def _extremes(results):
    found = results["jacobian"]["inputs"]
    low, high = (
        np.array([extremes[name] for extremes in found.values()], float)
        for name in ("smallest", "largest")
    )
    low = 1.0 / _shown(np.where(low > 0.0, 1.0 / np.fmax(low, 1e-300), np.inf))
    marks = [(low, "<", None), (_shown(high), ">", None)]
    label = "smallest and largest singular value"
    return _marks([*found], label, [(_COLORS[flows.MIXED], marks)])


def _attack(found, label):
    figure = plots.figure(_WIDTH, 3.1)
    axes = figure.subplots()
    for name, color, style in (
        ("attacked", "#D55E00", "-"),
        ("random", "#0072B2", "--"),
    ):
        axes.plot(found[name], style, color=color, label=name)
    axes.set_xlabel("values tried")
    axes.set_ylabel(f"largest {label}")
    axes.set_ylim(bottom=0.0)
    plots.legend(figure)
    return figure
