import type { Parameter } from '../parameter.ts';
import type { TrainingTensor } from '../tensor.ts';
import type { Operation, OperationDraft } from './operation.ts';
import { type WindowPlan, WindowStruct, windowPlan } from './window.ts';

/** FULLY_CONNECTED: rows of the input times the weights, [out, in]. */
export function fullyConnected(draft: OperationDraft): Operation {
  const { inputs, outputs, batch } = draft;
  const [weights, depth] = [weightsOf(draft), weightsOf(draft).shape[1]!];
  const rows = (batch * inputs[0]!.size) / depth;
  const products = new Products(draft, weights, rows, depth);
  return {
    forward: () => products.forward(inputs[0]!.values.address, outputs[0]!),
    backward: () => {
      const input = inputs[0]!;
      products.addWeights(input.values.address, outputs[0]!);
      if (input.isTrained) products.addInputs(input.gradient.address, outputs[0]!);
    },
  };
}

/** CONV_2D as a product of matrices: the window at each place is a row. Weights are [out, h, w, in]. */
export function convolution(draft: OperationDraft): Operation {
  const { inputs, outputs, batch, memory, operator } = draft;
  const [input, output] = [inputs[0]!, outputs[0]!];
  const weights = weightsOf(draft);
  const [, kernelH, kernelW, channels] = weights.shape as [number, number, number, number];
  if (input.shape[3] !== channels) draft.refuse('it is a grouped convolution');
  const shape = { image: input.shape, places: output.shape, kernelH, kernelW };
  const plan = windowPlan(operator, shape);
  const struct = new WindowStruct(memory, batch, shape, plan);
  const depth = kernelH * kernelW * channels;
  const rows = batch * output.shape[0]! * output.shape[1]! * output.shape[2]!;
  const products = new Products(draft, weights, rows, depth);
  if (isPointwise(kernelH * kernelW, plan)) {
    return {
      forward: () => products.forward(input.values.address, output),
      backward: () => {
        products.addWeights(input.values.address, output);
        if (input.isTrained) products.addInputs(input.gradient.address, output);
      },
    };
  }
  memory.needScratch(rows * depth);
  const columns = (): number => {
    memory.kernels.imageToColumns(struct.address, input.values.address, memory.scratch.address);
    return memory.scratch.address;
  };
  return {
    forward: () => products.forward(columns(), output),
    backward: () => {
      products.addWeights(columns(), output);
      if (!input.isTrained) return;
      memory.scratch.floats.fill(0, 0, rows * depth);
      products.addInputs(memory.scratch.address, output);
      memory.kernels.addColumnsToImage(
        struct.address,
        memory.scratch.address,
        input.gradient.address,
      );
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
  const struct = new WindowStruct(memory, batch, shape, windowPlan(operator, shape));
  const rows = (batch * output.size) / channels;
  // The kernel writes a gradient for the input whether or not somebody wants it.
  const unwanted = input.isTrained ? undefined : memory.reserve(batch * input.size);
  return {
    forward: () => {
      startFromBias(draft, rows, channels, output);
      const { address } = weights.values;
      memory.kernels.depthwise(
        struct.address,
        input.values.address,
        address,
        output.computed.address,
      );
    },
    backward: () => {
      const { gradient } = output;
      if (draft.bias !== undefined)
        memory.kernels.sumRows(rows, channels, gradient.address, draft.bias.gradient.address);
      memory.kernels.depthwiseBackward(
        struct.address,
        input.values.address,
        weights.values.address,
        gradient.address,
        (unwanted ?? input.gradient).address,
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

  constructor(draft: OperationDraft, weights: Parameter, rows: number, depth: number) {
    this.#draft = draft;
    this.#weights = weights;
    this.#rows = rows;
    this.#depth = depth;
    this.#channels = weights.shape[0]!;
    this.#turned = draft.memory.reserve(this.#channels * depth);
  }

  forward(inputs: number, output: TrainingTensor): void {
    const { memory } = this.#draft;
    const [rows, depth, channels] = [this.#rows, this.#depth, this.#channels];
    memory.kernels.transpose(channels, depth, this.#weights.values.address, this.#turned.address);
    startFromBias(this.#draft, rows, channels, output);
    const [turned, out] = [this.#turned.address, output.computed.address];
    memory.kernels.gemm(rows, channels, depth, inputs, depth, 1, turned, channels, out, channels);
  }

  /** Adds to the gradients of weights and bias. */
  addWeights(inputs: number, { gradient }: TrainingTensor): void {
    const { memory, bias } = this.#draft;
    const [rows, depth, channels] = [this.#rows, this.#depth, this.#channels];
    if (bias !== undefined)
      memory.kernels.sumRows(rows, channels, gradient.address, bias.gradient.address);
    const to = this.#weights.gradient.address;
    const from = gradient.address;
    memory.kernels.gemm(channels, depth, rows, from, 1, channels, inputs, depth, to, depth);
  }

  /** Adds to the gradient of the inputs, [rows, depth]. */
  addInputs(inputsGradient: number, { gradient }: TrainingTensor): void {
    const { memory } = this.#draft;
    const [rows, depth, channels] = [this.#rows, this.#depth, this.#channels];
    const [from, weights] = [gradient.address, this.#weights.values.address];
    const to = inputsGradient;
    memory.kernels.gemm(rows, depth, channels, from, channels, 1, weights, depth, to, depth);
  }
}

function startFromBias(
  { bias, memory }: OperationDraft,
  rows: number,
  channels: number,
  { computed }: TrainingTensor,
): void {
  if (bias === undefined) computed.floats.fill(0);
  else memory.kernels.fillRows(rows, channels, bias.values.address, computed.address);
}

function isPointwise(taps: number, { strideH, strideW }: WindowPlan): boolean {
  return taps === 1 && strideH === 1 && strideW === 1;
}

function weightsOf(draft: OperationDraft): Parameter {
  return draft.weights ?? draft.refuse('its weights are computed, not constants');
}
