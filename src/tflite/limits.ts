/**
 * What a model may ask for. Generous for gateways (a MobileNet v2 at 224 x 224 uses a tenth of the
 * activation bytes) and small enough that a hostile model is refused before memory is taken.
 */
export const MAX_MODEL_BYTES = 256 * 1024 * 1024;
export const MAX_TENSOR_BYTES = 128 * 1024 * 1024;
/** Sum over everything that is not in the file: activations, state, and the kernels' scratch. */
export const MAX_ACTIVATION_BYTES = 512 * 1024 * 1024;
export const MAX_SUBGRAPHS = 64;
export const MAX_TENSORS = 16_384;
export const MAX_OPERATORS = 8_192;
export const MAX_OPERATOR_CODES = 1_024;
export const MAX_BUFFERS = 32_768;
export const MAX_METADATA = 256;
export const MAX_SIGNATURES = 64;
/** Kernels copy shapes into fixed arrays; most stop at 4 or 5 dimensions, none passes 6. */
export const MAX_RANK = 6;
/** Inputs or outputs of one operator or of the graph. */
export const MAX_OPERATOR_TENSORS = 1_024;
/** Kernels keep padding in 16 bits, so a window, stride or dilation stays well below that. */
export const MAX_WINDOW = 16_384;
export const MAX_STRING_BYTES = 65_536;
/** Numbers copied out of one file: many tables may point at one vector, so its size is no bound. */
export const MAX_DECODED_NUMBERS = 4 * 1024 * 1024;
