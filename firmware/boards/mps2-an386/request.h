/**
 * What the host wants run. It makes three files, and QEMU's loader (-device
 * loader,file=...,addr=...,force-raw=on) puts them into the PSRAM at these addresses:
 *
 *   0x21000000  the request: five little-endian words, struct request
 *   0x21001000  the plan, at most 0x7ff000 bytes
 *   0x21800000  the inputs, at most 0x400000 bytes: all inputs of a sample in order, sample by
 * sample
 *
 * The board itself uses what follows:
 *
 *   0x21c00000  the outputs until they are sent, at most 0x380000 bytes
 *   0x21f80000  what each step took
 *
 * UART 0 answers with one line of JSON, which ends with a newline, and then the output bytes. If
 * something fails the line is {"error":code} (enum engine_status or runner_status) and nothing
 * follows; QEMU's exit status is the code.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include <stdint.h>

#define REQUEST_MAGIC 0x51455244u /* "DREQ" */
/** Counts each step of the first sample too. */
#define REQUEST_PROFILE 1u

#define REQUEST_ADDRESS 0x21000000u
#define REQUEST_PLAN_ADDRESS 0x21001000u
#define REQUEST_INPUTS_ADDRESS 0x21800000u
#define REQUEST_OUTPUTS_ADDRESS 0x21c00000u
#define REQUEST_STEPS_ADDRESS 0x21f80000u
#define REQUEST_END_ADDRESS 0x22000000u

struct request {
  uint32_t magic;
  uint32_t plan_bytes;
  uint32_t inputs_bytes;
  uint32_t samples; /* 0: as many as there are inputs of */
  uint32_t flags;
};

#endif
