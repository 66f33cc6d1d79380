"""What every server here serves: `wsgi:application`."""

from pathlib import Path

from examples.reference.deployed import deployed

application = deployed(Path(__file__).parent / "data")
