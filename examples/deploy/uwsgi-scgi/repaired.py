"""mod_proxy_scgi tells the whole path as SCRIPT_NAME, and no PATH_INFO."""

from wsgi import application

from middleware import RawTargetMiddleware

application = RawTargetMiddleware(application)
