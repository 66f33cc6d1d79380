"""CherryPy's engine with the site in its tree."""

import cherrypy
from wsgi import application

cherrypy.tree.graft(application, "/")
cherrypy.config.update(
    {
        "server.socket_host": "127.0.0.1",
        "server.socket_port": 8080,
        "environment": "production",
        "engine.autoreload.on": False,
    }
)
cherrypy.engine.signals.subscribe()
cherrypy.engine.start()
cherrypy.engine.block()
