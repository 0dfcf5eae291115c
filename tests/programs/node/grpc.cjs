// gRPC on both sides, by grpc-js. `serve`: prints the port it listens on. `call PORT`: a scripted set of calls, of every
// form. Messages are plain text: nobody needs a schema to follow them.
const grpc = require("@grpc/grpc-js");

const method = (name, requestStream, responseStream) => ({
  path: `/shop.Stock/${name}`,
  requestStream,
  responseStream,
  requestSerialize: Buffer.from,
  requestDeserialize: String,
  responseSerialize: Buffer.from,
  responseDeserialize: String,
});
const Stock = {
  get: method("Get", false, false),
  list: method("List", false, true),
  put: method("Put", true, false),
  talk: method("Talk", true, true),
};

function get(call, answer) {
  if (call.request === "13") return answer({ code: grpc.status.NOT_FOUND, details: "no such article" });
  answer(null, "100");
}

function list(call) {
  for (const article of ["1", "2", "3"]) call.write(article);
  call.end();
}

function put(call, answer) {
  let count = 0;
  call.on("data", () => count++);
  call.on("end", () => answer(null, String(count)));
}

function talk(call) {
  call.on("data", (word) => call.write(word));
  call.on("end", () => call.end());
}

function serve() {
  const server = new grpc.Server();
  server.addService(Stock, { get, list, put, talk });
  server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    console.log(port);
  });
}

const drained = (call) => new Promise((done) => call.on("data", () => {}).on("end", done));

async function visit(port) {
  const client = new (grpc.makeGenericClientConstructor(Stock, "Stock"))(
    `127.0.0.1:${port}`,
    grpc.credentials.createInsecure(),
  );
  const answered = (name, word) => new Promise((done) => client[name](word, done));
  await answered("get", "7");
  await answered("get", "13");
  await drained(client.list("all"));
  await new Promise((done) => {
    const call = client.put(done);
    for (const word of ["one", "two"]) call.write(word);
    call.end();
  });
  const call = client.talk();
  for (const word of ["one", "two"]) call.write(word);
  call.end();
  await drained(call);
  client.close();
}

const [what, port] = process.argv.slice(2);
what === "serve" ? serve() : visit(port);
