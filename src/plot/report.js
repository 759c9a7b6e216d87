"use strict";
// The moving parts of a report: values under the pointer in figures, and the player of trajectories.
// Opened with ?selftest, a page drives itself and writes what came of it into an element with the id "selftest".

const SVG_REACH = 28; // pixels from the pointer to the place it means

/** Shows the value of the place of a figure that is nearest to the pointer. */
function hover(figure) {
  const sheet = figure.querySelector(".sheet");
  const svg = sheet.querySelector("svg");
  const marks = JSON.parse(figure.querySelector("script.marks").textContent);
  const tip = sheet.querySelector(".tip");
  const ring = sheet.querySelector(".ring");
  const width = svg.viewBox.baseVal.width;
  const hide = () => { tip.style.display = ring.style.display = "none"; };
  sheet.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const scale = box.width / width;
    const x = (event.clientX - box.left) / scale, y = (event.clientY - box.top) / scale;
    let best = null, least = (SVG_REACH / scale) ** 2;
    for (const mark of marks) {
      const far = (mark[0] - x) ** 2 + (mark[1] - y) ** 2;
      if (far <= least) { best = mark; least = far; }
    }
    if (!best) { hide(); return; }
    tip.textContent = best[2];
    ring.style.left = best[0] * scale + "px";
    ring.style.top = best[1] * scale + "px";
    tip.style.display = ring.style.display = "block";
    place(tip, best[0] * scale, best[1] * scale, box.width);
  });
  sheet.addEventListener("pointerleave", hide);
  return { marks, svg, sheet, tip };
}

/** Puts a tip beside a place, on the side that has room. */
function place(tip, x, y, width) {
  const right = x + 14 + tip.offsetWidth <= width;
  tip.style.left = (right ? x + 14 : Math.max(0, x - 14 - tip.offsetWidth)) + "px";
  tip.style.top = Math.max(0, y - tip.offsetHeight - 6) + "px";
}

/** A value in few digits. */
function digits(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-4 ? value.toExponential(4) : String(Number(value.toPrecision(6)));
}

/** Round values between two ends. */
function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((s) => s * power >= rough * 0.999);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const all = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) {
    all.push([k * step, (k * step).toFixed(Math.min(decimals, 12)).replace("-", "−")]);
  }
  return all;
}

const INK = "#1a1a1a", SOFT = "#595959", GRID = "#e6e6e6";
const FONT = '12px "DejaVu Sans", Verdana, sans-serif';
const MARGIN = { left: 66, right: 14, top: 14, bottom: 46 };

class Player {
  constructor(figure) {
    this.data = JSON.parse(figure.querySelector("script.facts").textContent);
    const bytes = Uint8Array.from(atob(figure.querySelector("script.positions").textContent.trim()), (c) => c.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    this.positions = Float32Array.from({ length: bytes.length / 4 }, (_, k) => view.getFloat32(4 * k, true));
    this.figure = figure;
    this.canvas = figure.querySelector("canvas");
    this.tip = figure.querySelector(".tip");
    this.slider = figure.querySelector('input[type="range"]');
    this.button = figure.querySelector("button");
    this.label = figure.querySelector(".step");
    this.trails = figure.querySelector("input.trails");
    this.frame = 0;
    this.timer = null;
    this.turn = { azimuth: -0.6, height: -0.45, zoom: 1 };
    this.screen = new Float32Array(2 * this.data.tokens);
    this.slider.max = this.data.steps.length - 1;
    this.slider.addEventListener("input", () => { this.pause(); this.show(Number(this.slider.value)); });
    this.button.addEventListener("click", () => (this.timer === null ? this.play() : this.pause()));
    this.trails.addEventListener("change", () => this.draw());
    this.canvas.addEventListener("pointerdown", (event) => this.grab(event));
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerup", () => { this.held = null; });
    this.canvas.addEventListener("pointerleave", () => { this.tip.style.display = "none"; });
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    if (this.data.dims === 3) {
      this.canvas.addEventListener("wheel", (event) => {
        event.preventDefault();
        this.turn.zoom = Math.min(8, Math.max(0.4, this.turn.zoom * Math.exp(-event.deltaY / 600)));
        this.draw();
      }, { passive: false });
    }
    new ResizeObserver(() => this.resize()).observe(this.canvas);
    this.resize();
    this.show(0);
  }

  resize() {
    const scale = window.devicePixelRatio || 1;
    this.width = this.canvas.clientWidth || 860;
    this.height = Math.round(this.width * 0.72);
    this.canvas.width = Math.round(this.width * scale);
    this.canvas.height = Math.round(this.height * scale);
    this.canvas.style.height = this.height + "px";
    this.pen = this.canvas.getContext("2d");
    this.pen.setTransform(scale, 0, 0, scale, 0, 0);
    this.draw();
  }

  show(frame) {
    this.frame = frame;
    this.slider.value = frame;
    this.label.textContent = "step " + this.data.steps[frame];
    this.draw();
  }

  play() {
    if (this.frame === this.data.steps.length - 1) this.show(0);
    this.button.textContent = "Pause";
    const pace = Math.min(400, Math.max(40, 8000 / this.data.steps.length));
    this.timer = setInterval(() => {
      this.show(this.frame + 1);
      if (this.frame >= this.data.steps.length - 1) this.pause();
    }, pace);
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.button.textContent = "Play";
  }

  key(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === " ") this.button.click();
    else if (by) { this.pause(); this.show(Math.min(this.data.steps.length - 1, Math.max(0, this.frame + by))); }
    else return;
    event.preventDefault();
  }

  grab(event) {
    if (this.data.dims === 3) {
      this.held = { x: event.clientX, y: event.clientY };
      if (event.isTrusted) this.canvas.setPointerCapture(event.pointerId); // a made-up pointer cannot be captured
    }
  }

  point(event) {
    if (this.held) {
      this.turn.azimuth += (event.clientX - this.held.x) * 0.008;
      this.turn.height = Math.min(1.57, Math.max(-1.57, this.turn.height - (event.clientY - this.held.y) * 0.008));
      this.held = { x: event.clientX, y: event.clientY };
      this.tip.style.display = "none";
      this.draw();
      return;
    }
    const box = this.canvas.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    let best = -1, least = 144;
    for (let i = 0; i < this.data.tokens; i++) {
      const far = (this.screen[2 * i] - x) ** 2 + (this.screen[2 * i + 1] - y) ** 2;
      if (far < least) { best = i; least = far; }
    }
    if (best < 0) { this.tip.style.display = "none"; return; }
    const at = this.at(this.frame, best);
    const lines = this.data.names.map((name, k) => name + ": " + digits(at[k]));
    this.tip.textContent = ["token " + this.data.ids[best], ...lines].join("\n");
    this.tip.style.display = "block";
    place(this.tip, this.screen[2 * best], this.screen[2 * best + 1], this.width);
  }

  /** The coordinates of a token at a frame. */
  at(frame, i) {
    const { dims, tokens } = this.data;
    const start = (frame * tokens + i) * dims;
    return this.positions.subarray(start, start + dims);
  }

  /** The map to pixels; with the depth, larger in front, as third component. */
  lens() {
    const { low, high, dims } = this.data;
    const middle = low.map((l, k) => (l + high[k]) / 2);
    const inner = { x: this.width - MARGIN.left - MARGIN.right, y: this.height - MARGIN.top - MARGIN.bottom };
    if (dims === 2) {
      const units = this.data.equal
        ? Array(2).fill(Math.min(inner.x / (high[0] - low[0]), inner.y / (high[1] - low[1])))
        : [inner.x / (high[0] - low[0]), inner.y / (high[1] - low[1])];
      const centre = { x: MARGIN.left + inner.x / 2, y: MARGIN.top + inner.y / 2 };
      return (p) => [centre.x + (p[0] - middle[0]) * units[0], centre.y - (p[1] - middle[1]) * units[1], 0];
    }
    const stretch = this.data.stretch; // short axes are drawn longer
    const reach = Math.hypot(...low.map((l, k) => stretch[k] * (high[k] - l) / 2));
    const unit = (0.47 * Math.min(this.width, this.height) / reach) * this.turn.zoom;
    const [ca, sa, ch, sh] = [Math.cos(this.turn.azimuth), Math.sin(this.turn.azimuth), Math.cos(this.turn.height), Math.sin(this.turn.height)];
    return (p) => {
      const [x, y, z] = [0, 1, 2].map((k) => stretch[k] * (p[k] - middle[k]));
      const across = x * ca - y * sa, deep = x * sa + y * ca;
      return [this.width / 2 + across * unit, this.height / 2 - (z * ch - deep * sh) * unit, (-deep * ch - z * sh) / reach];
    };
  }

  draw() {
    const { pen, data } = this;
    if (!pen || !this.positions) return;
    pen.clearRect(0, 0, this.width, this.height);
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, this.width, this.height);
    pen.font = FONT;
    const lens = this.lens();
    if (data.dims === 2) this.axes(lens); else this.box(lens);
    if (data.dims === 2) {
      pen.save();
      pen.beginPath();
      pen.rect(MARGIN.left, MARGIN.top, this.width - MARGIN.left - MARGIN.right, this.height - MARGIN.top - MARGIN.bottom);
      pen.clip();
    }
    if (this.trails.checked) this.paths(lens);
    const radius = data.tokens > 1500 ? 1.6 : data.tokens > 300 ? 2.4 : 3.6;
    const order = Array.from({ length: data.tokens }, (_, i) => i);
    const depth = new Float32Array(data.tokens);
    for (let i = 0; i < data.tokens; i++) {
      const [x, y, z] = lens(this.at(this.frame, i));
      this.screen[2 * i] = x;
      this.screen[2 * i + 1] = y;
      depth[i] = z;
    }
    if (data.dims === 3) order.sort((a, b) => depth[a] - depth[b]);
    // Tokens at one place are one disc whose area grows with their number.
    const key = (i) => Math.round(this.screen[2 * i]) + "," + Math.round(this.screen[2 * i + 1]) + "," + data.colour[i];
    const together = new Map();
    for (const i of order) together.set(key(i), (together.get(key(i)) || 0) + 1);
    for (const i of order) {
      const count = together.get(key(i));
      if (!count) continue;
      together.delete(key(i));
      const size = count > 1 ? Math.max(radius, 2 + 9 * Math.sqrt(count / data.tokens)) : radius;
      pen.globalAlpha = data.dims === 3 ? Math.min(1, Math.max(0.35, 0.75 + 0.5 * depth[i])) : 0.9;
      pen.fillStyle = data.colours[data.colour[i]];
      pen.beginPath();
      pen.arc(this.screen[2 * i], this.screen[2 * i + 1], size * (1 + (data.dims === 3 ? 0.35 * depth[i] : 0)), 0, 2 * Math.PI);
      pen.fill();
    }
    pen.globalAlpha = 1;
    if (data.dims === 2) pen.restore();
  }

  /** Where each token has been. */
  paths(lens) {
    const { pen, data } = this;
    pen.lineWidth = 0.8;
    pen.globalAlpha = 0.35;
    const stride = Math.max(1, Math.ceil(data.tokens * this.frame / 200000));
    for (let i = 0; i < data.tokens; i += stride) {
      pen.strokeStyle = data.colours[data.colour[i]];
      pen.beginPath();
      for (let f = 0; f <= this.frame; f++) {
        const [x, y] = lens(this.at(f, i));
        if (f === 0) pen.moveTo(x, y); else pen.lineTo(x, y);
      }
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }

  /** Axes of the plane. */
  axes(lens) {
    const { pen, data } = this;
    const right = this.width - MARGIN.right, bottom = this.height - MARGIN.bottom;
    const inverse = (k) => {
      const a = lens(data.low)[k], b = lens(data.high)[k];
      return (pixel) => data.low[k] + (pixel - a) / (b - a) * (data.high[k] - data.low[k]);
    };
    const [toX, toY] = [inverse(0), inverse(1)];
    pen.lineWidth = 1;
    pen.textAlign = "center";
    pen.textBaseline = "top";
    for (const [value, text] of ticks(toX(MARGIN.left), toX(right), this.width / 100)) {
      const x = lens([value, data.low[1]])[0];
      this.stroke(GRID, [x, MARGIN.top], [x, bottom]);
      pen.fillStyle = SOFT;
      pen.fillText(text, x, bottom + 6);
    }
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const [value, text] of ticks(toY(bottom), toY(MARGIN.top), this.height / 60)) {
      if (!data.equal && value % 1) continue; // token indices
      const y = lens([data.low[0], value])[1];
      this.stroke(GRID, [MARGIN.left, y], [right, y]);
      pen.fillStyle = SOFT;
      pen.fillText(text, MARGIN.left - 7, y);
    }
    pen.strokeStyle = SOFT;
    pen.strokeRect(MARGIN.left, MARGIN.top, right - MARGIN.left, bottom - MARGIN.top);
    pen.fillStyle = INK;
    pen.textAlign = "center";
    pen.textBaseline = "alphabetic";
    pen.fillText(data.axes[0], (MARGIN.left + right) / 2, this.height - 10);
    pen.save();
    pen.translate(14, (MARGIN.top + bottom) / 2);
    pen.rotate(-Math.PI / 2);
    pen.fillText(data.axes[1], 0, 0);
    pen.restore();
  }

  /** The box around the cloud in space, its near edges darker, and the names of its axes with their ends. */
  box(lens) {
    const { pen, data } = this;
    const corner = (bits) => data.low.map((l, k) => ((bits >> k) & 1 ? data.high[k] : l));
    pen.lineWidth = 1;
    for (let bits = 0; bits < 8; bits++) {
      for (let k = 0; k < 3; k++) {
        if ((bits >> k) & 1) continue;
        const a = lens(corner(bits)), b = lens(corner(bits | (1 << k)));
        this.stroke((a[2] + b[2]) / 2 > 0 ? "#9a9a9a" : "#d9d9d9", a, b);
      }
    }
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    for (let k = 0; k < 3; k++) {
      // The edge along this axis that is lowest on the screen, the vertical one that is leftmost.
      const others = [0, 1, 2].filter((j) => j !== k);
      const edges = [0, 1, 2, 3].map((m) => ((m & 1) << others[0]) | ((m >> 1) << others[1]));
      const score = (bits) => {
        const a = lens(corner(bits)), b = lens(corner(bits | (1 << k)));
        return k === 2 ? -(a[0] + b[0]) : a[1] + b[1];
      };
      const bits = edges.reduce((best, e) => (score(e) > score(best) ? e : best));
      const a = lens(corner(bits)), b = lens(corner(bits | (1 << k)));
      const away = (p, by) => {
        const [x, y] = [p[0] - this.width / 2, p[1] - this.height / 2];
        const far = Math.hypot(x, y) || 1;
        return [p[0] + (x / far) * by, p[1] + (y / far) * by];
      };
      const write = (text, p, colour) => { pen.fillStyle = colour; pen.fillText(text, p[0], p[1]); };
      write(data.names[k], away([(a[0] + b[0]) / 2, (a[1] + b[1]) / 2], 22), INK);
      write(digits(Number(data.low[k].toPrecision(3))).replace("-", "−"), away(a.map((v, j) => v + (b[j] - v) * 0.14), 16), SOFT);
      write(digits(Number(data.high[k].toPrecision(3))).replace("-", "−"), away(b.map((v, j) => v + (a[j] - v) * 0.14), 16), SOFT);
    }
  }

  stroke(colour, from, to) {
    this.pen.strokeStyle = colour;
    this.pen.beginPath();
    this.pen.moveTo(from[0], from[1]);
    this.pen.lineTo(to[0], to[1]);
    this.pen.stroke();
  }
}

/** A number that another picture on the canvas would change. */
function fingerprint(canvas) {
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let sum = 7;
  for (let k = 0; k < pixels.length; k += 4) sum = (sum * 31 + pixels[k] * 65536 + pixels[k + 1] * 256 + pixels[k + 2]) % 2147483647;
  return sum;
}

async function selftest(figures, players) {
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const failed = [];
  const expect = (holds, what) => { if (!holds) failed.push(what); };
  const send = (at, type, x, y) => at.dispatchEvent(new PointerEvent(type, { clientX: x, clientY: y, bubbles: true }));
  for (const [k, { marks, svg, sheet, tip }] of figures.entries()) {
    if (!marks.length) continue;
    svg.scrollIntoView();
    const [x, y, text] = marks[marks.length >> 1];
    const box = svg.getBoundingClientRect(), scale = box.width / svg.viewBox.baseVal.width;
    send(sheet, "pointermove", box.left + x * scale, box.top + y * scale);
    const alike = marks.filter((m) => m[0] === x && m[1] === y).some((m) => m[2] === tip.textContent);
    expect(tip.style.display === "block" && alike, `figure ${k}: no value of ${JSON.stringify(text)} under the pointer`);
  }
  for (const [k, player] of players.entries()) {
    const last = player.data.steps.length - 1;
    const start = fingerprint(player.canvas);
    expect(start !== 7, `player ${k}: nothing is drawn`);
    player.slider.value = last;
    player.slider.dispatchEvent(new Event("input"));
    expect(player.frame === last && player.label.textContent === "step " + player.data.steps[last], `player ${k}: the slider does not move it`);
    const moves = player.positions.some((v, at) => v !== player.positions[at % (player.data.tokens * player.data.dims)]);
    expect(last === 0 || !moves || fingerprint(player.canvas) !== start, `player ${k}: the picture does not follow the slider`);
    player.button.click();
    await wait(1200);
    expect(last < 1 || player.frame > 0, `player ${k}: it does not play`);
    if (player.timer !== null) player.button.click();
    expect(player.timer === null, `player ${k}: it does not pause`);
    const before = fingerprint(player.canvas);
    const box = player.canvas.getBoundingClientRect();
    if (player.data.dims === 3) {
      send(player.canvas, "pointerdown", box.left + 200, box.top + 200);
      send(player.canvas, "pointermove", box.left + 260, box.top + 230);
      send(player.canvas, "pointerup", box.left + 260, box.top + 230);
      expect(fingerprint(player.canvas) !== before, `player ${k}: it does not turn`);
    }
    send(player.canvas, "pointermove", box.left + player.screen[0], box.top + player.screen[1]);
    expect(player.tip.style.display === "block" && player.tip.textContent.startsWith("token"), `player ${k}: no values under the pointer`);
  }
  const marked = figures.filter((f) => f.marks.length).length;
  return failed.length ? "failed: " + failed.join("; ") : `ok: ${figures.length} figures, ${marked} with values, ${players.length} players`;
}

const errors = [];
window.addEventListener("error", (event) => errors.push(event.message));
const figures = [...document.querySelectorAll("figure.picture")].map(hover);
const players = [...document.querySelectorAll("figure.player")].map((figure) => new Player(figure));
if (location.search === "?selftest") {
  const result = document.createElement("pre");
  result.id = "selftest";
  selftest(figures, players).then(
    (text) => { result.textContent = errors.length ? "failed: " + errors.join("; ") : text; },
    (error) => { result.textContent = "failed: " + error; },
  ).then(() => document.body.append(result));
}
