// Answers for the same place are shown in the order in which they were asked for: a refresh that was asked before a search does not
// take the place of what was found. So nothing is broken off, and no click waits: templates need no hx-sync.
const asked = new WeakMap();
const shown = new WeakMap();
let last = 0;

export function startOrder() {
  document.body.addEventListener("htmx:beforeRequest", ({ detail }) => {
    last += 1;
    asked.set(detail.xhr, last);
  });
  document.body.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const number = asked.get(detail.xhr) ?? 0;
    const newest = shown.get(detail.target) ?? 0;
    if (detail.requestConfig.verb === "get" && number < newest) detail.shouldSwap = false;
    if (detail.shouldSwap) shown.set(detail.target, Math.max(number, newest));
  });
}
