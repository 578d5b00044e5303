// Owns what each key does to the line being typed.
// Invariant: only text gets into the line: a key that is not known does nothing.
// Must not: send, scroll or leave; it answers what the key asks for.

import type { Key } from 'node:readline';
import type { Editor } from './chat-editor.js';
import { clean } from './chat-text.js';

/** What a key asks for beyond the line itself. `full`: the line takes no more. */
export type Wish =
  | 'submit'
  | 'leave'
  | 'suspend'
  | 'redraw'
  | 'complete'
  | 'up'
  | 'down'
  | 'pageUp'
  | 'pageDown'
  | 'end'
  | 'full';

/** By name, with `C-` for Ctrl and `M-` for Alt before it. */
const EDITS: Readonly<Record<string, (editor: Editor) => void>> = {
  left: (editor) => editor.left(),
  right: (editor) => editor.right(),
  'C-b': (editor) => editor.left(),
  'C-f': (editor) => editor.right(),
  'C-left': (editor) => editor.wordLeft(),
  'C-right': (editor) => editor.wordRight(),
  'M-left': (editor) => editor.wordLeft(),
  'M-right': (editor) => editor.wordRight(),
  'M-b': (editor) => editor.wordLeft(),
  'M-f': (editor) => editor.wordRight(),
  home: (editor) => editor.home(),
  end: (editor) => editor.end(),
  'C-a': (editor) => editor.home(),
  'C-e': (editor) => editor.end(),
  backspace: (editor) => editor.cut('left'),
  'C-h': (editor) => editor.cut('left'),
  delete: (editor) => editor.cut('right'),
  'C-d': (editor) => editor.cut('right'),
  'C-w': (editor) => editor.cut('wordLeft'),
  'M-backspace': (editor) => editor.cut('wordLeft'),
  'M-d': (editor) => editor.cut('wordRight'),
  'C-u': (editor) => editor.cut('home'),
  'C-k': (editor) => editor.cut('end'),
};

const WISHES: Readonly<Record<string, Wish>> = {
  return: 'submit',
  tab: 'complete',
  'C-c': 'leave',
  'C-z': 'suspend',
  'C-l': 'redraw',
  up: 'up',
  down: 'down',
  pageup: 'pageUp',
  pagedown: 'pageDown',
  escape: 'end',
  'M-escape': 'end',
};

export function press(editor: Editor, key: Key, text: string): Wish | undefined {
  const name = `${key.ctrl === true ? 'C-' : ''}${key.meta === true ? 'M-' : ''}${key.name ?? ''}`;
  // Ctrl-J, and Alt-Enter.
  if (name === 'enter' || name === 'C-j' || name === 'M-return' || name === 'M-enter') return insert(editor, '\n');
  if (name === 'C-d' && editor.text === '') return 'leave';
  const wish = WISHES[name];
  if (wish !== undefined) return wish;
  const edit = EDITS[name];
  if (edit !== undefined) edit(editor);
  else if (key.ctrl !== true && key.meta !== true && text !== '' && !/\p{Cc}/u.test(text)) return insert(editor, text);
  return undefined;
}

/** A paste: as it is, line ends included, but without control characters. */
export function insert(editor: Editor, text: string): Wish | undefined {
  return editor.insert(text === '\u200d' ? text : clean(text)) ? undefined : 'full';
}
