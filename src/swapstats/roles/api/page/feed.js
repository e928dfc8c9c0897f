// The WebSocket stream: one connection, its channels, and what is done when it breaks.
// Protocol: hello, frames of snapshots and RFC 7396 merge patches with seq and prev, heartbeats.

const PROTOCOL = 1;
const BACKOFF_MIN_MS = 250;
const BACKOFF_MAX_MS = 10_000;
const HELLO_WAIT_MS = 10_000;
const WATCH_MS = 500;
const RETRY_CHANNEL_MS = 1_000;
const CHANNEL_RETRIES_MAX = 600;
const RESUMES_MAX = 20;

/** Apply an RFC 7396 merge patch; returns the new value and leaves the old one as it is. */
export function merged(target, patch) {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const plain = target !== null && typeof target === "object" && !Array.isArray(target);
  const result = new Map(plain ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) result.delete(name);
    else result.set(name, merged(result.get(name), value));
  }
  return Object.fromEntries(result);
}

/** What to ask for a channel: from where it stands, if it ever got that far. */
function resumed({ channel, stream, seq }) {
  return stream === null ? { channel } : { channel, stream, seq };
}

/**
 * States told to `onState`: `connecting`, `live`, `stale` (connected, nothing heard for longer
 * than a heartbeat), `waiting` (until `retryAt`, by performance.now()).
 */
export class Feed {
  #url;
  #onState;
  #onMoment;
  #socket = null;
  #channels = new Map();
  #attempt = 0;
  #timer = 0;
  #watch = 0;
  #heardAt = 0;
  #heartbeatMs = 5_000;
  #greeted = false;

  constructor(url, { onState, onMoment }) {
    this.#url = url;
    this.#onState = onState;
    this.#onMoment = onMoment;
    this.state = { name: "connecting", attempt: 0, retryAt: 0 };
    this.heartbeatMs = this.#heartbeatMs;
  }

  /** Connect, now; does nothing while a connection stands or is being made. */
  start() {
    if (this.#socket) return;
    clearTimeout(this.#timer);
    this.#greeted = false;
    this.#heardAt = performance.now();
    this.#tell("connecting");
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onmessage = (event) => socket === this.#socket && this.#read(event.data);
    socket.onclose = () => socket === this.#socket && this.#lost();
    this.#watch = setInterval(() => this.#look(), WATCH_MS);
  }

  /**
   * Keep a channel subscribed, over reconnects too.
   *
   * `listener.data(value, kind)` gets the whole value after each `snapshot`, `patch` or
   * `overview`; `listener.problem(problem)` gets a refusal.
   */
  subscribe(channel, listener) {
    this.#channels.set(channel, {
      channel, listener, stream: null, seq: null, data: null, waiting: false, retries: 0,
    });
    if (this.#greeted) this.#send({ subscribe: channel });
  }

  unsubscribe(channel) {
    if (this.#channels.delete(channel) && this.#greeted) this.#send({ unsubscribe: channel });
  }

  #tell(name, retryAt = 0) {
    this.state = { name, attempt: this.#attempt, retryAt };
    this.#onState(this.state);
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #lost() {
    const socket = this.#socket;
    this.#socket = null;
    this.#greeted = false;
    clearInterval(this.#watch);
    if (socket && socket.readyState < WebSocket.CLOSING) socket.close();
    const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** this.#attempt);
    const delay = ceiling * (0.5 + Math.random() / 2);
    this.#attempt += 1;
    this.#timer = setTimeout(() => this.start(), delay);
    this.#tell("waiting", performance.now() + delay);
  }

  #look() {
    const silent = performance.now() - this.#heardAt;
    if (!this.#greeted) {
      if (silent > HELLO_WAIT_MS) this.#lost();
    } else if (silent > 2.5 * this.#heartbeatMs) this.#lost();
    else if (silent > 1.5 * this.#heartbeatMs && this.state.name === "live") this.#tell("stale");
  }

  #read(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      this.#lost();
      return;
    }
    this.#heardAt = performance.now();
    if (this.#greeted && this.state.name === "stale") this.#tell("live");
    if (message.type === "hello") this.#greet(message);
    else if (message.type === "frame") this.#frame(message);
    else if (message.type === "heartbeat") this.#onMoment(message.as_of, message.lag_ms);
    else if (String(message.type).startsWith("urn:")) this.#refused(message);
  }

  #greet(hello) {
    this.#heartbeatMs = this.heartbeatMs = hello.heartbeat_ms || this.#heartbeatMs;
    this.#greeted = true;
    this.#attempt = 0;
    this.outdated = hello.version !== PROTOCOL;
    this.#tell("live");
    const wanted = [...this.#channels.values()].map(resumed);
    for (const entry of this.#channels.values()) entry.waiting = false;
    if (wanted.length) this.#send({ subscribe: wanted });
  }

  #frame(frame) {
    this.#onMoment(frame.as_of, frame.lag_ms);
    for (const event of frame.events) {
      const entry = this.#channels.get(event.channel);
      if (entry) this.#take(entry, event);
    }
  }

  #take(entry, event) {
    entry.retries = 0;
    if (event.event === "patch") {
      if (entry.waiting) return;
      if (entry.data === null || event.stream !== entry.stream || event.prev !== entry.seq) {
        entry.waiting = true;
        this.#send({ subscribe: entry.channel });
        return;
      }
      entry.data = merged(entry.data, event.patch);
      entry.seq = event.seq;
    } else if (event.event === "snapshot") {
      entry.waiting = false;
      entry.stream = event.stream;
      entry.seq = event.seq;
      entry.data = event.data;
    } else if (event.event === "overview") entry.data = event.data;
    else return;
    entry.listener.data(entry.data, event.event);
  }

  #refused(problem) {
    const entry = this.#channels.get(problem.channel);
    if (!entry) return;
    if (problem.status === 503 && entry.retries < CHANNEL_RETRIES_MAX) {
      entry.retries += 1;
      setTimeout(() => {
        const still = this.#channels.get(entry.channel) === entry;
        if (!still || !this.#greeted) return;
        // Numbers never go back in time: wait for an instance that lags before starting anew.
        const plain = entry.waiting || entry.retries > RESUMES_MAX;
        this.#send({ subscribe: plain ? entry.channel : [resumed(entry)] });
      }, RETRY_CHANNEL_MS);
    }
    entry.listener.problem(problem);
  }
}
