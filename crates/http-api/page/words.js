// What the page says, in the language of its reader. The texts are data: /desk/lang/*.json.

export const LANGUAGES = ['en', 'de', 'es', 'fr'];
let texts = {};
export let language = 'en';

/** Reads a language and writes it into everything of the page that names a text. */
export async function speak(wanted) {
  language = LANGUAGES.includes(wanted) ? wanted : 'en';
  texts = await (await fetch(`/desk/lang/${language}.json`)).json();
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll('[data-t]')) element.textContent = t(element.dataset.t);
  const attributes = { tLabel: 'aria-label', tTitle: 'title', tPlaceholder: 'placeholder' };
  for (const [key, attribute] of Object.entries(attributes)) {
    const named = key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
    for (const element of document.querySelectorAll(`[data-${named}]`)) element.setAttribute(attribute, t(element.dataset[key]));
  }
}

/** The language that was chosen here, or the first that the browser's reader knows. */
export function preferred() {
  const chosen = localStorage.getItem('warmline-language');
  return [chosen, ...navigator.languages].map((name) => String(name).slice(0, 2)).find((name) => LANGUAGES.includes(name)) || 'en';
}

/** A text, with {values} in it. */
export function t(key, values = {}) {
  return String(texts[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');
}

export function has(key) { return key in texts; }
export function reason(trigger) { return texts.reasons?.[trigger] || words(trigger); }

/** What the gateway says in words, such as "nobody answered". */
export function server(text) {
  const said = texts.server?.[text] || String(text || '');
  return said && said.charAt(0).toUpperCase() + said.slice(1) + (/[.!?]$/.test(said) ? '' : '.');
}

export function words(token) {
  const text = String(token).replaceAll('_', ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function percent(value) { return new Intl.NumberFormat(texts._locale, { style: 'percent' }).format(value); }
export function timeOfDay(at) { return new Date(at).toLocaleTimeString(texts._locale, { hour: '2-digit', minute: '2-digit' }); }
export function clock(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`;
}
export function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  return s < 60 ? t('s', { s }) : t('min', { m: Math.floor(s / 60), s: s % 60 });
}
export function number(text) { return text || t('withheld'); }
export function nameOf(p) { return p.caller_name || number(p.caller); }
