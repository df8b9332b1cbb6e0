import type { Files } from '../../src/core/index.ts';

/**
 * A disk with a page cache that can lose power. What POSIX promises, and no more: the bytes of a file
 * survive once `write` (which fsyncs) has returned; a name made, moved or removed in a directory survives
 * once `syncDirectory` of that directory has returned. Everything else may or may not survive.
 */

/** Thrown by the operation that the power cut hits, and by every one after it. */
export class PowerCut extends Error {
  override readonly name = 'PowerCut';
}

/** What becomes of changes that nobody synced. */
export const SURVIVALS = ['lost', 'kept', 'mixed'] as const;
export type Survival = (typeof SURVIVALS)[number];

interface FileNode {
  readonly kind: 'file';
  readonly bytes: Uint8Array;
}
interface DirectoryNode {
  readonly kind: 'directory';
  /** As programs see it. */
  entries: Map<string, Node>;
  /** As the disk has it. */
  durable: Map<string, Node>;
}
type Node = FileNode | DirectoryNode;

function directory(entries: Iterable<[string, Node]> = []): DirectoryNode {
  return { kind: 'directory', entries: new Map(entries), durable: new Map(entries) };
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}

export class CrashFiles implements Files {
  /** Operations begun so far; a scenario run without a cut tells how many there are to cut at. */
  operations = 0;
  #root: DirectoryNode;
  #dieAt = Number.POSITIVE_INFINITY;
  #dead = false;

  constructor(root: DirectoryNode = directory()) {
    this.#root = root;
  }

  get dead(): boolean {
    return this.#dead;
  }

  /** The power goes at the n-th operation from now (1 is the next one). */
  dieAt(n: number): this {
    this.#dieAt = this.operations + n;
    return this;
  }

  /** What the machine finds after the power is back. `mixed` draws each unsynced change from the seed. */
  reopen(survival: Survival = 'lost', seed = 1): CrashFiles {
    const random = lcg(seed);
    return new CrashFiles(survivor(this.#root, survival, random));
  }

  /** Flips one bit of a file, as worn flash does. */
  rot(path: string, index = 0): void {
    const parent = this.#parent(path);
    const node = parent.entries.get(nameOf(path));
    if (node?.kind !== 'file') throw failure('ENOENT', path);
    const bytes = Uint8Array.from(node.bytes);
    bytes[index] = (bytes[index] ?? 0) ^ 1;
    parent.entries.set(nameOf(path), { kind: 'file', bytes });
    parent.durable.set(nameOf(path), { kind: 'file', bytes });
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    this.#begin();
    const node = this.#find(path);
    if (node?.kind === 'directory') throw failure('EISDIR', path);
    return node === undefined ? undefined : Uint8Array.from(node.bytes);
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    const parent = this.#parent(path);
    const name = nameOf(path);
    const old = parent.entries.get(name);
    if (old?.kind === 'directory') throw failure('EISDIR', path);
    this.#begin(() => {
      const half = { kind: 'file', bytes: bytes.slice(0, bytes.byteLength >> 1) } as const;
      parent.entries.set(name, half);
      // An existing file was truncated in place: its durable name now leads to the torn bytes.
      if (old !== undefined && parent.durable.get(name) === old) parent.durable.set(name, half);
    });
    const file = { kind: 'file', bytes: Uint8Array.from(bytes) } as const;
    parent.entries.set(name, file);
    if (old !== undefined && parent.durable.get(name) === old) parent.durable.set(name, file);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#begin();
    const node = this.#find(from);
    if (node === undefined) throw failure('ENOENT', from);
    const target = this.#parent(to);
    const replaced = target.entries.get(nameOf(to));
    if (replaced?.kind === 'directory' && replaced.entries.size > 0) throw failure('ENOTEMPTY', to);
    this.#parent(from).entries.delete(nameOf(from));
    target.entries.set(nameOf(to), node);
  }

  async syncDirectory(path: string): Promise<void> {
    this.#begin();
    const node = this.#find(path);
    if (node?.kind !== 'directory') throw failure('ENOENT', path);
    node.durable = new Map(node.entries);
  }

  async remove(path: string): Promise<void> {
    const node = this.#find(path);
    this.#begin(() => {
      if (node?.kind === 'directory') removeHalf(node);
    });
    if (node === undefined) return;
    this.#parent(path).entries.delete(nameOf(path));
  }

  async makeDirectory(path: string): Promise<void> {
    this.#begin();
    let at = this.#root;
    for (const name of partsOf(path)) {
      const next = at.entries.get(name) ?? directory();
      if (next.kind !== 'directory') throw failure('ENOTDIR', path);
      at.entries.set(name, next);
      at = next;
    }
  }

  async list(path: string): Promise<string[]> {
    this.#begin();
    const node = this.#find(path);
    return node?.kind === 'directory' ? [...node.entries.keys()].sort() : [];
  }

  #begin(tear?: () => void): void {
    if (this.#dead) throw new PowerCut('the power is off');
    this.operations++;
    if (this.operations < this.#dieAt) return;
    this.#dead = true;
    tear?.();
    throw new PowerCut(`power cut at operation ${this.operations}`);
  }

  #find(path: string): Node | undefined {
    let at: Node = this.#root;
    for (const name of partsOf(path)) {
      const next: Node | undefined = at.kind === 'directory' ? at.entries.get(name) : undefined;
      if (next === undefined) return undefined;
      at = next;
    }
    return at;
  }

  #parent(path: string): DirectoryNode {
    const node = this.#find(partsOf(path).slice(0, -1).join('/'));
    if (node?.kind !== 'directory') throw failure('ENOENT', path);
    return node;
  }
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

function nameOf(path: string): string {
  return partsOf(path).at(-1) ?? '';
}

/** A tree is removed name by name: a cut in the middle leaves some of it. */
function removeHalf(node: DirectoryNode): void {
  const names = [...node.entries.keys()].sort();
  for (const name of names.slice(0, Math.ceil(names.length / 2))) node.entries.delete(name);
}

function survivor(node: DirectoryNode, survival: Survival, random: () => number): DirectoryNode {
  const kept = new Map<string, Node>();
  for (const name of new Set([...node.durable.keys(), ...node.entries.keys()])) {
    const synced = node.durable.get(name);
    const current = node.entries.get(name);
    const useCurrent = survival === 'kept' || (survival === 'mixed' && random() < 0.5);
    const found = useCurrent ? current : synced;
    if (found === undefined) continue;
    kept.set(name, found.kind === 'file' ? found : survivor(found, survival, random));
  }
  return directory(kept);
}

/** Numerical Recipes' linear congruential generator: enough to draw coins that a seed repeats. */
function lcg(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
