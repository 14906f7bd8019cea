# The contributor's loop, explained in CONTRIBUTING.md. Every target makes the virtual environment first if it is missing.
.PHONY: check test all bench torture soak format

PYTHON ?= python3
BIN := .venv/bin
# Packages without I/O, whose tests take seconds.
PURE := tests/article tests/feed tests/schedule tests/search tests/test_architecture.py tests/test_text.py
# Without the slow tests, and with a fifth of the examples of Hypothesis.
QUICK := -n 3 -m "not slow" --hypothesis-profile quick
# Without compiled modules, each of the many processes that tests start compiles kzfeed again.
unexport PYTHONDONTWRITEBYTECODE

check: .venv/installed ## style, types, and the tests of the pure packages: under a minute
	$(BIN)/ruff check -q
	$(BIN)/ruff format -q --check
	$(BIN)/mypy
	$(BIN)/pytest $(QUICK) $(PURE)

test: .venv/installed ## all tests but the slow ones: about three minutes
	$(BIN)/pytest $(QUICK)

all: ## style, types and every test, as the continuous integration runs them
	.ci/run

format: .venv/installed ## correct the style where ruff can
	$(BIN)/ruff check -q --fix
	$(BIN)/ruff format -q

bench: .venv/installed ## the benchmark of whole processes; benchmarks/README.md names the others
	$(BIN)/python -m benchmarks

torture: .venv/installed ## kills, outages and damaged documents, for about half an hour
	$(BIN)/python -m tests.torture
	$(BIN)/python -m tests.torture.daemons
	$(BIN)/python -m tests.torture.indexing --kills 60
	$(BIN)/python -m tests.torture.documents 20000
	$(BIN)/python -m tests.torture.encodings

soak: .venv/installed ## a daemon on misbehaving sources for an hour
	$(BIN)/python -m tests.soak --hours 1

# Installs again whenever the dependencies change.
.venv/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install -q -e '.[test]'
	touch $@
