# What a firmware with ENGINE=tflm needs beside its own sources (docs/TFLM.md), and
# make tflm-test TFLM_LIB=... TFLM_INCLUDE=... MODELS=...  the engine on this machine, with a library built for it
TFLM_LIB ?=
# Directories, apart by spaces.
TFLM_INCLUDE ?=
# What the library was built with; CMSIS_NN as well if its kernels are.
TFLM_DEFINES ?= TF_LITE_STATIC_MEMORY NDEBUG TF_LITE_STRIP_ERROR_STRINGS
# Empty: all that engine_tflm_operators.cc knows.
TFLM_OPERATORS ?=
# Every object of the firmware must agree with the library on these.
TFLM_FLOAT ?= -mfloat-abi=hard -mfpu=fpv4-sp-d16

TFLM_SOURCES := $(filter-out %_test.cc,$(wildcard app/engine_tflm*.cc))
TFLM_CXXFLAGS := -std=c++17 -Wall -Wextra -Werror -Wconversion -fno-exceptions -fno-rtti -fno-threadsafe-statics \
	-fno-unwind-tables -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections \
	$(TFLM_DEFINES:%=-D%) $(TFLM_INCLUDE:%=-isystem %) \
	$(if $(strip $(TFLM_OPERATORS)),-DTFLM_OPERATORS='"$(strip $(TFLM_OPERATORS))"')
# In this order, after the firmware's objects: what these leave open is in newlib and libgcc.
TFLM_LDLIBS = $(TFLM_LIB) -lm -lc -lgcc

TFLM_TEST := build/tflm-test
MODELS ?= ../../shared/models
MUTANTS ?= 2000

$(TFLM_TEST)/%.o: %.cc Makefile app/tflm.mk
	@mkdir -p $(@D)
	@$(CXX) $(TFLM_CXXFLAGS) $(SANITIZERS) -MMD -MP -c $< -o $@

$(TFLM_TEST)/engine_tflm_test: $(patsubst %.cc,$(TFLM_TEST)/%.o,$(TFLM_SOURCES) app/engine_tflm_test.cc) $(TFLM_LIB)
	@$(CXX) $(SANITIZERS) $^ -o $@

.PHONY: tflm-test
tflm-test: $(TFLM_TEST)/engine_tflm_test
	@$(if $(TFLM_LIB),,$(error tflm-test needs TFLM_LIB and TFLM_INCLUDE: docs/TFLM.md))
	$< $(MUTANTS) $(MODELS)/kws_ref_model.tflite=a948e204 $(MODELS)/ad01_int8.tflite=f638ae26 \
		$(MODELS)/ic_int8.tflite=37830a49
