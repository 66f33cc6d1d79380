# Each target does its own set-up: python3 (3.11 or later) with its venv module is all that must be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
APACHE := /usr/lib/apache2/modules

# pytest keeps what it made of the tests' assertions, which takes as long as to collect them.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test quick check bench format clean programs

# Serve the reference app through the whole stack on a free port.
demo: $(READY)
	$(BIN)/python -m examples.reference

# Every test, on all cores: a file's tests stay together, and each worker has servers of its own. A test whose program is
# missing is skipped with its reason, or fails with REQUIRE_SERVERS=1.
test: $(READY) programs
	$(BIN)/python -m pytest -n auto --dist loadfile

# The tests that start no server, browser or second process, with the first row of each table: under 30 seconds.
quick: $(READY)
	$(BIN)/python -m pytest -m "not slow" -x -q -n auto

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

# The programs that tests ask for the real thing: Debian's packages, where we may install them.
programs:
	@missing=; PATH="$$PATH:/usr/sbin:$$(echo /usr/lib/postgresql/*/bin | tr ' ' :)"; \
	for pair in apache2:apache2-bin $(APACHE)/mod_auth_tkt.so:libapache2-mod-auth-tkt $(APACHE)/mod_wsgi.so:libapache2-mod-wsgi-py3 \
		/usr/lib/cgi-bin/awstats.pl:awstats chromium:chromium curl:curl goaccess:goaccess htpasswd:apache2-utils initdb:postgresql jq:jq \
		lnav:lnav logrotate:logrotate mariadbd:mariadb-server memcached:memcached nginx:nginx-light node:nodejs openssl:openssl \
		promtool:prometheus redis-server:redis-server rsyslogd:rsyslog webalizer:webalizer; do \
		command -v $${pair%%:*} >/dev/null || [ -e $${pair%%:*} ] || missing="$$missing $${pair##*:}"; \
	done; \
	if [ -z "$$missing" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends $$missing fonts-liberation >/dev/null; } \
		|| echo "could not be installed, so their tests are skipped:$$missing"; \
	else echo "not installed, so their tests are skipped:$$missing"; fi
