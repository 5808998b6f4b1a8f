// Charts are drawn from the table of numbers that the page has anyway: `data-chart` names its columns, `data-chart-from` the part that has the table.
import { LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TooltipComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { colour, palette } from "./theme.js";

use([LineChart, GridComponent, LegendComponent, TooltipComponent, CanvasRenderer]);

const charts = new Map();
const resized = new ResizeObserver((entries) => entries.forEach(({ target }) => charts.get(target)?.resize()));

export function attach(element) {
  if (charts.has(element)) return;
  charts.set(element, init(element, null, { renderer: "canvas" }));
  resized.observe(element);
  draw(element);
}

document.body.addEventListener("htmx:afterSettle", drawAll);
new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["data-look"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);

function drawAll() {
  for (const [element, chart] of charts) {
    if (element.isConnected) {
      draw(element);
    } else {
      resized.unobserve(element);
      chart.dispose();
      charts.delete(element);
    }
  }
}

function draw(element) {
  const table = document.querySelector(`#${element.dataset.chartFrom} table`);
  if (table) charts.get(element).setOption(looks(element, table, linesOf(table, element.dataset.chart.split(" "))), { replaceMerge: ["series"] });
}

/** The columns that a chart shows: their titles, and pairs of time and number. */
function linesOf(table, measures) {
  const titles = [...table.tHead.rows[0].cells];
  const rows = [...table.tBodies[0].rows];
  return measures.map((measure) => {
    const column = titles.findIndex((title) => title.dataset.measure === measure);
    return { name: titles[column].textContent, data: rows.map((row) => [Number(row.dataset.at), Number(row.cells[column].textContent)]) };
  });
}

function looks(element, table, lines) {
  const soft = colour("soft");
  const colours = palette();
  return {
    animation: false,
    color: colours,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: soft },
    grid: { left: 4, right: 12, top: lines.length > 1 ? 30 : 12, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    legend: { show: lines.length > 1, top: 0, right: 0, itemWidth: 14, itemHeight: 8, textStyle: { color: soft }, inactiveColor: colour("line") },
    tooltip: {
      trigger: "axis",
      renderMode: "richText",
      confine: true,
      backgroundColor: colour("paper"),
      borderColor: colour("line-strong"),
      textStyle: { color: colour("text"), fontSize: 12 },
      axisPointer: { lineStyle: { color: colour("line-strong") } },
    },
    xAxis: {
      type: "time",
      min: Number(table.dataset.since),
      max: Number(table.dataset.until),
      splitNumber: 3,
      axisLabel: { color: soft, hideOverlap: true, formatter: "{HH}:{mm}" },
      axisLine: { lineStyle: { color: colour("line-strong") } },
      axisTick: { show: false },
    },
    yAxis: {
      type: "value",
      min: 0,
      max: ({ max }) => (max > 0 ? null : 1),
      minInterval: element.dataset.chartWhole === undefined ? 0 : 1,
      splitNumber: 3,
      axisLabel: { color: soft, hideOverlap: true },
      splitLine: { lineStyle: { color: colour("line") } },
    },
    series: lines.map((line) => ({ ...line, type: "line", showSymbol: line.data.length < 2, symbolSize: 5, lineStyle: { width: 2 } })),
  };
}
