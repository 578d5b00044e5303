// Owns the changes of what a group is called, looks like, and who may send.
// Invariant: a change that changes nothing is refused, so that every event of the log means something.
// Must not: ask whether the role of who asks suffices (group-rights.ts did), or append anything.

import { isName } from '../storage/keys.js';
import type { ChatSettings } from '../storage/rows.js';
import { OP, type Plain } from '../transport/frames.js';
import { noChange } from './chat-event.js';
import { refuse } from './errors.js';
import type { Ask, Decision } from './group-decision.js';
import { LIMITS } from './limits.js';

export function title({ roster, args }: Ask): Decision {
  const [text] = args;
  if (typeof text !== 'string' || !isName(text, LIMITS.title)) {
    return refuse('bad_request', `a title has 1 to ${LIMITS.title} bytes, no controls`);
  }
  if (text === roster.settings.title) return refuse('bad_request', 'that is the title already');
  return set(OP.title, text, { title: text });
}

export function avatar({ roster, args }: Ask): Decision {
  const [reference] = args;
  if (typeof reference !== 'string' || !(reference === '' || isName(reference, LIMITS.avatar))) {
    return refuse('bad_request', `an avatar's reference has up to ${LIMITS.avatar} bytes, no controls`);
  }
  if (reference === roster.settings.avatar) return refuse('bad_request', 'that is the avatar already');
  return set(OP.avatar, reference, { avatar: reference });
}

export function announce({ roster, args }: Ask): Decision {
  const [flag] = args;
  if (flag !== 0 && flag !== 1) return refuse('bad_request', 'announcements only: 0 or 1');
  if ((flag === 1) === roster.settings.announce) return refuse('bad_request', 'it is so already');
  return set(OP.announce, flag, { announce: flag === 1 });
}

function set(op: number, value: Plain, settings: Partial<ChatSettings>): Decision {
  return { events: [{ op, args: [value], change: { ...noChange, settings } }] };
}
