// "My documents": generates the PDFs of marked documents through the public API, one after the other; needs tasks.js.
"use strict";

const REFRESH_MILLISECONDS = 2000;
const REFUSED = [429, 503]; // the server wants no more for now
const form = document.getElementById("marked"), list = document.getElementById("list");
const [box, words, problem] = ["batch-progress", "batch-words", "problem"].map((id) => document.getElementById(id));
const pdfUrl = (id) => form.dataset.pdfUrl.replace("/0/", `/${id}/`);
const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
let isGenerating = false, awaitedId = ""; // of the last single PDF: its link gets the focus when it is ready

// Renders the list again; marks and the focus stay.
async function refresh() {
  const answer = await fetch(list.dataset.url).catch(() => null);
  if (!answer?.ok || answer.redirected) return;
  const html = await answer.text(), marks = new Set(markedIds());
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const focusedId = focused?.closest("li")?.querySelector("[name=document]").value;
  list.innerHTML = html; // rendered and escaped by the server, like the page itself
  localTimes(list);
  list.querySelectorAll("[name=document]").forEach((mark) => { mark.checked = marks.has(mark.value); });
  if (focusedId) focusRow(focusedId, focused.name === "document" && focusedId !== awaitedId);
}

// Focuses the mark of a row, or what can be done there; the mark, too, while nothing can.
function focusRow(id, isMark) {
  const mark = list.querySelector(`[name=document][value="${id}"]`);
  ((!isMark && mark?.parentElement.querySelector(".row-action :is(a, button)")) || mark)?.focus();
}

const markedIds = () => [...list.querySelectorAll("[name=document]:checked")].map((mark) => mark.value);

// Begins a PDF, and returns when it is ready, or in the queue, which then needs this page no more.
async function generateOne(id, isOneOfMany) {
  const headers = isOneOfMany ? { Prefer: "respond-async" } : {};
  const { status } = await ask(pdfUrl(id), { method: "POST", headers });
  return status === 202 ? "queued" : "ready";
}

async function generate(ids) {
  if (isGenerating) return;
  isGenerating = true;
  box.hidden = false;
  problem.hidden = true;
  setDisabled(true);
  const counts = { ready: 0, queued: 0, failed: 0 }, faults = new Set();
  for (const [index, id] of ids.entries()) {
    words.textContent = `PDF ${index + 1} of ${ids.length}. Keep this page open until all are begun.`;
    box.firstElementChild.value = index / ids.length;
    try {
      counts[await generateOne(id, ids.length > 1)] += 1;
    } catch (error) {
      faults.add(wordsOf(error));
      if (REFUSED.includes(error.status) || error instanceof TypeError) break;
      counts.failed += 1;
    }
  }
  tell(ids.length, counts, faults);
  box.hidden = true;
  isGenerating = false;
  await refresh();
  setDisabled(false);
  if (ids.length !== 1) return;
  awaitedId = ids[0];
  focusRow(awaitedId, false);
}

function tell(wanted, { ready, queued, failed }, faults) {
  const left = wanted - ready - queued - failed;
  words.textContent = [
    ready ? `${count(ready, "PDF")} ready.` : "", queued ? `${count(queued, "PDF")} in the queue.` : "",
    failed ? `${count(failed, "PDF")} could not be made.` : "",
    left ? `${count(left, "PDF")} not begun; generate again later.` : "",
  ].filter(Boolean).join(" ");
  problem.hidden = !faults.size;
  problem.textContent = [...faults].join(" ");
}

function setDisabled(isDisabled) {
  form.querySelectorAll("button").forEach((button) => { button.disabled = isDisabled; });
}

form.addEventListener("click", (event) => {
  const { generate: id, generateMarked } = event.target.dataset;
  if (id) generate([id]);
  if (generateMarked === undefined) return;
  const ids = markedIds().filter((marked) => list.querySelector(`[data-generate="${marked}"]`));
  if (ids.length) generate(ids);
  else words.textContent = markedIds().length ? "The PDFs of the marked documents are ready or being made." : "Mark documents first.";
});
form.addEventListener("submit", (event) => {
  if (markedIds().length) return;
  event.preventDefault();
  words.textContent = "Mark documents first.";
});
setInterval(() => { if (!document.hidden && !isGenerating && list.querySelector("[data-making]")) refresh(); }, REFRESH_MILLISECONDS);
