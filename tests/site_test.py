# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Builds the reference site and follows its links."""

import html.parser
import importlib.util
import pathlib
import re
import runpy
import subprocess
import sys
import urllib.parse

import pytest

import tfp_glow as tfg

_ROOT = pathlib.Path(__file__).parents[1]
_ENTRY = re.compile(r"^   ~tfp_glow\.(\w+)$", re.MULTILINE)


class _Page(html.parser.HTMLParser):
    """The links, the loaded addresses and the anchors of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.loads, self.anchors = [], [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.anchors.add(attrs.get("id"))
        if tag == "a" and "href" in attrs:
            self.links.append(attrs["href"])
        elif tag == "link" and "href" in attrs:
            self.loads.append(attrs["href"])
        elif tag in ("img", "script", "iframe", "source") and "src" in attrs:
            self.loads.append(attrs["src"])


def test_every_public_name_has_one_entry_in_the_reference():
    text = (_ROOT / "docs" / "reference.rst").read_text(encoding="utf-8")
    assert sorted(_ENTRY.findall(text)) == sorted([*tfg._NAMES, *tfg._MODULES])


def test_every_page_of_docs_is_in_a_table_of_contents():
    text = (_ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    [*trees] = re.findall(r"```{toctree}\n(.*?)```", text, re.DOTALL)
    entries = re.findall(r"^(?:.*<)?([\w./]+)>?$", "".join(trees), re.MULTILINE)
    pages = {path.stem for path in (_ROOT / "docs").glob("*.md")}
    assert pages - {"index"} <= set(entries)


def test_the_markdown_of_docstrings_becomes_restructured_text():
    pytest.importorskip("sphinx")
    path = _ROOT / "docs" / "docstrings.py"
    to_rst = runpy.run_path(str(path))["to_rst"]
    markdown = """\
`Glow`s of `x_` and **kwargs.

| | shape |
|---|---|
| `a|b` | `[N]` |

```python
y = `x`
```"""
    assert " ".join(" ".join(to_rst(markdown.split("\n"))).split()) == (
        r":py:obj:`Glow <tfp_glow.Glow>`\ s of ``x_`` and \*\*kwargs. "
        ".. list-table:: :header-rows: 1 * - - shape * - ``a|b`` - ``[N]`` "
        ".. code-block:: python y = `x`"
    )


@pytest.mark.slow
def test_the_site_builds_and_its_links_lead_somewhere(tmp_path):
    if not importlib.util.find_spec("furo"):
        pytest.skip("Sphinx is not installed")
    site = tmp_path / "site"
    command = f"-m sphinx -q -W --keep-going -c docs -d {tmp_path}/doctrees"
    built = subprocess.run(
        [sys.executable, *command.split(), str(_ROOT), str(site)],
        cwd=_ROOT,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    pages = {path.resolve(): _Page(path) for path in site.rglob("*.html")}
    assert len(pages) > len(tfg._NAMES) + len(tfg._MODULES)
    for path, page in pages.items():
        for address in page.links + page.loads:
            parts = urllib.parse.urlsplit(address)
            if parts.scheme in ("http", "https"):
                assert address in page.links, f"{path} loads {address}"
                continue
            if parts.scheme == "data":
                continue
            name = urllib.parse.unquote(parts.path)
            target = (path.parent / name).resolve() if name else path
            assert target.is_file(), (path, address)
            if parts.fragment and target in pages:
                anchors = pages[target].anchors
                assert parts.fragment in anchors, (path, address)
    glow = (site / "docs/reference/tfp_glow.Glow.html").read_text()
    assert "num_filters" in glow and "<table" in glow
