/** Draws lines. Loaded when it is seen: the library is larger than the page. */
import { LineChart } from "echarts/charts";
import { GridComponent, LegendComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";

// No tooltip: it writes style attributes, which the page's policy forbids; the table has the numbers.
use([LineChart, GridComponent, LegendComponent, CanvasRenderer]);

export interface Line {
  name: string;
  scores: (number | null)[];
}

/** Draws into the element; gives back what takes it away. */
export function drawLines(element: HTMLElement, labels: readonly string[], lines: readonly Line[]): () => void {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const chart = init(element);
  const strokes = ["--ink", "--accent", "--speaking", "--thinking", "--danger", "--ink-3", "--border"];
  const shapes = ["circle", "rect", "triangle", "diamond", "arrow", "pin", "roundRect"];
  const textStyle = { color: colour("--ink-2"), fontFamily: style.fontFamily, fontSize: 13 };
  chart.setOption({
    animation: false,
    textStyle,
    grid: { left: 36, right: 16, top: 16, bottom: 88 },
    legend: { bottom: 0, textStyle, itemGap: 12 },
    xAxis: { type: "category", data: [...labels], axisLine: { lineStyle: { color: colour("--border") } }, axisLabel: textStyle },
    yAxis: { type: "value", min: 0, max: 100, splitLine: { lineStyle: { color: colour("--rule") } }, axisLabel: textStyle },
    series: lines.map((line, at) => ({
      type: "line",
      name: line.name,
      data: line.scores,
      symbol: shapes[at % shapes.length],
      symbolSize: 8,
      color: colour(strokes[at % strokes.length] ?? "--ink"),
      lineStyle: { width: at === 0 ? 3 : 1.5, type: at % 2 === 0 ? "solid" : "dashed" },
    })),
  });
  const observer = new ResizeObserver(() => chart.resize());
  observer.observe(element);
  return () => {
    observer.disconnect();
    chart.dispose();
  };
}
