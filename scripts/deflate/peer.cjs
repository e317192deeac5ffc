// Node's ws against an echo: peer.cjs client URL MESSAGES | peer.cjs server COMMAND MESSAGES
//
// As a client it asks for each window and takeover; as a server it starts COMMAND with its address and sets them.
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { randomBytes, randomInt } = require('node:crypto');
const { WebSocket, WebSocketServer } = require('ws');

const WORDS = 'the quick brown fox jumps over a lazy dog and does so again and again'.split(' ');

function message() {
  const size = randomInt([1, 2, 6, 100, 300, 2_000, 30_000, 200_000][randomInt(8)]);
  const kind = randomInt(4);
  if (kind === 0) return randomBytes(size);
  if (kind === 1) return Buffer.alloc(size, randomInt(256));
  const words = Array.from({ length: size / 5 }, () => WORDS[randomInt(WORDS.length)]);
  return words.join(' ') + (kind === 2 ? 'é✓' : '');
}

function send(socket, data) {
  const binary = typeof data !== 'string';
  const bytes = Buffer.from(data);
  const pieces = randomInt(10) < 4 ? randomInt(1, 5) : 1;
  let from = 0;
  for (let i = 1; i <= pieces; i++) {
    const to = i === pieces ? bytes.length : randomInt(from, bytes.length + 1);
    socket.send(bytes.subarray(from, to), { binary, fin: i === pieces, compress: true });
    from = to;
  }
  if (randomInt(10) === 0) socket.ping();
}

function exchange(socket, count) {
  const sent = Array.from({ length: count }, message);
  return new Promise((resolve, reject) => {
    let next = 0;
    socket.on('error', reject);
    socket.on('close', (code) => reject(new Error(`closed with ${code} after ${next} messages`)));
    socket.on('message', (data, binary) => {
      const expected = sent[next++];
      const same = binary === (typeof expected !== 'string') && data.equals(Buffer.from(expected));
      if (!same) reject(new Error(`message ${next} of ${expected.length} came back as ${data.length}`));
      else if (next === count) resolve();
    });
    for (const data of sent) send(socket, data);
  });
}

const options = ([bits, other, own, peer], client) => ({
  threshold: 0,
  [client ? 'clientMaxWindowBits' : 'serverMaxWindowBits']: bits,
  [client ? 'serverMaxWindowBits' : 'clientMaxWindowBits']: other,
  [client ? 'clientNoContextTakeover' : 'serverNoContextTakeover']: own || undefined,
  [client ? 'serverNoContextTakeover' : 'clientNoContextTakeover']: peer || undefined,
});

async function asClient(url, count, test) {
  const socket = new WebSocket(url, { perMessageDeflate: options(test, true) });
  await once(socket, 'open');
  if (!socket.extensions.includes('permessage-deflate')) throw new Error('not compressed');
  await exchange(socket, count);
  socket.removeAllListeners('close');
  socket.close();
  await once(socket, 'close');
}

async function asServer(command, count, test) {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: options(test, false) });
  await once(server, 'listening');
  const [program, ...rest] = command.split(' ');
  const client = spawn(program, [...rest, `ws://127.0.0.1:${server.address().port}/`], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(client, 'exit');
  try {
    const [socket] = await once(server, 'connection');
    if (!socket.extensions.includes('permessage-deflate')) throw new Error('not compressed');
    await exchange(socket, count);
    socket.removeAllListeners('close');
    socket.close(1000);
    const [code] = await ended;
    if (code !== 0) throw new Error(`the client ended with ${code}`);
  } finally {
    server.close();
  }
}

async function main() {
  const [role, target, count] = process.argv.slice(2);
  const run = role === 'client' ? asClient : asServer;
  let passed = 0;
  let failed = 0;
  const windows = [9, 10, 11, 12, 13, 14, 15].map((bits) => [bits, bits]).concat([[9, 15], [15, 9]]);
  for (const [bits, other] of windows) {
    for (const own of [false, true]) {
      for (const peer of [false, true]) {
        try {
          await run(target, Number(count), [bits, other, own, peer]);
          passed++;
        } catch (error) {
          console.log(`window ${bits}/${other}, no takeover ${own}/${peer}: ${error}`);
          failed++;
        }
      }
    }
  }
  console.log(`ws as ${role}: ${passed} passed, ${failed} failed`);
  process.exit(failed > 0 ? 1 : 0);
}

main();
