// The plan page: images with overlays, curves and gates that follow the activity. Dose is linear in
// activity, so curves and doses are scaled here; the gate is asked again at the server.

const look = await import(`./look.js${new URL(import.meta.url).search}`);
const { at } = look;
const plan = JSON.parse(at("plan-data").textContent);
const now = plan.sessions.map((s) => s.gbq);
const scale = (n) => (plan.sessions[n].gbq > 0 ? now[n] / plan.sessions[n].gbq : 0);
const listeners = [];

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

// A session has its own dashes.
const DASHES = [[], [7, 4], [2, 3]];

async function curves() {
  const all = await (await fetch(`/api/plans/${plan.id}/dvh`)).json();
  const shown = all.filter((c) => c.session !== null && c.role !== "cold");
  const place = new Map(plan.sessions.map((s, n) => [s.id, n]));
  const colour = look.colours();
  const series = shown.map((c) => {
    const session = place.get(c.session);
    return {
      points: c.points,
      label: plan.sessions.length > 1 ? `${c.name} (${c.session})` : c.name,
      stroke: colour(c.role),
      dash: DASHES[session % DASHES.length],
      by: () => scale(session),
    };
  });
  listeners.push(look.chart(at("dvh-plot"), series, look.lastDose(shown)));
}

// ---- images ---------------------------------------------------------------------------------------

async function images() {
  const canvas = at("images-canvas");
  const files = `/api/plans/${plan.id}/files`;
  const nv = await look.viewer(canvas);
  const maps = plan.sessions.map((_, n) => look.load(`${files}/dose-${n + 1}.nii.gz`));
  const [ct, spect, labels, dose, ...others] = await Promise.all([
    look.exists(`${files}/ct.nii.gz`).then((there) => there && look.load(`${files}/ct.nii.gz`)),
    look.load(`${files}/spect.nii.gz`, { colormap: "plasma", opacity: 0 }),
    look.load(`${files}/labels.nii.gz`, { opacity: 0 }),
    ...maps,
  ]);
  const perGbq = [Float32Array.from(dose.img), ...others.map((o) => o.img)];
  const mix = () => {
    const out = dose.img;
    out.fill(0);
    perGbq.forEach((map, n) => {
      const a = now[n];
      for (let i = 0; i < out.length; i++) out[i] += a * map[i];
    });
  };
  mix();
  // The scale stays where it is as one drags, so that colours can be compared.
  look.doses(dose, look.most(dose.img));
  const counts = look.most(spect.img);
  spect.cal_min = 0.05 * counts;
  spect.cal_max = 0.7 * counts;
  look.outlined(labels);
  look.put(nv, [...(ct ? [look.windowed(ct)] : []), spect, dose, labels]);

  const overlay = look.tools([nv], ct, labels, (strength) => {
    const kind = at("overlay").value;
    spect.opacity = kind === "spect" ? strength : 0;
    dose.opacity = kind === "dose" ? strength : 0;
    if (kind === "dose") look.scale("scale", nv, dose, " Gy");
    else look.scale("scale", nv, kind === "spect" && spect);
  });
  at("overlay").addEventListener("change", overlay);

  nv.onLocationChange = ({ mm }) => {
    at("at").textContent = look.place(mm);
    at("hu").textContent = ct ? look.text(look.value(ct, mm), 0) : "–";
    at("counts").textContent = look.text(look.value(spect, mm), 1);
    at("gy").textContent = look.text(look.value(dose, mm), 1);
  };
  look.lesions(nv, canvas);

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
}

curves();
look.looking(images());
