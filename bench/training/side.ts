/** One way to train a network, in a process of its own. */
export interface Side {
  /** At the first weights; leaves them as they are. */
  gradients(): Gradients;
  /** Forward, loss, backward, Adam. @returns the loss before it */
  step(): number | Promise<number>;
}

export interface Gradients {
  readonly loss: number;
  /** Weights and bias of each layer that has them, as TensorFlow Lite has them. */
  readonly gradients: readonly Float32Array[];
}

export const SIDES = {
  network: 'Dunlin, network',
  'team-1': 'Dunlin, team, 1 thread *',
  'team-2': 'Dunlin, team, 2 threads *',
  'wasm-custom': 'tfjs WASM, own gradients',
  'wasm-composed': 'tfjs WASM, tf.grads',
  cpu: 'tfjs CPU, tf.grads',
  plain: 'plain JavaScript',
} as const;
export type SideName = keyof typeof SIDES;

/** Asked of a process; each is answered by one message. */
export type Order =
  | { readonly do: 'gradients' }
  /** So many steps, and on until so much time has gone by. */
  | { readonly do: 'steps'; readonly least: number; readonly leastMs: number };

export interface Steps {
  readonly losses: readonly number[];
  readonly stepsMs: readonly number[];
  /** Of all threads of the process, a step. */
  readonly cpuMs: number;
}
