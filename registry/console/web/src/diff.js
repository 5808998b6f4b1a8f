// Two texts beside each other, or in one column where there is no room. What the engine has written as lines remains without scripts.
import { MergeView, unifiedMergeView } from "@codemirror/merge";
import { EditorState } from "@codemirror/state";
import { EditorView, lineNumbers } from "@codemirror/view";
import { looks, nonce } from "./languages.js";

const ENOUGH = 760;
const COLLAPSE = { margin: 3, minSize: 6 };
const attached = new WeakSet();

export function attach(box) {
  if (attached.has(box)) return;
  attached.add(box);
  const texts = [...box.querySelectorAll("textarea")].slice(0, 2);
  const lines = box.querySelector("[data-diff-lines]");
  if (lines) lines.hidden = true;
  const place = document.createElement("div");
  place.className = "diff-view";
  box.append(place);
  let wide = box.clientWidth >= ENOUGH;
  const show = () => place.replaceChildren((wide ? beside : within)(box, texts));
  show();
  box.querySelector("[data-diff-turn]")?.addEventListener("click", () => {
    wide = !wide;
    show();
  });
}

function beside(box, [before, after]) {
  const side = (field) => ({ doc: field.value, extensions: shown(box, field.getAttribute("aria-label")) });
  return new MergeView({ a: side(before), b: side(after), collapseUnchanged: COLLAPSE, gutter: true }).dom;
}

function within(box, [before, after]) {
  const name = `${before.getAttribute("aria-label")} – ${after.getAttribute("aria-label")}`;
  const merged = unifiedMergeView({ original: before.value, mergeControls: false, collapseUnchanged: COLLAPSE, gutter: true });
  return new EditorView({ doc: after.value, extensions: [...shown(box, name), merged] }).dom;
}

function shown(box, name) {
  return [
    nonce(),
    lineNumbers(),
    EditorView.lineWrapping,
    EditorView.editable.of(false),
    EditorState.readOnly.of(true),
    EditorState.phrases.of({ "$ unchanged lines": box.dataset.diffUnchanged ?? "$ unchanged lines" }),
    EditorView.contentAttributes.of({ "aria-label": name, "aria-readonly": "true", tabindex: "0" }),
    looks(box.dataset.diff),
  ];
}
