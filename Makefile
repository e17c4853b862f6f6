# The two commands: `make train` and `make test`. Each sets up .venv first, if need be.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: help setup train test lab lint notebooks mutants browser fuzz faults pythons matrix backbones upstream site slides look hub

help:                   ## these lines
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12

setup: $(VENV)/installed ## the environment in .venv, from constraints.txt

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[dev]'
	touch $@

train: setup            ## train a ConvNeXt-YOLOv8 on the drawn smears, print the table and the picture's path
	$(BIN)/cnx train

test: setup             ## run every test and every notebook, outputs compared
	$(BIN)/python -m pytest --nbval -n 2 --dist loadscope --durations 25

lab: setup              ## open JupyterLab on the notebooks
	$(BIN)/cnx lab

lint: setup             ## ruff, notebooks too
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

fuzz: setup             ## ten thousand random examples of eight kinds of input; the table goes into docs/reliability.md
	$(BIN)/python -m tests.fuzz

faults: setup           ## real trainings with real faults; the table goes into docs/reliability.md
	$(BIN)/python -m tests.faults

pythons: setup          ## resolve the pinned environment for every Python that we promise, without installing it
	$(BIN)/python tools/pythons.py

matrix: setup           ## run the tests of the bridge with the oldest and newest versions, each in an environment of its own
	$(BIN)/python tools/matrix.py

backbones: setup        ## put fourteen backbones, and every task of every YOLO family, through all steps; the tables go into docs/backbones.md
	$(BIN)/python -m tests.backbones
	$(BIN)/python -m tests.tasks

upstream: setup         ## Ultralytics' own tests with and without us, offline
	$(BIN)/python tools/upstream.py

$(VENV)/with-site: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[site]'
	touch $@

site: $(VENV)/with-site ## the web site, in build/site/html: the notebooks as they are stored, the package, what was measured
	$(BIN)/python tools/web_site.py

slides: $(VENV)/with-site ## a set of slides for each notebook, in build/site/slides
	$(BIN)/python tools/slides.py

look: site slides       ## every page and slide of the site in a headless Chromium, which must be installed
	$(BIN)/python -m pip install --quiet playwright axe-playwright-python
	$(BIN)/python -m tests.site_pages

hub: setup              ## eight learners on a real JupyterHub of this machine; as root, with configurable-http-proxy on the PATH
	$(BIN)/python -m pip install --quiet --constraint constraints.txt jupyterhub jupyterhub-idle-culler
	$(BIN)/python -m tests.hub
