// One caller's story, drawn.

import { $, chip, draw, node } from './draw.js';
import { curve, inWords, mood } from './curve.js';
import { clock, has, nameOf, number, percent, reason, server, span, t, words } from './words.js';

const PLACES = ['p-tried', 'p-earlier', 'p-known', 'p-voice', 'p-articles', 'p-said'];

export function answerable(pop) { return !pop.over && ['offered', 'acknowledged'].includes(pop.status); }
/** The human has the caller, and the caller passes through here. */
export function controllable(pop) { return !pop.over && pop.status === 'joined' && pop.package.trigger !== 'direct'; }
export function dismissible(pop) { return !!pop.over || ['released', 'declined'].includes(pop.status); }
/** What became of it may be written down. */
export function disposable(pop) { return !!pop.joinedAt && (!!pop.over || pop.status === 'released') && !pop.disposed; }

export function renderCard(id, pop, me) {
  const p = pop.package;
  $('card').classList.toggle('over', !!pop.over);
  const hero = document.querySelector('.hero');
  hero.classList.toggle('ringing', answerable(pop));
  hero.classList.toggle('talking', !!pop.joinedAt && !pop.over && !pop.held);
  hero.classList.toggle('held', !!pop.held && !pop.over);
  hero.classList.toggle('live', controllable(pop));
  renderHead(pop, p);
  renderControls(pop);
  renderBanner(pop);
  $('wrap-up').hidden = !disposable(pop);
  $('summary').textContent = p.summary || t(p.trigger === 'direct' ? 'no_summary_direct' : 'no_summary');
  $('summary-by').hidden = !p.summary || p.summary_by === 'bot';
  $('opening').textContent = p.opening || opening(p, me);
  const sparse = p.trajectory.length < 2 && p.transcript.length === 0 && p.entities.length === 0 && p.articles.length === 0 && !p.intent;
  document.querySelector('.grid').classList.toggle('sparse', sparse);
  renderWhy(id, p);
  renderSteps(id, pop, p);
  renderLists(id, p);
  renderVoice(id, p);
  renderSaid(id, p);
  $('ids').textContent = t('ids', { id: p.id, call: p.call, session: p.session_id, version: p.version });
}

function renderHead(pop, p) {
  const [text, tone] = status(pop);
  chip('chip-state', text, tone);
  chip('chip-urgency', t(p.urgency === 'emergency' ? 'emergency' : 'urgent'), p.urgency === 'emergency' ? 'bad' : 'warn');
  $('chip-urgency').hidden = p.urgency === 'normal';
  $('chip-callback').hidden = !p.callback;
  if (p.callback) $('chip-callback').textContent = t('callback', { attempt: p.callback.attempt });
  const tier = p.entities.find((entity) => entity.name === 'tier');
  $('chip-tier').hidden = !tier;
  if (tier) $('chip-tier').textContent = words(tier.value);
  chip('chip-trigger', p.intent ? words(p.intent) : p.trigger === 'dtmf' ? t('pressed_key') : words(p.trigger), 'plain');
  $('caller').textContent = nameOf(p);
  $('avatar').textContent = initials(p);
  const called = p.caller_name ? t('called_from', { from: number(p.caller), to: number(p.called) }) : t('called', { to: number(p.called) });
  const withBot = p.trigger !== 'direct';
  $('caller-sub').textContent = withBot ? t('with_bot', { text: called, time: span(p.started_unix_ms - p.call_started_unix_ms) }) : called;
  $('complete').textContent = percent(p.completeness / 100);
  $('ring-fill').setAttribute('stroke-dasharray', `${p.completeness} 100`);
}

function status(pop) {
  if (pop.over) return [t('status_over'), ''];
  if (pop.held) return [t('status_held'), 'warn'];
  if (pop.muted) return [t('status_muted'), 'warn'];
  return { offered: [t('status_offered'), ''], acknowledged: [t('status_offered'), ''], accepted: [t('status_accepted'), 'good'],
    declined: [t('status_declined'), 'bad'], joined: [t('status_joined'), 'good'], released: [t('status_joined'), 'good'] }[pop.status] || [pop.status, ''];
}

function renderControls(pop) {
  const ringing = answerable(pop), talking = controllable(pop), leaving = !!pop.leaving;
  $('actions').hidden = !ringing;
  $('accept').disabled = $('decline').disabled = !!pop.asking;
  $('controls').hidden = !talking;
  for (const button of $('controls').children) button.disabled = !!pop.asking || leaving;
  $('hold').setAttribute('aria-pressed', !!pop.held);
  $('hold-text').textContent = t(pop.held ? 'resume' : 'hold');
  $('mute').setAttribute('aria-pressed', !!pop.muted);
  $('mute-text').textContent = t(pop.muted ? 'unmute' : 'mute');
  $('mute-icon').setAttribute('href', pop.muted ? '#i-muted' : '#i-mute');
}

function renderBanner(pop) {
  let text = '', tone = '';
  if (pop.over) { text = pop.joinedAt ? t('banner_over', { why: server(pop.over.why) }) : server(pop.over.why); tone = pop.joinedAt ? '' : 'gone'; }
  else if (pop.leaving === 'handing_back') text = t('fetching_bot');
  else if (pop.leaving === 'asking_bot') text = t('asking_bot');
  else if (pop.leaving === 'passing_on') text = t('banner_passing');
  else if (pop.held) text = t('banner_held');
  else if (pop.muted) text = t('banner_muted');
  else if (pop.status === 'accepted') { text = t(pop.here ? 'banner_accepted_here' : 'banner_accepted'); tone = 'good'; }
  else if (pop.status === 'declined') text = t('banner_declined');
  else if (pop.status === 'joined') { text = t('banner_joined'); tone = 'good'; }
  else if (pop.status === 'released') { text = t('banner_released'); tone = 'good'; }
  $('banner').hidden = !text;
  $('banner').className = `banner ${tone}`;
  if ($('banner-text').textContent !== text) $('banner-text').textContent = text;
  $('hand-back-text').textContent = pop.kept && !pop.over && !pop.leaving ? t('still_have', { why: server(pop.kept) }) : '';
  $('dismiss').hidden = !dismissible(pop);
}

/** For a package without one: made of what kind of handoff it is. */
function opening(p, me) {
  const kind = { direct: 'direct', passed_on: 'passed', bot_down: 'lost' }[p.trigger]
    || (['distress', 'frustration', 'failed_attempts', 'same_question', 'loop', 'dispute'].includes(p.trigger) ? 'upset' : 'plain');
  const name = (p.caller_name || '').trim();
  return t(`open_${kind}`, { name, me: me.split(',')[0] }).replace(/\s+([,.!])/, '$1');
}

function renderWhy(id, p) {
  document.querySelector('.why').classList.toggle('hot', p.urgency !== 'normal' || p.trigger === 'distress');
  $('why-head').textContent = reason(p.trigger);
  draw('because', [id, p.because], () => p.because.map((fact) => node('li', {}, stamp(p, fact.at_unix_ms), node('span', {}, fact.text))));
}

function renderSteps(id, pop, p) {
  $('p-steps').hidden = p.next_steps.length === 0;
  const count = () => { $('steps-done').textContent = `${p.next_steps.filter((step) => pop.ticked.has(step)).length} / ${p.next_steps.length}`; };
  draw('steps', [id, p.next_steps], () => p.next_steps.map((step) => {
    const box = node('input', { type: 'checkbox' });
    box.checked = pop.ticked.has(step);
    box.addEventListener('change', () => { pop.ticked[box.checked ? 'add' : 'delete'](step); count(); });
    return node('li', {}, node('label', {}, box, node('span', {}, step)));
  }));
  count();
}

function renderLists(id, p) {
  const counts = { 'n-tried': p.actions, 'n-earlier': p.earlier, 'n-known': p.entities, 'n-articles': p.articles, 'n-said': p.transcript };
  for (const [count, list] of Object.entries(counts)) $(count).textContent = list.length || '';
  draw('tried', [id, p.actions], () => (p.actions.length ? p.actions.map((action) => node('li', {}, stamp(p, action.at_unix_ms),
    node('span', {}, node('span', { class: `verdict ${action.succeeded ? 'yes' : 'no'}` }, action.succeeded ? `✓ ${t('worked')} ` : `✗ ${t('failed')} `),
      node('b', {}, words(action.name)), action.result ? `: ${action.result}` : ''))) : [node('li', { class: 'none' }, t('nothing_tried'))]));
  $('p-earlier').hidden = p.earlier.length === 0;
  draw('earlier', [id, p.earlier], () => p.earlier.map((one) => node('li', {}, node('span', {},
    node('b', {}, one.desk || t('nobody')), ` ${has(`end_${one.ended_by}`) ? t(`end_${one.ended_by}`) : words(one.ended_by)}`,
    one.notes ? `: ${one.notes}` : ''))));
  $('p-known').hidden = p.entities.length === 0 && !p.intent;
  draw('known', [id, p.intent, p.entities], () => [...(p.intent ? [[t('wants'), words(p.intent)]] : []), ...p.entities.map((e) => [words(e.name), e.value])]
    .flatMap(([name, value]) => [node('dt', {}, name), node('dd', {}, value)]));
  $('p-articles').hidden = p.articles.length === 0;
  draw('articles', [id, p.articles], () => p.articles.map((article) => node('li', {}, article.url && /^https?:\/\//.test(article.url)
    ? node('a', { href: article.url, target: '_blank', rel: 'noopener noreferrer' }, article.title) : node('b', {}, article.title),
  ...(article.text ? [node('p', {}, article.text)] : []))));
}

function renderVoice(id, p) {
  const [tone, text] = mood(p);
  $('mood').className = `mood ${tone}`;
  $('mood-text').textContent = text;
  $('p-voice').hidden = p.trajectory.length < 2;
  if (p.trajectory.length < 2) return;
  const rest = inWords(p);
  if (draw('curve', [id, p.trajectory], () => [curve(p, rest)])) $('curve-text').textContent = rest;
}

function renderSaid(id, p) {
  const list = $('said');
  $('p-said').hidden = p.transcript.length === 0;
  const fresh = list.dataset.handoff !== id, atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.dataset.handoff = id;
  draw('said', [id, p.transcript], () => p.transcript.map((turn) => {
    const by = node('span', { class: 'by' }, `${t(turn.speaker === 'caller' ? 'by_caller' : 'by_bot')} · ${offset(p, turn.at_unix_ms)}`);
    if (turn.confidence !== null && turn.confidence < 0.6) by.append(node('span', { class: 'unsure' }, ` · ${t('unsure', { percent: percent(turn.confidence) })}`));
    return node('li', { class: turn.speaker }, by, node('span', {}, turn.text));
  }));
  if (atEnd || fresh) list.scrollTop = list.scrollHeight;
}

function initials(p) {
  const parts = (p.caller_name || '').split(/[^\p{L}]+/u).filter(Boolean);
  return parts.length ? [parts[0], parts.length > 1 ? parts.at(-1) : ''].map((part) => part.charAt(0).toUpperCase()).join('') : '☎';
}

function offset(p, at) { return clock(at - p.call_started_unix_ms); }
function stamp(p, at) { return node('time', { datetime: new Date(at).toISOString() }, offset(p, at)); }

/** Sections stay as their reader left them. */
export function rememberSections() {
  const kept = JSON.parse(localStorage.getItem('warmline-sections') || '{}');
  for (const place of PLACES) {
    if (place in kept) $(place).open = kept[place];
    $(place).addEventListener('toggle', () => { kept[place] = $(place).open; localStorage.setItem('warmline-sections', JSON.stringify(kept)); });
  }
}
