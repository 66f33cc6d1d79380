"""An SCGI daemon of threads."""

from flup.server.scgi import WSGIServer
from wsgi import application

# scriptName="": the whole path is in PATH_INFO, whatever the web server takes for the script.
WSGIServer(application, scriptName="", bindAddress=("127.0.0.1", 9000)).run()
