// What pages with images and curves share: a viewer with its window, planes, keys and scales, and a chart
// of dose and volume.

const version = new URL(import.meta.url).search;
const { Niivue, NVImage, uPlot } = await import(`./viewer.js${version}`);

export const at = (id) => document.getElementById(id);

// ---- images ---------------------------------------------------------------------------------------

const WINDOWS = { soft: [-160, 240], liver: [-20, 180], lung: [-1350, 150], bone: [-450, 1050] };
const LAYOUTS = { axial: 0, coronal: 1, sagittal: 2, planes: 3, volume: 4 };
const KEYS = {
  ArrowLeft: [-1, 0, 0],
  ArrowRight: [1, 0, 0],
  ArrowUp: [0, 1, 0],
  ArrowDown: [0, -1, 0],
  PageUp: [0, 0, 1],
  PageDown: [0, 0, -1],
};

export const exists = async (url) => (await fetch(url, { method: "HEAD" })).ok;
export const load = (url, options = {}) => NVImage.loadFromUrl({ url, ...options });

// Told apart by the colour-blind: blue is less, orange more; the more, the lighter. In the middle grey, so that
// noise about zero has no edges, and nothing within 4 % of the scale.
const DIFFERENCE = {
  R: [150, 40, 66, 66, 66, 66, 230, 255],
  G: [225, 130, 66, 66, 66, 66, 120, 225],
  B: [255, 235, 66, 66, 66, 66, 20, 130],
  A: [255, 255, 255, 0, 0, 255, 255, 255],
  I: [0, 64, 122, 123, 132, 133, 191, 255],
};

// A viewer in a canvas, with the keys that move its cross.
export async function viewer(canvas) {
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
  nv.addColormap("difference", DIFFERENCE);
  await nv.attachToCanvas(canvas, false);
  canvas.addEventListener("keydown", (e) => {
    if (!KEYS[e.key]) return;
    e.preventDefault();
    nv.moveCrosshairInVox(...KEYS[e.key]);
    nv.createOnLocationChange();
  });
  return nv;
}

// Puts images into a viewer, the first behind the others. All are there before anything is drawn: a volume
// that is set and not there takes the place of another.
export function put(nv, images) {
  nv.volumes.push(...images);
  nv.setVolume(images[0], 0);
  nv.opts.atlasOutline = 1;
}

// The CT as it is first shown.
export function windowed(image) {
  image.colormap = "gray";
  [image.cal_min, image.cal_max] = WINDOWS.soft;
  return image;
}

// Outlines are drawn of labels: whole numbers, and said to be labels.
export function outlined(labels) {
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
  return labels;
}

export const most = (values) => {
  let most = 0;
  for (const v of values) if (v > most) most = v;
  return most;
};

// A scale of dose: round numbers, and what is low is not shown.
export function doses(image, highest) {
  const high = Math.max(25, Math.round((0.8 * highest) / 25) * 25);
  image.colormap = "viridis";
  image.cal_min = 0.04 * high;
  image.cal_max = high;
  return image;
}

// The colours of an image with what they stand for; of none if nothing is shown.
export function scale(id, nv, image, unit = "", name = "") {
  const box = at(id);
  box.style.visibility = image ? "visible" : "hidden";
  if (!image) return;
  const bar = box.querySelector("canvas").getContext("2d");
  const lut = nv.colormap(image.colormap, false);
  bar.clearRect(0, 0, 256, 12);
  for (let i = 0; i < 256; i++) {
    bar.fillStyle = `rgb(${lut[4 * i]} ${lut[4 * i + 1]} ${lut[4 * i + 2]})`;
    bar.fillRect(i, 0, 1, 12);
  }
  box.querySelector(".name").textContent = name;
  const said = (v) => Number(v.toPrecision(3)) + unit;
  box.querySelector(".low").textContent = said(image.cal_min);
  box.querySelector(".high").textContent = said(image.cal_max);
}

// The tools that all viewers of a page follow; `overlay` draws what lies over the CT. `ct` may be missing.
export function tools(viewers, ct, labels, overlay) {
  const strength = () => Number(at("opacity").value);
  const drawn = () => {
    // What is inside an outline stays visible; with no opacity at all nothing would be drawn.
    labels.opacity = at("contours").checked ? 0.01 : 0;
    overlay(strength());
    viewers.forEach((nv) => nv.updateGLVolume());
  };
  const layout = () => viewers.forEach((nv) => nv.setSliceType(LAYOUTS[at("layout").value]));
  at("opacity").addEventListener("input", drawn);
  at("contours").addEventListener("change", drawn);
  at("layout").addEventListener("change", layout);
  at("window").addEventListener("change", (e) => {
    if (!ct) return;
    [ct.cal_min, ct.cal_max] = WINDOWS[e.target.value];
    viewers.forEach((nv) => nv.updateGLVolume());
  });
  layout();
  drawn();
  return drawn;
}

// Where the cross is, as a person says it.
export function place([r, a, s]) {
  const side = (v, plus, minus) => `${Math.abs(v).toFixed(0)} mm ${v >= 0 ? plus : minus}`;
  return `${side(r, "R", "L")}, ${side(a, "A", "P")}, ${side(s, "S", "I")}`;
}

// The value of an image at a place, whichever viewer it is in.
export const value = (image, mm) => image?.getValue(...image.mm2vox([...mm].slice(0, 3)), image.frame4D);
export const text = (v, places) => (v === undefined || Number.isNaN(v) ? "–" : v.toFixed(places));

// Moves the cross.
export function show(nv, mm) {
  nv.scene.crosshairPos = nv.mm2frac(mm);
  nv.drawScene();
  nv.createOnLocationChange();
}

// The buttons that show a lesion, and the place one begins at: that of the first of them if none is said.
export function lesions(nv, canvas, begin) {
  const places = [...document.querySelectorAll("[data-show]")];
  const of = (button) => button.dataset.show.split(" ").map(Number);
  for (const button of places) {
    button.addEventListener("click", () => {
      show(nv, of(button));
      canvas.scrollIntoView({ block: "center" });
    });
  }
  if (begin) show(nv, begin);
  else if (places.length) show(nv, of(places[0]));
}

// Images are there, or why not.
export function looking(promise) {
  const loading = () => document.querySelectorAll(".stage .loading");
  promise
    .then(() => {
      loading().forEach((p) => p.remove());
      document.documentElement.dataset.images = "ready";
    })
    .catch((error) => {
      for (const p of loading()) {
        p.textContent = `The images cannot be shown: ${error.message}. A browser with WebGL 2 is needed.`;
      }
    });
}

// ---- curves ---------------------------------------------------------------------------------------

// Okabe and Ito's colours: told apart by the colour-blind.
const TUMOURS = ["#d55e00", "#cc79a7", "#e69f00", "#b2182b", "#8c510a", "#a6611a"];
const OTHERS = { perfused_normal_liver: "#0072b2", whole_normal_liver: "#009e73", perfused: "#56b4e9" };
const POINTS = 320;

// A colour for every curve, by its role: the next one of the tumours', or that of the role.
export function colours() {
  let tumours = 0;
  return (role) => (role === "tumour" ? TUMOURS[tumours++ % TUMOURS.length] : OTHERS[role] ?? "#777777");
}

// A round dose beyond the last that matters.
export function lastDose(curves) {
  const far = curves.map((c) => c.points.findLast((p) => p[1] >= 0.02)?.[0] ?? 0);
  return Math.ceil((1.15 * Math.max(25, ...far)) / 25) * 25;
}

// A chart of curves, each with points, label, stroke, dash and `by`: what its doses are multiplied with. Gives
// what draws it anew.
export function chart(box, curves, end) {
  const x = Float64Array.from({ length: POINTS }, (_, i) => (end * i) / (POINTS - 1));
  const ys = curves.map(() => new Float64Array(POINTS));
  // Both run the same way, so one pass over each curve is enough.
  const fill = (c, y) => {
    const k = c.by?.() ?? 1;
    const p = c.points;
    for (let i = 0, j = 0; i < POINTS; i++) {
      const dose = k > 0 ? x[i] / k : x[i] > 0 ? Infinity : 0;
      while (j < p.length && p[j][0] < dose) j++;
      if (j === 0) y[i] = 100 * p[0][1];
      else if (j === p.length) y[i] = 0;
      else {
        const [x0, y0] = p[j - 1];
        const [x1, y1] = p[j];
        y[i] = 100 * (y0 + ((y1 - y0) * (dose - x0)) / (x1 - x0 || 1));
      }
    }
  };
  const data = () => {
    curves.forEach((c, n) => fill(c, ys[n]));
    return [x, ...ys];
  };
  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
  const axis = (label) => ({
    label,
    stroke: () => ink("--ink"),
    grid: { stroke: () => ink("--rule"), width: 1 },
    ticks: { stroke: () => ink("--rule"), width: 1 },
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
        ...curves.map((c) => ({
          label: c.label,
          stroke: c.stroke,
          dash: c.dash,
          width: 2,
          points: { show: false },
          value: (_, v) => (v === null ? "–" : `${v.toFixed(0)} %`),
        })),
      ],
    },
    data(),
    box,
  );
  new ResizeObserver(() => plot.setSize(size())).observe(box);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot.redraw());
  return () => plot.setData(data(), false) ?? plot.redraw();
}
