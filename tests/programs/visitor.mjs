// A visitor in another language, of Node's own modules alone.
//   http2 ADDRESS PATH...   asks for all paths at once, over one connection; prints the statuses
//   websocket ADDRESS       says three things, waits for each to come back, and leaves
import http2 from "node:http2";

const [what, address, ...paths] = process.argv.slice(2);

function ask(session, path) {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":path": path });
    let status;
    stream.on("response", (headers) => (status = headers[":status"]));
    stream.on("end", () => resolve(status));
    stream.on("error", reject);
    stream.resume();
  });
}

async function visit() {
  const session = http2.connect(`http://${address}`);
  const statuses = await Promise.all(paths.map((path) => ask(session, path)));
  console.log(statuses.join(" "));
  session.close();
}

function talk() {
  const socket = new WebSocket(`ws://${address}/chat/node`);
  let left = 3;
  socket.onopen = () => socket.send("hello");
  socket.onmessage = () => (--left > 0 ? socket.send("more") : socket.close(1000));
}

what === "http2" ? await visit() : talk();
