"""The rules of the house, read from its source. docs/architecture.md tells them in words."""

from __future__ import annotations

import ast
import inspect
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest

import middleware

pytestmark = pytest.mark.slow  # reads every file, and `make check` runs it too

ROOT = Path(__file__).parent.parent
HOUSE = ROOT / "src" / "middleware"
FILES = sorted(HOUSE.rglob("*.py"))
MOST_LINES = 400

ROOMS = {"auth", "sessions", "cookies", "caching", "logging", "gateway"}
TOOLS = {
    "wsgi", "headers", "signing", "stores", "units", "operators", "events", "options", "networks", "timings",
    "made_once", "front_door",
}  # fmt: skip
# What stands at the edge, and who alone may import it.
IMPORTED_BY = {"integrations": {"commands"}, "commands": {"__main__"}, "__main__": set(), "testing": set()}

# Only these arrows between rooms. A room may use every tool; the tools are strangers to each other, but for a few.
MAY_IMPORT = {
    "errors": set(),
    "headers": {"errors"},
    "networks": {"errors"},
    "units": {"errors"},
    "options": {"errors"},
    "operators": {"errors"},
    "timings": set(),
    "made_once": set(),
    "front_door": set(),
    "events": {"operators"},  # a listener that fails is told to the operator once
    "wsgi": {"errors"},
    "signing": {"errors"},
    # URLs have sizes and durations; a client without a limit is told of; names are loaded later.
    "stores": {"errors", "units", "operators", "front_door"},
    "cookies": {"errors", *TOOLS},
    "sessions": {"errors", *TOOLS, "cookies"},
    "auth": {"errors", *TOOLS, "cookies", "sessions"},
    "caching": {"errors", *TOOLS},
    "logging": {"errors", *TOOLS},
    "gateway": {"errors", *TOOLS},
    "testing": {"errors", *TOOLS},
    "__init__": {"errors", *TOOLS, *ROOMS},
    "__main__": {"errors", "commands", "__init__"},
    "commands": {"errors", *TOOLS, *ROOMS, "integrations", "__init__"},
    "integrations": {"errors", *TOOLS, *ROOMS, "__init__"},
}
PARTS_OF = {
    "timestamp_signer": "signing",
    "sealing": "signing",
    "structured": "headers",
}  # a file beside the one it belongs to
RUNS_CODE_WHEN_LOADED = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle"}


def imports(nodes):
    """The absolute name of each module that a file imports, in functions and for type checkers too."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif not node.level:
            module = node.module or ""
            yield from (f"middleware.{alias.name}" for alias in node.names) if module == "middleware" else [module]


def import_nodes(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


def neighbour(name):
    """The part of the house that this module name leads into: `middleware.stores.base` is `stores`."""
    part = name.split(".")[1] if "." in name else "__init__"
    exists = (HOUSE / part).is_dir() or (HOUSE / f"{part}.py").exists()
    return PARTS_OF.get(part, part) if exists else "__init__"


def part_of(path):
    part = path.relative_to(HOUSE).parts[0].removesuffix(".py")
    return PARTS_OF.get(part, part)


@cache
def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def imports_in(path):
    return import_nodes(parse(path))


def wrong_files(what_is_wrong):
    """The files in which something is wrong, with what it is."""
    found = {path.relative_to(HOUSE).as_posix(): what_is_wrong(path) for path in FILES}
    assert len(found) > 50
    return {name: wrong for name, wrong in found.items() if wrong}


def wrong_names(what_is_wrong):
    """The public names with which something is wrong."""
    return [name for name in sorted(set(middleware.__all__) - {"__version__"}) if what_is_wrong(name)]


def test_a_file_imports_only_what_its_part_of_the_house_may_import():
    def foreign(path):
        part = part_of(path)
        targets = {neighbour(name) for name in imports(imports_in(path)) if name.split(".")[0] == "middleware"}
        return targets - {part} - MAY_IMPORT[part]

    assert wrong_files(foreign) == {}


def test_what_stands_at_the_edge_is_imported_by_what_is_further_out_alone():
    for edge, further_out in IMPORTED_BY.items():
        assert {part for part, allowed in MAY_IMPORT.items() if edge in allowed} == further_out


def test_the_rule_sees_imports_wherever_they_stand():
    inside = "from middleware.stores.base import Store\n    from middleware import errors, Response"
    source = f"import a\ndef f():\n    {inside}\n"
    found = [*imports(import_nodes(ast.parse(source)))]
    assert found == ["a", "middleware.stores.base", "middleware.errors", "middleware.Response"]
    assert [neighbour(name) for name in found[1:]] == ["stores", "errors", "__init__"]


def test_imports_are_absolute_and_name_what_they_take():
    def vague(path):
        nodes = [node for node in imports_in(path) if isinstance(node, ast.ImportFrom)]
        return [f"line {node.lineno}" for node in nodes if node.level or [each.name for each in node.names] == ["*"]]

    assert wrong_files(vague) == {}


def test_nothing_that_runs_code_when_loaded_is_imported():
    def dangerous(path):
        return {name.split(".")[0] for name in imports(imports_in(path))} & RUNS_CODE_WHEN_LOADED

    assert wrong_files(dangerous) == {}


def test_a_file_starts_with_what_it_is_for():
    assert wrong_files(lambda path: not ast.get_docstring(parse(path))) == {}


def test_a_file_can_be_read_in_one_sitting():
    def lines(path):
        return len(path.read_text(encoding="utf-8").splitlines())

    assert wrong_files(lambda path: lines(path) > MOST_LINES and lines(path)) == {}


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "docs/architecture.md",
        "docs/writing-your-own.md",
        "docs/stores.md",
        "docs/cookies.md",
        "docs/sessions.md",
        "docs/auth.md",
        "docs/bearer.md",
        "docs/openid-connect.md",
        "docs/behind-a-server.md",
        "docs/session-login.md",
        "docs/digest.md",
        "docs/passwords.md",
        "docs/caching.md",
        "docs/throttling.md",
        "docs/logging.md",
        "docs/log-formats.md",
        "docs/log-sinks.md",
        "docs/log-privacy.md",
        "docs/proxies.md",
        "docs/gateway.md",
        "docs/metrics.md",
        "docs/pastedeploy.md",
        "docs/frameworks.md",
        "docs/flask.md",
        "docs/django.md",
        "docs/pyramid.md",
        "docs/migrating-from-beaker.md",
        "docs/migrating-from-flask-session.md",
        "docs/migrating-from-repoze-who-and-paste.md",
        "docs/api-keys.md",
        "docs/benchmarks.md",
    ],
)
def test_the_page_is_written(page):
    assert (ROOT / page).read_text(encoding="utf-8").strip()


def test_a_public_name_is_documented():
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    assert wrong_names(lambda name: f"`{name}" not in text and f"{name}(" not in text) == []


def test_a_public_name_says_what_it_is():
    def says_nothing(name):
        text = getattr(middleware, name).__doc__
        return not text or text.startswith(f"{name}(")  # that of a class, by its constructor

    assert wrong_names(says_nothing) == []


def test_a_public_name_belongs_to_the_house():
    def is_foreign(name):
        module = inspect.getmodule(getattr(middleware, name))
        return module is None or module.__name__.split(".")[0] != "middleware"

    assert wrong_names(is_foreign) == []


def test_the_changelog_names_the_version_of_the_package_or_what_is_unreleased():
    headings = [
        line for line in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines() if line.startswith("## ")
    ]
    assert headings
    assert "Unreleased" in headings[0] or middleware.__version__ in headings[0]


FRONT_DOORS = ["middleware", *(f"middleware.{name}" for name in ("auth", "caching", "gateway", "logging", "stores"))]


def test_the_front_doors_are_those_that_are_tested_here():
    def is_front_door(path):
        return path.name == "__init__.py" and "later(" in path.read_text(encoding="utf-8")

    doors = [".".join(path.parent.relative_to(HOUSE.parent).parts) for path in FILES if is_front_door(path)]
    assert sorted(doors) == FRONT_DOORS


@pytest.mark.parametrize("door", FRONT_DOORS)
def test_the_names_for_type_checkers_are_the_names_that_are_loaded(door):
    package = import_module(door)
    tree = parse(Path(package.__file__))
    named = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module not in ("__future__", "middleware.front_door")
        for alias in node.names
    }
    assert named == set(package.__all__) - {"__version__"}


@pytest.mark.parametrize("door", FRONT_DOORS)
def test_a_front_door_lists_every_name_and_keeps_what_it_has_loaded(door):
    package = import_module(door)
    assert set(package.__all__) <= set(dir(package))
    for name in package.__all__:
        loaded = getattr(package, name)
        assert vars(package)[name] is loaded
    with pytest.raises(AttributeError, match=f"module '{door}' has no attribute 'Nothing'"):
        package.Nothing  # noqa: B018


def test_every_public_name_is_used_where_type_checkers_look():
    tree = parse(ROOT / "tests" / "typing" / "public_api.py")
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert set(middleware.__all__) - {"__version__"} <= imported & used


def test_the_headings_of_the_docs_step_down_one_level_at_a_time():
    for page in (ROOT / "docs").glob("*.md"):
        fenced = False
        levels = [0]
        for line in page.read_text(encoding="utf-8").splitlines():
            fenced ^= line.startswith("```")
            if line.startswith("#") and not fenced:
                levels.append(len(line) - len(line.lstrip("#")))
        assert levels[1:2] == [1], f"{page.name} begins without a title"
        assert all(after - before <= 1 for before, after in pairwise(levels)), page.name
