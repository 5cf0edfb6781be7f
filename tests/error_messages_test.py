# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests that error messages say what was expected and what was received."""

import ast
import pathlib
import re

import pytest

_PACKAGE = pathlib.Path(__file__).resolve().parents[1] / "tfp_glow"
_PARTS = (
    re.compile(r"\bexpected\b", re.IGNORECASE),
    re.compile(r"\b(received|found)\b", re.IGNORECASE),
)
# Where errors need not say both, as `file:function`, and why.
_EXCEPTIONS = {
    "__init__.py:__getattr__": "Python's own words for a missing attribute",
    "explorer/server.py:do_GET": "A status, 404, that browsers explain",
    "explorer/server.py:do_POST": "The same status",
    "train/run_folder.py:_naming": "Adds a place to the words of an error",
}


def _nodes(node, scopes):
    """Every node below one, with the module and functions that it is in."""
    for child in ast.iter_child_nodes(node):
        yield child, scopes
        is_function = isinstance(child, ast.FunctionDef)
        yield from _nodes(child, [*scopes, child] if is_function else scopes)


def _name(node):
    """The last part of a dotted name, or "" for other expressions."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _makes_error(error):
    """Whether a `raise` makes its error, and does not pass one on."""
    name = _name(error)
    return isinstance(error, ast.Call) or (
        name[:1].isupper() and name != "NotImplementedError"
    )


def _text(expression, scopes, helpers):
    """The text in an expression, its variables and the helpers it calls."""
    nodes = list(ast.walk(expression))
    names = {_name(node) for node in nodes}
    for scope in scopes:
        is_module = isinstance(scope, ast.Module)
        for node in scope.body if is_module else ast.walk(scope):
            if isinstance(node, ast.Assign) and names & {
                _name(target) for target in node.targets
            }:
                nodes.extend(ast.walk(node.value))
    text = " ".join(
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    for call in nodes:
        name = _name(call.func) if isinstance(call, ast.Call) else ""
        # Helpers call one another, and the text of each is needed once.
        for helper, outer in helpers.pop(name, ()):
            for node in ast.walk(helper):
                if isinstance(node, ast.Return) and node.value:
                    text += " " + _text(node.value, [*outer, helper], helpers)
    return text


def _is_complete(error, scopes, helpers):
    """Whether an error's message has both parts."""
    # Most messages are complete without the text of helpers.
    texts = (_text(error, scopes, known) for known in ({}, {**helpers}))
    return any(all(part.search(text) for part in _PARTS) for text in texts)


def _incomplete(sources):
    """The errors that lack a part, as `file:function`, with their lines."""
    nodes, helpers = [], {}
    for file, source in sources.items():
        module = ast.parse(source)
        for node, scopes in _nodes(module, [module]):
            nodes.append((file, node, scopes))
            if isinstance(node, ast.FunctionDef):
                helpers.setdefault(node.name, []).append((node, scopes))
    found = {}
    for file, node, scopes in nodes:
        if not isinstance(node, ast.Raise) or not _makes_error(node.exc):
            continue
        if not _is_complete(node.exc, scopes, helpers):
            function = getattr(scopes[-1], "name", "")
            found[f"{file}:{function}"] = node.lineno
    return found


def test_every_error_says_what_was_expected_and_received():
    sources = {
        path.relative_to(_PACKAGE).as_posix(): path.read_text(encoding="utf-8")
        for path in _PACKAGE.rglob("*.py")
    }
    found = _incomplete(sources)
    assert not found.keys() - _EXCEPTIONS.keys(), found
    assert not _EXCEPTIONS.keys() - found.keys(), "stale exceptions"


@pytest.mark.parametrize(
    ("statement", "is_complete"),
    [
        ('raise ValueError("Expected 1. Received: 2")', True),
        ('raise ValueError(f"Expected {1}. " f"Found: {2}") from x', True),
        ('message = "Expected 1"; raise KeyError(message + " Received")', True),
        ("raise ValueError(MESSAGE)", True),
        ("raise helper(2)", True),
        ("raise module.helper(2)", True),
        ("raise", True),
        ("raise error", True),
        ("raise NotImplementedError", True),
        ('raise ValueError("2 is invalid")', False),
        ('raise ValueError("Expected 1")', False),
        ('raise ValueError(f"Received: {2}")', False),
        ('raise ValueError("Unexpected. Received: 2")', False),
        ("raise ValueError", False),
        ("raise tf.errors.AbortedError()", False),
        ('raise ValueError(message + ". Received: 2")', False),
        ("raise half_a_helper(2)", False),
    ],
)
def test_incomplete_errors_are_found(statement, is_complete):
    source = (
        'MESSAGE = "Expected 1. Received: 2"\n'
        "def helper(x):\n"
        '    expected = "Expected 1"\n'
        "    return half_a_helper(expected, x)\n"
        "def half_a_helper(expected, x):\n"
        '    """Expected."""\n'
        '    return ValueError(f"{expected}. Received: {x}")\n'
        "def other():\n"
        '    message = "Expected 1"\n'
        f"def function():\n    {statement}\n"
    )
    found = _incomplete({"module.py": source})
    assert found == ({} if is_complete else {"module.py:function": 11})
