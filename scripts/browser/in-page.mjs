// What runs inside of the page. Each function stands alone: its text is sent to the browser.

// Collects events until `max` have come, the source is closed, or `ms` have passed.
export const events = ({ url, types = ['message'], max = Infinity, ms = 8000, closeAfter = Infinity }) => new Promise((done) => {
  const out = { events: [], opens: 0, errors: 0 };
  const source = new EventSource(url);
  const finish = () => { clearTimeout(timer); out.state = source.readyState; source.close(); done(out); };
  const timer = setTimeout(finish, ms);
  source.onopen = () => { out.opens++; };
  source.onerror = () => { out.errors++; if (source.readyState === EventSource.CLOSED) finish(); };
  for (const type of types) {
    source.addEventListener(type, (e) => {
      out.events.push([e.type, e.data, e.lastEventId]);
      if (out.events.length >= closeAfter) source.close();
      if (out.events.length >= max) finish();
    });
  }
});

// Sends each item, waits for its echo, then closes. An item is a text, or `{bytes: n}`, or `{text, times}`.
export const echo = ({ url, protocols = [], items, close = [], ms = 20000 }) => new Promise((done) => {
  const out = { same: 0, opened: false };
  const socket = new WebSocket(url, protocols);
  socket.binaryType = 'arraybuffer';
  const timer = setTimeout(() => { out.late = true; socket.close(); done(out); }, ms);
  const sent = items.map((item) => (typeof item === 'string' ? item : item.text ? item.text.repeat(item.times) : Uint8Array.from({ length: item.bytes }, (_, i) => (i * 7919) & 255)));
  const equal = (a, b) => (typeof a === 'string' ? a === b : b instanceof ArrayBuffer && b.byteLength === a.length && new Uint8Array(b).every((byte, i) => byte === a[i]));
  let at = 0;
  const step = () => { if (at < sent.length) socket.send(sent[at]); else { out.protocol = socket.protocol; socket.close(...close); } };
  socket.onopen = () => { out.opened = true; step(); };
  socket.onmessage = (e) => { if (equal(sent[at], e.data)) out.same++; at++; step(); };
  socket.onclose = (e) => { clearTimeout(timer); done({ ...out, code: e.code, reason: e.reason, clean: e.wasClean }); };
});

// Opens and waits for the close of the server.
export const closed = ({ url, ms = 8000 }) => new Promise((done) => {
  const out = { opened: false };
  const socket = new WebSocket(url);
  const timer = setTimeout(() => { out.late = true; socket.close(); done(out); }, ms);
  socket.onopen = () => { out.opened = true; };
  socket.onclose = (e) => { clearTimeout(timer); done({ ...out, code: e.code, reason: e.reason, clean: e.wasClean }); };
});
