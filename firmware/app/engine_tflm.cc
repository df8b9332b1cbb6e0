/** model_engine.h over a TFLite Micro library that the firmware's builder names (docs/TFLM.md). */
#include <csetjmp>
#include <new>

#include "engine_tflm_check.h"
#include "model_engine.h"
#include "tensorflow/lite/micro/arena_allocator/single_arena_buffer_allocator.h"
#include "tensorflow/lite/micro/memory_planner/greedy_memory_planner.h"
#include "tensorflow/lite/micro/micro_interpreter.h"

namespace {

/** Where an arena that runs out leads. */
jmp_buf out_of_arena;

/**
 * Kernels use what they allocate without asking whether they got it: no allocation that fails
 * returns. Nothing between here and model_open holds anything that must be given back. Sizes come
 * from a model, and wrap around where TFLite Micro compares pointers.
 */
class arena_allocator : public tflite::SingleArenaBufferAllocator {
 public:
  arena_allocator(uint8_t* arena, size_t size_bytes)
      : SingleArenaBufferAllocator(arena, size_bytes), size_bytes_(size_bytes) {}

  uint8_t* AllocatePersistentBuffer(size_t size, size_t alignment) override {
    require(size, alignment);
    return found(SingleArenaBufferAllocator::AllocatePersistentBuffer(size, alignment));
  }
  uint8_t* AllocateTemp(size_t size, size_t alignment) override {
    require(size, alignment);
    return found(SingleArenaBufferAllocator::AllocateTemp(size, alignment));
  }
  uint8_t* AllocateResizableBuffer(size_t size, size_t alignment) override {
    return found(SingleArenaBufferAllocator::AllocateResizableBuffer(size, alignment));
  }
  TfLiteStatus ResizeBuffer(uint8_t* buffer, size_t size, size_t alignment) override {
    if (size > size_bytes_) longjmp(out_of_arena, 1);
    const TfLiteStatus status = SingleArenaBufferAllocator::ResizeBuffer(buffer, size, alignment);
    if (status != kTfLiteOk) longjmp(out_of_arena, 1);
    return status;
  }

 private:
  /** With what alignment may take on both sides. */
  void require(size_t size, size_t alignment) {
    const size_t free_bytes = static_cast<size_t>(tail() - head());
    if (free_bytes < 2 * alignment || size > free_bytes - 2 * alignment) longjmp(out_of_arena, 1);
  }
  static uint8_t* found(uint8_t* buffer) {
    if (buffer == nullptr) longjmp(out_of_arena, 1);
    return buffer;
  }

  size_t size_bytes_;

  TF_LITE_REMOVE_VIRTUAL_DELETE
};

/** Its tables are in the arena, too. */
class arena_planner : public tflite::GreedyMemoryPlanner {
 public:
  using GreedyMemoryPlanner::AddBuffer;
  TfLiteStatus AddBuffer(int size, int first_time_used, int last_time_used) override {
    const TfLiteStatus status =
        GreedyMemoryPlanner::AddBuffer(size, first_time_used, last_time_used);
    if (status != kTfLiteOk) longjmp(out_of_arena, 1);
    return status;
  }

 private:
  TF_LITE_REMOVE_VIRTUAL_DELETE
};

/** Room for an object that is made anew for each model, and never at start. */
template <typename T>
struct place {
  alignas(T) uint8_t bytes[sizeof(T)];
  T* object() { return reinterpret_cast<T*>(bytes); }
};

place<arena_allocator> allocator;
place<arena_planner> planner;
place<tflm_resolver> resolver;
place<tflite::MicroInterpreter> interpreter;
bool is_open;

enum model_status start(const uint8_t* payload, uint8_t* arena, uint32_t arena_bytes) {
  if (setjmp(out_of_arena) != 0) return MODEL_TOO_LARGE;
  new (allocator.bytes) arena_allocator(arena, arena_bytes);
  new (planner.bytes) arena_planner();
  auto* micro_allocator = tflite::MicroAllocator::Create(allocator.object(), planner.object());
  new (interpreter.bytes)
      tflite::MicroInterpreter(tflite::GetModel(payload), *resolver.object(), micro_allocator);
  return interpreter.object()->AllocateTensors() == kTfLiteOk ? MODEL_OK : MODEL_BROKEN;
}

struct model_tensor tensor_of(const TfLiteTensor* tensor) {
  if (tensor == nullptr) return {nullptr, 0};
  return {tensor->data.int8, static_cast<uint32_t>(tensor->bytes)};
}

}  // namespace

#ifdef __NEWLIB__
/** What newlib's mathematics write to. Its own would bring in the state of its streams: 1 kB of
 * RAM.
 */
extern "C" int* __errno(void) {
  static int number;
  return &number;
}
#endif

const char model_engine_name[] = "tflm";

uint32_t model_engine_format(void) { return 0; }

enum model_status model_open(const uint8_t* payload, uint32_t size_bytes, uint8_t* arena,
                             uint32_t arena_bytes) {
  model_close();
  if (reinterpret_cast<uintptr_t>(payload) % MODEL_ALIGNMENT != 0) return MODEL_BROKEN;
  if (reinterpret_cast<uintptr_t>(arena) % MODEL_ALIGNMENT != 0) return MODEL_TOO_LARGE;
  new (resolver.bytes) tflm_resolver();
  enum model_status status = tflm_check(payload, size_bytes, arena_bytes, *resolver.object());
  if (status == MODEL_OK) status = start(payload, arena, arena_bytes);
  is_open = status == MODEL_OK;
  return status;
}

/** Kernels of a microcontroller hold nothing outside the arena: the interpreter is just left. */
void model_close(void) { is_open = false; }

uint32_t model_arena_bytes(void) {
  return is_open ? static_cast<uint32_t>(interpreter.object()->arena_used_bytes()) : 0;
}

uint32_t model_input_count(void) {
  return is_open ? static_cast<uint32_t>(interpreter.object()->inputs_size()) : 0;
}

uint32_t model_output_count(void) {
  return is_open ? static_cast<uint32_t>(interpreter.object()->outputs_size()) : 0;
}

struct model_tensor model_input(uint32_t index) {
  return tensor_of(index < model_input_count() ? interpreter.object()->input(index) : nullptr);
}

struct model_tensor model_output(uint32_t index) {
  return tensor_of(index < model_output_count() ? interpreter.object()->output(index) : nullptr);
}

enum model_status model_run(void) {
  if (!is_open || setjmp(out_of_arena) != 0) return MODEL_FAILED;
  return interpreter.object()->Invoke() == kTfLiteOk ? MODEL_OK : MODEL_FAILED;
}
