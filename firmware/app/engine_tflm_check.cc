#include "engine_tflm_check.h"

#include <cmath>
#include <string_view>

#include "tensorflow/lite/schema/schema_utils.h"

namespace {

constexpr uint32_t SCHEMA_VERSION = 3;
/** Verification recurses so deep; a .tflite nests half of it. */
constexpr uint32_t MAX_DEPTH = 16;
constexpr uint32_t MAX_TABLES = 16384;
/** All that is not constant: TFLite Micro adds sizes up in an int. */
constexpr uint64_t MAX_TENSORS_BYTES = 1u << 30;
/** What quantization needs, with much to spare; kernels multiply and divide these. */
constexpr float MIN_SCALE = 1e-12f;
constexpr float MAX_SCALE = 1e12f;
/** Offsets of its own for each tensor: nothing TFLite Micro would check. */
constexpr std::string_view OFFLINE_PLAN = "OfflineMemoryAllocation";

struct checker {
  const tflite::Model* model;
  const tflite::SubGraph* graph;
  uint32_t arena_bytes;
  tflm_resolver* resolver;
  /** A bit for each tensor: holds a value when the operator at hand runs. */
  uint32_t has_value[TFLM_MAX_TENSORS / 32u];
};

/** Too large for a stack; the engine is single. */
checker state;

template <typename T>
uint32_t size_of(const flatbuffers::Vector<T>* vector) {
  return vector == nullptr ? 0 : vector->size();
}

const tflite::Tensor& tensor_at(int32_t index) {
  return *state.graph->tensors()->Get(static_cast<uint32_t>(index));
}

bool in_range(int32_t index) {
  return index >= 0 && static_cast<uint32_t>(index) < state.graph->tensors()->size();
}

bool has_value(int32_t index) { return (state.has_value[index / 32] >> (index % 32) & 1u) != 0; }

void give_value(int32_t index) { state.has_value[index / 32] |= 1u << (index % 32); }

const flatbuffers::Vector<uint8_t>* constant_of(const tflite::Tensor& tensor) {
  const auto* data = state.model->buffers()->Get(tensor.buffer())->data();
  return size_of(data) == 0 ? nullptr : data;
}

/** @return 0 for a type that an int8 model has no use for */
uint32_t element_bytes(tflite::TensorType type) {
  switch (type) {
    case tflite::TensorType_INT8:
      return 1;
    case tflite::TensorType_INT16:
      return 2;
    case tflite::TensorType_INT32:
      return 4;
    case tflite::TensorType_INT64:
      return 8;
    default:
      return 0;
  }
}

/** Zeros, negative sizes and products past the limit are refused. */
bool check_shape(const tflite::Tensor& tensor) {
  const uint32_t rank = size_of(tensor.shape());
  if (rank > TFLM_MAX_RANK) return false;
  uint64_t count = 1;
  for (uint32_t index = 0; index < rank; index++) {
    const int32_t size = tensor.shape()->Get(index);
    if (size < 1) return false;
    count *= static_cast<uint32_t>(size);
    if (count > MAX_TENSORS_BYTES) return false;
  }
  return true;
}

bool check_scales(const tflite::Tensor& tensor, bool needed) {
  const auto* quantization = tensor.quantization();
  const auto* scales = quantization == nullptr ? nullptr : quantization->scale();
  const auto* zero_points = quantization == nullptr ? nullptr : quantization->zero_point();
  if (size_of(scales) == 0 && size_of(zero_points) == 0) return !needed;
  if (size_of(zero_points) != size_of(scales) && size_of(zero_points) != 1) return false;
  if (size_of(scales) > 1) {
    const int32_t along = quantization->quantized_dimension();
    if (along < 0 || static_cast<uint32_t>(along) >= size_of(tensor.shape())) return false;
    if (scales->size() != static_cast<uint32_t>(tensor.shape()->Get(along))) return false;
  }
  for (const float scale : *scales) {
    if (!std::isfinite(scale) || scale > MAX_SCALE) return false;
    if (needed ? scale < MIN_SCALE : scale < 0.0f) return false;
  }
  const bool is_int8 = tensor.type() == tflite::TensorType_INT8;
  for (const int64_t zero_point : *zero_points) {
    if (is_int8 ? zero_point < -128 || zero_point > 127 : zero_point != 0) return false;
  }
  return true;
}

enum model_status check_tensor(const tflite::Tensor& tensor, uint64_t* total_bytes) {
  const uint32_t unit_bytes = element_bytes(tensor.type());
  if (unit_bytes == 0 || tensor.sparsity() != nullptr) return MODEL_WRONG_KIND;
  if (!check_shape(tensor) || tensor.buffer() >= state.model->buffers()->size()) {
    return MODEL_BROKEN;
  }
  const bool needs_scale =
      tensor.type() == tflite::TensorType_INT8 || tensor.type() == tflite::TensorType_INT16;
  if (!check_scales(tensor, needs_scale)) return MODEL_BROKEN;
  const uint64_t bytes = static_cast<uint64_t>(tflm_shape_of(tensor).count) * unit_bytes;
  const auto* data = constant_of(tensor);
  if (data != nullptr) {
    if (data->size() != bytes || tensor.is_variable()) return MODEL_BROKEN;
    return reinterpret_cast<uintptr_t>(data->data()) % unit_bytes == 0 ? MODEL_OK : MODEL_BROKEN;
  }
  *total_bytes += bytes;
  return bytes > state.arena_bytes || *total_bytes > MAX_TENSORS_BYTES ? MODEL_TOO_LARGE : MODEL_OK;
}

enum model_status check_tensors() {
  uint64_t total_bytes = 0;
  const uint32_t count = state.graph->tensors()->size();
  for (uint32_t index = 0; index < count; index++) {
    const tflite::Tensor& tensor = *state.graph->tensors()->Get(index);
    const enum model_status status = check_tensor(tensor, &total_bytes);
    if (status != MODEL_OK) return status;
    if (constant_of(tensor) != nullptr || tensor.is_variable()) {
      give_value(static_cast<int32_t>(index));
    }
  }
  return MODEL_OK;
}

/** What a model is given, and what it gives: int8 tensors in the arena, each once. */
enum model_status check_ends(const flatbuffers::Vector<int32_t>* ends, bool are_inputs) {
  if (size_of(ends) == 0 || size_of(ends) > TFLM_MAX_ENDS) return MODEL_BROKEN;
  for (const int32_t index : *ends) {
    if (!in_range(index) || has_value(index) == are_inputs) return MODEL_BROKEN;
    const tflite::Tensor& tensor = tensor_at(index);
    if (tensor.type() != tflite::TensorType_INT8) return MODEL_WRONG_KIND;
    if (constant_of(tensor) != nullptr || tensor.is_variable()) return MODEL_BROKEN;
    give_value(index);
  }
  return MODEL_OK;
}

bool check_rank_and_type(const tflm_needs& needs, int32_t index, bool must_be_int8) {
  const tflite::Tensor& tensor = tensor_at(index);
  if (must_be_int8 && tensor.type() != tflite::TensorType_INT8) return false;
  return size_of(tensor.shape()) <= needs.max_rank;
}

bool check_operands(const tflm_needs& needs, const tflite::Operator& op) {
  const uint32_t inputs = size_of(op.inputs()), outputs = size_of(op.outputs());
  if (inputs < needs.inputs_least || inputs > needs.inputs_most) return false;
  if (outputs < 1 || outputs > needs.outputs_most) return false;
  for (uint32_t position = 0; position < inputs; position++) {
    const int32_t index = op.inputs()->Get(position);
    if (index == -1 && position >= needs.optional_from) continue;
    if (!in_range(index) || !has_value(index)) return false;
    const bool is_control = position < 8 && (needs.control >> position & 1u) != 0;
    if (is_control && constant_of(tensor_at(index)) == nullptr) return false;
    if (!check_rank_and_type(needs, index, needs.int8_only && position < 2)) return false;
  }
  for (const int32_t index : *op.outputs()) {
    if (!in_range(index) || has_value(index)) return false;
    if (!check_rank_and_type(needs, index, needs.int8_only)) return false;
    give_value(index);
  }
  return true;
}

enum model_status check_operator(const tflite::Operator& op) {
  if (op.opcode_index() >= state.model->operator_codes()->size()) return MODEL_BROKEN;
  const auto* code = state.model->operator_codes()->Get(op.opcode_index());
  const tflm_operator* spec = tflm_find_operator(tflite::GetBuiltinCode(code));
  if (spec == nullptr) return MODEL_WRONG_KIND;
  if (op.custom_options() != nullptr || size_of(op.intermediates()) > 0) return MODEL_BROKEN;
  if (spec->options != tflite::BuiltinOptions_NONE &&
      (op.builtin_options_type() != spec->options || op.builtin_options() == nullptr)) {
    return MODEL_BROKEN;
  }
  if (!check_operands(spec->needs, op) || !tflm_fits(*spec, op, *state.graph)) return MODEL_BROKEN;
  if (state.resolver->FindOp(spec->code) != nullptr) return MODEL_OK;
  return spec->add(*state.resolver) == kTfLiteOk ? MODEL_OK : MODEL_WRONG_KIND;
}

/** Two fields hold a code: TFLite Micro reads now the one, now the greater. */
enum model_status check_codes() {
  for (const tflite::OperatorCode* code : *state.model->operator_codes()) {
    const auto both = tflite::GetBuiltinCode(code);
    if (code->builtin_code() != 0 && code->builtin_code() != both) return MODEL_BROKEN;
    if (both < 0 || both > tflite::BuiltinOperator_MAX) return MODEL_WRONG_KIND;
  }
  return MODEL_OK;
}

enum model_status check_metadata() {
  const auto* metadata = state.model->metadata();
  if (size_of(metadata) > TFLM_MAX_METADATA) return MODEL_BROKEN;
  for (uint32_t index = 0; index < size_of(metadata); index++) {
    const auto* name = metadata->Get(index)->name();
    if (name != nullptr && name->string_view() == OFFLINE_PLAN) return MODEL_WRONG_KIND;
  }
  return MODEL_OK;
}

bool check_tables() {
  const tflite::Model& model = *state.model;
  if (size_of(model.buffers()) == 0 || model.buffers()->size() > TFLM_MAX_BUFFERS) return false;
  for (const tflite::Buffer* buffer : *model.buffers()) {
    /* Bytes after the flatbuffer, as files of more than 2 GB have them. */
    if (buffer->offset() != 0 || buffer->size() != 0) return false;
  }
  if (size_of(model.operator_codes()) == 0) return false;
  if (model.operator_codes()->size() > TFLM_MAX_CODES) return false;
  const tflite::SubGraph& graph = *state.graph;
  if (size_of(graph.tensors()) == 0 || graph.tensors()->size() > TFLM_MAX_TENSORS) return false;
  return size_of(graph.operators()) > 0 && graph.operators()->size() <= TFLM_MAX_OPERATORS;
}

/** Bounds of every table, vector and string. */
enum model_status verify(const uint8_t* payload, uint32_t size_bytes) {
  constexpr uint32_t IDENTIFIER_END = 8;
  if (size_bytes < IDENTIFIER_END) return MODEL_BROKEN;
  if (!tflite::ModelBufferHasIdentifier(payload)) return MODEL_WRONG_KIND;
  if (size_bytes >= FLATBUFFERS_MAX_BUFFER_SIZE) return MODEL_BROKEN;
  flatbuffers::Verifier::Options options;
  options.max_depth = MAX_DEPTH;
  options.max_tables = MAX_TABLES;
  flatbuffers::Verifier verifier(payload, size_bytes, options);
  return tflite::VerifyModelBuffer(verifier) ? MODEL_OK : MODEL_BROKEN;
}

enum model_status check_graph() {
  enum model_status status = check_codes();
  if (status == MODEL_OK) status = check_metadata();
  if (status == MODEL_OK) status = check_tensors();
  if (status == MODEL_OK) status = check_ends(state.graph->inputs(), true);
  if (status != MODEL_OK) return status;
  for (const tflite::Operator* op : *state.graph->operators()) {
    status = check_operator(*op);
    if (status != MODEL_OK) return status;
  }
  return check_ends(state.graph->outputs(), false);
}

}  // namespace

tflm_shape tflm_shape_of(const tflite::Tensor& tensor) {
  tflm_shape shape = {};
  shape.rank = size_of(tensor.shape());
  shape.count = 1;
  for (uint32_t index = 0; index < shape.rank; index++) {
    shape.sizes[index] = tensor.shape()->Get(index);
    shape.count *= static_cast<uint32_t>(shape.sizes[index]);
  }
  return shape;
}

enum model_status tflm_check(const uint8_t* payload, uint32_t size_bytes, uint32_t arena_bytes,
                             tflm_resolver& resolver) {
  const enum model_status status = verify(payload, size_bytes);
  if (status != MODEL_OK) return status;
  state = {};
  state.model = tflite::GetModel(payload);
  state.arena_bytes = arena_bytes;
  state.resolver = &resolver;
  if (state.model->version() != SCHEMA_VERSION) return MODEL_WRONG_KIND;
  if (size_of(state.model->subgraphs()) == 0) return MODEL_BROKEN;
  if (state.model->subgraphs()->size() > 1) return MODEL_WRONG_KIND;
  state.graph = state.model->subgraphs()->Get(0);
  return check_tables() ? check_graph() : MODEL_BROKEN;
}
