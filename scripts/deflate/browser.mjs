// Sends messages to an echo from a real browser: node browser.mjs LAUNCHER chromium|firefox URL MESSAGES
const [launcher, name, url, count] = process.argv.slice(2);
const { launch } = await import(launcher);

/** Runs in the page: messages of random sizes and content, some of them in flight at once. */
async function exchange({ url, count }) {
  const words = 'the quick brown fox jumps over a lazy dog and does so again and again'.split(' ');
  const random = (n) => Math.floor(Math.random() * n);
  const message = (i) => {
    // Large ones are rare, or the run takes minutes.
    const size = random([2, 10, 100, 300, 1000, 3000, 3000, i % 100 === 0 ? 300000 : 3000][random(8)]);
    const kind = random(4);
    if (kind === 0) return crypto.getRandomValues(new Uint8Array(Math.min(size, 65536)));
    if (kind === 1) return new Uint8Array(size).fill(random(256));
    return Array.from({ length: size / 5 }, () => words[random(words.length)]).join(' ') + (kind === 2 ? '\u2603\u{1d11e}' : '');
  };
  const same = (sent, got) => {
    if (typeof sent === 'string') return sent === got;
    if (!(got instanceof ArrayBuffer) || got.byteLength !== sent.length) return false;
    const bytes = new Uint8Array(got);
    return sent.every((byte, i) => byte === bytes[i]);
  };
  return new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.binaryType = 'arraybuffer';
    const waiting = [];
    let sent = 0, good = 0;
    const fill = () => {
      while (sent < count && waiting.length < 50) {
        const next = message(sent++);
        waiting.push(next);
        socket.send(next);
      }
    };
    socket.onopen = fill;
    socket.onmessage = ({ data }) => {
      if (!same(waiting.shift(), data)) return socket.close(4000);
      good++;
      if (good === count) socket.close(1000);
      fill();
    };
    socket.onclose = ({ code }) => resolve({ good, code, extensions: socket.extensions });
  });
}

const browser = await launch(name);
const page = await browser.open(url.replace('ws', 'http').replace(/\/ws$/, '/'));
const seen = await page.evaluate(exchange, { url, count: Number(count) });
await browser.close();
const passed = seen.good === Number(count) && seen.code === 1000 && seen.extensions.includes('permessage-deflate');
console.log(`${name}, ${seen.extensions || 'not compressed'}: ${seen.good} of ${count} messages came back, closed with ${seen.code}`);
process.exit(passed ? 0 : 1);
