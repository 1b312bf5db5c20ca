# Every target can run again and does only what is missing. Without a target: this list.
#   YES=1           install Debian packages without asking
#   ORT=gpu         (or openvino, cpu) which build of ONNX Runtime set-up fetches
.DEFAULT_GOAL := help
.PHONY: help setup build demo test lint bench image clean

CARGO ?= cargo
export ORT YES

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: ## Install what is missing: Debian packages, ONNX Runtime, the demo's portrait; check Rust
	@deploy/setup.sh run build rust ort portrait

build: setup ## Build the program and the GStreamer plugin (target/release)
	$(CARGO) build --release --locked --workspace

demo: build ## Simulated cameras through the whole pipeline, until Ctrl-C
	target/release/maskwatch demo

lint: setup ## Format, clippy, documentation; supply chain and shell scripts where the tools are there
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --workspace --no-deps
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny --offline check --config .cargo/deny.toml bans licenses sources; \
	else echo 'lint: cargo-deny is not installed: skipped'; fi
	@if command -v shellcheck >/dev/null; then shellcheck deploy/*.sh .ci/run; \
	else echo 'lint: shellcheck is not installed: skipped'; fi

# A warning of GStreamer fails the tests of our elements. The program's tests see to that by themselves
# (tests/support/complaints.rs), but for one: rtspsrc of GStreamer 1.22 warns when it is stopped while it connects.
ELEMENTS = -p maskwatch-vision -p maskwatch-engine -p gst-plugin-maskwatch -p maskwatch-scenes

test: lint ## Everything of lint, then all tests
	@deploy/setup.sh test
	$(CARGO) test --locked --workspace --doc
	@if command -v cargo-nextest >/dev/null; then run='nextest run'; targets=; else run=test; targets=--all-targets; fi; set -ex; \
	G_DEBUG=fatal_warnings $(CARGO) $$run --locked $(ELEMENTS) $$targets; \
	$(CARGO) $$run --locked -p maskwatch $$targets

bench: setup ## Time preprocessing and decoding on this machine
	$(CARGO) bench --locked -p maskwatch-vision

image: ## Build the container image (needs docker)
	docker build -f deploy/Dockerfile --build-arg MASKWATCH_COMMIT="$$(git rev-parse HEAD 2>/dev/null)" -t maskwatch .

clean: ## Remove what was built; what set-up fetched stays in .fetched
	$(CARGO) clean
