import type { Parameter } from '../parameter.ts';
import type { TrainingTensor } from '../tensor.ts';
import { type Operation, type OperationDraft, sampleOffset } from './operation.ts';
import { type WindowPlan, windowPlan, windowStruct } from './window.ts';

/** FULLY_CONNECTED: rows of the input times the weights, [out, in]. */
export function fullyConnected(draft: OperationDraft): Operation {
  const depth = weightsOf(draft).shape[1]!;
  return rowProducts(draft, (draft.batch * draft.inputs[0]!.size) / depth, depth);
}

/** Each row of the input times the weights is a row of the output. */
function rowProducts(draft: OperationDraft, rows: number, depth: number): Operation {
  const [input, output] = [draft.inputs[0]!, draft.outputs[0]!];
  const products = new Products(draft, rows, depth);
  return {
    forward: () => {
      products.start(output);
      products.forward(input.values.address, output.computed.address);
    },
    backward: () => {
      products.addBias(output);
      products.addWeights(input.values.address, output.gradient.address);
      if (input.isTrained) products.addInputs(input.gradient.address, output.gradient.address);
    },
    addMoments: () => products.addMoments(input.values.address),
  };
}

/** CONV_2D as a product of matrices: the window at each place is a row. Weights are [out, h, w, in]. */
export function convolution(draft: OperationDraft): Operation {
  const { inputs, outputs, batch, memory, operator } = draft;
  const [input, output] = [inputs[0]!, outputs[0]!];
  const [, kernelH, kernelW, channels] = weightsOf(draft).shape as [number, number, number, number];
  if (input.shape[3] !== channels) draft.refuse('it is a grouped convolution');
  const shape = { image: input.shape, places: output.shape, kernelH, kernelW };
  const plan = windowPlan(operator, shape);
  const rows = output.shape[0]! * output.shape[1]! * output.shape[2]!;
  if (isPointwise(kernelH * kernelW, plan)) return rowProducts(draft, batch * rows, channels);
  // A sample at a time: its columns stay in a cache, and many samples' would fill gigabytes.
  const struct = windowStruct(memory, input.shape[0]!, shape, plan);
  const depth = kernelH * kernelW * channels;
  const products = new Products(draft, rows, depth);
  memory.needScratch(rows * depth);
  const columns = (sample: number): number => {
    const image = input.values.address + sampleOffset(input, sample);
    memory.kernels.imageToColumns(struct.address, image, memory.scratch.address);
    return memory.scratch.address;
  };
  return {
    forward: () => {
      products.start(output);
      for (let sample = 0; sample < batch; sample++) {
        const to = output.computed.address + sampleOffset(output, sample);
        products.forward(columns(sample), to);
      }
    },
    backward: () => {
      products.addBias(output);
      for (let sample = 0; sample < batch; sample++) {
        const from = output.gradient.address + sampleOffset(output, sample);
        products.addWeights(columns(sample), from);
        if (!input.isTrained) continue;
        const { floats, address } = memory.scratch;
        floats.fill(0, 0, rows * depth);
        products.addInputs(address, from);
        const image = input.gradient.address + sampleOffset(input, sample);
        memory.kernels.addColumnsToImage(struct.address, address, image);
      }
    },
    addMoments: () => {
      for (let sample = 0; sample < batch; sample++) products.addMoments(columns(sample));
    },
  };
}

/** DEPTHWISE_CONV_2D. Weights are [1, h, w, in x multiplier]. */
export function depthwiseConvolution(draft: OperationDraft): Operation {
  const { inputs, outputs, batch, memory, operator } = draft;
  const [input, output] = [inputs[0]!, outputs[0]!];
  const weights = weightsOf(draft);
  const [, kernelH, kernelW, channels] = weights.shape as [number, number, number, number];
  const multiplier = channels / input.shape[3]!;
  const shape = { image: input.shape, places: output.shape, kernelH, kernelW, multiplier };
  const images = batch * input.shape[0]!;
  const struct = windowStruct(memory, images, shape, windowPlan(operator, shape));
  // The kernel adds to a gradient of the input whether or not somebody wants it.
  if (!input.isTrained) memory.needScratch(batch * input.size);
  return {
    forward: () => {
      startFromBias(draft, channels, output);
      const [from, by] = [input.values.address, weights.values.address];
      memory.kernels.depthwise(struct.address, from, by, output.computed.address);
    },
    backward: () => {
      addToBias(draft, channels, output);
      memory.kernels.depthwiseBackward(
        struct.address,
        input.values.address,
        weights.values.address,
        output.gradient.address,
        (input.isTrained ? input.gradient : memory.scratch).address,
        weights.gradient.address,
      );
    },
  };
}

/** out[rows, channels] = in[rows, depth] weights[channels, depth]^T + bias, and its gradients. */
class Products {
  readonly #draft: OperationDraft;
  readonly #weights: Parameter;
  readonly #rows: number;
  readonly #depth: number;
  readonly #channels: number;
  readonly #turned: { readonly address: number };

  /** @param rows so many at a time */
  constructor(draft: OperationDraft, rows: number, depth: number) {
    this.#draft = draft;
    this.#weights = weightsOf(draft);
    this.#rows = rows;
    this.#depth = depth;
    this.#channels = this.#weights.shape[0]!;
    this.#turned = draft.memory.reserve(this.#channels * depth);
    this.#weights.takeRotation(depth, (floats) => draft.memory.reserve(floats));
  }

  /** Before any products are added to an output. */
  start(output: TrainingTensor): void {
    const { kernels } = this.#draft.memory;
    const { address } = this.#weights.values;
    kernels.transpose(this.#channels, this.#depth, address, this.#turned.address);
    startFromBias(this.#draft, this.#channels, output);
  }

  forward(inputs: number, out: number): void {
    const { kernels } = this.#draft.memory;
    const [rows, depth, channels] = [this.#rows, this.#depth, this.#channels];
    const turned = this.#turned.address;
    kernels.gemm(rows, channels, depth, inputs, depth, 1, turned, channels, out, channels);
  }

  addBias(output: TrainingTensor): void {
    addToBias(this.#draft, this.#channels, output);
  }

  addMoments(inputs: number): void {
    const { rotation } = this.#weights;
    if (rotation === undefined) return;
    const { kernels } = this.#draft.memory;
    const [rows, depth, to] = [this.#rows, this.#depth, rotation.moments.address];
    kernels.gemm(depth, depth, rows, inputs, 1, depth, inputs, depth, to, depth);
  }

  addWeights(inputs: number, gradient: number): void {
    const { kernels } = this.#draft.memory;
    const [rows, depth, channels] = [this.#rows, this.#depth, this.#channels];
    const to = this.#weights.gradient.address;
    kernels.gemm(channels, depth, rows, gradient, 1, channels, inputs, depth, to, depth);
  }

  /** Adds to the gradient of the inputs, [rows, depth]. */
  addInputs(inputsGradient: number, gradient: number): void {
    const { kernels } = this.#draft.memory;
    const [rows, depth, channels] = [this.#rows, this.#depth, this.#channels];
    const { address } = this.#weights.values;
    kernels.gemm(
      rows,
      depth,
      channels,
      gradient,
      channels,
      1,
      address,
      depth,
      inputsGradient,
      depth,
    );
  }
}

/** Each row of channels is the bias at first, or zeros. */
export function startFromBias(
  { bias, memory }: OperationDraft,
  channels: number,
  { computed: { address, floats, length } }: TrainingTensor,
): void {
  if (bias === undefined) floats.fill(0);
  else memory.kernels.fillRows(length / channels, channels, bias.values.address, address);
}

export function addToBias(
  { bias, memory }: OperationDraft,
  channels: number,
  { gradient: { address, length } }: TrainingTensor,
): void {
  if (bias === undefined) return;
  memory.kernels.sumRows(length / channels, channels, address, bias.gradient.address);
}

function isPointwise(taps: number, { strideH, strideW }: WindowPlan): boolean {
  return taps === 1 && strideH === 1 && strideW === 1;
}

export function weightsOf(draft: OperationDraft): Parameter {
  return draft.weights ?? draft.refuse('its weights are computed, not constants');
}
