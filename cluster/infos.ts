// Owns the bytes of what chats are, as news on one link carry them, for those of late: few chats cause most news, and say the same each time.
// Invariant: what is written and read is as if nothing were remembered: bytes are taken for a chat's only where all of them are the same.
// Must not: count on what the other side remembers.

import { LIMITS } from '../actors/limits.js';
import type { ChatInfo } from '../actors/messages.js';
import type { Reader } from '../transport/reader.js';
import type { Writer } from '../transport/writer.js';
import { readInfo, writeInfo } from './message-codec.js';

interface Known {
  readonly info: ChatInfo;
  readonly bytes: Uint8Array;
}

/** Where two bytes of the id, which is a hash, are in what is written: behind the heads of the array and of the id, and its kind. */
const HASHED = 4;

export class Infos {
  readonly #written: (Known | undefined)[] = [];
  readonly #read: (Known | undefined)[] = [];

  write(info: ChatInfo, writer: Writer): void {
    const place = placeOf(info.chat[1]!, info.chat[2]!);
    const known = this.#written[place];
    if (known?.info === info) {
      writer.raw(known.bytes);
      return;
    }
    const start = writer.length;
    writeInfo(info, writer);
    this.#written[place] = { info, bytes: writer.cut(start, writer.length).slice() };
  }

  read(reader: Reader): ChatInfo {
    const place = placeOf(reader.ahead(HASHED), reader.ahead(HASHED + 1));
    const known = this.#read[place];
    if (known !== undefined && reader.passes(known.bytes)) return known.info;
    const start = reader.position;
    const info = readInfo(reader);
    if (reader.fault === '') this.#read[place] = { info, bytes: reader.cut(start).slice() };
    return info;
  }
}

function placeOf(high: number, low: number): number {
  return ((high << 8) | low) % LIMITS.linkInfos;
}
