# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tables of the measurements of `compare.py` and of its targets."""

import collections
import dataclasses
import statistics

LABELS = {
    "invert": "tfp_glow, invert",
    "recompute": "tfp_glow, recompute",
    "store": "tfp_glow, store",
    "store_threads": "  one thread each",
    "tfb_glow": "tfb.Glow",
    "tfb_glow_threads": "  one thread each",
    "normflows": "normflows",
    "floor": "networks alone",
    "floor_in_turn": "  one after another",
}
# The modes of this project. The targets apply to them.
MODES = ("invert", "recompute", "store", "store_threads")


@dataclasses.dataclass(frozen=True)
class Target:
    """A ratio of two measurements and its largest allowed value.

    `at` and `against_at` are pairs of `num_steps` and batch size; `against` is
    a case, or `None` for the same one.
    """

    name: str
    measure: str
    limits: dict
    against: str | None
    at: tuple = (32, 16)
    against_at: tuple | None = None
    against_measure: str | None = None

    def ratio(self, medians, mode):
        """Returns the ratio for a mode, or `None` if it was not measured."""
        parts = [
            medians.get((case, *at), {}).get(measure)
            for case, at, measure in (
                (mode, self.at, self.measure),
                (
                    self.against or mode,
                    self.against_at or self.at,
                    self.against_measure or self.measure,
                ),
            )
        ]
        if mode not in self.limits or None in parts:
            return None
        return parts[0] / parts[1]


def _all(limit):
    return dict.fromkeys(MODES, limit)


TARGETS = (
    Target("step / tfb.Glow", "step_seconds", _all(0.40), "tfb_glow"),
    Target("step / normflows", "step_seconds", _all(0.55), "normflows"),
    Target(
        "first step / tfb.Glow", "first_step_seconds", _all(0.05), "tfb_glow"
    ),
    # The other libraries initialize in their first step.
    Target(
        "  and initialize",
        "start_seconds",
        _all(0.05),
        "tfb_glow",
    ),
    Target(
        "first step, K=64 / K=4",
        "first_step_seconds",
        _all(1.3),
        None,
        at=(64, 16),
        against_at=(4, 16),
    ),
    Target(
        "total memory, K=64 / K=4",
        "peak_total_mib",
        {"invert": 1.05},
        None,
        at=(64, 16),
        against_at=(4, 16),
    ),
    Target("memory / tfb.Glow", "peak_mib", _all(0.35), "tfb_glow"),
    Target("total memory / tfb.Glow", "peak_total_mib", _all(0.35), "tfb_glow"),
    Target("log_prob / tfb.Glow", "log_prob_seconds", _all(0.7), "tfb_glow"),
    Target("log_prob / normflows", "log_prob_seconds", _all(0.8), "normflows"),
    Target("sample / tfb.Glow", "sample_seconds", _all(0.7), "tfb_glow"),
    Target("sample / normflows", "sample_seconds", _all(0.8), "normflows"),
    Target("log_prob / networks", "log_prob_seconds", _all(1.7), "floor"),
    Target(
        "step / networks",
        "step_seconds",
        {"invert": 1.6, "recompute": 1.6, "store": 1.25, "store_threads": 1.25},
        "floor",
        at=(16, 64),
    ),
)


def medians(records):
    """Computes medians over the rounds.

    Args:
        records: dictionaries of a case's name, sizes and measurements, one for
            every process.

    Returns:
        Dictionary of `(case, num_steps, batch_size)` to a dictionary of the
        numbers measured, `rounds`, how many there were, and `start_seconds`,
        the first step and initialization.
    """
    groups = collections.defaultdict(list)
    for record in records:
        key = (record["case"], record["num_steps"], record["batch_size"])
        start = record["initialize_seconds"] + record["first_step_seconds"]
        groups[key].append({**record, "start_seconds": start})
    return {
        key: {
            "rounds": len(group),
            **{
                name: statistics.median(
                    record[name] for record in group if name in record
                )
                for name in set().union(*group)
                if name.endswith(("_seconds", "_mib", "_weights"))
            },
        }
        for key, group in groups.items()
    }


def table(medians):
    """Formats the measurements, by size and then in the order of `LABELS`."""
    columns = (
        ("init", "initialize_seconds", ".2f"),
        ("first step", "first_step_seconds", ".2f"),
        ("step", "step_seconds", ".3f"),
        ("log_prob", "log_prob_seconds", ".3f"),
        ("sample", "sample_seconds", ".3f"),
        ("memory", "peak_mib", ",.0f"),
        ("in total", "peak_total_mib", ",.0f"),
        ("weights", "num_weights", ",.0f"),
    )
    order = list(LABELS)
    lines = [
        f"{'':20}{'K':>4}{'batch':>6}"
        + "".join(f"{title:>11}" for title, _, _ in columns)
        + f"{'rounds':>8}"
    ]
    for case, num_steps, batch_size in sorted(
        medians, key=lambda key: (key[2], key[1], order.index(key[0]))
    ):
        row = medians[case, num_steps, batch_size]
        cells = [
            format(row[name], spec) if name in row else "-"
            for _, name, spec in columns
        ]
        lines.append(
            f"{LABELS[case]:20}{num_steps:4}{batch_size:6}"
            + "".join(f"{cell:>11}" for cell in cells)
            + f"{row['rounds']:8}"
        )
    lines.append(
        "Seconds; MiB above the imports' and in total. The first step is from "
        "nothing to the end of\nthe first run; the peers initialize in it."
    )
    return "\n".join(lines)


def targets_table(medians):
    """The targets as lines of text: ratio, limit, and whether it is met."""
    lines = [
        f"{'':26}{'K':>4}{'batch':>6}" + "".join(f"{m:>22}" for m in MODES)
    ]
    for target in TARGETS:
        cells = [_verdict(target, medians, mode) for mode in MODES]
        lines.append(
            f"{target.name:26}{target.at[0]:4}{target.at[1]:6}"
            + "".join(f"{cell:>22}" for cell in cells)
        )
    lines.append("Each: ratio measured, the most it should be, verdict.")
    return "\n".join(lines)


def _verdict(target, medians, mode):
    ratio = target.ratio(medians, mode)
    if ratio is None:
        return "-"
    limit = target.limits[mode]
    verdict = "met" if ratio <= limit else "missed"
    return f"{ratio:.3f} / {limit:.2f} {verdict}"
