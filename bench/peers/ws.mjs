// node's `ws`: the loop over `wss.clients` that its README shows.
import { createRequire } from "node:module";

const { WebSocketServer, WebSocket } = createRequire(process.env.WS_FOLDER + "/")("ws");
const [, , kind, rate, size] = process.argv;
const wss = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false, backlog: 1024 });
let going = false;
let seq = 0;
process.on("SIGUSR2", () => { going = true; });
process.on("SIGHUP", () => { going = false; });

function message() {
  const at = String(process.hrtime.bigint()).padStart(16, "0");
  const head = `{"seq":${String(++seq).padStart(9, "0")},"at":${at},"x":"`;
  return head + "x".repeat(Number(size) - head.length - 2) + '"}';
}

wss.on("listening", () => console.log("port", wss.address().port));
let due = performance.now();
setInterval(() => {
  if (!going) { due = performance.now(); return; }
  if (performance.now() < due) return;
  due += 1000 / Number(rate);
  const data = message();
  for (const client of wss.clients) {
    if (client.readyState === WebSocket.OPEN) client.send(data, { binary: false });
  }
}, 1);
