
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const tiles = data.tiles;
  const exact = new Intl.NumberFormat("en-US");

  // Light or dark: as the system is, until the button is pressed.
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";
  const theme = byId("theme");
  const nameOther = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.hidden = false;
  nameOther();
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    nameOther();
  });
  dark.addEventListener("change", nameOther);

  // The table: sorted by its headings, searched by name, type and shape.
  const table = byId("rows");
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  const sorted = (cell, numeric) => numeric ? Number(cell.dataset.value) : cell.textContent.toLowerCase();
  const sort = (column) => {
    const heading = headings[column];
    const numeric = heading.dataset.kind === "number";
    const first = numeric ? "descending" : "ascending";
    const other = numeric ? "ascending" : "descending";
    const order = heading.getAttribute("aria-sort") === first ? other : first;
    const sign = order === "ascending" ? 1 : -1;
    const rows = [...body.rows].map((row) => [sorted(row.cells[column], numeric), row]);
    rows.sort((a, b) => sign * (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
    body.append(...rows.map((row) => row[1]));
    headings.forEach((each) => each.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", order);
  };
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    button.addEventListener("click", () => sort(column));
    heading.replaceChildren(button);
  });
  const search = byId("search");
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    let count = 0;
    let bytes = 0;
    for (const row of body.rows) {
      const cells = row.cells;
      const text = `${cells[0].textContent} ${cells[5].textContent} ${cells[6].textContent}`.toLowerCase();
      row.hidden = !text.includes(wanted);
      if (!row.hidden) { count += 1; bytes += Number(cells[1].dataset.value); }
    }
    const all = exact.format(body.rows.length);
    byId("count").textContent = wanted
      ? `${exact.format(count)} of ${all} rows, ${exact.format(bytes)} bytes` : `${all} rows`;
  });

  // The treemap: data.drawings holds a layout for each tile that can be opened, as [tile, x, y, width, height, …].
  const plot = byId("plot");
  const svg = plot.querySelector("svg");
  const tip = byId("tip");
  const measure = byId("measure");
  const narrow = window.matchMedia("(max-width: 40rem)");
  const root = 0;
  let level = root;
  let chosen = -1;
  const children = tiles.parent.map(() => []);
  tiles.parent.forEach((parent, index) => { if (parent >= 0) children[parent].push(index); });
  const value = (index) => tiles[measure.value][index];
  const inside = (index) => children[index].filter((child) => value(child) > 0).sort((a, b) => value(b) - value(a));
  const described = (index) => {
    const amount = `${exact.format(value(index))} ${measure.value === "params" ? "parameters" : "bytes"}`;
    const share = `${(100 * value(index) / Math.max(1, value(root))).toFixed(1)} % of the model`;
    return [tiles.name[index], amount, share, tiles.detail[index]].filter(Boolean).join(", ");
  };

  const element = (name, attributes, ...inner) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    Object.entries(attributes).forEach(([key, each]) => made.setAttribute(key, each));
    made.append(...inner);
    return made;
  };
  const label = (index, width, height) => {
    if (width < data.label.width || height < data.label.height) return "";
    const [name, size] = [tiles.name[index], data.shown[measure.value][index]];
    const room = Math.floor((width - 10) / data.label.character);
    if (name.length + size.length < room) return `${name} ${size}`;
    return name.length <= room ? name : `${name.slice(0, room - 1)}…`;
  };
  const tile = (index, isOpened, [x, y, width, height]) => {
    const rect = element("rect", { x, y, width, height });
    const group = element("g", { class: `group-${tiles.group[index]}${isOpened ? " opened" : ""}` }, rect);
    group.dataset.tile = index;
    const words = label(index, width, height);
    if (words) group.append(element("svg", { x, y, width, height }, element("text", { x: 3, y: 10.5 }, words)));
    return group;
  };
  const draw = () => {
    const canvas = narrow.matches ? "narrow" : "wide";
    const numbers = data.drawings[data.at[canvas][measure.value][level]];
    const drawn = [];
    for (let at = 0; at < numbers.length; at += 5) {
      drawn.push([numbers[at], numbers.slice(at + 1, at + 5).map((tenths) => tenths / 10)]);
    }
    const opened = new Set(drawn.map(([index]) => tiles.parent[index]));
    svg.setAttribute("viewBox", `0 0 ${data.canvases[canvas].join(" ")}`);
    svg.replaceChildren(...drawn.map(([index, place]) => tile(index, opened.has(index), place)));
    outline();
  };
  const outline = () => {
    svg.querySelector(".chosen")?.remove();
    const rect = svg.querySelector(`[data-tile="${chosen}"] rect`)?.cloneNode();
    if (!rect) return;
    rect.setAttribute("class", "chosen");
    svg.append(rect);
  };

  const crumbs = () => {
    const way = [];
    for (let index = level; index >= 0; index = tiles.parent[index]) way.unshift(index);
    byId("path").replaceChildren(...way.map((index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = tiles.name[index];
      if (index === level) button.setAttribute("aria-current", "location");
      button.addEventListener("click", () => open(index));
      const item = document.createElement("li");
      item.append(button);
      return item;
    }));
  };
  const say = (index) => {
    const parts = inside(index).length;
    byId("status").textContent = described(index) + (parts ? `; ${parts} ${parts === 1 ? "part" : "parts"} inside` : "");
  };
  const open = (index) => { level = index; chosen = -1; tip.hidden = true; crumbs(); say(index); draw(); };
  const choose = (index) => { chosen = index; say(index); outline(); };
  const show = (index) => {
    if (inside(index).length) { open(index); return; }
    if (tiles.parent[index] !== level) open(Math.max(root, tiles.parent[index]));
    choose(index);
  };
  const back = () => {
    const from = level;
    if (tiles.parent[level] < 0) return;
    open(tiles.parent[level]);
    choose(from);
  };

  // With the keyboard: the plot has the focus, and the status says which tile is chosen.
  const step = (by) => {
    const parts = inside(level);
    if (!parts.length) return;
    const at = parts.indexOf(chosen);
    choose(parts[at < 0 ? (by > 0 ? 0 : parts.length - 1) : (at + by + parts.length) % parts.length]);
  };
  const keys = {
    ArrowRight: () => step(1),
    ArrowDown: () => step(1),
    ArrowLeft: () => step(-1),
    ArrowUp: () => step(-1),
    Home: () => { chosen = -1; step(1); },
    End: () => { chosen = -1; step(-1); },
    Enter: () => { if (chosen >= 0 && inside(chosen).length) open(chosen); },
    " ": () => keys.Enter(),
    Escape: back,
    Backspace: back,
  };
  plot.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || !(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  });

  // With the mouse or a finger.
  const under = (event) => Number(event.target.closest("[data-tile]")?.dataset.tile ?? -1);
  svg.addEventListener("click", (event) => {
    const index = under(event);
    if (index === level) back();
    else if (index >= 0) show(index);
  });
  svg.addEventListener("pointermove", (event) => {
    const index = under(event);
    tip.hidden = index < 0 || event.pointerType === "touch";
    if (tip.hidden) return;
    tip.textContent = described(index);
    const [right, below] = [window.innerWidth - tip.offsetWidth - 8, event.clientY + 20];
    tip.style.left = `${Math.max(0, Math.min(event.clientX + 12, right))}px`;
    tip.style.top = `${below + tip.offsetHeight < window.innerHeight ? below : event.clientY - tip.offsetHeight - 8}px`;
  });
  svg.addEventListener("pointerleave", () => { tip.hidden = true; });
  measure.addEventListener("change", () => { draw(); say(chosen < 0 ? level : chosen); });
  narrow.addEventListener("change", draw);

  // What a page without a script has no use for.
  document.querySelectorAll(".scripted").forEach((each) => { each.hidden = false; });
  plot.tabIndex = 0;
  Object.entries({
    role: "application", "aria-roledescription": "treemap", "aria-labelledby": "map", "aria-describedby": "keys",
  }).forEach(([name, each]) => plot.setAttribute(name, each));
  svg.removeAttribute("role");
  svg.removeAttribute("aria-label");
  svg.setAttribute("aria-hidden", "true");
  for (const cell of body.querySelectorAll("th[data-tile]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = cell.textContent;
    button.title = "Show in the treemap";
    button.addEventListener("click", () => {
      show(Number(cell.dataset.tile));
      plot.focus();
      byId("map-section").scrollIntoView({ block: "start" });
    });
    cell.replaceChildren(button);
  }
  open(root);
  document.documentElement.dataset.ready = "yes";
})();
