// A host with agents in JavaScript, written from PROTOCOL.md alone.
//
//   node agent.mjs --token mesh30k1.… --host NAME --seed-file FILE
//        [--class C] [--count 1] [--work-ms 1]
//
// The seed file holds the host's key; beside it, in FILE.json, are the grants,
// so that a later start needs no token. One JSON line on stdout tells of each
// thing that happens: joined, welcome, message, repeat, worked, expired, refused,
// frozen, thawed, heartbeat_ack, reported, link; at the end, on SIGTERM, count.
//
// Its memory of messages ends with the process: what was received before a kill
// and is sent again is worked under the new process, once.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { performance } from "node:perf_hooks";
import { connect, jwtAuthenticator, nkeys } from "nats";

const { values: flags } = parseArgs({
  options: {
    token: { type: "string" },
    host: { type: "string" },
    "seed-file": { type: "string" },
    class: { type: "string", default: "C" },
    count: { type: "string", default: "1" },
    "work-ms": { type: "string", default: "1" },
  },
});
if (!flags.host || !flags["seed-file"]) {
  console.error("agent.mjs: --host and --seed-file are needed, and --token at the first start");
  process.exit(2);
}

const counts = { messages: 0, repeats: 0, worked: 0, expired: 0, refused: 0, heartbeats: 0, heartbeat_acks: 0, beats: 0 };
const bytes = (text) => new TextEncoder().encode(text);
const now = () => performance.timeOrigin + performance.now(); // finer than Date.now()
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function tell(event, more = {}) {
  process.stdout.write(JSON.stringify({ event, ...more }) + "\n");
}

// §1: every message opens with type and version.
function encode(type, members) {
  return bytes(JSON.stringify({ type, v: "1.0", ...members }));
}

function decode(data) {
  const m = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data));
  if (!String(m.v).startsWith("1.")) throw new Error(`version ${m.v} is not understood`);
  return m;
}

// Milliseconds since 1970 of a time on the wire, which may have nine digits of fraction.
function instant(text) {
  const m = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (!m) throw new Error(`${text} is no time`);
  return Date.parse(m[1] + m[3]) + Number(m[2] ?? 0) * 1000;
}

// §2: connecting. Who has joined tries for ever; a token that is refused is not
// good later either.
function dial(url, ca, name, jwt, seed, forever = true) {
  let attempt = 0;
  return connect({
    servers: url,
    name,
    tls: ca ? { ca } : undefined,
    authenticator: jwtAuthenticator(jwt, bytes(seed)),
    inboxPrefix: `_INBOX_${name}`,
    maxReconnectAttempts: forever ? -1 : 3,
    waitOnFirstConnect: forever,
    ignoreAuthErrorAbort: forever,
    reconnectDelayHandler: () => Math.random() * Math.min(5000, 100 * 2 ** Math.min(attempt++, 10)),
  });
}

function loadSeed(file) {
  if (!existsSync(file)) {
    writeFileSync(file, nkeys.createUser().getSeed(), { mode: 0o600 });
  }
  return readFileSync(file, "utf8").trim();
}

function readToken(text) {
  const prefix = "mesh30k1.";
  if (!text?.startsWith(prefix)) throw new Error(`a token begins with ${prefix}`);
  const token = JSON.parse(Buffer.from(text.slice(prefix.length), "base64url").toString("utf8"));
  if (!String(token.v).startsWith("1.")) throw new Error(`token of version ${token.v} is not understood`);
  return token;
}

// Joining, once: the token's user asks, and the grants are kept.
async function join(token, seed) {
  const nc = await dial(token.url, token.ca, token.id, token.jwt, token.seed, false);
  const question = encode("JOIN", {
    mesh: token.mesh,
    host: flags.host,
    key: nkeys.fromSeed(bytes(seed)).getPublicKey(),
    agents: [{ agent_class: flags.class, count: Number(flags.count) }],
    labels: { language: "javascript" },
  });
  const answer = decode((await nc.request(`m.join.${token.id}`, question, { timeout: 35_000 })).data);
  await nc.close();
  if (answer.type === "ERROR") throw new Error(`JOIN refused: ${answer.code}: ${answer.message}; ${answer.hint ?? ""}`);
  return { mesh: answer.mesh, url: token.url, ca: token.ca, grants: answer.grants };
}

// §4, Clocks: the offset of the exchange with the least delay, of the last eight.
class Clock {
  exchanges = [];
  rtts = [];

  add(t1, t2, t3, t4) {
    const delay = t4 - t1 - (t3 - t2);
    if (!(delay >= 0)) return;
    this.exchanges = [...this.exchanges.slice(-7), { offset: (t2 - t1 + (t3 - t4)) / 2, delay }];
    this.rtts = [...this.rtts.slice(-99), delay];
  }

  get best() {
    return this.exchanges.reduce((a, b) => (b.delay < a.delay ? b : a), { offset: 0, delay: Infinity });
  }

  get offset() {
    return this.best.offset;
  }

  get error() {
    return this.exchanges.length ? this.best.delay / 2 : 0;
  }

  core(at = now()) {
    return new Date(at + this.offset).toISOString();
  }
}

function median(list) {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted.length ? sorted[sorted.length >> 1] : 0;
}

// An agent works one message after the other.
class Agent {
  queue = [];
  busy = null;
  seen = new Map(); // by message_id: the AckItem that tells its present state
  worked = 0;
  took = [];
  frozen = false;
  frozenAt = 0;
  frozenFor = 0;

  constructor(id) {
    this.id = id;
  }

  setFrozen(frozen) {
    if (frozen === this.frozen) return false;
    if (frozen) this.frozenAt = performance.now();
    else this.frozenFor += performance.now() - this.frozenAt;
    this.frozen = frozen;
    return true;
  }

  // Milliseconds of life, without those spent frozen: what a time to live counts by.
  get awake() {
    return performance.now() - this.frozenFor - (this.frozen ? performance.now() - this.frozenAt : 0);
  }

  next() {
    let first = 0;
    for (let i = 1; i < this.queue.length; i++) {
      if (this.queue[i].message.priority > this.queue[first].message.priority) first = i;
    }
    return this.queue.splice(first, 1)[0];
  }

  beat(incarnation) {
    return {
      agent_id: this.id,
      incarnation,
      current_latency_ms: 0,
      current_processing_ms: median(this.took),
      current_queue_depth: this.queue.length,
      in_hand: this.busy ? 1 : 0,
      reliability_score: 1,
      drift_coefficient: 0,
      worked: this.worked,
      samples: this.took.length,
    };
  }
}

// A host's talk with the lead of one cluster.
class Cluster {
  agents = new Map();
  welcomed = false;
  greeting = false;
  frozen = { seq: -1 };
  stoppedAt = now();
  maxQueue = 1000;
  beats = 0;
  reports = 0;
  items = [];
  draining = false;

  constructor(link, address) {
    Object.assign(this, { link, address, clock: link.clock });
    for (const subject of [`m.c.${address}`, `m.c.${address}.${flags.host}`]) {
      link.nc.subscribe(subject, { callback: (err, msg) => err || this.down(msg) });
    }
  }

  subject(uplink) {
    return `m.${uplink}.${this.address}.${flags.host}`;
  }

  get names() {
    return { host: flags.host, cluster: this.address, incarnation: this.link.incarnation };
  }

  // HELLO at every start and reconnect, repeated until WELCOME has come.
  async hello() {
    this.welcomed = false;
    if (this.greeting) return;
    this.greeting = true;
    for (let pause = 500; !this.welcomed && !this.draining; pause = Math.min(2 * pause, 15_000)) {
      const t1 = now();
      const question = encode("HELLO", {
        ...this.names, mesh: this.link.mesh, program: "agent.mjs 1.0", sent_at: new Date(t1).toISOString(),
      });
      try {
        const answer = decode((await this.link.nc.request(this.subject("hello"), question, { timeout: pause })).data);
        if (answer.type === "WELCOME") this.welcome(answer, t1);
        else {
          tell("refused", { cluster: this.address, code: answer.code, message: answer.message });
          await wait(pause);
        }
      } catch {
        await wait(pause / 2 + (Math.random() * pause) / 2);
      }
    }
    this.greeting = false;
  }

  welcome(w, t1) {
    this.clock.add(t1, instant(w.received_at), instant(w.sent_at), now());
    this.maxQueue = w.max_queue;
    const listed = new Set(w.agents.map((a) => a.agent_id));
    for (const id of [...this.agents.keys()]) if (!listed.has(id)) this.agents.delete(id);
    for (const { agent_id } of w.agents) if (!this.agents.has(agent_id)) this.agents.set(agent_id, new Agent(agent_id));
    this.obey(w.frozen);
    this.welcomed = true;
    tell("welcome", { cluster: this.address, agents: [...listed], frozen: w.frozen, heartbeat_ms: w.heartbeat_ms });
    if (this.interval !== w.heartbeat_ms) {
      this.interval = w.heartbeat_ms;
      clearInterval(this.timer);
      clearTimeout(this.timer);
      this.timer = setTimeout(() => {
        this.timer = setInterval(() => this.heartbeat(), this.interval);
        this.heartbeat();
      }, Math.random() * this.interval);
    }
    for (const a of this.agents.values()) this.begin(a);
  }

  async heartbeat() {
    if (!this.link.up) return; // what is said while the link is down would come too late
    const t1 = now();
    const beat = encode("HEARTBEAT", {
      ...this.names,
      seq: ++this.beats,
      sent_at: new Date(t1).toISOString(),
      host_rtt_ms: median(this.clock.rtts),
      clock_offset_ms: this.clock.offset,
      clock_error_ms: this.clock.error,
      freeze_seq: Math.max(0, this.frozen.seq),
      agents: [...this.agents.values()].map((a) => a.beat(this.link.incarnation)),
    });
    counts.heartbeats++;
    counts.beats += this.agents.size;
    try {
      const ack = decode((await this.link.nc.request(this.subject("hb"), beat, { timeout: this.interval })).data);
      this.clock.add(t1, instant(ack.t2), instant(ack.t3), now());
      counts.heartbeat_acks++;
      tell("heartbeat_ack", { cluster: this.address, seq: ack.seq, offset_ms: this.clock.offset, error_ms: this.clock.error });
      if (ack.frozen) this.obey(ack.frozen);
      if (ack.hello) this.hello();
    } catch {
      // Lost: the next says it all again.
    }
  }

  // What the lead says of itself.
  down(msg) {
    let m;
    try {
      m = decode(msg.data);
      if (m.type === "COORDINATE") this.coordinate(m);
      else if (m.type === "FREEZE" || m.type === "THAW") this.obey(m.frozen);
      else if (m.type === "INJECT") throw new Error("INJECT: these agents are real");
    } catch (err) {
      this.report([{ kind: "rejected", at: this.clock.core(), detail: String(err.message).slice(0, 1000) }]);
    }
  }

  // A FrozenState is the whole truth, the latest seq counts; the answer says
  // which one is obeyed.
  obey(state) {
    if (state.seq >= this.frozen.seq) {
      this.frozen = state;
      const changed = { frozen: [], thawed: [] };
      for (const a of this.agents.values()) {
        const frozen = Boolean(state.all) || (state.agents ?? []).includes(a.id);
        if (a.setFrozen(frozen)) changed[frozen ? "frozen" : "thawed"].push(a.id);
      }
      for (const [event, agents] of Object.entries(changed)) {
        if (agents.length === 0) continue;
        this.stoppedAt = now();
        tell(event, { cluster: this.address, seq: state.seq, agents });
      }
    }
    const stopped = [...this.agents.values()].filter((a) => a.frozen);
    this.sendAcks({
      seq: Math.max(0, this.frozen.seq),
      frozen: stopped.length,
      in_hand: stopped.filter((a) => a.busy).length,
      stopped_at: this.clock.core(this.stoppedAt),
    });
    for (const a of this.agents.values()) this.begin(a);
  }

  coordinate(m) {
    for (const a of this.agents.values()) {
      const mine = m.all ? !(m.except ?? []).includes(a.id) : (m.target_agent_ids ?? []).includes(a.id);
      if (mine) this.receive(a, m);
    }
  }

  receive(a, m) {
    const known = a.seen.get(m.message_id);
    if (known) {
      counts.repeats++;
      tell("repeat", { agent: a.id, message_id: m.message_id, state: known.state });
      this.ack(a, m, known);
      return;
    }
    const came = { actual_arrival_time: this.clock.core() };
    if (!(m.ttl_ms > 0)) this.end(a, m, { ...came, state: "EXPIRED", trinary_state: 0, code: "expired" });
    else if (this.draining) this.end(a, m, { ...came, state: "REFUSED", trinary_state: 0, code: "draining" });
    else if (a.queue.length + (a.busy ? 1 : 0) >= this.maxQueue) {
      this.end(a, m, { ...came, state: "REFUSED", trinary_state: 0, code: "queue_full" });
    } else {
      counts.messages++;
      tell("message", { agent: a.id, message_id: m.message_id, payload: m.payload, frozen: a.frozen });
      this.ack(a, m, { ...came, state: "RECEIVED", trinary_state: 0 });
      a.queue.push({ message: m, came, until: a.awake + m.ttl_ms });
      setTimeout(() => this.sweep(a), m.ttl_ms + 50);
      this.begin(a);
    }
  }

  // Messages whose time to live ran out in the queue.
  sweep(a) {
    const over = a.queue.filter((q) => q.until <= a.awake);
    a.queue = a.queue.filter((q) => q.until > a.awake);
    for (const q of over) this.end(a, q.message, { ...q.came, state: "EXPIRED", trinary_state: 0, code: "expired" });
    if (a.queue.length > 0) setTimeout(() => this.sweep(a), 1000);
  }

  async begin(a) {
    if (!this.welcomed || this.draining || a.frozen || a.busy || a.queue.length === 0) return;
    const { message: m, came, until } = a.next();
    if (until <= a.awake) {
      this.end(a, m, { ...came, state: "EXPIRED", trinary_state: 0, code: "expired" });
    } else {
      a.busy = m;
      const from = performance.now();
      await wait(Number(flags["work-ms"]));
      const took = performance.now() - from;
      a.took = [...a.took.slice(-99), took];
      a.worked++;
      a.busy = null;
      this.end(a, m, { ...came, state: "WORKED", trinary_state: 1, processing_time_ms: took, answer: { echo: m.payload } });
    }
    this.begin(a);
  }

  end(a, m, item) {
    const what = { WORKED: "worked", EXPIRED: "expired", REFUSED: "refused" }[item.state];
    counts[what]++;
    tell(what, { agent: a.id, message_id: m.message_id, code: item.code });
    this.ack(a, m, item);
    // Final results are remembered for an hour beyond the time to live.
    setTimeout(() => a.seen.delete(m.message_id), Math.min(3_600_000 + m.ttl_ms, 2 ** 31 - 1)).unref();
  }

  ack(a, m, item) {
    item = { ...item, message_id: m.message_id, agents: [a.id] };
    a.seen.set(m.message_id, item);
    this.items.push(item);
    this.acking ??= setTimeout(() => this.sendAcks(), 5);
  }

  sendAcks(frozen) {
    clearTimeout(this.acking);
    this.acking = null;
    const all = this.items.splice(0);
    do {
      const items = all.splice(0, 10); // an answer may have 64 KiB, a message 1 MiB
      const ack = encode("ACK", { ...this.names, sent_at: this.clock.core(), items, frozen });
      this.link.nc.publish(this.subject("ack"), ack);
      frozen = undefined;
    } while (all.length > 0);
  }

  // What must not be lost is repeated until REPORTED has come, one at a time.
  report(items) {
    const seq = ++this.reports;
    const once = async () => {
      for (let pause = 1000; ; pause = Math.min(2 * pause, 30_000)) {
        try {
          const question = encode("REPORT", { ...this.names, seq, items });
          const answer = decode((await this.link.nc.request(this.subject("report"), question, { timeout: pause })).data);
          if (answer.type === "REPORTED" && answer.seq === seq) return tell("reported", { seq, kinds: items.map((i) => i.kind) });
        } catch {
          // Asked again below.
        }
        await wait(pause / 2);
      }
    };
    this.reporting = (this.reporting ?? Promise.resolve()).then(once);
    return this.reporting;
  }

  async leave() {
    this.draining = true;
    clearInterval(this.timer);
    clearTimeout(this.timer);
    const idle = async () => {
      while ([...this.agents.values()].some((a) => a.busy)) await wait(5);
    };
    const told = this.link.up ? this.report([{ kind: "leaving", at: this.clock.core() }]) : null;
    await Promise.race([Promise.all([told, idle()]), wait(3000)]);
    this.sendAcks();
  }
}

// One connection for each grant, that is for each sector.
async function start(home, grant, seed, incarnation) {
  const nc = await dial(home.url, home.ca, flags.host, grant.jwt, seed);
  const link = { nc, up: true, mesh: home.mesh, incarnation, clock: new Clock() };
  const clusters = grant.clusters.map((address) => new Cluster(link, address));
  await nc.flush();
  (async () => {
    for await (const { type } of nc.status()) {
      if (type !== "reconnect" && type !== "disconnect") continue;
      link.up = type === "reconnect";
      tell("link", { sector: grant.sector, is: type });
      if (type === "reconnect") for (const c of clusters) c.hello();
    }
  })();
  for (const c of clusters) c.hello();
  return { nc, link, clusters };
}

const seed = loadSeed(flags["seed-file"]);
const homeFile = flags["seed-file"] + ".json";
let home = existsSync(homeFile) ? JSON.parse(readFileSync(homeFile, "utf8")) : null;
if (!home) {
  home = await join(readToken(flags.token), seed);
}
home.incarnation = Math.max((home.incarnation ?? 0) + 1, Math.floor(now() / 1000));
writeFileSync(homeFile, JSON.stringify(home), { mode: 0o600 });
tell("joined", { mesh: home.mesh, host: flags.host, clusters: home.grants.flatMap((g) => g.clusters), incarnation: home.incarnation });

const links = await Promise.all(home.grants.map((g) => start(home, g, seed, home.incarnation)));

async function stop() {
  await Promise.all(links.flatMap((l) => l.clusters.map((c) => c.leave())));
  await Promise.race([Promise.all(links.filter((l) => l.link.up).map((l) => l.nc.flush())), wait(2000)]);
  tell("count", counts);
  await Promise.race([Promise.all(links.map((l) => l.nc.close())), wait(1000)]);
  process.exit(0);
}
process.once("SIGTERM", stop);
process.once("SIGINT", stop);
