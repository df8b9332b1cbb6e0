/** What the programs of the native device share. */
#ifndef DEVICE_NATIVE_H
#define DEVICE_NATIVE_H

#include "../device.h"

#define NATIVE_MAX_KEYS 7u

struct native {
  const char *flash_path;
  const char *link_path;
  const char *program; /* the bootloader's, absolute */
  char **arguments;    /* with which both programs are run */
  uint8_t keys[NATIVE_MAX_KEYS][BOOT_KEY_BYTES];
  uint32_t key_count;
  int line; /* the pty's master */
};

/** Ends the process with a message. */
_Noreturn void native_fail(const char *what, const char *problem);

/** Fills in everything but the line. */
void native_parse(struct native *native, char **arguments);

/** Whether this process has a line already: it has been reset. */
bool native_has_line(void);

/** Nothing was left by a program before: power has come. */
void native_forget(void);

/** @param line -1: the one of before */
void native_start(int line, char **arguments);

#endif
