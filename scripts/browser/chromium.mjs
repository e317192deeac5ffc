// Drives a headless Chromium over the DevTools protocol on a pipe. Needs Node and nothing else.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const flags = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-default-apps', '--no-proxy-server', '--hide-scrollbars',
  '--disable-background-timer-throttling', '--disable-renderer-backgrounding', '--disable-backgrounding-occluded-windows',
  '--force-color-profile=srgb', '--remote-debugging-pipe',
];

export async function launch() {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'browser-test-'));
  const child = spawn(process.env.CHROMIUM || 'chromium', [...flags, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  });
  const gone = new Promise((done) => { child.once('exit', done); child.once('error', done); });
  const connection = new Connection(child.stdio[3], child.stdio[4], gone);
  const { product } = await connection.send('Browser.getVersion');
  return {
    version: product,
    open: (url, options) => Page.open(connection, url, options),
    async close() {
      await connection.send('Browser.close').catch(() => {});
      await Promise.race([gone, new Promise((r) => setTimeout(r, 5000))]);
      child.kill('SIGKILL');
      fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

// Commands and events as JSON, each ended by a zero byte.
class Connection {
  #to; #next = 1; #waiting = new Map(); #listeners = new Set(); #rest = Buffer.alloc(0);

  constructor(to, from, gone) {
    this.#to = to;
    from.on('data', (chunk) => this.#read(chunk));
    for (const pipe of [to, from]) pipe.on('error', () => {});
    gone.then(() => { for (const { reject } of this.#waiting.values()) reject(new Error('the browser has ended')); });
  }

  #read(chunk) {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (let end; (end = this.#rest.indexOf(0)) >= 0; this.#rest = this.#rest.subarray(end + 1)) {
      const message = JSON.parse(this.#rest.subarray(0, end));
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (!waiting) for (const listener of this.#listeners) listener(message);
      else if (message.error) waiting.reject(new Error(`${waiting.method}: ${message.error.message}`));
      else waiting.resolve(message.result);
    }
  }

  send(method, params = {}, sessionId) {
    const id = this.#next++;
    this.#to.write(JSON.stringify({ id, method, params, sessionId }) + '\0');
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject, method }));
  }

  listen(listener) { this.#listeners.add(listener); }
}

class Page {
  // What went wrong in the page, and which addresses it asked for.
  faults = []; requests = [];

  static async open(connection, url, options = {}) {
    const { browserContextId } = await connection.send('Target.createBrowserContext');
    const { targetId } = await connection.send('Target.createTarget', { url: 'about:blank', browserContextId });
    const { sessionId } = await connection.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page();
    page.send = (method, params) => connection.send(method, params, sessionId);
    page.close = () => connection.send('Target.disposeBrowserContext', { browserContextId });
    connection.listen((message) => { if (message.sessionId === sessionId) page.#hear(message); });
    for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await page.send(`${domain}.enable`);
    await page.shape(options);
    await page.go(url);
    return page;
  }

  #loaded = () => {};

  #hear({ method, params }) {
    if (method === 'Page.loadEventFired') this.#loaded();
    if (method === 'Runtime.exceptionThrown') this.faults.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    if (method === 'Runtime.consoleAPICalled' && params.type === 'error') this.faults.push(params.args.map((a) => a.value ?? a.description).join(' '));
    if (method === 'Log.entryAdded' && params.entry.level === 'error') this.faults.push(`${params.entry.text} ${params.entry.url ?? ''}`);
    if (method === 'Network.requestWillBeSent') this.requests.push(params.request.url);
    if (method === 'Network.webSocketCreated') this.requests.push(params.url);
  }

  shape({ width = 1280, height = 860, phone = false, dark = false } = {}) {
    return Promise.all([
      this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: phone ? 2 : 1, mobile: phone }),
      this.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }] }),
    ]);
  }

  async go(url) {
    const loaded = new Promise((done) => { this.#loaded = done; });
    const { errorText } = await this.send('Page.navigate', { url });
    if (errorText) throw new Error(`${url}: ${errorText}`);
    await loaded;
  }

  // Runs a function in the page and hands back what it, or its promise, yields.
  async evaluate(run, argument) {
    const expression = `(${run})(${JSON.stringify(argument)})`;
    const answer = await this.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true, userGesture: true });
    if (answer.exceptionDetails) throw new Error(answer.exceptionDetails.exception?.description ?? answer.exceptionDetails.text);
    return answer.result.value;
  }

  // Waits until a function of the page yields something true, and hands that back; null when the time is over.
  async until(run, argument, limit = 15000) {
    for (const end = Date.now() + limit; Date.now() < end; await new Promise((r) => setTimeout(r, 50))) {
      const value = await this.evaluate(run, argument);
      if (value) return value;
    }
    return null;
  }

  async screenshot(file, { whole = false } = {}) {
    const { data } = await this.send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: whole, ...(whole && { clip: await this.#extent() }) });
    fs.writeFileSync(file, Buffer.from(data, 'base64'));
  }

  async #extent() {
    const { cssContentSize: { width, height } } = await this.send('Page.getLayoutMetrics');
    return { x: 0, y: 0, width, height, scale: 1 };
  }
}
