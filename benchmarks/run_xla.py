# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Checks and times the programs of `export_xla.py`; needs JAX and NumPy alone.

`python benchmarks/run_xla.py runs/xla` compiles every program for the default
device, checks that the losses of the first steps are those that TensorFlow
computed, and prints a table of seconds to compile and of seconds a step.
"""

import argparse
import json
import pathlib
import statistics
import time

import jax
import numpy as np
from jax._src.lib import xla_client

# The optimizer counts steps in 64 bits.
jax.config.update("jax_enable_x64", True)

_WARM_UPS, _RUNS = 3, 10


def compile_program(program):
    """An executable for the default device of a serialised program."""
    device = jax.devices()[0]
    module = xla_client._xla.mlir.xla_computation_to_mlir_module(
        xla_client.XlaComputation(program)
    )
    devices = xla_client.DeviceList((device,))
    return device.client.compile_and_load(
        module, devices, xla_client.CompileOptions()
    )


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
    """Seconds to compile and of a step, after a check of the first losses.

    Raises:
        ValueError: if they are not those that TensorFlow computed.
    """
    with np.load(folder / "inputs.npz") as archive:
        inputs = [jax.device_put(archive[name]) for name in archive.files]
    expected = json.loads((folder / "losses.json").read_text())
    start = time.perf_counter()
    executable = compile_program((folder / "step.hlo").read_bytes())
    compiled = time.perf_counter() - start
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
    return compiled, statistics.median(times[-_RUNS:])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    print(f"{jax.devices()[0].device_kind}, JAX {jax.__version__}")
    print(f"{'':12}{'compile':>10}{'step':>10}   seconds")
    for path in sorted(folder.iterdir()):
        compiled, seconds = measure(path)
        print(f"{path.name:12}{compiled:10.1f}{seconds:10.4f}", flush=True)


if __name__ == "__main__":
    main()
