// Two soft notes, made here, when somebody is handed over.

import { $ } from './draw.js';
import { t } from './words.js';

let audio = null;

function on() { return localStorage.getItem('warmline-sound') !== 'off'; }

export function chime() {
  if (!on()) return;
  try {
    audio = audio || new AudioContext();
    if (audio.state === 'suspended') return;
    [[659, 0], [880, 0.16]].forEach(([pitch, at]) => {
      const tone = audio.createOscillator(), gain = audio.createGain(), start = audio.currentTime + at;
      tone.frequency.value = pitch;
      gain.gain.setValueAtTime(0, start);
      gain.gain.linearRampToValueAtTime(0.12, start + 0.02);
      gain.gain.exponentialRampToValueAtTime(0.0005, start + 0.5);
      tone.connect(gain).connect(audio.destination);
      tone.start(start);
      tone.stop(start + 0.55);
    });
  } catch { /* No audio device: the page is silent. */ }
}

export function showSound() {
  $('sound').setAttribute('aria-pressed', on());
  for (const name of ['aria-label', 'title']) $('sound').setAttribute(name, t(on() ? 'chime_on' : 'chime_off'));
}

export function toggleSound() {
  localStorage.setItem('warmline-sound', on() ? 'off' : 'on');
  showSound();
  chime();
}
