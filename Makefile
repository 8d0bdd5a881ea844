# make lab     sets everything up and opens the first lesson
# make test    sets everything up and passes all tests
# Every path is relative, so that the checkout may lie anywhere, in a folder with spaces too.

PYTHON ?= python3
PORT ?= 8888
# PyTorch's CPU index makes a small install: make lab TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
NAMES ?=
# Of `make assignments`: the folder, which lessons (all), and a name for one assignment of them all.
COURSE ?= course
LESSONS ?=
TOGETHER ?=
# Processes that `make test` runs in; 0 for one after the other.
WORKERS ?= 2
# Threads of each worker: the cores shared out, so that two workers on two cores do not stand in each other's way.
THREADS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); t=$$((n / ($(WORKERS) > 0 ? $(WORKERS) : 1))); echo $$((t > 0 ? t : 1)))

VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.installed $(VENV)/.weights
# The pins of the two packages that must fit each other; every other version follows from pyproject.toml.
TORCH := 2.14.1
TORCHVISION := 0.29.1

export JUPYTER_PREFER_ENV_PATH := 1
export UV_HTTP_TIMEOUT ?= 300
# A shell prepared for other work must not change what the lessons import or how they draw.
unexport PYTHONPATH PYTHONHOME MPLBACKEND VIRTUAL_ENV

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help lab test test-colab assignments points guide mutants-checks lint notebooks weights doctor constraints clean

help:
	@echo "make lab          set everything up and open lesson 00 in JupyterLab (PORT=$(PORT)), as your own copy"
	@echo "make test         set everything up and pass all tests, every lesson included"
	@echo "make assignments  make an instructor's folder for nbgrader (COURSE=$(COURSE) LESSONS='04 06' TOGETHER=midterm)"
	@echo "make points       how the students stand (COURSE=$(COURSE)), and points.csv"
	@echo "make guide        write what docs/ takes from the code: mistakes, diagnoses, the diagram"
	@echo "make test-colab   every lesson on the wheel alone: with Colab's versions, and with the oldest allowed"
	@echo "make mutants-checks  judge the checks of the exercises themselves (NAMES=basic_block for one)"
	@echo "make doctor       say what is installed, which weights and data are there, and what to do"
	@echo "make notebooks    run the lessons again and store their outputs (NAMES='00 07' for some of them)"
	@echo "make lint         check the style of code and lessons, and types"
	@echo "make weights      bring the pretrained weights"
	@echo "make constraints  renew the pins in constraints.txt (maintainers)"
	@echo "make clean        remove .venv and caches; your own runs/ stay"
	@echo ""
	@echo "PYTHON=python3.13     another Python (3.11 or newer) for .venv"
	@echo "TORCH_INDEX=https://download.pytorch.org/whl/cpu"
	@echo "                      PyTorch without its GPU libraries: about 1.5 GB instead of 6 GB on Linux"

# ---------------------------------------------------------------------------------------------------- set-up

$(VENV)/.created:
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "There is no command '$(PYTHON)' here. Install Python 3.11 or newer, or name one: make lab PYTHON=python3.13"; \
	  exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "The course needs Python 3.11 or newer; '$(PYTHON)' is $$("$(PYTHON)" --version 2>&1)." \
	       "Name a newer one: make lab PYTHON=python3.13"; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' came without its venv module. On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	@echo "Creating $(VENV) with $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv $(VENV)
	@touch $@

# uv installs in seconds what takes pip minutes; where it cannot be had or cannot do it, pip does.
$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/.created
	@echo "Installing PyTorch, JupyterLab and the course into $(VENV), about ten minutes the first time."
	@$(if $(TORCH_INDEX),echo "PyTorch comes from $(TORCH_INDEX)",\
	  echo "On Linux that is about 6 GB of disk, most of it PyTorch's GPU libraries. For about 1.5 GB, stop now" && \
	  echo "and say: make $(firstword $(MAKECMDGOALS)) TORCH_INDEX=https://download.pytorch.org/whl/cpu")
	@$(PY) -m uv --version >/dev/null 2>&1 || $(PY) -m pip install --quiet -c constraints.txt uv \
	  || echo "uv could not be installed: going on with pip."
	@set -e; install() { \
	    $(PY) -m uv pip install --python $(PY) -c constraints.txt "$$@" || { \
	      echo "uv could not do it: trying pip."; $(PY) -m pip install -c constraints.txt "$$@"; }; }; \
	  $(if $(TORCH_INDEX),install --no-deps --index-url "$(TORCH_INDEX)" torch torchvision;) \
	  install -e '.[dev]'
	@touch $@

$(VENV)/.weights: deeplab_teach/weights/table.py $(VENV)/.installed
	@$(PY) -m deeplab_teach get-weights
	@touch $@

weights: $(VENV)/.installed
	@$(PY) -m deeplab_teach get-weights

# ----------------------------------------------------------------------------------------------------- work

lab: $(READY)
	@test -n "$(wildcard notebooks/00_*.ipynb)" || { echo "notebooks/ has no lesson 00."; exit 1; }
	@$(PY) tools/working_copy.py
	@$(PY) -m jupyterlab --ServerApp.root_dir="$(CURDIR)" --port=$(PORT) $(if $(filter 0,$(shell id -u)),--allow-root) \
	  --LabApp.news_url=None --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate \
	  $(LAB_ARGS) my_notebooks/$(notdir $(firstword $(wildcard notebooks/00_*.ipynb)))

# One call for the unit tests and every lesson; `--nbval` runs each cell and compares what it prints. Files are shared
# out among WORKERS, the lessons first, which take longest; threads that wait do not spin.
test: $(READY)
	@OMP_NUM_THREADS=$(THREADS) OMP_WAIT_POLICY=passive $(PY) -m pytest $(wildcard notebooks) tests -n $(WORKERS) --dist loadfile \
	  --no-loadscope-reorder --nbval --nbval-current-env --nbval-sanitize-with tests/nbval_sanitize.cfg \
	  --nbval-cell-timeout=1800 --durations=15 $(PYTEST_ARGS)

assignments: $(READY)
	@$(PY) tools/assignments.py "$(COURSE)" $(if $(LESSONS),--lessons $(LESSONS)) $(if $(TOGETHER),--together $(TOGETHER))

points: $(VENV)/.installed
	@$(PY) tools/points.py "$(COURSE)"

guide: $(VENV)/.installed
	@$(PY) tools/write_guide.py

test-colab: $(VENV)/.installed
	@$(PY) tools/other_computers.py colab
	@$(PY) tools/other_computers.py oldest

mutants-checks: $(READY)
	@$(PY) tools/mutants_checks.py $(NAMES)

lint: $(VENV)/.installed
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy

notebooks: $(READY)
	@$(PY) tools/execute_notebooks.py $(NAMES)

doctor: $(VENV)/.installed
	@$(PY) -m deeplab_teach doctor

constraints: $(VENV)/.created
	@$(PY) -m uv --version >/dev/null 2>&1 || $(PY) -m pip install --quiet uv
	@printf 'torch==$(TORCH)\ntorchvision==$(TORCHVISION)\n' > $(VENV)/pins.txt
	@$(PY) -m uv pip compile --quiet --upgrade --universal --python-version 3.11 pyproject.toml --extra maintain \
	  --extra export --extra coco \
	  -c $(VENV)/pins.txt --no-annotate --no-emit-index-url --custom-compile-command "make constraints" \
	  -o constraints.txt
	@$(PY) -c "print(sum('==' in line for line in open('constraints.txt')), 'pins in constraints.txt')"

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
