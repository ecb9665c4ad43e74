# `make check` and `make test` do everything on a fresh machine. Both are quick the second time.
PYTHON ?= python3
VENV := .venv
# Processes that share the tests; each has up to one core's work at a time.
TESTERS ?= 2
# How long `make fuzz` looks for files that are read badly.
FUZZ_SECONDS ?= 600
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
PYTEST := $(BIN)/python -m pytest --numprocesses $(TESTERS)

# Many images set this to 1, and each of some thousand commands that the tests start would compile edgecheck again.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help check quick test rest image gate fuzz lint site format pythons bench house setup system converters help-text clean

help:  ## list what make can do
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/\1 \2/p' $(MAKEFILE_LIST) | while read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

check: setup  ## set up, then check real models: every budget under ./budgets
	@$(BIN)/python examples/real_models.py --into examples/models mtcnn_onet.onnx face_detection_short_range.tflite >/dev/null
	@$(BIN)/edgecheck check

quick: setup  ## the tests that start no process: under a minute, without TensorFlow, torch or QEMU
	$(PYTEST) --dist worksteal -m quick

test: quick lint site rest  ## set up, then run every test, the quick ones first

# A test that fails is run once more and both results are reported: other programs can starve a real machine or sshd.
rest: setup system converters  ## the tests that `make quick` leaves out
	$(PYTEST) --dist loadgroup --no-loadscope-reorder -m 'not quick and not image' --reruns 1

image: setup  ## build both stages of Dockerfile.arm64 and check models with them: seven minutes, then two
	@sh tools/debian-packages.sh image
	$(BIN)/python -m pytest -m image tests/docker

gate: setup system  ## gate our own examples on an emulated device, as users do in their CI
	@$(BIN)/python examples/real_models.py --into examples/models mtcnn_onet.onnx face_detection_short_range.tflite >/dev/null
	@$(BIN)/python tools/gate.py

fuzz: setup  ## change files at random until one is read badly; FUZZ_SECONDS is 600
	$(BIN)/python tools/fuzz.py --seconds $(FUZZ_SECONDS)

lint: setup  ## ruff, mypy, the import contracts, hadolint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile.arm64

format: setup  ## fix and format with ruff
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

pythons:  ## the quick tests under Python 3.10 to 3.13
	@tools/pythons.sh

bench: setup  ## measure edgecheck itself; ratios within one run
	$(BIN)/python benchmarks/host.py
	$(BIN)/python benchmarks/agent.py

house: setup  ## measure the code: modules, functions, import layers, words
	@$(BIN)/python tools/house.py

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@echo 'Setting up $(VENV): about a minute, the first time only.'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --upgrade pip
	@$(BIN)/python -m pip install -qq --constraint constraints.txt --editable '.[dev]'
	@touch $@

converters: $(VENV)/.set-up-converters  ## install what the tests of conversions need: TensorFlow, torch, scikit-learn, boosted trees

# torch first and alone: a plain `torch` in one resolve with the rest takes a CUDA build of several gigabytes. XGBoost last
# and without its dependencies: one is CUDA's communication library, half a gigabyte, which nothing here loads.
$(VENV)/.set-up-converters: $(STAMP)
	@echo 'Installing TensorFlow, torch, scikit-learn and boosted trees for the tests: about two minutes, the first time only.'
	@$(BIN)/python -m pip install -qq 'torch==2.13.0'
	@$(BIN)/python -m pip install -qq --constraint constraints.txt --editable '.[dev,tensorflow,torch,sklearn,lightgbm,catboost]'
	@$(BIN)/python -m pip install -qq --constraint constraints.txt --no-deps xgboost
	@touch $@

system:  ## install the Debian packages that the tests of the emulator, SSH and the HTML report need
	@sh tools/debian-packages.sh

help-text: setup  ## write what `edgecheck --help` prints (it is answered from a file, without an import)
	$(BIN)/python tools/help_text.py

site: setup  ## build the documentation as a site, in build/site; a broken link is an error
	@$(BIN)/mkdocs build --strict

clean:  ## remove the environment and all caches of the tools
	rm -rf $(VENV) .edgecheck .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
