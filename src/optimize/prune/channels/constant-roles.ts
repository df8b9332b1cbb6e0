import { type Graph, operatorSpec, type TfliteOperator } from '../../../tflite/index.ts';
import { int8Scheme } from '../../quantize/int8-schemes.ts';

/** What a constant is to those who read it. Only biases, operands and controls may be read by several. */
type Role = 'weights' | 'bias' | 'operand' | 'control' | 'signature';

function roleAt(builtin: string, position: number): Role {
  if (operatorSpec(builtin)?.control?.includes(position)) return 'control';
  const scheme = int8Scheme(builtin)?.weights;
  if (position === scheme?.position) return 'weights';
  return position === scheme?.biasPosition ? 'bias' : 'operand';
}

/** Who reads each constant, and as what: a constant that two read differently cannot be cut for one of them. */
export class ConstantRoles {
  readonly #graph: Graph;
  readonly #roles = new Map<number, Role[]>();

  constructor(graph: Graph) {
    this.#graph = graph;
    for (const operator of graph.subgraph.operators) {
      const { builtin } = graph.code(operator);
      for (const [position, index] of operator.inputs.entries()) {
        this.#note(index, roleAt(builtin, position));
      }
    }
    for (const { inputs, outputs } of graph.model.signatures ?? []) {
      for (const { tensor } of [...inputs, ...outputs]) this.#note(tensor, 'signature');
    }
  }

  /** Whether the only reader is the one who asks. */
  isSole(constant: number): boolean {
    return this.#roles.get(constant)?.length === 1;
  }

  /** Why the constants of an operator cannot be cut; undefined where they can. */
  obstacle(operator: TfliteOperator): string | undefined {
    for (const index of operator.inputs) {
      const roles = this.#roles.get(index) ?? [];
      if (roles.length < 2) continue;
      if (new Set(roles).size > 1) return 'reads a constant that something else reads differently';
      if (roles[0] === 'weights') return 'shares its weights';
    }
    return undefined;
  }

  #note(index: number, role: Role): void {
    if (index === -1 || !this.#graph.isConstant(this.#graph.tensor(index))) return;
    const roles = this.#roles.get(index);
    if (roles === undefined) this.#roles.set(index, [role]);
    else roles.push(role);
  }
}
