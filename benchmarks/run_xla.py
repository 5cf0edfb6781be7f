# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Checks and times the programs of `export_xla.py`, with JAX and NumPy only.

`python benchmarks/run_xla.py runs/xla` compiles every program for the default
device, checks that the losses of the first training steps are those that
TensorFlow computed, and prints a table: times, operations per second, memory,
and bits/dim after training on crops of photographs. Every model trains on the
same crops with the same noise.
"""

import argparse
import gzip
import json
import math
import pathlib
import statistics
import sys
import time

import jax
import numpy as np
from jax._src.interpreters import mlir
from jax._src.lib import xla_client
from jax.extend.mlir import hlo_to_stablehlo

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from benchmarks import xla_inputs

# The optimizer counts steps in 64 bits.
jax.config.update("jax_enable_x64", True)

_WARM_UPS, _RUNS = 3, 10
# Dense TFLOP/s of the tensor cores for factors of TF32 and of bfloat16, from
# NVIDIA's data sheets.
_PEAKS = {
    "H100 PCIe": (378.0, 756.0),
    "H100": (495.0, 989.0),
    "H200": (495.0, 989.0),
    "A100": (156.0, 312.0),
}
# The rate of Adam in training, and the steps over which it grows to it.
_RATE, _WARM_UP_STEPS = 1e-3, 50
_COLUMNS = {
    "compile s": ".1f",
    "step ms": ".1f",
    "TFLOP/s": ".1f",
    "peak %": ".1f",
    "inputs MiB": ",.0f",
    "beside MiB": ",.0f",
    "log_prob ms": ".1f",
    "sample ms": ".1f",
    "bits/dim": ".3f",
}


def stable_hlo(program):
    """Returns the StableHLO module of a serialized HLO program."""
    with mlir.make_ir_context():
        module = mlir.ir.Module.parse(hlo_to_stablehlo(program))
        module.operation.walk(_skip_copy)
        return module


def _skip_copy(operation):
    # The client of a GPU compiles only StableHLO, which has no copies.
    if operation.name == "mhlo.copy":
        operation.results[0].replace_all_uses_with(operation.operands[0])
        operation.erase()
    return mlir.ir.WalkResult.ADVANCE


class Program:
    """A compiled program and its inputs.

    Args:
        folder: `pathlib.Path`, a folder that `export_xla.py` wrote.
    """

    def __init__(self, folder):
        self.facts = json.loads((folder / "facts.json").read_text())
        program = gzip.decompress((folder / "program.hlo.gz").read_bytes())
        device = jax.devices()[0]
        start = time.perf_counter()
        self._executable = device.client.compile_and_load(
            stable_hlo(program),
            xla_client.DeviceList((device,)),
            xla_client.CompileOptions(),
        )
        self.seconds = time.perf_counter() - start
        self.memory = self._executable.get_compiled_memory_stats()
        self._folder = folder
        self.reset()

    @property
    def batch_shape(self):
        """Shape of the first input."""
        return self._inputs[0].shape

    def reset(self):
        """Loads the inputs of the first run."""
        self._inputs = list(map(jax.device_put, xla_inputs.load(self._folder)))

    def run(self, **replaced):
        """Runs the program and updates its inputs.

        The program returns its result and then the variables that it changed,
        whose inputs it has taken.

        Args:
            **replaced: `x`, the batch, and `rate`, the learning rate.

        Returns:
            The result, an array.
        """
        for name, value in replaced.items():
            number = {"x": 0, "rate": self.facts["learning_rate"]}[name]
            self._inputs[number] = jax.device_put(value)
        result, *changed = self._executable.execute(self._inputs)
        result = np.asarray(result)
        changed = iter(changed)
        self._inputs = [
            next(changed) if x.is_deleted() else x for x in self._inputs
        ]
        if next(changed, None) is not None:
            raise ValueError("Expected an input for every output of a program")
        return result

    def measure(self, num_checked=0):
        """Returns the milliseconds of a run, and the first results."""
        results, times = [], []
        for _ in range(max(_WARM_UPS, num_checked) + _RUNS):
            start = time.perf_counter()
            results.append(self.run())
            times.append(time.perf_counter() - start)
        if not np.all(np.isfinite(results)):
            raise ValueError(f"{self._folder}: expected finite results")
        return 1e3 * statistics.median(times[-_RUNS:]), results[:num_checked]


def measure(case, columns, photographs, num_steps, peak):
    """Fills the columns of one case.

    Args:
        case: `pathlib.Path`, the folder of the case.
        columns: dictionary to fill, as `_COLUMNS`.
        photographs: list of arrays.
        num_steps: `int`, training steps on crops of the photographs.
        peak: `float`, TFLOP/s, or `None`.

    Raises:
        ValueError: if the first losses are not those that TensorFlow computed.
    """
    step = Program(case / "step")
    expected = json.loads((case / "losses.json").read_text())
    milliseconds, losses = step.measure(len(expected))
    tolerance = 1e-2 if "float16" in case.name else 1e-3
    if not np.allclose(losses, expected, rtol=tolerance, atol=tolerance):
        raise ValueError(f"{case}: expected {expected}. Received {losses}")
    speed = step.facts["flops"] / milliseconds / 1e9
    columns["compile s"] = step.seconds
    columns["step ms"] = milliseconds
    columns["TFLOP/s"] = speed
    columns["peak %"] = peak and 100.0 * speed / peak
    columns["inputs MiB"] = step.memory.argument_size_in_bytes / 2**20
    columns["beside MiB"] = step.memory.temp_size_in_bytes / 2**20
    columns["sample ms"], _ = Program(case / "sample").measure()
    density = Program(case / "log_prob")
    columns["log_prob ms"], [log_prob] = density.measure(1)
    nats = -np.mean(log_prob) / math.prod(density.batch_shape[1:])
    if not np.allclose(nats / math.log(2.0), losses[:1], tolerance, tolerance):
        raise ValueError(f"{case}: `log_prob` and the training step disagree")
    if num_steps and step.facts["learning_rate"] is not None:
        step.reset()
        shape = step.batch_shape[:2]
        losses = []
        for i, x in enumerate(
            xla_inputs.batches(photographs, shape, num_steps, seed=1)
        ):
            rate = np.float32(_RATE * min(1.0, (i + 1) / _WARM_UP_STEPS))
            losses.append(step.run(x=x, rate=rate))
        # The images lie in an interval of length 1, of 256 levels.
        columns["bits/dim"] = 8.0 + np.mean(losses[-num_steps // 4 :])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument(
        "--train_steps",
        type=int,
        default=200,
        help="training steps, 0 for none",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=480.0,
        help="no case starts later than this, so that the table is printed",
    )
    parser.add_argument(
        "--peak",
        type=float,
        help="TFLOP/s of the device, if it is not in the table of this program",
    )
    arguments = parser.parse_args()
    device = jax.devices()[0].device_kind
    print(f"{device}, JAX {jax.__version__}")
    print(f"{'':16}" + "".join(f"{name:>13}" for name in _COLUMNS))
    with np.load(arguments.folder / "photographs.npz") as archive:
        photographs = [archive[name] for name in archive.files]
    start = time.perf_counter()
    for case in sorted(arguments.folder.glob("*/losses.json")):
        case = case.parent
        peaks = [v for k, v in _PEAKS.items() if k in device]
        peak = arguments.peak or (
            peaks[0]["bfloat16" in case.name] if peaks else None
        )
        columns = {}
        if time.perf_counter() - start > arguments.seconds:
            print(f"{case.name:16} skipped, because the time is over")
            continue
        try:
            measure(case, columns, photographs, arguments.train_steps, peak)
        except (RuntimeError, ValueError) as error:
            print(error)  # One case that fails must not cost the others.
        cells = [
            "-" if columns.get(name) is None else format(columns[name], form)
            for name, form in _COLUMNS.items()
        ]
        print(
            f"{case.name:16}" + "".join(f"{c:>13}" for c in cells), flush=True
        )
    print(
        "peak % is the share of the tensor cores' dense peak; bits/dim is the "
        f"mean of the last quarter of {arguments.train_steps} training steps"
    )


if __name__ == "__main__":
    main()
