"""The documentation is true: its Python runs, and its links lead somewhere.

A page's ```python blocks run in order, as one module, in a directory of their own. What is not to be run is fenced as
something else (```py, ```text, ```console, ```ini), where the reader sees it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LANGUAGES = {"python", "py", "text", "console", "ini", "json", "html", "apache", "nginx"}

FENCE = re.compile(
    r"^(?P<indent> *)(?P<ticks>`{3,})(?P<language>[^\n`]*)\n(?P<code>.*?)^(?P=indent)(?P=ticks) *$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def fences(text):
    """(language, code, first line) of each fenced block."""
    for block in FENCE.finditer(text):
        indent = len(block["indent"])
        code = "".join(line[indent:] if line.strip() else line for line in block["code"].splitlines(keepends=True))
        yield block["language"].strip(), code, text.count("\n", 0, block.start("code")) + 1


def anchors(text):
    """The fragments that a page's headings give, as the usual renderers make them."""
    headings = re.findall(r"^#+ +(.*)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.slow
@every_page
def test_the_code_runs(page, tmp_path, monkeypatch):
    blocks = [(code, line) for language, code, line in fences(page.read_text(encoding="utf-8")) if language == "python"]
    if not blocks:
        return
    monkeypatch.chdir(tmp_path)
    module = ModuleType(f"page_{page.stem.replace('-', '_').lower()}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    try:
        for code, line in blocks:
            at_its_line = "\n" * (line - 1) + code
            exec(compile(at_its_line, str(page), "exec", dont_inherit=True), vars(module))
    finally:
        for value in vars(module).values():
            if type(value).__module__.startswith("middleware.stores") and hasattr(value, "close"):
                value.close()


@every_page
def test_every_fence_says_what_it_holds(page):
    text = page.read_text(encoding="utf-8")
    languages = {language for language, _, _ in fences(text)}
    assert languages <= LANGUAGES
    assert "```" not in FENCE.sub("", text), "a fence that does not end"


@every_page
def test_a_link_to_a_page_leads_there(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in (match["target"] for match in LINK.finditer(text)):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, fragment = target.partition("#")
        there = (page.parent / unquote(path)).resolve() if path else page
        assert there.exists(), f"{target}: no such file"
        assert there.is_relative_to(ROOT), f"{target} leads out of the repository"
        if fragment and there.suffix == ".md":
            assert fragment in anchors(there.read_text(encoding="utf-8")), f"{target}: no such heading"


def test_a_block_inside_a_list_is_found_without_its_indent():
    assert [*fences("- x\n\n  ```python\n  a = 1\n  ```\n")] == [("python", "a = 1\n", 4)]
