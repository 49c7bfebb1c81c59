# Targets are listed by `make help`. Everything runs in .venv, which `make setup` makes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-17s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(READY) ## the virtual environment with all that is needed
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "Python >= 3.10 is needed; $(PYTHON) is $$($(PYTHON) --version). Try: make setup PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' --constraint constraints.txt
	@touch $(READY)

.PHONY: demo
demo: $(READY) ## data, training, scores, pictures and one tagged clip in about five minutes on two cores
	@$(BIN)/python train.py experiment=demo
	@checkpoint=$$($(BIN)/python train.py experiment=demo | sed -n 's/^  checkpoint *\([^,]*\).*/\1/p') && $(BIN)/panns tag $$checkpoint $$(ls data/demo/audio/eval/*.flac | head -1)

.PHONY: demo-long
demo-long: $(READY) ## the same to a better score, in about half an hour
	@$(BIN)/python train.py experiment=demo_long

.PHONY: test
test: $(READY) ## all tests but the slow ones
	$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder -m "not slow"

.PHONY: test-slow
test-slow: $(READY) ## the slow tests
	$(BIN)/python -m pytest -m slow

.PHONY: test-oldest
test-oldest: ## all tests but the slow ones, with the oldest versions that pyproject.toml allows
	$(PYTHON) -m venv .venv-oldest
	sed -nE 's/^(.* = \[)? *"([a-z0-9-]+)(\[[a-z]*\])?>=([0-9.]+),.*/\2==\4/p' pyproject.toml > .venv-oldest/versions.txt
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' --constraint .venv-oldest/versions.txt
	.venv-oldest/bin/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder -m "not slow"

.PHONY: lint
lint: $(READY) ## ruff, mypy and the import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: $(READY) ## puts the code into the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: model-table
model-table: $(READY) ## counts and times all models: the table in README.md and docs/models.png
	$(BIN)/panns models --markdown README.md --picture docs/models.png

.PHONY: report
report: $(READY) ## gathers the runs of STUDY=experiments/depth/demo into its report
	$(BIN)/panns report $(or $(STUDY),experiments/depth/demo)

.PHONY: bench-metrics
bench-metrics: $(READY) ## mAP and AUC at AudioSet's size against scikit-learn
	$(BIN)/python benchmarks/metrics.py

.PHONY: bench-codecs
bench-codecs: $(READY) ## size and speed of pcm, flac and mp3 stores, on the recordings in AUDIO=DIR
	$(BIN)/python benchmarks/codecs.py $(or $(AUDIO),data/demo/audio)

.PHONY: bench-models
bench-models: $(READY) ## log-mel, training step and inference on two cores against the released way
	$(BIN)/python benchmarks/models.py

.PHONY: bench-gpu
bench-gpu: $(READY) ## clips/s and share of the matmul peak for cnn14 training on one GPU
	$(BIN)/python benchmarks/gpu.py

.PHONY: bench-remote
bench-remote: $(READY) ## a store at a URL against the same on disk, over a network that answers late
	$(BIN)/python benchmarks/remote.py

.PHONY: bench-data
bench-data: $(READY) ## clips per second of the loader against the released one's way and the bare decoders
	$(BIN)/python benchmarks/data.py

.PHONY: bench-data-memory
bench-data-memory: $(READY) ## memory of the loaders over 100,000 batches
	$(BIN)/python benchmarks/data_memory.py

.PHONY: bench-sampler
bench-sampler: $(READY) ## start-up, draws and memory at AudioSet's size: 2 million clips
	$(BIN)/python benchmarks/sampler.py

.PHONY: scale-plan
scale-plan: $(READY) ## the tables of docs/scale.md anew; with INPUTS="gpu_clips_per_second=900" those of yours, printed
	$(BIN)/python benchmarks/scale.py $(INPUTS)

.PHONY: clean
clean: ## removes caches, not data and runs
	rm -rf .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
