// The plan page: images with overlays, curves and gates that follow the activity. Dose is linear in
// activity, so curves and doses are scaled here; the gate is asked again at the server.

const script = document.getElementById("plan-script");
const plan = JSON.parse(document.getElementById("plan-data").textContent);
const now = plan.sessions.map((s) => s.gbq);
const scale = (n) => (plan.sessions[n].gbq > 0 ? now[n] / plan.sessions[n].gbq : 0);
const at = (id) => document.getElementById(id);
const listeners = [];

const { Niivue, NVImage, uPlot } = await import(script.dataset.viewer);

// ---- activities -----------------------------------------------------------------------------------

let frame = 0;
function changed() {
  if (!frame) frame = requestAnimationFrame(draw);
}
function draw() {
  frame = 0;
  listeners.forEach((f) => f());
}
function set(n, value) {
  const most = Number(at(`range-${n}`).max);
  now[n] = Math.min(Math.max(Number(value) || 0, 0), most);
  at(`range-${n}`).value = now[n];
  const number = at(`gbq-${n}`);
  if (document.activeElement !== number) number.value = now[n].toFixed(2);
  changed();
}
plan.sessions.forEach((_, n) => {
  at(`range-${n}`).addEventListener("input", (e) => set(n, e.target.value));
  at(`gbq-${n}`).addEventListener("input", (e) => set(n, e.target.value));
});
at("as-planned").addEventListener("click", () => plan.sessions.forEach((s, n) => set(n, s.gbq)));

// ---- doses in the table ---------------------------------------------------------------------------

const cells = [...document.querySelectorAll("#dose-table [data-gy]")].map((cell) => ({
  cell,
  session: Number(cell.dataset.session),
  gy: Number(cell.dataset.gy),
  places: Number(cell.dataset.places ?? 1),
}));
listeners.push(() => {
  for (const c of cells) c.cell.textContent = (c.gy * scale(c.session)).toFixed(c.places);
});

// ---- the gate -------------------------------------------------------------------------------------

const SIGNS = {
  pass: ["pass", "✓", "pass"],
  overridden: ["over", "↷", "overridden"],
  hold: ["hold", "‖", "hold"],
  fail: ["fail", "✕", "fail"],
};
function chip(status, truth) {
  const [kind, sign, word] =
    status === "hold" && truth === "cannot-tell" ? ["hold", "?", "cannot tell"] : SIGNS[status];
  const chip = document.createElement("span");
  chip.className = `chip ${kind}`;
  const mark = document.createElement("span");
  mark.className = "sign";
  mark.ariaHidden = "true";
  mark.textContent = sign;
  chip.append(mark, word);
  return chip;
}
const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);
function show(gate) {
  const box = document.querySelector("#gates .gate");
  if (!box) return;
  box.querySelector("summary .chip").replaceWith(chip(gate.status));
  box.querySelector(".reason").textContent = sentence(gate.reason);
  for (const c of gate.criteria) {
    const row = box.querySelector(`[data-criterion="${CSS.escape(c.id)}"]`);
    if (!row) continue;
    row.cells[0].replaceChildren(chip(c.status, c.truth));
    row.cells[2].textContent = sentence(c.reason);
    row.cells[3].textContent = c.needs ?? "";
  }
}
// One question at a time; the last one asked is always answered.
let asking = false;
let asked = "";
async function ask() {
  const body = JSON.stringify({ activity_gbq: now });
  if (asking || body === asked) return;
  asking = true;
  asked = body;
  try {
    const answer = await fetch(`/api/plans/${plan.id}/what-if`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.detail);
    show(said.gate);
    const same = plan.sessions.every((s, n) => Math.abs(s.gbq - now[n]) < 0.005);
    at("gate-at").textContent = same ? "as planned" : `at ${now.map((a) => a.toFixed(2)).join(" and ")} GBq`;
  } catch (error) {
    asked = "";
    at("gate-at").textContent = `cannot be asked (${error.message})`;
  }
  asking = false;
  if (asked && JSON.stringify({ activity_gbq: now }) !== asked) ask();
}
listeners.push(ask);

// ---- curves ---------------------------------------------------------------------------------------

// Okabe and Ito's colours: told apart by the colour-blind. A session has its own dashes.
const TUMOURS = ["#d55e00", "#cc79a7", "#e69f00", "#b2182b", "#8c510a", "#a6611a"];
const OTHERS = { perfused_normal_liver: "#0072b2", whole_normal_liver: "#009e73", perfused: "#56b4e9" };
const DASHES = [[], [7, 4], [2, 3]];
const POINTS = 320;

async function curves() {
  const all = await (await fetch(`/api/plans/${plan.id}/dvh`)).json();
  const shown = all.filter((c) => c.session !== null && c.role !== "cold");
  const most = Math.max(
    ...shown.map((c) => c.points.findLast((p) => p[1] >= 0.02)?.[0] ?? 0),
  );
  const end = Math.ceil((1.15 * most) / 25) * 25;
  const x = Float64Array.from({ length: POINTS }, (_, i) => (end * i) / (POINTS - 1));
  const place = new Map(plan.sessions.map((s, n) => [s.id, n]));
  let tumours = 0;
  const series = shown.map((c) => ({
    session: place.get(c.session),
    points: c.points,
    y: new Float64Array(POINTS),
    label: plan.sessions.length > 1 ? `${c.name} (${c.session})` : c.name,
    stroke: c.role === "tumour" ? TUMOURS[tumours++ % TUMOURS.length] : OTHERS[c.role] ?? "#777777",
    dash: DASHES[place.get(c.session) % DASHES.length],
  }));
  // Both run the same way, so one pass over each curve is enough.
  const fill = (s) => {
    const k = scale(s.session);
    const p = s.points;
    for (let i = 0, j = 0; i < POINTS; i++) {
      const dose = k > 0 ? x[i] / k : x[i] > 0 ? Infinity : 0;
      while (j < p.length && p[j][0] < dose) j++;
      if (j === 0) s.y[i] = 100 * p[0][1];
      else if (j === p.length) s.y[i] = 0;
      else {
        const [x0, y0] = p[j - 1];
        const [x1, y1] = p[j];
        s.y[i] = 100 * (y0 + ((y1 - y0) * (dose - x0)) / (x1 - x0 || 1));
      }
    }
  };
  const data = () => {
    series.forEach(fill);
    return [x, ...series.map((s) => s.y)];
  };
  const box = at("dvh-plot");
  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    return [style.getPropertyValue("--ink"), style.getPropertyValue("--rule")];
  };
  const axis = (label) => ({
    label,
    stroke: () => colours()[0],
    grid: { stroke: () => colours()[1], width: 1 },
    ticks: { stroke: () => colours()[1], width: 1 },
  });
  const size = () => ({ width: box.clientWidth - 16, height: 330 });
  const plot = new uPlot(
    {
      ...size(),
      scales: { x: { time: false, range: [0, end] }, y: { range: [0, 100] } },
      axes: [axis("Dose (Gy)"), axis("Volume (%)")],
      cursor: { drag: { x: false, y: false } },
      series: [
        { label: "Gy", value: (_, v) => (v === null ? "–" : v.toFixed(0)) },
        ...series.map((s) => ({
          label: s.label,
          stroke: s.stroke,
          dash: s.dash,
          width: 2,
          points: { show: false },
          value: (_, v) => (v === null ? "–" : `${v.toFixed(0)} %`),
        })),
      ],
    },
    data(),
    box,
  );
  listeners.push(() => plot.setData(data(), false) ?? plot.redraw());
  new ResizeObserver(() => plot.setSize(size())).observe(box);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot.redraw());
}

// ---- images ---------------------------------------------------------------------------------------

const WINDOWS = { soft: [-160, 240], liver: [-20, 180], lung: [-1350, 150], bone: [-450, 1050] };
const MAPS = { dose: "viridis", spect: "plasma" };

async function images() {
  const canvas = at("images-canvas");
  const files = `/api/plans/${plan.id}/files`;
  const exists = async (name) => (await fetch(`${files}/${name}`, { method: "HEAD" })).ok;
  const nv = new Niivue({
    backColor: [0, 0, 0, 1],
    crosshairColor: [1, 1, 1, 0.55],
    crosshairWidth: 1,
    crosshairGap: 12,
    crosshairWidthUnit: "mm",
    dragAndDropEnabled: false,
    isRadiologicalConvention: true,
    sagittalNoseLeft: true,
    multiplanarForceRender: false,
    multiplanarShowRender: 0,
    isColorbar: false,
    loadingText: "",
    logLevel: "error",
    textHeight: 0.03,
    isResizeCanvas: true,
    scrollRequiresFocus: true,
  });
  await nv.attachToCanvas(canvas, false);
  const ct = await exists("ct.nii.gz");
  const wanted = [];
  if (ct) {
    const [low, high] = WINDOWS.soft;
    wanted.push({ url: `${files}/ct.nii.gz`, colormap: "gray", cal_min: low, cal_max: high });
  }
  wanted.push({ url: `${files}/spect.nii.gz`, colormap: MAPS.spect, opacity: 0 });
  wanted.push({ url: `${files}/dose-1.nii.gz`, colormap: MAPS.dose, opacity: 0.55 });
  wanted.push({ url: `${files}/labels.nii.gz`, colormap: "gray", opacity: 0 });
  await nv.loadVolumes(wanted);
  const first = ct ? 1 : 0;
  const [spect, dose, labels] = nv.volumes.slice(first);
  const others = await Promise.all(
    plan.sessions.slice(1).map((_, n) => NVImage.loadFromUrl({ url: `${files}/dose-${n + 2}.nii.gz` })),
  );
  const perGbq = [Float32Array.from(dose.img), ...others.map((o) => o.img)];

  // The scale stays where it is as one drags, so that colours can be compared.
  let most = 0;
  const mix = () => {
    const out = dose.img;
    out.fill(0);
    perGbq.forEach((map, n) => {
      const a = now[n];
      for (let i = 0; i < out.length; i++) out[i] += a * map[i];
    });
  };
  mix();
  for (const v of dose.img) if (v > most) most = v;
  const high = Math.max(25, Math.round((0.8 * most) / 25) * 25);
  dose.cal_min = 0.04 * high;
  dose.cal_max = high;
  let counts = 0;
  for (const v of spect.img) if (v > counts) counts = v;
  spect.cal_min = 0.05 * counts;
  spect.cal_max = 0.7 * counts;
  // Outlines are drawn of labels: whole numbers, and said to be labels.
  labels.img = Uint8Array.from(labels.img);
  labels.hdr.intent_code = 1002;
  labels.hdr.datatypeCode = 2;
  labels.hdr.numBitsPerVoxel = 8;
  labels.setColormapLabel({
    R: [0, 255, 255],
    G: [0, 255, 120],
    B: [0, 255, 90],
    A: [0, 255, 255],
    I: [0, 1, 2],
    labels: ["", "liver", "tumour"],
  });

  const bar = at("scale-bar").getContext("2d");
  function scaleBar(kind) {
    const of = kind === "spect" ? spect : dose;
    document.querySelector(".scale").style.visibility = kind === "none" ? "hidden" : "visible";
    const lut = nv.colormap(of.colormap, false);
    for (let i = 0; i < 256; i++) {
      bar.fillStyle = `rgb(${lut[4 * i]} ${lut[4 * i + 1]} ${lut[4 * i + 2]})`;
      bar.fillRect(i, 0, 1, 12);
    }
    const unit = kind === "spect" ? "" : " Gy";
    at("scale-low").textContent = of.cal_min.toPrecision(2) + unit;
    at("scale-high").textContent = of.cal_max.toPrecision(3) + unit;
  }
  function overlay() {
    const kind = at("overlay").value;
    const strength = Number(at("opacity").value);
    spect.opacity = kind === "spect" ? strength : 0;
    dose.opacity = kind === "dose" ? strength : 0;
    // What is inside an outline stays visible; with no opacity at all nothing would be drawn.
    labels.opacity = at("contours").checked ? 0.01 : 0;
    nv.opts.atlasOutline = 1;
    nv.updateGLVolume();
    scaleBar(kind);
  }
  overlay();
  at("overlay").addEventListener("change", overlay);
  at("opacity").addEventListener("input", overlay);
  at("contours").addEventListener("change", overlay);
  at("window").addEventListener("change", (e) => {
    if (!ct) return;
    [nv.volumes[0].cal_min, nv.volumes[0].cal_max] = WINDOWS[e.target.value];
    nv.updateGLVolume();
  });
  at("layout").addEventListener("change", (e) => {
    const types = { axial: 0, coronal: 1, sagittal: 2, planes: 3, volume: 4 };
    nv.setSliceType(types[e.target.value]);
  });

  nv.onLocationChange = (place) => {
    const value = (image) => place.values.find((v) => v.id === image.id)?.value;
    const text = (v, places) => (v === undefined || Number.isNaN(v) ? "–" : v.toFixed(places));
    const [r, a, s] = place.mm;
    const side = (v, plus, minus) => `${Math.abs(v).toFixed(0)} mm ${v >= 0 ? plus : minus}`;
    at("at").textContent = `${side(r, "R", "L")}, ${side(a, "A", "P")}, ${side(s, "S", "I")}`;
    at("hu").textContent = ct ? text(value(nv.volumes[0]), 0) : "–";
    at("counts").textContent = text(value(spect), 1);
    at("gy").textContent = text(value(dose), 1);
  };
  const show = (x, y, z) => {
    nv.scene.crosshairPos = nv.mm2frac([x, y, z]);
    nv.drawScene();
    nv.createOnLocationChange();
  };
  for (const button of document.querySelectorAll("[data-show]")) {
    button.addEventListener("click", () => {
      show(...button.dataset.show.split(" ").map(Number));
      canvas.scrollIntoView({ block: "center" });
    });
  }
  const begin = document.querySelector("[data-show]");
  if (begin) show(...begin.dataset.show.split(" ").map(Number));
  const KEYS = {
    ArrowLeft: [-1, 0, 0],
    ArrowRight: [1, 0, 0],
    ArrowUp: [0, 1, 0],
    ArrowDown: [0, -1, 0],
    PageUp: [0, 0, 1],
    PageDown: [0, 0, -1],
  };
  canvas.addEventListener("keydown", (e) => {
    if (!KEYS[e.key]) return;
    e.preventDefault();
    nv.moveCrosshairInVox(...KEYS[e.key]);
    nv.createOnLocationChange();
  });

  // Pictures follow when the activity rests: where a machine draws them slowly, curves and numbers
  // must not wait for them.
  let later = 0;
  listeners.push(() => {
    clearTimeout(later);
    later = setTimeout(() => {
      mix();
      nv.updateGLVolume();
      nv.createOnLocationChange();
    }, 300);
  });
  document.querySelector(".stage .loading").remove();
  document.documentElement.dataset.images = "ready";
}

curves();
images().catch((error) => {
  document.querySelector(".stage .loading").textContent =
    `The images cannot be shown: ${error.message}. A browser with WebGL 2 is needed.`;
});
