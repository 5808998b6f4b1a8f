"use strict";
// Everything that comes from a service is put in as text, never as markup.

const REFRESH = 2000;
const REMEMBERED = 60;
const BOARD_REFRESH = 700;
const PATIENCE = 3000;
const SKIES = ["clear", "clouds", "rain", "thunderstorm", "snow", "mist"];
const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);
const answers = [];
const shown = {};
let timer = null;
let underWay = null;

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function drawing(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function icon(sky) {
  const made = drawing("svg", { class: "icon", "aria-hidden": "true" });
  const name = String(sky).toLowerCase();
  made.append(drawing("use", { href: `#sky-${SKIES.includes(name) ? name : "clouds"}` }));
  return made;
}

function bar(from, to) {
  const made = drawing("svg", { "aria-hidden": "true" });
  made.append(
    drawing("rect", { class: "whole", width: "100%", height: "100%", rx: 4 }),
    drawing("rect", { class: "part", x: `${from}%`, width: `${Math.max(to - from, 2)}%`, height: "100%", rx: 4 }),
  );
  return made;
}

function line(className, ...parts) {
  const made = element("div", undefined, className);
  made.append(...parts);
  return made;
}

// A section is drawn again only when its content differs, so that nothing flickers and a selection stays.
function fill(id, content, servedBy, draw) {
  const section = byId(id);
  section.setAttribute("aria-busy", "false");
  section.classList.remove("stale");
  const by = servedBy ? `Answered by ${servedBy.service} ${servedBy.version}, instance ${servedBy.instance.slice(0, 8)}` : "";
  section.querySelector(".by").textContent = by;
  const text = JSON.stringify(content);
  if (shown[id] === text) return;
  shown[id] = text;
  section.querySelector(".body").replaceChildren(...draw(content));
}

function waiting(id) {
  shown[id] = undefined;
  byId(id).setAttribute("aria-busy", "true");
  byId(id).querySelector(".by").textContent = "";
  byId(id).querySelector(".body").replaceChildren(line("waiting", element("i"), element("i"), element("i"), element("i")));
}

// Without an answer, what was there before stays, paler.
function missing(id) {
  byId(id).setAttribute("aria-busy", "false");
  if (shown[id] !== undefined) byId(id).classList.add("stale");
  else byId(id).querySelector(".body").replaceChildren(element("div", "Nothing to show yet.", "nothing"));
}

function facts(pairs) {
  const list = element("dl");
  for (const [name, value] of pairs) list.append(line("", element("dt", name), element("dd", value)));
  return list;
}

function drawCurrent(now) {
  if (!now) return [element("div", "No weather at the moment.", "nothing")];
  const nodes = [
    element("div", now.country ? `${now.cityName}, ${now.country}` : now.cityName, "place"),
    line("now", icon(now.weather), element("div", `${Math.round(now.temperature)}°`, "degrees")),
    element("div", now.weather, "sky"),
    facts([
      ["Humidity", `${now.humidity} %`],
      ["Wind", `${now.windSpeed} m/s`],
      ["Pressure", `${now.pressure} hPa`],
      ["Clouds", now.cloudiness],
    ]),
  ];
  if (now.uviValue !== undefined) nodes.push(element("div", `UV index ${now.uviValue}`, "uv"));
  return nodes;
}

function drawForecast(days) {
  if (!days) return [element("div", "No forecast at the moment.", "nothing")];
  const coldest = Math.min(...days.map((day) => day.temperatureMin));
  const widest = Math.max(...days.map((day) => day.temperatureMax)) - coldest || 1;
  const list = element("ol", undefined, "days");
  for (const day of days) {
    const date = new Date(`${day.dateTxt}T12:00:00Z`);
    const place = (degrees) => ((degrees - coldest) / widest) * 100;
    const item = element("li");
    item.append(
      element("span", date.toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" }), "day"),
      icon(day.weather),
      element("span", day.weather, "sky"),
      line(
        "range",
        element("span", `${Math.round(day.temperatureMin)}°`, "low"),
        bar(place(day.temperatureMin), place(day.temperatureMax)),
        element("span", `${Math.round(day.temperatureMax)}°`, "high"),
      ),
      element("span", `${day.windSpeed} m/s`, "wind"),
    );
    list.append(item);
  }
  return [list];
}

function count(servedBy, beta) {
  if (!servedBy) return;
  answers.push({ name: `${servedBy.service} ${servedBy.version} · ${servedBy.instance.slice(0, 8)}`, beta });
  if (answers.length > REMEMBERED) answers.shift();
  const rows = new Map();
  for (const { name, beta: isBeta } of answers) rows.set(name, { number: (rows.get(name)?.number || 0) + 1, isBeta });
  const items = [...rows].sort().map(([name, { number, isBeta }]) => {
    const item = element("li", undefined, isBeta ? "beta" : "");
    const share = (number / answers.length) * 100;
    item.append(element("span", name), bar(0, share), element("span", `${number} · ${Math.round(share)} %`, "count"));
    return item;
  });
  document.querySelector(".tally").replaceChildren(...items);
}

function say(text) {
  if (byId("status").textContent !== text) byId("status").textContent = text;
}

function show(data) {
  const { servedBy: now, ...current } = data.currentWeather || {};
  const { servedBy: ahead, dateList } = data.forecastWeather || {};
  fill("current", current.temperature === undefined ? null : current, now, drawCurrent);
  fill("forecast", Array.isArray(dateList) ? dateList : null, ahead, drawForecast);
  count(now, current.uviValue !== undefined);
  byId("time").textContent = `Last answer at ${new Date().toLocaleTimeString()}`;
  say("");
}

async function refresh() {
  const mine = new AbortController();
  underWay?.abort();
  underWay = mine;
  const query = new URLSearchParams({ city: byId("city").value, user: byId("user").value });
  try {
    const answer = await fetch(`weathermapweb/ui/fusionweatherdata?${query}`, { signal: mine.signal });
    const data = await answer.json();
    if (!answer.ok) throw new Error(data.error || data.message || `status ${answer.status}`);
    show(data);
  } catch (error) {
    if (mine.signal.aborted) return;
    for (const id of ["current", "forecast"]) missing(id);
    say(`No answer: ${error.message}.`);
  } finally {
    if (underWay === mine) underWay = null;
  }
}

function mark() {
  const city = byId("city").value.trim();
  for (const button of byId("places").children) button.setAttribute("aria-pressed", button.textContent === city);
}

function ask() {
  const city = byId("city").value.trim();
  if (!city) return;
  const query = new URLSearchParams({ city });
  if (byId("user").value) query.set("user", byId("user").value);
  history.replaceState(null, "", `?${query}`);
  mark();
  waiting("current");
  waiting("forecast");
  refresh();
}

// The board is drawn again only where it differs, so that who goes through the cities with the keyboard keeps their place.
function showBoard({ banner = "", cities = [] }) {
  if (byId("banner").textContent !== banner) byId("banner").textContent = banner;
  const text = JSON.stringify(cities);
  if (shown.board === text) return;
  shown.board = text;
  byId("cities").replaceChildren(...cities.map((city) => element("option", city)));
  byId("places").replaceChildren(...cities.map((city) => {
    const button = element("button", city);
    button.type = "button";
    button.addEventListener("click", () => { byId("city").value = city; ask(); });
    return button;
  }));
  mark();
}

// Without an answer the board stays as it is: what is wrong is told below it, by the weather's own question.
async function readBoard() {
  try {
    const answer = await fetch("weathermapweb/ui/board", { signal: AbortSignal.timeout(PATIENCE) });
    if (answer.ok) showBoard(await answer.json());
  } catch {
    return;
  }
}

async function followBoard() {
  if (!document.hidden) await readBoard();
  setTimeout(followBoard, BOARD_REFRESH);
}

function schedule() {
  clearInterval(timer);
  // A slow answer is waited for: asking again would only drop it.
  if (byId("auto").checked) timer = setInterval(() => { if (!document.hidden && !underWay) refresh(); }, REFRESH);
}

async function begin() {
  const query = new URLSearchParams(location.search);
  byId("city").value = query.get("city") || "";
  byId("user").value = query.get("user") || "";
  byId("ask").addEventListener("submit", (event) => { event.preventDefault(); ask(); });
  byId("auto").addEventListener("change", schedule);
  await readBoard();
  byId("city").value ||= byId("places").firstChild?.textContent || "Shenzhen";
  ask();
  schedule();
  followBoard();
}

begin();
