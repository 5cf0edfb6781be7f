# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Measures one model in this process and prints a line of JSON.

`python benchmarks/compare_case.py --case=invert --num_steps=4` prints what
`compare.py` collects. It imports only the framework of the model, so it runs in
the environment of each model, and the memory is that of the model.
"""

import argparse
import dataclasses
import importlib
import json
import math
import os
import pathlib
import statistics
import sys
import time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

# The module of each case, which has `Model(case, sizes, images)` and
# `VERSIONS`, a dictionary of names to version numbers.
MODULES = {
    "invert": "ours",
    "recompute": "ours",
    "store": "ours",
    "store_threads": "ours",
    "tfb_glow": "tfb_glow",
    "tfb_glow_threads": "tfb_glow",
    "normflows": "normflows_glow",
    "floor": "floor",
    "floor_in_turn": "floor",
}
MEASURES = ("train", "log_prob", "sample")
# The rate of Adam. It is low because a wide model trains on noise without
# warm-up.
LEARNING_RATE = 1e-5

_WARM_UPS = 2
_LEAST_RUNS = 5
_MOST_RUNS = 30
_SECONDS = 2.0  # Short runs are repeated for this time.


@dataclasses.dataclass(frozen=True)
class Sizes:
    """The sizes of the model and of its batch.

    Images are float32 `[batch_size, image_size, image_size, 3]`.
    """

    num_steps: int = 32
    batch_size: int = 16
    num_filters: int = 64
    image_size: int = 32
    num_levels: int = 3

    @property
    def event_size(self):
        """Number of values in an image."""
        return 3 * self.image_size**2

    def images(self):
        """Returns the batch for all measurements, noise in [-1/2, 1/2)."""
        shape = (self.batch_size, self.image_size, self.image_size, 3)
        return np.random.default_rng(0).random(shape, np.float32) - 0.5

    def bits_per_dim(self, nats):
        """Converts a negative mean log-probability of images."""
        return nats / (self.event_size * math.log(2.0))


def measure(case, sizes, measures):
    """Builds one model, trains it for some steps and times what it does.

    Args:
        case: `str`, a key of `MODULES`.
        sizes: `Sizes`.
        measures: names of `MEASURES`, of which `"train"` is always done.

    Returns:
        Dictionary of plain values: times in seconds, memory in MiB, losses in
        bits per dimension (but the floor's mean nothing).

    Raises:
        FloatingPointError: if a result is not finite.
    """
    module, images = _module(case), sizes.images()
    is_flow = MODULES[case] != "floor"
    imports = resident_mib()
    forget_peak()
    model, build = timed(lambda: module.Model(case, sizes, images))
    _, initialize = timed(model.initialize)
    loss, first_run = timed(model.train_step)
    times, losses = repeated(model.train_step)
    peak = peak_mib()
    result = {
        "build_seconds": build,
        "initialize_seconds": initialize,
        "first_run_seconds": first_run,
        "first_step_seconds": build + first_run,
        "step_seconds": statistics.median(times),
        "imports_mib": imports,
        "peak_total_mib": peak,
        "peak_mib": peak - imports,
        "first_loss": finite(loss),
        "last_loss": losses[-1],
        "num_weights": model.num_weights,
        "versions": module.VERSIONS,
        "num_cpus": num_cpus(),
    }
    if "log_prob" in measures:
        times, _ = repeated(lambda: model.log_prob(images))
        result["log_prob_seconds"] = statistics.median(times)
    if "sample" in measures and is_flow:
        times, samples = repeated(model.sample, check=lambda samples: samples)
        result["sample_seconds"] = statistics.median(times)
        # The model has seen only noise for some steps, but this is worth
        # knowing.
        result["samples_finite"] = bool(np.all(np.isfinite(samples)))
    return result


def check(case, sizes):
    """Checks that a model computes what is measured.

    Training changes the loss, the loss is minus the mean `log_prob` of the
    batch, and samples are images whose `log_prob` is finite.

    Raises:
        AssertionError: if one of these does not hold.
        FloatingPointError: if a result is not finite.
    """
    images = sizes.images()
    model = _module(case).Model(case, sizes, images)
    model.initialize()
    finite(model.train_step())
    before = finite(model.log_prob(images))
    loss = finite(model.train_step())
    after = finite(model.log_prob(images))
    expected = before
    if MODULES[case] != "floor":
        expected = sizes.bits_per_dim(-before.mean())
        shape = before.shape
        _require(shape == (sizes.batch_size,), f"log_prob of shape {shape}")
        samples = finite(model.sample())
        _require(
            samples.shape == images.shape, f"samples of shape {samples.shape}"
        )
        finite(model.log_prob(samples))
        _require(not np.array_equal(before, after), "a step changes nothing")
    _require(
        np.allclose(loss, expected, rtol=1e-3, atol=1e-3),
        f"the loss is {loss}, but log_prob says {expected}",
    )
    return {"checked": True}


def timed(function):
    """Returns the result of a function and the seconds that it took."""
    start = time.perf_counter()
    result = function()
    return result, time.perf_counter() - start


def finite(values):
    """Returns the values; raises `FloatingPointError` if one is not finite."""
    if not np.all(np.isfinite(values)):
        raise FloatingPointError(f"Expected finite values. Received: {values}")
    return values


def repeated(function, check=finite):
    """Returns the seconds after the warm-ups, and all checked results."""
    times, results = [], []
    while (
        len(times) < _WARM_UPS + _LEAST_RUNS
        or sum(times[_WARM_UPS:]) < _SECONDS
    ) and len(times) < _WARM_UPS + _MOST_RUNS:
        result, seconds = timed(function)
        times.append(seconds)
        results.append(check(result))
    return times[_WARM_UPS:], results


def resident_mib():
    """Returns the resident memory of the process, in MiB."""
    return _status("VmRSS")


def peak_mib():
    """Returns the peak of resident memory since `forget_peak`, in MiB."""
    return _status("VmHWM")


def forget_peak():
    """Resets `peak_mib`."""
    pathlib.Path("/proc/self/clear_refs").write_text("5")


def num_cpus():
    """Returns the number of CPU cores that the process may use."""
    return len(os.sched_getaffinity(0))


def give_operations_one_thread(tf):
    """Lets TensorFlow run operations of one thread each, one per core."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(num_cpus())


def _status(name):
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024.0
    raise OSError(f"/proc/self/status has no {name}")


def _module(case):
    return importlib.import_module(f"benchmarks.compare_cases.{MODULES[case]}")


def _require(condition, otherwise):
    if not condition:
        raise AssertionError(otherwise)


def main():
    # argparse, because the other environments may not have absl.
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=MODULES, required=True)
    parser.add_argument(
        "--measure",
        default=",".join(MEASURES),
        help="comma list of train, log_prob, sample; or check",
    )
    for field in dataclasses.fields(Sizes):
        parser.add_argument(f"--{field.name}", type=int, default=field.default)
    arguments = vars(parser.parse_args())
    case, measures = arguments.pop("case"), arguments.pop("measure").split(",")
    unknown = set(measures) - {*MEASURES, "check"}
    if unknown:
        parser.error(f"unknown measures: {', '.join(sorted(unknown))}")
    sizes = Sizes(**arguments)
    if "check" in measures:
        result = check(case, sizes)
    else:
        result = measure(case, sizes, measures)
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
