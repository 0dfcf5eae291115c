// Node's own http server and client; with "keep-alive" as its argument, over an agent's kept-alive connections.
"use strict";

const fs = require("fs");
const http = require("http");
const path = require("path");

const [HOST, PORT] = process.env.CAUSALITY_LISTEN.split(":");
const [BACKEND_HOST, BACKEND_PORT] = process.env.CAUSALITY_BACKEND.split(":");
const KEEP_ALIVE = process.argv[2] === "keep-alive";
const AGENT = new http.Agent({ keepAlive: KEEP_ALIVE });
const TRUTH = fs.openSync(path.join(process.env.CAUSALITY_TRUTH, `${process.pid}.jsonl`), "w");
const BACKGROUND_MS = Number(process.env.CAUSALITY_BACKGROUND_MS);
// Which calls a request makes; half of them are answered from a cache, at random.
const CALLS = { sync: 1, pipelining: 1, forget: 1, retry: 1, sequential: 3, parallel: 3 };

let requests = 0;

function now() {
  return Math.round((performance.timeOrigin + performance.now()) * 1e6);
}

function note(line) {
  fs.writeSync(TRUTH, JSON.stringify(line) + "\n");
}

// Gives the status.
function call(kind, token, request) {
  return new Promise((resolve, reject) => {
    const start = now();
    const after = request !== null && request.answered;
    const options = { host: BACKEND_HOST, port: BACKEND_PORT, path: `/${kind}/${token}`, agent: AGENT, headers: { "X-Item": token } };
    const outgoing = http.get(options, (response) => {
      const local = `${response.socket.localAddress}:${response.socket.localPort}`;
      response.resume();
      response.on("end", () => {
        const cause = request === null ? null : request.number;
        note({ cause, after, local, peer: process.env.CAUSALITY_BACKEND, start, end: now() });
        resolve(response.statusCode);
      });
    });
    outgoing.on("error", reject);
  });
}

// Gives what is left to do once the request is answered, or null.
async function work(url, request) {
  const [, pattern, token] = url.split("/");
  const wanted = Array.from({ length: CALLS[pattern] }, () => Math.random() < 0.5).filter((missed) => missed);
  if (pattern === "forget") return wanted.length ? () => call("item", token, request) : null;
  if (pattern === "parallel") await Promise.all(wanted.map(() => call("item", token, request)));
  else if (pattern === "retry") {
    for (let left = 3 * wanted.length; left > 0; left--) {
      if ((await call("flaky", token, request)) === 200) break;
    }
  } else for (const _ of wanted) await call("item", token, request);
  return null;
}

async function answer(incoming, response) {
  const { remoteAddress, remotePort } = incoming.socket;
  const request = { number: ++requests, answered: false, start: now() };
  const rest = await work(incoming.url, request);
  response.writeHead(200, { "Content-Length": 2 });
  response.end("ok");
  request.answered = true;
  const peer = `${remoteAddress}:${remotePort}`;
  note({ in: request.number, local: process.env.CAUSALITY_LISTEN, peer, start: request.start, end: now() });
  if (rest) setImmediate(rest);
}

async function background() {
  await call("background", "item", null);
  setTimeout(background, -Math.log(Math.random()) * BACKGROUND_MS);
}

setTimeout(background, BACKGROUND_MS);
http.createServer({ keepAliveTimeout: 60000 }, answer).listen(Number(PORT), HOST, 4096);
