/** Which kernels there are is the library's matter; that they are the int8 ones, where it has such,
 * keeps the others out of the flash. */
#include "engine_tflm_operators.h"

namespace {

/** Names apart by spaces; empty: all. */
#ifndef TFLM_OPERATORS
#define TFLM_OPERATORS ""
#endif

constexpr const char* WANTED = TFLM_OPERATORS;

constexpr bool starts_with_word(const char* text, const char* word) {
  while (*word != '\0' && *text == *word) text++, word++;
  return *word == '\0' && (*text == '\0' || *text == ' ');
}

constexpr bool is_wanted(const char* name) {
  if (*WANTED == '\0') return true;
  for (const char* at = WANTED; *at != '\0'; at++) {
    if ((at == WANTED || at[-1] == ' ') && starts_with_word(at, name)) return true;
  }
  return false;
}

/** null for one that is left out: the linker then drops its kernel. */
using adder = TfLiteStatus (*)(tflm_resolver&);
constexpr adder if_wanted(const char* name, adder add) { return is_wanted(name) ? add : nullptr; }

#define ADD(name, call)                                                    \
  if_wanted(#name, [](tflm_resolver& resolver) { return resolver.call; }), \
      tflite::BuiltinOperator_##name
#define OPTIONS(name) tflite::BuiltinOptions_##name

constexpr uint8_t MANY = 64;
constexpr uint8_t NEVER = 255;

/** Inputs (least, most, optional from), outputs, control, rank, rule, int8 only. */
constexpr tflm_needs NEEDS_CONV = {3, 3, NEVER, 1, 6, 4, TFLM_CONV, true};
constexpr tflm_needs NEEDS_DEPTHWISE = {3, 3, NEVER, 1, 6, 4, TFLM_DEPTHWISE, true};
constexpr tflm_needs NEEDS_FULLY_CONNECTED = {2, 3, 2, 1, 6, 4, TFLM_FULLY_CONNECTED, true};
constexpr tflm_needs NEEDS_TRANSPOSE_CONV = {3, 4, 3, 1, 11, 4, TFLM_BY_KERNEL, false};
constexpr tflm_needs NEEDS_SVDF = {5, 5, 3, 1, 14, 4, TFLM_BY_KERNEL, true};
constexpr tflm_needs NEEDS_POOL = {1, 1, NEVER, 1, 0, 4, TFLM_POOL, true};
constexpr tflm_needs NEEDS_MATRICES = {2, 2, NEVER, 1, 0, 5, TFLM_BY_KERNEL, true};
constexpr tflm_needs NEEDS_BINARY = {2, 2, NEVER, 1, 0, 4, TFLM_BROADCAST, true};
constexpr tflm_needs NEEDS_SUMMANDS = {2, MANY, NEVER, 1, 0, 4, TFLM_SAME_COUNT, true};
constexpr tflm_needs NEEDS_UNARY = {1, 1, NEVER, 1, 0, 4, TFLM_SAME_COUNT, true};
constexpr tflm_needs NEEDS_ALONG_AXIS = {2, 2, NEVER, 1, 2, 4, TFLM_SAME_COUNT, false};
constexpr tflm_needs NEEDS_REORDER = {2, 2, NEVER, 1, 2, 5, TFLM_SAME_COUNT, false};
constexpr tflm_needs NEEDS_RESHAPE = {1, 2, NEVER, 1, 2, 6, TFLM_SAME_COUNT, false};
constexpr tflm_needs NEEDS_SQUEEZE = {1, 1, NEVER, 1, 0, 6, TFLM_SAME_COUNT, false};
constexpr tflm_needs NEEDS_EXPAND = {2, 2, NEVER, 1, 2, 6, TFLM_SAME_COUNT, false};
constexpr tflm_needs NEEDS_BLOCKS = {1, 1, NEVER, 1, 0, 4, TFLM_SAME_COUNT, false};
constexpr tflm_needs NEEDS_JOIN = {1, MANY, NEVER, 1, 0, 4, TFLM_BY_KERNEL, false};
constexpr tflm_needs NEEDS_BY_CONSTANT = {2, 2, NEVER, 1, 2, 4, TFLM_BY_KERNEL, false};
constexpr tflm_needs NEEDS_PAD_WITH = {3, 3, NEVER, 1, 2, 4, TFLM_BY_KERNEL, false};
constexpr tflm_needs NEEDS_STRIDED_SLICE = {4, 4, NEVER, 1, 14, 5, TFLM_BY_KERNEL, false};
constexpr tflm_needs NEEDS_SLICE = {3, 3, NEVER, 1, 6, 5, TFLM_BY_KERNEL, false};
constexpr tflm_needs NEEDS_SPLIT = {2, 2, NEVER, MANY, 1, 4, TFLM_BY_KERNEL, false};
constexpr tflm_needs NEEDS_SPLIT_V = {3, 3, NEVER, MANY, 6, 4, TFLM_BY_KERNEL, false};
constexpr tflm_needs NEEDS_UNPACK = {1, 1, NEVER, MANY, 0, 4, TFLM_BY_KERNEL, false};
constexpr tflm_needs NEEDS_BATCHES = {3, 3, NEVER, 1, 6, 4, TFLM_BY_KERNEL, false};

constexpr tflm_operator OPERATORS[] = {
    {ADD(CONV_2D, AddConv2D(tflite::Register_CONV_2D_INT8())), OPTIONS(Conv2DOptions), NEEDS_CONV},
    {ADD(DEPTHWISE_CONV_2D, AddDepthwiseConv2D(tflite::Register_DEPTHWISE_CONV_2D_INT8())),
     OPTIONS(DepthwiseConv2DOptions), NEEDS_DEPTHWISE},
    {ADD(FULLY_CONNECTED, AddFullyConnected(tflite::Register_FULLY_CONNECTED_INT8())),
     OPTIONS(FullyConnectedOptions), NEEDS_FULLY_CONNECTED},
    {ADD(TRANSPOSE_CONV, AddTransposeConv(tflite::Register_TRANSPOSE_CONV_INT8())),
     OPTIONS(TransposeConvOptions), NEEDS_TRANSPOSE_CONV},
    {ADD(SVDF, AddSvdf(tflite::Register_SVDF_INT8())), OPTIONS(SVDFOptions), NEEDS_SVDF},
    {ADD(AVERAGE_POOL_2D, AddAveragePool2D(tflite::Register_AVERAGE_POOL_2D_INT8())),
     OPTIONS(Pool2DOptions), NEEDS_POOL},
    {ADD(MAX_POOL_2D, AddMaxPool2D(tflite::Register_MAX_POOL_2D_INT8())), OPTIONS(Pool2DOptions),
     NEEDS_POOL},
    {ADD(BATCH_MATMUL, AddBatchMatMul(tflite::Register_BATCH_MATMUL_INT8())),
     OPTIONS(BatchMatMulOptions), NEEDS_MATRICES},
    {ADD(ADD, AddAdd(tflite::Register_ADD_INT8())), OPTIONS(AddOptions), NEEDS_BINARY},
    {ADD(SUB, AddSub()), OPTIONS(SubOptions), NEEDS_BINARY},
    {ADD(MUL, AddMul(tflite::Register_MUL_INT8())), OPTIONS(MulOptions), NEEDS_BINARY},
    {ADD(DIV, AddDiv()), OPTIONS(DivOptions), NEEDS_BINARY},
    {ADD(MAXIMUM, AddMaximum(tflite::Register_MAXIMUM_INT8())), OPTIONS(NONE), NEEDS_BINARY},
    {ADD(MINIMUM, AddMinimum(tflite::Register_MINIMUM_INT8())), OPTIONS(NONE), NEEDS_BINARY},
    {ADD(SQUARED_DIFFERENCE, AddSquaredDifference()), OPTIONS(NONE), NEEDS_BINARY},
    {ADD(PRELU, AddPrelu()), OPTIONS(NONE), NEEDS_BINARY},
    {ADD(ADD_N, AddAddN()), OPTIONS(NONE), NEEDS_SUMMANDS},
    {ADD(SOFTMAX, AddSoftmax(tflite::Register_SOFTMAX_INT8())), OPTIONS(SoftmaxOptions),
     NEEDS_UNARY},
    {ADD(LOG_SOFTMAX, AddLogSoftmax()), OPTIONS(NONE), NEEDS_UNARY},
    {ADD(LOGISTIC, AddLogistic()), OPTIONS(NONE), NEEDS_UNARY},
    {ADD(TANH, AddTanh()), OPTIONS(NONE), NEEDS_UNARY},
    {ADD(RELU, AddRelu()), OPTIONS(NONE), NEEDS_UNARY},
    {ADD(RELU6, AddRelu6()), OPTIONS(NONE), NEEDS_UNARY},
    {ADD(LEAKY_RELU, AddLeakyRelu()), OPTIONS(LeakyReluOptions), NEEDS_UNARY},
    {ADD(ELU, AddElu()), OPTIONS(NONE), NEEDS_UNARY},
    {ADD(HARD_SWISH, AddHardSwish()), OPTIONS(NONE), NEEDS_UNARY},
    {ADD(ABS, AddAbs()), OPTIONS(NONE), NEEDS_UNARY},
    {ADD(RSQRT, AddRsqrt()), OPTIONS(NONE), NEEDS_UNARY},
    {ADD(QUANTIZE, AddQuantize()), OPTIONS(NONE), NEEDS_UNARY},
    {ADD(L2_NORMALIZATION, AddL2Normalization()), OPTIONS(L2NormOptions), NEEDS_UNARY},
    {ADD(CUMSUM, AddCumSum()), OPTIONS(CumsumOptions), NEEDS_ALONG_AXIS},
    {ADD(REVERSE_V2, AddReverseV2()), OPTIONS(NONE), NEEDS_REORDER},
    {ADD(RESHAPE, AddReshape()), OPTIONS(NONE), NEEDS_RESHAPE},
    {ADD(SQUEEZE, AddSqueeze()), OPTIONS(SqueezeOptions), NEEDS_SQUEEZE},
    {ADD(EXPAND_DIMS, AddExpandDims()), OPTIONS(NONE), NEEDS_EXPAND},
    {ADD(TRANSPOSE, AddTranspose()), OPTIONS(NONE), NEEDS_REORDER},
    {ADD(SPACE_TO_DEPTH, AddSpaceToDepth()), OPTIONS(SpaceToDepthOptions), NEEDS_BLOCKS},
    {ADD(DEPTH_TO_SPACE, AddDepthToSpace()), OPTIONS(DepthToSpaceOptions), NEEDS_BLOCKS},
    {ADD(CONCATENATION, AddConcatenation()), OPTIONS(ConcatenationOptions), NEEDS_JOIN},
    {ADD(PAD, AddPad()), OPTIONS(NONE), NEEDS_BY_CONSTANT},
    {ADD(PADV2, AddPadV2()), OPTIONS(NONE), NEEDS_PAD_WITH},
    {ADD(MIRROR_PAD, AddMirrorPad()), OPTIONS(MirrorPadOptions), NEEDS_BY_CONSTANT},
    {ADD(STRIDED_SLICE, AddStridedSlice()), OPTIONS(StridedSliceOptions), NEEDS_STRIDED_SLICE},
    {ADD(SLICE, AddSlice()), OPTIONS(NONE), NEEDS_SLICE},
    {ADD(SPLIT, AddSplit()), OPTIONS(SplitOptions), NEEDS_SPLIT},
    {ADD(SPLIT_V, AddSplitV()), OPTIONS(SplitVOptions), NEEDS_SPLIT_V},
    {ADD(PACK, AddPack()), OPTIONS(PackOptions), NEEDS_JOIN},
    {ADD(UNPACK, AddUnpack()), OPTIONS(UnpackOptions), NEEDS_UNPACK},
    {ADD(GATHER, AddGather()), OPTIONS(GatherOptions), NEEDS_BY_CONSTANT},
    {ADD(RESIZE_BILINEAR, AddResizeBilinear()), OPTIONS(ResizeBilinearOptions), NEEDS_BY_CONSTANT},
    {ADD(RESIZE_NEAREST_NEIGHBOR, AddResizeNearestNeighbor()),
     OPTIONS(ResizeNearestNeighborOptions), NEEDS_BY_CONSTANT},
    {ADD(SPACE_TO_BATCH_ND, AddSpaceToBatchNd()), OPTIONS(NONE), NEEDS_BATCHES},
    {ADD(BATCH_TO_SPACE_ND, AddBatchToSpaceNd()), OPTIONS(NONE), NEEDS_BATCHES},
    {ADD(MEAN, AddMean()), OPTIONS(ReducerOptions), NEEDS_BY_CONSTANT},
    {ADD(SUM, AddSum()), OPTIONS(ReducerOptions), NEEDS_BY_CONSTANT},
    {ADD(REDUCE_MAX, AddReduceMax()), OPTIONS(ReducerOptions), NEEDS_BY_CONSTANT},
    {ADD(REDUCE_MIN, AddReduceMin()), OPTIONS(ReducerOptions), NEEDS_BY_CONSTANT},
};

constexpr unsigned words_in(const char* text) {
  unsigned count = 0;
  for (const char* at = text; *at != '\0'; at++) {
    if (*at != ' ' && (at == text || at[-1] == ' ')) count++;
  }
  return count;
}

constexpr unsigned wanted_count() {
  unsigned count = 0;
  for (const tflm_operator& spec : OPERATORS) count += spec.add != nullptr;
  return count;
}

static_assert(*WANTED == '\0' || words_in(WANTED) == wanted_count(),
              "TFLM_OPERATORS names an operator that is not in the table, or one twice");

}  // namespace

const tflm_operator* tflm_find_operator(tflite::BuiltinOperator code) {
  for (const tflm_operator& spec : OPERATORS) {
    if (spec.code == code) return spec.add == nullptr ? nullptr : &spec;
  }
  return nullptr;
}
