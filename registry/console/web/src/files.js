// A file that is chosen is read into the editor that `data-reads` names: what is sent is what one sees.
export function attach(form) {
  form.querySelector("[type=file]").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    if (!file) return;
    const text = await file.text();
    document.querySelector(form.dataset.reads).dispatchEvent(new CustomEvent("editor:text", { detail: text }));
    const kind = { properties: "properties", json: "kie" }[file.name.split(".").pop()] ?? "yaml";
    const format = form.querySelector("[name=format]");
    format.value = kind;
    format.dispatchEvent(new Event("change", { bubbles: true }));
  });
}
