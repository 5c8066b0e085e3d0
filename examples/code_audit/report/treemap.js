// A squarified treemap of the folders (Bruls, Huizing, van Wijk): rows as square as can be.

const steps = [
  { above: 0, name: "to 5" },
  { above: 5, name: "to 10" },
  { above: 10, name: "to 20" },
  { above: 20, name: "to 50" },
  { above: 50, name: "above" },
];

function stepOf(complexity) {
  return Math.max(
    0,
    steps.findLastIndex((step) => complexity > step.above),
  );
}

/** The folders of all files; a chain of folders with one child each is one folder. */
function treeOf(files, rootName) {
  const root = { name: rootName, path: "", children: new Map() };
  for (const file of files) {
    const parts = file.path.split("/");
    let node = root;
    for (const part of parts.slice(0, -1)) {
      const path = `${node.path}${part}/`;
      if (!node.children.has(part)) {
        node.children.set(part, { name: part, path, parent: node, children: new Map() });
      }
      node = node.children.get(part);
    }
    const name = parts.at(-1);
    const leaf = { name, path: file.path, parent: node, file, lines: Math.max(file.lines, 1) };
    node.children.set(`${name}\0`, leaf);
  }
  return summed(root);
}

function summed(node) {
  if (node.file) return Object.assign(node, { complexity: node.file.complexity, count: 1 });
  const children = [...node.children.values()].map(summed);
  if (node.parent && children.length === 1 && !children[0].file) {
    const [only] = children;
    return Object.assign(only, { name: `${node.name}/${only.name}`, parent: node.parent });
  }
  children.sort((left, right) => right.lines - left.lines || (left.path < right.path ? -1 : 1));
  for (const child of children) child.parent = node;
  return Object.assign(node, {
    children,
    lines: children.reduce((sum, child) => sum + child.lines, 0),
    count: children.reduce((sum, child) => sum + child.count, 0),
    complexity: children.reduce((most, child) => Math.max(most, child.complexity), 0),
  });
}

function worstRatio(row, sum, side) {
  const thickness = sum / side;
  const ratios = [row[0].area, row.at(-1).area].map((area) => {
    const length = area / thickness;
    return Math.max(length / thickness, thickness / length);
  });
  return Math.max(...ratios);
}

/** Places children, largest first, into a box. */
function squarify(children, box, place) {
  const total = children.reduce((sum, child) => sum + child.lines, 0);
  const scale = (box.width * box.height) / total;
  const waiting = children.map((node) => ({ node, area: node.lines * scale }));
  let { x, y, width, height } = box;
  for (let first = 0; first < waiting.length; ) {
    const side = Math.min(width, height);
    let last = first + 1;
    let sum = waiting[first].area;
    let worst = worstRatio([waiting[first]], sum, side);
    while (last < waiting.length) {
      const grown = sum + waiting[last].area;
      const ratio = worstRatio([waiting[first], waiting[last]], grown, side);
      if (ratio > worst) break;
      worst = ratio;
      sum = grown;
      last += 1;
    }
    const thickness = side > 0 ? sum / side : 0;
    let offset = 0;
    for (const { node, area } of waiting.slice(first, last)) {
      const length = thickness > 0 ? area / thickness : 0;
      place(
        node,
        width < height
          ? { x: x + offset, y, width: length, height: thickness }
          : { x, y: y + offset, width: thickness, height: length },
      );
      offset += length;
    }
    if (width < height) [y, height] = [y + thickness, height - thickness];
    else [x, width] = [x + thickness, width - thickness];
    first = last;
  }
}

const headerHeight = 18;

/** Draws one folder, and what is inside as far as it can be seen. */
function drawTreemap(svg, root, enter, hover) {
  const width = svg.clientWidth;
  const height = Math.round(Math.min(680, Math.max(360, width * 0.52)));
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren();
  const frame = { x: 2, y: 2, width: width - 4, height: height - 4 };
  const draw = (node, box) => {
    if (box.width < 1.2 || box.height < 1.2) return;
    if (node.file) return drawLeaf(svg, node, box, hover, null);
    const small = box.width < 26 || box.height < 30 || (box.width * box.height) / node.count < 9;
    if (small && node !== root) return drawLeaf(svg, node, box, hover, enter);
    drawFolder(svg, node, box, hover, enter, node === root);
    const top = node === root ? 0 : headerHeight;
    const edge = node === root ? 0 : 2;
    const inside = {
      x: box.x + edge,
      y: box.y + top,
      width: box.width - 2 * edge,
      height: box.height - top - edge,
    };
    squarify(node.children, inside, draw);
  };
  draw(root, frame);
}

function drawFolder(svg, node, box, hover, enter, isRoot) {
  if (isRoot) return;
  const rect = element(svg, "rect", { ...box, class: "folder", rx: 3 });
  rect.onclick = () => enter(node);
  hover(rect, () => folderText(node));
  if (box.width > 46) {
    const text = element(svg, "text", { x: box.x + 5, y: box.y + 13, class: "name" });
    text.textContent = fitting(node.name, box.width - 10);
  }
}

function drawLeaf(svg, node, box, hover, enter) {
  const step = stepOf(node.complexity);
  const refused = node.file?.refused;
  const rect = element(svg, "rect", {
    ...box,
    class: node.file ? "file" : "closed",
    fill: refused ? "var(--soft)" : `var(--step${step})`,
    rx: 2,
  });
  if (enter) rect.onclick = () => enter(node);
  hover(rect, () => (node.file ? fileText(node.file) : folderText(node)));
  if (box.width > 58 && box.height > 17) {
    const hot = step === 4 || refused ? "hot" : "";
    const text = element(svg, "text", { x: box.x + 5, y: box.y + 13, class: hot });
    text.textContent = fitting(node.name, box.width - 10);
  }
}

function fitting(text, width) {
  const room = Math.floor(width / 6.1);
  return text.length <= room ? text : `${text.slice(0, Math.max(room - 1, 1))}…`;
}

function folderText(node) {
  return [
    node.path || node.name,
    `${count(node.count, "file")}, ${count(node.lines, "line")}`,
    `most complex function: ${node.complexity}`,
  ];
}

function fileText(file) {
  if (file.refused) return [file.path, "could not be measured"];
  const documented = file.exported ? `, ${file.documented} of ${file.exported} documented` : "";
  return [
    file.path,
    `${count(file.lines, "line")}, ${count(file.functions, "function")}${documented}`,
    `most complex function: ${file.complexity}, deepest nesting: ${file.nesting}`,
  ];
}
