# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""A Sphinx extension that reads the Markdown of the package's docstrings.

It runs before `sphinx.ext.napoleon`, which reads the sections such as `Args`.
Fenced code, tables and `code` become reStructuredText, and `code` that is a
public name becomes a link.
"""

import functools
import inspect
import re

from sphinx.util import inspect as sphinx_inspect

import tfp_glow as tfg

_CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
# `name_`, `|x|`, `*args` and `**kwargs`, but not **bold**.
_SPECIAL = re.compile(r"(?<=\w)_(?!\w)|\||\*(?=\*?\w+\b(?!\*))")
_PUBLIC = {*tfg._NAMES, *tfg._MODULES}


def to_rst(lines):
    """Converts the lines of a docstring.

    Args:
        lines: list of `str`, Markdown.

    Returns:
        List of `str`, reStructuredText.
    """
    converted, prose, rows = [], [], []
    lines = iter([*lines, ""])
    for line in lines:
        stripped = line.lstrip()
        indent = line[: len(line) - len(stripped)]
        in_table = re.fullmatch(r"\|.*\|", stripped)
        if rows and not in_table:
            converted += _table(*rows)
            rows = []
        if in_table or stripped.startswith("```"):
            converted += _prose(prose)
            prose = []
        if stripped.startswith("```"):
            language = stripped[3:] or "none"
            converted += ["", f"{indent}.. code-block:: {language}", ""]
            for code in iter(functools.partial(next, lines), f"{indent}```"):
                converted.append(f"   {code}" if code else "")
            converted.append("")
        elif in_table:
            rows.append(line)
        else:
            prose.append(line)
    return converted + _prose(prose)


def _prose(lines):
    """Converts `code` and protects characters that Markdown takes as they are."""
    pieces = _CODE.split("\n".join(lines))
    pieces[::2] = [_SPECIAL.sub(r"\\\g<0>", piece) for piece in pieces[::2]]
    pieces[1::2] = map(_code, pieces[1::2])
    # A separator before letters that touch code, as in `Glow`s.
    pieces[2::2] = [re.sub(r"^(?=\w)", r"\\ ", piece) for piece in pieces[2::2]]
    return "".join(pieces).split("\n")


def _code(text):
    """Code, which is a link if it is a public name."""
    name = text.removeprefix("tfg.")
    if name.split(".")[0] in _PUBLIC and re.fullmatch(r"[\w.]+", name):
        return f":py:obj:`{text} <tfp_glow.{name}>`"
    return f"``{text}``"


def _table(header, _, *rows):
    """Lines of a table: its header, the line below and the rows."""
    indent = header[: len(header) - len(header.lstrip())]
    lines = ["", f"{indent}.. list-table::", f"{indent}   :header-rows: 1", ""]
    for row in (header, *rows):
        cells = re.findall(r"\|((?:`[^`]*`|[^|`])*)(?=\|)", row.strip())
        for i, cell in enumerate(cells):
            [cell] = _prose([cell.strip()])
            lines.append(f"{indent}   {' ' if i else '*'} - {cell}".rstrip())
    return [*lines, ""]


def _convert(app, what, name, obj, options, lines):
    constructor = inspect.getdoc(obj.__init__) if what == "class" else None
    if constructor and lines[0] == constructor.splitlines()[0]:
        lines[:0] = [".. rubric:: Constructor", ""]
    lines[:] = to_rst(lines)


def _sign(app, what, name, obj, options, signature, returns):
    """Takes the signatures of Keras' classes from their constructors."""
    if what == "class" and signature == "(*args, **kwargs)":
        signature = sphinx_inspect.stringify_signature(
            sphinx_inspect.signature(obj.__init__, bound_method=True)
        )
    return signature, returns


def _skip(app, what, name, obj, skip, options):
    """Skips members of TFP, Keras and Python, and those without a docstring."""
    function = getattr(obj, "fget", None) or getattr(obj, "func", obj)
    home = getattr(function, "__module__", None) or ""
    return skip or not home.startswith("tfp_glow")


def setup(app):
    """Connects the extension, before napoleon's default priority of 500."""
    app.connect("autodoc-process-docstring", _convert, priority=400)
    app.connect("autodoc-process-signature", _sign)
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True}
