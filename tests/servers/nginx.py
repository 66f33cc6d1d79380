"""A real nginx of the tests' own, in a folder of its own."""

from __future__ import annotations

from servers.programs import Running, listens

_WHOLE = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {servers}
}}
"""


def nginx(program, folder, servers, port):
    """nginx with these `server` blocks, one of which listens on `port`: a context manager."""
    configuration = folder / "nginx.conf"
    configuration.write_text(_WHOLE.format(folder=folder, servers=servers))
    command = [program, "-p", folder, "-c", configuration, "-e", folder / "error.log"]
    return Running(command, lambda: listens(port), log=folder / "log")
