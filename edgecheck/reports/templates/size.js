
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const tiles = data.tiles;
  const exact = new Intl.NumberFormat("en-US");

  // The look: as the system has it, until the button says otherwise.
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme || (dark.matches ? "dark" : "light")) === "dark";
  const theme = byId("theme");
  const name = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.hidden = false;
  name();
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    name();
    draw();
  });
  dark.addEventListener("change", () => { name(); draw(); });

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
  byId("search-label").hidden = false;
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

  // The treemap.
  const plot = byId("plot");
  const measure = byId("measure");
  const root = 0;
  let level = root;
  let chosen = -1;
  const children = tiles.parent.map(() => []);
  tiles.parent.forEach((parent, index) => { if (parent >= 0) children[parent].push(index); });
  const value = (index) => tiles[measure.value][index];
  const inside = (index) => children[index].filter((child) => value(child) > 0).sort((a, b) => value(b) - value(a));
  const amount = (index) => `${exact.format(value(index))} ${measure.value === "params" ? "parameters" : "bytes"}`;
  const share = (index) => `${(100 * value(index) / Math.max(1, value(root))).toFixed(1)} %`;
  const told = (index) => {
    const parts = [tiles.name[index], amount(index), `${share(index)} of the model`];
    if (tiles.detail[index]) parts.push(tiles.detail[index]);
    return parts.join(", ");
  };
  // Plotly takes a few tags and entities in its texts for what they are in HTML.
  const short = (text) => text.length > 40 ? `${text.slice(0, 19)}…${text.slice(-20)}` : text;
  const literal = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const color = (variable) => getComputedStyle(document.documentElement).getPropertyValue(`--${variable}`).trim();
  // What is in a tile stands out from the tile: half of its colour is the page's.
  const pale = (strong, ground) => {
    const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    const mixed = channels(strong).map((channel, at) => Math.round((channel + channels(ground)[at]) / 2));
    return `rgb(${mixed.join(",")})`;
  };
  const edges = () => {
    const edge = color("tile-edge");
    const mark = color("chosen");
    return {
      width: tiles.name.map((_, index) => index === chosen ? 4 : 1),
      color: tiles.name.map((_, index) => index === chosen ? mark : edge),
    };
  };
  const trace = () => {
    const leaf = {};
    const branch = {};
    Object.keys(data.groups).forEach((group) => {
      leaf[group] = color(group);
      branch[group] = pale(leaf[group], color("ground"));
    });
    const colors = tiles.group.map((group, index) => (children[index].length ? branch : leaf)[group]);
    return {
      type: "treemap",
      branchvalues: "total",
      ids: tiles.name.map((_, index) => String(index)),
      parents: tiles.parent.map((parent) => parent < 0 ? "" : String(parent)),
      labels: tiles.name.map((name) => literal(short(name))),
      values: tiles[measure.value],
      text: tiles.name.map((_, index) => literal(amount(index))),
      hovertext: tiles.name.map((_, index) => literal(told(index))),
      hoverinfo: "text",
      textinfo: "label+text",
      textfont: { color: color("tile-text"), size: 13 },
      hoverlabel: { bgcolor: color("raised"), bordercolor: color("line"), font: { color: color("text") } },
      level: String(level),
      maxdepth: 3,
      pathbar: { visible: false },
      tiling: { pad: 2 },
      marker: { colors, line: edges(), pad: { t: 22, l: 3, r: 3, b: 3 } },
    };
  };
  const layout = () => ({
    margin: { t: 0, l: 0, r: 0, b: 0 },
    paper_bgcolor: color("ground"),
    font: { family: getComputedStyle(document.body).fontFamily },
    uniformtext: { minsize: 12, mode: "hide" },
  });
  const config = { displayModeBar: false, displaylogo: false, responsive: true, doubleClick: false };
  let ready = false;
  function draw() {
    if (ready) window.Plotly.react(plot, [trace()], layout(), config);
  }
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
    byId("status").textContent = told(index) + (parts ? `; ${parts} ${parts === 1 ? "part" : "parts"} inside` : "");
  };
  const moved = (index) => { level = index; chosen = -1; crumbs(); say(index); };
  const open = (index) => { moved(index); draw(); };
  const choose = (index) => {
    chosen = index;
    say(index);
    const line = edges();
    window.Plotly.restyle(plot, { "marker.line.width": [line.width], "marker.line.color": [line.color] });
  };
  const step = (by) => {
    const parts = inside(level);
    if (!parts.length) return;
    const at = parts.indexOf(chosen);
    choose(parts[at < 0 ? (by > 0 ? 0 : parts.length - 1) : (at + by + parts.length) % parts.length]);
  };
  const back = () => {
    const from = level;
    if (tiles.parent[level] < 0) return;
    open(tiles.parent[level]);
    choose(from);
  };
  const keys = {
    ArrowRight: () => step(1),
    ArrowDown: () => step(1),
    ArrowLeft: () => step(-1),
    ArrowUp: () => step(-1),
    Home: () => { const parts = inside(level); if (parts.length) choose(parts[0]); },
    End: () => { const parts = inside(level); if (parts.length) choose(parts[parts.length - 1]); },
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
  measure.addEventListener("change", () => { draw(); say(chosen < 0 ? level : chosen); });

  const unpacked = async () => {
    const packed = Uint8Array.from(atob(byId("plotly").textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  };
  const start = async () => {
    const script = document.createElement("script");
    script.textContent = await unpacked();
    document.head.append(script);
    byId("map-section").hidden = false;
    await window.Plotly.newPlot(plot, [trace()], layout(), config);
    ready = true;
    plot.on("plotly_treemapclick", (event) => {
      const next = event.nextLevel === undefined || event.nextLevel === "" ? root : Number(event.nextLevel);
      moved(next);
    });
    byId("no-map").hidden = true;
    moved(root);
    for (const cell of body.querySelectorAll("th[data-tile]")) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = cell.textContent;
      button.title = "Show in the treemap";
      button.addEventListener("click", () => {
        const index = Number(cell.dataset.tile);
        if (inside(index).length) open(index);
        else { open(Math.max(root, tiles.parent[index])); choose(index); }
        plot.focus();
        byId("map-section").scrollIntoView({ block: "start" });
      });
      cell.replaceChildren(button);
    }
    document.documentElement.dataset.ready = "yes";
  };
  start().catch((error) => {
    byId("map-section").hidden = true;
    byId("no-map").textContent = `The treemap could not be drawn in this browser (${error.message}). ` +
      "The table has the same figures.";
    document.documentElement.dataset.ready = "no";
  });
})();
