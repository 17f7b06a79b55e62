// "Generate PDF": calls the public API and shows the progress; needs tasks.js.
"use strict";

const place = document.getElementById("generate");
const [start, cancel, box, words, problem] = ["start", "cancel", "progress", "progress-text", "problem"].map((id) => document.getElementById(id));
const bar = box.querySelector("progress");
// The share that is done when a phase begins, and the share of the phase, measured with long documents.
const PHASES = { fetch: [0, 0.02], html: [0.02, 0.03], layout: [0.05, 0.75], draw: [0.8, 0.17], store: [0.97, 0.03] };
const PHASE_TEXTS = { "": "Starting.", fetch: "The images are fetched", html: "The text is assembled", layout: "The pages are laid out", draw: "The pages are drawn", store: "The PDF is stored" };
let taskUrl = null; // of the task in flight, once it is known

function setBusy(isBusy) {
  start.disabled = isBusy;
  box.hidden = !isBusy;
  cancel.hidden = !isBusy;
  place.setAttribute("aria-busy", isBusy);
}

function say(text) {
  if (words.textContent !== text) words.textContent = text;
}

function show(task) {
  if (task.progress.phase === "images") { bar.removeAttribute("value"); say(task.message); return; }
  if (task.queue) {
    bar.removeAttribute("value");
    say(placeInQueue(task));
    return;
  }
  if (task.status === "retrying") { say(`The attempt failed; the next one follows soon. ${task.message}`); return; }
  const { phase, pages } = task.progress;
  const expected = Number(place.dataset.pages);
  if (phase in PHASES) {
    const [begin, share] = PHASES[phase];
    const isCounted = phase === "layout" || phase === "draw";
    if (isCounted && !expected) bar.removeAttribute("value");
    else bar.value = begin + (isCounted ? share * Math.min(1, pages / expected) : 0);
  }
  say(`${PHASE_TEXTS[phase] || PHASE_TEXTS[""]}${pages ? `: ${pages} pages` : ""}`);
}

function followTask(url) {
  taskUrl = url;
  return follow(url, show, say);
}

// While the request renders inline, its task is looked up in the list of tasks.
async function watch(request) {
  while (!request.isOver) {
    try {
      const { body } = await ask(`${place.dataset.tasks}?document=${place.dataset.document}&page_size=1`);
      const [task] = body.results;
      if (!request.isOver && task && !hasEnded(task)) {
        taskUrl = `${place.dataset.tasks}${task.task_id}/`;
        show(task);
      }
    } catch { /* the response to the request itself reports the problem */ }
    await pause();
  }
}

async function refresh() {
  const answer = await fetch(place.dataset.part);
  if (!answer.ok) return;
  const part = document.getElementById("made");
  // Rendered and escaped by the server, like the page itself.
  part.innerHTML = await answer.text();
  localTimes(part);
}

async function run(work) {
  setBusy(true);
  problem.hidden = true;
  say(PHASE_TEXTS[""]);
  try {
    const task = await work();
    if (task.status === "failed") throw new Error([task.error?.title, task.error?.detail].filter(Boolean).join(". "));
    say(task.status === "cancelled" ? task.message : `The PDF is ready: ${task.result.pages} pages.`);
  } catch (error) {
    say("");
    problem.textContent = wordsOf(error);
    problem.hidden = false;
  }
  taskUrl = null;
  setBusy(false);
  await refresh();
}

async function generate() {
  const request = { isOver: false };
  const watching = watch(request);
  try {
    const { status, body } = await ask(place.dataset.url, { method: "POST" });
    request.isOver = true;
    return status === 202 ? await followTask(`${place.dataset.tasks}${body.task_id}/`) : body;
  } finally {
    request.isOver = true;
    await watching;
  }
}

start.addEventListener("click", () => run(generate));
cancel.addEventListener("click", () => {
  if (taskUrl) ask(`${taskUrl}cancel/`, { method: "POST" }).catch(() => {}); // a task that has just ended cannot be cancelled; its end is shown
});
if (place.dataset.task) run(() => followTask(place.dataset.task));

document.getElementById("feedback").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target, status = form.querySelector("[role=status]");
  const values = Object.fromEntries(new FormData(form));
  try {
    await ask(form.dataset.url, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ kind: values.kind, text: values.text }) });
    form.reset();
    status.textContent = "Thank you. The maintainer will read it.";
  } catch (error) {
    status.textContent = wordsOf(error);
  }
});
