# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Compares time and memory of this checkout with an earlier commit.

`python benchmarks/against_commit.py --commit=71f3a96` checks the commit out into
a temporary folder and runs `compare_case.py` of both, in turn, each measurement
in a process of its own. It prints medians over the rounds, the median of the
ratios within a round, and the ratio of the minima, which is the steadier one
where some processes are slow throughout. Nothing else should run at the same
time. With the defaults it takes about ten minutes on two CPU cores.
"""

import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

from absl import app
from absl import flags

_COMMIT = flags.DEFINE_string("commit", "HEAD~1", "the earlier commit")
_CASES = flags.DEFINE_list("cases", ["invert", "store"], "gradients to measure")
_NUM_STEPS = flags.DEFINE_list(
    "num_steps", ["4", "32"], "numbers of steps per level, K"
)
_ROUNDS = flags.DEFINE_integer("rounds", 4, "number of rounds", 1)

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_FIGURES = (
    "step_seconds",
    "log_prob_seconds",
    "sample_seconds",
    "first_step_seconds",
    "peak_mib",
)


@contextlib.contextmanager
def _checkout(commit):
    """Gives a folder with the files of a commit, and removes it at the end."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "earlier")
        git = ["git", "-C", str(_ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", path, commit], check=True)
        try:
            yield pathlib.Path(path)
        finally:
            subprocess.run([*git, "remove", "--force", path], check=True)


def _measure(root, case, num_steps):
    """Returns what `compare_case.py` of a checkout prints."""
    finished = subprocess.run(
        [
            sys.executable,
            str(root / "benchmarks" / "compare_case.py"),
            f"--case={case}",
            f"--num_steps={num_steps}",
        ],
        env={**os.environ, "PYTHONPATH": str(root)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(finished.stdout.splitlines()[-1])


def main(_):
    pairs = {}
    with _checkout(_COMMIT.value) as earlier:
        for i in range(_ROUNDS.value):
            for case in _CASES.value:
                for num_steps in _NUM_STEPS.value:
                    # Either one comes first in every other round.
                    roots = [earlier, _ROOT][:: -1 if i % 2 else 1]
                    found = {r: _measure(r, case, num_steps) for r in roots}
                    pair = found[earlier], found[_ROOT]
                    pairs.setdefault((case, num_steps), []).append(pair)
    print(
        f"{'case':10}{'K':>4}  {'figure':20}{'earlier':>10}{'now':>10}"
        f"{'ratio':>8}{'minima':>8}"
    )
    for (case, num_steps), rounds in pairs.items():
        for figure in _FIGURES:
            before = [a[figure] for a, _ in rounds]
            now = [b[figure] for _, b in rounds]
            ratio = statistics.median(b / a for a, b in zip(before, now))
            print(
                f"{case:10}{num_steps:>4}  {figure:20}"
                f"{statistics.median(before):10.4g}"
                f"{statistics.median(now):10.4g}{ratio:8.3f}"
                f"{min(now) / min(before):8.3f}"
            )


if __name__ == "__main__":
    app.run(main)
