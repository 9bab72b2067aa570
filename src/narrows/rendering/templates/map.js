// The map: far away points in the colours of their groups, near by thumbnails, one canvas. Sheets
// hold what lies together on the map, and only those in sight are loaded.
const map = album.map;
const canvas = get("map");
const MOST_THUMBNAILS = 1200;
const FEW = 150; // so many are drawn from the large thumbnails
const MAX_SHEETS = 48; // that are kept, of 2.5 MB each
const MAX_LARGE = 12; // of 10 MB each
const MIN_SIDE = 14;
const MAX_SIDE = 112; // pixels of a thumbnail

if (map) {
  const context = canvas.getContext("2d");
  const n = album.rows.length;
  const [xs, ys] = [0, 1].map((axis) => Float32Array.from({ length: n }, (_, at) => map.places[2 * at + axis] / map.steps));
  const view = { x: 0.5, y: 0.5, zoom: 1 }; // the middle, and how often the whole map is as large
  let size = [1, 1];
  let visible = [];
  let side = 0; // of the thumbnails; 0 where there are points
  let aimed = -1; // the picture that a key opens
  let aiming = false; // whether a key has moved the view since it was painted
  let waiting = false;
  let middles = null;

  const scale = () => view.zoom * Math.min(...size) * 0.94;
  const toScreen = (at) => [(xs[at] - view.x) * scale() + size[0] / 2, (ys[at] - view.y) * scale() + size[1] / 2];
  const ask = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      paint();
    });
  };

  // Sheets, of which those used longest ago are let go.
  const shelf = (name, most) => {
    const sheets = new Map();
    return (index) => {
      let image = sheets.get(index);
      if (image) sheets.delete(index);
      else {
        image = new Image();
        image.decoding = "async";
        image.addEventListener("load", ask);
        image.src = `${name}-${String(index).padStart(3, "0")}${name === "map" ? map.sheet.suffix : sheet.suffix}`;
      }
      sheets.set(index, image);
      if (sheets.size > most) sheets.delete(sheets.keys().next().value);
      return image.complete && image.naturalWidth ? image : null;
    };
  };
  const small = shelf("map", MAX_SHEETS);
  const large = shelf("pictures", MAX_LARGE);

  function drawThumbnail(at, width, height) {
    const few = visible.length <= FEW && large(Math.floor(at / PER_SHEET));
    const [own, image, place] = few ? [sheet, few, at % PER_SHEET] : [map.sheet, small(Math.floor(map.order[at] / PER_SHEET)), map.order[at] % PER_SHEET];
    const [x, y] = toScreen(at);
    if (!image) {
      context.fillRect(x - 2, y - 2, 4, 4);
      return;
    }
    const corner = (column, own, margin) => column * (own + 2 * margin) + margin;
    const [left, top] = [corner(place % sheet.columns, own.width, sheet.margin), corner(Math.floor(place / sheet.columns), own.height, sheet.margin)];
    if (side > 24) context.fillRect(x - width / 2 - 2, y - height / 2 - 2, width + 4, height + 4); // a frame
    context.drawImage(image, left, top, own.width, own.height, x - width / 2, y - height / 2, width, height);
  }

  const hueOf = (root) => (root < 0 ? "hsl(0 0% 55%)" : `hsl(${(groups.clusters.findIndex((own) => own.cluster === root) * 137.5) % 360} 62% 52%)`);
  const opacityOf = (at) => (!matches || matches.has(at) ? 1 : 0.15);
  const inSight = (x, y, room) => x > -room && y > -room && x < size[0] + room && y < size[1] + room;

  function paint() {
    const style = getComputedStyle(canvas);
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.fillStyle = style.backgroundColor;
    context.fillRect(0, 0, ...size);
    context.imageSmoothingEnabled = !sheet.pixelated;
    const points = [];
    const factor = scale();
    const [left, top] = [view.x * factor - size[0] / 2, view.y * factor - size[1] / 2];
    const box = [size[0], size[1], 0, 0]; // around what is in sight
    for (let at = 0; at < n; at += 1) {
      const [x, y] = [xs[at] * factor - left, ys[at] * factor - top];
      if (!inSight(x, y, side / 2)) continue;
      points.push(at);
      if (x < box[0]) box[0] = x;
      if (y < box[1]) box[1] = y;
      if (x > box[2]) box[2] = x;
      if (y > box[3]) box[3] = y;
    }
    visible = matches ? [...points.filter((at) => !matches.has(at)), ...points.filter((at) => matches.has(at))] : points; // those in front
    const room = Math.sqrt(Math.max(1, (box[2] - box[0]) * (box[3] - box[1])) / Math.max(1, visible.length));
    side = visible.length > MOST_THUMBNAILS ? 0 : Math.max(MIN_SIDE, Math.min(MAX_SIDE, 0.9 * room));
    if (side) {
      const longest = Math.max(sheet.width, sheet.height);
      for (const at of visible) {
        context.globalAlpha = opacityOf(at);
        context.fillStyle = hueOf(rootOf(clusterAt[at]));
        drawThumbnail(at, (side * sheet.width) / longest, (side * sheet.height) / longest);
      }
    } else {
      const dot = visible.length > 20_000 ? 2 : 3;
      let cluster = null;
      for (const at of visible) {
        context.globalAlpha = opacityOf(at);
        if (clusterAt[at] !== cluster) context.fillStyle = hueOf(rootOf((cluster = clusterAt[at])));
        const width = matches?.has(at) ? dot + 2 : dot;
        context.fillRect(xs[at] * factor - left, ys[at] * factor - top, width, width);
      }
    }
    context.globalAlpha = 1;
    if (view.zoom < 4 || !side) writeNames(style.color, style.backgroundColor);
    if (aiming) aim();
    if (aimed >= 0 && document.activeElement === canvas) ring(aimed);
    canvas.dataset.drawn = `${visible.length} ${side ? "thumbnails" : "points"}`;
  }

  function ring(at) {
    const [x, y] = toScreen(at);
    const half = Math.max(side, 12) / 2 + 2;
    context.strokeStyle = getComputedStyle(canvas).outlineColor;
    context.lineWidth = 3;
    context.strokeRect(x - half, y - half, 2 * half, 2 * half);
  }

  // The middle of each group, the largest first: computed once for groups as they are.
  function middlesOfGroups() {
    const every = roots().filter((own) => own >= 0).sort((a, b) => sizeOf(b) - sizeOf(a));
    return every.map((root) => {
      const positions = positionsOf(root);
      const median = (values) => Float32Array.from(positions, (at) => values[at]).sort()[positions.length >> 1];
      return { root, middle: [median(xs), median(ys)] };
    });
  }

  function writeNames(ink, paper) {
    context.font = "600 16px system-ui, sans-serif";
    context.textAlign = "center";
    context.lineJoin = "round";
    context.lineWidth = 4;
    const taken = []; // places of names, that of the largest group first
    for (const { root, middle } of (middles ??= middlesOfGroups())) {
      const [middleX, y] = [(middle[0] - view.x) * scale() + size[0] / 2, (middle[1] - view.y) * scale() + size[1] / 2];
      if (!inSight(middleX, y, 0)) continue;
      const text = state.names[root] || byNumber.get(root).guess.split(", ")[0] || standard(root);
      const half = context.measureText(text).width / 2 + 4;
      const x = Math.max(half, Math.min(size[0] - half, middleX)); // whole, also at the edge
      if (taken.some((own) => Math.abs(own[0] - x) < own[2] + half && Math.abs(own[1] - y) < 20)) continue;
      taken.push([x, y, half]);
      context.strokeStyle = paper;
      context.strokeText(text, x, y);
      context.fillStyle = ink;
      context.fillText(text, x, y);
    }
  }

  // Moves and zooms: a place of the screen stays where it is.
  function zoomBy(factor, [x, y] = [size[0] / 2, size[1] / 2]) {
    const before = scale();
    view.zoom = Math.max(0.8, Math.min(400, view.zoom * factor));
    const change = 1 / before - 1 / scale();
    view.x += (x - size[0] / 2) * change;
    view.y += (y - size[1] / 2) * change;
    ask();
  }
  function moveBy(x, y) {
    view.x = Math.max(0, Math.min(1, view.x - x / scale()));
    view.y = Math.max(0, Math.min(1, view.y - y / scale()));
    ask();
  }
  function showAll() {
    Object.assign(view, { x: 0.5, y: 0.5, zoom: 1 });
    ask();
  }
  function nearest([x, y], within) {
    let [best, least] = [-1, within * within];
    for (const at of visible) {
      const [px, py] = toScreen(at);
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance <= least) [best, least] = [at, distance];
    }
    return best;
  }

  const placeOf = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const pointers = new Map();
  let travelled = 0;
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return b && { distance: Math.hypot(a[0] - b[0], a[1] - b[1]), middle: [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2] };
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (!pointers.size) travelled = 0;
    pointers.set(event.pointerId, placeOf(event));
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const [now, apart] = [placeOf(event), spread()];
    pointers.set(event.pointerId, now);
    travelled += Math.hypot(now[0] - before[0], now[1] - before[1]);
    if (!apart) return moveBy(now[0] - before[0], now[1] - before[1]);
    const after = spread();
    moveBy(after.middle[0] - apart.middle[0], after.middle[1] - apart.middle[1]);
    return zoomBy(after.distance / (apart.distance || 1), after.middle);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, (event) => {
      const place = pointers.get(event.pointerId);
      pointers.delete(event.pointerId);
      if (end === "pointercancel" || !place || pointers.size || travelled > 6) return;
      const at = nearest(place, Math.max(10, side * 0.6));
      if (at >= 0) open(at);
    });
  }
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (document.activeElement !== canvas && !event.ctrlKey) return; // the page scrolls on
      event.preventDefault();
      zoomBy(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), placeOf(event));
    },
    { passive: false },
  );
  const aim = () => {
    aiming = false;
    aimed = nearest([size[0] / 2, size[1] / 2], Infinity);
    canvas.setAttribute("aria-label", `${map.label}${aimed >= 0 ? `; in the middle ${label(aimed)}` : ""}`);
  };
  const STEP = 80; // pixels
  const keys = {
    ArrowLeft: () => moveBy(STEP, 0),
    ArrowRight: () => moveBy(-STEP, 0),
    ArrowUp: () => moveBy(0, STEP),
    ArrowDown: () => moveBy(0, -STEP),
    "+": () => zoomBy(1.5),
    "=": () => zoomBy(1.5),
    "-": () => zoomBy(1 / 1.5),
    0: showAll,
    Enter: () => aimed >= 0 && open(aimed),
  };
  canvas.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
    aiming = true;
    ask();
  });
  [...get("map-tools").children].forEach((own, i) => own.addEventListener("click", [() => zoomBy(1.5), () => zoomBy(1 / 1.5), showAll][i]));

  new ResizeObserver(([entry]) => {
    size = [entry.contentRect.width, entry.contentRect.height];
    [canvas.width, canvas.height] = size.map((pixels) => Math.round(pixels * devicePixelRatio));
    ask();
  }).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", ask);
  highlight = ask;
  afterwards = () => {
    middles = null;
    ask();
  };
}
