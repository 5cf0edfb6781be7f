# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Counts the kernels that a GPU would run for the programs of `export_xla.py`.

`JAX_PLATFORMS=cpu python benchmarks/count_xla.py runs/xla` compiles every training
step for an NVIDIA H100 and prints the number of its kernels and the MiB that they
read and write. It needs no GPU, only `pip install jax` and, with `--no-deps`,
`jax-cuda12-pjrt` and `jax-cuda12-plugin` of the same version.
Without a GPU XLA cannot try which library computes a product fastest, so a run
on one may have a few kernels less.
"""

import argparse
import collections
import gzip
import json
import math
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

GROUPS = (
    "convolutions",
    "matrix products",
    "float64",
    "slices of stacks",
    "copies and constants",
    "reductions",
    "elementwise",
)

_BYTES = {"pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "f64": 8, "s64": 8}
_INSTRUCTION = re.compile(r"(?:ROOT )?%([\w.\-]+) = (.*?) ([\w\-]+)\((.*)$")
_SHAPE = re.compile(r"\b(pred|bf16|[suf]\d+)\[([\d,]*)\]")
# Instructions that are not kernels.
_FREE = {
    "parameter",
    "constant",
    "tuple",
    "get-tuple-element",
    "bitcast",
    "iota",
    "after-all",
}
_MOVES = {"copy", "transpose", "broadcast", "reshape", "convert", "slice"}
_STACKS = {"dynamic-slice", "dynamic-update-slice"}

# The description of an H100, as `DeviceTopology.target_config` of JAX gives it.
_H100 = """
gpu_device_info {
  cuda_compute_capability { major: 9 }
  core_count: 132
  fpus_per_core: 128
  threads_per_warp: 32
  threads_per_block_limit: 1024
  threads_per_core_limit: 2048
  shared_memory_per_block: 49152
  shared_memory_per_block_optin: 232448
  shared_memory_per_core: 233472
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  memory_bandwidth: 3352320000000
  l2_cache_size: 52428800
  clock_rate_ghz: 1.98
  device_memory_size: 84929347584
}
runtime_version { major: 12 minor: 8 }
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 8 }
device_description_str: "NVIDIA H100 80GB HBM3"
"""


class Instruction:
    """One line of a computation of an HLO module.

    Attributes:
        name, shape, opcode, operands, line: `str`, `str`, `str`, list of names
            and the whole line.
    """

    def __init__(self, line):
        self.line = line
        self.name, self.shape, self.opcode, rest = _INSTRUCTION.match(
            line
        ).groups()
        self.operands = re.findall(r"%([\w.\-]+)", rest.split(")")[0])

    def attribute(self, pattern):
        """Returns the group of a pattern in the line, or `None`."""
        found = re.search(pattern, self.line)
        return found and found.group(1)


class Module:
    """The computations of the text of an HLO module, by their names."""

    def __init__(self, text):
        self.computations, self.entry, current = {}, None, None
        for line in text.splitlines():
            start = re.match(r"(ENTRY )?%?([\w.\-]+) \(.*-> .*\{$", line)
            if start:
                current = self.computations[start.group(2)] = []
                self.entry = start.group(2) if start.group(1) else self.entry
            elif line.startswith("}"):
                current = None
            elif current is not None and _INSTRUCTION.match(line.strip()):
                current.append(Instruction(line.strip()))

    def run(self, num_steps, computation=None, times=1):
        """Yields every instruction that runs and how often.

        Args:
            num_steps: `int`, the iterations of loops that do not tell.
        """
        for instruction in self.computations[computation or self.entry]:
            if instruction.opcode == "while":
                known = instruction.attribute(r'trip_count":\{"n":"(\d+)"')
                count = times * int(known or num_steps)
                body = instruction.attribute(r"body=%?([\w.\-]+)")
                yield from self.run(num_steps, body, count)
            elif instruction.opcode in ("call", "conditional"):
                for name in re.findall(
                    r"(?:to_apply|computation)=%?([\w.\-]+)", instruction.line
                ):
                    yield from self.run(num_steps, name, times)
            elif instruction.opcode not in _FREE:
                yield instruction, times

    def inside(self, instruction):
        """Returns the instructions of a fusion, or of another kernel itself."""
        called = instruction.attribute(r"calls=%?([\w.\-]+)")
        return self.computations.get(called, [instruction])


def flops(text, num_steps):
    """Counts the operations of convolutions and matrix products.

    Args:
        text: `str`, an HLO module before any optimization.
        num_steps: `int`, the iterations of its loops.
    """
    module, total = Module(text), 0
    shapes = {
        instruction.name: _dimensions(instruction.shape)
        for instructions in module.computations.values()
        for instruction in instructions
    }
    for instruction, times in module.run(num_steps):
        if instruction.opcode == "convolution":
            labels = instruction.attribute(r"dim_labels=\w+_(\w+)->")
            size = instruction.attribute(r"size=([\dx]+)")
            terms = [int(n) for n in (size or "1").split("x")]
            terms.append(shapes[instruction.operands[1]][labels.index("i")])
        elif instruction.opcode == "dot":
            axes = instruction.attribute(r"lhs_contracting_dims=\{([\d,]+)\}")
            left = shapes[instruction.operands[0]]
            terms = [left[int(axis)] for axis in axes.split(",")]
        else:
            continue
        outputs = _dimensions(instruction.shape)
        total += 2 * times * math.prod(outputs) * math.prod(terms)
    return total


def count(text, num_steps):
    """Returns kernels and bytes of a compiled module, by the names of `GROUPS`."""
    module = Module(text)
    shapes = {
        instruction.name: instruction.shape
        for instructions in module.computations.values()
        for instruction in instructions
    }
    kernels, traffic = collections.Counter(), collections.Counter()
    for instruction, times in module.run(num_steps):
        group = _group(module, instruction)
        kernels[group] += times
        traffic[group] += times * _traffic(module, instruction, shapes)
    return kernels, traffic


def _group(module, instruction):
    inside = module.inside(instruction)
    opcodes = {i.opcode for i in inside} - _FREE
    target = instruction.attribute(r'custom_call_target="([^"]*)"') or ""
    if any("f64[" in i.shape for i in inside) and "[]" not in instruction.shape:
        return "float64"
    if "conv" in target or "convolution" in opcodes:
        return "convolutions"
    if "cublas" in target or "dot" in opcodes:
        return "matrix products"
    # The index of a slice is computed too.
    arrays = {
        i.opcode
        for i in inside
        if i.opcode not in _FREE and _dimensions(i.shape)
    }
    if arrays <= _MOVES | _STACKS:
        moved = arrays & _STACKS
        return "slices of stacks" if moved else "copies and constants"
    return "reductions" if "reduce" in opcodes else "elementwise"


def _traffic(module, instruction, shapes):
    """Returns the bytes that a kernel reads and writes."""
    inside = module.inside(instruction)
    if inside == [instruction]:
        read = sum(_bytes(shapes[name]) for name in instruction.operands)
        return read + _bytes(instruction.shape)
    total, updated = 0, False
    for parameter in inside:
        if parameter.opcode != "parameter":
            continue
        users, names = [], [parameter.name]
        for name in names:
            found = [i for i in inside if name in i.operands]
            names += [i.name for i in found if i.opcode == "bitcast"]
            users += [i for i in found if i.opcode != "bitcast"]
        sizes = []
        for user in users:
            if user.opcode == "dynamic-slice" and user.operands[0] in names:
                sizes.append(_bytes(user.shape))
            elif (
                user.opcode == "dynamic-update-slice"
                and user.operands[0] in names
            ):
                updated = True
                sizes.append(_bytes(shapes[user.operands[1]]))
            else:
                sizes.append(_bytes(parameter.shape))
        total += max(sizes, default=0)
    return total if updated else total + _bytes(instruction.shape)


def _dimensions(shape):
    dtype_and_sizes = _SHAPE.search(shape)
    sizes = dtype_and_sizes.group(2) if dtype_and_sizes else ""
    return [int(n) for n in sizes.split(",") if n]


def _bytes(shape):
    return sum(
        _BYTES.get(dtype, 4) * math.prod(int(n) for n in sizes.split(",") if n)
        for dtype, sizes in _SHAPE.findall(shape)
    )


def h100():
    """Returns a device of JAX that only compiles, an H100."""
    import jax_plugins.xla_cuda12
    from jax._src.lib import xla_client

    plugin = pathlib.Path(jax_plugins.xla_cuda12.__file__).parent
    topology = xla_client.make_c_api_device_topology(
        xla_client.load_pjrt_plugin_dynamically(
            "cuda", str(plugin / "xla_cuda_plugin.so")
        ),
        "h100",
        target_config=_H100,
        topology="1x1x1",
    )
    [device] = topology._make_compile_only_devices()
    return device


def compile_for(device, program):
    """Returns the text of a compiled program and JAX' statistics of its memory."""
    from jax._src.lib import xla_client

    from benchmarks import run_xla

    executable = device.client.compile(
        run_xla.stable_hlo(program),
        xla_client.DeviceList((device,)),
        xla_client.CompileOptions(),
    )
    [module] = executable.hlo_modules()
    return module.to_string(), executable.get_compiled_memory_stats()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--program", default="step")
    arguments = parser.parse_args()
    device = h100()
    for path in sorted(arguments.folder.glob(f"*/{arguments.program}")):
        facts = json.loads((path / "facts.json").read_text())
        program = gzip.decompress((path / "program.hlo.gz").read_bytes())
        text, memory = compile_for(device, program)
        kernels, traffic = count(text, facts["num_steps"])
        print(f"{path.parent.name}, {path.name}")
        for group in GROUPS:
            mib = traffic[group] / 2**20
            print(f"{group:22}{kernels[group]:8,}{mib:12,.0f}")
        mib = traffic.total() / 2**20
        print(f"{'all':22}{kernels.total():8,}{mib:12,.0f}")
        beside = memory.temp_size_in_bytes / 2**20
        print(f"{facts['flops']:.3g} FLOP, {beside:,.0f} MiB beside the inputs")


if __name__ == "__main__":
    main()
