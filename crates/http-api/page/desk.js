// The desk page. No framework, no build step; everything that came from outside enters the page as text.
'use strict';

const $ = (id) => document.getElementById(id);
const STALE_MS = 40000; // The server sends something every 15 s.
const REASONS = {
  asked: 'The caller asked for a person', dtmf: 'The caller pressed a key for a person', emergency: 'Emergency words',
  compliance: 'Words that only a person may answer', distress: 'The caller sounds upset',
  low_confidence: 'The bot is unsure of its answers', failed_attempts: 'The bot tried and failed',
  legal: 'Legal words',
  medical: 'A medical question',
  minors: 'The caller may be a child',
  fraud: 'Words of fraud',
  dispute: 'The caller disputes a charge',
  cancellation: 'The caller wants to cancel',
  vulnerable: 'The caller may need special care',
  frustration: 'The caller\'s words are frustrated',
  same_question: 'The caller keeps asking the same',
  loop: 'The conversation goes in circles',
  hedging: 'The bot hedges or contradicts itself',
  unclear: 'The bot did not understand the caller',
  verification: 'The caller could not be verified',
  system_error: 'A system failed',
  high_value: 'A high-value request',
  vip: 'A priority customer',
  silence: 'Nobody has spoken for a while',
  monologue: 'The caller has talked for long',
  long_call: 'The call has lasted long',
  bot: 'The bot asked for help', bot_down: 'The bot was lost',
  operator: 'Your operations team asked for you', direct: 'The caller dialled you directly',
  passed_on: 'A colleague passes the caller on',
};
const ENDS = {
  handed_back: 'gave the caller back to the bot', human_gone: 'hung up', failed: 'did not get the caller',
  passed_on: 'passed the caller on',
};
const STATES = {
  offered: ['Ringing your phone', ''], acknowledged: ['Ringing your phone', ''], accepted: ['Accepted: connecting', 'good'],
  declined: ['Declined', 'bad'], joined: ['You are talking', 'good'], released: ['You are talking', 'good'],
};

// ---- State ---------------------------------------------------------------------------------------------------------

const tab = Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, '0')).join('');
let login = null;          // { desk, token }
let pops = new Map();      // handoff id -> { status, package, sip_call_id, over, joinedAt, ticked }
let shown = null;          // handoff id
let recent = [];           // { at, who, what }
let lastEventId = '';
let clockOffset = 0;       // Server time minus ours.
let stream = null;         // AbortController
const drawn = new Map();   // Element id -> the JSON it was drawn from.

// ---- The event stream: fetch rather than EventSource, because a token belongs in a header ---------------------------

async function follow() {
  let pause = 300;
  while (login) {
    const mine = login;
    stream = new AbortController();
    let stale;
    const alive = () => { clearTimeout(stale); stale = setTimeout(() => stream.abort(), STALE_MS); };
    try {
      alive();
      const headers = { Authorization: `Bearer ${mine.token}`, Accept: 'text/event-stream' };
      if (lastEventId) headers['Last-Event-ID'] = lastEventId;
      const response = await fetch(url('events'), { headers, signal: stream.signal, cache: 'no-store' });
      if (response.status === 401) return signOut('This desk and token do not match.');
      if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
      const date = Date.parse(response.headers.get('Date') || '');
      if (date && Math.abs(date - Date.now()) > 2000) clockOffset = date - Date.now();
      linked(true);
      pause = 300;
      await readEvents(response.body, alive);
    } catch (error) {
      if (login === mine && error.name !== 'AbortError') console.warn('event stream:', error.message);
    } finally {
      clearTimeout(stale);
    }
    if (login !== mine) return;
    linked(false);
    await new Promise((done) => setTimeout(done, pause));
    pause = Math.min(pause * 1.7, 5000);
  }
}

async function readEvents(body, alive) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '', event = { name: 'message', data: [], id: null };
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    alive();
    const lines = (rest + decoder.decode(value, { stream: true })).split('\n');
    rest = lines.pop();
    for (const raw of lines) {
      const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
      if (line === '') {
        if (event.data.length) handle(event.name, JSON.parse(event.data.join('\n')));
        // Only now: an event that was cut off must come again.
        if (event.id !== null) lastEventId = event.id;
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

function handle(name, data) {
  if (name === 'snapshot') return snapshot(data);
  const id = data.handoff;
  if (name === 'offered') return offered(data);
  const pop = pops.get(id);
  if (!pop || pop.over) return;
  if (name === 'amended') pop.package = data.package;
  else if (name === 'retracted') over(id, pop, sentence(data.why), 'gone');
  else if (name === 'ended') over(id, pop, sentence(data.why), 'gone');
  else if (name === 'handing_back') pop.handing = 'The bot is being fetched. You keep the caller until it is there.';
  else if (name === 'not_handed_back') { pop.handing = ''; pop.kept = `You still have the caller: ${data.why}.`; say(pop.kept); }
  else advance(pop, name);
  render();
}

function snapshot(data) {
  const before = pops;
  pops = new Map();
  for (const item of data.pops) {
    const old = before.get(item.handoff);
    const joinedAt = item.talking_ms === null ? null : now() - item.talking_ms;
    pops.set(item.handoff, { ...item, ticked: old ? old.ticked : new Set(), joinedAt });
    advance(pops.get(item.handoff), item.status);
    if (!old) announce(item);
  }
  for (const [id, pop] of before) if (!pops.has(id) && !pop.over) remember(pop, 'Ended while this page was away');
  if (!pops.has(shown)) shown = data.pops.length ? data.pops[data.pops.length - 1].handoff : null;
  for (const item of data.pops) if (item.status === 'offered') acknowledge(item.handoff);
  render();
}

function offered(data) {
  for (const [id, pop] of pops) if (pop.over) pops.delete(id);
  pops.set(data.handoff, { ...data, ticked: new Set(), joinedAt: null });
  // Somebody who talks is not interrupted: the newcomer waits in the top bar.
  const current = pops.get(shown);
  if (!current || !['joined', 'released', 'accepted'].includes(current.status)) shown = data.handoff;
  // The request leaves while the story is drawn, within the same task: the phone waits at most 20 ms for it.
  acknowledge(data.handoff);
  render();
  announce(data);
  chime();
}

function advance(pop, status) {
  pop.status = status;
  if ((status === 'joined' || status === 'released') && !pop.joinedAt) pop.joinedAt = now();
}

function over(id, pop, why, tone) {
  pop.over = { why, tone: pop.joinedAt ? '' : tone };
  if (pop.joinedAt && tone === 'gone') pop.over.why = `Conversation over. ${why}`;
  remember(pop, why);
  say(pop.over.why);
}

function remember(pop, what) {
  recent = [{ at: now(), who: nameOf(pop.package), what }, ...recent].slice(0, 6);
}

// ---- Back to the server ----------------------------------------------------------------------------------------------

function url(path) { return `/v1/desks/${encodeURIComponent(login.desk)}/${path}`; }

function post(id, action, body) {
  const headers = { Authorization: `Bearer ${login.token}`, 'X-Warmline-Tab': tab };
  return fetch(url(`handoffs/${encodeURIComponent(id)}/${action}`), { method: 'POST', headers, body, keepalive: true });
}

// The phone rings when this arrives, or 20 ms after the offer.
function acknowledge(id) { post(id, 'ack').catch(() => {}); }

// Keeps a second connection open, so that an acknowledgement need not wait for a handshake.
function keepWarm() {
  if (login) fetch(`/v1/desks/${encodeURIComponent(login.desk)}`, { headers: { Authorization: `Bearer ${login.token}` } }).catch(() => {});
}

async function act(action) {
  const id = shown, pop = pops.get(id);
  if (!pop || !answerable(pop) || pop.asking) return;
  pop.asking = true;
  $('action-error').textContent = '';
  render();
  try {
    const response = await post(id, action);
    if (response.ok) {
      if (!pop.over && ['offered', 'acknowledged'].includes(pop.status)) advance(pop, (await response.json()).status);
    } else {
      const { error } = await response.json().catch(() => ({ error: { message: `Refused (${response.status}).` } }));
      if (id === shown) $('action-error').textContent = error.message;
      say(error.message);
    }
  } catch {
    if (id === shown) $('action-error').textContent = 'The gateway could not be reached. Use your phone.';
  }
  pop.asking = false;
  render();
}

async function handBack() {
  const id = shown, pop = pops.get(id);
  if (!pop || pop.over || pop.status !== 'joined' || pop.handing) return;
  pop.handing = 'Asking for the bot…';
  pop.kept = '';
  render();
  try {
    const response = await post(id, 'hand-back', JSON.stringify({ notes: $('notes').value }));
    if (!response.ok) {
      const { error } = await response.json().catch(() => ({ error: { message: `Refused (${response.status}).` } }));
      pop.handing = '';
      pop.kept = error.message;
    }
  } catch {
    pop.handing = '';
    pop.kept = 'The gateway could not be reached. You still have the caller.';
  }
  render();
}

function answerable(pop) { return !pop.over && (pop.status === 'offered' || pop.status === 'acknowledged'); }

// ---- Drawing ---------------------------------------------------------------------------------------------------------

function node(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  element.append(...children.map((child) => (child instanceof Node ? child : document.createTextNode(String(child)))));
  return element;
}

function svg(tag, attributes, text) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

// Redraws a list only when its data changed, so that scrolling and selections survive an amendment.
function draw(id, data, make) {
  const key = JSON.stringify([shown, data]);
  if (drawn.get(id) === key) return;
  drawn.set(id, key);
  $(id).replaceChildren(...make());
}

function render() {
  const pop = pops.get(shown);
  $('sign-in').hidden = !!login;
  $('idle').hidden = !login || !!pop;
  $('card').hidden = !login || !pop;
  document.body.classList.toggle('acting', !!pop && answerable(pop));
  document.title = title(pop);
  renderWaiting();
  renderRecent();
  if (pop) renderCard(pop);
}

function title(pop) {
  if (!pop || pop.over) return login ? `Warmline: ${login.desk}` : 'Warmline desk';
  return `${answerable(pop) ? '● Call' : 'Call'}: ${nameOf(pop.package)}`;
}

function renderWaiting() {
  const list = [...pops].map(([id, pop]) => [id, nameOf(pop.package), id === shown]);
  draw('waiting', list, () => (list.length < 2 ? [] : list.map(([id, name, current]) => {
    const button = node('button', { type: 'button', 'aria-current': current }, name);
    button.addEventListener('click', () => { shown = id; $('action-error').textContent = ''; render(); });
    return button;
  })));
}

function renderRecent() {
  $('recent').hidden = recent.length === 0;
  draw('recent-list', recent, () => recent.map((item) => node('li', {},
    node('time', {}, new Date(item.at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })),
    node('b', {}, item.who), node('span', { class: 'muted' }, item.what))));
}

function renderCard(pop) {
  const p = pop.package, ringing = answerable(pop), talking = !!pop.joinedAt && !pop.over;
  $('card').classList.toggle('over', !!pop.over);
  const hero = document.querySelector('.hero');
  hero.classList.toggle('ringing', ringing);
  hero.classList.toggle('talking', talking);
  $('actions').hidden = !ringing;
  $('accept').disabled = $('decline').disabled = !!pop.asking;
  const [text, tone] = pop.over ? ['Over', ''] : STATES[pop.status] || [pop.status, ''];
  chip('chip-state', text, tone);
  chip('chip-urgency', p.urgency === 'emergency' ? 'Emergency' : 'Urgent', p.urgency === 'emergency' ? 'bad' : 'warn');
  $('chip-urgency').hidden = p.urgency === 'normal';
  chip('chip-trigger', p.intent ? words(p.intent) : p.trigger === 'dtmf' ? 'Pressed a key' : words(p.trigger), 'plain');
  $('caller').textContent = nameOf(p);
  const sub = p.caller_name ? `${number(p.caller)} called ${number(p.called)}` : `called ${number(p.called)}`;
  $('caller-sub').textContent = p.trigger === 'direct' ? sub : `${sub} · ${span(p.started_unix_ms - p.call_started_unix_ms)} with the bot`;
  $('summary').textContent = p.summary || (p.trigger === 'direct' ? 'Came straight to you, without the bot.' : 'The bot left no summary.');
  document.querySelector('.why').classList.toggle('hot', p.urgency !== 'normal' || p.trigger === 'distress');
  document.querySelector('.grid').classList.toggle('sparse', p.trajectory.length < 2 && p.transcript.length === 0);
  $('complete').textContent = `${p.completeness} %`;
  $('ring-fill').setAttribute('stroke-dasharray', `${p.completeness} 100`);
  renderBanner(pop);
  renderHandBack(pop);
  renderEarlier(p);
  renderWhy(p);
  renderLists(pop, p);
  renderVoice(p);
  renderSaid(p);
  $('ids').textContent = `Handoff ${p.id} · call ${p.call} · session ${p.session_id} · story version ${p.version}`;
  tick();
}

function renderBanner(pop) {
  const banner = $('banner');
  let text = '', tone = '';
  if (pop.over) { text = pop.over.why; tone = pop.over.tone; }
  else if (pop.status === 'accepted') { text = 'Accepted. Pick up your phone: you are being connected.'; tone = 'good'; }
  else if (pop.status === 'declined') { text = 'Declined. The bot keeps the caller, or the next desk rings.'; }
  else if (pop.status === 'joined') { text = 'You and the caller hear each other.'; tone = 'good'; }
  else if (pop.status === 'released') { text = 'You and the caller hear each other, directly by your phone.'; tone = 'good'; }
  banner.hidden = !text;
  banner.className = `banner ${tone}`;
  if ($('banner-text').textContent !== text) $('banner-text').textContent = text;
  $('dismiss').hidden = !dismissible(pop);
}

function renderHandBack(pop) {
  const form = $('hand-back');
  form.hidden = !!pop.over || pop.status !== 'joined' || pop.package.trigger === 'direct';
  if (form.dataset.handoff !== shown) { form.dataset.handoff = shown; $('notes').value = ''; }
  $('hand-back-button').disabled = $('notes').readOnly = !!pop.handing;
  $('hand-back-text').textContent = pop.handing || pop.kept || '';
}

function renderEarlier(p) {
  $('p-earlier').hidden = p.earlier.length === 0;
  draw('earlier', p.earlier, () => p.earlier.map((one) => node('li', {}, node('span', {},
    node('b', {}, one.desk || 'Nobody'), ` ${ENDS[one.ended_by] || words(one.ended_by)} (${words(one.outcome)})`,
    one.notes ? `: ${one.notes}` : ''))));
}

function dismissible(pop) { return !!pop.over || pop.status === 'released' || pop.status === 'declined'; }

function renderWhy(p) {
  $('why-head').textContent = REASONS[p.trigger] || words(p.trigger);
  draw('because', p.because, () => p.because.map((fact) => node('li', {}, stamp(p, fact.at_unix_ms), node('span', {}, fact.text))));
}

function renderLists(pop, p) {
  $('p-steps').hidden = p.next_steps.length === 0;
  draw('steps', p.next_steps, () => p.next_steps.map((step) => {
    const box = node('input', { type: 'checkbox' });
    box.checked = pop.ticked.has(step);
    box.addEventListener('change', () => (box.checked ? pop.ticked.add(step) : pop.ticked.delete(step)));
    return node('li', {}, node('label', {}, box, node('span', {}, step)));
  }));
  draw('tried', p.actions, () => (p.actions.length ? p.actions.map((action) => node('li', {}, stamp(p, action.at_unix_ms),
    node('span', {}, node('span', { class: `verdict ${action.succeeded ? 'yes' : 'no'}` }, action.succeeded ? '✓ Worked ' : '✗ Failed '),
      node('b', {}, words(action.name)), action.result ? `: ${action.result}` : ''))) : [node('li', { class: 'none' }, 'Nothing was reported.')]));
  $('p-known').hidden = p.entities.length === 0 && !p.intent;
  draw('known', [p.intent, p.entities], () => [...(p.intent ? [{ name: 'wants', value: words(p.intent) }] : []), ...p.entities]
    .flatMap((entity) => [node('dt', {}, words(entity.name)), node('dd', {}, entity.value)]));
}

function renderSaid(p) {
  const list = $('said');
  $('p-said').hidden = p.transcript.length === 0;
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  const fresh = !drawn.has('said') || !drawn.get('said').startsWith(JSON.stringify([shown]).slice(0, -1));
  draw('said', p.transcript, () => p.transcript.map((turn) => {
    const unsure = turn.confidence !== null && turn.confidence < 0.6;
    const by = node('span', { class: 'by' }, `${turn.speaker === 'caller' ? 'Caller' : 'Bot'} · ${offset(p, turn.at_unix_ms)}`);
    if (unsure) by.append(node('span', { class: 'unsure' }, ` · unsure (${Math.round(turn.confidence * 100)} %)`));
    return node('li', { class: turn.speaker }, by, node('span', {}, turn.text));
  }));
  if (atEnd || fresh) list.scrollTop = list.scrollHeight;
}

// ---- The voice -------------------------------------------------------------------------------------------------------

function mood(p) {
  const last = p.trajectory[p.trajectory.length - 1];
  if (p.trajectory.length < 2) return ['', 'Not heard'];
  if (last.distress >= 0.6) return ['upset', 'Upset'];
  return last.distress >= 0.35 ? ['tense', 'Tense'] : ['calm', 'Calm'];
}

function renderVoice(p) {
  const [tone, text] = mood(p);
  $('mood').className = `mood ${tone}`;
  $('mood-text').textContent = text;
  $('p-voice').hidden = p.trajectory.length < 2;
  if (p.trajectory.length < 2) return;
  draw('curve', p.trajectory, () => [curve(p)]);
  const peak = p.trajectory.reduce((a, b) => (b.distress > a.distress ? b : a));
  $('curve-text').textContent = voiceText(p, peak);
}

function voiceText(p, peak) {
  const first = p.trajectory[0], last = p.trajectory[p.trajectory.length - 1];
  const percent = (value) => `${Math.round(value * 100)} %`;
  return `Distress ${percent(first.distress)} at first, ${percent(peak.distress)} at ${offset(p, peak.at_unix_ms)}, `
    + `${percent(last.distress)} now. Thin line: how lively the voice is. Scored by a model on the caller's voice only; it can be wrong.`;
}

function curve(p) {
  const W = 560, H = 190, left = 40, right = 10, top = 16, bottom = 24;
  const begin = p.call_started_unix_ms, end = Math.max(p.trajectory[p.trajectory.length - 1].at_unix_ms, p.started_unix_ms) + 500;
  const x = (at) => left + ((at - begin) / Math.max(end - begin, 1)) * (W - left - right);
  const y = (value) => top + (1 - value) * (H - top - bottom);
  const line = (points, value) => points.map((point, i) => `${i ? 'L' : 'M'}${x(point.at_unix_ms).toFixed(1)} ${y(value(point)).toFixed(1)}`).join('');
  const picture = svg('svg', { viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-labelledby': 'curve-text' });
  for (const value of [0, 0.5, 1]) {
    picture.append(svg('line', { class: 'rule', x1: left, x2: W - right, y1: y(value), y2: y(value) }),
      svg('text', { class: 'label', x: left - 6, y: y(value) + 4, 'text-anchor': 'end' }, `${value * 100}%`));
  }
  const seconds = (end - begin) / 1000, step = [5, 10, 20, 30, 60, 120, 300, 600, 1800].find((s) => seconds / s <= 7) || 3600;
  for (let t = 0; t <= seconds; t += step) {
    picture.append(svg('text', { class: 'label', x: x(begin + t * 1000), y: H - 6, 'text-anchor': t ? 'middle' : 'start' }, clock(t * 1000)));
  }
  const points = p.trajectory, known = points.findIndex((point) => point.baselined);
  const early = known < 0 ? points : points.slice(0, known + 1), sure = known < 0 ? [] : points.slice(known);
  const distress = (point) => point.distress;
  const base = `L${x(points[points.length - 1].at_unix_ms).toFixed(1)} ${y(0)}L${x(points[0].at_unix_ms).toFixed(1)} ${y(0)}Z`;
  picture.append(svg('path', { class: 'area', d: line(points, distress) + base }),
    svg('path', { class: 'arousal', d: line(points, (point) => point.arousal) }));
  if (early.length > 1) picture.append(svg('path', { class: 'distress early', d: line(early, distress) }));
  if (sure.length) picture.append(svg('path', { class: 'distress', d: line(sure, distress) }));
  const mark = x(p.started_unix_ms);
  picture.append(svg('line', { class: 'mark', x1: mark, x2: mark, y1: top, y2: H - bottom }),
    svg('text', { class: 'mark-text', x: mark - 5, y: top - 4, 'text-anchor': mark > W / 2 ? 'end' : 'start' }, 'handoff'));
  probe(picture, p, x, y, { W, top, floor: H - bottom });
  return picture;
}

// The value under the pointer.
function probe(picture, p, x, y, size) {
  const line = svg('line', { class: 'probe', y1: size.top, y2: size.floor, visibility: 'hidden' });
  const dot = svg('circle', { class: 'probe-dot', r: 5, visibility: 'hidden' });
  picture.append(line, dot);
  const rest = $('curve-text');
  picture.addEventListener('pointermove', (event) => {
    const box = picture.getBoundingClientRect(), at = ((event.clientX - box.left) / box.width) * size.W;
    const near = p.trajectory.reduce((a, b) => (Math.abs(x(b.at_unix_ms) - at) < Math.abs(x(a.at_unix_ms) - at) ? b : a));
    const cx = x(near.at_unix_ms);
    line.setAttribute('x1', cx); line.setAttribute('x2', cx); dot.setAttribute('cx', cx); dot.setAttribute('cy', y(near.distress));
    line.setAttribute('visibility', 'visible'); dot.setAttribute('visibility', 'visible');
    rest.textContent = `${offset(p, near.at_unix_ms)}: distress ${Math.round(near.distress * 100)} %, sounds ${near.emotion} (${Math.round(near.confidence * 100)} %)`;
  });
  picture.addEventListener('pointerleave', () => {
    line.setAttribute('visibility', 'hidden'); dot.setAttribute('visibility', 'hidden');
    renderVoice(p);
  });
}

// ---- Words -----------------------------------------------------------------------------------------------------------

function now() { return Date.now() + clockOffset; }
function words(token) { const text = String(token).replaceAll('_', ' '); return text.charAt(0).toUpperCase() + text.slice(1); }
function sentence(text) { const t = String(text || 'It was withdrawn'); return t.charAt(0).toUpperCase() + t.slice(1) + (/[.!?]$/.test(t) ? '' : '.'); }
function number(text) { return text || 'Withheld number'; }
function nameOf(p) { return p.caller_name || p.caller || 'Withheld number'; }
function clock(ms) { const s = Math.max(0, Math.round(ms / 1000)); return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`; }
function span(ms) { const s = Math.max(0, Math.round(ms / 1000)); return s < 60 ? `${s} s` : `${Math.floor(s / 60)} min ${s % 60} s`; }
function offset(p, at) { return clock(at - p.call_started_unix_ms); }
function stamp(p, at) { return node('time', { datetime: new Date(at).toISOString() }, offset(p, at)); }
function chip(id, text, tone) { $(id).textContent = text; $(id).className = `chip ${tone}`; }
function say(text) { $('live').textContent = text; }
function announce(item) { say(`Incoming: ${nameOf(item.package)}. ${REASONS[item.package.trigger] || ''}. ${item.package.summary}`); }

function linked(up) {
  $('link').hidden = !login;
  $('link').classList.toggle('off', !up);
  if (up) $('action-error').textContent = '';
  $('link-text').textContent = up ? 'Connected' : 'Reconnecting…';
}

function tick() {
  const pop = pops.get(shown);
  if (!pop || pop.over) return;
  $('clock-label').textContent = pop.joinedAt ? 'Talking' : 'Waiting';
  $('clock').textContent = clock(now() - (pop.joinedAt || pop.package.started_unix_ms));
}

// ---- Chime: two soft notes, made here --------------------------------------------------------------------------------

let audio = null;
function soundOn() { return localStorage.getItem('warmline-sound') !== 'off'; }
function chime() {
  if (!soundOn()) return;
  try {
    audio = audio || new AudioContext();
    if (audio.state === 'suspended') return;
    [[659, 0], [880, 0.16]].forEach(([pitch, at]) => {
      const tone = audio.createOscillator(), gain = audio.createGain(), t = audio.currentTime + at;
      tone.frequency.value = pitch;
      gain.gain.setValueAtTime(0, t); gain.gain.linearRampToValueAtTime(0.12, t + 0.02); gain.gain.exponentialRampToValueAtTime(0.0005, t + 0.5);
      tone.connect(gain).connect(audio.destination); tone.start(t); tone.stop(t + 0.55);
    });
  } catch { /* No audio device: the page is silent. */ }
}
function showSound() { $('sound').textContent = soundOn() ? 'Chime on' : 'Chime off'; $('sound').setAttribute('aria-pressed', soundOn()); }

// ---- Signing in ------------------------------------------------------------------------------------------------------

async function signIn(desk, token) {
  login = { desk, token };
  let response;
  try {
    response = await fetch(`/v1/desks/${encodeURIComponent(desk)}`, { headers: { Authorization: `Bearer ${token}` } });
  } catch { return signOut('The gateway could not be reached.'); }
  if (!response.ok) return signOut(response.status === 401 ? 'This desk and token do not match.' : `Refused (${response.status}).`);
  // For this tab and its reloads only.
  sessionStorage.setItem('warmline-desk', JSON.stringify(login));
  $('desk-name').textContent = (await response.json()).display;
  $('sign-out').hidden = $('sound').hidden = false;
  $('sign-in-token').value = '';
  lastEventId = '';
  render();
  follow();
}

function signOut(why) {
  login = null;
  pops = new Map(); shown = null; recent = []; drawn.clear(); lastEventId = '';
  sessionStorage.removeItem('warmline-desk');
  if (stream) stream.abort();
  $('desk-name').textContent = '';
  $('sign-out').hidden = $('sound').hidden = $('link').hidden = true;
  $('sign-in-error').textContent = why || '';
  render();
  $('sign-in-desk').focus();
}

function dismiss() {
  const pop = pops.get(shown);
  if (!pop || !dismissible(pop)) return;
  if (!pop.over) remember(pop, pop.status === 'declined' ? 'Declined' : 'Connected');
  if (pop.status === 'released' && !pop.over) post(shown, 'done').catch(() => {});
  pops.delete(shown);
  shown = [...pops.keys()].pop() || null;
  render();
}

$('sign-in-form').addEventListener('submit', (event) => {
  event.preventDefault();
  signIn($('sign-in-desk').value.trim(), $('sign-in-token').value.trim());
});
$('sign-out').addEventListener('click', () => signOut(''));
$('sound').addEventListener('click', () => { localStorage.setItem('warmline-sound', soundOn() ? 'off' : 'on'); showSound(); chime(); });
$('accept').addEventListener('click', () => act('accept'));
$('decline').addEventListener('click', () => act('decline'));
$('dismiss').addEventListener('click', dismiss);
$('hand-back').addEventListener('submit', (event) => { event.preventDefault(); handBack(); });
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) && event.target.type !== 'checkbox') return;
  const key = event.key.toLowerCase();
  if (key === 'a') act('accept');
  else if (key === 'd') act('decline');
  else if (key === 'escape') dismiss();
});
setInterval(tick, 500);
setInterval(keepWarm, 50000);

// A link may carry desk and token behind the '#', which browsers never send anywhere: /desk#desk=anna&token=...
(function begin() {
  showSound();
  const link = new URLSearchParams(location.hash.slice(1));
  if (link.get('desk') && link.get('token')) {
    history.replaceState(null, '', location.pathname);
    return signIn(link.get('desk'), link.get('token'));
  }
  let kept = null;
  try { kept = JSON.parse(sessionStorage.getItem('warmline-desk')); } catch { /* Not ours. */ }
  if (kept && kept.desk && kept.token) signIn(kept.desk, kept.token);
  else render();
})();
