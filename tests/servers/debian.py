"""Where Debian's packages put what tests of servers start."""

from __future__ import annotations

from pathlib import Path

PYTHON = Path("/usr/bin/python3")  # for which the modules of Apache are made
APACHE = "/usr/sbin/apache2"
MODULES = Path("/usr/lib/apache2/modules")  # of Apache
NGINX = "/usr/sbin/nginx"
LIGHTTPD = "/usr/sbin/lighttpd"
