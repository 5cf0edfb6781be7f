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
    if results["attack"]:
        parts += [
            "<h2>The worst value in a cell</h2>",
            "<p>A gray level stands for a cell of values. An attack searches "
            "the cell of an image for the largest error; random noise tries as "
            f"many values on the corners of the cell. {told['attack']}</p>",
            '<div class="charts">',
            *(
                pages.chart(_attack(results["attack"][name], label), title)
                for name, label, title in (
                    (
                        "round_trip",
                        "round-trip error, gray levels",
                        "Round trip",
                    ),
                    ("log_prob", "error of log_prob, nats", "Log-density"),
                )
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


def _axes(num_rows, label):
    """Returns a figure and its axes, for one row for each kind or part."""
    figure = plots.figure(_WIDTH, 0.24 * num_rows + 1.3)
    axes = figure.subplots()
    axes.set_xscale("log")
    axes.set_xlim(_LEAST, _LARGEST)
    axes.set_xlabel(label)
    axes.grid(axis="x", color="#dddddd", lw=0.7)
    axes.set_axisbelow(True)
    return figure, axes


def _shown(values):
    """Returns numbers that an axis of logarithms can show."""
    values = np.array(values, float)
    values = np.where(np.isfinite(values), values, _LARGEST)
    return np.clip(values, _LEAST, _LARGEST)


def _rows(axes, names, *values):
    """Names the rows of a chart, and makes room for all its values."""
    axes.set_xlim(np.min(values) / 2.0, np.max(values) * 2.0)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)


def _legend(figure, columns):
    figure.legend(
        loc="outside upper left", frameon=False, fontsize="small", ncols=columns
    )


def _round_trips(results, passes):
    """Draws the median, 99.9 % and the maximum of every kind."""
    kinds = list(results["inputs"])
    number = {"1": "one pass", "9": "nine passes"}[passes]
    figure, axes = _axes(len(kinds), f"error after {number}, gray levels")
    drawn = [1.0]
    for (precision, color), shift in zip(_COLORS.items(), (-0.15, 0.15)):
        found = [
            results["inputs"][kind]["round_trip"][precision][passes]
            for kind in kinds
        ]
        median, high, largest = (
            _shown([f[name] for f in found])
            for name in ("median", "percentile_99_9", "max")
        )
        drawn += [*median, *largest]
        y = np.arange(len(kinds)) + shift
        axes.hlines(y, median, largest, color=color, lw=1.2)
        axes.plot(
            median, y, "o", color=color, ms=4, label=f"{precision}: median"
        )
        axes.plot(high, y, "|", color=color, ms=7, label="99.9 %")
        axes.plot(largest, y, "d", color=color, ms=3.5, label="max")
    axes.axvline(1.0, color=plots.COLORS["neutral"], lw=0.8, ls="--")
    _rows(axes, kinds, drawn)
    _legend(figure, 2)
    return figure


def _answers(results):
    kinds = list(results["inputs"])
    figure, axes = _axes(len(kinds), "error of log_prob, bits per dimension")
    drawn = [1e-5]
    for (precision, color), marker in zip(_COLORS.items(), "od"):
        errors = [
            results["inputs"][kind]["log_prob_error"][precision]
            for kind in kinds
        ]
        errors = _shown([e["max_bits_per_dim"] for e in errors])
        drawn += [*errors]
        axes.plot(
            errors,
            range(len(kinds)),
            marker,
            color=color,
            ms=5,
            label=precision,
        )
    axes.axvline(1e-5, color=plots.COLORS["neutral"], lw=0.8, ls="--")
    _rows(axes, kinds, drawn)
    _legend(figure, 2)
    return figure


def _parts(results):
    parts = results["jacobian"]["parts"]
    figure, axes = _axes(0.7 * len(parts), "condition number")
    levels = [int(part["name"].split(",")[0].split()[1]) for part in parts]
    values = _shown([part["condition_number"] for part in parts])
    colors = [_LEVELS[level % len(_LEVELS)] for level in levels]
    axes.barh(range(len(parts)), values, color=colors, height=0.8)
    _rows(axes, [part["name"] for part in parts], values)
    axes.tick_params(axis="y", labelsize="x-small")
    axes.set_xlim(left=1.0)
    return figure


def _extremes(results):
    found = results["jacobian"]["inputs"]
    figure, axes = _axes(len(found), "smallest and largest singular value")
    low, high = (
        np.array([extremes[name] for extremes in found.values()], float)
        for name in ("smallest", "largest")
    )
    low = 1.0 / _shown(np.where(low > 0.0, 1.0 / np.fmax(low, 1e-300), np.inf))
    high = _shown(high)
    color = _COLORS[flows.MIXED]
    axes.hlines(range(len(found)), low, high, color=color)
    axes.plot(low, range(len(found)), "<", color=color, ms=5)
    axes.plot(high, range(len(found)), ">", color=color, ms=5)
    _rows(axes, list(found), low, high)
    return figure


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
    _legend(figure, 2)
    return figure
