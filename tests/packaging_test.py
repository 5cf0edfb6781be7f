# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests that the packaging and the sources agree."""

import ast
import collections
import importlib.metadata
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
# Distributions that others import without requiring them.
_ALSO_NEEDED = {
    "tensorflow": "tensorboard",
    "tensorflow-datasets": "importlib-resources",
}
_MAX_BYTES = 1_000_000
_MAX_WEIGHTS_BYTES = 3_000_000
_MAX_BUILD_LINES = 120
# These run in other environments, with distributions that are not pinned.
_ELSEWHERE = ("normflows_glow.py", "count_xla.py", "run_xla.py")
# The layers of the package. Each may import itself and the ones before it, but
# `datasets` needs no models.
_LAYERS = (
    "base",
    "networks",
    "bijectors",
    "distributions",
    "models",
    "datasets",
    "analysis",
    "explorer",
    "train",
)
_DATASETS_IMPORT = {"base", "datasets"}
_SLOW_IMPORTS = {"matplotlib", "skimage", "sklearn", "tensorflow_datasets"}


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
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) == "_lazy.module"
        ):
            imported.add(ast.literal_eval(node.args[0]))
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


def _layer(path):
    """The layer of one of the package's sources."""
    folder, *rest = path.relative_to(_ROOT / "tfp_glow").parts
    return folder if rest else "base"


def _package_imports():
    """The package's sources and the sources that each of them imports.

    `__init__.py` and `__main__.py` on top are not part of a layer.
    """
    sources = {
        path: {_source(name) for name in _imports(path)} - {None}
        for path in (_ROOT / "tfp_glow").rglob("*.py")
    }
    for name in ("__init__.py", "__main__.py"):
        del sources[_ROOT / "tfp_glow" / name]
    return sources


def _rules():
    """The Python rules of all BUILD files, by label.

    Starlark is close enough to Python for `exec`, given its functions.
    """
    rules = {}
    for build in sorted(_ROOT.glob("*/BUILD")):
        package = build.parent.name

        def glob(patterns, exclude=(), folder=build.parent, **_):
            found, excluded = (
                {p for pattern in some for p in folder.glob(pattern)}
                for some in (patterns, exclude)
            )
            return sorted(
                path.relative_to(folder).as_posix() for path in found - excluded
            )

        def rule(name, srcs, deps, package=package, **_):
            rules[f"//{package}:{name}"] = (
                [f"{package}/{source}" for source in srcs],
                [_label(package, dependency) for dependency in deps],
            )

        ignored = dict.fromkeys(("load", "package"), lambda *_, **__: None)
        kinds = dict.fromkeys(("py_binary", "py_library", "py_test"), rule)
        exec(build.read_text(), {"glob": glob, **ignored, **kinds})
    return rules


def _label(package, label):
    """A label in full."""
    if label.startswith(":"):
        return f"//{package}{label}"
    if label.startswith("//") and ":" not in label:
        return f"{label}:{label[2:]}"
    return label


def _read(name):
    return (_ROOT / name).read_text(encoding="utf-8")


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


def test_build_files_are_short():
    files = [_ROOT / "BUILD", *_ROOT.glob("*/BUILD")]
    lines = sum(len(path.read_text().splitlines()) for path in files)
    assert lines <= _MAX_BUILD_LINES


def test_build_has_each_source_in_one_rule():
    listed = [source for sources, _ in _rules().values() for source in sources]
    assert sorted(listed) == sorted(
        path.relative_to(_ROOT).as_posix()
        for folder in ("benchmarks", "tests", "tfp_glow")
        for path in (_ROOT / folder).rglob("*.py")
    )


def test_a_rule_of_build_reaches_what_its_sources_import():
    rules = _rules()
    packages = {f"@pypi//{name.replace('-', '_')}" for name in _pins()}
    for label, (sources, _) in rules.items():
        reached, labels = set(), [label]
        for other in labels:
            if other in packages:
                reached.add(other)
            else:
                reached.update(rules[other][0])
                labels.extend(set(rules[other][1]) - set(labels))
        needed = set()
        for source in sources:
            path = _ROOT / source
            if path.name not in _ELSEWHERE:
                needed |= {
                    _source(name).relative_to(_ROOT).as_posix()
                    for name in _imports(path)
                    if _source(name)
                }
                needed |= {
                    f"@pypi//{name.replace('-', '_')}"
                    for name in _distributions(path)
                }
        assert needed <= reached, (label, sorted(needed - reached))


def test_modules_of_the_package_import_in_no_circle():
    edges = _package_imports()
    while edges:
        leaves = {
            path
            for path, imported in edges.items()
            if not imported & set(edges)
        }
        assert leaves, f"These import one another: {sorted(map(str, edges))}"
        edges = {k: v for k, v in edges.items() if k not in leaves}


def test_layers_of_the_package_import_one_way():
    against = []
    for path, imported in _package_imports().items():
        layer = _layer(path)
        allowed = set(_LAYERS[: _LAYERS.index(layer) + 1])
        if layer == "datasets":
            allowed &= _DATASETS_IMPORT
        against.extend(
            f"{path.relative_to(_ROOT)} imports {other.relative_to(_ROOT)}"
            for other in imported
            if _layer(other) not in allowed
        )
    assert not against, "\n".join(against)


def test_bijectors_and_models_import_without_plots_and_data_sets():
    # Keras imports Matplotlib and scikit-learn where it finds them, so the
    # test hides them. Importing a module whose entry is `None` fails.
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({_SLOW_IMPORTS}))\n"
        "import tfp_glow\n"
        "tfp_glow.ActNorm, tfp_glow.GlowModel, tfp_glow.datasets.load"
    )
    subprocess.run([sys.executable, "-c", program], cwd=_ROOT, check=True)


def test_version_is_the_same_everywhere():
    version = runpy.run_path(str(_ROOT / "tfp_glow" / "version.py"))
    assert _setup()["version"] == version["__version__"]
    assert f'version = "{version["__version__"]}",' in _read("MODULE.bazel")
    assert f"\nversion: {version['__version__']}\n" in _read("CITATION.cff")
    assert f"## {version['__version__']}" in _read("CHANGELOG.md")


def test_workflows_test_the_pythons_that_the_classifiers_name():
    classifiers = " ".join(_setup()["classifiers"])
    pythons = re.findall(r"Python :: (3\.\d+)", classifiers)
    assert f"python: {pythons}".replace("'", '"') in _read(
        ".github/workflows/test.yml"
    )
    first, last = pythons[0], int(pythons[-1].removeprefix("3."))
    assert _setup()["python_requires"] == f">={first},<3.{last + 1}"


def test_every_folder_of_modules_is_a_package_and_nothing_else_is():
    folders = {path.parent for path in (_ROOT / "tfp_glow").rglob("*.py")}
    assert sorted(_setup()["packages"]) == sorted(
        ".".join(folder.relative_to(_ROOT).parts) for folder in folders
    )


def test_the_weights_and_the_page_are_installed():
    installed = {
        path
        for package, patterns in _setup()["package_data"].items()
        for pattern in patterns
        for path in _ROOT.joinpath(*package.split(".")).glob(pattern)
    }
    assert installed == {
        path
        for path in (_ROOT / "tfp_glow").rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc", "")
    }


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
    needed = imported | {_ALSO_NEEDED.get(name, name) for name in imported}
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


def test_sources_start_with_the_license():
    folders = ("tfp_glow", "tests", "benchmarks", "colab", "docs")
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
    large = {
        path: size
        for path, size in sizes.items()
        if size
        > (_MAX_WEIGHTS_BYTES if path.endswith(".weights.h5") else _MAX_BYTES)
    }
    assert not large


def test_tracked_names_differ_where_case_is_ignored():
    paths = set(_tracked())
    paths |= {parent for path in paths for parent in path.parents}
    by_folded = collections.defaultdict(list)
    for path in sorted(paths):
        by_folded[str(path).casefold()].append(str(path))
    assert not [same for same in by_folded.values() if len(same) > 1]
