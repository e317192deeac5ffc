// Random event streams through a real browser's EventSource and through the decoder: both must say the same.
//   node decode.mjs DECODER [COUNT [SEED]]
// DECODER is the command of examples/sse_decode. A failure names its seed.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { launch } from './chromium.mjs';

const [decoder, count = '400', seed = String(Date.now() % 1e9)] = process.argv.slice(2);

// mulberry32: the same streams for the same seed.
let state = Number(seed) >>> 0;
const random = (n) => {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % n;
};
const ends = ['\n', '\n', '\r', '\r\n'];
const parts = [
  () => ends[random(4)], () => ends[random(4)] + ends[random(4)],
  () => 'data: text' + ends[random(4)], () => 'data:' + ends[random(4)], () => 'data' + ends[random(4)],
  () => 'event: e' + random(3) + ends[random(4)], () => 'event' + ends[random(4)],
  () => 'id: ' + random(9) + ends[random(4)], () => 'id' + ends[random(4)], () => 'id: a\0b' + ends[random(4)],
  () => ': comment' + ends[random(4)], () => 'data', () => 'data: ', () => ':', () => ' ', () => '\0', () => 'x',
  () => '\u{feff}', () => '€', () => '𝄞', () => Buffer.from([0xff]), () => Buffer.from([0xf0, 0x9d]), () => Buffer.from([0x80]),
  () => Buffer.from([0xe2, 0x82]),
];
const streams = Array.from({ length: Number(count) }, () =>
  Buffer.concat(Array.from({ length: 1 + random(30) }, () => Buffer.from(parts[random(parts.length)]()))));

const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'decode-')), 'cases.json');
fs.writeFileSync(file, JSON.stringify({ cases: streams.map((bytes, i) => ({ name: String(i), input_b64: bytes.toString('base64') })) }));
const ours = execFileSync(decoder, [file], { maxBuffer: 1 << 30 }).toString().trim().split('\n').map((line) => JSON.parse(line));
fs.rmSync(path.dirname(file), { recursive: true });

// Each stream ends at once. The page then closes its source, before it connects again.
const server = http.createServer((request, response) => {
  if (request.url === '/') return response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html>');
  if (!/^\/\d+$/.test(request.url)) return response.writeHead(404).end();
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.end(streams[Number(request.url.slice(1))]);
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const origin = `http://127.0.0.1:${server.address().port}`;
const browser = await launch();
const theirs = [];
try {
  const tab = await browser.open(`${origin}/`);
  for (let from = 0; from < streams.length; from += 6) {
    const batch = streams.slice(from, from + 6).map((_, i) => `${origin}/${from + i}`);
    theirs.push(...await tab.evaluate((urls) => Promise.all(urls.map((url) => new Promise((done) => {
      const out = [];
      const source = new EventSource(url);
      const take = (e) => out.push({ type: e.type, data: e.data, id: e.lastEventId });
      for (const type of ['message', 'e0', 'e1', 'e2']) source.addEventListener(type, take);
      // The first loss of the connection is the end of the stream; what it held has been dispatched by then.
      source.onerror = () => { source.close(); done(out); };
    }))), batch));
  }
} finally {
  await browser.close();
  server.closeAllConnections();
  server.close();
}

let failed = 0;
streams.forEach((bytes, i) => {
  // Names that the page has not subscribed to are not seen there.
  const known = (e) => ['message', 'e0', 'e1', 'e2'].includes(e.type);
  const want = JSON.stringify(theirs[i]);
  const flat = (events) => JSON.stringify(events.map(({ type, data, id }) => [type, data, id]));
  const bad = ours.filter((o) => o.name === String(i) && flat(o.events.filter(known)) !== flat(theirs[i]));
  if (!bad.length) return;
  failed++;
  console.log(`FAIL seed ${seed}, stream ${i} (${bad[0].cut}) ${JSON.stringify(bytes.toString('latin1'))}: browser ${want}, decoder ${JSON.stringify(bad[0].events)}`);
});
console.log(`seed ${seed}, ${ours.length} runs of the decoder`);
console.log(`${streams.length - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
