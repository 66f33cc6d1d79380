"""What an anonymous GET gets under two sets of rules, for every spelling of a path that is known to lead past some."""

from __future__ import annotations

from middleware.auth import allow, require


def under_a():
    """One place is closed and all others are open: the hardest case."""
    return [require("/admin", role="admin"), allow("/")]


def under_b():
    """One place is open and all others are closed."""
    return [allow("/pub"), require("/")]


RULES = {"A": under_a, "B": under_b}


def delivered(text):
    """A path as servers hand it on: the bytes of its UTF-8 as characters (PEP 3333)."""
    return text.encode().decode("latin-1")


PASSES = "passes"  # to the application, whatever that makes of it

# (PATH_INFO, under A, under B)
PATHS = [
    ("/admin", 401, 401),
    ("/admin/", 401, 401),
    ("/admin/x.txt", 401, 401),
    ("//admin", 400, 401),
    ("///admin", 400, 401),
    ("//admin/x.txt", 400, 401),
    ("admin", 400, 400),
    ("admin/x.txt", 400, 400),
    ("\\admin", 400, 400),
    ("http://h/admin", 400, 400),
    ("/admin\n", 400, 401),
    ("/admin\0", 400, 401),
    ("/admin ", 400, 401),
    ("/admin.", 400, 401),
    ("/./admin", 400, 401),
    ("/x/../admin", 400, 401),
    ("/.//admin/x.txt", 400, 401),
    ("/pub/../admin/x.txt", 400, 400),
    ("/pub/..//admin/x.txt", 400, 400),
    ("/pub//../admin/x", 400, 400),
    ("/pub/%2e%2e/admin/x.txt", 400, 400),
    ("/pub/..\\admin", 400, 400),
    ("/admin%2f", 400, 401),
    ("/admin%2Fx.txt", 400, 401),
    ("/%61dmin", 400, 401),
    ("/\\admin", 400, 401),
    ("/admin\\x.txt", 400, 401),
    ("/admin;x", 400, 401),
    ("/admin;x=1/", 400, 401),
    ("/admin/..;/x.txt", 400, 401),
    ("/admin\xff", 400, 401),
    ("/admin#/pub", 400, 401),
    ("/admin?/pub", 400, 401),
    ("/ADMIN", PASSES, 401),
    ("/Admin/x.txt", PASSES, 401),
    (delivered("/\uff41dmin"), PASSES, 401),
    (delivered("/\u00adadmin"), PASSES, 401),
    (delivered("/admi\u0301n"), PASSES, 401),
    ("/public", PASSES, 401),
    ("/pub//x", PASSES, PASSES),
    ("/pub/a;v=1", PASSES, PASSES),
    ("/pub/a%2Fb", PASSES, PASSES),
]

# What comes in another way than by PATH_INFO alone.
REQUESTS = [
    *(({"PATH_INFO": path}, a, b) for path, a, b in PATHS),
    ({"SCRIPT_NAME": "/admin", "PATH_INFO": "/x.txt"}, 401, 401),
    ({"SCRIPT_NAME": "/admin", "PATH_INFO": ""}, 401, 401),
    ({"PATH_INFO": "/admin", "QUERY_STRING": "/pub/"}, 401, 401),
    ({"PATH_INFO": "/admin", "QUERY_STRING": "next=/pub"}, 401, 401),
]

METHODS = ["GET", "HEAD", "POST", "get", "Get", "post", "TRACE", "FOO", "PROPFIND", "DELETE", "OPTIONS", "GE;T", ""]
