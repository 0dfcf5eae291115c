// A visitor in another language, of Node's own modules alone: `ADDRESS PATH...` asks for all paths at once, over one
// connection, and prints the statuses.
import http2 from "node:http2";

const [address, ...paths] = process.argv.slice(2);

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

const session = http2.connect(`http://${address}`);
const statuses = await Promise.all(paths.map((path) => ask(session, path)));
console.log(statuses.join(" "));
session.close();
