import { firstAlias } from '../tflite/index.ts';
import type { FloatModel } from './float-model.ts';

/**
 * Names for the tensors between the ends of a written model: the first of a tensor's aliases, without the folders that
 * all of them share. Names of inputs and outputs are an interface and are not asked of this.
 */
export function shortNames({ subgraph }: FloatModel): (index: number) => string {
  const aliases = subgraph.tensors.map(({ name }) => firstAlias(name));
  const computed = subgraph.operators.flatMap(({ outputs }) => outputs);
  const folders = computed.map((index) => aliases[index]!.split('/').slice(0, -1));
  const [first = []] = folders;
  let shared = 0;
  while (shared < first.length && folders.every((path) => path[shared] === first[shared])) shared++;
  const prefix = first
    .slice(0, shared)
    .map((folder) => `${folder}/`)
    .join('');
  return (index) => {
    const alias = aliases[index] ?? '';
    return alias.startsWith(prefix) ? alias.slice(prefix.length) : alias;
  };
}
