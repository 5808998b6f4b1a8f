// The console's own script. Pages come whole from the engine; this keeps them live, asks before what cannot be undone, and offers to undo the rest.
import htmx from "htmx.org";
import { Idiomorph } from "idiomorph";
import { startConfirming } from "./confirm.js";
import { startKeys } from "./keys.js";
import { startLive } from "./live.js";
import { startNotices } from "./notices.js";
import { startOrder } from "./order.js";
import { startSliders } from "./sliders.js";
import { startTables } from "./tables.js";
import { startTimes } from "./times.js";

window.htmx = htmx;
htmx.config.allowEval = false;
htmx.config.includeIndicatorStyles = false;
htmx.config.selfRequestsOnly = true;
htmx.config.historyCacheSize = 0;
htmx.config.refreshOnHistoryMiss = true;
// What is gone when its answer comes has no extensions, and takes it in out of sight; all that is in the frame says morph itself.
htmx.config.defaultSwapStyle = "innerHTML";
htmx.config.scrollBehavior = "auto";
htmx.config.inlineStyleNonce = document.querySelector("meta[name=csp-nonce]")?.content ?? "";
// An answer that says no is shown, too: the engine says where (HX-Retarget).
htmx.config.responseHandling = [{ code: "204", swap: false }, { code: ".*", swap: true }];

// Chromium 156 crashes where a morph moves the element that has the focus by moveBefore; without it, the morph moves it and gives the focus back.
delete Element.prototype.moveBefore;

htmx.defineExtension("morph", {
  isInlineSwap: (style) => style.startsWith("morph"),
  handleSwap: (style, target, fragment) => {
    if (!style.startsWith("morph")) return false;
    // What somebody is typing in, or has opened, is left as it is by a refresh.
    return Idiomorph.morph(target, fragment.children, {
      morphStyle: style === "morph:outer" ? "outerHTML" : "innerHTML",
      ignoreActiveValue: Boolean(document.activeElement?.matches("input, textarea, select")),
      callbacks: { beforeNodeMorphed: keepWhatIsTheirs },
    });
  },
});

function keepWhatIsTheirs(before, after) {
  if (before.nodeType !== Node.ELEMENT_NODE) return true;
  if (before.hasAttribute("data-kept") && after.hasAttribute?.("data-kept")) return false;
  if (before.tagName === "DETAILS" && before.open) after.setAttribute("open", "");
  return true;
}

// A link goes to another page, wherever it is: what a part around it says of its own refreshes is not for that.
document.body.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (!detail.boosted) return;
  detail.target = document.body;
  detail.swapOverride = "morph show:none";
});

// What a part of a page needs beyond the basics is loaded when it is there: charts and editors are large.
const extras = [
  ["[data-chart]", () => import("./charts.js")],
  ["[data-graph]", () => import("./graph.js")],
  ["[data-editor]", () => import("./editor.js")],
  ["[data-diff]", () => import("./diff.js")],
  ["[data-reads]", () => import("./files.js")],
];

htmx.onLoad((element) => {
  for (const [selector, load] of extras) {
    const found = [...element.querySelectorAll(selector)];
    if (element.matches?.(selector)) found.push(element);
    if (found.length) load().then(({ attach }) => found.forEach((one) => attach(one)));
  }
});

startLive();
startOrder();
startConfirming();
startNotices();
startTimes();
startTables();
startKeys();
startSliders();
