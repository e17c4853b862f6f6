# The two commands: `make train` and `make test`. Each sets up .venv first, if need be.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: setup train test lab lint notebooks mutants browser

setup: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[dev]'
	touch $@

train: setup            ## train a ConvNeXt-YOLOv8 on the drawn smears, print the table and the picture's path
	$(BIN)/cnx train

test: setup             ## run every test and every notebook, outputs compared
	$(BIN)/python -m pytest --nbval

lab: setup              ## open JupyterLab on the notebooks
	$(BIN)/cnx lab

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

notebooks: setup        ## execute all notebooks again, store their outputs, make the student copies
	$(BIN)/python -m cnx_tutorial.teaching.record
	$(BIN)/python -m cnx_tutorial.teaching.students

mutants: setup          ## change every stored output, and see that the comparison of the notebooks notices
	$(BIN)/python -m tests.mutants

browser: setup          ## run all notebooks in JupyterLab in a headless Chromium, which must be installed
	$(BIN)/python -m pip install --quiet playwright
	$(BIN)/python -m tests.browser
