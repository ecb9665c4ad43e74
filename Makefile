# Two commands do everything on a fresh machine: `make check` and `make test`. Both are quick the second time.
PYTHON ?= python3
VENV := .venv
# Processes that share the tests, file by file; each has up to one core's work at a time.
TESTERS ?= 2
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up

.PHONY: check test image gate lint format pythons bench setup system converters help-text clean

check: setup  ## set up, then check real models: every budget under ./budgets
	@$(BIN)/python examples/real_models.py --into examples/models mtcnn_onet.onnx face_detection_short_range.tflite >/dev/null
	@$(BIN)/edgecheck check

# A test that fails is run once more and both are reported: neighbours on the machine can starve a real machine or sshd.
test: setup system converters lint  ## set up, then run every test
	$(BIN)/python -m pytest --reruns 1 -m 'not image' --numprocesses $(TESTERS) --dist loadfile

image: setup  ## build both stages of Dockerfile.arm64 and check models with them: seven minutes, then two
	@sh tools/debian-packages.sh image
	$(BIN)/python -m pytest -m image tests/docker

gate: setup system  ## what users do in their CI: gate our own examples on an emulated device
	@$(BIN)/python examples/real_models.py --into examples/models mtcnn_onet.onnx face_detection_short_range.tflite >/dev/null
	@$(BIN)/python tools/gate.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile.arm64

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

pythons:  ## the quick tests under Python 3.10 to 3.13
	@tools/pythons.sh

bench: setup  ## measure edgecheck itself; ratios within one run
	$(BIN)/python benchmarks/host.py
	$(BIN)/python benchmarks/agent.py

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@echo 'Setting up $(VENV): about a minute, the first time only.'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --upgrade pip
	@$(BIN)/python -m pip install -qq --constraint constraints.txt --editable '.[dev]'
	@touch $@

converters: $(VENV)/.set-up-converters  ## what the tests of conversions need: TensorFlow, torch, scikit-learn

# torch first and alone: a plain `torch` in one resolve with the rest takes a CUDA build of several gigabytes.
$(VENV)/.set-up-converters: $(STAMP)
	@echo 'Installing TensorFlow, torch and scikit-learn for the tests: about two minutes, the first time only.'
	@$(BIN)/python -m pip install -qq 'torch==2.13.0'
	@$(BIN)/python -m pip install -qq --constraint constraints.txt --editable '.[dev,tensorflow,torch,sklearn]'
	@touch $@

system:  ## the Debian packages that tests of the emulator, of ssh and of the HTML report need
	@sh tools/debian-packages.sh

help-text: setup  ## write what `edgecheck --help` prints (it is answered from a file, without an import)
	$(BIN)/python tools/help_text.py

clean:
	rm -rf $(VENV) .edgecheck .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
