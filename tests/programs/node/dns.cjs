// Comes in: a port of a DNS server. Goes out: a scripted set of questions by Node's resolver.
const { Resolver } = require("node:dns").promises;

async function main(port) {
  const resolver = new Resolver({ tries: 1 });
  resolver.setServers([`127.0.0.1:${port}`]);
  await resolver.resolve4("alias.test");
  await resolver.resolve6("none.test").catch(() => {});
  await resolver.resolveTxt("text.test");
}

main(process.argv[2]);
