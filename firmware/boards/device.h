/** What the bootloader and the application ask of a board. */
#ifndef DEVICE_H
#define DEVICE_H

#include "../boot/boot.h"

/** A device of ours has its flash in sectors of this size. */
#define DEVICE_SECTOR_BYTES 4096u
/** What comes in while the device is busy; more is lost. */
#define DEVICE_RECEIVE_BYTES 8192u

/** The name of its profile in devices/boards, and the target that its plans are compiled for. */
extern const char device_board[];
extern const char device_target[];

/** Why the device has started; from the third on it is the firmware's fault. */
enum device_cause { DEVICE_POWER = 0, DEVICE_SOFTWARE, DEVICE_WATCHDOG, DEVICE_FAULT };
enum device_cause device_cause(void);

/** Flash and keys. */
const struct boot_device *device_boot(void);
/** Where an area of the flash can be read in place. */
const uint8_t *device_flash_at(enum boot_area area);

/** Memory for a model, from a multiple of 16. */
uint8_t *device_arena(uint32_t *size_bytes);

/** What has come in since. Feeds the watchdog: a line that is never silent is no fault of the
 * device.
 * @return how many bytes, 0 if none have */
uint32_t device_receive(uint8_t *to, uint32_t capacity_bytes);
/** Feeds the watchdog, and waits until the bytes are on their way; gives up on a host that takes
 * none. */
void device_send(void *context, const uint8_t *bytes, uint32_t size_bytes);
/** Sleeps until something comes in, or for 40 ms. */
void device_wait(void);
/** At least every few seconds, or the device resets. */
void device_feed_watchdog(void);

/** Since the start. */
uint64_t device_microseconds(void);
/** Of the processor, modulo 2^32; always 0 where the board does not know. */
uint32_t device_cycles(void);
/** The deepest stack so far; 0 if unknown. */
uint32_t device_stack_bytes(void);

/** @param recovery whether the bootloader is to wait for a host instead of starting the firmware */
_Noreturn void device_reset(bool recovery);
/** Of the last reset. */
bool device_recovery_asked(void);

/** From the bootloader to the firmware in the primary slot. */
_Noreturn void device_jump(const struct boot_image *image);

/** What a board calls when it is ready. */
_Noreturn void boot_main(void);
_Noreturn void app_main(void);

#endif
