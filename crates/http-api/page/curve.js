// How the caller sounded, drawn.

import { $, svg } from './draw.js';
import { clock, percent, t } from './words.js';

/** The curve of a package, with the value under the pointer told in `#curve-text`. */
export function curve(p, rest) {
  const W = 560, H = 176, left = 40, right = 10, top = 16, bottom = 24;
  const begin = p.call_started_unix_ms, end = Math.max(p.trajectory.at(-1).at_unix_ms, p.started_unix_ms) + 500;
  const x = (at) => left + ((at - begin) / Math.max(end - begin, 1)) * (W - left - right);
  const y = (value) => top + (1 - value) * (H - top - bottom);
  const line = (points, value) => points.map((point, i) => `${i ? 'L' : 'M'}${x(point.at_unix_ms).toFixed(1)} ${y(value(point)).toFixed(1)}`).join('');
  const picture = svg('svg', { viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-labelledby': 'curve-text' });
  picture.append(svg('rect', { class: 'hot', x: left, width: W - left - right, y: y(1), height: y(0.6) - y(1) }));
  for (const value of [0, 0.5, 1]) {
    picture.append(svg('line', { class: 'rule', x1: left, x2: W - right, y1: y(value), y2: y(value) }),
      svg('text', { class: 'label', x: left - 6, y: y(value) + 4, 'text-anchor': 'end' }, `${value * 100}%`));
  }
  const seconds = (end - begin) / 1000, step = [5, 10, 20, 30, 60, 120, 300, 600, 1800].find((s) => seconds / s <= 7) || 3600;
  for (let s = 0; s <= seconds; s += step) {
    picture.append(svg('text', { class: 'label', x: x(begin + s * 1000), y: H - 6, 'text-anchor': s ? 'middle' : 'start' }, clock(s * 1000)));
  }
  const points = p.trajectory, known = points.findIndex((point) => point.baselined);
  const early = known < 0 ? points : points.slice(0, known + 1), sure = known < 0 ? [] : points.slice(known);
  const distress = (point) => point.distress;
  const base = `L${x(points.at(-1).at_unix_ms).toFixed(1)} ${y(0)}L${x(points[0].at_unix_ms).toFixed(1)} ${y(0)}Z`;
  picture.append(svg('path', { class: 'area', d: line(points, distress) + base }),
    svg('path', { class: 'arousal', d: line(points, (point) => point.arousal) }));
  if (early.length > 1) picture.append(svg('path', { class: 'distress early', d: line(early, distress) }));
  if (sure.length) picture.append(svg('path', { class: 'distress', d: line(sure, distress) }));
  const mark = x(p.started_unix_ms);
  picture.append(svg('line', { class: 'mark', x1: mark, x2: mark, y1: top, y2: H - bottom }),
    svg('text', { class: 'mark-text', x: mark - 5, y: top - 4, 'text-anchor': mark > W / 2 ? 'end' : 'start' }, t('curve_mark')));
  probe(picture, p, x, y, { W, top, floor: H - bottom, rest });
  return picture;
}

function probe(picture, p, x, y, { W, top, floor, rest }) {
  const line = svg('line', { class: 'probe', y1: top, y2: floor, visibility: 'hidden' });
  const dot = svg('circle', { class: 'probe-dot', r: 5, visibility: 'hidden' });
  picture.append(line, dot);
  const show = (visibility) => [line, dot].forEach((part) => part.setAttribute('visibility', visibility));
  picture.addEventListener('pointermove', (event) => {
    const box = picture.getBoundingClientRect(), at = ((event.clientX - box.left) / box.width) * W;
    const near = p.trajectory.reduce((a, b) => (Math.abs(x(b.at_unix_ms) - at) < Math.abs(x(a.at_unix_ms) - at) ? b : a));
    const cx = x(near.at_unix_ms);
    line.setAttribute('x1', cx); line.setAttribute('x2', cx); dot.setAttribute('cx', cx); dot.setAttribute('cy', y(near.distress));
    show('visible');
    $('curve-text').textContent = t('curve_probe', {
      at: clock(near.at_unix_ms - p.call_started_unix_ms), distress: percent(near.distress), emotion: t(near.emotion), percent: percent(near.confidence),
    });
  });
  picture.addEventListener('pointerleave', () => { show('hidden'); $('curve-text').textContent = rest; });
}

/** The same in words. */
export function inWords(p) {
  const peak = p.trajectory.reduce((a, b) => (b.distress > a.distress ? b : a));
  return t('curve_text', {
    first: percent(p.trajectory[0].distress), peak: percent(peak.distress), at: clock(peak.at_unix_ms - p.call_started_unix_ms),
    last: percent(p.trajectory.at(-1).distress),
  });
}

/** The light: tone and word. */
export function mood(p) {
  if (p.trajectory.length < 2) return ['', t('mood_none')];
  const { distress } = p.trajectory.at(-1);
  if (distress >= 0.6) return ['upset', t('mood_upset')];
  return distress >= 0.35 ? ['tense', t('mood_tense')] : ['calm', t('mood_calm')];
}
