# Each target does its own set-up: python3 (3.11 or later) with its venv module is all that must be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
APACHE := /usr/lib/apache2/modules

# pytest keeps what it made of the tests' assertions, which takes as long as to collect them.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test quick servers pages check bench format clean programs

# Serve the reference app through the whole stack on a free port.
demo: $(READY)
	$(BIN)/python -m examples.reference

# Every test, on all cores: a file's tests stay together, and each worker has servers of its own. A test whose program is
# missing is skipped with its reason, or fails with REQUIRE_SERVERS=1.
test: $(READY) $(VENV)/.mod_wsgi
	$(BIN)/python -m pytest -n auto --dist loadfile

# The tests that start no server, browser or second process, with the first row of each table: under 30 seconds.
quick: $(READY)
	$(BIN)/python -m pytest -m "not slow" -x -q -n auto

# The reference app on every server of examples/deploy, alone.
servers: $(READY) $(VENV)/.mod_wsgi
	$(BIN)/python -m pytest -n auto --dist worksteal tests/deployment

# Write the configurations that were tested, and the table of what they can do, into docs/.
pages: $(READY)
	$(BIN)/python tests/deployment/pages.py

# Format, lint, types.
check: $(VENV)/.check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/python -m pytest -q tests/test_house.py

# Ours beside the peers, as ratios within one run.
bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks

format: $(VENV)/.check
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(READY): $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

$(VENV)/.check: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,check]'
	touch $@

$(VENV)/.bench: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,bench]'
	touch $@

# mod_wsgi-express is compiled for this Python, where Apache's headers are installed.
$(VENV)/.mod_wsgi: $(READY) | programs
	@if $(BIN)/python -m pip install --quiet --disable-pip-version-check mod_wsgi; then touch $@; \
	else echo "mod_wsgi could not be compiled, so its tests are skipped"; fi

# The programs that tests ask for the real thing: Debian's packages, where we may install them.
programs:
	@missing=; PATH="$$PATH:/usr/sbin:$$(echo /usr/lib/postgresql/*/bin | tr ' ' :)"; \
	for pair in apache2:apache2-bin apxs:apache2-dev $(APACHE)/mod_auth_tkt.so:libapache2-mod-auth-tkt \
		$(APACHE)/mod_fcgid.so:libapache2-mod-fcgid $(APACHE)/mod_python.so:libapache2-mod-python \
		$(APACHE)/mod_wsgi.so:libapache2-mod-wsgi-py3 lighttpd:lighttpd gcc:gcc /usr/include/python3.*/Python.h:python3-dev \
		/usr/lib/cgi-bin/awstats.pl:awstats chromium:chromium curl:curl goaccess:goaccess htpasswd:apache2-utils initdb:postgresql jq:jq \
		lnav:lnav logrotate:logrotate mariadbd:mariadb-server memcached:memcached nginx:nginx-light node:nodejs openssl:openssl \
		promtool:prometheus redis-server:redis-server rsyslogd:rsyslog webalizer:webalizer; do \
		command -v $${pair%%:*} >/dev/null || [ -e $${pair%%:*} ] || missing="$$missing $${pair##*:}"; \
	done; \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "not installed, so their tests are skipped:$$missing"; exit 0; \
	fi; \
	export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1; \
	install="apt-get install -y -qq --no-install-recommends"; \
	apt-get update -qq; \
	$$install $$missing fonts-liberation >/dev/null || for package in $$missing; do \
		$$install $$package >/dev/null || echo "could not be installed, so its tests are skipped: $$package"; \
	done
