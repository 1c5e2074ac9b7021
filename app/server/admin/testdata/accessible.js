() => {
  const bad = [];
  const all = s => [...document.querySelectorAll(s)];
  const shown = e => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== 'hidden';
  const say = (text, e) => bad.push(text + (e ? ': ' + e.outerHTML.slice(0, 160) : ''));
  const name = e => (e.getAttribute('aria-label') || e.textContent || '').trim();

  // The frame.
  if (document.documentElement.lang !== 'en') say('no language');
  if (!document.title.trim()) say('no title');
  if (all('h1').length !== 1) say(all('h1').length + ' headings of level 1');
  let level = 0;
  for (const h of all('h1, h2, h3, h4, h5, h6')) {
    const n = +h.tagName[1];
    if (n > level + 1) say('a heading skips a level', h);
    level = n;
  }
  for (const tag of ['main', 'header']) if (all(tag).length !== 1) say('not one ' + tag);
  for (const nav of all('nav, section')) {
    const by = nav.getAttribute('aria-labelledby');
    if (!nav.getAttribute('aria-label') && !(by && document.getElementById(by))) say('a landmark without a name', nav);
  }
  if (all('nav').length && all('nav [aria-current="page"]').length > 1) say('several current pages');
  if (all('script, [onclick], [style], style').length) say('script or inline style');

  // Names and relations.
  const ids = all('[id]').map(e => e.id);
  for (const id of ids) if (ids.filter(o => o === id).length > 1) say('id twice: ' + id);
  for (const attribute of ['aria-describedby', 'aria-labelledby', 'for']) {
    for (const e of all('[' + attribute + ']')) {
      for (const id of e.getAttribute(attribute).split(' ')) if (!document.getElementById(id)) say(attribute + ' leads nowhere', e);
    }
  }
  for (const e of all('input:not([type=hidden]), select, textarea')) {
    if (!e.labels.length || !name(e.labels[0])) say('a field without a label', e);
  }
  for (const e of all('a[href], button')) if (!name(e)) say('no name', e);
  for (const e of all('fieldset')) if (!e.querySelector('legend')) say('choices without a question', e);
  const links = {};
  for (const e of all('main a[href]')) {
    const n = name(e);
    if (links[n] && links[n] !== e.href) say('two links with one name', e);
    links[n] = e.href;
  }
  for (const t of all('table')) {
    if (!t.caption || !t.caption.textContent.trim()) say('a table without a caption', t);
    for (const h of t.querySelectorAll('th')) if (!h.scope) say('a header without a scope', h);
    for (const r of t.tBodies[0].rows) {
      if (!r.querySelector('th[scope=row]')) say('a row without a header', r);
      for (const c of r.cells) if (!c.textContent.trim()) say('an empty cell', c);
    }
  }

  // Keyboard.
  const focusable = all('a[href], button, input:not([type=hidden]), select, textarea, [tabindex]').filter(e => e.tabIndex >= 0);
  for (const e of focusable) if (e.tabIndex > 0) say('a tab order of its own', e);
  if (!focusable.length || focusable[0].className !== 'skip' || !document.querySelector(focusable[0].getAttribute('href'))) say('no way past the header');
  for (const e of focusable) {
    if (e.className === 'skip' || !shown(e)) continue;
    const box = e.getBoundingClientRect();
    const inline = getComputedStyle(e).display === 'inline';
    if (!inline && e.type !== 'radio' && Math.min(box.width, box.height) < 24) say('too small to hit', e);
  }
  // What comes next in the tab order does not stand before: rows from top to bottom.
  let last = -1;
  for (const e of focusable.filter(e => e.closest('main') && shown(e) && e.id !== 'main')) {
    const top = e.getBoundingClientRect().bottom;
    if (top < last - 40) say('the tab order goes up', e);
    last = Math.max(last, top);
  }

  // Room.
  const root = document.scrollingElement;
  if (root.scrollWidth > window.innerWidth) {
    const wide = all('main *, header *').find(e => shown(e) && e.getBoundingClientRect().right > window.innerWidth + 1);
    say('scrolls sideways', wide);
  }
  for (const e of all('main *, header *')) {
    if (shown(e) && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === 'hidden' && !e.closest('caption, thead')) say('cut off', e);
  }

  for (const e of all('td, th, dd, .tiles div')) {
    if (shown(e) && e.scrollWidth > e.clientWidth + 1 && !e.closest('thead')) say('spills over its neighbour', e);
  }

  // Contrast of every text with what is behind it.
  const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const known = {};
  const rgba = text => known[text] ??= read(text);
  const read = text => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = text;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  const behind = e => {
    const layers = [];
    for (; e; e = e.parentElement) layers.unshift(rgba(getComputedStyle(e).backgroundColor));
    return layers.reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const light = c => [0.2126, 0.7152, 0.0722].reduce((sum, part, i) => {
    const v = c[i] / 255;
    return sum + part * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  }, 0);
  const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  for (const e of all('body *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || e.matches('input');
    if (!own || !shown(e)) continue;
    const ground = behind(e);
    const r = ratio(over(rgba(getComputedStyle(e).color), ground), ground);
    if (r < 4.5) say('contrast of ' + r.toFixed(2), e);
    if (e.matches('input, button, a.button')) {
      const edge = ratio(over(rgba(getComputedStyle(e).borderTopColor), behind(e.parentElement)), behind(e.parentElement));
      if (edge < 3) say('edge with a contrast of ' + edge.toFixed(2), e);
    }
  }
  return bad.join('; ');
}
