import { DunlinError } from '../../core/index.ts';
import { elementCount, printable, type TfliteOperator } from '../../tflite/index.ts';
import type { FloatModel } from '../float-model.ts';
import { constantTensors } from '../measure/expose.ts';
import { int8Scheme } from '../quantize/int8-schemes.ts';
import { TrainingMemory } from './memory.ts';
import { fusedActivation, type Limits } from './operations/activation.ts';
import { OPERATIONS } from './operations/index.ts';
import type { Operation } from './operations/operation.ts';
import { Parameter } from './parameter.ts';
import { TrainingTensor } from './tensor.ts';

interface Step {
  readonly operation: Operation;
  readonly outputs: readonly TrainingTensor[];
  readonly limits: Limits | undefined;
}

/** A float model that runs forward and backward, a batch at a time. */
export class Network {
  readonly batch: number;
  readonly float: FloatModel;
  readonly memory: TrainingMemory;
  readonly parameters: readonly Parameter[];
  readonly #tensors: ReadonlyMap<number, TrainingTensor>;
  /** What no operator computes: inputs and constants. */
  readonly #given: readonly TrainingTensor[];
  readonly #steps: readonly Step[];

  /** @throws `model-unsupported` naming a layer that cannot be trained, `model-too-large` */
  constructor(float: FloatModel, batch: number) {
    this.batch = batch;
    this.float = float;
    this.memory = new TrainingMemory(float.what);
    const builder = new NetworkBuilder(float, batch, this.memory);
    this.#steps = float.subgraph.operators.map((operator) => builder.step(operator));
    this.#tensors = builder.tensors;
    const computed = new Set(this.#steps.flatMap(({ outputs }) => outputs));
    this.#given = [...builder.tensors.values()].filter((tensor) => !computed.has(tensor));
    this.parameters = builder.finish();
    this.memory.open();
    builder.fillConstants();
    for (const parameter of this.parameters) {
      parameter.learned.floats.set(float.graph.floats(float.graph.tensor(parameter.tensor)));
      parameter.refresh();
    }
  }

  has(tensor: number): boolean {
    return this.#tensors.has(tensor);
  }

  /** By its index in the float model. */
  tensor(index: number): TrainingTensor {
    const tensor = this.#tensors.get(index);
    if (tensor === undefined) throw new Error(`tensor ${index} is not part of the network`);
    return tensor;
  }

  /** Computes everything from the inputs' `computed`, which the caller has filled. */
  forward(): void {
    for (const tensor of this.#given) this.#round(tensor);
    for (const { operation, outputs, limits } of this.#steps) {
      operation.forward();
      for (const output of outputs) {
        if (limits !== undefined) {
          const { address, length } = output.computed;
          this.memory.kernels.clamp(length, address, limits.low, limits.high);
        }
        this.#round(output);
      }
    }
  }

  /** After `forward`: adds to the moments by which parameters find a basis to learn in. */
  addMoments(): void {
    for (const { operation } of this.#steps) operation.addMoments?.();
  }

  /** Clears the gradients of all activations; the loss then writes those of the outputs. */
  clearGradients(): void {
    for (const { gradient } of this.#tensors.values()) gradient.floats.fill(0);
  }

  /** Adds to the gradients of all parameters. */
  backward(): void {
    for (const { operation, outputs, limits } of this.#steps.toReversed()) {
      if (!outputs.some(({ isTrained }) => isTrained)) continue;
      for (const output of outputs) this.#unround(output, limits);
      operation.backward();
    }
  }

  #round(tensor: TrainingTensor): void {
    const { grid, computed, values } = tensor;
    if (grid === undefined) return;
    const { scale, low, high } = grid;
    const { address, length } = computed;
    this.memory.kernels.fakeQuantize(length, address, values.address, scale, low, high);
  }

  /**
   * Straight through (Bengio et al. 2013): rounding passes a gradient on as it is, but for values past the ends. An
   * activation's limits do the same.
   */
  #unround({ grid, computed, gradient }: TrainingTensor, limits: Limits | undefined): void {
    const { kernels } = this.memory;
    const mask = (low: number, high: number): void =>
      kernels.maskOutside(computed.length, computed.address, gradient.address, low, high);
    if (grid !== undefined) {
      const half = 0.5 * grid.scale;
      mask(grid.low * grid.scale - half, grid.high * grid.scale + half);
    }
    if (limits !== undefined) mask(limits.low, limits.high);
  }
}

class NetworkBuilder {
  readonly tensors = new Map<number, TrainingTensor>();
  readonly #parameters = new Map<number, Parameter>();
  readonly #float: FloatModel;
  readonly #batch: number;
  readonly #memory: TrainingMemory;
  readonly #constants: ReadonlySet<number>;

  constructor(float: FloatModel, batch: number, memory: TrainingMemory) {
    this.#float = float;
    this.#batch = batch;
    this.#memory = memory;
    this.#constants = constantTensors(float.graph);
    for (const input of float.subgraph.inputs) this.#tensor(input, false);
  }

  step(operator: TfliteOperator): Step {
    const { graph } = this.#float;
    const { builtin } = graph.code(operator);
    const label = graph.label(operator);
    const refuse = (reason: string): never => this.#refuse(label, reason);
    const build = OPERATIONS[builtin] ?? refuse('Dunlin knows no gradient of it');
    const limits = fusedActivation(operator.options['fusedActivationFunction']);
    if (limits === 'unknown')
      return refuse('its fused activation is none of RELU, RELU6, RELU_N1_TO_1');
    if (operator.outputs.some((index) => graph.tensor(index).type !== 'float32'))
      refuse('it computes whole numbers');
    const scheme = int8Scheme(builtin)?.weights;
    const weights = this.#parameter(operator, scheme?.position, 'weights');
    const bias = this.#parameter(operator, scheme?.biasPosition, 'bias');
    const isWeighted = (position: number): boolean =>
      position === scheme?.position || position === scheme?.biasPosition;
    const inputs = operator.inputs.map((index, position) =>
      index === -1 || isWeighted(position) || graph.tensor(index).type !== 'float32'
        ? undefined
        : this.#tensor(index, false),
    );
    const isConstant = operator.outputs.every((index) => this.#constants.has(index));
    if (isConstant && weights !== undefined)
      refuse('it computes a constant, which the converter should have folded');
    const trained = weights !== undefined || inputs.some((input) => input?.isTrained === true);
    const outputs = operator.outputs.map((index) => this.#tensor(index, trained));
    const operation = build({
      ...{ graph, operator, builtin, batch: isConstant ? 1 : this.#batch, memory: this.#memory },
      ...{ inputs, outputs, weights, bias, refuse },
      constant: (position) => graph.values(graph.tensor(operator.inputs[position]!)),
    });
    return { operation, outputs, limits };
  }

  /** After the last step. @returns all parameters */
  finish(): Parameter[] {
    const parameters = [...this.#parameters.values()];
    for (const { tensor, label, role } of parameters) {
      // An operator that reads them as values has them as they were: int8 would round them twice.
      if (this.tensors.has(tensor)) this.#refuse(label, `its ${role} are read as values elsewhere`);
    }
    return parameters;
  }

  fillConstants(): void {
    const { graph } = this.#float;
    for (const [index, tensor] of this.tensors) {
      const source = graph.tensor(index);
      if (graph.isConstant(source)) tensor.computed.floats.set(graph.floats(source));
    }
  }

  #tensor(index: number, isTrained: boolean): TrainingTensor {
    const known = this.tensors.get(index);
    if (known !== undefined) return known;
    const { name, shape } = this.#float.graph.tensor(index);
    const isConstant = this.#constants.has(index);
    const size = elementCount(shape);
    const room = isConstant ? size : this.#batch * size;
    // The loss writes a gradient to every output, also where no parameter is behind it.
    const hasGradient = isTrained || this.#float.subgraph.outputs.includes(index);
    const tensor = new TrainingTensor({ name, shape, size }, isConstant, isTrained, {
      computed: this.#memory.reserve(room),
      rounded: this.#memory.reserve(room),
      gradient: this.#memory.reserve(hasGradient ? room : 0),
    });
    this.tensors.set(index, tensor);
    return tensor;
  }

  #parameter(
    operator: TfliteOperator,
    position: number | undefined,
    role: Parameter['role'],
  ): Parameter | undefined {
    const { graph } = this.#float;
    const index = position === undefined ? -1 : (operator.inputs[position] ?? -1);
    if (index === -1) return undefined;
    const label = graph.label(operator);
    const { weights } = int8Scheme(graph.code(operator).builtin)!;
    const channelAxis = role === 'bias' ? 0 : weights!.channelAxis;
    const known = this.#parameters.get(index);
    if (known?.channelAxis === channelAxis) return known;
    if (known !== undefined)
      this.#refuse(label, `its weights have other output channels in ${known.label}`);
    const { name, shape, type } = graph.tensor(index);
    if (!graph.isConstant(graph.tensor(index)) || type !== 'float32') {
      this.#refuse(label, `its ${role} are computed, not constants`);
    }
    const { perChannel } = weights!;
    const parameter = new Parameter(
      { tensor: index, name: printable(name), label, shape, role, channelAxis, perChannel },
      (floats) => this.#memory.reserve(floats),
    );
    this.#parameters.set(index, parameter);
    return parameter;
  }

  #refuse(label: string, reason: string): never {
    throw new DunlinError(
      `${this.#float.what}: ${label} cannot be trained: ${reason}; leave --finetune out, or ` +
        'train where the model comes from',
      { code: 'model-unsupported' },
    );
  }
}
