/** SMP group 0 (Zephyr, "Default/OS Management Group"): echo, reset, parameters, information. */
#ifndef OS_GROUP_H
#define OS_GROUP_H

#include "smp.h"

#define OS_GROUP 0u

struct os_group {
  const char *board; /* "i" of the information */
  uint32_t buffer_count;
  /* What is asked of whoever runs the loop: the answer goes first. */
  bool reset_asked, recovery_asked;
};

/* Each with a context of struct os_group. Whoever has no bootloader's name to tell leaves it out.
 */
#define OS_ECHO 0u
#define OS_RESET 5u
#define OS_PARAMETERS 6u
#define OS_INFO 7u
#define OS_BOOTLOADER 8u
struct smp_error os_group_echo(void *context, const struct smp_request *request,
                               struct cbor_writer *answer);
struct smp_error os_group_reset(void *context, const struct smp_request *request,
                                struct cbor_writer *answer);
struct smp_error os_group_parameters(void *context, const struct smp_request *request,
                                     struct cbor_writer *answer);
struct smp_error os_group_info(void *context, const struct smp_request *request,
                               struct cbor_writer *answer);
struct smp_error os_group_bootloader(void *context, const struct smp_request *request,
                                     struct cbor_writer *answer);

#endif
