#include "../memory.h"
#include "kernels.h"

void kernel_fill(const struct engine *engine, const struct plan_fill_step *step) {
  memset(kernel_write(engine, step->output), step->value, step->size_bytes);
}
