# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`write`: a page in HTML that shows a study of perception."""

import html
import math

import numpy as np

from tfp_glow import _files
from tfp_glow import datasets
from tfp_glow.analysis import pages
from tfp_glow.analysis.perception import charts
from tfp_glow.analysis.perception import ranks
from tfp_glow.analysis.perception import stimuli
from tfp_glow.analysis.perception import study

_WORDS = {
    "agrees": "\u2713 as people",
    "opposite": "\u2717 the opposite",
    "undecided": "\u2013 undecided",
}


def write(path, gray, color, shuffled_gray=(), shuffled_color=(), human=None):
    """Writes the page, one file that needs nothing else.

    Args:
        path: `.html` file.
        gray, color: lists of `GlowModel`s of gray and of RGB patches of
            photographs, of several training seeds, or of one.
        shuffled_gray, shuffled_color: lists of flows of shuffled pixels.
        human: bytes of a PNG file that compares with human judgments, or `None`.

    Returns:
        The numbers of the page, a dictionary of plain values.
    """
    with _files.replacing(path) as temporary:
        results = compute(gray, color, shuffled_gray, shuffled_color)
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(page(results, human))
    return numbers(results)


def compute(gray, color, shuffled_gray=(), shuffled_color=(), **arguments):
    """Returns everything that the page shows, a dictionary.

    `arguments` are those of `likelihood_curve`.
    """
    for name, flows, channels in (("gray", gray, 1), ("color", color, 3)):
        if not flows or {f.image_shape[2] for f in flows} != {channels}:
            raise ValueError(
                f"Expected `{name}` to be flows of patches with {channels} "
                f"channels. Received: {[flow.image_shape for flow in flows]}"
            )
    groups = {}
    for flows, shuffled in ((gray, shuffled_gray), (color, shuffled_color)):
        size, _, channels = flows[0].image_shape
        name = "photos" if channels == 3 else "photos_grey"
        training, held_out = (
            np.stack(
                list(
                    datasets.load(
                        name, split, image_size=size, shuffle=False
                    ).as_numpy_iterator()
                )
            )
            for split in ("train", "test")
        )
        groups[channels] = study.subjects(
            list(flows), training, held_out, shuffled
        )
    rows = []
    for make in stimuli.ILLUSIONS.values():
        size = gray[0].image_shape[0]
        stimulus = make(size)
        subjects = groups[stimulus.a.image.shape[2]]
        rows.append(study.run_row(subjects, stimulus, **arguments))
    size = groups[1].flows[0].image_shape[0]
    return {
        "rows": rows,
        "sweeps": study.gray_sweeps(groups[1], size),
        "matches": study.saturation_matches(groups[3], size),
        "held_out": {n: study.held_out_bits(s) for n, s in groups.items()},
        "num_seeds": [len(group.flows) for group in groups.values()],
    }


def numbers(results):
    """Returns the numbers of `compute` as plain values."""
    return {
        "stimuli": [row.to_dict() for row in results["rows"]],
        "sweeps": [sweep.to_dict() for sweep in results["sweeps"]],
        "saturation_matches": {
            condition: {
                name: [None if math.isnan(v) else v for v in values]
                for name, values in changes.items()
            }
            for condition, changes in results["matches"].items()
        },
        "held_out_bits_per_dim": {
            {1: "gray", 3: "color"}[n]: float(np.mean(bits))
            for n, bits in results["held_out"].items()
        },
    }


def page(results, human=None):
    """Returns the page of the results of `compute` as HTML."""
    rows = results["rows"]
    parts = [
        "<h1>Does the likelihood of image patches see an illusion?</h1>",
        _introduction(rows, results["num_seeds"]),
        "<h2>Predicted and seen</h2>",
        _table(rows),
        "<h2>The illusions</h2>",
        *map(_card, rows),
        "<h2>What the directions depend on</h2>",
        _sweeps(results["sweeps"]),
        "<h2>How much must saturation change?</h2>",
        _matches(results["matches"]),
        "<h2>How unusual the stimuli are</h2>",
        _typicality(results),
    ]
    if human is not None:
        parts += ["<h2>Human judgments</h2>", _human(human)]
    return pages.page("Likelihood and illusions", parts, numbers(results))


def kind(predicted, higher):
    """Returns how a prediction compares with what people see."""
    if predicted is None:
        return "undecided"
    return "agrees" if predicted == higher else "opposite"


def _introduction(rows, num_seeds):
    kinds = [
        kind(row.verdicts()[study.FLOW], row.stimulus.higher) for row in rows
    ]
    seeds = " and ".join(map(str, sorted(set(num_seeds))))
    return f"""
<p>Two targets of equal color look different in different surroundings. A flow
that was trained on patches of photographs knows how likely each color of the
target is, given its surround. Does that predict which target looks lighter?</p>
<p><strong>Of {len(rows)} illusions the flow predicts {kinds.count("agrees")} as
people see them and {kinds.count("opposite")} the opposite way;
{kinds.count("undecided")} stay undecided.</strong> Models that are far simpler
predict some of them too, so agreement does not mean that the flow explains
perception.</p>
<p>How to read this page: the color of a target is varied over its whole range.
The <em>percentile rank</em> of its own color says how much of the weight lies
at or below it. A dark surround makes dark targets likely, so gray has a high
rank there; a higher rank predicts that the target looks lighter, or more
saturated. Weights are exp(log p / T) with T = D ln 2, where D is the number of
values of a patch. All models see normal noise of {study.NOISE:g} gray levels
on the patches. A prediction counts if all training seeds (here: {seeds}) agree,
each by more than {ranks.MIN_DIFFERENCE} and by more than two standard errors
over the draws of the noise.</p>"""


def _table(rows):
    names = dict.fromkeys(n for row in rows for n in row.verdicts())
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    lines = []
    for row in rows:
        stimulus = row.stimulus
        seen = stimulus.labels["ab".index(stimulus.higher)]
        cells = f"<th>{html.escape(stimulus.name)}</th><td>{seen}</td>"
        verdicts = row.verdicts()
        for name in names:
            if name in verdicts:
                found = kind(verdicts[name], stimulus.higher)
                cells += f'<td class="{found}">{_WORDS[found]}</td>'
            else:
                cells += "<td>not trained</td>"
        lines.append(f"<tr>{cells}</tr>")
    return (
        '<div class="scroll"><table><thead><tr><th>illusion</th><th>people see '
        f"as higher</th>{head}</tr></thead><tbody>{''.join(lines)}</tbody>"
        "</table></div><p>The rule of local contrast says: the target that is "
        "lighter than the ring of pixels around it looks lighter. It fails "
        "where people see assimilation, as in White's illusion, so the table "
        "can tell a model of contrast from one of perception.</p>"
    )


def _card(row):
    stimulus = row.stimulus
    patches = (stimulus.a, stimulus.b)
    pictures = "".join(
        f"<figure>{pages.png(pages.png_bytes(p.image), f'Patch: {label}')}"
        f"<figcaption>{html.escape(label)}</figcaption></figure>"
        for p, label in zip(patches, stimulus.labels)
    )
    cutouts = "".join(
        pages.png(pages.png_bytes(_cutout(p), 8), f"The target alone: {label}")
        for p, label in zip(patches, stimulus.labels)
    )
    lines = "".join(
        f'<tr><td>{html.escape(label)}</td><td class="number">{_mean(row, n)}'
        f'</td><td class="number">{_mean(row, n, "rank_at_1")}</td></tr>'
        for n, label in zip("ab", stimulus.labels)
    )
    name = html.escape(stimulus.name)
    return f"""
<h3>{name[0].upper() + name[1:]}</h3>
<p>People: {html.escape(stimulus.sees)}. ({html.escape(stimulus.source)})</p>
<div class="patches">{pictures}<figure class="targets">{cutouts}
<figcaption>both targets, cut out: they are equal</figcaption></figure>
<div><table><tr><th>percentile rank</th><th>T = D ln 2</th><th>T = 1</th></tr>
{lines}</table></div></div>
<div class="charts">
{pages.chart(charts.likelihoods(row), f"{stimulus.name}: bits per dimension by the target's value, in both contexts")}
{pages.chart(charts.ranks(row), f"{stimulus.name}: percentile ranks by the target's value, in both contexts")}
{pages.chart(charts.differences(row), f"{stimulus.name}: difference of the ranks, for all models and controls")}
</div>
<p>Bits per dimension of the patches: {row.bits_per_dim:.2f}. Largest error of
decode(encode(x)): {row.round_trip:.1e} gray levels.</p>"""


def _mean(row, name, field="rank"):
    values = [
        getattr(getattr(comparison, name), field)
        for comparison in row.comparisons[study.FLOW]
    ]
    text = f"{np.mean(values):.3f}"
    if len(values) > 1:
        text += f" ({min(values):.3f} to {max(values):.3f})"
    return text


def _cutout(patch):
    rows, columns = np.nonzero(patch.mask)
    return patch.image[
        rows.min() : rows.max() + 1, columns.min() : columns.max() + 1
    ]


def _sweeps(sweeps):
    drawn = "".join(
        pages.chart(
            charts.sweep(sweep),
            f"{sweep.title}: difference of ranks by {sweep.x_label}",
        )
        for sweep in sweeps
    )
    return (
        "<p>Above zero is the way that people see the illusion.</p>"
        f'<div class="charts">{drawn}</div>'
    )


def _matches(matches):
    names = list(next(iter(matches.values())))
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    lines = "".join(
        f"<tr><td>{html.escape(condition)}</td>"
        + "".join(
            f'<td class="number">{_percents(changes[name])}</td>'
            for name in names
        )
        + "</tr>"
        for condition, changes in matches.items()
    )
    chart = pages.chart(
        charts.matches(matches),
        "Change of saturation that makes the ranks equal, by condition",
    )
    return f"""
<p>The essay that asked this question raised the saturation of one region of a
photograph by 24 % until the ranks were equal, and then saw equal colors. Here a
target of saturation 0.45 stands on surrounds of saturation 0.1 and 0.8. Unless
the condition says otherwise, it has 6x6 pixels, and the noise is
{study.NOISE:g} gray levels.</p>
<div class="charts">{chart}</div>
<div class="scroll"><table><tr><th>change in percent</th>{head}</tr>{lines}
</table></div>"""


def _percents(values):
    values = np.array(values)
    if np.isnan(values).any():
        reached = f"{np.sum(~np.isnan(values))} of {len(values)} seeds"
        return "not reached" if len(values) == 1 else f"reached in {reached}"
    text = f"{values.mean():+.0f}"
    if len(values) > 1:
        text += f" ({values.min():+.0f} to {values.max():+.0f})"
    return text


def _typicality(results):
    drawn = ""
    for channels, bits in results["held_out"].items():
        rows = [
            row
            for row in results["rows"]
            if row.stimulus.a.image.shape[2] == channels
        ]
        kind = "gray" if channels == 1 else "color"
        drawn += pages.chart(
            charts.typicality(bits, rows),
            f"Bits per dimension of unseen {kind} patches and of the stimuli",
        )
    return (
        "<p>Flat patches with sharp edges are unlike photographs. A likelihood "
        "far from those of photographs is an extrapolation.</p>"
        f'<div class="charts">{drawn}</div>'
    )


def _human(png):
    return f"<figure>{pages.png(png, 'Predicted against human judgments')}</figure>"
