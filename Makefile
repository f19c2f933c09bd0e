# `make book` and `make test` set up everything they need. See CONTRIBUTING.md for the rest.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
NOTEBOOKS := $(wildcard notebooks/*.md)
SIBLINGS := $(NOTEBOOKS:.md=.ipynb)
AUDIT := _build/audit
# Licences that would bind those who use the package. docutils has some files under the GPL, which
# only the building of the book runs.
REFUSED := GNU General Public License;Affero;AGPL;GPL-2.0;GPL-3.0;SSPL;Commons Clause

PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --ignore tests/benchmarks

# What libraries of numbers do on older processors, where sums end in other digits.
AVX2 := MKL_CBWR=AVX2 ATEN_CPU_CAPABILITY=avx2 OPENBLAS_CORETYPE=Haswell
SSE := MKL_CBWR=COMPATIBLE ATEN_CPU_CAPABILITY=default OPENBLAS_CORETYPE=Nehalem

export TOKENIZERS_PARALLELISM := false

# `tests` is a folder, too.
.PHONY: book pages test tests release lint types check-notebooks notebooks stubs vendor bench nightly processors reproduce
.PHONY: audit mutation singlehtml clean

book: pages
	rm -rf _build/html/_modules _build/html/modality-gap.*
	$(BIN)/jupyter-book build . --all -n -W --keep-going
	test -s _build/html/index.html
	$(BIN)/python tools/single_file.py _build/html

pages: $(READY) vendor check-notebooks
	$(BIN)/python tools/execute_pages.py

# The tests often wait for processes of their own: the type checker needs no time of its own.
test: $(READY) vendor lint check-notebooks
	$(MAKE) --no-print-directory --jobs types tests

tests: $(READY)
	$(PYTEST)

# All cores compile what pip would compile on one; some packages hold files for other Pythons.
$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[all]'
	$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib >/dev/null || true
	touch $@

vendor: $(READY)
	$(BIN)/python tools/vendor.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

# The .ipynb siblings are what Colab and papermill open; the .md files are the source.
notebooks: $(READY)
	$(BIN)/python tools/siblings.py

check-notebooks: $(READY)
	$(BIN)/python tools/siblings.py --check

# The lines of gaputils/__init__.pyi that name closings, and those of geometry's that name measures.
stubs: $(READY)
	$(BIN)/python tools/stubs.py

# What each routine costs beside its alternatives; `GAP_BENCH_FULL=1 make bench` at full size, which
# takes 20 GB of disk. The table is what the page on speed shows.
bench: $(READY)
	mkdir -p _build
	$(BIN)/pytest tests/benchmarks --benchmark-enable --benchmark-only --benchmark-json=_build/benchmarks.json
	$(BIN)/python tools/record_benchmarks.py _build/benchmarks.json gaputils/data/benchmarks.csv

# Change the core in eleven thousand ways and see that some test fails each time; many hours on 2
# cores, so `make mutation ROOM=gaputils.theory` changes one room, or one module of it.
ROOM ?= gaputils
mutation: $(READY)
	$(BIN)/python -m pip install --quiet 'mutmut>=3.8'
	OMP_NUM_THREADS=1 $(BIN)/mutmut run --max-children 2 '$(ROOM).*'
	$(BIN)/python tools/survivors.py --write tests/survivors.md

nightly: $(READY)
	$(PYTEST) --nightly --cov --cov-report=term
	OMP_NUM_THREADS=1 $(BIN)/python tests/fuzz/many.py --damages 1000000

# Nothing that a test asks may depend on the last digit, and so on the machine of the day.
processors: $(READY)
	$(AVX2) $(PYTEST) --ignore tests/browser
	$(SSE) $(PYTEST) --ignore tests/browser

# Run the pages behind the paper map and compare with the committed values and their uncertainty.
reproduce: $(READY)
	$(BIN)/python tools/reproduce.py

# Date, build, check, commit and tag the version of gaputils/__init__.py; pushes nothing.
release: lint types
	$(BIN)/python tools/address.py
	$(BIN)/python tools/release.py

# Known vulnerabilities and licences of what is pinned. Asks the network: no part of `make test`.
audit: $(READY)
	test -x $(AUDIT)/bin/pip-licenses || $(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet pip-audit pip-licenses
	$(AUDIT)/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip
	$(AUDIT)/bin/pip-licenses --python $(BIN)/python --from mixed --partial-match \
	  --fail-on '$(REFUSED)' --ignore-packages docutils

# The whole book as one file, and printed; `make book` does it, too.
singlehtml: $(READY)
	$(BIN)/python tools/single_file.py _build/html

clean:
	rm -rf _build
