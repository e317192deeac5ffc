// Bun's server, which is uWebSockets inside: bun run bun.js PORT [deflate|shared]
const [port, compression] = process.argv.slice(2);
const context = { deflate: "dedicated", shared: "shared" }[compression];
const encoder = new TextEncoder();
const streams = new Set();

async function answer(request, server) {
  const { pathname } = new URL(request.url);
  if (request.headers.has("upgrade")) return server.upgrade(request, { data: { pathname } }) ? undefined : new Response("", { status: 400 });
  if (pathname === "/sse") return eventStream();
  const event = encoder.encode(`data: ${await request.text()}\n\n`);
  const count = Number(pathname.split("/").pop());
  for (let i = 0; i < count; i++) for (const stream of streams) { stream.write(event); stream.flush(); }
  return new Response("ok");
}

function eventStream() {
  const pull = (stream) => {
    streams.add(stream);
    stream.write(": open\n\n");
    stream.flush();
    return new Promise(() => {});
  };
  return new Response(new ReadableStream({ type: "direct", pull }), { headers: { "content-type": "text/event-stream" } });
}

Bun.serve({
  port: Number(port),
  hostname: "127.0.0.1",
  idleTimeout: 0,
  fetch: answer,
  websocket: {
    perMessageDeflate: context ? { compress: context, decompress: context } : false,
    idleTimeout: 0,
    sendPings: false,
    maxPayloadLength: 64 << 20,
    backpressureLimit: 256 << 20,
    open(socket) { if (socket.data.pathname === "/sub") socket.subscribe("events"); },
    message(socket, message) {
      if (socket.data.pathname === "/pub") socket.publish("events", message, false);
      else socket.send(message, Boolean(context));
    },
  },
});
