/** What device_startup.c needs of device.c. */
#ifndef DEVICE_START_H
#define DEVICE_START_H

void device_start(void);
/** First of all, where device_stack_bytes is to be asked. */
void device_paint_stack(void);
void device_note_cause(void);
void device_interrupt_uart(void);
void device_interrupt_systick(void);
_Noreturn void device_fault(void);

#endif
