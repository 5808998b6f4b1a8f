"use strict";
// Everything that comes from a service is put in as text, never as markup.

const REFRESH = 2000;
const byId = (id) => document.getElementById(id);
let timer = null;
let newest = 0;

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function fill(section, nodes, servedBy) {
  const box = byId(section);
  box.querySelector(".body").replaceChildren(...nodes);
  const by = servedBy ? `${servedBy.service} ${servedBy.version} · instance ${servedBy.instance}` : "";
  box.querySelector("footer").textContent = by;
}

function nothing(text) {
  return [element("div", text, "nothing")];
}

function facts(pairs) {
  const list = element("dl");
  for (const [name, value] of pairs) list.append(element("dt", name), element("dd", value));
  return list;
}

function showCurrent(now) {
  if (!now || now.temperature === undefined) return fill("current", nothing("No current weather right now."));
  const nodes = [
    element("div", now.country ? `${now.cityName}, ${now.country}` : now.cityName, "place"),
    element("div", `${Math.round(now.temperature)}°`, "degrees"),
    element("div", now.weather, "sky"),
    facts([
      ["Humidity", `${now.humidity} %`],
      ["Wind", `${now.windSpeed} m/s`],
      ["Pressure", `${now.pressure} hPa`],
      ["Clouds", now.cloudiness],
    ]),
  ];
  if (now.uviValue !== undefined) nodes.push(element("div", `UV index ${now.uviValue}`, "uv"));
  return fill("current", nodes, now.servedBy);
}

function row(day) {
  const line = element("tr");
  line.append(
    element("td", day.dateTxt),
    element("td", day.weather),
    element("td", `${Math.round(day.temperatureMin)}°`, "number"),
    element("td", `${Math.round(day.temperatureMax)}°`, "number"),
    element("td", `${day.windSpeed} m/s`, "number wide"),
    element("td", `${day.humidity} %`, "number wide"),
  );
  return line;
}

function showForecast(ahead) {
  if (!ahead || !Array.isArray(ahead.dateList)) return fill("forecast", nothing("No forecast right now."));
  const head = element("tr");
  for (const [name, style] of [["Day"], ["Sky"], ["Low"], ["High"], ["Wind", "wide"], ["Humidity", "wide"]]) {
    head.append(element("th", name, style));
  }
  const table = element("table");
  table.append(head, ...ahead.dateList.map(row));
  return fill("forecast", [table], ahead.servedBy);
}

function say(text, bad) {
  byId("status").textContent = text;
  byId("status").className = bad ? "bad" : "";
}

async function refresh() {
  const mine = ++newest;
  const query = new URLSearchParams({ city: byId("city").value, user: byId("user").value });
  try {
    const answer = await fetch(`weathermapweb/ui/fusionweatherdata?${query}`);
    const data = await answer.json();
    if (mine !== newest) return;
    if (!answer.ok) throw new Error(data.error || `status ${answer.status}`);
    showCurrent(data.currentWeather);
    showForecast(data.forecastWeather);
    say(`Last answer at ${new Date().toLocaleTimeString()}`);
  } catch (error) {
    if (mine !== newest) return;
    say(`No answer: ${error.message}`, true);
  }
}

function schedule() {
  clearInterval(timer);
  if (byId("auto").checked) timer = setInterval(refresh, REFRESH);
}

byId("ask").addEventListener("submit", (event) => { event.preventDefault(); refresh(); });
byId("city").addEventListener("change", refresh);
byId("auto").addEventListener("change", schedule);
refresh();
schedule();
