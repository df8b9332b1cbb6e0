import type { TrainingMemory } from '../memory.ts';
import type { TrainingTensor } from '../tensor.ts';
import { broadcast } from './numbered.ts';
import { type Operation, type OperationDraft, sampleStart } from './operation.ts';

/** A matrix in memory, or one as its transpose lies there. Strides are in floats. */
interface Matrix {
  readonly address: number;
  readonly rows: number;
  readonly columns: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

function turned({ address, rows, columns, rowStride, columnStride }: Matrix): Matrix {
  return {
    address,
    rows: columns,
    columns: rows,
    rowStride: columnStride,
    columnStride: rowStride,
  };
}

/** to[rows, columns] += a b */
function addProduct({ kernels, scratch }: TrainingMemory, a: Matrix, b: Matrix, to: number): void {
  let right = b;
  if (b.columnStride !== 1) {
    // The kernel wants whole rows, and they lie there as columns.
    kernels.transpose(b.columns, b.rows, b.address, scratch.address);
    right = { ...b, address: scratch.address, rowStride: b.columns, columnStride: 1 };
  }
  const { rows, columns: depth, rowStride, columnStride } = a;
  const { columns } = b;
  kernels.gemm(
    ...([rows, columns, depth, a.address, rowStride, columnStride] as const),
    ...([right.address, right.rowStride, to, columns] as const),
  );
}

/** BATCH_MATMUL: matrices of the last two dimensions, either one as its transpose; the others broadcast. */
export function matrixProduct(draft: OperationDraft): Operation {
  const { inputs, outputs, batch, memory, operator } = draft;
  const [left, right, output] = [inputs[0]!, inputs[1]!, outputs[0]!];
  const [rows, columns] = output.shape.slice(-2) as [number, number];
  const isTurned = [operator.options['adjX'] === true, operator.options['adjY'] === true] as const;
  const depth = left.shape.at(isTurned[0] ? -2 : -1)!;
  const many = output.shape.slice(0, -2);
  const placesOf = ({ shape }: TrainingTensor): Int32Array => broadcast(shape.slice(0, -2), many);
  const [placesA, placesB] = [placesOf(left), placesOf(right)];
  memory.needScratch(Math.max(rows * depth, depth * columns, rows * columns));
  const at = (address: number, float: number): number =>
    address + float * Float32Array.BYTES_PER_ELEMENT;
  const matrix = (address: number, height: number, width: number, adjoint: boolean): Matrix => {
    const lying = adjoint ? [width, height] : [height, width];
    const stored = { rows: lying[0]!, columns: lying[1]!, rowStride: lying[1]!, columnStride: 1 };
    return adjoint ? turned({ address, ...stored }) : { address, ...stored };
  };
  const each = (visit: (a: number, b: number, c: number) => void): void => {
    for (let sample = 0; sample < batch; sample++) {
      for (let place = 0; place < placesA.length; place++) {
        visit(
          sampleStart(left, sample) + placesA[place]! * rows * depth,
          sampleStart(right, sample) + placesB[place]! * depth * columns,
          sampleStart(output, sample) + place * rows * columns,
        );
      }
    }
  };
  return {
    forward: () => {
      output.computed.floats.fill(0);
      each((a, b, c) => {
        const x = matrix(at(left.values.address, a), rows, depth, isTurned[0]);
        const y = matrix(at(right.values.address, b), depth, columns, isTurned[1]);
        addProduct(memory, x, y, at(output.computed.address, c));
      });
    },
    backward: () =>
      each((a, b, c) => {
        const x = matrix(at(left.values.address, a), rows, depth, isTurned[0]);
        const y = matrix(at(right.values.address, b), depth, columns, isTurned[1]);
        const g = matrix(at(output.gradient.address, c), rows, columns, false);
        const [toX, toY] = [at(left.gradient.address, a), at(right.gradient.address, b)];
        // (A B)^T is B^T A^T: so the gradient of a matrix that lies there as its transpose comes out as one.
        if (left.isTrained) {
          if (isTurned[0]) addProduct(memory, y, turned(g), toX);
          else addProduct(memory, g, turned(y), toX);
        }
        if (!right.isTrained) return;
        if (isTurned[1]) addProduct(memory, turned(g), x, toY);
        else addProduct(memory, turned(x), g, toY);
      }),
  };
}
