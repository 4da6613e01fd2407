// Draws a table as bars. The table is the truth: here its numbers become floats, to be drawn only,
// and what is shown as text comes from its cells.
(() => {
  "use strict";
  const HEIGHT = 200;
  const drawn = new WeakMap();

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const columns = (table) => {
    const rows = [...table.tBodies[0].rows];
    return {
      starts: rows.map((row) => Number(row.dataset.start)),
      widths: rows.map((row) => Number(row.dataset.end) - Number(row.dataset.start)),
      quantities: rows.map((row) => Number(row.dataset.quantity)),
      names: rows.map((row) => row.cells[0].textContent),
      texts: rows.map((row) => `${row.cells[0].textContent}: ${row.cells[row.cells.length - 1].textContent}`),
    };
  };

  // What stands below a bar: of "2026-01-31 11:00" the part that tells its neighbours apart.
  const SHORT = {
    HOUR: (name) => (name.endsWith(" 00:00") ? name.slice(5, 10) : name.slice(11)),
    DAY: (name) => name.slice(5, 10),
    MONTH: (name) => name.slice(0, 7),
  };
  const LABEL_WIDTH = 56;

  const options = (figure, shown, width) => {
    const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const reading = figure.querySelector("[data-chart-reading]");
    const step = Math.min(...shown.widths);
    const first = shown.starts[0], last = shown.starts[shown.starts.length - 1];
    const every = Math.ceil(shown.starts.length / Math.max(1, Math.floor((width - 80) / LABEL_WIDTH)));
    const named = new Map(shown.starts.map((start, index) => [start, shown.names[index]]));
    return {
      width,
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      scales: {
        x: { time: false, range: () => [first - step * 0.6, last + step * 0.6] },
        y: { range: (_, low, high) => [Math.min(0, low * 1.05), Math.max(0, high * 1.05) || 1] },
      },
      axes: [
        {
          ...axis,
          grid: { show: false },
          size: 30,
          splits: () => shown.starts.filter((_, index) => index % every === 0),
          values: (_, splits) => splits.map((start) => SHORT[figure.dataset.size](named.get(start))),
        },
        { ...axis, size: 72 },
      ],
      series: [{}, {
        fill: colour("--bar"),
        width: 0,
        points: { show: false },
        paths: uPlot.paths.bars({ size: [0.8, 64] }),
      }],
      hooks: {
        setCursor: [(plot) => {
          const index = plot.cursor.idx;
          if (index !== null && index !== undefined) reading.textContent = shown.texts[index];
        }],
      },
    };
  };

  const draw = (figure) => {
    const table = document.getElementById(figure.dataset.chartOf);
    const place = figure.querySelector(".plot");
    if (!table || !place || !table.tBodies[0].rows.length) return;
    drawn.get(figure)?.destroy();
    place.replaceChildren();
    const shown = columns(table);
    const plot = new uPlot(options(figure, shown, place.clientWidth), [shown.starts, shown.quantities], place);
    drawn.set(figure, plot);
  };

  const drawAll = () => document.querySelectorAll("[data-chart-of]").forEach(draw);
  document.addEventListener("DOMContentLoaded", drawAll);
  document.addEventListener("tallystick:theme", drawAll);
  document.addEventListener("htmx:after:swap", (event) => {
    if (event.target.id === "choice") drawAll();
  });
  let resizing = 0;
  window.addEventListener("resize", () => {
    window.cancelAnimationFrame(resizing);
    resizing = window.requestAnimationFrame(drawAll);
  });
})();
