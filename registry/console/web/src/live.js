// One stream of what changed: parts of a page that care for a topic ask for themselves anew. It names topics, never contents.
import htmx from "htmx.org";
import { answers } from "./notices.js";

const TOPICS_AT_RECONNECT = ["services", "config", "access", "monitor", "alarms", "events"];
let source = null;
let wasLost = false;

export function startLive() {
  if (!document.querySelector("[data-live]")) return;
  connect();
  document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
}

function connect() {
  if (source) return;
  source = new EventSource("/console/live");
  source.addEventListener("open", () => {
    show("on");
    answers();
    if (wasLost) TOPICS_AT_RECONNECT.forEach(tell);
    wasLost = false;
  });
  source.addEventListener("changed", (event) => event.data.split(" ").forEach(tell));
  source.addEventListener("error", () => {
    show("lost");
    wasLost = true;
    if (source?.readyState === EventSource.CLOSED) {
      disconnect();
      setTimeout(connect, 3000);
    }
  });
}

function disconnect() {
  source?.close();
  source = null;
  wasLost = true;
}

function tell(topic) {
  htmx.trigger(document.body, `waggle:${topic}`);
}

function show(state) {
  for (const mark of document.querySelectorAll("[data-live]")) {
    mark.dataset.live = state;
    mark.textContent = mark.dataset[state];
  }
}
