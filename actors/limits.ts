// Owns every limit of the product, each with its reason. Nothing grows without one of these.
// Invariant: a number that bounds a queue, buffer, cache, frame, group or table stands here and nowhere else
// (storage's engine limits: storage/store.ts).
// Must not: be read from the environment; what operators may set is in cli/config.ts and names its limit here.

export const LIMITS = {
  // ---- the runtime ----
  /** Messages one cell may handle before the next has its turn: long enough to amortise the switch, short enough that
   * a busy chat does not hold up the others for more than tens of microseconds. */
  sliceMessages: 64,
  /** ms the run queue may work before I/O gets its turn. Sockets are read in between, so this bounds added latency. */
  turnMs: 4,
  /** User-lane bound where a kind of actor names none. */
  mailbox: 1_024,
  /** Slots a mailbox ring starts with. Most mailboxes never hold more than a few. */
  ringStart: 8,
  /** Dead letters kept for inspection; older ones are only counted. */
  deadLetters: 128,
  /** ms resolution of the timer wheel. Nothing in the product needs finer. */
  wheelTickMs: 10,

  // ---- frames ----
  /** Bytes of a message body: an encrypted text with its padding and a thumbnail; larger media goes to object storage. */
  body: 65_536,
  /** Bytes of a frame from a client: a body and its header, or a SYNC of 4,000 entries. */
  frame: 131_072,
  /** Entries of one SYNC frame: 4,000 × 32 bytes fit a frame. */
  syncEntries: 4_000,
  /** Entries of one CERT frame: keeps it under 64 KiB with names. */
  certEntries: 400,
  /** Nesting of arrays in a client's frame: [type, [[…]]] needs 3. */
  depth: 4,
  /** Bytes of a user id and of a device id: an e-mail address or UUID fits; keys stay short. */
  userId: 64,
  deviceId: 64,
  /** Bytes of a token: RS256 with some claims is under 2 KiB. */
  token: 4_096,
  /** Bytes of the client's own description in HELLO. */
  agent: 256,
  /** Bytes of a group's title. */
  title: 256,

  // ---- connections ----
  /** ms from the handshake to a valid HELLO. */
  authMs: 5_000,
  /** SENDs of one connection not answered yet: fills a 100 ms path at 640 messages/s. */
  window: 64,
  /** Frames queued for one connection's actor before it is closed as flooding. */
  connectionMailbox: 1_024,
  /** Deliveries a client may allow at once. */
  credit: 65_535,
  /** Bytes buffered per socket before deliveries wait in the log instead. */
  buffered: 262_144,
  /** Bytes buffered per socket before it is closed: answers and certificates also need room. */
  bufferedHard: 4_194_304,
  /** Chats a connection keeps a position for; the least recently used give way and are re-learnt. */
  sessionChats: 2_048,
  chatAliases: 1_024,
  /** One-byte aliases only: more would save nothing. */
  userAliases: 127,
  /** SYNC entries gathered over several frames: chats of one user. */
  userChats: 20_000,
  /** ms without a frame or ping from the client before the connection is closed. */
  idleMs: 120_000,
  /** ms of the client's heartbeat, as told in WELCOME. */
  heartbeatMs: 30_000,
  /** Connections one user may have at once, over all devices. */
  userConnections: 32,
  /** Users whose presence one connection watches. */
  watches: 256,
  /** Bytes and rows read from a log at a time for one connection's catch-up. */
  pageBytes: 262_144,
  pageRows: 64,
  /** Rows a HISTORY may ask for. */
  historyRows: 100,
  /** Rows a LIST may ask for. */
  listRows: 500,

  // ---- chats ----
  /** Members of a group: what the fan-out bench covers, and its meta row stays under the store's value limit. */
  members: 1_024,
  /** Members up to which each message writes a row per member; above, members read the group's log. */
  fanOutThreshold: 100,
  /** Messages queued for one conversation before senders hear `busy`. */
  conversationMailbox: 4_096,
  /** Appends a conversation has handed to the log and not seen durable. */
  conversationInFlight: 1_024,
  /** Newest message ids a conversation keeps in memory; older retries are looked up in the store. */
  recentIds: 64,
  /** Devices of a user that a chat keeps delivery positions for. */
  devices: 16,
  /** Join-to-leave spans remembered per member; the oldest are merged. */
  spans: 8,
  /** ms without a message before a conversation or user leaves memory. */
  passivateMs: 60_000,

  // ---- storage ----
  /** Shards of the log: one writer each. Fixed when a store is made. */
  shards: 32,
  /** Appends waiting for one shard's commit. */
  shardQueue: 16_384,
  /** Bytes of one group commit; well under the store's transaction limit, so that one more append always fits. */
  batchBytes: 786_432,
} as const;
