#!/usr/bin/env bash
# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Checks with `bazel query` that the BUILD files load and list every library and
# every test. It needs Bazel, any version from 4 (Debian: bazel-bootstrap), and
# no network: stubs stand in for `rules_python` and for the PyPI packages.

set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
copy="$(mktemp -d)"
query() {
  bazel --batch --output_user_root="$copy/cache" query \
    --noimplicit_deps --notool_deps "$@" 2>>"$copy/log"
}
trap 'chmod -R u+w "$copy"; rm -rf "$copy"' EXIT

# The sources, without MODULE.bazel: the stubs come from a WORKSPACE.
mkdir "$copy/source"
cd "$root"
tar -c BUILD README.md constraints.txt Makefile benchmarks colab docs tests \
  tfp_glow | tar -x -C "$copy/source"

mkdir -p "$copy/rules_python/python" "$copy/pypi"
touch "$copy/rules_python/WORKSPACE" "$copy/rules_python/python/BUILD" \
  "$copy/pypi/WORKSPACE"
cat >"$copy/rules_python/python/defs.bzl" <<'STUB'
def _no_providers(ctx):
    return []

_FILES = attr.label_list(allow_files = True)

python_stub = rule(_no_providers, attrs = {
    "data": _FILES,
    "deps": attr.label_list(),
    "srcs": _FILES,
})

def _stub(name, srcs, deps, data = [], testonly = False, **kwargs):
    python_stub(
        name = name,
        srcs = srcs,
        data = data,
        testonly = testonly,
        visibility = kwargs.get("visibility"),
        deps = deps,
    )

py_binary = _stub
py_library = _stub

def py_test(**kwargs):
    _stub(testonly = True, **kwargs)
STUB
# One package for every pinned version, as `pip.parse` makes them.
sed -n 's/==.*//p' constraints.txt | grep -v '^#' | tr 'A-Z.-' 'a-z__' |
  while read -r name; do
    mkdir "$copy/pypi/$name"
    echo "filegroup(name = '$name', visibility = ['//visibility:public'])" \
      >"$copy/pypi/$name/BUILD"
  done
cat >"$copy/source/WORKSPACE" <<STUB
workspace(name = "tfp_glow")
local_repository(name = "rules_python", path = "$copy/rules_python")
local_repository(name = "pypi", path = "$copy/pypi")
STUB

cd "$copy/source"
# `deps` fails where a label does not exist.
if ! query 'deps(//...)' >"$copy/deps"; then
  cat "$copy/log"
  exit 1
fi
query 'kind(python_stub, //...)' | sort >"$copy/listed"
{
  echo //benchmarks:benchmarks
  echo //tests:support
  find tests -name '*_test.py' | sed -E 's|^tests/(.*)\.py$|//tests:\1|'
  printf '//tfp_glow:%s\n' base tfp-glow tfp_glow
  find tfp_glow -mindepth 2 -name __init__.py |
    sed -E 's|^tfp_glow/(.*)/__init__.py$|//tfp_glow:\1|'
} | sort >"$copy/expected"
diff "$copy/listed" "$copy/expected"
# Every source belongs to a rule.
grep -E '^//[^:].*\.py$' "$copy/deps" | tr ':' '/' | cut -c3- | sort >"$copy/used"
diff "$copy/used" <(find benchmarks tests tfp_glow -name '*.py' | sort)
echo "$(wc -l <"$copy/listed") rules and $(wc -l <"$copy/used") sources: passed."
