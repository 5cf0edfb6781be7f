# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Checks and times the programs of `export_xla.py`, with JAX and NumPy only.

`python benchmarks/run_xla.py runs/xla` compiles every program for the default
device, checks that the losses of the first steps are those that TensorFlow
computed, and prints a table of seconds and of memory.
"""

import argparse
import gzip
import json
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


def compile_program(program):
    """Compiles a serialized program for the default device."""
    device = jax.devices()[0]
    with mlir.make_ir_context():
        module = mlir.ir.Module.parse(hlo_to_stablehlo(program))
        module.operation.walk(_skip_copy)
        return device.client.compile_and_load(
            module,
            xla_client.DeviceList((device,)),
            xla_client.CompileOptions(),
        )


def _skip_copy(operation):
    # The client of a GPU compiles only StableHLO, which has no copies.
    if operation.name == "mhlo.copy":
        operation.results[0].replace_all_uses_with(operation.operands[0])
        operation.erase()
    return mlir.ir.WalkResult.ADVANCE


def step(executable, inputs):
    """Runs a step.

    Returns:
        Tuple of the loss and of the inputs of the next step. The program gives
        the loss and then the variables that it changed, whose inputs it has
        taken.
    """
    loss, *changed = executable.execute(inputs)
    loss = loss.item()
    changed = iter(changed)
    inputs = [next(changed) if x.is_deleted() else x for x in inputs]
    if next(changed, None) is not None:
        raise ValueError("Expected an input for every output of the program")
    return loss, inputs


def measure(folder):
    """Checks the first losses of a program and measures its time.

    Returns:
        Tuple of the seconds to compile, those of a step, the MiB of the inputs,
        which a step updates in place, and the MiB that it takes beside them.

    Raises:
        ValueError: if the losses are not those that TensorFlow computed.
    """
    inputs = [jax.device_put(value) for value in xla_inputs.load(folder)]
    expected = json.loads((folder / "losses.json").read_text())
    program = gzip.decompress((folder / "step.hlo.gz").read_bytes())
    start = time.perf_counter()
    executable = compile_program(program)
    compiled = time.perf_counter() - start
    memory = executable.get_compiled_memory_stats()
    losses, times = [], []
    for _ in range(max(_WARM_UPS, len(expected)) + _RUNS):
        start = time.perf_counter()
        loss, inputs = step(executable, inputs)
        losses.append(loss)
        times.append(time.perf_counter() - start)
    first = losses[: len(expected)]
    if not np.allclose(first, expected, rtol=1e-3, atol=1e-4):
        raise ValueError(
            f"{folder}: expected the losses {expected}. Received {first}"
        )
    return (
        compiled,
        statistics.median(times[-_RUNS:]),
        memory.argument_size_in_bytes / 2**20,
        memory.temp_size_in_bytes / 2**20,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    print(f"{jax.devices()[0].device_kind}, JAX {jax.__version__}")
    print(f"{'':12}{'compile':>10}{'step':>10}{'inputs':>10}{'beside':>10}")
    for path in sorted(folder.iterdir()):
        compiled, seconds, inputs, beside = measure(path)
        print(
            f"{path.name:12}{compiled:10.1f}{seconds:10.4f}{inputs:10,.0f}"
            f"{beside:10,.0f}",
            flush=True,
        )
    print("Seconds, and MiB of the device's memory")


if __name__ == "__main__":
    main()
