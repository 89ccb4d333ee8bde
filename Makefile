# The two commands of the README, and the checks of CI.

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-palette test-addons test-ray test-zoo lint types contracts docs studio clean

demo: .venv/installed
	$(BIN)/latelier generate "a red apple on a blue background" --seed 7 --output demo.png --force

test: .venv/installed-dev
	OMP_NUM_THREADS=1 $(BIN)/pytest --quiet --numprocesses 2
	OMP_NUM_THREADS=1 $(BIN)/pytest --quiet plugins/latelier-transformers
	OMP_NUM_THREADS=1 $(BIN)/pytest --quiet plugins/latelier-server
	OMP_NUM_THREADS=1 $(BIN)/pytest --quiet plugins/latelier-studio

# Plugins as users have them: each installed from its folder, in an environment of its own.
test-palette test-addons test-ray: test-%: .venv-%/installed
	cd plugins/latelier-$* && OMP_NUM_THREADS=1 ../../.venv-$*/bin/pytest --quiet

test-zoo: .venv/installed-dev
	$(BIN)/pytest --quiet -m zoo

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed-dev .venv-ray/installed
	$(BIN)/mypy
	$(BIN)/mypy plugins/latelier-transformers/latelier_transformers
	$(BIN)/mypy plugins/latelier-server/latelier_server
	MYPYPATH=plugins/latelier-server $(BIN)/mypy plugins/latelier-studio/latelier_studio
	$(BIN)/mypy plugins/latelier-palette/latelier_palette
	$(BIN)/mypy plugins/latelier-addons/latelier_addons
	$(BIN)/mypy --python-executable .venv-ray/bin/python plugins/latelier-ray/latelier_ray
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/pyright --pythonpath $(BIN)/python plugins/latelier-transformers/latelier_transformers
	$(BIN)/pyright --pythonpath $(BIN)/python plugins/latelier-server/latelier_server
	$(BIN)/pyright --pythonpath $(BIN)/python plugins/latelier-studio/latelier_studio
	$(BIN)/pyright --pythonpath $(BIN)/python plugins/latelier-palette/latelier_palette
	$(BIN)/pyright --pythonpath $(BIN)/python plugins/latelier-addons/latelier_addons
	$(BIN)/pyright --pythonpath .venv-ray/bin/python plugins/latelier-ray/latelier_ray

contracts: .venv/installed-dev
	$(BIN)/lint-imports

# The site, in build/site. It needs no network and fails on a broken link.
docs: .venv/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# The page of latelier-studio: its types, and that the committed bundle is that of its sources.
studio:
	cd plugins/latelier-studio && npm ci --ignore-scripts --no-audit --no-fund --silent
	cd plugins/latelier-studio && npm run --silent types && npm run --silent build
	git diff --exit-code --stat -- plugins/latelier-studio/latelier_studio/static

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) --editable .
	touch $@

.venv/installed-dev: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(INSTALL) --editable ".[dev]"
	# Peers of tests. They require torchvision, whose builds do not fit every build of torch: the
	# tests have a stub of it.
	$(INSTALL) --no-deps lpips torch-fidelity
	touch $@ .venv/installed

NEEDS_ray := ./plugins/latelier-server

.SECONDEXPANSION:
.venv-%/installed: pyproject.toml constraints.txt \
    $$(wildcard plugins/latelier-$$*/* plugins/latelier-$$*/latelier_$$*/* \
    plugins/latelier-$$*/latelier_$$*/*/*)
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt \
	    --editable ".[testing]"
	.venv-$*/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt \
	    $(NEEDS_$*) "plugins/latelier-$*[dev]"
	touch $@

clean:
	rm -rf .venv .venv-* dist build
