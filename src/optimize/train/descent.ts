import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import type { Network } from './network.ts';
import type { Parameter, Rotation } from './parameter.ts';

const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;
/** Steps of a bias that is zero are so large. */
const LEAST_RATE_SCALE = 1e-3;

/** Changes the parameters of a network by their gradients. */
export class Descent {
  readonly #network: Network;
  readonly #rateScales: readonly number[];

  /**
   * @param network as it is before anything was learned, its moments those of the samples: equal networks and samples
   *   give equal descents
   */
  constructor(network: Network) {
    this.#network = network;
    this.#rateScales = network.parameters.map(rateScale);
    for (const { rotation } of network.parameters) if (rotation !== undefined) findBasis(rotation);
  }

  /** One step down, and the gradients are zeros again. @param step from 0 */
  step(step: number, learningRate: number): void {
    const { kernels } = this.#network.memory;
    const { beta1, beta2, epsilon } = ADAM;
    const correction = Math.sqrt(1 - beta2 ** (step + 1)) / (1 - beta1 ** (step + 1));
    for (const [place, parameter] of this.#network.parameters.entries()) {
      const { learned, gradient, mean, square, rotation } = parameter;
      const turned = rotation?.turned ?? gradient;
      if (rotation !== undefined) this.#turn(parameter, rotation);
      kernels.adamSteps(
        gradient.length,
        turned.address,
        mean.address,
        square.address,
        learningRate * correction * this.#rateScales[place]!,
        beta1,
        beta2,
        epsilon,
      );
      if (rotation === undefined) kernels.add(learned.length, turned.address, learned.address);
      else this.#addTurnedBack(parameter, rotation);
      gradient.floats.fill(0);
    }
  }

  #turn({ gradient }: Parameter, { depth, basis, turned }: Rotation): void {
    const rows = gradient.length / depth;
    const [from, to] = [gradient.address, turned.address];
    turned.floats.fill(0);
    const { kernels } = this.#network.memory;
    kernels.gemm(rows, depth, depth, from, depth, 1, basis.address, depth, to, depth);
  }

  #addTurnedBack({ learned }: Parameter, { depth, back, turned }: Rotation): void {
    const rows = learned.length / depth;
    const [from, to] = [turned.address, learned.address];
    const { kernels } = this.#network.memory;
    kernels.gemm(rows, depth, depth, from, depth, 1, back.address, depth, to, depth);
  }
}

/** Adam's steps are about as large as its rate: a tensor's own size is the measure for what is large. */
function rateScale({ learned }: Parameter): number {
  const squares = learned.floats.reduce((sum, value) => sum + value * value, 0);
  return Math.max(LEAST_RATE_SCALE, Math.sqrt(squares / learned.length));
}

function findBasis({ depth, moments, basis, back }: Rotation): void {
  const matrix = Matrix.from1DArray(depth, depth, moments.floats);
  const vectors = new EigenvalueDecomposition(matrix, { assumeSymmetric: true }).eigenvectorMatrix;
  basis.floats.set(vectors.to1DArray());
  back.floats.set(vectors.transpose().to1DArray());
}
