// Owns the rules about logs: every number holds one entry, every message one number, nothing acknowledged is lost.
// Invariant: entries are compared over all sights of the whole history, not only at the end, so a number that was told before a
// crash and holds something else after it is found.
// Must not: look at who was shown what (check-views.ts), or excuse a loss beyond what retention takes (check-retention.ts).

import type { Evidence, SendStory } from './evidence.js';
import { type Rule, SESSION_ENDS } from './rule.js';
import { isErased, short, show } from './says.js';
import type { ChatStory } from './story.js';

const oneEntry: Rule = {
  name: 'one_entry',
  promise: 'a number of a chat holds one entry, the same for everybody and for ever; an id has one number',
  check({ chats }, fault) {
    for (const chat of chats.values()) for (const clash of chat.clashes) fault(`${name(chat.id)}: ${clash}`);
  },
};

const dense: Rule = {
  name: 'dense',
  promise: 'numbers of a chat are 1, 2, 3, … without a gap',
  check({ chats, ends, hid }, fault) {
    for (const chat of chats.values()) {
      // Over all sights: what some deleted for themselves, others or their own devices saw.
      for (let seq = 1; seq < chat.head && !ends(chat.id); seq += 1) {
        const cleared = [...chat.logs.keys()].some((user) => hid(user, chat.id, seq));
        if (!chat.ever.has(seq) && !cleared) fault(`${name(chat.id)}: there is ${chat.head}, and no ${seq}`);
      }
      for (const [user, log] of chat.logs) {
        const back = log.find(({ seq }, at) => at > 0 && seq <= log[at - 1]!.seq);
        if (back !== undefined)
          fault(`${name(chat.id)}: ${back.seq} is not above the number before it, as ${user} reads`);
      }
    }
  },
};

const once: Rule = {
  name: 'once',
  promise: 'a message is in its chat once, however often it was sent again',
  check({ chats }, fault) {
    const places = new Map<string, string>();
    for (const chat of chats.values()) {
      for (const { seq, body, type } of chat.ever.values()) {
        if (type === 'event' || body === '' || foreign(body)) continue;
        const place = `${name(chat.id)} ${seq}`;
        const other = places.get(body);
        if (other !== undefined) fault(`${short(body)} is at ${other} and at ${place}`);
        places.set(body, place);
      }
    }
  },
};

const senderOrder: Rule = {
  name: 'sender_order',
  promise: "one device's messages of a chat keep the order in which they were sent",
  check({ chats, sends, lives }, fault) {
    /** Another installation that takes over does not wait for what the one before has in its outbox. */
    const installation = ({ send: { device, life } }: SendStory): string =>
      `${device} ${lives.get(device)?.findLast((run) => run.fresh && run.life <= life)?.life}`;
    for (const chat of chats.values()) {
      const newest = new Map<string, SendStory>();
      for (const { seq, body } of chat.inOrder()) {
        const story = sends.get(body);
        if (story === undefined) continue;
        const key = installation(story);
        const before = newest.get(key);
        if (before !== undefined && before.send.order > story.send.order) {
          fault(
            `${name(chat.id)}: ${short(body)} has number ${seq}, after ${short(before.send.body)}, which was sent later`,
          );
        }
        newest.set(key, story);
      }
    }
  },
};

const genuine: Rule = {
  name: 'genuine',
  promise: 'a chat holds what its members sent to it, byte for byte, under their names',
  check({ chats, sends, names, hostile }, fault) {
    for (const chat of chats.values()) {
      for (const { seq, body, type, from } of chat.ever.values()) {
        if (type === 'event' || (foreign(body) && hostile.has(from))) continue;
        const story = sends.get(body);
        if (story === undefined) fault(`${name(chat.id)}: nobody sent ${short(body)}, which has number ${seq}`);
        else if (story.user !== from)
          fault(`${name(chat.id)}: ${seq} is said to be from ${from}, ${story.send.device} sent it`);
        else if (names.get(story.send.name) !== chat.id && names.has(story.send.name)) {
          fault(`${name(chat.id)}: ${short(body)} has number ${seq} here, it was sent to ${story.send.name}`);
        }
      }
    }
  },
};

const kept: Rule = {
  name: 'kept',
  promise: 'a message that was acknowledged is in its chat, at the number that was told',
  check(evidence, fault) {
    const { chats, sends } = evidence;
    for (const { send, sent } of sends.values()) {
      for (const { chat: id, seq, at, by } of sent) {
        const chat = chats.get(id);
        const entry = chat?.final.get(seq) ?? chat?.ever.get(seq);
        const what = `${short(send.body)} of ${send.device}, acknowledged as ${seq} of ${name(id)} (${by})`;
        if (chat !== undefined && lost(evidence, chat, seq)) fault(`${what}, is not there at the end`, at);
        else if (entry !== undefined && !isErased(entry) && entry.body !== send.body)
          fault(`${what}: there is ${show(entry)}`, at);
      }
    }
    for (const chat of chats.values()) {
      for (const entry of chat.ever.values()) {
        if (lost(evidence, chat, entry.seq))
          fault(`${name(chat.id)}: ${entry.seq} (${show(entry)}) was told and is not there at the end`);
      }
    }
    takenBack(evidence, fault);
  },
};

/** Somebody who reads the chat at the end would find it, and nobody does. */
function lost({ ends, hid }: Evidence, chat: ChatStory, seq: number): boolean {
  if (ends(chat.id) || chat.final.has(seq)) return false;
  return [...chat.logs.keys()].some((user) => chat.visible(user, seq) && !hid(user, chat.id, seq));
}

/** What is read as it was sent at the end must not have been erased by nobody. */
function takenBack({ chats, ends, requests }: Evidence, fault: (detail: string) => void): void {
  for (const chat of chats.values()) {
    if (ends(chat.id)) continue;
    const deleted = new Set([...chat.ever.values()].map(({ event }) => event?.target ?? 0));
    // Nobody need have seen the event: who did it cleared the chat behind it, the others had left (seed 488569059812 of the cluster).
    for (const { asked, answered } of requests.values()) {
      const may = answered === null || answered.code === '' || SESSION_ENDS.includes(answered.code);
      if (asked.what === 'delete_for_all' && asked.chat === chat.id && may) deleted.add(asked.values[0] ?? 0);
    }
    for (const entry of chat.final.values()) {
      if (isErased(entry) && !deleted.has(entry.seq))
        fault(`${name(chat.id)}: ${entry.seq} is erased, and nobody deleted it`);
    }
  }
}

const refused: Rule = {
  name: 'refused',
  promise: 'a message whose sender was told that it failed for good is in no chat',
  check({ chats, sends, lives }, fault) {
    const stored = new Map(
      [...chats.values()].flatMap((chat) =>
        [...chat.ever.values()].map(({ body, seq }) => [body, `${name(chat.id)} ${seq}`]),
      ),
    );
    for (const { send, failed, sent } of sends.values()) {
      for (const { code, at, device, life } of failed) {
        // A device whose store fails may not remember the refusal, and sends again.
        const run = lives.get(device)?.find((each) => each.life === life);
        if (LOCAL.has(code) || run?.storeFailed === true) continue;
        const place = stored.get(send.body);
        if (place !== undefined) fault(`${short(send.body)} failed (${code}) and is at ${place}`, at);
        if (sent.length > 0) fault(`${short(send.body)} failed (${code}) and was acknowledged as ${sent[0]!.seq}`, at);
      }
    }
  },
};

/** Not refusals: the message stays in the outbox, or never left the device. */
const LOCAL = new Set([...SESSION_ENDS, 'store_failed', 'outbox_full']);

/** Bodies of clients that are not ours. */
function foreign(body: string): boolean {
  return !/^\S+#\d+/.test(body);
}

function name(id: string): string {
  return `chat ${id.slice(0, 8)}`;
}

export const logRules = [oneEntry, dense, once, senderOrder, genuine, kept, refused];
