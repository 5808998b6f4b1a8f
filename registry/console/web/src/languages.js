// How texts of each type are highlighted: classes alone, whose colours are the style sheet's, so that they follow the look.
import { json } from "@codemirror/lang-json";
import { yaml } from "@codemirror/lang-yaml";
import { StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { properties } from "@codemirror/legacy-modes/mode/properties";
import { xml } from "@codemirror/legacy-modes/mode/xml";
import { EditorView } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";

const KINDS = {
  yaml,
  kie: yaml,
  json,
  properties: () => StreamLanguage.define(properties),
  ini: () => StreamLanguage.define(properties),
  xml: () => StreamLanguage.define(xml),
};

/** The extensions that show a text of this type; text is shown as it is. */
export function looks(kind) {
  const language = KINDS[kind]?.();
  return language ? [language, syntaxHighlighting(classHighlighter)] : [];
}

/** The style sheets that the editor adds are allowed by the page's policy. */
export function nonce() {
  return EditorView.cspNonce.of(document.querySelector("meta[name=csp-nonce]")?.content ?? "");
}
