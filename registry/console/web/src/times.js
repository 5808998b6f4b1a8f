// Times are sent as UTC and shown in the reader's own zone; `data-ago` ones say how long ago that was, and keep saying it.
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

export function startTimes() {
  refresh(document);
  document.body.addEventListener("htmx:load", (event) => refresh(event.detail.elt));
  setInterval(() => refresh(document), 5000);
}

function refresh(root) {
  const language = document.documentElement.lang;
  const ago = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
  const whole = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
  for (const time of root.querySelectorAll?.("time[datetime]") ?? []) {
    const moment = new Date(time.dateTime);
    const text = "ago" in time.dataset ? relative(ago, moment) : whole.format(moment);
    if (time.textContent !== text) time.textContent = text;
    time.title = whole.format(moment);
  }
}

function relative(format, moment) {
  const seconds = (moment - Date.now()) / 1000;
  const [unit, size] = UNITS.find(([, each]) => Math.abs(seconds) >= each) ?? UNITS.at(-1);
  return format.format(Math.trunc(seconds / size), unit);
}
