# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests that the packaging says what the sources do.

Run as a program, it prints the BUILD file that the sources ask for:
`python tests/packaging_test.py > BUILD`.
"""

import ast
import collections
import difflib
import importlib.metadata
import itertools
import pathlib
import re
import runpy
import subprocess
import sys
from unittest import mock

import pytest
from packaging import requirements
from packaging import utils

_ROOT = pathlib.Path(__file__).resolve().parents[1]

# Distributions whose import has another name.
_DISTRIBUTIONS = {
    "absl": "absl-py",
    "PIL": "pillow",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
}
# What distributions import without requiring it, or require by an extra, which
# the pins do not tell Bazel.
_ALSO_NEEDED = {
    "etils": ("fsspec", "importlib-resources", "zipp"),
    "tensorflow": ("tensorboard",),
    "tensorflow-datasets": ("einops", "fsspec", "importlib-resources", "zipp"),
    "tensorflow-probability": ("tf-keras",),
}
_MAX_BYTES = 1_000_000
# Run in environments of their own, with what is not pinned here.
_ELSEWHERE = ("normflows_glow.py", "run_xla.py")
# These read the repository that the sandbox's links lead to.
_LOCAL_TESTS = ("benchmarks_test.py", "density_test.py", "packaging_test.py")

_BUILD_HEAD = """\
# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
#
# Printed by `python tests/packaging_test.py`, from the imports of each file.

load("@rules_python//python:defs.bzl", "py_binary", "py_library", "py_test")

package(default_visibility = ["//visibility:public"])

py_binary(
    name = "tfp-glow",
    srcs = ["tfp_glow/__main__.py"],
    main = "tfp_glow/__main__.py",
    deps = [":tfp_glow/__main__"],
)
"""


def _modules():
    """The sources that BUILD has a rule for."""
    folders = ("benchmarks", "tests", "tfp_glow")
    sources = itertools.chain.from_iterable(
        (_ROOT / folder).rglob("*.py") for folder in folders
    )
    return sorted(path for path in sources if path.name not in _ELSEWHERE)


def _is_test(path):
    return path.name.endswith("_test.py")


def _name(path):
    """The name of a module's rule: its path, a package's that of its folder."""
    path = path.parent if path.name == "__init__.py" else path.with_suffix("")
    return path.relative_to(_ROOT).as_posix()


def _imports(path):
    """The modules that a source imports, as `a.b.c`, anywhere in it."""
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                imported.add(name if _source(name) else node.module)
    return imported


def _source(module):
    """The file of one of this repository's modules, `None` for another's."""
    path = _ROOT.joinpath(*module.split("."))
    for source in (path.with_suffix(".py"), path / "__init__.py"):
        if source.exists():
            return source
    return None


def _distributions(path):
    """The names of the distributions that a source imports."""
    tops = {name.split(".")[0] for name in _imports(path) if not _source(name)}
    return {
        _DISTRIBUTIONS.get(top, top.replace("_", "-"))
        for top in tops - sys.stdlib_module_names
    }


def _also_needed(distributions):
    return {
        also for name in distributions for also in _ALSO_NEEDED.get(name, ())
    }


def _dependencies(path):
    """The labels that a source's rule depends on."""
    sources = {_source(name) for name in _imports(path)} - {None}
    distributions = _distributions(path)
    if _is_test(path):
        sources.add(_ROOT / "tests" / "conftest.py")
        distributions.add("pytest")
    distributions |= _also_needed(distributions)
    return sorted(f":{_name(source)}" for source in sources) + sorted(
        f"@pypi//{name.replace('-', '_')}" for name in distributions
    )


def _build():
    """The text of BUILD that the sources ask for."""
    rules = []
    for path in _modules():
        source = path.relative_to(_ROOT).as_posix()
        kind = "py_test" if _is_test(path) else "py_library"
        attributes = {"name": _name(path), "srcs": [source]}
        if _is_test(path):
            attributes |= {"args": [source], "main_module": "pytest"}
            if path.name in _LOCAL_TESTS:
                attributes["tags"] = ["local"]
        elif not source.startswith("tfp_glow/"):
            attributes["testonly"] = True
        attributes["deps"] = _dependencies(path)
        rules.append(_rule(kind, attributes))
    return "\n".join([_BUILD_HEAD, *rules])


def _rule(kind, attributes):
    lines = [f"{kind}("]
    for name, value in attributes.items():
        if isinstance(value, list) and len(value) > 1:
            lines.append(f"    {name} = [")
            lines.extend(f'        "{item}",' for item in value)
            lines.append("    ],")
        elif value != []:
            shown = repr(value).replace("'", '"')
            lines.append(f"    {name} = {shown},")
    return "\n".join([*lines, ")\n"])


def _read(name):
    return (_ROOT / name).read_text(encoding="utf-8")


def _build_rules():
    """The calls in BUILD, as pairs of a kind and its keyword arguments."""
    calls = [statement.value for statement in ast.parse(_read("BUILD")).body]
    return [
        (
            call.func.id,
            {word.arg: ast.literal_eval(word.value) for word in call.keywords},
        )
        for call in calls
    ]


def _setup():
    """The arguments that `setup.py` gives to `setuptools.setup`."""
    with mock.patch("setuptools.setup") as setup:
        runpy.run_path(str(_ROOT / "setup.py"))
    return setup.call_args.kwargs


def _requirements(*extras):
    """The requirements of `setup.py`, and of some of its extras."""
    setup = _setup()
    lines = list(setup["install_requires"])
    for extra in extras:
        lines.extend(setup["extras_require"][extra])
    return [requirements.Requirement(line) for line in lines]


def _pins():
    """The versions in `constraints.txt`, by canonical name."""
    pins = {}
    for line in _read("constraints.txt").splitlines()[1:]:
        name, version = re.fullmatch(r"([\w.-]+)==([\w.+!-]+)", line).groups()
        pins[utils.canonicalize_name(name)] = version
    return pins


def _tracked():
    """The paths that git tracks; skips the test where there is no git."""
    try:
        listed = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "-z"],
            cwd=_ROOT,
            capture_output=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no list of tracked files: {error}")
    return [
        pathlib.PurePosixPath(name)
        for name in listed.stdout.decode().split("\0")[:-1]
    ]


def test_build_is_what_the_imports_ask_for():
    difference = difflib.unified_diff(
        _read("BUILD").splitlines(),
        _build().splitlines(),
        "BUILD",
        "what the imports ask for",
        n=9,
        lineterm="",
    )
    lines = "\n".join(difference)
    assert not lines, (
        "BUILD is out of date. Write it again with\n"
        f"    python tests/packaging_test.py > BUILD\n{lines}"
    )


@pytest.mark.parametrize("kind", ["py_library", "py_test"])
def test_build_has_each_module_in_one_rule(kind):
    listed = [
        source
        for rule, attributes in _build_rules()
        if rule == kind
        for source in attributes["srcs"]
    ]
    assert sorted(listed) == sorted(
        path.relative_to(_ROOT).as_posix()
        for path in _modules()
        if _is_test(path) == (kind == "py_test")
    )


def test_build_depends_only_on_labels_that_exist():
    rules = [attributes for _, attributes in _build_rules()]
    labels = {f":{rule['name']}" for rule in rules if "name" in rule}
    labels |= {f"@pypi//{name.replace('-', '_')}" for name in _pins()}
    needed = {label for rule in rules for label in rule.get("deps", [])}
    assert needed <= labels, sorted(needed - labels)


def test_build_has_no_circular_dependencies():
    edges = {
        f":{rule['name']}": rule.get("deps", [])
        for kind, rule in _build_rules()
        if kind == "py_library"
    }
    while edges:
        leaves = {
            name
            for name, labels in edges.items()
            if not any(label in edges for label in labels)
        }
        assert leaves, f"These depend on one another: {sorted(edges)}"
        edges = {k: v for k, v in edges.items() if k not in leaves}


def test_version_is_the_same_everywhere():
    version = runpy.run_path(str(_ROOT / "tfp_glow" / "version.py"))
    assert _setup()["version"] == version["__version__"]
    assert f'version = "{version["__version__"]}",' in _read("MODULE.bazel")


def test_every_folder_of_modules_is_a_package_and_nothing_else_is():
    folders = {path.parent for path in (_ROOT / "tfp_glow").rglob("*.py")}
    assert sorted(_setup()["packages"]) == sorted(
        ".".join(folder.relative_to(_ROOT).parts) for folder in folders
    )


def test_the_command_exists():
    _, target = _setup()["entry_points"]["console_scripts"][0].split(" = ")
    module, function = target.split(":")
    body = ast.parse(_source(module).read_text(encoding="utf-8")).body
    assert function in [getattr(node, "name", None) for node in body]


def test_every_import_is_required_and_every_requirement_needed():
    imported = set().union(
        *map(_distributions, (_ROOT / "tfp_glow").rglob("*.py"))
    )
    required = {requirement.name for requirement in _requirements()}
    assert imported <= required, sorted(imported - required)
    needed = imported | _also_needed(imported)
    assert required <= needed, sorted(required - needed)


@pytest.mark.parametrize(
    "requirement", _requirements("colab", "tests"), ids=str
)
def test_requirement_has_a_lower_and_an_upper_bound(requirement):
    operators = {bound.operator for bound in requirement.specifier}
    assert operators >= {">=", "<"}


@pytest.mark.parametrize(
    "requirement", _requirements("colab", "tests"), ids=str
)
def test_pinned_version_is_within_the_bounds(requirement):
    pinned = _pins()[utils.canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(pinned), pinned


@pytest.mark.parametrize("requirement", _requirements(), ids=str)
def test_installed_version_is_within_the_bounds(requirement):
    installed = importlib.metadata.version(requirement.name)
    assert requirement.specifier.contains(installed), installed


def test_constraints_are_sorted_below_one_comment():
    comment, *lines = _read("constraints.txt").splitlines()
    assert comment.startswith("# ")
    assert list(_pins()) == sorted(_pins())
    assert len(_pins()) == len(lines)


def test_sources_start_with_the_licence():
    folders = ("tfp_glow", "tests", "benchmarks", "colab")
    sources = [_ROOT / "setup.py"]
    for folder in folders:
        sources.extend((_ROOT / folder).rglob("*.py"))
    head = _read("setup.py").splitlines()[:2]
    assert head[1] == "# SPDX-License-Identifier: Apache-2.0"
    without = [
        str(path.relative_to(_ROOT))
        for path in sources
        if path.read_text(encoding="utf-8").splitlines()[:2] != head
    ]
    assert not without


def test_tracked_files_are_small():
    sizes = {
        str(path): (_ROOT / path).stat().st_size
        for path in _tracked()
        if (_ROOT / path).is_file()
    }
    large = {path: size for path, size in sizes.items() if size > _MAX_BYTES}
    assert not large


def test_tracked_names_differ_where_case_is_ignored():
    paths = set(_tracked())
    paths |= {parent for path in paths for parent in path.parents}
    by_folded = collections.defaultdict(list)
    for path in sorted(paths):
        by_folded[str(path).casefold()].append(str(path))
    assert not [same for same in by_folded.values() if len(same) > 1]


if __name__ == "__main__":
    print(_build(), end="")
