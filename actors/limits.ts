// Owns every limit of the product, each with its reason. Nothing grows without one of these.
// Invariant: what bounds a queue, buffer, cache, frame, group or table stands here alone (rows of every engine: storage/store.ts).
// Must not: be read from the environment; what operators may set is in cli/config.ts and names its limit here.

export const LIMITS = {
  // ---- the runtime ----
  /** Messages one cell may handle before the next has its turn: long enough to amortise the switch, short enough that
   * a busy chat does not hold up the others for more than tens of microseconds. */
  sliceMessages: 64,
  /** ms one cell may keep its turn when its handlers are slow: a quarter of the run queue's own turn. */
  sliceMs: 1,
  /** ms the run queue may work before I/O gets its turn. Sockets are read in between, so this bounds added latency. */
  turnMs: 4,
  /** The same while nothing but bulk work is ready: a message that comes meanwhile waits for the rest of a turn at each of its steps. */
  bulkTurnMs: 1,
  /** Messages the run queue may handle before I/O gets its turn: above what 4 ms can hold on any machine, so it ends a
   * turn only where the clock stands still, as in simulation. */
  turnMessages: 131_072,
  /** Messages between two looks at the clock, at most: a look costs about as much as a message. */
  clockStride: 16,
  /** User-lane bound where a kind of actor names none. */
  mailbox: 1_024,
  /** Slots a mailbox ring starts with. Most mailboxes never hold more than a few. */
  ringStart: 8,
  /** Slots of all rings kept for reuse: 1 MiB of pointers. */
  ringPool: 131_072,
  /** Messages of class `admit` beyond a full mailbox's bound: above the sum of the bounded windows they answer. */
  admitted: 65_536,
  /** Timers and asks one actor may have open: cancelling looks through them, so this bounds that search too. */
  operations: 4_096,
  /** Actors alive in one runtime: at 700 bytes and their state, what a process's heap can hold. */
  cells: 4_000_000,
  /** Behaviour objects of one runtime. There is one per kind; more means that someone makes them per actor. */
  kinds: 1_024,
  /** Dead letters kept for inspection; older ones are only counted. */
  deadLetters: 128,
  /** ms resolution of the timer wheel. Nothing in the product needs finer. */
  wheelTickMs: 10,
  /** ms the timer wheel sleeps at most: Node's timers break at 2³¹ ms, and waking once a week for nothing is cheap. */
  wheelSleepMs: 604_800_000,

  // ---- supervision ----
  /** Children of one supervisor. nact copies an actor's child map for every event; many of one kind are a pool. */
  supervised: 64,
  /** ms a child may take to stop before it is killed, where its spec names no time. The node has 5 s in all. */
  childStopMs: 2_000,
  /** Partitions of a pool: a storm of crashes restarts an eighth of it. */
  poolPartitions: 8,
  /** Cells of one pool. At 700 bytes an idle cell and as much of state: under 1 GB. */
  poolCells: 500_000,
  /** Keys per partition whose crashes are remembered; the longest quiet give way. */
  crashRecords: 4_096,
  /** Characters of an error's text kept with them. */
  crashText: 200,
  /** Cells a stopping partition ends in one turn of the event loop. */
  sweepCells: 1_000,

  // ---- frames ----
  /** Bytes of a message body: an encrypted text with its padding and a thumbnail; larger media goes to object storage. */
  body: 65_536,
  /** Bytes of a frame from a client: a body and its header, or a CREATE that names a thousand users. */
  frame: 131_072,
  /** Bytes of a frame up to which it is decoded as it comes; a longer one has to wait for its connection's turn. */
  frameTurn: 8_192,
  /** Entries of one SYNC frame: 4,000 × 32 bytes fit a frame. */
  syncEntries: 4_000,
  /** Entries that the SDK puts into one, and after which the server gives others their turn: taken in a ms. */
  syncPart: 1_000,
  /** SYNC frames of a connection that wait for their turn: a vector of all the chats there may be, and another one. */
  syncFrames: 40,
  /** Entries of one CERT frame: keeps it under 64 KiB with names. */
  certEntries: 400,
  /** Certificates sent in one turn of a connection: a millisecond or two, then others have theirs. */
  certTurn: 2_000,
  /** Nesting of arrays in a client's frame: [type, [[…]]] needs 3. */
  depth: 4,
  /** The same in a server's frame: the users of an event within a PAGE are at 5, and servers may be newer than the SDK. */
  serverDepth: 8,
  /** Bytes that an encoder's reused buffer may keep: a full PAGE passes without a new allocation each time. */
  scratch: 524_288,
  /** Bytes of a slab that bodies and rows of up to an eighth of it share: one kept body keeps this much alive at worst. */
  slab: 16_384,
  /** Bytes of a user id and of a device id: an e-mail address or UUID fits; keys stay short. */
  userId: 64,
  deviceId: 64,
  /** Bytes of a token: RS256 with some claims is under 2 KiB. */
  token: 4_096,
  /** Bytes of a group's title. */
  title: 256,

  // ---- connections ----
  /** ms from the handshake to a valid HELLO. */
  authMs: 5_000,
  /** SENDs of one connection not answered yet: fills a 100 ms path at 640 messages/s. */
  window: 64,
  /** News queued for one connection's actor; deliveries beyond it are read from the log. */
  connectionMailbox: 1_024,
  /** Frames queued for one connection's actor before it is closed as flooding: a full window and as much again. */
  inflowFrames: 1_024,
  /** Bytes of them while the token is checked: anybody may come this far, so no more than a whole vector takes. */
  inflowGreeting: 1_048_576,
  /** Bytes of them afterwards: a full window of the largest bodies, and a vector. */
  inflowBytes: 8_388_608,
  /** Deliveries a client may allow at once. */
  credit: 65_535,
  /** Bytes buffered per socket before deliveries wait in the log instead. */
  buffered: 262_144,
  /** Bytes buffered per socket before it is closed: answers and certificates also need room. */
  bufferedHard: 4_194_304,
  /** Chats a connection keeps a position for; the least recently used give way and are re-learnt. */
  sessionChats: 2_048,
  /** Of those that gave way last, the positions alone: the delivery of what was read from the log is ms behind. */
  leftViews: 64,
  chatAliases: 1_024,
  /** One-byte aliases only: more would save nothing. */
  userAliases: 127,
  /** SYNC entries gathered over several frames: chats of one user. */
  userChats: 20_000,
  /** Connections on their way in at once, from HELLO to their certificates: enough that a node never rests, and so few that each is through
   * within a second where a core serves 300 a second. Others are told when to come again. */
  arrivals: 256,
  /** ms from one that is served to the next, as long as that was not seen; what one gap counts at most; and gaps it is smoothed over. */
  arrivalMs: 2,
  arrivalGapMs: 250,
  arrivalSmooth: 64,
  /** ms after which who was turned away may come again, at least and at most. */
  arrivalLeastMs: 200,
  arrivalMostMs: 30_000,
  /** Of the time that those before take to be served: a few too many come, so that a node does not wait for them. */
  arrivalShare: 0.8,
  /** ms without a frame or ping from the client before the connection is closed. */
  idleMs: 60_000,
  /** ms to send a whole HTTP request head, for a listener that strangers reach: slow senders do not hold sockets. */
  requestMs: 10_000,
  /** ms that a peer has to answer a close frame, slow networks included, before its socket is freed. */
  closeMs: 5_000,
  /** The same when the whole server stops: its process must end within 5 s. */
  lingerMs: 1_000,
  /** ms of the client's heartbeat, as told in WELCOME. */
  heartbeatMs: 30_000,
  /** News queued for one user's connections before they are told to resync: the same burst a conversation may take. */
  userMailbox: 4_096,
  /** ms before a connection asks again for what was refused as busy (its user's actor, a blocked socket). */
  retryMs: 100,
  /** The same for a chat that was given up after too many crashes, which lasts for minutes. */
  givenUpMs: 5_000,
  /** ms over which connections register anew when their users' actors have moved: 15,000 of them at 15 a ms. */
  registerMs: 1_000,
  /** ms by which nodes' wall clocks may differ: a new connection counts as a device's newest unless its node made it that long before the other. */
  clockSkewMs: 5_000,
  /** ms for which a connection counts as new in that: below a lease, so one of a node that stood still for as long does not. */
  freshMs: 1_000,
  /** ms between looks at the files of the TLS certificate, and ms that they must be at rest: two files are not replaced at once. */
  certificatePollMs: 2_000,
  certificateRestMs: 500,
  /** Free ports tried before a listener on any port gives up: each is lost only to a race. */
  portTries: 8,
  /** ms a stopping node gives what is in flight. With lingerMs and storeStopMs a stop stays within 5 s. */
  drainMs: 1_500,
  /** ms for frames on their way between socket and log, twice within a drain. */
  settleMs: 50,
  /** Actors counted at once when an operator asks how many there are: about a ms. */
  censusCells: 1_000,
  /** Node processes of one host: one a core, and no supervisor has more children. */
  hostNodes: 64,
  /** ms between a node's signs of life to its host, and ms without one after which it is killed and started again. Its lease is
   * over by then, and each client that is dealt to it waits for 10 s; a full collection or a slow disk hold up a node for less. */
  hostBeatMs: 1_000,
  hostHangMs: 20_000,
  /** ms a node process has to stop, before its host kills it: its own times, twice over. */
  hostStopMs: 10_000,
  /** ms for the store to finish its last commits and close. */
  storeStopMs: 2_000,
  /** ms that the exit of a process may take before it is killed: its disk may hang. Half of it is for what may yet end by itself. */
  exitMs: 1_000,
  /** ms that clients are asked to wait before they reconnect to a node that stops. */
  goawayMs: 1_000,
  /** What a client may do how often, and the same of all a user's devices: the default throughput of the WhatsApp Business
   * API. A person never meets it, a program is paced. Operators may set what has no burst in its name. */
  deviceSends: 50,
  userSends: 80,
  /** SENDs at once after a pause: what gathered in a tunnel. */
  sendBurst: 60,
  /** Direct chats begun and groups made by one user in an hour: more is advertising. */
  newDirects: 100,
  newGroups: 30,
  /** Frames of one device a second, and at once: a greeting with its chats, watches and outbox. A frame's worth of work is
   * some 40 µs, so fifty devices at their limit take half of a core, and their bursts are over within a second. */
  frameRate: 250,
  frameBurst: 400,
  /** Tokens that a device may be short of before it counts as flooding: what a vector of all chats there may be costs, and a
   * second one after a lost connection. */
  frameDebt: 4_000,
  /** Bytes that count as a frame: of a body or an answer, which are copied and encoded; of a page, which goes out as it
   * is stored. Largest bodies pass at 4 a second, full pages at 2. */
  frameBytes: 1_024,
  framePage: 2_048,
  /** Bytes of a frame that is refused which count as one more: they are read all the same. Who sends bodies of the largest size at ten times
   * the rate at which they pass, whatever it is told, is a flood within half a minute. */
  frameRead: 8_192,
  /** New connections of one user a second, and at once: all devices on a bad network. A new one has a full burst of frames. */
  logins: 1,
  loginBurst: 60,
  /** Refused tokens of one address a second, and at once: an office behind one address after its keys changed. */
  badLogins: 1,
  badLoginBurst: 60,
  /** HTTP requests of one address a second, and at once: probes and a page with its parts. */
  requests: 20,
  requestBurst: 100,
  /** Connections of one address: a campus behind one, but not all of a node. */
  addressConnections: 1_000,
  /** Buckets of one kind that a node remembers; only those that are not full count. 100 bytes each. */
  allowances: 65_536,
  /** Chats that one connection watches, and members of a chat whose presence can be watched. */
  watches: 256,
  /** ms between two steps of what a connection tells its chats after a SYNC, and what one step may cost, in frames: a direct
   * chat 1, a small group up to a hundred receipts, a large one a thousand members to be read. */
  followMs: 10,
  followRoom: 16,
  followGroup: 8,
  followLarge: 64,
  /** Chats whose receipts may move while a connection is being certified; beyond, its client is asked for its vector again. */
  missedReceipts: 256,
  /** Chats that a connection may open for presence at once, and ms until it may open one more: each costs its members work. */
  watchBurst: 32,
  watchPaceMs: 500,
  /** Such times at most until a chat is opened again of which a member could not be told: where nothing moves, every 8 s is enough. */
  watchPatience: 16,
  /** Users that one connection is told of: some chats of the largest kind that is told person by person. */
  watched: 2_048,
  /** Connections that watch one user's presence, or have one chat open. */
  watchers: 4_096,
  /** Watchers of one user up to which each change is told at once: a person's contacts who look at that moment. */
  exactWatchers: 128,
  /** And up to which changes are told at all. With coarseMs: the 17 frames a second that a well-known user costs at most. */
  coarseWatchers: 1_024,
  /** ms between two changes that many watchers are told, and what their last seen is rounded down to. */
  coarseMs: 60_000,
  coarseSeenMs: 600_000,
  /** ms between two counts of who is online in a large chat. */
  countMs: 10_000,
  /** Bytes and rows read from a log at a time for one connection's catch-up. */
  pageBytes: 262_144,
  pageRows: 64,
  /** ms of reading for clients before everything else has its turn: a fraction of the run queue's. */
  readsMs: 1,
  /** Rows of a user's inbox read at a time: pages of some 50 KB leave other work its turn. */
  inboxRows: 500,
  /** Rows a HISTORY may ask for. */
  historyRows: 100,
  /** Rows a LIST may ask for. */
  listRows: 500,
  /** Bytes read for one LIST after which it answers with what it has: some ms of work. */
  listBytes: 1_048_576,
  /** Newest entries of a chat that are looked at for it: where most are the user's own, it is not counted for ever. */
  unreadScan: 2_000,

  // ---- accounts ----
  /** Registered devices of a user: what people own, twice over; chats keep a position for each. */
  userDevices: 16,
  /** Rows of devices read at a time: all that a user can have, and what older builds took beyond it. */
  deviceRows: 256,
  /** ms by which a device's row may be behind when it connects, and when it goes: so much a crash makes of when it was last seen. */
  seenMs: 3_600_000,
  seenSlackMs: 60_000,
  /** Requests of one user's devices that wait for the one before to be durable. */
  accountQueue: 256,
  /** Chats looked at in one step of an errand through all of a user's, and ms between two steps: 160 a second. */
  errandChats: 16,
  errandMs: 100,
  /** How often a chat is told to forget a device, until its member's row shows that it did: 5 s, in which a disk is slow or an append
   * failed and the chat was read again. */
  forgetTries: 50,
  /** Removed devices whose tokens are still refused; of more, the longest gone are forgotten. */
  removedDevices: 64,
  /** Bytes of a device's name, of a display name, of an avatar's reference (a URL), of a profile's text. */
  deviceName: 128,
  profileName: 128,
  avatar: 512,
  about: 1_024,
  /** Free fields of a profile, and bytes of a field's name and value: a profile stays under 16 KiB. */
  profileFields: 16,
  profileFieldName: 64,
  profileFieldValue: 512,
  /** ms between two changes of a profile, and changes at once after a pause: each is told to everybody whom its user knows. */
  describeMs: 10_000,
  describeBurst: 10,
  /** Users told of one change; the rest see it when they look. */
  profileTold: 16_384,
  /** Users that one user may block. */
  blocks: 1_024,
  /** Others of whom a user's actor remembers whether they block each other, and who are being looked up: the typists of
   * some lively groups. */
  fences: 256,
  fencesAsked: 64,
  /** Numbers in one MARK, and messages of a chat that a user may have deleted for himself; clearing takes care of more. */
  markSeqs: 1_000,
  hidden: 1_000,
  /** Marks a MARKS may ask for. */
  marksRows: 500,
  /** Highest value of a mark: a time or a place in an order; what a stored number holds. */
  markValue: 281_474_976_710_655,
  /** Chats pinned by one user. */
  pinned: 100,

  /** Unread messages of a chat that are counted; it stands for that many or more. */
  unread: 1_000,

  // ---- chats ----
  /** Members of a group: what the fan-out bench covers, and its meta row stays under the store's value limit. */
  members: 1_024,
  /** Members up to which each message writes a row per member; above, members read the group's log. */
  fanOutThreshold: 100,
  /** What the threshold may be set to: that many members' rows, with long names and many devices, still fit a commit. */
  fanOutMost: 128,
  /** Messages queued for one conversation before senders hear `busy`. */
  conversationMailbox: 4_096,
  /** Appends a conversation has handed to the log and not seen durable. */
  conversationInFlight: 1_024,
  /** Bytes of entries and of the changes they make in one append of a chat; leaves room in a batch for the rows of a
   * small chat's members with all their devices. */
  appendBytes: 524_288,
  /** Entries told in one message, as many as a client may have unanswered; bytes that close it: one more still fits a batch of a link. */
  runEntries: 64,
  runBytes: 65_536,
  /** Bytes of an entry beside its row: two keys, its number, its sender. */
  entryBytes: 160,
  /** Groups that one user is in: each costs a row to read on every resume. Counted when a group takes the user in. */
  userGroups: 1_000,
  /** s after which a chat's entries may be set to end, at most: a leap year. */
  expiry: 31_622_400,
  /** Names in the text of a refusal; of more, only how many. */
  namesTold: 10,
  /** Members' rows read for a chat that wakes before other work has its turn. */
  viewsRead: 64,
  /** Users looked up for a change of members before other work has its turn: about a ms. */
  newcomersRead: 32,
  /** Who waits for approval in one group: a page that its admins can read, and the chat's row stays under the store's limit. */
  joinRequests: 128,
  /** Bytes of a chat row: its members, title, avatar and those who wait for approval at their longest. */
  chatRowBytes: 83_968,
  /** Bytes of a member's row with its key, at the longest, before any device has a position: as after a change. */
  memberRowBytes: 480,
  /** ms between two writes of moved cursors in a large group: a thousand devices that acknowledge ten times a second
   * would otherwise put a thousand rows into every append. Receipts of such groups are as old at most. */
  cursorMs: 1_000,
  /** ms between two tallies of a large group: ticks that turn once a second look alive. */
  tallyMs: 1_000,
  /** ms after which who typed and says nothing more does not type any more: two repeats of a client may be lost. */
  typingMs: 6_000,
  /** ms between two times that a user's typing is told: clients repeat it every 3 s. */
  typingPaceMs: 1_000,
  /** ms before a chat whose store failed reads its state again, and before the log tries an open commit again. */
  reloadMs: 200,
  /** Messages after which a chat writes a page of their ids. A waking chat reads up to as many messages for theirs. */
  idPage: 64,
  /** ms between an id's clock and its acceptance up to which the id is looked for on pages; beyond, it has a row of its
   * own. Covers phones' clocks and slow networks; what waited offline for longer is rare enough for a row. */
  idSkewMs: 60_000,
  /** Id pages read at a time. */
  idPagesRead: 64,
  /** Devices of a user that a chat keeps delivery positions for. */
  devices: 16,
  /** Join-to-leave spans remembered per member; the oldest is forgotten. */
  spans: 8,
  /** ms without a message before a conversation or user leaves memory. */
  passivateMs: 60_000,

  // ---- retention ----
  /** ms that a message waits at most for devices that do not come, under `until-delivered`. */
  undeliveredMs: 2_592_000_000,
  /** ms that ids are remembered beyond the end of their messages, where not every device had them: a SEND may come back after that. */
  rememberMs: 2_592_000_000,
  /** Rows taken out of a log in one append, at some 20 µs each: a sender waits for the transaction that is under way. */
  sweepRows: 50,
  /** Id pages looked at in one sweep, oldest first: more than a sweep's rows fill. */
  sweepPages: 8,
  /** Members whose devices are read before the event loop has its turn. */
  sweepMembers: 32,
  /** ms from a chat's first acknowledgement to its sweep: one sweep for what a burst frees, and all of it within a minute. */
  sweepRestMs: 10_000,
  /** ms between two looks at what is due, and in which all chats of a round have had their turn. */
  sweepTickMs: 10,
  sweepAllMs: 40_000,
  /** Chats of a round: their keys are sorted in one go. */
  sweepRound: 16_384,
  /** Chats that are late for each further sweep that may be under way, and the most at once. Sweeps that share a transaction
   * write fewer pages, but a sender waits for all of them. */
  sweepLag: 16,
  sweeps: 32,
  /** ms a sweep may take before its chat is asked again. */
  sweepPatienceMs: 30_000,
  /** ms before a chat that could not be swept is asked again. */
  sweepRetryMs: 1_000,
  /** Chats that wait for their sweep; the scan finds those beyond. */
  sweepQueue: 131_072,
  /** Lifetimes up to this many ms are timed; the ends of longer ones are found by the scan. */
  sweepSoonMs: 3_600_000,
  /** ms that the end of an entry may wait, at most, to be swept with others: 30 days are told in steps of an hour. */
  sweepSlackMs: 3_600_000,
  /** Chats that the slow scan looks at in one step, and before the event loop has its turn. */
  scanRows: 128,
  scanChats: 8,
  /** ms between two steps of the scan, and after a round of it. */
  scanMs: 250,
  scanRoundMs: 60_000,

  // ---- storage ----
  /** Shards of the log: one writer each. Fixed when a store is made. */
  shards: 32,
  /** Appends waiting for one shard's commit. */
  shardQueue: 16_384,
  /** Bytes of one group commit; well under the store's transaction limit, so that one more append always fits. */
  batchBytes: 786_432,
  /** Appends in one group commit: at 22 bytes each, their dirty set stays under the store's value limit. */
  batchAppends: 4_096,
  /** Commits evaluated in one transaction of an embedded store: its evaluation holds the event loop, about 15 µs each. */
  groupCommits: 256,
  /** Commits waiting in one store. The 32 shards keep a few each in flight; beyond this something is broken. */
  storeQueue: 16_384,
  /** Bytes of a commit between processes: a transaction of rows with a byte of key each and no value, 6 bytes of head to each. */
  commitFrame: 7_000_012,
  /** Bytes of a reason that the process that writes gives, and of its answer: what a person reads of it. */
  answerReason: 1_000,
  answerFrame: 1_013,
  /** ms without an answer of that process until it counts as stalled: it says itself that its disk hangs, a little earlier. */
  writerStallMs: 22_000,
  /** Bytes of address space for the data file, and of the file at most: far more than a disk, and no memory until it is used. */
  storeMapSize: 1_099_511_627_776,
  /** ms between looks at watched keys that another process may have changed. */
  watchPollMs: 50,
  /** Bytes free below which a failed write counts as a full disk: more than one transaction takes. */
  diskReserve: 4_194_304,
  /** Pages of the data file looked at before it is opened: 64 MB, some 0.2 s. After two crashes in a row it is all of them. */
  storeCheckPages: 16_384,
  /** Looks at them while another process adds transactions, before it is taken at its word that the file is whole. */
  storeCheckTries: 3,
  /** ms between two looks for readers whose process is gone: the package itself looks every 10 minutes. */
  storeReadersMs: 10_000,
  /** How often a group that was not written is tried again in halves: 16 commits or fewer are left of the largest then. */
  storeHalves: 4,
  /** ms after a transaction that failed before the next one: how long it takes to see that there is room again. */
  storePauseMs: 100,
  /** ms in which the writer of several processes, busy as told by so many commits in its last transaction, lets more come along: a page that
   * all of them change is written once (as PostgreSQL's commit_delay and commit_siblings). */
  storeGatherMs: 3,
  storeGatherCommits: 8,
  /** ms that a transaction may take before its commits are answered `unknown`: longer than a disk's own retries. */
  storeStallMs: 20_000,

  // ---- links between nodes ----
  /** Bytes of a node's id: names of hosts, shortened. */
  nodeId: 32,
  /** Bytes of one batch on a link: several times the largest message (a chat's row), and 4 ms of a Gbit/s, for that long it holds up
   * what is behind it. */
  linkBatchBytes: 524_288,
  /** Bytes sent on a link that the peer has not handled: 60 ms of a Gbit/s, longer than a peer's turns take. Then senders hear `busy`. */
  linkBytes: 8_388_608,
  /** Bytes that a batch counts more than it has: what remembering it takes, so that small ones are bounded, too. */
  linkBatchCost: 64,
  /** Batches, bytes and ms after which a node says what it has handled: few enough frames, far from what a sender may have out. */
  linkAckBatches: 16,
  linkAckBytes: 524_288,
  linkAckMs: 20,
  /** ms between two pings, and pings without a word from the peer after which a link is dead: a lease's time. */
  linkBeatMs: 500,
  linkBeats: 3,
  /** Bytes of a frame before the other side has proved who it is, and ms that it may take; wires that wait for it at once. */
  linkGreeting: 512,
  linkGreetingMs: 1_500,
  linkWaiting: 64,
  /** ms before a lost link is dialled again, at first and at most; and that it must have stood to begin anew. */
  linkRetryMs: 50,
  linkRetryMostMs: 1_000,
  linkStableMs: 10_000,
  /** Chats of which a link remembers what it wrote and read last, at 300 bytes each way: as many as are lively at a time. */
  linkInfos: 1_024,
  /** Names that it remembers, at 100 bytes: of those chats, and of their members. */
  linkTexts: 4_096,

  // ---- messages between nodes ----
  /** What waits for one link: as many messages, and bytes, as it has credit for. Beyond them sends hear `busy`, and news are lost and made good. */
  outboundEntries: 65_536,
  outboundBytes: 8_388_608,
  /** Bytes after which a batch is closed: a message more still fits linkBatchBytes. */
  outboundBatch: 131_072,
  /** Users whose shard is remembered: a hash each otherwise, at 100 bytes. */
  userShards: 131_072,
  /** Messages that are said again until they are taken: positions of a link's worth of clients; and how many in one turn. */
  lastingMessages: 65_536,
  lastingStep: 512,
  /** SENDs that wait for a shard to have an owner: ms since the first, above what a failover takes (2.4 s at most); bytes of all of them. */
  bufferedMs: 3_000,
  bufferedBytes: 8_388_608,
  /** ms after which connections say anew which chats are open, when shards have moved or a link is up: once for a whole failover. */
  rewatchMs: 500,
  /** After news were lost, users that are told to have their clients ask, and ms until the next: 5,000 a second. */
  resyncUsers: 100,
  resyncMs: 20,
  /** ms between two notices of the same trouble. */
  noticeMs: 60_000,
  /** ms for which a member is dialled in vain before that is told: one that died is no member any more by then. */
  unreachedMs: 5_000,
  /** Lines of the log that chats and users get for one reason in so many ms; the others are counted in one. */
  noticeBurst: 10,
  noticeBurstMs: 10_000,

  // ---- the cluster ----
  /** Nodes that share one store: each reads all rows with every beat, and each has a link to every other. */
  nodes: 64,
  /** ms between two beats, each of them a commit and a read of all nodes' rows. */
  beatMs: 300,
  /** ms without a beat after which a node is evicted: longer than a full collection of a large heap or a disk's retries. */
  leaseMs: 1_500,
  /** ms since the begin of its last good beat after which a node counts itself out: before anybody else may, with two beats to spare. */
  lapseMs: 900,
  /** ms that a node must have been seen before it is given shards of a living owner, and the longest for one that comes and goes:
   * each coming within a minute doubles it. */
  joinRestMs: 1_500,
  joinRestMostMs: 60_000,
  flapMs: 60_000,
  /** Shards that one node hands over at a time, and ms after each: a few chats at a time wake up elsewhere. */
  handOvers: 2,
  handOverMs: 50,
  /** ms after which what was refused because its shard was moving may be tried again: most have arrived by then. */
  movedMs: 50,
  /** ms between two looks of a drain at latency and clients: several for each of the seconds that the latency is of. */
  drainTickMs: 100,
  /** ms for which an operator may answer a node's challenge. */
  operatorMs: 10_000,
  /** ms that a client has to leave a draining node before it is closed: what it has under way is answered long before. */
  drainLeaveMs: 5_000,
  /** ms that a node which stops gives its shards and clients to get to others, and how many clients it sends off in a second: as many
   * as a few other nodes let in. */
  evacuateMs: 2_000,
  evacuateClients: 2_000,
  /** Slots that the latency of sends is counted in, and ms of each: the last seconds, so that a drain sees soon what it does. */
  latencySlots: 5,
  latencySlotMs: 1_000,
  /** ms between two looks at grants because others said that they changed. */
  hintMs: 20,
  /** ms for which all nodes must have known a later version of stored rows before it is in force: until then each of them can be replaced by
   * the earlier build, and by then an operator has seen whether the new one is any good. */
  formatRestMs: 600_000,
  /** ms that a leaving node takes to say so; then others wait for its lease. */
  leaveMs: 500,
  /** Attempts of one join or leave that others' joins disturb: there are at most as many nodes. */
  joinTries: 128,
  /** Chats of a taken shard that are told to tell their news again before other work has its turn. */
  recoverChats: 64,
  /** Entries of a group in which it is looked for who was taken out, when it tells its news again: more than go into one append
   * but by a flood. */
  recoverEntries: 256,
  /** Cells, or watches, looked at for those of some shards before other work has its turn: a hash each for users. */
  shardCells: 1_000,

  // ---- the SDK (client/) ----
  /** Messages waiting in a client's outbox: days offline of a busy person. Then `send` rejects with `outbox_full`. */
  clientOutbox: 10_000,
  /** Bytes of bodies waiting in a client's outbox: fits a phone's memory and every browser's quota. */
  clientOutboxBytes: 33_554_432,
  /** Deliveries granted to the server and not handled by the application yet; bounds what a slow listener piles up. */
  clientCredit: 512,
  /** Messages kept that arrived ahead of a gap, over all chats. Under clientCredit, so that the gap's own messages
   * still have credit; beyond it they are dropped and come again. */
  clientHeld: 128,
  /** Own sequence numbers a chat remembers above its cursor; beyond, an own message may show up as one of the user's. */
  clientOwn: 1_024,
  /** Widest gap pulled with HISTORY; a wider one is cheaper by SYNC. */
  clientGap: 1_000,
  /** Requests of a client (DIRECT, INFO, …) without an answer; then they reject with `busy`. */
  clientRequests: 256,
  /** Users per chat whose receipts a client keeps. */
  clientReceipts: 1_024,
  /** Listeners of one kind of event: more is a leak. */
  clientListeners: 64,
  /** ms ACKs, READs and cursors are gathered: below what a person sees, above what a burst takes. */
  clientAckMs: 100,
  /** Messages after which ACKs go out at once, so that a catch-up moves the server's view along. */
  clientAckMessages: 32,
  /** Sends of one chat on their way at once: a burst leaves in one go. A refused one is not overtaken (docs/wire.md). */
  clientPipeline: 16,
  /** Bytes buffered in the socket before a client stops adding sends: an upload must not queue minutes ahead of PING. */
  clientBuffered: 1_048_576,
  /** Full jitter (AWS Architecture Blog, 2015): uniform in 0 … min(cap, base × 2^attempt). */
  clientBackoffBaseMs: 500,
  clientBackoffCapMs: 30_000,
  /** ms online after which the next loss counts as the first. */
  clientStableMs: 10_000,
  /** ms from dialling to WELCOME, and for a token function to answer. */
  clientConnectMs: 10_000,
  clientTokenMs: 30_000,
  /** ms a closing handshake may take before the socket is dropped. */
  clientCloseMs: 2_000,
  /** ms without any frame after a PING before a connection counts as dead. */
  clientPongMs: 10_000,
  /** ms `connect` waits for the first connection. */
  clientOpenMs: 30_000,
  /** ms a request waits for its answer, reconnects included. */
  clientRequestMs: 15_000,
  /** Times that the wait of a request that is refused for its rate doubles: requests enough for the whole window then come seconds apart. */
  clientDoublings: 6,
  /** ms a gap below an own message may last before it is pulled: the server may only be waiting for credit. */
  clientGapMs: 2_000,
  /** ms between two SYNCs of one connection made because of gaps. */
  clientResyncMs: 1_000,
  /** ms over which a client that was sent to another node spreads its coming: whoever sent it sends them one after the other. */
  clientMoveMs: 50,
  /** Part of the time a busy server asked for that is added at most: it has spread its clients itself. */
  clientSpread: 8,
  /** ms after GOAWAY that answers are waited for. */
  clientDrainMs: 3_000,
  /** ms before a token's end that a fresh one is fetched (or at half its life, whichever is later). */
  clientTokenLeadMs: 60_000,
  /** Longest single timer: engines turn over 2^31 ms into 1 ms. */
  clientTimerMs: 3_600_000,
  /** ms in which a repeated `typing(true)` is not sent again. */
  clientTypingMs: 3_000,
  /** ms between two LISTs that only large groups call for: their other devices' readings are not pushed. */
  clientListMs: 5_000,
  /** Profiles that a client keeps; the longest unused give way. Of the usual size they are 200 KB. */
  clientProfiles: 1_000,
  /** Chats in one line of a journal, and in one write of positions: a damaged line costs no more, and writing one holds
   * the event loop for about a ms. */
  clientJournalChats: 32,
  /** Bytes of a client's journal beyond twice its live content before it is rewritten. */
  clientJournalSlack: 1_048_576,

  // ---- weft chat (cli/) ----
  /** Entries of a chat kept for the screen; older ones are read from the server again. */
  chatLines: 5_000,
  /** Lines of a pipe on their way to the node at once; more would only wait in the outbox. */
  chatPipeline: 512,
  /** ms a pipe waits for a node before the command gives up: a restart takes less. Its messages stay in the outbox. */
  chatPatienceMs: 10_000,
  /** ms a leaving chat waits for its last messages to be acknowledged. */
  chatLeaveMs: 2_000,
  /** ms after which a typing notice that was not repeated is gone: twice what clients repeat it in. */
  chatTypingMs: 6_000,
} as const;

/** Of the FoundationDB engine alone. */
export const FDB_LIMITS = {
  /** ms that a transaction may take, and for which one that was refused is tried again: a cluster recovers from the loss
   * of a machine within a second or two, and a client's send waits for it. */
  timeoutMs: 2_000,
  /** ms to open a store: the cluster may be starting at the same time. */
  openMs: 10_000,
  /** ms before the second try of opening, and of each later one. */
  openPauseMs: 100,
  /** Transactions of commits on their way at once. Fewer gather more commits in each, more wait for less. */
  inFlight: 4,
  /** ms before a commit that was refused is tried again, at most; twice as many before each later try. */
  backoffMs: 4,
  /** ms before a read that was refused is tried again. */
  rereadMs: 5,
  /** Reads for clients on their way at once: each waits ms for the cluster, of which the node works a tenth. Pages of so many are in memory. */
  readsAtOnce: 16,
  /** Rows of one answer to a range: they are all in memory before the first is looked at. */
  rows: 1_000,
  /** Bytes asked for beyond what a page may have, for keys and for the row that ends it. */
  rowsBytes: 4_096,
  /** Keys watched in one store: views and shards. The client has 10,000 at most. */
  watches: 1_024,
  /** ms before a watch that the cluster did not take is asked for again. */
  rewatchMs: 500,
} as const;

/** Of presence in Redis alone (actors/board.ts). */
export const BOARD_LIMITS = {
  /** ms that changes wait for others to go along: nobody sees them, and a storm of logins becomes some commands. */
  gatherMs: 20,
  /** Users written, or read, in one round. Redis does nothing else meanwhile: 512 take it half a ms. */
  slice: 512,
  /** ms after which a user who is online is written again, and one who is watched is read again. */
  beatMs: 30_000,
  /** ms after which an entry that was not written again is gone: its node is. Two beats, as a connection has. */
  entryMs: 60_000,
  /** ms that a table must have been there before a missing entry means offline: every node has written its users by then. */
  settledMs: 35_000,
  /** ms for which the word of the user's own actor counts where the table has nothing: its entry is on the way. */
  freshMs: 5_000,
  /** ms between two probes. */
  probeMs: 500,
  /** Shards that are asked with each probe whether they are there: all of them within 4 s. */
  patrol: 4,
  /** ms without an answer to a probe after which Redis counts as gone: a failover of sentinels takes longer anyway. */
  silenceMs: 2_000,
  /** ms to open a session. Large clusters are asked for their slots in it. */
  openMs: 5_000,
  /** ms before the first try of a new session, and before each later one at most, with jitter. */
  redialMs: 100,
  redialMostMs: 2_000,
  /** Users whose watchers are told in one turn that nothing is known: what hurries waits for this. */
  tellSlice: 256,
  /** Frames of typing that wait for one turn. What is more goes by the links. */
  posts: 1_024,
  /** Bytes of one post of typing. */
  postBytes: 65_536,
} as const;
