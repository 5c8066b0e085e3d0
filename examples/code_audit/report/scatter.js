// Every function by length and complexity, on logarithmic axes: lines of equal score are straight.

const dangerScore = 1000;

function drawScatter(svg, data, shown, hover) {
  const width = svg.clientWidth;
  const height = Math.round(Math.min(620, Math.max(340, width * 0.46)));
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren();
  const most = (index, least) =>
    data.points.reduce((value, point) => Math.max(value, point[index]), least);
  const area = { left: 56, right: width - 24, top: 22, bottom: height - 46 };
  const x = logScale(0.8, most(1, 120) * 1.3, area.left, area.right);
  const y = logScale(0.8, most(2, 30) * 1.3, area.bottom, area.top);
  drawAxes(svg, x, y, area);
  drawDanger(svg, x, y, area);
  const named = namesAt(data);
  const points = data.points.filter(([language]) => shown.has(language));
  points.sort((left, right) => right[3] - left[3]);
  const mostTimes = most(3, 1);
  for (const point of points) {
    const [language, length, complexity, times] = point;
    const circle = element(svg, "circle", {
      cx: x(length),
      cy: y(complexity),
      r: 2.6 + 17 * Math.sqrt((times - 1) / mostTimes),
      fill: `var(--${data.languages[language]})`,
      "fill-opacity": 0.5,
    });
    hover(circle, () => pointText(data, point, named.get(point.slice(0, 3).join()) ?? []));
  }
  callOut(svg, data, shown, x, y, area);
}

function logScale(low, high, from, to) {
  const span = Math.log(high / low);
  return (value) => from + ((to - from) * Math.log(value / low)) / span;
}

function ticks(scale, from, to) {
  const inside = (value) =>
    scale(value) >= Math.min(from, to) && scale(value) <= Math.max(from, to);
  return [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000].filter(inside);
}

function drawAxes(svg, x, y, area) {
  for (const value of ticks(x, area.left, area.right)) {
    const at = x(value);
    element(svg, "line", { x1: at, x2: at, y1: area.top, y2: area.bottom, class: "grid" });
    const text = element(svg, "text", { x: at, y: area.bottom + 18, "text-anchor": "middle" });
    text.textContent = value.toLocaleString("en");
  }
  for (const value of ticks(y, area.bottom, area.top)) {
    const at = y(value);
    element(svg, "line", { x1: area.left, x2: area.right, y1: at, y2: at, class: "grid" });
    const text = element(svg, "text", { x: area.left - 10, y: at + 4, "text-anchor": "end" });
    text.textContent = value.toLocaleString("en");
  }
  const across = element(svg, "text", { x: area.right, y: area.bottom + 38, "text-anchor": "end" });
  across.textContent = "length in lines →";
  const up = element(svg, "text", { x: area.left - 40, y: area.top - 6 });
  up.textContent = "↑ cyclomatic complexity";
}

function drawDanger(svg, x, y, area) {
  const path = [];
  for (let length = 1; length < 1e6; length *= 1.1) {
    const [across, up] = [x(length), y(dangerScore / length)];
    if (across >= area.left && across <= area.right && up >= area.top && up <= area.bottom) {
      path.push(`${across.toFixed(1)},${up.toFixed(1)}`);
    }
  }
  if (path.length < 2) return;
  element(svg, "polyline", { points: path.join(" "), class: "danger", fill: "none" });
}

/** The functions that are known by name, by the point on which they lie. */
function namesAt(data) {
  const named = new Map();
  for (const spot of data.functions) {
    const key = [spot.language, spot.length, spot.complexity].join();
    named.set(key, [...(named.get(key) ?? []), spot]);
  }
  return named;
}

function pointText(data, [language, length, complexity, times], spots) {
  const size = `${count(length, "line")}, complexity ${complexity}`;
  const name = titleOf(data.languages[language]);
  if (times === 1 && spots.length === 1) {
    const [spot] = spots;
    return [spot.name, `${spot.path}:${spot.line}`, `${name}, ${size}, nesting ${spot.nesting}`];
  }
  const some = spots.slice(0, 5).map((spot) => `${spot.name} · ${spot.path}:${spot.line}`);
  return [`${count(times, "function")} in ${name}`, size, ...some];
}

/** Names the worst few beside their points, as long as the names do not run into each other. */
function callOut(svg, data, shown, x, y, area) {
  const taken = [];
  for (const spot of data.functions.filter((each) => shown.has(each.language)).slice(0, 40)) {
    if (taken.length === 8) return;
    const label = fitting(spot.name, 210);
    const wide = label.length * 7.4;
    const right = x(spot.length) + 9 + wide < area.right;
    const left = right ? x(spot.length) + 9 : x(spot.length) - 9 - wide;
    const top = y(spot.complexity);
    const collides = taken.some(
      (box) =>
        Math.abs(box.top - top) < 15 &&
        left < box.left + box.wide + 8 &&
        box.left < left + wide + 8,
    );
    if (collides || left < area.left) continue;
    taken.push({ left, top, wide });
    element(svg, "text", { x: left, y: top + 4, class: "call" }).textContent = label;
  }
}
