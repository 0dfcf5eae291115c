// gRPC-Web over HTTP/1 on both sides, by Connect. `serve`: prints the port it listens on. `call PORT`: a call that goes
// well, one that is refused, and one of a stream that fails at its end.
const http = require("node:http");
const { create, createFileRegistry } = require("@bufbuild/protobuf");
const wkt = require("@bufbuild/protobuf/wkt");
const { createClient, ConnectError, Code } = require("@connectrpc/connect");
const { connectNodeAdapter, createGrpcWebTransport } = require("@connectrpc/connect-node");

const text = ".google.protobuf.StringValue";
const wrappers = "google/protobuf/wrappers.proto";
const method = (name, serverStreaming) => ({ name, inputType: text, outputType: text, serverStreaming });
const file = create(wkt.FileDescriptorProtoSchema, {
  name: "shop.proto",
  package: "shop",
  syntax: "proto3",
  dependency: [wrappers],
  service: [{ name: "Stock", method: [method("Get", false), method("List", true)] }],
});
const known = (name) => (name === wrappers ? wkt.file_google_protobuf_wrappers.proto : undefined);
const Stock = createFileRegistry(file, known).getService("shop.Stock");
const say = (value) => create(wkt.StringValueSchema, { value });

const articles = {
  get(word) {
    if (word.value === "13") throw new ConnectError("no such article", Code.NotFound);
    return say("100");
  },
  async *list() {
    for (const article of ["1", "2", "3"]) yield say(article);
    throw new ConnectError("no more", Code.DataLoss);
  },
};

function serve() {
  const server = http.createServer(connectNodeAdapter({ routes: (router) => router.service(Stock, articles) }));
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
}

async function visit(port) {
  const client = createClient(
    Stock,
    createGrpcWebTransport({ baseUrl: `http://127.0.0.1:${port}`, httpVersion: "1.1" }),
  );
  await client.get(say("7"));
  await client.get(say("13")).catch(() => {});
  const drained = async () => {
    for await (const _ of client.list(say("all")));
  };
  await drained().catch(() => {});
}

const [what, port] = process.argv.slice(2);
what === "serve" ? serve() : visit(port);
