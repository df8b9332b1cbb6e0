/**
 * HTML by tagged template. What is filled in is text and is escaped, unless it is `Markup`, which only `html` and
 * `trusted` make; so a name from a model file cannot become a tag by somebody's forgetting to escape it.
 */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may be filled in; `undefined` and `false` leave nothing, lists are joined. */
export type Piece = Markup | string | number | undefined | false | readonly Piece[];

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Controls, direction overrides, zero-width characters and lone surrogates: they can hide or turn around a name. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Unseen characters are written out as `\u{…}`; white space within a line stays white space. */
function showUnseen(character: string): string {
  if (character === '\n' || character === '\t') return ' ';
  return `\\u{${character.codePointAt(0)!.toString(16)}}`;
}

/** Safe between tags and in double-quoted attributes. */
export function escapeText(text: string): string {
  return text.replace(UNSEEN, showUnseen).replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

function render(piece: Piece): string {
  if (piece instanceof Markup) return piece.text;
  if (typeof piece === 'string') return escapeText(piece);
  if (typeof piece === 'number') return String(piece);
  if (piece === undefined || piece === false) return '';
  return piece.map(render).join('');
}

export function html(strings: TemplateStringsArray, ...pieces: readonly Piece[]): Markup {
  const filled = pieces.map((piece, index) => render(piece) + strings[index + 1]!);
  return new Markup(strings[0]! + filled.join(''));
}

/** Text of our own that is markup already, such as the style sheet. */
export function trusted(text: string): Markup {
  return new Markup(text);
}
