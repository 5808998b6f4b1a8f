// What the engine says of a change that was made (header HX-Trigger, event `said`), with a way to take it back where there is one.
import htmx from "htmx.org";

const SECONDS = 12;

export function startNotices() {
  document.body.addEventListener("said", (event) => say(event.detail));
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    // An answer that is no page and says nothing itself (the engine's own error JSON) is said, and what is shown stays.
    const { xhr } = event.detail;
    if (xhr.status < 400 || xhr.getResponseHeader("HX-Trigger") || xhr.getResponseHeader("Content-Type")?.startsWith("text/html")) return;
    event.detail.shouldSwap = false;
    say({ text: worded(xhr), tone: "bad" });
  });
  document.body.addEventListener("htmx:sendError", () => {
    answers();
    say({ text: document.body.dataset.unreachable, tone: "bad" }).dataset.unanswered = "";
  });
}

/** The engine answers: that it did not is no longer said. */
export function answers() {
  document.querySelectorAll("[data-unanswered]").forEach((notice) => notice.remove());
}

export function say({ text, tone = "good", undo = null }) {
  const notice = document.createElement("div");
  notice.className = `notice ${tone}`;
  notice.append(Object.assign(document.createElement("span"), { textContent: text }));
  if (undo) notice.append(undoButton(undo, notice));
  const close = Object.assign(document.createElement("button"), { type: "button", className: "plain", textContent: "×" });
  close.setAttribute("aria-label", document.body.dataset.close);
  close.addEventListener("click", () => notice.remove());
  notice.append(close);
  document.getElementById("notices").append(notice);
  if (tone !== "bad") setTimeout(() => leave(notice), SECONDS * 1000);
  return notice;
}

/** Not while somebody is about to press what is in it. */
function leave(notice) {
  if (notice.matches(":hover, :focus-within")) setTimeout(() => leave(notice), SECONDS * 1000);
  else notice.remove();
}

function worded(xhr) {
  try {
    const told = JSON.parse(xhr.responseText);
    return `${told.errorMessage}: ${told.detail ?? ""}`;
  } catch {
    return `${xhr.status} ${xhr.statusText}`;
  }
}

function undoButton(undo, notice) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: undo.label });
  button.addEventListener("click", () => {
    notice.remove();
    htmx.ajax("POST", undo.path, { values: undo.values, swap: "none" });
  });
  return button;
}
