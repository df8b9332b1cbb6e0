/** A process that trains one network in one way: `contestant.js <network> <side>`, ordered about by its parent. */
import type { Name } from './problem.ts';
import type { Order, Side, SideName, Steps } from './side.ts';

async function open(name: Name, side: SideName): Promise<Side> {
  // What the others need would count as memory of this one.
  const { problem } = await import('./problem.ts');
  if (side === 'plain') return new (await import('./plain.ts')).PlainSide(problem(name));
  if (side === 'network') return new (await import('./engine.ts')).NetworkSide(problem(name));
  if (side === 'team-1' || side === 'team-2') {
    const { TeamSide } = await import('./engine.ts');
    return new TeamSide(problem(name), problem(name, 2), side === 'team-1' ? 1 : 2);
  }
  const { openTensorflow } = await import('./tensorflow.ts');
  if (side === 'cpu') return await openTensorflow(problem(name), 'cpu', 'native');
  const style = side === 'wasm-custom' ? 'custom' : 'composed';
  return await openTensorflow(problem(name), 'wasm', style);
}

async function stepsOf(side: Side, leastMs: number, least: number): Promise<Steps> {
  const [losses, stepsMs]: [number[], number[]] = [[], []];
  const [startMs, cpu] = [performance.now(), process.cpuUsage()];
  do {
    const fromMs = performance.now();
    losses.push(await side.step());
    stepsMs.push(performance.now() - fromMs);
  } while (stepsMs.length < least || performance.now() - startMs < leastMs);
  const { user, system } = process.cpuUsage(cpu);
  return { losses, stepsMs, cpuMs: (user + system) / 1000 / stepsMs.length };
}

const [name, sideName] = process.argv.slice(2) as [Name, SideName];
const side = await open(name, sideName);
process.on('message', async (order: Order) => {
  if (order.do === 'gradients') process.send!(side.gradients());
  else process.send!(await stepsOf(side, order.leastMs, order.least));
});
// The parent asks nothing before.
process.send!('ready');
