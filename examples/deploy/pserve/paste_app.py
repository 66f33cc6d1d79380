"""The site as PasteDeploy finds it: `paste.app_factory = paste_app:site`."""

from wsgi import application


def site(_global, **_local):
    return application
