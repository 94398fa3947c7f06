"use strict";
/* Makes the report's tables sortable and draws what can be switched, from two blocks of JSON. Names are only ever text. */
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("clip-data").textContent);
  const { classes, clips, labels, rows } = data;
  const UNTESTED = classes.length < 255 ? 255 : 65535;
  const STEP = 12;

  // ---- reading

  function bytes(text) {
    const raw = atob(text.slice(text.indexOf(",") + 1));
    return Uint8Array.from(raw, (c) => c.charCodeAt(0));
  }
  function codes(text, wide) {
    const own = bytes(text);
    return wide ? Uint16Array.from({ length: own.length / 2 }, (_, k) => own[2 * k] + 256 * own[2 * k + 1]) : own;
  }
  function once(make) {
    const made = new Map();
    return (key) => {
      if (!made.has(key)) made.set(key, make(key));
      return made.get(key);
    };
  }
  const media = () => store("media");
  const store = once(() => JSON.parse($("media-data").textContent));
  const arrays = once((r) => {
    const row = rows[r], n = clips.length;
    const seeds = row.predicted.map((text) => codes(text, UNTESTED > 255));
    const guess = new Int32Array(n).fill(-1), right = new Uint8Array(n), times = new Uint8Array(n);
    for (let k = 0; k < n; k++) {
      const counts = new Map();
      let tested = 0, hits = 0;
      for (const seed of seeds) {
        if (seed[k] === UNTESTED) continue;
        tested++;
        hits += seed[k] === labels[k];
        counts.set(seed[k], (counts.get(seed[k]) || 0) + 1);
      }
      if (!tested) continue;
      right[k] = 2 * hits > tested;
      times[k] = tested - hits;
      let most = 0;
      for (const [name, count] of counts) {
        const fits = (name === labels[k]) === Boolean(right[k]);
        if (fits && count > most) { guess[k] = name; most = count; }
      }
    }
    return { seeds, guess, right, times, given: row.given && bytes(row.given), true: row.true && bytes(row.true) };
  });
  const confusion = once((r) => {
    const counts = new Map();
    for (const seed of arrays(r).seeds) {
      seed.forEach((name, k) => {
        if (name !== UNTESTED) counts.set(labels[k] * 65536 + name, (counts.get(labels[k] * 65536 + name) || 0) + 1);
      });
    }
    return counts;
  });
  const count = (r, a, b) => confusion(r).get(a * 65536 + b) || 0;
  const support = once((r) => classes.map((_, a) => classes.reduce((sum, _, b) => sum + count(r, a, b), 0)));
  const percent = (share) => (share == null ? "–" : (Math.floor(1000 * share + .5 + 1e-9) / 10).toFixed(1));
  const score = (byte) => `${Math.round(byte / 2.55)}\u00a0%`;
  const tested = (r, k) => arrays(r).guess[k] >= 0;
  const ahead = (r, k) => (arrays(r).given ? arrays(r).given[k] - arrays(r).true[k] : 0);
  const clipName = (k) => clips[k];
  const className = (c) => (c >= 0 ? classes[c] : "unknown");

  function worstFirst(r, list) {
    return list.sort((a, b) => ahead(r, b) - ahead(r, a) || a - b);
  }
  function clipsWhere(test) {
    const found = [];
    for (let k = 0; k < clips.length; k++) if (test(k)) found.push(k);
    return found;
  }

  // ---- elements

  function el(tag, options = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(options)) {
      if (name === "text") made.textContent = value;
      else if (name === "click") made.addEventListener("click", value);
      else if (value !== null && value !== undefined) made.setAttribute(name, value);
    }
    made.append(...children.filter(Boolean));
    return made;
  }
  const SVG = "http://www.w3.org/2000/svg";
  function svg(tag, options = {}, text = "") {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(options)) made.setAttribute(name, value);
    if (text) made.textContent = text;
    return made;
  }
  function fill(select, names, chosen) {
    select.replaceChildren(...names.map((name, k) => el("option", { value: k, text: name })));
    select.value = String(chosen);
  }

  // ---- sounds and images

  const audio = $("audio");
  let playing = -1;
  function soundOf(k) {
    const found = media().sounds[k];
    return found && (found.startsWith("base64,") ? `data:${media().type};${found}` : found);
  }
  function showPlaying() {
    const on = !audio.paused && !audio.ended ? playing : -1;
    for (const button of document.querySelectorAll(".play")) {
      const own = Number(button.dataset.clip) === on;
      button.classList.toggle("on", own);
      button.setAttribute("aria-label", `${own ? "Stop" : "Play"} ${clipName(button.dataset.clip)}`);
    }
  }
  function play(k) {
    const sound = soundOf(k);
    if (!sound) return;
    if (playing === k && !audio.paused) { audio.pause(); return; }
    if (playing !== k) audio.src = sound;
    else if (!sound.includes("#t=")) audio.currentTime = 0;
    playing = k;
    $("player-name").textContent = `${clipName(k)} · ${className(labels[k])}`;
    $("player").hidden = false;
    document.body.classList.add("playing");
    audio.play().catch(() => { $("player-name").textContent = `${clipName(k)} cannot be played here`; });
  }
  for (const event of ["play", "pause", "ended"]) audio.addEventListener(event, showPlaying);
  $("player-close").addEventListener("click", () => {
    audio.pause();
    $("player").hidden = true;
    document.body.classList.remove("playing");
  });
  function playButton(k, small) {
    if (!soundOf(k)) return null;
    return el("button", { type: "button", class: small ? "play small" : "play", "data-clip": k,
      "aria-label": `Play ${clipName(k)}`, click: () => play(k) });
  }
  const hasImages = () => Object.values(media().images).some((of) => Object.keys(of).length > 0);
  function imageOf(k, encoding) {
    const there = media().images;
    const name = there[encoding] && there[encoding][k] ? encoding : Object.keys(there).find((e) => there[e][k]);
    return name === undefined ? null : { name, address: `data:image/webp;${there[name][k]}` };
  }
  function thumb(k, encoding) {
    const image = imageOf(k, encoding);
    const label = image && `${className(labels[k])}, as ${image.name}`;
    const box = el("div", { class: "thumb" }, image ? el("img", { src: image.address, alt: label }) : null, playButton(k));
    if (!image && !hasImages()) return [box.firstChild, null];
    if (!box.firstChild) box.textContent = "not in this file";
    return [box, image];
  }

  // ---- cards

  function guessLine(r, k, prefix) {
    const own = arrays(r), guess = own.guess[k];
    if (guess < 0) return [el("div", { class: "guess small", text: `${prefix}not tested` })];
    const ok = own.right[k], words = prefix || (ok ? "recognised as " : "taken for ");
    const line = el("div", { class: `guess ${ok ? "ok" : "wrong"}` }, words, el("b", { text: classes[guess] }));
    if (own.seeds.length > 1) line.append(ok ? "" : ` by ${own.times[k]} of ${own.seeds.length} seeds`);
    if (!own.given) return [line];
    line.append(` ${score(own.given[k])}`);
    const bar = el("span");
    bar.style.width = score(own.given[k]).replace("\u00a0", "");
    return [line, el("span", { class: ok ? "meter" : "meter wrong" }, bar)];
  }
  function card(k, shown, prefixes = [""]) {
    const r = shown[0], own = arrays(r);
    const [box, image] = thumb(k, rows[r].image);
    const text = el("div", { class: "text" }, el("div", { class: "true" }, el("bdi", { text: className(labels[k]) })));
    if (own.true && own.guess[k] >= 0 && !own.right[k]) {
      text.firstChild.append(el("span", { class: "small", text: ` ${score(own.true[k])}` }));
    }
    shown.forEach((each, place) => text.append(...guessLine(each, k, prefixes[place])));
    const fold = data.folds[data.fold[k]];
    const seen = image && image.name !== rows[r].image ? ` · drawn as ${image.name}` : "";
    text.append(el("div", { class: "small", text: `${clipName(k)}${fold && fold !== "all" ? ` · fold ${fold}` : ""}${seen}` }));
    const near = rows[r].nearest[k];
    const below = near !== undefined && shown.length === 1 ? nearest(near, rows[r].image) : null;
    return el("li", { class: "card", "data-clip": k }, box, text, below);
  }
  function nearest(k, encoding) {
    const image = imageOf(k, encoding);
    return el("div", { class: "near" },
      image && el("img", { src: image.address, alt: `${className(labels[k])}, as ${image.name}` }), playButton(k, true),
      el("div", { class: "small" }, "nearest training clip: ", el("b", { text: className(labels[k]) }), ` · ${clipName(k)}`));
  }
  function cardList(list, button, make) {
    let found = [], next = 0;
    function more(n) {
      list.append(...found.slice(next, next + n).map(make));
      next = Math.min(found.length, next + n);
      button.hidden = next >= found.length;
      button.textContent = `Show more (${found.length - next} left)`;
    }
    button.addEventListener("click", () => {
      const before = list.children.length;
      more(2 * STEP);
      const first = list.children[before] && list.children[before].querySelector("button");
      if (first) first.focus({ preventScroll: true });
    });
    return (clipsFound) => {
      found = clipsFound;
      next = 0;
      list.replaceChildren();
      more(STEP);
    };
  }

  // ---- one combination

  const state = { row: 0, pair: null };
  const showMistakes = cardList($("mistakes-cards"), $("mistakes-more"), (k) => card(k, [state.row]));
  function drawMistakes() {
    const r = state.row, own = arrays(r), pair = state.pair;
    const all = clipsWhere((k) => tested(r, k) && !own.right[k]);
    const list = pair
      ? clipsWhere((k) => labels[k] === pair[0] && own.seeds.some((seed) => seed[k] === pair[1]))
      : all;
    const n = clipsWhere((k) => tested(r, k)).length;
    const what = pair
      ? `${list.length} ${list.length === 1 ? "clip" : "clips"}: ${classes[pair[0]]} taken for ${classes[pair[1]]}`
      : `${list.length} of ${n} clips`;
    $("mistakes-count").textContent = pair && pair[0] === pair[1] ? `${list.length} clips of ${classes[pair[0]]}, recognised` : what;
    $("mistakes-all").hidden = !pair;
    const heard = rows[r].image && rows[r].image !== rows[r].encoding ? ` It hears the sound itself; images are of ${rows[r].image}.` : "";
    $("mistakes-note").textContent = (own.given
      ? "The surest mistakes come first. Percentages are scores: of the true class, and of the class that it was taken for."
      : "There are no scores to order them by.") + heard;
    showMistakes(worstFirst(r, list));
  }
  function choosePair(a, b) {
    state.pair = [a, b];
    drawMistakes();
    const section = $("mistakes");
    section.scrollIntoView();
    $("mistakes-all").focus({ preventScroll: true });
  }
  $("mistakes-all").addEventListener("click", () => { state.pair = null; drawMistakes(); });

  function drawConfusion() {
    const r = state.row, n = classes.length, box = $("confusion-table");
    if (n > 100) return;
    const table = el("table", { class: n > 30 ? "matrix many" : "matrix" });
    const corner = el("td", { class: "small", text: "true ↓ predicted →" });
    table.append(el("caption", { class: "small", text: "" }), el("thead", {}, el("tr", {}, corner,
      ...classes.map((name) => el("th", { scope: "col", title: name }, el("span", { text: name }))))));
    const body = el("tbody");
    classes.forEach((name, a) => {
      const line = el("tr", {}, el("th", { scope: "row", text: name, title: name }));
      classes.forEach((other, b) => {
        const value = count(r, a, b), cell = el("td", { class: a === b ? "" : "off" });
        if (value) {
          const share = value / support(r)[a];
          cell.style.setProperty("--s", Math.pow(share, .7).toFixed(3));
          cell.append(el("button", { type: "button", text: value, click: () => choosePair(a, b),
            "aria-label": `${value} ${name} ${a === b ? "recognised" : `taken for ${other}`}` }));
        }
        line.append(cell);
      });
      body.append(line);
    });
    table.append(body);
    table.querySelector("caption").remove();
    box.replaceChildren(table);
    $("confusion").classList.add("drawn");
  }
  function drawConfused() {
    const r = state.row, found = [];
    for (const [key, times] of confusion(r)) {
      const a = Math.floor(key / 65536), b = key % 65536;
      if (a !== b) found.push([a, b, times, times / support(r)[a]]);
    }
    found.sort((x, y) => y[2] - x[2] || y[3] - x[3] || x[0] - y[0] || x[1] - y[1]);
    const lines = found.slice(0, 12).map(([a, b, times, share]) => el("tr", {}, el("td", { text: classes[a] }),
      el("td", { text: classes[b] }),
      el("td", { class: "n" }, el("button", { type: "button", text: times, click: () => choosePair(a, b),
        "aria-label": `${times}: hear ${classes[a]} taken for ${classes[b]}` })),
      el("td", { class: "n", text: percent(share) })));
    const table = $("confused");
    if (table.tagName === "TABLE") table.tBodies[0].replaceChildren(...lines);
    else table.hidden = found.length > 0;
  }
  function drawClasses() {
    const r = state.row, table = $("classes-table"), figures = rows[r].figures;
    const names = [...table.tHead.rows[0].cells].slice(3, -1).map((cell) => cell.textContent.trim().toLowerCase());
    const lines = classes.map((name, a) => [a, figures.recall[a]]).filter(([, recall]) => recall !== null);
    lines.sort((x, y) => x[1] - y[1] || x[0] - y[0]);
    table.tBodies[0].replaceChildren(...lines.map(([a, recall]) => {
      const bar = el("span", { class: "bar" });
      bar.style.width = `${(100 * recall).toFixed(2)}%`;
      return el("tr", {}, el("td", { text: classes[a] }), el("td", { class: "n", text: percent(recall) }),
        el("td", { class: "track" }, bar),
        ...names.map((name, k) => el("td", { class: k ? "n wide" : "n", text: percent((figures[name] || [])[a]) })),
        el("td", { class: "n", text: Math.round(support(r)[a] / arrays(r).seeds.length) }));
    }));
  }
  function drawReliability() {
    const box = $("reliability"), bins = rows[state.row].bins;
    if (!box) return;
    box.replaceChildren();
    if (!bins) { box.append(el("p", { class: "note", text: "The scores of this combination are no probabilities." })); return; }
    const label = `Reliability of ${rows[state.row].name}: accuracy by score in ${bins.length} bins`;
    const made = svg("svg", { viewBox: "0 0 260 246", role: "img", "aria-label": label });
    const x = (v) => 38 + 210 * v, y = (v) => 210 - 200 * v;
    for (const v of [0, .25, .5, .75, 1]) {
      made.append(svg("line", { x1: x(0), x2: x(1), y1: y(v), y2: y(v), stroke: "var(--line)" }));
      made.append(svg("text", { x: 32, y: y(v) + 3, "text-anchor": "end" }, `${100 * v}`));
      made.append(svg("text", { x: x(v), y: 224, "text-anchor": "middle" }, `${100 * v}`));
    }
    made.append(svg("line", { x1: x(0), x2: x(1), y1: y(0), y2: y(1), stroke: "var(--soft)", "stroke-dasharray": "4 4" }));
    const most = Math.max(...bins.map((bin) => bin[0]));
    for (const [n, sure, right] of bins) {
      const dot = svg("circle", { cx: x(sure), cy: y(right), r: 2.5 + 8 * Math.sqrt(n / most), fill: "rgba(var(--accent-rgb), .65)" });
      dot.append(svg("title", {}, `${n} predictions: score ${percent(sure)} %, right ${percent(right)} %`));
      made.append(dot);
    }
    made.append(svg("text", { x: x(.5), y: 241, "text-anchor": "middle" }, "score of the predicted class, %"));
    made.append(svg("text", { x: -110, y: 10, transform: "rotate(-90)", "text-anchor": "middle" }, "of these right, %"));
    box.append(made, el("figcaption", { class: "small", text: `${rows[state.row].name}; size: number of clips` }));
  }

  // ---- map

  const canvas = $("map-canvas");
  const view = { x: .5, y: .5, zoom: 1, chosen: -1, colour: "label", list: [] };
  const BASE = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#8a6fd1", "#7a9a01", "#b3446c", "#00a6a6"];
  const colour = (k) => (k < BASE.length ? BASE[k] : `hsl(${(137.508 * k) % 360}, ${45 + (k % 3) * 15}%, ${45 + (k % 2) * 12}%)`);
  const places = once((r) => {
    const own = rows[r].map;
    return own && { x: codes(own.x, true), y: codes(own.y, true) };
  });
  const mapRow = () => (rows[state.row].map ? state.row : rows.findIndex((row) => row.map));
  function pixel(k, at, width, height) {
    const scale = Math.min(width, height) - 24;
    const x = at.x[k] / 65534, y = at.y[k] / 65534;
    return [width / 2 + (x - view.x) * scale * view.zoom, height / 2 - (y - view.y) * scale * view.zoom];
  }
  function centre() {
    const at = places(mapRow());
    let x = 0, y = 0;
    for (const k of view.list) { x = Math.max(x, at.x[k]); y = Math.max(y, at.y[k]); }
    view.x = x / 2 / 65534;
    view.y = y / 2 / 65534;
    view.zoom = 1;
  }
  function codesOf(r) {
    if (view.colour === "fold") return [data.fold, data.folds];
    if (view.colour === "group") return [data.group, data.groups];
    if (view.colour === "error") return [Array.from(arrays(r).right, (v, k) => (tested(r, k) ? (v ? 0 : 1) : 2)), ["right", "wrong", "not tested"]];
    return [labels, classes];
  }
  function drawMap() {
    if (!canvas || canvas.clientWidth === 0) return;
    const r = mapRow(), at = places(r), ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight, context = canvas.getContext("2d");
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    context.scale(ratio, ratio);
    const style = getComputedStyle(root), [numbers, names] = codesOf(r);
    const special = view.colour === "error" ? [style.getPropertyValue("--soft"), style.getPropertyValue("--wrong"), style.getPropertyValue("--line")] : null;
    const size = view.list.length > 3000 ? 2.2 : view.list.length > 600 ? 3 : 4.2;
    const paint = (k) => (special ? special[numbers[k]] : numbers[k] < 0 ? style.getPropertyValue("--soft") : colour(numbers[k]));
    const order = special ? [...view.list].sort((a, b) => (numbers[a] === 1) - (numbers[b] === 1)) : view.list;
    context.globalAlpha = view.list.length > 3000 ? .7 : .85;
    for (const k of order) {
      const [x, y] = pixel(k, at, width, height);
      if (x < -9 || y < -9 || x > width + 9 || y > height + 9) continue;
      context.fillStyle = paint(k);
      context.beginPath();
      context.arc(x, y, size, 0, 6.2832);
      context.fill();
    }
    context.globalAlpha = 1;
    if (view.chosen >= 0 && at.x[view.chosen] !== 65535) {
      const [x, y] = pixel(view.chosen, at, width, height);
      context.strokeStyle = style.getPropertyValue("--ink");
      context.lineWidth = 2;
      context.beginPath();
      context.arc(x, y, size + 4, 0, 6.2832);
      context.stroke();
    }
    const shown = names.length > 24 ? [] : names;
    $("map-legend").replaceChildren(...shown.map((name, k) => {
      const dot = el("i");
      dot.style.background = special ? special[k] : colour(k);
      return el("li", {}, dot, name || "none");
    }), names.length > 24 ? el("li", { text: `${names.length} colours, one for each` }) : "");
  }
  function prepareMap() {
    if (!canvas) return;
    const at = places(mapRow());
    if (!at) { $("map").hidden = true; return; }
    view.list = clipsWhere((k) => at.x[k] !== 65535);
    const other = mapRow() === state.row ? "" : ` This is the map of ${rows[mapRow()].name}.`;
    $("map-note").dataset.base ||= $("map-note").textContent;
    const share = rows[mapRow()].share;
    $("map-note").textContent = $("map-note").dataset.base + (share ? ` It has ${percent(share)} % of their variance.` : "") + other;
    centre();
    listClips();
    drawMap();
  }
  function listClips() {
    const wanted = Number($("map-class").value) - 1;
    const found = view.list.filter((k) => wanted < 0 || labels[k] === wanted).slice(0, 1000);
    $("map-list").replaceChildren(...found.map((k) => el("option", { value: k, text: `${clipName(k)} · ${className(labels[k])}` })));
  }
  function choose(k, sound) {
    view.chosen = k;
    $("map-card").replaceChildren(card(k, [mapRow()]));
    $("map-list").value = String(k);
    drawMap();
    if (sound) play(k);
  }
  function pick(x, y, near, ok = () => true) {
    const at = places(mapRow()), width = canvas.clientWidth, height = canvas.clientHeight;
    let best = -1, least = near * near;
    for (const k of view.list) {
      const [px, py] = pixel(k, at, width, height), d = (px - x) ** 2 + (py - y) ** 2;
      if (d < least && ok(px - x, py - y)) { best = k; least = d; }
    }
    return best;
  }
  function zoom(factor) {
    view.zoom = Math.min(64, Math.max(1, view.zoom * factor));
    if (view.zoom === 1) centre();
    else if (view.chosen >= 0 && factor > 1) {
      const at = places(mapRow());
      view.x = at.x[view.chosen] / 65534;
      view.y = at.y[view.chosen] / 65534;
    }
    canvas.style.touchAction = view.zoom > 1 ? "none" : "";
    drawMap();
  }
  function mapEvents() {
    let drag = null;
    canvas.addEventListener("pointerdown", (event) => { drag = [event.clientX, event.clientY, view.x, view.y, false]; });
    canvas.addEventListener("pointermove", (event) => {
      if (!drag || view.zoom === 1) return;
      const dx = event.clientX - drag[0], dy = event.clientY - drag[1];
      const scale = (Math.min(canvas.clientWidth, canvas.clientHeight) - 24) * view.zoom;
      if (Math.hypot(dx, dy) > 4) drag[4] = true;
      if (drag[4]) { view.x = drag[2] - dx / scale; view.y = drag[3] + dy / scale; drawMap(); }
    });
    window.addEventListener("pointerup", () => { setTimeout(() => { drag = null; }); });
    canvas.addEventListener("click", (event) => {
      if (drag && drag[4]) return;
      const box = canvas.getBoundingClientRect(), k = pick(event.clientX - box.left, event.clientY - box.top, 16);
      if (k >= 0) choose(k, true);
    });
    canvas.addEventListener("keydown", (event) => {
      const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }, way = ways[event.key];
      if (event.key === "Enter" && view.chosen >= 0) play(view.chosen);
      if (!way) return;
      event.preventDefault();
      const at = places(mapRow());
      const from = view.chosen < 0 ? [canvas.clientWidth / 2, canvas.clientHeight / 2] : pixel(view.chosen, at, canvas.clientWidth, canvas.clientHeight);
      const k = pick(...from, 1e5, (dx, dy) => dx * way[0] + dy * way[1] > Math.abs(dx * way[1]) + Math.abs(dy * way[0]));
      if (k >= 0) choose(k, false);
    });
    $("map-in").addEventListener("click", () => zoom(1.6));
    $("map-out").addEventListener("click", () => zoom(1 / 1.6));
    $("map-colour").addEventListener("change", (event) => { view.colour = event.target.value; drawMap(); });
    $("map-class").addEventListener("change", listClips);
    $("map-list").addEventListener("change", (event) => choose(Number(event.target.value), false));
    $("map-list").addEventListener("keydown", (event) => { if (event.key === "Enter" && view.chosen >= 0) play(view.chosen); });
    $("map-class").replaceChildren(...["all", ...classes].map((name, k) => el("option", { value: k, text: name })));
    if (data.groups.length < 2) $("map-colour").querySelector("[value=group]").remove();
    if (data.folds.length < 2) $("map-colour").querySelector("[value=fold]").remove();
    window.addEventListener("resize", drawMap);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawMap);
  }

  // ---- two combinations

  const two = { a: 0, b: 1, kind: "10" };
  const showTwo = cardList($("two-cards"), $("two-more"), (k) => card(k, [two.a, two.b], ["A: ", "B: "]));
  function drawTwo() {
    const a = arrays(two.a), b = arrays(two.b), cases = { "11": [], "10": [], "01": [], "00": [] };
    for (const k of clipsWhere((k) => tested(two.a, k) && tested(two.b, k))) cases[`${a.right[k]}${b.right[k]}`].push(k);
    for (const button of document.querySelectorAll("#two [data-case]")) {
      const kind = button.dataset.case, words = `A ${kind[0] === "1" ? "right" : "wrong"}, B ${kind[1] === "1" ? "right" : "wrong"}`;
      button.textContent = cases[kind].length;
      button.setAttribute("aria-label", `${cases[kind].length} clips: ${words}`);
      button.setAttribute("aria-pressed", kind === two.kind);
    }
    const list = cases[two.kind], words = { "11": "both right", "10": "A right, B wrong", "01": "A wrong, B right", "00": "both wrong" };
    $("two-count").textContent = `${list.length} ${list.length === 1 ? "clip" : "clips"}: ${words[two.kind]}.`;
    showTwo(worstFirst(two.kind === "01" ? two.a : two.b, list));
  }
  function twoEvents() {
    if (rows.length < 2) { $("two").hidden = true; return; }
    fill($("row-a"), rows.map((row) => row.name), two.a);
    fill($("row-b"), rows.map((row) => row.name), two.b);
    $("row-a").addEventListener("change", (event) => { two.a = Number(event.target.value); drawTwo(); });
    $("row-b").addEventListener("change", (event) => { two.b = Number(event.target.value); drawTwo(); });
    for (const button of document.querySelectorAll("#two [data-case]")) {
      button.addEventListener("click", () => { two.kind = button.dataset.case; drawTwo(); });
    }
    whenNear($("two"), drawTwo);
  }

  // ---- tables

  function valueOf(cell) {
    if (!cell) return "";
    const text = (cell.dataset.value || cell.textContent).trim().replace("−", "-").replace(/^[<±]\s*/, "");
    const number = parseFloat(text);
    return /^[-+]?[.\d]/.test(text) && cell.classList.contains("n") ? number : text;
  }
  function sortBy(table, column, way) {
    const body = table.tBodies[0], lines = [...body.rows];
    const values = new Map(lines.map((line) => [line, valueOf(line.cells[column])]));
    lines.sort((x, y) => {
      const a = values.get(x), b = values.get(y);
      if (typeof a === "number" && typeof b === "number") return way * (a - b);
      if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
      return way * a.localeCompare(b, "en", { numeric: true });
    });
    body.append(...lines);
    for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
    table.tHead.rows[0].cells[column].setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
    limitRows();
  }
  function makeSortable(table) {
    [...table.tHead.rows[0].cells].forEach((cell, column) => {
      if (cell.tagName !== "TH" || !cell.textContent.trim()) return;
      const button = el("button", { type: "button" }, ...cell.childNodes);
      button.addEventListener("click", () => {
        const now = cell.getAttribute("aria-sort"), first = cell.classList.contains("n") ? -1 : 1;
        sortBy(table, column, now === null ? first : now === "ascending" ? -1 : 1);
      });
      cell.append(button);
    });
  }
  function markScrollable() {
    const names = new Map();
    for (const box of document.querySelectorAll(".scroll")) {
      const over = box.scrollWidth > box.clientWidth + 1;
      if (over) {
        const section = box.closest("section"), heading = section ? section.querySelector("h2").textContent : "Table";
        names.set(heading, (names.get(heading) || 0) + 1);
        box.setAttribute("tabindex", "0");
        box.setAttribute("role", "region");
        box.setAttribute("aria-label", `${heading}, to be scrolled${names.get(heading) > 1 ? ` ${names.get(heading)}` : ""}`);
      } else for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
    }
  }
  let limited = true;
  function limitRows() {
    const table = $("suspects-table"), button = $("suspects-more");
    if (!table) return;
    const lines = [...table.tBodies[0].rows];
    lines.forEach((line, k) => { line.hidden = limited && k >= 2 * STEP; });
    button.hidden = !limited || lines.length <= 2 * STEP;
    button.textContent = `Show all ${lines.length}`;
    button.onclick = () => { limited = false; limitRows(); };
  }
  function suspectButtons() {
    const number = new Map(clips.map((name, k) => [name, k]));
    for (const line of $("suspects-table") ? $("suspects-table").tBodies[0].rows : []) {
      const k = number.get(line.dataset.clip), button = k === undefined ? null : playButton(k, true);
      if (button) line.cells[0].append(button);
    }
  }

  // ---- start

  const waiting = new Map();
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) now(entry.target);
  }, { rootMargin: "600px" });
  function now(element) {
    const draw = waiting.get(element);
    watcher.unobserve(element);
    waiting.delete(element);
    if (draw) { draw(); markScrollable(); }
  }
  function whenNear(element, draw) {
    if (!element) return;
    waiting.set(element, draw);
    watcher.observe(element);
  }
  function showRow() {
    for (const each of document.querySelectorAll(".which")) each.textContent = rows[state.row].name;
    for (const table of [$("confused"), $("classes-table")]) {
      for (const cell of table.querySelectorAll("[aria-sort]")) cell.removeAttribute("aria-sort");
    }
    whenNear($("mistakes"), drawMistakes);
    whenNear($("confusion"), () => { drawConfusion(); drawConfused(); });
    whenNear($("classes"), drawClasses);
    whenNear($("calibration"), drawReliability);
    whenNear($("map"), prepareMap);
  }
  for (const section of document.querySelectorAll("main section")) {
    const heading = section.querySelector("h2");
    if (section.id === "map" && !rows.some((row) => row.map)) section.hidden = true;
    if (section.id === "two" && rows.length < 2) section.hidden = true;
    if (!section.hidden) document.querySelector("nav").append(el("a", { href: `#${section.id}`, text: heading.textContent }));
  }
  document.querySelectorAll("table.sortable").forEach(makeSortable);
  fill($("row"), rows.map((row) => row.name), 0);
  if (rows.length < 2) document.querySelector(".choose").hidden = true;
  $("row").addEventListener("change", (event) => { state.row = Number(event.target.value); state.pair = null; showRow(); });
  if (canvas) mapEvents();
  twoEvents();
  whenNear($("suspects"), suspectButtons);
  limitRows();
  showRow();
  markScrollable();
  window.addEventListener("resize", markScrollable);
  window.addEventListener("beforeprint", () => { for (const element of [...waiting.keys()]) now(element); });
})();
