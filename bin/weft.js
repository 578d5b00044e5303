#!/usr/bin/env node
// Owns the installed name of the command.
// Invariant: does what `npm run` does with the same words: checks Node, builds what is stale, runs in this process.
// Must not: hold logic; commands are in cli/.

process.argv.splice(2, 0, 'weft');
await import('../scripts/run.mjs');
