// The demo and the testbed in a real browser: node test.mjs DEMO TESTBED PICTURES
import path from 'node:path';
import { launch } from './chromium.mjs';
import { closed, echo, events } from './in-page.mjs';

const [demo, testbed, pictures] = process.argv.slice(2);
let passed = 0, failed = 0;
const check = (what, holds, seen) => {
  if (holds) passed++; else failed++;
  console.log(`${holds ? 'ok    ' : 'FAILED'} ${what}${holds ? '' : `: ${JSON.stringify(seen)}`}`);
};
const same = (what, seen, wanted) => check(what, JSON.stringify(seen) === JSON.stringify(wanted), seen);

async function eventStreams(browser) {
  const page = await browser.open(testbed + '/');
  const run = (options) => page.evaluate(events, { ...options, url: testbed + options.url });

  // Its comments come every 200 ms, so 1.5 s hold several of them.
  let seen = await run({ url: '/sse/kinds', types: ['message', 'update', 'json', 'end'], ms: 1500 });
  same('events in order, by name and id', seen.events, [
    ['message', 'plain', ''], ['update', 'named', ''], ['message', 'line 1\nline 2\n\nline 4', ''],
    ['message', ' leading space', ''], ['message', 'snowman \u2603 clef \u{1d11e}', ''], ['message', 'with id', 'id-7'],
    ['json', '{"a":[1,2]}', 'id-7'], ['message', '', 'id-7'], ['end', 'end', 'id-7'],
  ]);
  same('keep-alive comments are no events and keep the stream open', [seen.errors, seen.opens, seen.state], [0, 1, 1]);

  seen = await run({ url: '/sse/count?n=5&per=2&retry=100' });
  same('a stream that is dropped goes on where it was', seen.events.map(([, data]) => data), [1, 2, 3, 4, 5].map((n) => `tick ${n}`));
  same('204 ends it', [seen.state, seen.opens], [2, 3]);
  seen = await run({ url: '/sse/echo-id?retry=100', types: ['seen'], max: 3 });
  same('the reconnect sends Last-Event-ID', seen.events.map(([, data]) => data), ['(none)', '1', '2']);
  for (const answer of ['204', '500', 'wrong-type']) {
    seen = await run({ url: `/sse/${answer}`, ms: 4000 });
    same(`${answer} fails the connection`, [seen.state, seen.opens, seen.events.length], [2, 0, 0]);
  }
  await page.close();
}

async function webSockets(browser) {
  const page = await browser.open(testbed + '/');
  const at = testbed.replace('http', 'ws');
  const run = (options) => page.evaluate(echo, { ...options, url: at + options.url });

  const texts = ['', 'a', '\u2603\u{1d11e}\u0000', { text: '\u2603', times: 50000 }, ...[125, 126, 65535, 65536, 1 << 20].map((times) => ({ text: 'x', times }))];
  let seen = await run({ url: '/ws', items: texts });
  same('echo of text', [seen.same, seen.code, seen.clean], [texts.length, 1005, true]);
  const bytes = [0, 1, 125, 126, 65536, 8 << 20].map((n) => ({ bytes: n }));
  seen = await run({ url: '/ws', items: bytes, close: [1000, 'bye'] });
  same('echo of binary', [seen.same, seen.code, seen.clean], [bytes.length, 1000, true]);
  for (const [code, reason] of [[1000, ''], [3001, '\u2603'], [4999, 'r'.repeat(123)]]) {
    seen = await run({ url: '/ws', items: ['x'], close: [code, reason] });
    same(`the page closes with ${code}`, [seen.same, seen.code, seen.clean], [1, code, true]);
  }
  for (const [query, code, reason] of [['?code=1000', 1000, ''], ['?code=1001&reason=away', 1001, 'away'], ['?code=1011', 1011, ''], ['?code=4001&reason=gone', 4001, 'gone'], ['', 1005, '']]) {
    seen = await page.evaluate(closed, { url: `${at}/ws/close${query}` });
    same(`the server closes with ${code}`, [seen.opened, seen.code, seen.reason, seen.clean], [true, code, reason, true]);
  }
  seen = await run({ url: '/ws/sub', protocols: ['chat.v1', 'chat.v2'], items: ['x'] });
  same('the server prefers a subprotocol', [seen.same, seen.protocol], [1, 'chat.v2']);
  seen = await run({ url: '/ws/small', items: [{ text: 'x', times: 65536 }, { text: 'x', times: 65537 }] });
  same('a message over the limit: 1009', [seen.same, seen.code], [1, 1009]);
  seen = await run({ url: '/missing', items: [] });
  same('404 is no WebSocket', [seen.opened, seen.code], [false, 1006]);
  seen = await page.evaluate(closed, { url: demo.replace('http', 'ws') + '/chat/lobby?name=Mallory' });
  same('another origin is refused', [seen.opened, seen.code], [false, 1006]);
  await page.close();
}

const press = (page, id) => page.evaluate((at) => document.getElementById(at).click(), id);
const say = (page, text) => page.evaluate((words) => {
  document.getElementById('text').value = words;
  document.getElementById('say').requestSubmit();
}, text);
const rename = (page, name) => page.evaluate((to) => {
  const field = document.getElementById('name');
  field.value = to;
  field.dispatchEvent(new Event('change'));
}, name);
const both = () => ['stream-state', 'socket-state'].every((id) => document.getElementById(id).dataset.state === 'live');
const heard = (text) => [...document.querySelectorAll('.bubble')].some((bubble) => bubble.textContent.includes(text));
const here = (names) => names.join() === [...document.querySelectorAll('.person')].map((p) => p.lastChild.textContent).sort().join();

async function theDemo(browser) {
  const ada = await browser.open(demo + '/');
  check('the page comes alive', await ada.until(both), await ada.evaluate(() => document.body.innerText));
  await rename(ada, 'Ada');
  const seen = await ada.evaluate(events, { url: '/events', types: ['beat', 'bell'], max: 40 });
  const ids = seen.events.map(([, , id]) => Number(id));
  check('ids count up by one', ids.length === 40 && ids.every((id, i) => i === 0 || id === ids[i - 1] + 1), ids);

  const grace = await browser.open(demo + '/', { dark: true });
  await grace.until(both);
  await rename(grace, 'Grace');
  check('both see who is there', (await ada.until(here, ['Ada', 'Grace'])) && (await grace.until(here, ['Ada', 'Grace'])), await ada.evaluate(() => document.getElementById('people').innerText));
  for (const [page, text] of [[ada, 'Is this one process?'], [grace, 'One process, one port. No JavaScript library either.'], [ada, 'And if my connection drops?'], [grace, 'Press the button. You will miss nothing.']]) {
    await say(page, text);
    check(`both hear "${text}"`, (await ada.until(heard, text)) && (await grace.until(heard, text)), null);
  }
  const eve = await browser.open(demo + '/#workshop');
  await eve.until(both);
  await rename(eve, 'Eve');
  await eve.until(here, ['Eve']);
  await say(eve, 'Anybody in the workshop?');
  check('a room hears itself', await eve.until(heard, 'Anybody in the workshop?'), null);
  check('a room does not hear another', !(await ada.evaluate(heard, 'Anybody in the workshop?')), null);
  const count = (n) => document.getElementById('n-sockets').textContent === String(n);
  check('the counters follow', await ada.until(count, 3), await ada.evaluate(() => document.getElementById('n-sockets').textContent));

  await ada.until(() => Number(document.getElementById('chart').dataset.lastId) > 0);
  await press(grace, 'bell');
  check('a bell is heard by all', await ada.until(() => [...document.querySelectorAll('#wire .bell')].length > 0), null);
  await press(ada, 'drop');
  const story = await ada.until(() => document.getElementById('story').dataset.replayed && document.getElementById('story').innerText);
  check('dropped, back by Last-Event-ID, nothing lost, nothing twice', /Last-Event-ID: \d+/.test(story) && /[1-9]\d* missed events replayed; 0 lost, 0 doubled/.test(story), story);
  await ada.evaluate(() => new Promise((done) => { setTimeout(done, 2500); })); // a picture with a tail after the gap
  await press(grace, 'bell');
  await ada.evaluate(() => new Promise((done) => { setTimeout(done, 1200); }));

  await pictureOf(ada, 'demo.png', { width: 1280, height: 860 });
  await pictureOf(ada, 'demo-dark.png', { width: 1280, height: 860, dark: true });
  await pictureOf(ada, 'demo-phone.png', { width: 390, height: 844, phone: true });
  for (const page of [ada, grace, eve]) {
    same('no errors in the page', page.faults, []);
    const foreign = page.requests.filter((url) => !/^(data|blob|about):/.test(url) && new URL(url).host !== new URL(demo).host);
    same('nothing is loaded from elsewhere', foreign, []);
    await page.close();
  }
}

async function pictureOf(page, name, shape) {
  await page.shape(shape);
  await page.evaluate(() => new Promise((done) => { setTimeout(done, 300); })); // two frames of the chart, and fonts
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  check(`${name}: fits its width of ${shape.width}`, wide <= 0, wide);
  if (pictures) await page.screenshot(path.join(pictures, name), { whole: true });
}

const browser = await launch();
console.log(browser.version);
try {
  await eventStreams(browser);
  await webSockets(browser);
  await theDemo(browser);
} catch (error) {
  check('the test ran to its end', false, String(error.stack));
} finally {
  await browser.close();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
