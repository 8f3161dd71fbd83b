"use strict";
// The page is whole without this: it adds opening and closing of blocks, size, choice of a layer in all three views, order and search.
(() => {
  const $ = (id) => document.getElementById(id);
  const svg = $("picture"), canvas = $("canvas"), table = $("table"), body = table.tBodies[0];
  const rows = [...body.rows];

  // ---- the picture: grid_place() and grid_path() of backends/grid.c, again ----

  const LANE = 10, GAP_X = 12, GAP_Y = 14, EDGE = 10, HEAD = 18, BOX = 34, END = 22, MARGIN = 8, MOST = 160;
  const numbers = (text) => text.split(" ").map(Number);
  const half = (n) => Math.trunc(n / 2);
  const inside = (el) => [...el.children].find((c) => c.classList.contains("i"));
  const withGap = (h) => (h > 0 ? h + GAP_Y : 0);

  function measured(el, width) {
    const [rank, ranks, a, b] = numbers(el.dataset.g);
    const box = { el, rank, ranks, a, b, w: width, h: BOX, stretches: el.classList.contains("n") };
    if (el.classList.contains("o")) box.h = END;
    else if (el.classList.contains("b")) {
      const shut = el.classList.contains("shut"), head = el.querySelector(".h");
      if (!shut) Object.assign(box, place(el, HEAD, width));
      resize(el, box.w, box.h);
      resize(head, box.w, shut ? BOX : HEAD);
      head.setAttribute("aria-expanded", String(!shut));
    }
    return box;
  }

  function resize(el, w, h) {
    const frame = el.querySelector("rect");
    frame.setAttribute("width", w);
    frame.setAttribute("height", h);
  }

  // Places what is in a block, or in the whole picture, and returns its size.
  function place(el, head, width) {
    const [nRank, nColumn, least] = numbers(el.dataset.n), group = inside(el);
    const boxes = [...group.children].filter((c) => c.dataset.g).map((c) => measured(c, width));
    const columnW = Array(nColumn).fill(LANE), rankH = Array(nRank).fill(0), columnX = [], rankY = [];
    for (const b of boxes) {
      if (b.ranks === 1) rankH[b.rank] = Math.max(rankH[b.rank], b.h);
      if (b.a === b.b) columnW[b.a] = Math.max(columnW[b.a], b.w);
    }
    const spanW = (b) => columnW.slice(b.a, b.b + 1).reduce((x, y) => x + y, GAP_X * (b.b - b.a));
    const ranksH = (b) => rankH.slice(b.rank, b.rank + b.ranks).reduce((x, y) => x + withGap(y), -GAP_Y);
    const last = (b) => b.rank + b.ranks - 1;
    for (const b of boxes.slice().sort((x, y) => last(x) - last(y))) {
      if (b.a < b.b) columnW[b.b] += Math.max(b.w - spanW(b), 0);
      const more = b.h - ranksH(b), end = last(b);
      if (b.ranks > 1 && more > 0) rankH[end] += rankH[end] > 0 ? more : Math.max(more - GAP_Y, 1);
    }
    const all = columnW.reduce((x, y) => x + y + GAP_X, GAP_X), w = Math.max(all, least);
    let x = GAP_X + half(w - all), y = head + GAP_Y;
    for (const c of columnW) { columnX.push(x); x += c + GAP_X; }
    for (const r of rankH) { rankY.push(y); y += withGap(r); }
    rankY.push(y);
    for (const b of boxes) {
      const span = spanW(b);
      if (b.a < b.b) b.w = span;
      b.x = columnX[b.a] + half(span - b.w);
      b.y = rankY[b.rank];
      b.el.setAttribute("transform", `translate(${b.x} ${b.y})`);
      if (b.stretches) {
        resize(b.el, b.w, b.h);
        for (const t of b.el.querySelectorAll(".r")) t.setAttribute("x", b.w - MARGIN);
      }
    }
    const grid = { boxes, columnX, columnW, rankY, nRank, head, w, h: y };
    for (const p of group.firstElementChild.children) p.setAttribute("d", path(grid, ...numbers(p.dataset.l)));
    return { w, h: y };
  }

  function path(g, fromIndex, toIndex, laneIndex) {
    const from = g.boxes[fromIndex], to = g.boxes[toIndex], centre = (b) => b.x + half(b.w);
    const lane = laneIndex >= 0 ? g.columnX[laneIndex] + half(g.columnW[laneIndex]) : -1;
    const guess = lane >= 0 ? lane : to ? centre(to) : centre(from);
    const meets = (b, x) => b.a < b.b ? Math.min(Math.max(x, b.x + EDGE), b.x + b.w - EDGE) : centre(b);
    let x0 = from ? meets(from, guess) : guess;
    const x1 = to ? meets(to, lane >= 0 ? lane : x0) : half(g.w);
    if (!from && lane < 0) x0 = x1;
    const r0 = from ? from.rank + from.ranks - 1 : -1, r1 = to ? to.rank : g.nRank;
    const y0 = from ? from.y + from.h : g.head, below = r0 >= 0 ? g.rankY[r0 + 1] - GAP_Y : y0, y1 = to ? to.y : g.h;
    const bend = (xa, ya, xb, yb) => {
      const middle = half(ya + yb);
      return xa === xb ? `V${yb}` : `C${xa} ${middle} ${xb} ${middle} ${xb} ${yb}`;
    };
    const start = `M${x0} ${y0}` + (below !== y0 ? `V${below}` : "");
    if (lane < 0) return start + bend(x0, below, x1, y1);
    const leave = g.rankY[r1] - GAP_Y;
    return start + bend(x0, below, lane, g.rankY[r0 + 1]) + `V${leave}` + bend(lane, leave, x1, y1);
  }

  // ---- opening and closing ----

  const blocks = svg ? [...svg.querySelectorAll(".b")] : [];
  let scale = 1, size = null;

  function draw() {
    size = place(svg, 0, Number(svg.dataset.w));
    svg.setAttribute("viewBox", `0 0 ${size.w} ${size.h}`);
    zoom(scale);
  }

  function zoom(to, at) {
    const old = scale, pane = canvas.getBoundingClientRect();
    const x = at ? at.clientX - pane.left : canvas.clientWidth / 2, y = at ? at.clientY - pane.top : canvas.clientHeight / 2;
    scale = Math.min(Math.max(to, 0.1), 4);
    svg.setAttribute("width", Math.round(size.w * scale));
    svg.setAttribute("height", Math.round(size.h * scale));
    canvas.scrollLeft = (canvas.scrollLeft + x) * scale / old - x;
    canvas.scrollTop = (canvas.scrollTop + y) * scale / old - y;
  }

  const fit = () => zoom(Math.min(1, Math.max((canvas.clientWidth - 4) / size.w, 0.1)));
  const depth = (b) => { let n = 0; for (let p = b; p; p = p.parentElement.closest(".b")) n++; return n; };

  function toggle(b, shut) {
    const head = b.querySelector(".h"), before = head.getBoundingClientRect();
    b.classList.toggle("shut", shut);
    draw();
    const after = head.getBoundingClientRect();   // what was clicked stays where it is
    canvas.scrollLeft += after.left - before.left;
    canvas.scrollTop += after.top - before.top;
    mark();
  }

  // As many levels open as leave a picture that can be read.
  function openSome() {
    const boxes = [...svg.querySelectorAll("[data-g]")].map((el) => depth(el.parentElement.closest(".b")));
    let level = 0;
    while (boxes.some((d) => d > level) && boxes.filter((d) => d <= level + 1).length <= MOST) level++;
    for (const b of blocks) b.classList.toggle("shut", depth(b) > level);
  }

  function startPicture() {
    const tools = { close: () => all(true), open: () => all(false), fit, in: () => zoom(scale * 1.25), out: () => zoom(scale / 1.25) };
    const all = (shut) => { for (const b of blocks) b.classList.toggle("shut", shut); draw(); fit(); mark(); };
    svg.classList.add("live");
    for (const b of blocks) {
      const head = b.querySelector(".h");
      head.setAttribute("role", "button");
      head.setAttribute("tabindex", "0");
      head.addEventListener("click", () => { if (!dragged) toggle(b, !b.classList.contains("shut")); });
      head.addEventListener("keydown", (e) => {
        if (e.key !== "Enter" && e.key !== " ") return;
        e.preventDefault();
        toggle(b, !b.classList.contains("shut"));
      });
    }
    for (const button of document.querySelectorAll("[data-do]")) {
      if (!blocks.length && /open|close/.test(button.dataset.do)) button.hidden = true;
      button.addEventListener("click", () => tools[button.dataset.do]());
    }
    $("graph-tools").hidden = false;
    openSome();
    draw();
    zoom(Math.min(1, Math.max(canvas.clientWidth / size.w, 0.55)));   // smaller cannot be read
    canvas.scrollLeft = (canvas.scrollWidth - canvas.clientWidth) / 2;
    canvas.addEventListener("wheel", (e) => {
      if (!e.ctrlKey && !e.metaKey) return;
      e.preventDefault();
      zoom(scale * Math.exp(-e.deltaY / 300), e);
    }, { passive: false });
    canvas.addEventListener("keydown", (e) => {
      if (e.target !== canvas || e.ctrlKey || e.metaKey) return;
      if (e.key === "+" || e.key === "=") tools.in();
      if (e.key === "-") tools.out();
      if (e.key === "0") fit();
    });
    startDragging();
  }

  let dragged = false;   // the click that ends a drag chooses nothing

  function startDragging() {
    let from = null;
    canvas.addEventListener("pointerdown", (e) => {
      dragged = false;
      if (e.pointerType === "mouse" && e.button === 0) from = { x: e.clientX, y: e.clientY, left: canvas.scrollLeft, top: canvas.scrollTop };
    });
    addEventListener("pointermove", (e) => {
      if (!from) return;
      const dx = e.clientX - from.x, dy = e.clientY - from.y;
      dragged = dragged || Math.abs(dx) + Math.abs(dy) > 4;
      if (!dragged) return;
      canvas.classList.add("drag");
      canvas.scrollLeft = from.left - dx;
      canvas.scrollTop = from.top - dy;
    });
    addEventListener("pointerup", () => { from = null; canvas.classList.remove("drag"); });
    canvas.addEventListener("dragstart", (e) => e.preventDefault());
  }

  // ---- the chosen layer ----

  let chosen = -1;
  const line = (row) => row.cells[2].querySelector("a")?.getAttribute("href").slice(1);
  const rowOf = (n) => $("r" + n);
  const byLine = new Map();
  for (const r of rows) {
    if (!line(r)) continue;
    byLine.set(line(r), [...(byLine.get(line(r)) || []), r]);
    $(line(r))?.classList.add("has");
  }

  // The box of a layer, or the closed block around it.
  function boxOf(n) {
    let box = $("p" + n);
    for (let b = box?.closest(".shut"); b; b = b.parentElement.closest(".shut")) box = b;
    return box;
  }

  function mark() {
    for (const el of document.querySelectorAll(".on, .same")) el.classList.remove("on", "same");
    if (chosen < 0) return;
    const row = rowOf(chosen), box = boxOf(chosen);
    for (const r of byLine.get(line(row)) || []) {
      if (r === row) continue;
      r.classList.add("same");
      $("p" + r.id.slice(1))?.classList.add("same");
    }
    row.classList.add("on");
    $(line(row))?.classList.add("on");
    for (const m of document.querySelectorAll(`.m[data-n="${chosen}"]`)) m.classList.add("on");
    if (!box) return;
    box.classList.add("on");
    const group = box.parentElement, index = [...group.children].filter((c) => c.dataset.g).indexOf(box);
    for (const p of group.firstElementChild.children) {
      const [from, to] = numbers(p.dataset.l);
      p.classList.toggle("on", from === index || to === index);
    }
  }

  // Scrolls only the pane, and only if it must.
  function show(el, pane) {
    if (!el || !pane) return;
    const a = el.getBoundingClientRect(), b = pane.getBoundingClientRect(), slack = 36;
    if (a.top < b.top + slack || a.bottom > b.bottom - slack) pane.scrollTop += (a.top + a.bottom) / 2 - (b.top + b.bottom) / 2;
    if (a.width < b.width && (a.left < b.left || a.right > b.right)) pane.scrollLeft += (a.left + a.right) / 2 - (b.left + b.right) / 2;
  }

  function choose(n, keepAddress) {
    chosen = n;
    mark();
    show(boxOf(n), canvas);
    show(rowOf(n), body.closest(".pane"));
    const source = $(line(rowOf(n)));
    if (source) show(source, source.closest(".pane"));
    if (!keepAddress) history.replaceState(null, "", "#r" + n);
  }

  document.addEventListener("click", (e) => {
    const node = e.target.closest(".n"), row = e.target.closest("tbody tr"), source = e.target.closest("pre span"), buffer = e.target.closest(".m[data-n]");
    let n = -1;
    if (dragged && canvas.contains(e.target)) { dragged = false; e.preventDefault(); return; }
    if (node) n = node.id.slice(1);
    else if (row) n = row.id.slice(1);
    else if (buffer) n = buffer.dataset.n;
    else if (source && byLine.has(source.id)) n = byLine.get(source.id)[0].id.slice(1);
    if (n < 0) return;
    e.preventDefault();
    choose(Number(n));
  });

  // Up and down go through the rows as they are shown.
  body.closest(".pane").addEventListener("keydown", (e) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    if (!step || e.target.closest("button")) return;
    const shown = [...body.rows].filter((r) => !r.hidden), at = shown.indexOf(rowOf(chosen));
    const next = shown[at < 0 ? 0 : at + step];
    e.preventDefault();
    if (!next) return;
    choose(Number(next.id.slice(1)));
    if (e.target.closest("td")) next.querySelector("a").focus({ preventScroll: true });
  });

  // ---- order and search ----

  for (const [k, th] of [...table.tHead.rows[0].cells].entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = th.textContent;
    th.replaceChildren(button);
    button.addEventListener("click", () => {
      const falls = k > 0 && th.getAttribute("aria-sort") !== "descending", back = k === 0 || th.getAttribute("aria-sort") === "ascending";
      const value = (r) => { const v = r.cells[k].dataset.v; return v === undefined ? r.cells[k].textContent : Number(v); };
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      const order = rows.slice();
      if (!back) {
        th.setAttribute("aria-sort", falls ? "descending" : "ascending");
        order.sort((a, b) => { const x = value(a), y = value(b); return (x > y ? 1 : x < y ? -1 : 0) * (falls ? -1 : 1); });
      }
      body.append(...order);
    });
  }

  $("layer-tools").hidden = false;
  $("find").addEventListener("input", (e) => {
    const words = e.target.value.toLowerCase().split(/\s+/);
    for (const r of rows) {
      const text = (r.cells[0].textContent + " " + r.cells[1].textContent + " " + r.cells[3].textContent).toLowerCase();
      r.hidden = !words.every((w) => text.includes(w));
    }
  });
  $("find").addEventListener("keydown", (e) => {
    const first = [...body.rows].find((r) => !r.hidden);
    if (e.key === "Enter" && first) choose(Number(first.id.slice(1)));
  });

  if (svg) startPicture();
  const wanted = /^#[rp](\d+)$/.exec(location.hash);
  if (wanted && rowOf(wanted[1])) choose(Number(wanted[1]), true);
})();
