# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Compares candidates for the defaults, each for the same time.

`python benchmarks/recipes.py` trains every candidate on every task with some
seeds and prints how far it is below the default, in bits per dimension (nats
for vectors), with the standard error over the seeds. A candidate differs from
the default in what its name says. Finished runs are kept in the folder of
results, and the next call does not repeat them.

Time is that of one CPU core, without the first step, so runs may share a
machine. Images of up to 16x16 pixels are trained by XLA. The weights that are
best on validation are tested.
"""

import functools
import json
import math
import os
import pathlib
import sys
import time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from absl import app
from absl import flags

from benchmarks import cache
from benchmarks import compare_process
from benchmarks import density_report

_TASKS = flags.DEFINE_list("tasks", None, "tasks (default: all)")
_CANDIDATES = flags.DEFINE_list("candidates", None, "default: all")
_SEEDS = flags.DEFINE_integer("seeds", 3, "number of random seeds")
_OUT = flags.DEFINE_string("out", "runs/recipes", "folder of results")
_RUN = flags.DEFINE_string("run", None, "measure one run and print JSON")

# Seconds of training and the size of images; `None` are vectors.
TASKS = {
    "digits": (25, 8),
    "digits by class": (25, 8),
    "photos 16": (45, 16),
    "photos 32": (80, 32),
    "breast cancer": (1, None),
    "8gaussians": (15, None),
}

DEFAULT = dict(
    initialization="whiten",
    num_steps=8,
    num_filters=64,
    batch_size=32,
    optimizer="adam",
    learning_rate=2e-3,
    warmup_steps=100,
    decay="constant",
    beta_2=0.999,
    clipnorm=100.0,
    ema=0.999,
    weight_noise=0.2,
    weight_decay=1.0,
    input_bound=4.0,
    output_bound=5.0,
)
CANDIDATES = {
    "default": {},
    "normalize": dict(initialization="normalize"),
    "batch 16": dict(batch_size=16),
    "batch 64": dict(batch_size=64),
    "rate 0.001": dict(learning_rate=1e-3),
    "rate 0.004": dict(learning_rate=4e-3),
    "cosine": dict(decay="cosine"),
    "cosine-4e-3": dict(decay="cosine", learning_rate=4e-3),
    "average 0.99": dict(ema=0.99),
    "average 0.95": dict(ema=0.95),
    "beta_2 0.99": dict(beta_2=0.99),
    "adamax": dict(optimizer="adamax"),
    "clip 10": dict(clipnorm=10.0),
    "K 4": dict(num_steps=4),
    "K 16": dict(num_steps=16),
    "W 32": dict(num_filters=32),
    "W 128": dict(num_filters=128),
    "noise 0.1": dict(weight_noise=0.1),
    "noise 0.3": dict(weight_noise=0.3),
    "no noise": dict(weight_noise=0.0),
    "decay 3": dict(weight_decay=3.0),
    "no decay": dict(weight_decay=0.0),
    "neither noise nor decay": dict(weight_noise=0.0, weight_decay=0.0),
    "bounds 2 and 3": dict(input_bound=2.0, output_bound=3.0),
    "bounds 3 and 3": dict(input_bound=3.0, output_bound=3.0),
    "bounds 4 and 3": dict(input_bound=4.0, output_bound=3.0),
    "bounds 4 and 2": dict(input_bound=4.0, output_bound=2.0),
    "no bounds": dict(input_bound=None, output_bound=None),
}

_NUM_VALIDATIONS = 8
_NUM_VALIDATION_EVENTS = 300
_NUM_INITIAL = 128


def measure(task, candidate, seed):
    """Trains one model; returns a dictionary of its results."""
    import keras
    import tensorflow as tf

    import tfp_glow as tfg
    from tfp_glow.networks import convolution

    options = DEFAULT | CANDIDATES[candidate]
    limit, image_size = TASKS[task]
    keras.utils.set_random_seed(seed)
    data, labels = _data(tfg, task, image_size, seed)
    model = _model(tfg, task, data, options, seed)
    optimizer = tfg.recipe.OPTIMIZERS[options["optimizer"]](
        0.0,
        beta_2=options["beta_2"],
        global_clipnorm=options["clipnorm"],
        weight_decay=options["weight_decay"] or None,
        use_ema=True,
        ema_momentum=options["ema"],
    )
    is_small = image_size is not None and image_size <= 16
    model.compile(optimizer, jit_compile=is_small)
    generator = np.random.default_rng(seed)
    draw = functools.partial(_batch, data, labels, task, generator, tf, tfg)
    model.initialize(*draw(_NUM_INITIAL))
    batch_size = options["batch_size"]
    if image_size is None:
        batch_size *= 8
    with convolution.as_products(is_small):
        model.train_on_batch(*draw(batch_size))
    start, spent, step, curve = time.process_time(), 0.0, 0, []
    best, best_weights = math.inf, None
    variables = model.trainable_variables
    while spent < limit:
        rate = options["learning_rate"] * min(
            1.0, (step + 1) / options["warmup_steps"]
        )
        if options["decay"] == "cosine":
            rate *= (1.0 + math.cos(math.pi * spent / limit)) / 2.0
        optimizer.learning_rate.assign(rate)
        model.train_on_batch(*draw(batch_size))
        step += 1
        spent = time.process_time() - start
        if spent >= limit * (len(curve) + 1) / _NUM_VALIDATIONS:
            kept = time.process_time()
            with model.averaged_weights():
                value = _evaluate(model, data, labels, "validation", 1)
                if value < best:
                    best = value
                    best_weights = [v.numpy() for v in variables]
            curve.append([round(spent, 1), step, round(value, 4)])
            start += time.process_time() - kept
    for variable, value in zip(variables, best_weights):
        variable.assign(value)
    return {
        "task": task,
        "candidate": candidate,
        "seed": seed,
        "steps": step,
        "curve": curve,
        "validation": best,
        "test": _evaluate(model, data, labels, "test", 2),
        "excursions": _excursions(model, tf) if image_size else None,
    }


def _excursions(model, tf):
    """Returns the largest and the 99th percentile of 1,000 samples' excursions.

    An excursion of 1 reaches an edge of the range of gray levels, one of 2 is
    twice as far from its center. It is `None` if a value is not finite.
    """
    if model.is_conditional:
        return None
    flow = tf.function(model.glow.copy(validate_args=False).forward)
    values = [
        flow(tf.random.stateless_normal([100, model.event_size], [0, i]))
        for i in range(10)
    ]
    excursions = np.abs(np.concatenate(values)).max((1, 2, 3)) / 0.5
    if not np.all(np.isfinite(excursions)):
        return None
    return [float(np.quantile(excursions, q)) for q in (1.0, 0.99)]


def _data(tfg, task, image_size, seed):
    """Returns arrays by split, and labels by split or `None`."""
    splits = ("train", "validation", "test")
    if image_size is not None:
        name = task.split()[0]
        size = None if name == "digits" else image_size
        is_conditional = task == "digits by class"
        data, labels = {}, {}
        for split in splits:
            examples = tfg.datasets.load(
                name,
                split,
                image_size=size,
                shuffle=False,
                as_supervised=is_conditional,
            )
            examples = list(examples.as_numpy_iterator())
            if is_conditional:
                examples, labels[split] = map(np.stack, zip(*examples))
            data[split] = np.stack(examples)
        for part in (data, labels):
            if part:
                part["validation"] = part["validation"][:_NUM_VALIDATION_EVENTS]
        return data, labels or None
    if task == "breast cancer":
        import sklearn.datasets
        import sklearn.decomposition

        rows = sklearn.datasets.load_breast_cancer().data
        rows = np.random.default_rng(seed).permutation(rows)
        train, rest = rows[:399], rows[399:]
        whiten = sklearn.decomposition.PCA(whiten=True).fit(train)
        parts = [train, rest[:85], rest[85:]]
        parts = [whiten.transform(p).astype(np.float32) for p in parts]
        return dict(zip(splits, parts)), None
    density = tfg.toy.distribution(task)
    parts = {
        split: density.sample(20_000, seed=(seed, i)).numpy()
        for i, split in enumerate(splits)
    }
    return parts, None


def _batch(data, labels, task, generator, tf, tfg, size):
    """Returns arguments of `train_on_batch`."""
    if task == "8gaussians":
        seed = generator.integers(2**31, size=2)
        density = tfg.toy.distribution(task)
        return (density.sample(size, seed=tf.constant(seed, tf.int32)),)
    chosen = generator.permutation(len(data["train"]))[:size]
    if labels is None:
        return (data["train"][chosen],)
    return data["train"][chosen], labels["train"][chosen]


def _model(tfg, task, data, options, seed):
    shape = data["train"].shape[1:]
    network = tfg.networks.CouplingNetwork(
        input_bound=options["input_bound"],
        output_bound=options["output_bound"],
    )
    arguments = dict(
        num_steps=options["num_steps"],
        num_filters=options["num_filters"],
        initialization=options["initialization"],
        network=network,
        gradient="store",
        seed=seed,
    )
    if len(shape) == 3:
        name = task.split()[0]
        return tfg.GlowModel(
            shape,
            num_levels=2 if shape[0] == 8 else 3,
            bins=17 if name == "digits" else 256,
            num_classes=10 if task == "digits by class" else None,
            weight_noise=options["weight_noise"],
            **arguments,
        )
    coupling = "affine" if task == "breast cancer" else "spline"
    flow = tfg.vector_flow(shape[0], coupling=coupling, **arguments)
    return tfg.FlowModel(flow)


def _evaluate(model, data, labels, split, num_draws):
    """Returns mean bits/dim of images or nats of vectors."""
    x = data[split]
    given = () if labels is None else (labels[split],)
    is_image = x.ndim == 4
    total, size = 0.0, 100 if is_image else 5000
    for i in range(0, len(x), size):
        part = [array[i : i + size] for array in (x, *given)]
        draws = dict(num_draws=num_draws) if is_image else {}
        total += float(np.sum(model.log_prob(*part, **draws)))
    mean = -total / len(x)
    if is_image:
        mean /= math.prod(x.shape[1:]) * math.log(2.0)
    return mean


def _measure_in_process(run):
    return compare_process.output_of(
        [sys.executable, __file__, f"--run={json.dumps(run)}"]
    )


def _print_table(tasks, candidates, results, seeds):
    print(f"{'below the default':20}" + "".join(f"{t:>18}" for t in tasks))
    for candidate in candidates:
        cells = []
        for task in tasks:
            values = []
            for seed in range(seeds):
                keys = [_key(task, c, seed) for c in ("default", candidate)]
                if all(key in results for key in keys):
                    default, own = (results[key]["test"] for key in keys)
                    values.append(
                        own if candidate == "default" else default - own
                    )
            error = density_report.standard_error(values)
            mean = np.mean(values) if values else math.nan
            sign = "" if candidate == "default" else "+"
            cells.append(f"{mean:{sign}.3f} +-{error:.3f}")
        print(f"{candidate:20}" + "".join(f"{c:>18}" for c in cells))


def _key(task, candidate, seed):
    return f"{task}, {candidate}, seed {seed}"


def main(argv):
    del argv
    if _RUN.value:
        print(json.dumps(measure(**json.loads(_RUN.value))))
        return
    tasks = _TASKS.value or list(TASKS)
    candidates = _CANDIDATES.value or list(CANDIDATES)
    os.makedirs(_OUT.value, exist_ok=True)
    results = cache.JsonFile(os.path.join(_OUT.value, "results.json"))
    todo = {}
    for seed in range(_SEEDS.value):
        for task in tasks:
            for candidate in candidates:
                key = _key(task, candidate, seed)
                if key not in results:
                    todo[key] = dict(task=task, candidate=candidate, seed=seed)
    # The processes inherit this.
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = "1"
    failed = cache.run_all(todo, results, _measure_in_process)
    _print_table(tasks, candidates, results, _SEEDS.value)
    if failed:
        sys.exit(f"Failed: {len(failed)} runs")


if __name__ == "__main__":
    app.run(main)
