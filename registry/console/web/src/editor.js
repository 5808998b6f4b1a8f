// Text with highlighting, checked by the engine as one types. Around a plain textarea, which holds the text and is what remains without scripts:
// docs/console.md, "Editor and differences".
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { bracketMatching, indentOnInput, indentUnit } from "@codemirror/language";
import { lintGutter, linter } from "@codemirror/lint";
import { Compartment, EditorState, StateEffect } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { looks, nonce } from "./languages.js";

const WAIT = 350;
const again = StateEffect.define();
const attached = new WeakSet();

export function attach(box) {
  if (attached.has(box)) return;
  attached.add(box);
  const field = box.querySelector("textarea");
  const language = new Compartment();
  const view = new EditorView({
    doc: field.value,
    extensions: [
      nonce(),
      lineNumbers(),
      history(),
      drawSelection(),
      indentOnInput(),
      indentUnit.of("  "),
      bracketMatching(),
      highlightActiveLine(),
      EditorView.lineWrapping,
      EditorState.readOnly.of(field.readOnly),
      language.of(looks(kindOf(box))),
      keymap.of([{ key: "Mod-Enter", run: () => goOn(field) }, ...defaultKeymap, ...historyKeymap]),
      EditorView.contentAttributes.of(described(field)),
      EditorView.domEventHandlers({ beforeinput: typedOver }),
      EditorView.updateListener.of((update) => update.docChanged && hand(field, update.state)),
      box.dataset.editorCheck ? checked(box, field) : [],
    ],
  });
  field.hidden = true;
  field.after(view.dom);
  labelOf(field)?.addEventListener("click", () => view.focus());
  if (field.autofocus) view.focus();
  followForm(box, field, view, language);
}

function goOn(field) {
  field.form?.requestSubmit();
  return true;
}

/** Other fields count, too: the type changes the highlighting, and key, labels and type what is wrong. */
function followForm(box, field, view, language) {
  const form = field.form;
  form?.addEventListener("change", (event) => {
    if (event.target === field) return;
    if (event.target.matches(box.dataset.editorKind || ":not(*)")) view.dispatch({ effects: language.reconfigure(looks(kindOf(box))) });
    view.dispatch({ effects: again.of(null) });
  });
  form?.addEventListener("reset", () => setTimeout(() => replace(view, field.value)));
  box.addEventListener("editor:text", (event) => replace(view, event.detail));
  box.addEventListener("editor:line", (event) => goTo(view, Number(event.detail)));
  box.addEventListener("click", (event) => {
    const line = event.target.closest("[data-problem] button")?.closest("[data-problem]").dataset.line;
    if (line) goTo(view, Number(line));
  });
}

function replace(view, text) {
  view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
}

function goTo(view, number) {
  const line = view.state.doc.line(Math.max(1, Math.min(view.state.doc.lines, number)));
  view.dispatch({ selection: { anchor: line.from }, effects: EditorView.scrollIntoView(line.from, { y: "center" }) });
  view.focus();
}

function kindOf(box) {
  const chosen = box.dataset.editorKind && document.querySelector(box.dataset.editorKind);
  return chosen?.value ?? box.dataset.editor;
}

function labelOf(field) {
  return field.labels?.[0] ?? null;
}

function described(field) {
  const attributes = { "aria-label": field.getAttribute("aria-label") ?? labelOf(field)?.textContent.trim() ?? field.name };
  const about = field.getAttribute("aria-describedby");
  if (about) attributes["aria-describedby"] = about;
  return attributes;
}

/** Browsers give what is typed over a selection the looks of that, as inline styles, which the page's policy forbids. */
function typedOver(event, view) {
  if (event.inputType !== "insertText" || event.data === null || view.composing || view.state.selection.main.empty) return false;
  view.dispatch(view.state.replaceSelection(event.data), { userEvent: "input.type", scrollIntoView: true });
  return true;
}

/** The field has what will be sent. It says `input` as if one had typed in it. */
function hand(field, state) {
  field.value = state.doc.toString();
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

function checked(box, field) {
  const anew = (update) => update.transactions.some((one) => one.effects.some((effect) => effect.is(again)));
  return [lintGutter(), linter((view) => check(box, field, view), { delay: WAIT, needsRefresh: anew })];
}

/** Ask the engine: its answer is the list of problems as a person reads it, with their places for the text. */
async function check(box, field, view) {
  if (!field.form) return []; // the page has gone on meanwhile
  const sent = new URLSearchParams(new FormData(field.form));
  const shown = box.querySelector("[data-editor-problems]");
  const answer = await fetch(box.dataset.editorCheck, { method: "POST", body: sent, headers: { "HX-Request": "true" } }).catch(() => null);
  if (!answer?.ok || sent.get(field.name) !== field.value) return [];
  const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
  const problems = [...parsed.querySelectorAll("[data-problem]")];
  view.contentDOM.setAttribute("aria-invalid", String(problems.some((one) => one.dataset.problem === "error")));
  shown?.replaceChildren(...parsed.body.childNodes);
  return problems.filter((one) => one.dataset.line).map((one) => diagnostic(one, view.state.doc));
}

function diagnostic(problem, doc) {
  const line = doc.line(Math.max(1, Math.min(doc.lines, Number(problem.dataset.line))));
  const from = Math.min(line.from + Math.max(0, Number(problem.dataset.column) - 1), line.to);
  return { from, to: Math.max(from, line.to), severity: problem.dataset.problem, message: problem.dataset.text };
}
