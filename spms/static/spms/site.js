// What every page shares: times in the viewer's zone, questions before changes, and parts that stay alive.
"use strict";

const FORMATS = {
  time: { weekday: "short", hour: "2-digit", minute: "2-digit" },
  date: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
  full: { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" },
};

// Shows each <time data-format> in the zone of whoever looks; the server's own text stays where there is no script.
function localTimes(root) {
  root.querySelectorAll("time[data-format]").forEach((element) => {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) return;
    element.textContent = new Intl.DateTimeFormat(undefined, { ...FORMATS[element.dataset.format], hourCycle: "h23" }).format(at);
    element.title = at.toString();
  });
}

// Parts with hx-trigger="tick from:body" ask for themselves every two seconds, but only while somebody looks.
setInterval(() => {
  if (!document.hidden) document.body.dispatchEvent(new Event("tick"));
}, 2000);

function offline(is) {
  document.getElementById("offline").hidden = !is;
}

localTimes(document);
document.body.addEventListener("htmx:afterSwap", (event) => localTimes(event.target));
document.body.addEventListener("htmx:sendError", () => offline(true));
document.body.addEventListener("htmx:responseError", (event) => offline(event.detail.xhr.status >= 502));
document.body.addEventListener("htmx:afterRequest", (event) => { if (event.detail.successful) offline(false); });
// A part that somebody reads or has selected in is not taken away under them, nor by an answer that was on its way.
const isHeld = (part) => part.dataset.hold !== undefined && Boolean(part.querySelector("input:checked, details[open]"));
document.body.addEventListener("htmx:beforeRequest", (event) => { if (isHeld(event.detail.elt)) event.preventDefault(); });
document.body.addEventListener("htmx:beforeSwap", (event) => { if (isHeld(event.detail.target)) event.detail.shouldSwap = false; });
document.body.addEventListener("submit", (event) => {
  const question = event.submitter?.dataset.confirm || event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});
document.body.addEventListener("change", (event) => {
  if (!event.target.matches("[data-check-all]")) return;
  document.querySelectorAll(`input[name=${event.target.dataset.checkAll}]`).forEach((box) => { box.checked = event.target.checked; });
});
