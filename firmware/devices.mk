# make device                           bootloader and firmware, as a Linux process and for QEMU's mps2-an386
# make device ENGINE=tflm TFLM_LIB=…    the firmware with your TensorFlow Lite Micro (docs/TFLM.md), for BOARD=mps2-an386
#                                       or BOARD=native
# make boot-size                        what the bootloader of the mps2-an386 takes of its flash
ENGINE ?= dunlin
BOARD ?=
DEVICE_BOARDS := native mps2-an386
ifneq ($(filter-out $(DEVICE_BOARDS),$(BOARD)),)
$(error BOARD is one of $(DEVICE_BOARDS))
endif
ifneq ($(filter-out dunlin tflm,$(ENGINE)),)
$(error ENGINE is dunlin or tflm)
endif

APP := $(filter-out %_test.c app/model_engine_dunlin.c,$(wildcard app/*.c))
NATIVE_DEVICE := boards/flash_nor.c boards/native/device.c boards/native/arguments.c
MPS2_DEVICE := boards/flash_nor.c boards/mps2-an386/device.c boards/mps2-an386/device_startup.c boards/mps2-an386/memory.c
DEVICE_LD := boards/mps2-an386/device_sections.ld

NATIVE_BOOT := build/native/dunlin-mcu-native
MPS2_BOOT := build/mps2-an386/boot.elf
FIRMWARE_NATIVE := build/native/firmware-native.elf
FIRMWARE_MPS2 := build/mps2-an386/firmware-mps2-an386.elf
ifeq ($(ENGINE),tflm)
ifeq ($(TFLM_LIB),)
$(error ENGINE=tflm needs TFLM_LIB and TFLM_INCLUDE: docs/TFLM.md)
endif
FIRMWARE_NATIVE := build/tflm/native/firmware-native-tflm.elf
FIRMWARE_MPS2 := build/tflm/mps2-an386/firmware-mps2-an386-tflm.elf
endif
include app/tflm.mk

.PHONY: device boot-size
device: $(if $(filter native,$(or $(BOARD),native)),$(NATIVE_BOOT) $(FIRMWARE_NATIVE)) \
	$(if $(filter mps2-an386,$(or $(BOARD),mps2-an386)),$(MPS2_BOOT) $(FIRMWARE_MPS2:.elf=.bin))

$(NATIVE_BOOT): $(patsubst %.c,build/native/%.o,$(BOOT) $(SMP) $(NATIVE_DEVICE) boards/native/boot_start.c boards/boot_main.c)
	@$(CC) $^ -o $@

build/native/firmware-native.elf: $(patsubst %.c,build/native/%.o,$(BOOT) $(SMP) $(APP) app/model_engine_dunlin.c $(ENGINE_C) \
		$(NATIVE_DEVICE) boards/native/app_start.c)
	@$(CC) -s $^ -o $@

# Nor may the search for a text's end become a call of strlen.
build/mps2-an386/smp/%.o: SIZE_OR_SPEED = -Os -fno-tree-loop-distribute-patterns

MPS2_LINK = $(ARM)gcc $(CORTEX_M4) -nostartfiles -nostdlib -Wl,--gc-sections -Wl,--fatal-warnings -L boards/mps2-an386 \
	-T $(filter %.ld,$(filter-out $(DEVICE_LD),$^)) $(filter %.o %.a,$^) -lgcc -Wl,-Map=$(@:.elf=.map) -o $@

# The bootloader all at once: what it takes of the flash counts, and the linker sees most that it can do without.
MPS2_BOOT_SOURCES := $(BOOT) $(SMP) boards/boot_main.c boards/flash_nor.c \
	$(addprefix boards/mps2-an386/,device.c device_startup.c memory_small.c boot_start.c)
HEADERS := $(wildcard boot/*.h smp/*.h engine/*.h boards/*.h boards/mps2-an386/*.h)
MPS2_BOOT_LINK = @mkdir -p $(@D); $(ARM)gcc $(WARNINGS) $(CORTEX_M4) -Os -flto -fno-inline-small-functions \
	-fno-ipa-icf -fno-if-conversion -g -ffreestanding -fbuiltin -ffunction-sections -fdata-sections -fno-tree-loop-distribute-patterns $(filter %.c,$^) \
	-nostartfiles -nostdlib -Wl,--gc-sections -Wl,--fatal-warnings -L boards/mps2-an386 -T boards/mps2-an386/boot.ld \
	-lgcc -o $@

$(MPS2_BOOT): $(MPS2_BOOT_SOURCES) $(HEADERS) boards/mps2-an386/boot.ld $(DEVICE_LD) devices.mk
	$(MPS2_BOOT_LINK)

# The same without Ed25519, to be measured.
build/boot/no-ed25519.elf: $(filter-out boot/ed25519.c boot/field.c boot/sha512.c,$(MPS2_BOOT_SOURCES)) boot/size/no_ed25519.c \
		$(HEADERS) boards/mps2-an386/boot.ld $(DEVICE_LD) devices.mk
	$(MPS2_BOOT_LINK)

# At most 10 kB, and 20 kB with Ed25519; all of it: serial recovery, the line, the flash.
boot-size: build/boot/no-ed25519.elf $(MPS2_BOOT)
	@$(ARM)size $^ | awk 'NR > 1 { bytes[NR] = $$1 + $$2 } END { print bytes[2] " bytes of bootloader without Ed25519, " \
		bytes[3] " with it"; exit bytes[2] > 10240 || bytes[3] > 20480 }'

build/mps2-an386/firmware-mps2-an386.elf: $(patsubst %.c,build/mps2-an386/%.o,$(BOOT) $(SMP) $(APP) app/model_engine_dunlin.c \
		$(MPS2_DEVICE) boards/mps2-an386/app_start.c) build/mps2-an386/libengine.a boards/mps2-an386/app.ld $(DEVICE_LD)
	@$(MPS2_LINK)

# With TensorFlow Lite Micro: every object as the library was compiled.
build/tflm/native/%.o: %.c Makefile
	@mkdir -p $(@D)
	@$(CC) $(WARNINGS) -O2 -g -MMD -MP -c $< -o $@

build/tflm/native/%.o: %.cc Makefile app/tflm.mk
	@mkdir -p $(@D)
	@$(CXX) $(TFLM_CXXFLAGS) -O2 -g -MMD -MP -c $< -o $@

build/tflm/native/firmware-native-tflm.elf: $(patsubst %.c,build/tflm/native/%.o,$(BOOT) $(SMP) $(APP) $(NATIVE_DEVICE) \
		boards/native/app_start.c) $(TFLM_SOURCES:%.cc=build/tflm/native/%.o) $(TFLM_LIB)
	@$(CXX) -s -Wl,--gc-sections $^ -o $@

build/tflm/mps2-an386/%.o: %.c Makefile
	@mkdir -p $(@D)
	@$(ARM)gcc $(WARNINGS) $(CORTEX_M4) $(TFLM_FLOAT) -Os -g -ffreestanding -fbuiltin -ffunction-sections -fdata-sections \
		-fno-tree-loop-distribute-patterns -MMD -MP -c $< -o $@

build/tflm/mps2-an386/%.o: %.cc Makefile app/tflm.mk
	@mkdir -p $(@D)
	@$(ARM)g++ $(TFLM_CXXFLAGS) $(CORTEX_M4) $(TFLM_FLOAT) -Os -g -MMD -MP -c $< -o $@

build/tflm/mps2-an386/firmware-mps2-an386-tflm.elf: $(patsubst %.c,build/tflm/mps2-an386/%.o,$(BOOT) $(SMP) $(APP) $(MPS2_DEVICE) \
		boards/mps2-an386/app_start.c) $(TFLM_SOURCES:%.cc=build/tflm/mps2-an386/%.o) $(TFLM_LIB) boards/mps2-an386/app.ld $(DEVICE_LD)
	@$(ARM)g++ $(CORTEX_M4) $(TFLM_FLOAT) -nostartfiles -nostdlib -Wl,--gc-sections -Wl,--fatal-warnings -L boards/mps2-an386 \
		-T boards/mps2-an386/app.ld $(filter %.o,$^) $(TFLM_LDLIBS) -Wl,-Map=$(@:.elf=.map) -o $@

%.bin: %.elf
	@$(ARM)objcopy -O binary $< $@
