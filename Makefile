# make run    set up, build, and show the whole path on this machine (dunlin demo)
# make test   set up everything and run every test
# make check  the fast part: types, lint, and the tests of single rooms
# make soak   the long lines: fuzzing against the real runtime, random graphs, kill storms, repeated tours
# make bench  speed and memory against the stock runtime, TensorFlow.js and TFLite Micro, as ratios
# make firmware  the microcontroller engine: as a process of this machine, and for QEMU's Cortex-M4
SHELL := /bin/bash
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# Where Node's own headers stand beside it, native addons build against them and download nothing.
NODE_PREFIX := $(shell node -p "require('path').resolve(process.execPath, '../..')")
ifneq ($(wildcard $(NODE_PREFIX)/include/node/node_api.h),)
export npm_config_nodedir := $(NODE_PREFIX)
endif

DUNLIN := node dist/src/cli/main.js
AVA := node_modules/.bin/ava
KERNELS := dist/src/optimize/train/kernels.wasm
NATIVE := src/inference/native/build/Release
# Debian packages: the first for building the native addons, the others for tests alone.
DEBIAN_BUILD := g++ make python3
DEBIAN_TEST := chromium mosquitto openssl
# For the microcontroller engine and its emulator; for feeding it broken plans.
DEBIAN_FIRMWARE := gcc gcc-arm-none-eabi qemu-system-arm
DEBIAN_FUZZ := clang libclang-rt-dev
# What `make check` leaves to `make test`: whole agents, and models that are quantized or run by the hundred.
SLOW_TESTS := test/demo/** test/agent/** test/cli/** test/release/from-optimize.test.ts test/release/mcu.test.ts \
	test/release/commands.test.ts test/examples/files.test.ts test/examples/uneven-rows.test.ts \
	test/optimize/operators.test.ts test/optimize/random-graphs.test.ts test/optimize/quantize-shared.test.ts test/optimize/repack-shared.test.ts \
	test/optimize/train/operations.test.ts test/optimize/train/network.test.ts test/optimize/hostile.test.ts \
	test/optimize/commands.test.ts test/optimize/train-commands.test.ts test/optimize/change-model.test.ts \
	test/optimize/train/trainer.test.ts test/optimize/train/checkpoint.test.ts test/optimize/train/random-training.test.ts \
	test/optimize/page-browser.test.ts test/plan/board/** test/optimize/prune/channels/** \
	test/mcu/native.test.ts test/mcu/mps2-an386.test.ts test/mcu/kill-storm.test.ts test/mcu/flasher.test.ts
SOAK_FUZZ_SECONDS ?= 300
SOAK_TOURS ?= 5
SOAK_GRAPHS ?= 10000
SOAK_PLANS ?= 10000000
SOAK_BOOT_SECONDS ?= 600
SOAK_SMP ?= 10000000
SOAK_SERVER_SECONDS ?= 300
SOAK_KILLS ?= 100
SOAK_FRAMES ?= 10000000

.PHONY: run test check soak build bench examples clean lint firmware native-device debian-build debian-test debian-firmware \
	debian-fuzz

run: build native-device
	@$(DUNLIN) demo

test: debian-test build lint firmware
	@$(MAKE) -C firmware test
	@$(AVA)

check: build lint
	@$(AVA) 'test/**/*.test.ts' $(foreach slow,$(SLOW_TESTS),'!$(slow)')

soak: test debian-fuzz
	$(MAKE) -C firmware fuzz RUNS=$(SOAK_PLANS)
	$(MAKE) -C firmware smp-fuzz RUNS=$(SOAK_FRAMES)
	$(MAKE) -C firmware boot-sim BOOT_SECONDS=$(SOAK_BOOT_SECONDS)
	$(MAKE) -C firmware server-fuzz SECONDS=$(SOAK_SERVER_SECONDS)
	DUNLIN_SOAK_KILLS=$(SOAK_KILLS) $(AVA) --timeout=4h test/mcu/kill-storm.test.ts
	node dist/test/fuzz/tflite-fuzz.js --runtime --seconds $(SOAK_FUZZ_SECONDS)
	node dist/test/fuzz/tflite-fuzz.js --runtime --seconds $(SOAK_FUZZ_SECONDS) --delegate $(NATIVE)/xnnpack_delegate.node
	node dist/test/fuzz/smp-fuzz.js --executions $(SOAK_SMP)
	DUNLIN_SOAK=$(SOAK_GRAPHS) $(AVA) --timeout=4h test/optimize/random-graphs.test.ts
	DUNLIN_SOAK=$(SOAK_GRAPHS) $(AVA) --timeout=4h test/optimize/train/random-training.test.ts
	DUNLIN_SOAK=1 $(AVA) --timeout=4h test/optimize/train/kws-acceptance.test.ts
	for tour in $$(seq $(SOAK_TOURS)); do $(DUNLIN) demo --once --json --dir .dunlin/soak || exit 1; done

bench: build firmware
	@node dist/bench/inference.js
	@node dist/bench/agent-memory.js
	@node dist/bench/quantizer.js
	@node dist/bench/training.js
	@node dist/bench/mcu.js
	@node dist/bench/serial.js

firmware: debian-firmware
	@$(MAKE) -C firmware

# A microcontroller as a process: it takes no more than a C compiler.
native-device: debian-build
	@$(MAKE) -C firmware device BOARD=native

examples: build
	@node dist/examples/motor/make.js

build: node_modules/.package-lock.json $(KERNELS)
	@node_modules/.bin/tsc -b

# The kernels of training are AssemblyScript: TypeScript that becomes WebAssembly.
$(KERNELS): $(wildcard src/optimize/train/kernels/*.ts) node_modules/.package-lock.json
	@mkdir -p $(dir $@)
	@node_modules/.bin/asc src/optimize/train/kernels/index.ts -O3 --enable simd --runtime stub --importMemory -o $@

lint: node_modules/.package-lock.json
	@node_modules/.bin/biome check --error-on-warnings

node_modules/.package-lock.json: package.json package-lock.json src/inference/native/build.mjs \
		$(wildcard src/inference/native/*.c src/inference/native/*.gyp) | debian-build
	npm ci --no-audit --no-fund
	@touch $@

# Installs what is missing where root or sudo allows it, else says what to install.
define debian-install
	@missing=""; for p in $(1); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' \
		|| missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" = 0 ]; then apt-get update -q && apt-get install -qy --no-install-recommends $$missing; \
		elif sudo -n true 2>/dev/null; then sudo apt-get update -q && sudo apt-get install -qy --no-install-recommends $$missing; \
		else echo "Please install the Debian packages:$$missing (sudo apt-get install$$missing)" >&2; exit 1; fi; fi
endef

debian-build:
	$(call debian-install,$(DEBIAN_BUILD))

debian-test:
	$(call debian-install,$(DEBIAN_TEST))

debian-firmware:
	$(call debian-install,$(DEBIAN_FIRMWARE))

debian-fuzz:
	$(call debian-install,$(DEBIAN_FUZZ))

clean:
	rm -rf dist node_modules .dunlin src/inference/native/build firmware/build
