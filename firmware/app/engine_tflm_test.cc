/**
 * The engine on this machine, with a TFLite Micro library built for it:
 *   engine_tflm_test MUTANTS MODEL=CHECKSUM...
 * Each model, in turn on one engine, gives the checksum: FNV-1a of 32 bits over the outputs of
 * three inputs, input k filled by s = s * 1664525 + 1013904223 from 12345 + k, a byte being s
 * >> 24. Then broken files and arenas that are too small: each is refused, or runs, and nothing is
 * touched outside (build it with AddressSanitizer; the library's own stack and arena it sees only
 * if the library was built so, too).
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "model_engine.h"

namespace {

constexpr uint32_t ARENA_BYTES = 1u << 20;
constexpr uint32_t ROUNDS = 3;
constexpr uint32_t MAX_FAILURES = 20;
/** Arena sizes that are tried below the one that is enough. */
constexpr uint32_t ARENA_STEPS = 400;
constexpr uint32_t MAX_CHANGES = 4;
constexpr uint32_t END_BYTES = 8192;

uint32_t failures;
uint32_t random_state = 0x2545f491u;

void expect(bool holds, const char* what, const char* of) {
  if (!holds && failures++ < MAX_FAILURES) std::printf("%s: not so: %s\n", of, what);
}

/** xorshift32 */
uint32_t next_random() {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 17;
  random_state ^= random_state << 5;
  return random_state;
}

/** Exactly so many bytes, so that AddressSanitizer sees the next one. */
struct memory {
  explicit memory(uint32_t bytes) : size_bytes(bytes) {
    void* found = nullptr;
    if (posix_memalign(&found, MODEL_ALIGNMENT, bytes) != 0) std::abort();
    at = static_cast<uint8_t*>(found);
  }
  ~memory() { std::free(at); }
  memory(const memory&) = delete;
  memory& operator=(const memory&) = delete;

  uint32_t size_bytes;
  uint8_t* at = nullptr;
};

memory* read_file(const char* path) {
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr || std::fseek(file, 0, SEEK_END) != 0) {
    std::printf("cannot read %s\n", path);
    std::exit(2);
  }
  memory* bytes = new memory(static_cast<uint32_t>(std::ftell(file)));
  std::rewind(file);
  if (std::fread(bytes->at, 1, bytes->size_bytes, file) != bytes->size_bytes) std::exit(2);
  std::fclose(file);
  return bytes;
}

uint32_t fold(uint32_t hash, const model_tensor& tensor) {
  for (uint32_t index = 0; index < tensor.size_bytes; index++) {
    hash = (hash ^ static_cast<uint8_t>(tensor.values[index])) * 16777619u;
  }
  return hash;
}

/** Of the open model. */
uint32_t checksum(const char* name) {
  uint32_t hash = 2166136261u;
  for (uint32_t round = 0; round < ROUNDS; round++) {
    uint32_t seed = 12345u + round;
    for (uint32_t input = 0; input < model_input_count(); input++) {
      const model_tensor tensor = model_input(input);
      for (uint32_t index = 0; index < tensor.size_bytes; index++) {
        seed = seed * 1664525u + 1013904223u;
        tensor.values[index] = static_cast<int8_t>(seed >> 24);
      }
    }
    expect(model_run() == MODEL_OK, "it runs", name);
    for (uint32_t output = 0; output < model_output_count(); output++) {
      hash = fold(hash, model_output(output));
    }
  }
  return hash;
}

void check_sum(const char* name, const memory& model, uint32_t expected) {
  memory arena(ARENA_BYTES);
  expect(model_open(model.at, model.size_bytes, arena.at, arena.size_bytes) == MODEL_OK, "it opens",
         name);
  const uint32_t sum = checksum(name);
  std::printf("%s: %08x, arena %u bytes\n", name, sum, model_arena_bytes());
  expect(sum == expected, "the checksum", name);
  expect(model_input(model_input_count()).size_bytes == 0, "no input past the last", name);
  expect(model_output(model_output_count()).size_bytes == 0, "no output past the last", name);
  model_close();
  expect(model_run() == MODEL_FAILED, "a closed model does not run", name);
  expect(model_input_count() == 0 && model_output(0).size_bytes == 0, "nor has tensors", name);
}

/** From nothing to enough: too large for all of them, and a right answer from the first that does.
 */
void check_arenas(const char* name, const memory& model, uint32_t expected) {
  uint32_t enough = 0;
  {
    memory arena(ARENA_BYTES);
    model_open(model.at, model.size_bytes, arena.at, arena.size_bytes);
    enough = model_arena_bytes();
  }
  const uint32_t step = enough / ARENA_STEPS + 1;
  bool has_opened = false;
  for (uint32_t bytes = 0; bytes <= 2 * enough + 4096; bytes += step) {
    memory arena(bytes);
    const enum model_status status = model_open(model.at, model.size_bytes, arena.at, bytes);
    expect(status == (has_opened ? MODEL_OK : MODEL_TOO_LARGE) || status == MODEL_OK,
           "too large, until it is not", name);
    if (status == MODEL_OK && !has_opened) {
      std::printf("%s: opens in %u bytes\n", name, bytes);
      expect(checksum(name) == expected, "the checksum in the smallest arena", name);
    }
    has_opened = has_opened || status == MODEL_OK;
  }
  expect(has_opened, "it opens in twice what it uses", name);
  model_close();
}

void check_truncated(const char* name, const memory& model) {
  memory arena(ARENA_BYTES);
  for (uint32_t tried = 0; tried < ARENA_STEPS; tried++) {
    const uint32_t bytes = next_random() % model.size_bytes;
    memory part(bytes);
    std::memcpy(part.at, model.at, bytes);
    const enum model_status status = model_open(part.at, bytes, arena.at, arena.size_bytes);
    expect(status != MODEL_OK || bytes + MODEL_ALIGNMENT > model.size_bytes, "refused in part",
           name);
  }
  const uint8_t* odd = model.at + 4;
  expect(model_open(odd, model.size_bytes - 4, arena.at, arena.size_bytes) == MODEL_BROKEN,
         "a misaligned model is refused", name);
}

/** Tables are at the ends of a file, weights between them: three of four changes are in a table. */
uint8_t& any_byte(const memory& model) {
  const uint32_t random = next_random();
  const uint32_t offset = (random >> 2) % (random % 4 == 0 ? model.size_bytes : END_BYTES);
  const uint32_t place = offset % model.size_bytes;
  return model.at[random % 4 == 1 ? model.size_bytes - 1 - place : place];
}

void change(const memory& model) {
  static const uint8_t telling[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
  const uint32_t changes = 1 + next_random() % MAX_CHANGES;
  for (uint32_t done = 0; done < changes; done++) {
    uint8_t& byte = any_byte(model);
    const uint32_t how = next_random();
    if (how % 3 == 0) byte = telling[(how >> 8) % sizeof(telling)];
    if (how % 3 == 1) byte = static_cast<uint8_t>(how >> 8);
    if (how % 3 == 2) byte = static_cast<uint8_t>(byte ^ 1u << ((how >> 8) % 8));
  }
}

void check_mutants(const char* name, const memory& model, uint32_t count) {
  uint32_t opened = 0, refused[MODEL_FAILED + 1] = {};
  memory arena(ARENA_BYTES);
  memory mutant(model.size_bytes);
  for (uint32_t tried = 0; tried < count; tried++) {
    std::memcpy(mutant.at, model.at, model.size_bytes);
    change(mutant);
    const enum model_status status =
        model_open(mutant.at, mutant.size_bytes, arena.at, arena.size_bytes);
    refused[status]++;
    if (status != MODEL_OK) continue;
    opened++;
    checksum(name);
  }
  model_close();
  std::printf("%s: %u mutants, %u ran, %u broken, %u of another kind, %u too large\n", name, count,
              opened, refused[MODEL_BROKEN], refused[MODEL_WRONG_KIND], refused[MODEL_TOO_LARGE]);
}

struct named_model {
  char path[512];
  memory* bytes;
  uint32_t expected;
};

constexpr int MAX_MODELS = 16;

}  // namespace

int main(int count, char** arguments) {
  if (count < 3 || count - 2 > MAX_MODELS) {
    std::printf("usage: %s MUTANTS MODEL=CHECKSUM...\n", arguments[0]);
    return 2;
  }
  const uint32_t mutants = static_cast<uint32_t>(std::strtoul(arguments[1], nullptr, 10));
  static named_model models[MAX_MODELS];
  const int model_count = count - 2;
  for (int index = 0; index < model_count; index++) {
    named_model& model = models[index];
    if (std::sscanf(arguments[index + 2], "%511[^=]=%x", model.path, &model.expected) != 2)
      return 2;
    model.bytes = read_file(model.path);
  }
  expect(std::strcmp(model_engine_name, "tflm") == 0 && model_engine_format() == 0, "its name", "");
  expect(model_run() == MODEL_FAILED, "nothing runs before a model is open", "");
  for (int turn = 0; turn < 2 * model_count; turn++) {
    const named_model& model = models[turn < model_count ? turn : 2 * model_count - 1 - turn];
    check_sum(model.path, *model.bytes, model.expected);
  }
  for (int index = 0; index < model_count; index++) {
    const named_model& model = models[index];
    check_arenas(model.path, *model.bytes, model.expected);
    check_truncated(model.path, *model.bytes);
    check_mutants(model.path, *model.bytes, mutants);
    check_sum(model.path, *model.bytes, model.expected);
  }
  for (int index = 0; index < model_count; index++) delete models[index].bytes;
  if (failures > 0) std::printf("%u failures\n", failures);
  return failures > 0;
}
