# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Makes the page of illusions with flows of several training seeds.

`python benchmarks/perception_page.py` trains the presets of photographic
patches, each with three seeds, and the gray one also on patches whose pixels are
shuffled. It writes docs/perception.html, docs/perception.png and
docs/perception.json, and prints the tables that docs/perception.md quotes.
Training takes an hour on two CPU cores, and finished runs are not repeated. The
page takes ten minutes.

`python -m tfp_glow perception report` makes the same page with the models that
ship, of one seed.
"""

import io
import json
import pathlib
import subprocess
import sys

import PIL.Image
from absl import app
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from benchmarks import human_models
from tfp_glow import _files
from tfp_glow.analysis.perception import charts
from tfp_glow.analysis.perception import report
from tfp_glow.analysis.perception import study

_SEEDS = flags.DEFINE_integer("page_seeds", 3, "training seeds", lower_bound=1)
_RUNS = flags.DEFINE_string(
    "page_runs", "runs/human_illusions", "folder of the runs"
)
_HUMAN = flags.DEFINE_string(
    "page_human", "docs/human_illusions.png", "chart of human judgments"
)
_OUT = flags.DEFINE_string("page_out", "docs", "folder to write")


def train_color(folder, seeds):
    """Trains the preset of RGB patches with each seed; returns the runs."""
    runs = [pathlib.Path(folder, f"color_{seed}") for seed in seeds]
    for run, seed in zip(runs, seeds):
        command = [sys.executable, "-m", "tfp_glow", "train"]
        command += ["--preset=photo_patches", f"--seed={seed}", f"--out={run}"]
        subprocess.run(command, check=True)
    return runs


def tables(numbers):
    """Returns the tables of the page in Markdown."""
    names = dict.fromkeys(n for r in numbers["stimuli"] for n in r["predicted"])
    lines = [
        f"| illusion | people see as higher | {' | '.join(names)} |",
        "|---|---|" + "---|" * len(names),
    ]
    for row in numbers["stimuli"]:
        higher = row["people_see_as_higher"]
        cells = [row["stimulus"], higher]
        for name in names:
            if name in row["predicted"]:
                kind = report.kind(row["predicted"][name], higher)
                cells.append(f"{kind}, {_differences(row, name)}")
            else:
                cells.append("not trained")
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| saturation | flow | Gaussian |", "|---|---|---|"]
    for condition, changes in numbers["saturation_matches"].items():
        cells = [
            ", ".join("-" if v is None else f"{v:+.0f}" for v in changes[name])
            for name in (study.FLOW, "Gaussian")
        ]
        lines.append(f"| {condition} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _with_palette(path):
    """Returns a PNG file with 128 colors, a third as large."""
    buffer = io.BytesIO()
    image = PIL.Image.open(path).convert("RGB").quantize(128)
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _differences(row, name):
    if name not in row["comparisons"]:
        return f"{row['local_contrast'][0] - row['local_contrast'][1]:+.2f}"
    return " ".join(
        f"{comparison['difference']:+.2f}"
        for comparison in row["comparisons"][name]
    )


def main(_):
    seeds = range(_SEEDS.value)
    gray, shuffled = human_models.train(_RUNS.value, seeds)
    color = train_color(_RUNS.value, seeds)
    gray, shuffled, color = (
        [human_models.load(run) for run in runs]
        for runs in (gray, shuffled, color)
    )
    write(gray, color, shuffled)


def write(gray, color, shuffled):
    """Writes the page, the picture and the numbers of loaded models."""
    human, out = pathlib.Path(_HUMAN.value), pathlib.Path(_OUT.value)
    results = report.compute(gray, color, shuffled)
    chart = _with_palette(human) if human.exists() else None
    with _files.replacing(out / "perception.html") as new:
        pathlib.Path(new).write_text(report.page(results, chart))
    with _files.replacing(out / "perception.png") as new:
        figure = charts.summary(results["rows"])
        figure.savefig(new, dpi=110, format="png")
    numbers = report.numbers(results)
    with _files.replacing(out / "perception.json") as new:
        pathlib.Path(new).write_text(json.dumps(numbers, indent=1) + "\n")
    print(tables(numbers))


if __name__ == "__main__":
    app.run(main)
