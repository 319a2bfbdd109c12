// Small helpers that draw. Everything that came from outside enters the page as text.

export const $ = (id) => document.getElementById(id);

export function node(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  element.append(...children.map((child) => (child instanceof Node ? child : document.createTextNode(String(child)))));
  return element;
}

export function svg(tag, attributes, text) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

const drawn = new Map(); // Element id -> the JSON it was drawn from.

/** Redraws a list only when its data changed, so that scrolling and selections survive an amendment. */
export function draw(id, data, make) {
  const key = JSON.stringify(data);
  if (drawn.get(id) === key) return false;
  drawn.set(id, key);
  $(id).replaceChildren(...make());
  return true;
}

/** After the language changed, or somebody else signed in. */
export function forget() { drawn.clear(); }

export function chip(id, text, tone) {
  $(id).textContent = text;
  $(id).className = `chip ${tone}`;
}

export function say(text) { $('live').textContent = text; }
