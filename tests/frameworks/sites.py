"""The sites of examples/frameworks, each as some server has it: in one process with it, and behind a gateway."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from conftest import skip_or_fail
from deployment.rows import ROWS, missing
from servers.deployed import SOURCES, deployed
from servers.programs import Running, free_port, listens

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Each with the module that it cannot do without.
FRAMEWORKS = {
    "bottle": "bottle",
    "cherrypy": "cherrypy",
    "django": "django",
    "falcon": "falcon",
    "flask": "flask",
    "paste": "paste",
    "pyramid": "pyramid",
    "webpy": "web",
}

APPLICATION = """
from pathlib import Path

from examples.frameworks.{framework}_site import make_site

application = make_site(Path(__file__).parent / "data")
"""

# One validator between the server and the layers, one between the layers and the framework: `auth` is the innermost.
VALIDATED = """
from functools import wraps
from wsgiref.validate import validator

from middleware import AuthMiddleware

made = AuthMiddleware.__init__


@wraps(made)
def made_round_a_validator(layer, app, *schemes, **options):
    made(layer, validator(app), *schemes, **options)


AuthMiddleware.__init__ = made_round_a_validator
{application}
application = validator(application)
"""

IN_PIPELINE = """
from pathlib import Path

import cherrypy
from examples.frameworks.cherrypy_site import in_pipeline

cherrypy.tree.mount(in_pipeline(Path(__file__).parent / "data"), "")
application = cherrypy.tree
"""

FROM_A_FILE = """
from pathlib import Path

import examples.frameworks
from paste.deploy import loadapp

folder = Path(__file__).parent / "data"
folder.mkdir()
(there,) = examples.frameworks.__path__
application = loadapp(f"config:{there}/site.ini", global_conf={"folder": str(folder)})
"""


class Site(NamedTuple):
    """A framework as a server has it.

    row: the server of examples/deploy that has `application`, the text of its wsgi.py; else `command` is a server of
    the framework's own, which listens at PORT.
    cannot: questions to which its answer is not the right one, with the reason.
    """

    framework: str
    row: str = ""
    application: str = ""
    command: tuple[str, ...] = ()
    cannot: Mapping[str, str] = MappingProxyType({})


def require(site):
    """Skip what needs something that is not installed here, or fail where REQUIRE_SERVERS=1."""
    absent = [] if find_spec(FRAMEWORKS[site.framework]) else [FRAMEWORKS[site.framework]]
    if site.row:
        absent += missing(ROWS[site.row])
    if absent:
        skip_or_fail(f"not installed: {', '.join(absent)}")


def python(*arguments):
    return (sys.executable, "-m", *arguments)


def everywhere(framework):
    """The sites that every framework has."""
    text = APPLICATION.format(framework=framework)
    return {
        f"{framework}-waitress": Site(framework, "waitress", text),
        f"{framework}-flup": Site(framework, "nginx-fcgi-flup", text),
        f"{framework}-validated": Site(framework, "wsgiref", VALIDATED.format(application=text)),
    }


SITES = {name: site for framework in FRAMEWORKS for name, site in everywhere(framework).items()} | {
    "django-runserver": Site(
        "django",
        command=python("examples.frameworks.django_site", "runserver", "--noreload", "127.0.0.1:PORT"),
    ),
    "flask-run": Site(
        "flask",
        command=python("flask", "--app", "examples.frameworks.flask_site:make_site", "run", "--port", "PORT"),
    ),
    "cherrypy-grafted": Site("cherrypy", "cherrypy", APPLICATION.format(framework="cherrypy")),
    "cherrypy-pipeline": Site("cherrypy", "waitress", IN_PIPELINE),
    "pyramid-file": Site("pyramid", "pserve", FROM_A_FILE),
    "paste-httpserver": Site("paste", "paste", APPLICATION.format(framework="paste")),
}
SITES["flask-validated"] = SITES["flask-validated"]._replace(
    cannot={"a_form_arrives": "Werkzeug reads without a size, as PEP 3333 allows and the validator does not"}
)


class Started(NamedTuple):
    """A site that runs: it answers at `port`, and what its layers keep is in `kept`."""

    port: int
    kept: Path


@contextmanager
def started(site, folder):
    """Start a site; `folder` is for what a server of the framework's own keeps."""
    if site.row:
        with deployed(site.row, site.application) as running:
            yield running
    else:
        with by_command(site.command, folder) as running:
            yield running


@contextmanager
def by_command(command, folder, *sources, **environment):
    """Start a program that listens at PORT."""
    port = free_port()
    kept = folder / "data"
    env = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": os.pathsep.join([*map(str, sources), *SOURCES]), "SITE_DATA": str(kept), **environment,
    }  # fmt: skip
    command = [part.replace("PORT", str(port)) for part in command]
    with Running(command, lambda: listens(port), log=folder / "log", cwd=folder, env=env):
        yield Started(port, kept)
