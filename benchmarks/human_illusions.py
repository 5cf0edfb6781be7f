# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Compares which target looks lighter to people and to models of patches.

`python benchmarks/human_illusions.py` shows published stimuli to the patch model
that ships and to simpler models. A stimulus has two targets of equal gray. The
model predicts that the one of the higher percentile rank looks lighter. The
program prints tables and draws a chart. `human_directions.py` has what people
see, and was written before the models were trained.

```
python benchmarks/human_illusions.py --train            # 3 seeds, then compare
python benchmarks/human_illusions.py --human_draw_only  # only show the results
```

`--train` trains the flows, also on patches whose pixels are shuffled, which
keeps the gray levels of a patch and forgets where they were. It takes about an
hour on two CPU cores, and comparing takes half an hour. Finished runs and
predictions are kept in a folder, which is to be deleted after changes of the
code. stimupy renders the stimuli. It is installed into an environment of its
own, since its license differs.

The models are the flow; the flow before training, which initialization whitens
within blocks of 2x2 pixels; the shuffled flow; normal distributions with full
and with diagonal covariance; and local contrast, the target less the ring of
pixels around it. A prediction counts if all seeds agree and each one is
above twice its standard error over draws of the noise. ODOG, a model of early
vision, is not among them: its implementation, multyscale, is not on PyPI.
"""

import json
import pathlib
import sys

from absl import app
from absl import flags
from absl import logging

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from benchmarks import cache
from benchmarks import human_directions
from benchmarks import human_models
from benchmarks import human_report
from benchmarks import human_stimuli
from tfp_glow import _files

_FLOWS = flags.DEFINE_list(
    "flows",
    [human_models.PRESET],
    "presets, or folders of runs or presets, one for each seed",
)
_SHUFFLED = flags.DEFINE_list(
    "shuffled", [], "folders of runs that were trained on shuffled patches"
)
_TRAIN = flags.DEFINE_bool(
    "train", False, "train all flows first, or resume their training"
)
_SEEDS = flags.DEFINE_integer(
    "num_seeds", 3, "random seeds to train with", lower_bound=1
)
_RUNS = flags.DEFINE_string(
    "human_runs",
    "runs/human_illusions",
    "folder of the runs of --train, and of predictions that are finished",
)
_STIMULI = flags.DEFINE_string(
    "stimuli",
    "benchmarks/results/human_stimuli.npz",
    "file of the rendered stimuli, which is written if it does not exist",
)
_RESULTS = flags.DEFINE_string(
    "human_results",
    "benchmarks/results/human_illusions.json",
    "file of results",
)
_CHART = flags.DEFINE_string(
    "human_chart", "docs/human_illusions.png", "picture to write"
)
_DRAW_ONLY = flags.DEFINE_bool(
    "human_draw_only", False, "only show the results in the file"
)


def measure(flows, shuffled, stimuli, finished):
    """Returns predictions and bits/dim of all models, dictionaries by name.

    `finished` is a dictionary or a cache of results of single models.
    """
    views = {
        d.key: human_stimuli.views(d, *stimuli[d.key])
        for d in human_directions.DIRECTIONS
    }
    models, bits = {}, {}
    for name, seeds in human_models.make(flows, shuffled):
        for i, model in enumerate(seeds):
            number = model.bits_per_dim()
            # Other weights have another number.
            key = f"{name} {i} {number:.6f}".replace(" ", "_")
            if key not in finished:
                print(f"{name}, {i + 1} of {len(seeds)}", flush=True)
                finished[key] = human_models.predictions(model, views)
            models.setdefault(name, []).append(finished[key])
            bits.setdefault(name, []).append(number)
    return {"models": models, "bits_per_dim": bits}


def _rounded(value):
    return json.loads(
        json.dumps(value), parse_float=lambda text: round(float(text), 5)
    )


def main(_):
    logging.set_verbosity(logging.WARNING)
    if not _DRAW_ONLY.value:
        stimuli = human_stimuli.load(_STIMULI.value)
        flows, shuffled = _FLOWS.value, _SHUFFLED.value
        if _TRAIN.value:
            flows, shuffled = human_models.train(
                _RUNS.value, range(_SEEDS.value)
            )
        finished = cache.JsonFolder(f"{_RUNS.value}/predictions")
        results = measure(flows, shuffled, stimuli, finished)
        with _files.replacing(_RESULTS.value) as new, open(new, "w") as file:
            json.dump(_rounded(results), file)
    with open(_RESULTS.value) as file:
        results = json.load(file)
    print(human_report.tables(results["models"], results["bits_per_dim"]))
    human_report.save_chart(_CHART.value, results["models"])


if __name__ == "__main__":
    app.run(main)
