import { shorten } from './format.ts';
import { html, type Markup } from './html.ts';

/** Converters join every name that a tensor had on its way, with this between them. */
const ALIAS_SEPARATOR = ';';

/** The first of a tensor's aliases: the others name what was fused into the same operator. */
export function firstAlias(name: string): string {
  return name.split(ALIAS_SEPARATOR).find((alias) => alias.trim() !== '') ?? name;
}

/** A tensor's name, which breaks at its folders before it breaks elsewhere; on hover all of its aliases. */
export function tensorName(name: string, maxCharacters = Number.POSITIVE_INFINITY): Markup {
  const [first, ...folders] = shorten(firstAlias(name), maxCharacters).split('/');
  return html`<span title="${name}">${first}${folders.map((part) => html`/<wbr>${part}`)}</span>`;
}
