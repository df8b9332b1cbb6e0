import type { EdgeTpuMapping } from '../../report-document.ts';
import { count } from '../format.ts';
import { html, type Markup } from '../html.ts';
import { across, coordinate, drawing } from '../svg.ts';

const HEIGHT_PX = 22;

export type OperatorState = 'mapped' | 'after' | 'cannot';

const MEANINGS: Readonly<Record<OperatorState, string>> = {
  mapped: 'Edge TPU',
  after: 'could, but comes after one that cannot: CPU',
  cannot: 'cannot: CPU',
};

export function operatorState({ maps, after }: EdgeTpuMapping['operators'][number]): OperatorState {
  if (maps) return 'mapped';
  return after ? 'after' : 'cannot';
}

/** All operators from left to right, coloured by where they would run. */
export function operatorStrip(id: string, mapping: EdgeTpuMapping): Markup {
  const { operators } = mapping;
  const widthPercent = 100 / operators.length;
  const states = operators.map(operatorState);
  const cells = operators.map(({ operator, name, reason }, index) => {
    return html`<rect class="${states[index]}" x="${across(index * widthPercent)}" y="0" \
width="${across(widthPercent)}" height="${coordinate(HEIGHT_PX)}">\
<title>${count(operator)} ${name}${reason !== undefined && `: ${reason}`}</title></rect>
`;
  });
  const keys = (['mapped', 'after', 'cannot'] as const)
    .filter((state) => states.includes(state))
    .map((state) => html`<span class="key ${state}">${MEANINGS[state]}</span> `);
  const title = 'Operators in order of execution';
  const description = `${count(mapping.mapped)} of ${count(mapping.total)} on the Edge TPU.`;
  const strip = drawing({ id, title, description, heightPx: HEIGHT_PX }, cells);
  return html`<figure class="strip">${strip}
<figcaption>${keys}</figcaption></figure>
`;
}
