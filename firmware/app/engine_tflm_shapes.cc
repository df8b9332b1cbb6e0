/** Whether the tensors of an operator go together. The formulas are those of
 * tensorflow/lite/kernels/padding.h and of the kernels in tensorflow/lite/micro/kernels. */
#include <algorithm>
#include <cmath>

#include "engine_tflm_check.h"

namespace {

/** Of kernels, strides and dilations: products of two stay an int. */
constexpr int32_t MAX_STEP = 32767;
/** Of an addition's scales to one another: beyond it TFLite Micro stops for ever. */
constexpr float MAX_SCALE_RATIO = 65536.0f;
/** quantization_util.cc, PreprocessSoftmaxScaling: input's integer bits are 5, so 31 - 5. */
constexpr double SOFTMAX_UNIT = 67108864.0;

struct operands {
  const tflite::Operator& op;
  const tflite::SubGraph& graph;

  const tflite::Tensor& input(uint32_t position) const {
    return *graph.tensors()->Get(static_cast<uint32_t>(op.inputs()->Get(position)));
  }
  const tflite::Tensor& output() const {
    return *graph.tensors()->Get(static_cast<uint32_t>(op.outputs()->Get(0)));
  }
  bool has_input(uint32_t position) const {
    return position < op.inputs()->size() && op.inputs()->Get(position) >= 0;
  }
};

/** One dimension that a window goes along. */
struct window {
  int32_t size, stride, dilation;
};

bool is_step(int32_t value) { return value >= 1 && value <= MAX_STEP; }

bool slides(int32_t input, int32_t output, const window& along, tflite::Padding padding) {
  if (!is_step(along.size) || !is_step(along.stride) || !is_step(along.dilation)) return false;
  const int64_t covered = static_cast<int64_t>(along.size - 1) * along.dilation + 1;
  const bool same = padding == tflite::Padding_SAME;
  const int64_t room = same ? input : input - covered + 1;
  if ((!same && padding != tflite::Padding_VALID) || room < 1) return false;
  return output == (room + along.stride - 1) / along.stride;
}

bool slides_both(const tflm_shape& input, const tflm_shape& output, const window& height,
                 const window& width, tflite::Padding padding) {
  return input.rank == 4 && output.rank == 4 && input.sizes[0] == output.sizes[0] &&
         slides(input.sizes[1], output.sizes[1], height, padding) &&
         slides(input.sizes[2], output.sizes[2], width, padding);
}

/** One int32 a channel. */
bool fits_bias(const operands& all, int32_t channels) {
  if (!all.has_input(2)) return true;
  const tflite::Tensor& bias = all.input(2);
  return bias.type() == tflite::TensorType_INT32 &&
         tflm_shape_of(bias).count == static_cast<uint32_t>(channels);
}

/** Of weights: one for all, or one a channel along `dimension`. */
bool fits_scales(const tflite::Tensor& weights, int32_t dimension) {
  const auto* quantization = weights.quantization();
  return quantization->scale()->size() == 1 || quantization->quantized_dimension() == dimension;
}

bool fits_conv(const operands& all) {
  const tflite::Conv2DOptions& options = *all.op.builtin_options_as_Conv2DOptions();
  const tflm_shape input = tflm_shape_of(all.input(0)), filter = tflm_shape_of(all.input(1));
  const tflm_shape output = tflm_shape_of(all.output());
  if (filter.rank != 4 || !fits_scales(all.input(1), 0)) return false;
  const window height = {filter.sizes[1], options.stride_h(), options.dilation_h_factor()};
  const window width = {filter.sizes[2], options.stride_w(), options.dilation_w_factor()};
  if (!slides_both(input, output, height, width, options.padding())) return false;
  const int32_t channels = filter.sizes[0], depth = filter.sizes[3];
  if (input.sizes[3] % depth != 0 || channels % (input.sizes[3] / depth) != 0) return false;
  return output.sizes[3] == channels && fits_bias(all, channels);
}

bool fits_depthwise(const operands& all) {
  const tflite::DepthwiseConv2DOptions& options =
      *all.op.builtin_options_as_DepthwiseConv2DOptions();
  const tflm_shape input = tflm_shape_of(all.input(0)), filter = tflm_shape_of(all.input(1));
  const tflm_shape output = tflm_shape_of(all.output());
  if (filter.rank != 4 || filter.sizes[0] != 1 || !fits_scales(all.input(1), 3)) return false;
  const window height = {filter.sizes[1], options.stride_h(), options.dilation_h_factor()};
  const window width = {filter.sizes[2], options.stride_w(), options.dilation_w_factor()};
  if (!slides_both(input, output, height, width, options.padding())) return false;
  const int32_t channels = filter.sizes[3];
  if (!is_step(options.depth_multiplier())) return false;
  if (static_cast<int64_t>(input.sizes[3]) * options.depth_multiplier() != channels) return false;
  return output.sizes[3] == channels && fits_bias(all, channels);
}

bool fits_pool(const operands& all) {
  const tflite::Pool2DOptions& options = *all.op.builtin_options_as_Pool2DOptions();
  const tflm_shape input = tflm_shape_of(all.input(0)), output = tflm_shape_of(all.output());
  const window height = {options.filter_height(), options.stride_h(), 1};
  const window width = {options.filter_width(), options.stride_w(), 1};
  return slides_both(input, output, height, width, options.padding()) &&
         input.sizes[3] == output.sizes[3];
}

bool fits_fully_connected(const operands& all) {
  const auto& options = *all.op.builtin_options_as_FullyConnectedOptions();
  const tflm_shape input = tflm_shape_of(all.input(0)), filter = tflm_shape_of(all.input(1));
  const tflm_shape output = tflm_shape_of(all.output());
  if (options.weights_format() != tflite::FullyConnectedOptionsWeightsFormat_DEFAULT) return false;
  if (filter.rank != 2 || output.rank < 1 || !fits_scales(all.input(1), 0)) return false;
  const uint32_t rows = static_cast<uint32_t>(filter.sizes[0]);
  const uint32_t columns = static_cast<uint32_t>(filter.sizes[1]);
  if (input.count % columns != 0) return false;
  /* The kernel takes the batches to be all sizes of the output but its last. */
  if (output.sizes[output.rank - 1] != filter.sizes[0]) return false;
  return output.count / rows == input.count / columns && fits_bias(all, filter.sizes[0]);
}

float scale_of(const tflite::Tensor& tensor) { return tensor.quantization()->scale()->Get(0); }

bool fits_broadcast(const operands& all) {
  const tflm_shape a = tflm_shape_of(all.input(0)), b = tflm_shape_of(all.input(1));
  const tflm_shape output = tflm_shape_of(all.output());
  if (output.rank != std::max(a.rank, b.rank)) return false;
  for (uint32_t from_end = 1; from_end <= output.rank; from_end++) {
    const int32_t size_a = from_end <= a.rank ? a.sizes[a.rank - from_end] : 1;
    const int32_t size_b = from_end <= b.rank ? b.sizes[b.rank - from_end] : 1;
    if (size_a != size_b && size_a != 1 && size_b != 1) return false;
    if (output.sizes[output.rank - from_end] != std::max(size_a, size_b)) return false;
  }
  const float greatest = std::max(scale_of(all.input(0)), scale_of(all.input(1)));
  return greatest / scale_of(all.output()) < MAX_SCALE_RATIO;
}

bool fits_same_count(const operands& all, const tflm_operator& spec) {
  const uint32_t count = tflm_shape_of(all.output()).count;
  for (uint32_t position = 0; position < all.op.inputs()->size(); position++) {
    if (position < 8 && (spec.needs.control >> position & 1u) != 0) continue;
    if (!all.has_input(position) || tflm_shape_of(all.input(position)).count != count) return false;
  }
  if (all.input(0).type() != all.output().type()) return false;
  if (spec.code != tflite::BuiltinOperator_SOFTMAX) return true;
  /* The kernel goes along the last dimension of both. */
  const tflm_shape input = tflm_shape_of(all.input(0)), output = tflm_shape_of(all.output());
  if (input.rank < 1 || output.rank != input.rank) return false;
  if (!std::equal(input.sizes, input.sizes + input.rank, output.sizes)) return false;
  const double beta = static_cast<double>(all.op.builtin_options_as_SoftmaxOptions()->beta());
  return std::isfinite(beta) &&
         beta * static_cast<double>(scale_of(all.input(0))) * SOFTMAX_UNIT > 1;
}

}  // namespace

bool tflm_fits(const tflm_operator& spec, const tflite::Operator& op,
               const tflite::SubGraph& graph) {
  const operands all = {op, graph};
  switch (spec.needs.rule) {
    case TFLM_SAME_COUNT:
      return fits_same_count(all, spec);
    case TFLM_BROADCAST:
      return fits_broadcast(all);
    case TFLM_CONV:
      return fits_conv(all);
    case TFLM_DEPTHWISE:
      return fits_depthwise(all);
    case TFLM_FULLY_CONNECTED:
      return fits_fully_connected(all);
    case TFLM_POOL:
      return fits_pool(all);
    case TFLM_BY_KERNEL:
      return true;
  }
  return false;
}
