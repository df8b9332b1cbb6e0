import type { EdgeTpuMapping } from '../../report-document.ts';
import { count } from '../format.ts';
import { html, type Markup } from '../html.ts';
import { across, coordinate, drawing } from '../svg.ts';

const HEIGHT_PX = 22;

export type OperatorState = 'mapped' | 'after' | 'cannot';

/** An operator that could run there is no use behind one that cannot: the compiler stops at the first. */
export function operatorStates({ mapped, operators }: EdgeTpuMapping): OperatorState[] {
  return operators.map(({ maps }, index) => {
    if (!maps) return 'cannot';
    return index < mapped ? 'mapped' : 'after';
  });
}

/** All operators from left to right, coloured by where they would run. */
export function operatorStrip(id: string, mapping: EdgeTpuMapping): Markup {
  const { operators } = mapping;
  const widthPercent = 100 / operators.length;
  const cells = operatorStates(mapping).map((state, index) => {
    const { operator, name, reason } = operators[index]!;
    return html`<rect class="${state}" x="${across(index * widthPercent)}" y="0" \
width="${across(widthPercent)}" height="${coordinate(HEIGHT_PX)}">\
<title>${count(operator)} ${name}${reason !== undefined && `: ${reason}`}</title></rect>
`;
  });
  const title = 'Operators in order of execution';
  const description = `${count(mapping.mapped)} of ${count(mapping.total)} on the Edge TPU.`;
  const strip = drawing({ id, title, description, heightPx: HEIGHT_PX }, cells);
  return html`<figure class="strip">${strip}
<figcaption><span class="key mapped">Edge TPU</span> <span class="key after">could, but comes after
one that cannot: CPU</span> <span class="key cannot">cannot: CPU</span></figcaption></figure>
`;
}
