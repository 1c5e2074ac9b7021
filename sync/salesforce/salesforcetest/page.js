// Follows the org: on every change the counts and the list are replaced; the open record stays.
"use strict";
const view = document.querySelector("main").dataset.view;
const list = document.getElementById("list");
const live = document.getElementById("live");
const chosen = () => list.querySelector("a[aria-current]")?.dataset.id ?? "";
let busy = false, again = false;

async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  try {
    const page = new URLSearchParams(location.search).get("page") ?? "";
    const res = await fetch(`/_org/list?view=${view}&id=${encodeURIComponent(chosen())}&page=${page}`);
    if (res.ok) {
      const known = new Set([...list.querySelectorAll("a[data-id]")].map(a => a.dataset.id));
      list.innerHTML = await res.text();
      for (const a of list.querySelectorAll("a[data-id]")) {
        if (!known.has(a.dataset.id)) a.parentElement.classList.add("fresh");
      }
    }
  } catch { /* the event stream says when the org is back */ }
  busy = false;
  if (again) { again = false; setTimeout(refresh, 250); }
}

async function open(a) {
  const res = await fetch(a.href + (a.href.includes("?") ? "&" : "?") + "part=detail");
  if (!res.ok) { location.href = a.href; return; }
  document.getElementById("detail").innerHTML = await res.text();
  document.getElementById("detail").scrollTop = 0;
  list.querySelector("a[aria-current]")?.removeAttribute("aria-current");
  a.setAttribute("aria-current", "true");
  history.replaceState(null, "", a.href);
}

list.addEventListener("click", e => {
  const a = e.target.closest("a[data-id]");
  if (!a || e.ctrlKey || e.metaKey || e.shiftKey || e.button !== 0) return;
  e.preventDefault();
  open(a);
});

const events = new EventSource("/_org/events");
events.onopen = () => { live.hidden = false; };
events.onerror = () => { live.hidden = true; };
events.onmessage = e => {
  const counts = JSON.parse(e.data);
  let fresh = false;
  for (const b of document.querySelectorAll("[data-live]")) {
    const n = String(counts[b.dataset.live] ?? b.textContent);
    if (n !== b.textContent) { b.textContent = n; fresh = fresh || view === "calls" || !["calls", "log"].includes(b.dataset.live); }
  }
  if (fresh) refresh();
};
