"""An application that tells its path as the raw target has it, for real servers."""

from __future__ import annotations

import json

from middleware import GatewayMiddleware, RawTargetMiddleware


def tells(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps([environ["SCRIPT_NAME"], environ["PATH_INFO"]]).encode()]


application = GatewayMiddleware(RawTargetMiddleware(tells, mount="/front"))
decoded = GatewayMiddleware(RawTargetMiddleware(tells, mount="/front", decoded=True))
