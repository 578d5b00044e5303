// Owns `weft chat --do`: commands without a terminal, their answers on stdout.
// Invariant: they run in the order given, each after the one before it is done; the first that fails ends the run.
// Must not: show messages.

import type { Chat, Session } from '../client/index.js';
import type { Place } from './chat-command.js';
import { answerOf, isQuit } from './chat-commands.js';
import type { Connection } from './chat-session.js';

/** Commands that show something on a screen do nothing here. */
export async function runCommands(
  session: Session,
  connection: Connection,
  chat: Chat | undefined,
  commands: readonly string[],
  print: (command: string, answer: string) => Promise<void>,
): Promise<void> {
  let present = chat;
  for (const command of commands) {
    const line = command.startsWith('/') ? command : `/${command}`;
    if (isQuit(line)) return;
    const place: Place = {
      session,
      connection,
      chat: present,
      open: async (chat) => {
        present = chat;
      },
      close: () => {
        present = undefined;
      },
      load: async () => {},
      presence: { online: () => false },
    };
    const answer = await answerOf(place, line);
    if (answer !== undefined) await print(line, answer);
  }
}
