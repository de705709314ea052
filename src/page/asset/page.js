/* Parts of a page change by themselves: the server makes them again and sends those that differ.
   Everything else works without this file. */
(() => {
  'use strict';
  const main = document.querySelector('main[data-live]');
  const light = document.getElementById('live');
  if (!main || !light || !window.EventSource) return;

  let source = null;

  const say = (state, words) => {
    if (light.dataset.state === state) return;
    light.dataset.state = state;
    const word = document.createElement('span');
    word.textContent = words;
    if (state === 'on') return light.replaceChildren(word);
    const again = document.createElement('a');
    again.href = location.href;
    again.textContent = 'Refresh';
    light.replaceChildren(word, ' ', again);
  };

  /* Makes one tree like another and touches only what differs, so that focus, selection, what was
     typed, and what was opened or scrolled stay. */
  const morph = (from, to) => {
    if (from.nodeType !== 1 || from.nodeName !== to.nodeName) {
      if (from.nodeType === to.nodeType && from.nodeName === to.nodeName) {
        if (from.nodeValue !== to.nodeValue) from.nodeValue = to.nodeValue;
      } else {
        from.replaceWith(to);
      }
      return;
    }
    for (const { name } of [...from.attributes]) {
      const isOpen = name === 'open' && from.nodeName === 'DETAILS';
      if (!isOpen && !to.hasAttribute(name)) from.removeAttribute(name);
    }
    for (const { name, value } of to.attributes) {
      if (from.getAttribute(name) !== value) from.setAttribute(name, value);
    }
    morphChildren(from, to);
  };

  const keyOf = (node) => (node.nodeType === 1 && (node.dataset.key || node.id)) || null;

  const morphChildren = (from, to) => {
    const keyed = new Map();
    for (const child of from.childNodes) if (keyOf(child)) keyed.set(keyOf(child), child);
    let at = from.firstChild;
    for (const wanted of [...to.childNodes]) {
      const key = keyOf(wanted);
      const known = key && keyed.get(key);
      if (known) {
        keyed.delete(key);
        if (known === at) at = at.nextSibling;
        else from.insertBefore(known, at);
        morph(known, wanted);
      } else if (!key && at && !keyOf(at)) {
        const next = at.nextSibling;
        morph(at, wanted);
        at = next;
      } else {
        from.insertBefore(wanted, at);
      }
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
    for (const gone of keyed.values()) if (gone.parentNode === from) gone.remove();
  };

  const take = ({ id, html }) => {
    const part = document.getElementById(id);
    if (!part || !main.contains(part)) return;
    const fresh = document.createElement('template');
    fresh.innerHTML = html;
    morphChildren(part, fresh.content);
  };

  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource(location.href);
    source.addEventListener('open', () => say('on', 'Live'));
    source.addEventListener('part', (event) => take(JSON.parse(event.data)));
    source.addEventListener('error', () => {
      if (source && source.readyState === EventSource.CLOSED) say('off', 'Not live');
      else say('wait', 'Connecting');
    });
  };

  const close = () => {
    if (source) source.close();
    source = null;
  };

  document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()));
  window.addEventListener('pagehide', close);
  window.addEventListener('pageshow', open);
  open();
})();
