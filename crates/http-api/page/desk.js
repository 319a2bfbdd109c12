// The desk page. No framework, no build step; everything that came from outside enters the page as text.

import { answerable, controllable, dismissible, disposable, rememberSections, renderCard } from './card.js';
import { $, draw, forget, node, say } from './draw.js';
import { Phone } from './audio.js';
import { chime, showSound, toggleSound } from './chime.js';
import { LANGUAGES, clock, has, language, nameOf, preferred, reason, server, speak, t, timeOfDay, words } from './words.js';
import { Wire } from './wire.js';

let wire = null;           // While signed in.
let desk = null;           // { desk, display, skills, dispositions }
let pops = new Map();      // Handoff id -> { status, package, sip_call_id, held, muted, leaving, over, joinedAt, ticked }
let shown = null;          // Handoff id
let recent = [];           // { at, who, what }
let mine = { state: 'available', until: null };
let phone = null;          // Where the desk talks in this page.

// ---- What the gateway says -------------------------------------------------------------------------------------------

function handle(name, data) {
  if (name === 'snapshot') return snapshot(data);
  if (name === 'state') { mine = { state: data.state, until: data.until_unix_ms }; return render(); }
  const id = data.handoff;
  if (name === 'offered') return offered(data);
  const pop = pops.get(id);
  if (!pop || pop.over) return;
  if (name === 'amended') pop.package = data.package;
  else if (name === 'retracted' || name === 'ended') over(pop, data.why);
  else if (name === 'controls') { pop.held = data.held; pop.muted = data.muted; }
  else if (name === 'handing_back' || name === 'passing_on') { pop.leaving = name; pop.kept = ''; }
  else if (name === 'not_handed_back' || name === 'not_passed_on') { pop.leaving = null; pop.kept = data.why; say(t('still_have', { why: server(data.why) })); }
  else advance(pop, name);
  render();
}

function snapshot(data) {
  const before = pops;
  pops = new Map();
  mine = { state: data.state, until: data.until_unix_ms };
  for (const item of data.pops) {
    const old = before.get(item.handoff);
    const pop = { ...item, ticked: old ? old.ticked : new Set(), joinedAt: item.talking_ms === null ? null : now() - item.talking_ms };
    pops.set(item.handoff, pop);
    advance(pop, item.status);
    if (!old) announce(item);
  }
  for (const [id, pop] of before) {
    if (!pops.has(id) && pop.over && disposable(pop)) pops.set(id, pop);
    else if (!pops.has(id) && !pop.over) remember(pop, t('away_ended'));
  }
  if (!pops.has(shown)) shown = [...pops.keys()].pop() || null;
  const talking = sessionStorage.getItem('warmline-talks');
  if (phone && !phone.handoff && talksHere(pops.get(talking))) talk(talking);
  for (const item of data.pops) if (item.status === 'offered') wire.acknowledge(item.handoff);
  render();
}

function offered(data) {
  for (const [id, pop] of pops) if (pop.over) pops.delete(id);
  pops.set(data.handoff, { ...data, ticked: new Set(), joinedAt: null });
  // Somebody who talks is not interrupted: the newcomer waits in the top bar.
  const current = pops.get(shown);
  if (!current || !['joined', 'released', 'accepted'].includes(current.status)) shown = data.handoff;
  // The request leaves while the story is drawn, within the same task: the phone waits at most 20 ms for it.
  wire.acknowledge(data.handoff);
  render();
  announce(data);
  chime();
}

function advance(pop, status) {
  pop.status = status;
  if ((status === 'joined' || status === 'released') && !pop.joinedAt) pop.joinedAt = now();
}

function over(pop, why) {
  pop.over = { why };
  pop.leaving = null;
  remember(pop, server(why));
  for (const dialog of document.querySelectorAll('dialog[open]')) if (dialog.id !== 'd-keys') dialog.close();
  say(server(why));
}

function remember(pop, what) {
  recent = [{ at: now(), who: nameOf(pop.package), what }, ...recent].slice(0, 6);
}

function announce(item) {
  say(t('incoming', { name: nameOf(item.package), reason: reason(item.package.trigger), summary: item.package.summary }));
}

// ---- What the human does ---------------------------------------------------------------------------------------------

/** Asks for something with the caller that is shown; whether it was granted. */
async function ask(action, body) {
  const id = shown, pop = pops.get(id);
  if (!pop || pop.asking) return false;
  pop.asking = true;
  $('action-error').textContent = '';
  render();
  let granted = false;
  try {
    const response = await wire.post(`/handoffs/${encodeURIComponent(id)}/${action}`, body);
    const answer = await response.json().catch(() => ({}));
    granted = response.ok && answer;
    if (!response.ok) complain(id, answer.error ? answer.error.message : t('refused', { status: response.status }));
  } catch {
    complain(id, t('unreachable_phone'));
  }
  pop.asking = false;
  render();
  return granted;
}

function complain(id, text) {
  if (id === shown) $('action-error').textContent = text;
  say(text);
}

async function answer(action, body) {
  const pop = pops.get(shown);
  if (!pop || !answerable(pop)) return;
  const id = shown;
  if (phone && action === 'accept') {
    // Before anybody is told yes: without a microphone there is nobody to talk to.
    try { await phone.listen(); } catch { return complain(id, t('no_microphone')); }
    // Another caller may have come while the human was asked.
    if (shown !== id || !answerable(pop)) return;
  }
  const granted = await ask(action, body);
  if (granted && answerable(pop)) { advance(pop, granted.status); render(); }
  if (granted && phone && action === 'accept') talk(id);
  else if (phone && !phone.handoff) phone.stop();
}

/** The caller's audio comes to this window, or comes back after a reload. */
async function talk(id) {
  sessionStorage.setItem('warmline-talks', id);
  const pop = pops.get(id);
  if (pop) { pop.here = true; render(); }
  try { await phone.start(id); } catch (error) {
    if (!phone.handoff) complain(id, t('no_microphone'));
    else if (error.final) phone.lost(error);
    else phone.again();
  }
}

function talksHere(pop) { return !!pop && !pop.over && ['accepted', 'joined'].includes(pop.status); }

function hangUpWhatIsOver() {
  if (!phone || !phone.handoff || talksHere(pops.get(phone.handoff))) return;
  phone.stop();
  sessionStorage.removeItem('warmline-talks');
}

function current() {
  const pop = pops.get(shown);
  return pop && controllable(pop) && !pop.leaving ? pop : null;
}

function hold() { const pop = current(); if (pop) ask('hold', { on: !pop.held }); }
function mute() { const pop = current(); if (pop) ask('mute', { on: !pop.muted }); }

/** Opens a dialog; what its form says is done when it was sent. */
function open(name, prepare, send) {
  const dialog = $(name);
  if (dialog.open) return;
  prepare?.();
  dialog.returnValue = '';
  dialog.onclose = () => { if (dialog.returnValue === 'send') send(); };
  dialog.showModal();
}

function openDecline() {
  const pop = pops.get(shown);
  if (!pop || !answerable(pop) || pop.asking) return;
  open('d-decline', () => {
    $('decline-reason').value = '';
    $('reasons').replaceChildren(...['busy', 'skill', 'language', 'technical'].map((why) => radio('reason', t(`reason_${why}`), t(`reason_${why}`))));
  }, () => {
    const chosen = document.querySelector('input[name="reason"]:checked');
    answer('decline', { reason: $('decline-reason').value.trim() || (chosen ? chosen.value : '') });
  });
}

function radio(name, value, text) { return node('label', {}, node('input', { type: 'radio', name, value }), text); }

async function openPassOn() {
  if (!current()) return;
  let colleagues = [];
  try { colleagues = (await (await wire.get('/colleagues')).json()).colleagues; } catch { return complain(shown, t('unreachable')); }
  if (!current()) return;
  open('d-pass', () => {
    $('pass-reason').value = '';
    const anybody = colleague('', t('pass_anybody'), t('pass_anybody_about'), '', '');
    $('colleagues').replaceChildren(anybody, ...colleagues.map((one) => {
      const [tone, how] = standing(one);
      return colleague(one.desk, one.display, one.skills.map(words).join(' · '), tone, how);
    }));
    anybody.querySelector('input').checked = true;
    if (!colleagues.length) $('colleagues').replaceChildren(node('p', { class: 'muted' }, t('pass_none')));
    $('pass-send').disabled = !colleagues.length;
  }, () => {
    const chosen = document.querySelector('input[name="colleague"]:checked');
    ask('pass-on', { desk: chosen ? chosen.value : '', reason: $('pass-reason').value.trim() });
  });
}

function standing(one) {
  if (one.state !== 'available') return ['taken', t(`state_${one.state}`)];
  if (one.callers > 0) return ['taken', t('on_call')];
  return one.page ? ['free', t('free')] : ['', t('no_page')];
}

function colleague(value, name, about, tone, how) {
  const label = radio('colleague', value, node('span', {}, name));
  label.append(node('span', { class: `how ${tone}` }, ...(how ? [node('i', { class: 'dot', 'aria-hidden': 'true' }), how] : [])), node('span', { class: 'about' }, about));
  return label;
}

function openHandBack() {
  if (!current()) return;
  open('d-back', () => { $('notes').value = ''; }, async () => {
    const pop = pops.get(shown);
    if (!pop) return;
    Object.assign(pop, { leaving: 'asking_bot', kept: '' });
    if (!(await ask('hand-back', { notes: $('notes').value })) && pop.leaving === 'asking_bot') pop.leaving = null;
    render();
  });
}

function openKeypad() {
  if (!current()) return;
  open('d-keypad', () => { $('pressed').textContent = ''; }, () => {});
}

async function press(key) {
  if ($('d-keypad').open && current() && (await ask('keys', { keys: key }))) $('pressed').textContent += key;
}

function openEnd() { if (current()) open('d-end', null, () => ask('end')); }

async function dispose(event) {
  event.preventDefault();
  const pop = pops.get(shown), code = document.querySelector('input[name="code"]:checked');
  if (!pop || !disposable(pop)) return;
  if (!code) return $('codes').querySelector('input').focus();
  if (!(await ask('disposition', { code: code.value, notes: $('wrap-notes').value.trim() }))) return;
  pop.disposed = true;
  say(t('wrap_saved'));
  if (mine.state === 'after_call') setState('available');
  dismiss();
}

async function setState(state) {
  try {
    const response = await wire.post('/state', { state });
    if (!response.ok) complain(shown, t('refused', { status: response.status }));
  } catch { complain(shown, t('unreachable')); }
  render();
}

function dismiss() {
  const pop = pops.get(shown);
  if (!pop || !dismissible(pop)) return;
  if (!pop.over) remember(pop, t(pop.status === 'declined' ? 'was_declined' : 'was_connected'));
  if (pop.status === 'released' && !pop.over) wire.post(`/handoffs/${encodeURIComponent(shown)}/done`).catch(() => {});
  pops.delete(shown);
  shown = [...pops.keys()].pop() || null;
  render();
}

// ---- Drawing ---------------------------------------------------------------------------------------------------------

function render() {
  hangUpWhatIsOver();
  const pop = pops.get(shown), signedIn = !!desk;
  $('sign-in').hidden = signedIn;
  $('idle').hidden = !signedIn || !!pop;
  $('card').hidden = !signedIn || !pop;
  for (const id of ['me', 'presence', 'sign-out', 'sound', 'link']) $(id).hidden = !signedIn;
  document.body.classList.toggle('acting', !!pop && (answerable(pop) || controllable(pop)));
  document.title = !pop || pop.over ? `Warmline: ${signedIn ? desk.desk : ''}` : `${answerable(pop) ? '● ' : ''}${t('title_call', { name: nameOf(pop.package) })}`;
  if (signedIn) { renderMe(); renderWaiting(); renderIdle(); }
  if (pop) { renderCodes(); renderCard(shown, pop, desk.display); }
  renderKeys(pop);
  tick();
}

function renderMe() {
  $('desk-name').textContent = desk.display;
  draw('skills', desk.skills, () => desk.skills.map((skill) => node('span', {}, words(skill))));
  $('presence').className = `presence ${mine.state}`;
  $('state').value = mine.state;
}

function renderWaiting() {
  const list = [...pops].map(([id, pop]) => [id, nameOf(pop.package), id === shown, answerable(pop)]);
  draw('waiting', list, () => (list.length < 2 ? [] : list.map(([id, name, here, rings]) => {
    const button = node('button', { type: 'button', 'aria-current': here, class: rings ? 'rings' : '' }, name);
    button.addEventListener('click', () => show(id));
    return button;
  })));
}

function show(id) { shown = id; $('action-error').textContent = ''; render(); }

function renderIdle() {
  const rung = mine.state === 'available';
  $('idle-head').textContent = t(rung ? 'idle_head' : 'idle_head_not');
  $('idle-text').textContent = t(rung ? 'idle_text' : 'idle_text_not', { state: t(`state_${mine.state}`) });
  $('recent').hidden = recent.length === 0;
  draw('recent-list', recent, () => recent.map((item) => node('li', {},
    node('time', {}, timeOfDay(item.at)), node('b', {}, item.who), node('span', { class: 'muted' }, item.what))));
}

function renderCodes() {
  draw('codes', [shown, desk.dispositions, language], () => {
    $('wrap-notes').value = '';
    return desk.dispositions.map((code) => radio('code', code, has(`code_${code}`) ? t(`code_${code}`) : words(code)));
  });
}

function tick() {
  const pop = pops.get(shown);
  const left = mine.state === 'after_call' && mine.until ? mine.until - now() : 0;
  if (mine.state === 'after_call' && mine.until && left <= 0) { mine = { state: 'available', until: null }; return render(); }
  $('state-left').textContent = left > 0 ? clock(left) : '';
  $('wrap-hint').textContent = left > 0 ? t('wrap_left', { time: clock(left) }) : '';
  if (!pop || pop.over) return;
  $('clock-label').textContent = t(pop.joinedAt ? 'talking' : 'waiting');
  $('clock').textContent = clock(now() - (pop.joinedAt || pop.package.started_unix_ms));
}

function now() { return Date.now() + (wire ? wire.clockOffset : 0); }

// ---- Keys ------------------------------------------------------------------------------------------------------------

// Key, what it does in a word and in words, whether it does now, what it does.
const KEYS = [
  ['A', 'accept', 'key_accept', (pop) => pop && answerable(pop), () => answer('accept')],
  ['D', 'decline', 'key_decline', (pop) => pop && answerable(pop), openDecline],
  ['H', 'hold', 'key_hold', () => current(), hold],
  ['M', 'mute', 'key_mute', () => current(), mute],
  ['K', 'keypad', 'key_keypad', () => current(), openKeypad],
  ['T', 'pass_on', 'key_pass', () => current(), openPassOn],
  ['B', 'hand_back', 'key_back', () => current(), openHandBack],
  ['E', 'end', 'key_end', () => current(), openEnd],
  ['N', 'steps', 'key_next', (pop) => pop && !pop.over && pop.package.next_steps.length, nextStep],
  ['W', 'disposition', 'key_wrap', (pop) => pop && disposable(pop), () => $('codes').querySelector('input').focus()],
  ['V', 'presence_short', 'key_state', () => desk, () => $('state').focus()],
  ['[ ]', 'key_callers', 'key_callers', () => pops.size > 1, null],
  ['Esc', 'done', 'key_done', (pop) => pop && dismissible(pop), dismiss],
  ['?', 'keys_help', 'key_help', () => true, () => open('d-keys', null, () => {})],
];

function nextStep() {
  const box = [...$('steps').querySelectorAll('input')].find((input) => !input.checked);
  if (box) { box.focus(); box.scrollIntoView({ block: 'center' }); }
}

function renderKeys(pop) {
  const live = desk ? KEYS.filter(([, , , when]) => when(pop)) : [];
  draw('keybar', [live.map(([key]) => key), language], () => live.map(([key, text]) => node('span', {}, node('kbd', {}, key), t(text))));
  draw('key-list', language, () => KEYS.flatMap(([key, , text]) => [node('dt', {}, node('kbd', {}, key)), node('dd', {}, t(text))]));
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !desk) return;
  if ($('d-keypad').open && /^[0-9*#]$/.test(event.key)) return press(event.key);
  if (document.querySelector('dialog[open]')) return;
  if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) && !/^(checkbox|radio)$/.test(event.target.type)) return;
  const pop = pops.get(shown), key = event.key === 'Escape' ? 'Esc' : event.key.toUpperCase();
  if (key === '[' || key === ']') {
    const ids = [...pops.keys()], at = ids.indexOf(shown) + (key === '[' ? -1 : 1);
    if (ids.length > 1) show(ids[(at + ids.length) % ids.length]);
    return;
  }
  const found = KEYS.find(([name, , , when]) => name === key && when(pop));
  if (found) { event.preventDefault(); found[4](); }
}

// ---- Signing in ------------------------------------------------------------------------------------------------------

/** What another tab signed in as. */
async function session() {
  const response = await fetch('/v1/session', { cache: 'no-store' });
  return response.ok ? response.json() : null;
}

async function signIn(login) {
  const next = new Wire(login, {
    event: handle,
    linked,
    refused: () => signedOut(t('session_over')),
  });
  let response;
  try {
    if (login.token) {
      response = await next.signIn(login.token);
      if (response.ok) next.login = await response.json();
    }
    if (!response || response.ok) response = await next.get('');
  } catch { return signedOut(t('unreachable')); }
  if (response.status === 401) return signedOut(t(login.token ? 'wrong_token' : 'session_over'));
  if (!response.ok) return signedOut(t('refused', { status: response.status }));
  desk = await response.json();
  wire = next;
  phone = desk.audio === 'browser' ? new Phone(desk.ice_servers, $('ear'), {
    offer: (id, sdp) => wire.offer(id, sdp),
    state: (state) => { document.body.dataset.audio = state; $('link').title = state === 'connected' ? t('audio_here') : ''; },
    lost: (error) => complain(shown, `${t('audio_lost')} ${error.message}`),
  }) : null;
  // Which of this browser's sessions is this tab's.
  sessionStorage.setItem('warmline-desk', JSON.stringify(next.login));
  $('sign-in-token').value = '';
  render();
  wire.follow();
}

function signOut() {
  wire?.signOut().catch(() => {});
  signedOut('');
}

function signedOut(why) {
  wire?.close();
  phone?.stop();
  [wire, desk, shown, recent, phone] = [null, null, null, [], null];
  pops = new Map();
  mine = { state: 'available', until: null };
  forget();
  sessionStorage.removeItem('warmline-desk');
  for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
  $('sign-in-error').textContent = why || '';
  render();
  $('sign-in-desk').focus();
}

function linked(up) {
  $('link').classList.toggle('off', !up);
  if (up) $('action-error').textContent = '';
  $('link-text').textContent = t(up ? 'connected' : 'reconnecting');
}

// ---- Colours and languages -------------------------------------------------------------------------------------------

const dark = matchMedia('(prefers-color-scheme: dark)');
function showTheme() {
  const theme = localStorage.getItem('warmline-theme') || 'auto';
  document.documentElement.dataset.theme = theme === 'auto' ? (dark.matches ? 'dark' : 'light') : theme;
  for (const name of ['aria-label', 'title']) $('theme').setAttribute(name, t(`theme_${theme}`));
}
function nextTheme() {
  const all = ['auto', 'light', 'dark'];
  localStorage.setItem('warmline-theme', all[(all.indexOf(localStorage.getItem('warmline-theme') || 'auto') + 1) % all.length]);
  showTheme();
}

async function setLanguage(name) {
  localStorage.setItem('warmline-language', name);
  await speak(name);
  forget();
  showTheme();
  showSound();
  if (wire) linked(!$('link').classList.contains('off'));
  render();
}

// ---- Wiring ----------------------------------------------------------------------------------------------------------

$('sign-in-form').addEventListener('submit', (event) => {
  event.preventDefault();
  signIn({ desk: $('sign-in-desk').value.trim(), token: $('sign-in-token').value.trim() });
});
const clicks = {
  'sign-out': signOut, sound: toggleSound, theme: nextTheme, help: KEYS.at(-1)[4], accept: () => answer('accept'), decline: openDecline,
  dismiss, hold, mute, keypad: openKeypad, 'pass-on': openPassOn, 'hand-back': openHandBack, end: openEnd,
  copy: () => navigator.clipboard?.writeText($('opening').textContent).then(() => say(t('copied')), () => {}),
};
for (const [id, act] of Object.entries(clicks)) $(id).addEventListener('click', act);
$('wrap-up').addEventListener('submit', dispose);
$('state').addEventListener('change', () => setState($('state').value));
$('language').addEventListener('change', () => setLanguage($('language').value));
$('pad').append(...'123456789*0#'.split('').map((key) => {
  const button = node('button', { type: 'button' }, key);
  button.addEventListener('click', () => press(key));
  return button;
}));
dark.addEventListener('change', showTheme);
document.addEventListener('keydown', onKey);
setInterval(tick, 500);
// A second connection stays open, so that an acknowledgement need not wait for a handshake.
setInterval(() => wire?.get('').catch(() => {}), 50000);

// A link may carry desk and token behind the '#', which browsers never send anywhere: /desk#desk=anna&token=...
showTheme();
await speak(preferred());
const names = { en: 'English', de: 'Deutsch', es: 'Español', fr: 'Français' };
$('language').append(...LANGUAGES.map((name) => node('option', { value: name }, names[name])));
$('language').value = language;
showTheme();
showSound();
rememberSections();
const link = new URLSearchParams(location.hash.slice(1));
let login = null;
if (link.get('desk') && link.get('token')) {
  history.replaceState(null, '', location.pathname);
  login = { desk: link.get('desk'), token: link.get('token') };
} else {
  try { login = JSON.parse(sessionStorage.getItem('warmline-desk')) || (await session()); } catch { /* Not ours, or nobody there. */ }
}
if (login && login.desk && (login.token || login.page)) signIn(login);
else render();
