/** Reads a page's marks back from its text, so that tests compare what is drawn, not what was meant. */

export interface Tag {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Text up to the next tag. */
  readonly text: string;
  readonly closing: boolean;
  readonly selfClosing: boolean;
}

const TAG = /<(\/?)([a-z][a-z0-9]*)((?:\s+[a-z0-9:-]+(?:="[^"]*")?)*)\s*(\/?)>([^<]*)/gi;
const ATTRIBUTE = /([a-z0-9:-]+)(?:="([^"]*)")?/gi;

export function unescapeText(text: string): string {
  const entities = { lt: '<', gt: '>', quot: '"', '#39': "'", amp: '&' } as Record<string, string>;
  return text.replace(/&(lt|gt|quot|#39|amp);/g, (_, name: string) => entities[name]!);
}

export function tags(page: string): Tag[] {
  return [...page.matchAll(TAG)].map(([, slash, name, attributes, end, text]) => ({
    name: name!,
    attributes: Object.fromEntries(
      [...attributes!.matchAll(ATTRIBUTE)].map(([, key, value]) => [
        key!,
        unescapeText(value ?? ''),
      ]),
    ),
    text: unescapeText(text!),
    closing: slash === '/',
    selfClosing: end === '/',
  }));
}

/** The tags of one figure or svg by its id, up to its end. */
export function figure(page: string, id: string): Tag[] {
  const start = page.indexOf(`id="${id}"`);
  if (start < 0) throw new Error(`no figure ${id}`);
  return tags(page.slice(start, page.indexOf('</figure>', start)));
}

export function ofClass(all: readonly Tag[], name: string, ...classes: string[]): Tag[] {
  return all.filter((tag) => {
    const own = (tag.attributes['class'] ?? '').split(' ');
    return tag.name === name && !tag.closing && classes.every((each) => own.includes(each));
  });
}

/** A coordinate, with its percent sign where it has one. */
export function number(tag: Tag, attribute: string): number {
  return Number.parseFloat(tag.attributes[attribute] ?? 'NaN');
}

/** What a linear axis says about a position, from the numbers written on it. */
export function readAxis(
  ticks: readonly Tag[],
  attribute: 'x' | 'y',
): (position: number) => number {
  const numbers = ticks.filter((tick) => tick.text !== 'identical');
  const written = (tick: Tag): number =>
    Number(tick.text.replaceAll(',', '').replace('\u2212', '-'));
  const [first, last] = [numbers[0]!, numbers.at(-1)!];
  const [from, to] = [number(first, attribute), number(last, attribute)];
  const slope = (written(last) - written(first)) / (to - from);
  return (position) => written(first) + (position - from) * slope;
}
