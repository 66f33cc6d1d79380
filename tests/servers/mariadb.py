"""A MariaDB of the tests' own, in a temporary folder and on a free loopback port."""

from __future__ import annotations

import pymysql
from conftest import program
from servers.databases import NAME, PASSWORD, USER, Database
from servers.programs import PATIENCE


class MariaDB(Database):
    """settings: options of the server, as `--name=value`."""

    def __init__(self, *settings):
        self._install = program("mariadb-install-db", "mysql_install_db")
        self._server = program("mariadbd", "/usr/sbin/mariadbd", "mysqld")  # sbin is not on everybody's PATH
        self._settings = settings
        super().__init__("mysql")

    def prepare(self):
        self.run(
            self._install, "--no-defaults", f"--datadir={self.data}", "--auth-root-authentication-method=normal",
            "--skip-test-db", "--skip-name-resolve",
        )  # fmt: skip
        (self.folder / "first.sql").write_text(
            f"CREATE DATABASE IF NOT EXISTS {NAME};\n"
            f"CREATE USER IF NOT EXISTS {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON *.* TO {USER}@'127.0.0.1';\n"
        )

    def command(self):
        return [
            self._server, "--no-defaults", f"--datadir={self.data}", f"--init-file={self.folder / 'first.sql'}",
            "--bind-address=127.0.0.1", f"--port={self.port}", f"--socket={self.folder / 'socket'}",
            f"--pid-file={self.folder / 'pid'}", "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=2", *self._settings,
        ]  # fmt: skip

    def answers(self):
        try:
            self.connect().close()
        except pymysql.OperationalError as error:
            raise OSError from error
        return True

    def connect(self):
        return pymysql.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, database=NAME, autocommit=True,
            connect_timeout=PATIENCE,
        )  # fmt: skip
