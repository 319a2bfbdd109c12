// To and from the gateway: the desk's event stream, and what its human asks for.

const STALE_MS = 40000; // The server sends something every 15 s.
// The window's name outlives its reloads. While it lives nothing is stored, or a window that is duplicated would have it too.
const tab = sessionStorage.getItem('warmline-tab') || Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, '0')).join('');
sessionStorage.removeItem('warmline-tab');
addEventListener('pagehide', () => sessionStorage.setItem('warmline-tab', tab));
addEventListener('pageshow', () => sessionStorage.removeItem('warmline-tab'));

/** A desk that is signed in. */
export class Wire {
  constructor(login, on) {
    this.login = login;
    this.on = on;             // { event(name, data), linked(up), refused() }
    this.lastEventId = '';
    this.clockOffset = 0;     // Server time minus ours.
    this.closed = false;
  }

  url(path) { return `/v1/desks/${encodeURIComponent(this.login.desk)}${path}`; }
  /** The session itself is a cookie that no script can read; this says that its own page asks. */
  headers() { return { 'X-Warmline-Page': this.login.page }; }

  get(path) { return fetch(this.url(path), { headers: this.headers(), cache: 'no-store' }); }

  post(path, body) {
    const headers = { ...this.headers(), 'X-Warmline-Tab': tab };
    return fetch(this.url(path), { method: 'POST', headers, body: body && JSON.stringify(body), keepalive: true });
  }

  /** Our half of the audio of a caller, for the gateway's. */
  async offer(id, sdp) {
    const response = await this.post(`/handoffs/${encodeURIComponent(id)}/audio`, { sdp });
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return answer.sdp;
    throw Object.assign(new Error(answer.error ? answer.error.message : response.status), { final: response.status < 500 });
  }

  /** A session in exchange for the desk's token, which is then forgotten. */
  signIn(token) { return fetch(this.url('/session'), { method: 'POST', headers: { Authorization: `Bearer ${token}` } }); }

  signOut() { return fetch(this.url('/session'), { method: 'DELETE', headers: this.headers(), keepalive: true }); }

  /** The phone rings when this arrives, or 20 ms after the offer. */
  acknowledge(id) { this.post(`/handoffs/${encodeURIComponent(id)}/ack`).catch(() => {}); }

  close() {
    this.closed = true;
    this.stream?.abort();
  }

  /** Fetch rather than EventSource, which sends no headers. */
  async follow() {
    let pause = 300;
    while (!this.closed) {
      const stream = this.stream = new AbortController();
      let stale;
      const alive = () => { clearTimeout(stale); stale = setTimeout(() => stream.abort(), STALE_MS); };
      try {
        alive();
        const headers = { ...this.headers(), Accept: 'text/event-stream' };
        if (this.lastEventId) headers['Last-Event-ID'] = this.lastEventId;
        const response = await fetch(this.url('/events'), { headers, signal: stream.signal, cache: 'no-store' });
        if (response.status === 401) return this.on.refused();
        if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
        const date = Date.parse(response.headers.get('Date') || '');
        if (date && Math.abs(date - Date.now()) > 2000) this.clockOffset = date - Date.now();
        this.on.linked(true);
        pause = 300;
        await this.read(response.body, alive);
      } catch (error) {
        if (!this.closed && error.name !== 'AbortError') console.warn('event stream:', error.message);
      } finally {
        clearTimeout(stale);
      }
      if (this.closed) return;
      this.on.linked(false);
      await new Promise((done) => setTimeout(done, pause));
      pause = Math.min(pause * 1.7, 5000);
    }
  }

  async read(body, alive) {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    let rest = '', event = { name: 'message', data: [], id: null };
    for (;;) {
      const { value, done } = await reader.read();
      if (done || this.closed) return;
      alive();
      const lines = (rest + decoder.decode(value, { stream: true })).split('\n');
      rest = lines.pop();
      for (const raw of lines) {
        const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
        if (line === '') {
          if (event.data.length) this.on.event(event.name, JSON.parse(event.data.join('\n')));
          // Only now: an event that was cut off must come again.
          if (event.id !== null) this.lastEventId = event.id;
          event = { name: 'message', data: [], id: null };
          continue;
        }
        const colon = line.indexOf(':');
        if (colon === 0) continue;
        const field = colon < 0 ? line : line.slice(0, colon);
        const text = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
        if (field === 'event') event.name = text;
        else if (field === 'data') event.data.push(text);
        else if (field === 'id') event.id = text;
      }
    }
  }
}
